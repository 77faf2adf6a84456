//! What an XDP program returns (`enum xdp_action` of linux/bpf.h), and what is done on the way out.

use lvsc_ir::program::Value;

use crate::insn::{Test, Width};
use crate::machine::{Condition, End, Inst, Symbol, Virtual};
use crate::select::Select;

/// The packet ends here.
pub(crate) const DROP: i32 = 1;
/// The packet goes on to the kernel.
pub(crate) const PASS: i32 = 2;
/// The packet leaves by the interface by which it came.
pub(crate) const BACK: i32 = 3;

/// What becomes of a packet that the kernel does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// It ends here.
    Gone,
    /// The socket of its queue gets it; where there is none, the kernel does.
    ToSocket,
}

impl Select<'_> {
    /// Not to the kernel.
    pub(crate) fn end(&mut self) {
        match self.queue {
            None => self.finish(End::Exit(DROP)),
            Some(queue) => self.redirect(Symbol::Sockets, queue, PASS),
        }
    }

    /// To what a map has at this key; where it has nothing, the verdict is the other one.
    fn redirect(&mut self, map: Symbol, key: Virtual, otherwise: i32) {
        let map = self.address(map, 0);
        let (flags, result) = (self.constant(otherwise as u64), self.fresh());
        self.push(Inst::Redirect(result, [map, key, flags]));
        self.finish(End::ExitWith(result));
    }

    /// Out by an interface: back by the one that the packet came by, or redirected.
    pub(crate) fn send(&mut self, interface: Value) {
        let Some(ingress) = self.ingress else {
            return self.finish(End::Exit(BACK));
        };
        let (back, on) = (self.open(), self.open());
        let condition = Condition {
            test: Test::Eq,
            width: Width::Full,
            left: ingress,
            right: self.operand(interface, Width::Full),
        };
        self.finish(End::If(condition, back, on));
        self.go_to(back);
        self.finish(End::Exit(BACK));
        self.go_to(on);
        let key = self.register(interface);
        self.note_egress(key);
        self.redirect(Symbol::Devices, key, DROP);
    }
}
