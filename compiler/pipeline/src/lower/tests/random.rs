//! Random policies: a tape of numbers decides, so that a failing policy shrinks with its tape.

use crate::pipeline::{
    BackendField, Binary, Compare, Expr, FieldId, HeaderId, InterfaceField, InterfaceId,
    InterfaceRef, Outcome,
};
use crate::sample::*;

/// Fields and their bits: those that decide where headers stand among them.
const FIELDS: [(&str, u16); 20] = [
    ("eth.type", 16),
    ("eth.dst", 48),
    ("vlan.vid", 12),
    ("vlan.type", 16),
    ("ip4.ihl", 4),
    ("ip4.dscp", 6),
    ("ip4.length", 16),
    ("ip4.df", 1),
    ("ip4.offset", 13),
    ("ip4.ttl", 8),
    ("ip4.protocol", 8),
    ("ip4.checksum", 16),
    ("ip4.src", 32),
    ("ip4.dst", 32),
    ("ip6.ttl", 8),
    ("tcp.dst", 16),
    ("tcp.flags", 8),
    ("udp.src", 16),
    ("icmp.type", 8),
    ("quoted_ports.src", 16),
];
const NUMBERS: [u128; 10] = [
    0,
    1,
    5,
    6,
    17,
    53,
    80,
    0x0800,
    0xc000_0201,
    0x0200_0000_0001,
];

/// Numbers that decide; zero when the tape is at its end, which is the simplest way on everywhere.
pub(super) struct Tape<'a> {
    numbers: std::slice::Iter<'a, u32>,
    /// The header of [`overlaid`].
    raw: HeaderId,
    /// The pool whose backend is bound here.
    selected: Option<usize>,
    /// Whether [`PORT`] is bound here.
    has_port: bool,
}

impl<'a> Tape<'a> {
    pub(super) fn new(numbers: &'a [u32], raw: HeaderId) -> Tape<'a> {
        Tape {
            raw,
            numbers: numbers.iter(),
            selected: None,
            has_port: false,
        }
    }

    /// A number below `limit`.
    fn pick(&mut self, limit: usize) -> usize {
        *self.numbers.next().unwrap_or(&0) as usize % limit
    }

    /// Statements; where nothing follows, the packet may go on.
    pub(super) fn body(&mut self, depth: usize) -> Vec<Stmt> {
        let outside = (self.selected, self.has_port);
        let mut body: Vec<Stmt> = (0..self.pick(5)).map(|_| self.statement(depth)).collect();
        if self.pick(3) == 1 {
            body.push(self.end());
        }
        (self.selected, self.has_port) = outside;
        body
    }

    fn statement(&mut self, depth: usize) -> Stmt {
        match self.pick(if depth == 0 { 4 } else { 7 }) {
            0 => Stmt::Count(SEEN),
            1 if self.pick(6) == 1 => {
                let (field, width) = [(0, 64), (1, 8), (2, 8), (3, 16)][self.pick(4)];
                Stmt::SetIn(self.raw, FieldId(field), self.value(width, 2))
            }
            1 => {
                let (name, width) = FIELDS[self.pick(FIELDS.len())];
                Stmt::Set(name, self.value(width, 2))
            }
            2 => {
                let value = self.value(16, 2);
                self.has_port = true;
                Stmt::Bind(PORT, value)
            }
            3 => {
                let pool = self.pick(RS.len());
                // Without a backend an earlier one of this pool is no longer bound, either.
                self.selected = None;
                let otherwise = vec![self.end()];
                let named = (self.pick(2) == 1).then(|| {
                    let width = [4, 8, 16, 64][self.pick(4)];
                    self.value(width, 1)
                });
                self.selected = Some(pool);
                let pool = [PLAIN, KEPT, TURNS][pool];
                match named {
                    Some(id) => Stmt::Named(pool, id, otherwise),
                    None => Stmt::Select(pool, otherwise),
                }
            }
            _ => {
                let condition = self.condition(2);
                Stmt::When(condition, self.body(depth - 1), self.body(depth - 1))
            }
        }
    }

    fn end(&mut self) -> Stmt {
        Stmt::End(match self.pick(3) {
            0 => Outcome::Pass,
            1 => Outcome::Drop(CLOSED),
            _ => Outcome::Send(self.interface()),
        })
    }

    fn interface(&mut self) -> InterfaceRef {
        match (self.pick(3), self.selected) {
            (0, _) => InterfaceRef::Ingress,
            (1, Some(pool)) => InterfaceRef::OfBackend(RS[pool]),
            _ => InterfaceRef::Named(InterfaceId(self.pick(2) as u16)),
        }
    }

    fn condition(&mut self, depth: usize) -> Expr {
        match self.pick(if depth == 0 { 3 } else { 7 }) {
            0 => {
                let (name, _) = FIELDS[self.pick(FIELDS.len())];
                let (header_name, _) = name.split_once('.').unwrap();
                Expr::Present(header(header_name))
            }
            1 => {
                let (name, width) = FIELDS[self.pick(FIELDS.len())];
                let op = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Ge][self.pick(4)];
                compare(op, field(name), self.value(width, 1))
            }
            2 => Expr::In(Box::new(field("eth.type")), TAGS),
            3 => and(self.condition(depth - 1), self.condition(depth - 1)),
            4 => or(self.condition(depth - 1), self.condition(depth - 1)),
            5 => not(self.condition(depth - 1)),
            _ => Expr::Chosen(FLOW, (0..4).map(|_| self.condition(0)).collect()),
        }
    }

    fn value(&mut self, width: u16, depth: usize) -> Expr {
        let constant = |value: u128| number(value & ((1 << width) - 1), width);
        match self.pick(if depth == 0 { 2 } else { 5 }) {
            0 => constant(NUMBERS[self.pick(NUMBERS.len())]),
            1 => self.named(width),
            2 => {
                let from = [8, 16, 32][self.pick(3)];
                Expr::Resize(width, Box::new(self.value(from, depth - 1)))
            }
            3 => {
                let (op, by) =
                    [(Binary::Shl, 8), (Binary::Shr, 8), (Binary::Rem, width)][self.pick(3)];
                let by = number(1 % (1 << by.min(2)), by);
                Expr::Binary(op, Box::new(self.value(width, depth - 1)), Box::new(by))
            }
            _ => {
                use Binary::{Add, And, Or, Sub, Xor};
                let op = [Add, Sub, And, Or, Xor][self.pick(5)];
                let (a, b) = (self.value(width, depth - 1), self.value(width, depth - 1));
                Expr::Binary(op, Box::new(a), Box::new(b))
            }
        }
    }

    /// Something of this width that has a name, else a constant.
    fn named(&mut self, width: u16) -> Expr {
        match (width, self.selected) {
            (16, Some(pool)) if self.pick(2) == 0 => Expr::Backend(RS[pool], BackendField::Id),
            (16, _) if self.has_port && self.pick(2) == 0 => Expr::Variable(PORT),
            (48, Some(pool)) if self.pick(2) == 0 => Expr::Backend(RS[pool], BackendField::Mac),
            (48, _) => Expr::Interface(self.interface(), InterfaceField::Mac),
            _ => {
                let fitting: Vec<&str> = FIELDS
                    .iter()
                    .filter(|(_, bits)| *bits == width)
                    .map(|(name, _)| *name)
                    .collect();
                match fitting.len() {
                    0 => number(1, width),
                    count => field(fitting[self.pick(count)]),
                }
            }
        }
    }
}
