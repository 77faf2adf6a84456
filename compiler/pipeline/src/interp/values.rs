//! What expressions are worth on one packet.

use lvsc_abi::image::Width;
use lvsc_abi::layout::{backend, interface};
use lvsc_abi::mac::Mac;

use super::packet::Running;
use crate::pipeline::{
    BackendField, Binary, ChoiceId, Compare, Expr, InterfaceField, InterfaceRef, PoolId,
    VariableId, VariableKind,
};

impl Running<'_> {
    /// Whether a condition holds: an absent one does not.
    pub(super) fn holds(&self, condition: &Expr) -> bool {
        self.value(condition).is_some_and(|value| value != 0)
    }

    /// The value where one is needed: 0 for an absent one.
    pub(super) fn value_or_zero(&self, expr: &Expr) -> u128 {
        self.value(expr).unwrap_or(0)
    }

    /// The value of an expression; `None` where it speaks of an absent header.
    pub(super) fn value(&self, expr: &Expr) -> Option<u128> {
        let truth = |holds: bool| Some(u128::from(holds));
        match expr {
            Expr::Constant { value, .. } => Some(*value),
            Expr::Field(header, field) => self.field(*header, *field),
            Expr::Variable(variable) | Expr::Backend(variable, BackendField::Id) => {
                Some(self.bound(*variable))
            }
            Expr::Binary(op, a, b) => {
                let value = arithmetic(*op, self.value(a)?, self.value(b)?);
                Some(low(value, self.pipeline.width(a)))
            }
            Expr::Resize(width, a) => Some(low(self.value(a)?, *width)),
            Expr::Compare(op, a, b) => match (self.value(a), self.value(b)) {
                (Some(a), Some(b)) => truth(compare(*op, a, b)),
                (None, _) | (_, None) => truth(false),
            },
            Expr::In(a, set) => {
                let (value, set) = (self.value(a), self.pipeline.set(*set));
                truth(value.is_some_and(|value| set.contains(value)))
            }
            Expr::And(a, b) => truth(self.holds(a) && self.holds(b)),
            Expr::Or(a, b) => truth(self.holds(a) || self.holds(b)),
            Expr::Not(a) => truth(!self.holds(a)),
            Expr::Present(header) => truth(self.offset(*header).is_some()),
            Expr::Chosen(choice, each) => self.value(each.get(self.alternative(*choice)?)?),
            Expr::Interface(interface, InterfaceField::Index) => {
                Some(u128::from(self.interface_index(*interface)))
            }
            Expr::Interface(interface, InterfaceField::Mac) => {
                Some(self.interface_mac(self.interface_index(*interface)))
            }
            Expr::Backend(variable, BackendField::Mac) => Some(u128::from(
                Mac::from_record(self.record(*variable)).to_bits(),
            )),
        }
    }

    /// The first alternative whose condition holds.
    pub(super) fn alternative(&self, choice: ChoiceId) -> Option<usize> {
        let alternatives = &self.pipeline.choice(choice).alternatives;
        alternatives
            .iter()
            .position(|alternative| self.holds(&alternative.condition))
    }

    pub(super) fn interface_index(&self, interface: InterfaceRef) -> u8 {
        if self.pipeline.manifest.interfaces.len() == 1 {
            return 0;
        }
        match interface {
            InterfaceRef::Ingress => self.ingress,
            InterfaceRef::Named(id) => id.0 as u8,
            InterfaceRef::OfBackend(variable) => {
                (self.record(variable) >> backend::INTERFACE_SHIFT) as u8
            }
        }
    }

    /// The interface's MAC where it is known, else the destination of the frame as it arrived.
    fn interface_mac(&self, index: u8) -> u128 {
        let Some(section) = self.image.layout().get(self.sections.interfaces) else {
            return self.arrived;
        };
        let record = self
            .image
            .load(section.at(u64::from(index), interface::RECORD), Width::B8);
        if record >> interface::FLAGS_SHIFT & interface::KNOWN == 0 {
            return self.arrived;
        }
        u128::from(Mac::from_record(record).to_bits())
    }

    /// The record of the backend in a variable.
    fn record(&self, variable: VariableId) -> u64 {
        match self.pipeline.variable(variable).kind {
            VariableKind::Backend(pool) => self.backend(pool, self.bound(variable) as u64),
            VariableKind::Value(_) => 0,
        }
    }

    /// The record of a backend. That of "none" is never usable.
    pub(super) fn backend(&self, pool: PoolId, id: u64) -> u64 {
        let section = self.image.layout().get(self.sections.pool(pool).backends);
        section.map_or(0, |section| self.image.load(section.at(id, 0), Width::B8))
    }
}

/// The low bits of a value.
pub(crate) fn low(value: u128, width: u16) -> u128 {
    if width >= 128 {
        value
    } else {
        value & ((1 << width) - 1)
    }
}

/// The operation on values that fit its width; the result may not.
pub(crate) fn arithmetic(op: Binary, a: u128, b: u128) -> u128 {
    match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div => a.checked_div(b).unwrap_or(0),
        Binary::Rem => a.checked_rem(b).unwrap_or(0),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Shl => a.checked_shl(b as u32).unwrap_or(0),
        Binary::Shr => a.checked_shr(b as u32).unwrap_or(0),
    }
}

pub(crate) fn compare(op: Compare, a: u128, b: u128) -> bool {
    match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    }
}
