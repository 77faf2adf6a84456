//! Interfaces of the director and their MACs. Where only one is there, nobody asks which.

use lvsc_abi::layout::{backend, interface};
use lvsc_ir::program::{self as ir, BlockId, Class, Op, Order, Value};

use super::code::Spot;
use super::state::{Binding, Path, Split};
use super::values::binding;
use super::{Lowering, element};
use crate::pipeline::{Expr, InterfaceField, InterfaceRef};

/// Bytes of a MAC address.
pub(super) const MAC: u8 = 6;

impl Lowering<'_> {
    /// Index of an interface in section `interfaces`.
    pub(super) fn interface(&mut self, interface: InterfaceRef, path: &Path) -> Value {
        if self.has_one_interface() {
            return self.code.constant(path.block, 0);
        }
        match interface {
            InterfaceRef::Ingress => self.code.value(path.block, Op::Ingress),
            InterfaceRef::Named(id) => self.code.constant(path.block, u64::from(id.0)),
            InterfaceRef::OfBackend(variable) => match binding(path, variable) {
                Binding::Backend { record, .. } => {
                    let shift = u64::from(backend::INTERFACE_SHIFT);
                    let index = self.code.with(path.block, ir::Binary::Shr, record, shift);
                    self.code.with(path.block, ir::Binary::And, index, 0xff)
                }
                Binding::Value(value) => value.low,
            },
        }
    }

    fn has_one_interface(&self) -> bool {
        self.pipeline.manifest.interfaces.len() == 1
    }

    /// The interface's MAC where it is known, else the destination of the frame as it arrived. Where that was found to be
    /// the interface's, it is the one either way.
    pub(super) fn interface_mac(&mut self, interface: InterfaceRef, path: Path) -> Split {
        let same = path.state.arrives_at_own && self.has_one_interface();
        let mut paths = self.arrival(path);
        for path in &mut paths {
            let mut wire = path.pop().low;
            if !same {
                let record = self.interface_record(interface, path);
                let known = self.is_known(path.block, record);
                wire = self.code.value(path.block, Op::Select(known, record, wire));
            }
            let mac = self.code.value(path.block, Op::Swap(MAC, wire));
            path.push(mac);
        }
        Split {
            yes: paths,
            no: Vec::new(),
        }
    }

    fn interface_record(&mut self, interface: InterfaceRef, path: &Path) -> Value {
        let index = self.interface(interface, path);
        let from = element(self.sections.interfaces, index, interface::RECORD, 8);
        self.code.load(path.block, Class::Config, from)
    }

    /// Not 0 where the record has a MAC.
    fn is_known(&mut self, block: BlockId, record: Value) -> Value {
        let shift = u64::from(interface::FLAGS_SHIFT);
        let flags = self.code.with(block, ir::Binary::Shr, record, shift);
        (self.code).with(block, ir::Binary::And, flags, interface::KNOWN)
    }

    /// Splits by whether the destination of the frame as it arrived is the MAC of the interface where it did, or is another one;
    /// where it is absent it is neither. Where it is the one of the record, nothing else is asked; where that is not known, it is.
    pub(super) fn branch_own(&mut self, equal: bool, destination: &Expr, path: Path) -> Split {
        let Split { yes, no: absent } = self.value(destination, path);
        let mut split = Split::default();
        for mut path in yes {
            let destination = path.pop().low;
            let record = self.interface_record(InterfaceRef::Ingress, &path);
            let mac = self.code.value(path.block, Op::Swap(MAC, record));
            let same = (self.code).compare(path.block, ir::Compare::Eq, destination, mac);
            let Split { yes, no } = self.test(same, path);
            split.yes.extend(yes);
            for path in no {
                let known = self.is_known(path.block, record);
                let Split { yes, no } = self.test(known, path);
                split.no.extend(yes);
                split.yes.extend(no);
            }
        }
        for path in &mut split.yes {
            path.state.arrives_at_own = true;
        }
        let mut split = if equal { split } else { split.swapped() };
        split.no.extend(absent);
        split
    }

    /// The one of two expressions that is the destination of the frame as it arrived, where the other one is the MAC of the interface
    /// where it did.
    pub(super) fn arrival_at_own<'a>(
        &self,
        a: &'a Expr,
        b: &'a Expr,
        path: &Path,
    ) -> Option<&'a Expr> {
        const OWN: Expr = Expr::Interface(InterfaceRef::Ingress, InterfaceField::Mac);
        let destination = match (a == &OWN, b == &OWN) {
            (false, true) => a,
            (true, false) => b,
            (true, true) | (false, false) => return None,
        };
        self.is_arrival(destination, path).then_some(destination)
    }

    fn is_arrival(&self, expr: &Expr, path: &Path) -> bool {
        let Expr::Field(header, field) = *expr else {
            return false;
        };
        let first = self.pipeline.header(header).after.is_empty();
        let field = self.pipeline.field(header, field);
        first
            && path.state.arrival.is_none()
            && (field.offset, field.width) == (0, u16::from(MAC) * 8)
    }

    /// Pushes the first six bytes of the frame as it arrived, first byte lowest; 0 where the frame is shorter.
    pub(super) fn arrival(&mut self, mut path: Path) -> Vec<Path> {
        if let Some(arrival) = path.state.arrival {
            path.push(arrival);
            return vec![path];
        }
        let end = Spot {
            offset: u16::from(MAC),
            ..Spot::BEGIN
        };
        let Split { mut yes, no } = self.inside(end, path);
        for path in &mut yes {
            let bytes = self
                .code
                .frame(path.block, Spot::BEGIN, u16::from(MAC), Order::Little);
            path.push(bytes);
        }
        yes.extend(self.bits(no, 0));
        self.join(yes)
    }
}
