//! Random policies: a tape of numbers decides, so that a failing policy shrinks with its tape.

use super::network::{FLOW, IP, and, compare, constant, not, or};
use super::policy::{HASHED, RING, Stmt, TURNS};
use crate::pipeline::{
    BackendField, Binary, Compare, CounterId, Expr, FieldId, Header, HeaderId, InterfaceField,
    InterfaceId, InterfaceRef, Outcome, PoolId, Set, SetId, VariableId, VariableKind,
};

/// Numbers that decide; zero when the tape is at its end, which is the simplest way on everywhere.
pub(super) struct Tape<'a> {
    numbers: std::slice::Iter<'a, u32>,
    headers: &'a [Header],
    sets: &'a [Set],
    /// What the statements so far have bound, in the scope of the statement that is made.
    bound: Vec<VariableId>,
    /// All variables.
    pub(super) variables: Vec<VariableKind>,
}

const INTERESTING: [u128; 14] = [
    0,
    1,
    4,
    5,
    6,
    7,
    17,
    80,
    0x0800,
    0x86dd,
    0xc0a8_2ec8,
    0x0200_0000_0001,
    0x2001_0db8_0000_0000_0000_0100_0000_0001,
    u128::MAX,
];

impl<'a> Tape<'a> {
    pub(super) fn new(numbers: &'a [u32], headers: &'a [Header], sets: &'a [Set]) -> Tape<'a> {
        let numbers = numbers.iter();
        Tape {
            numbers,
            headers,
            sets,
            bound: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// A number below `limit`.
    fn pick(&mut self, limit: usize) -> usize {
        *self.numbers.next().unwrap_or(&0) as usize % limit
    }

    /// Statements; where nothing follows, the packet may go on.
    pub(super) fn body(&mut self, depth: usize) -> Vec<Stmt> {
        let scope = self.bound.len();
        let mut body = Vec::new();
        for _ in 0..self.pick(5) {
            body.push(self.statement(depth));
        }
        if self.pick(3) == 1 {
            body.push(self.end());
        }
        self.bound.truncate(scope);
        body
    }

    fn statement(&mut self, depth: usize) -> Stmt {
        match self.pick(if depth == 0 { 5 } else { 8 }) {
            0 => Stmt::Count(CounterId(2 + self.pick(2) as u16)),
            1 | 2 => {
                let (header, field) = self.field();
                let width = self.headers[usize::from(header.0)].fields[usize::from(field.0)].width;
                Stmt::Rewrite(header, field, self.value(width, 2))
            }
            3 => {
                let width = [1, 8, 13, 16, 32, 48, 64][self.pick(7)];
                let value = self.value(width, 2);
                Stmt::Let(self.bind(VariableKind::Value(width)), value)
            }
            4 => {
                let pool = [RING, HASHED, TURNS][self.pick(3)];
                let key = [FLOW, IP][self.pick(2)];
                let otherwise = vec![self.end()];
                Stmt::Select(pool, self.bind(VariableKind::Backend(pool)), key, otherwise)
            }
            _ => {
                let condition = self.condition(3);
                Stmt::Match(condition, self.body(depth - 1), self.body(depth - 1))
            }
        }
    }

    fn bind(&mut self, kind: VariableKind) -> VariableId {
        let id = VariableId(self.variables.len() as u16);
        self.variables.push(kind);
        self.bound.push(id);
        id
    }

    fn end(&mut self) -> Stmt {
        Stmt::End(match self.pick(3) {
            0 => Outcome::Pass,
            1 => Outcome::Drop(CounterId(self.pick(2) as u16)),
            _ => Outcome::Send(self.interface()),
        })
    }

    fn interface(&mut self) -> InterfaceRef {
        match (self.pick(3), self.backend()) {
            (0, _) | (_, None) => InterfaceRef::Ingress,
            (1, _) => InterfaceRef::Named(InterfaceId(self.pick(2) as u16)),
            (_, Some(variable)) => InterfaceRef::OfBackend(variable),
        }
    }

    /// A backend that is bound.
    fn backend(&mut self) -> Option<VariableId> {
        let kind = |id: &VariableId| self.variables[usize::from(id.0)];
        let found: Vec<VariableId> = (self.bound.iter().copied())
            .filter(|id| matches!(kind(id), VariableKind::Backend(PoolId(_))))
            .collect();
        if found.is_empty() {
            None
        } else {
            Some(found[self.pick(found.len())])
        }
    }

    fn field(&mut self) -> (HeaderId, FieldId) {
        let header = self.pick(self.headers.len());
        let field = self.pick(self.headers[header].fields.len());
        (HeaderId(header as u16), FieldId(field as u16))
    }

    fn condition(&mut self, depth: usize) -> Expr {
        let limit = if depth == 0 { 4 } else { 9 };
        match self.pick(limit) {
            0 => Expr::Present(HeaderId(self.pick(self.headers.len()) as u16)),
            1 | 4 => {
                let (header, field) = self.field();
                let width = self.headers[usize::from(header.0)].fields[usize::from(field.0)].width;
                let other = self.value(width, depth.min(1));
                compare(self.comparison(), Expr::Field(header, field), other)
            }
            2 => {
                let set = self.pick(self.sets.len());
                let value = self.value(self.sets[set].width, depth.min(1));
                Expr::In(Box::new(value), SetId(set as u16))
            }
            3 => self.value(1, depth),
            5 => and(self.condition(depth - 1), self.condition(depth - 1)),
            6 => or(self.condition(depth - 1), self.condition(depth - 1)),
            7 => not(self.condition(depth - 1)),
            _ => {
                let choice = [IP, FLOW][self.pick(2)];
                let each =
                    (0..if choice == IP { 2 } else { 9 }).map(|_| self.condition(depth.min(1) - 1));
                Expr::Chosen(choice, each.collect())
            }
        }
    }

    fn comparison(&mut self) -> Compare {
        [
            Compare::Eq,
            Compare::Ne,
            Compare::Lt,
            Compare::Le,
            Compare::Gt,
            Compare::Ge,
        ][self.pick(6)]
    }

    fn value(&mut self, width: u16, depth: usize) -> Expr {
        match self.pick(if depth == 0 { 3 } else { 8 }) {
            0 => {
                let mask = if width == 128 {
                    u128::MAX
                } else {
                    (1 << width) - 1
                };
                constant(INTERESTING[self.pick(INTERESTING.len())] & mask, width)
            }
            1 => {
                let fields: Vec<(HeaderId, FieldId)> = self.fields(width);
                match fields.len() {
                    0 => constant(0, width),
                    found => {
                        let (header, field) = fields[self.pick(found)];
                        Expr::Field(header, field)
                    }
                }
            }
            2 => self.bound_value(width),
            3 => {
                let from = [4, 13, 16, 32, 48, 64, 128][self.pick(7)];
                Expr::Resize(width, Box::new(self.value(from, depth - 1)))
            }
            4 | 5 if width <= 64 => self.arithmetic(width, depth),
            6 => {
                let each = (0..2).map(|_| self.value(width, depth - 1));
                Expr::Chosen(IP, each.collect())
            }
            _ if width == 1 => self.condition(depth - 1),
            _ if width == 48 => Expr::Interface(self.interface(), InterfaceField::Mac),
            _ if width == 8 => Expr::Interface(self.interface(), InterfaceField::Index),
            _ => constant(3, width.max(2)).narrowed(width),
        }
    }

    fn bound_value(&mut self, width: u16) -> Expr {
        if let (48, Some(backend)) = (width, self.backend()) {
            return Expr::Backend(backend, BackendField::Mac);
        }
        if let (16, Some(backend)) = (width, self.backend()) {
            return Expr::Backend(backend, BackendField::Id);
        }
        let kind = |id: &VariableId| self.variables[usize::from(id.0)];
        let mut found = self
            .bound
            .iter()
            .filter(|id| kind(id) == VariableKind::Value(width));
        found
            .next_back()
            .map_or(constant(1, width), |id| Expr::Variable(*id))
    }

    fn fields(&self, width: u16) -> Vec<(HeaderId, FieldId)> {
        let mut found = Vec::new();
        for (id, header) in self.headers.iter().enumerate() {
            for (at, field) in header.fields.iter().enumerate() {
                if field.width == width {
                    found.push((HeaderId(id as u16), FieldId(at as u16)));
                }
            }
        }
        found
    }

    fn arithmetic(&mut self, width: u16, depth: usize) -> Expr {
        let a = Box::new(self.value(width, depth - 1));
        match self.pick(6) {
            0 => {
                let op = [Binary::Div, Binary::Rem][self.pick(2)];
                Expr::Binary(
                    op,
                    a,
                    Box::new(constant(
                        1 + (self.pick(2) as u128 & ((1 << width) - 2)),
                        width,
                    )),
                )
            }
            1 => {
                let op = [Binary::Shl, Binary::Shr][self.pick(2)];
                let distance = self.pick(usize::from(width)) as u128;
                Expr::Binary(op, a, Box::new(constant(distance, 8)))
            }
            _ => {
                use Binary::{Add, And, Mul, Or, Sub, Xor};
                let op = [Add, Sub, Mul, And, Or, Xor][self.pick(6)];
                Expr::Binary(op, a, Box::new(self.value(width, depth - 1)))
            }
        }
    }
}

impl Expr {
    fn narrowed(self, width: u16) -> Expr {
        Expr::Resize(width, Box::new(self))
    }
}
