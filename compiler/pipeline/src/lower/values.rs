//! Values of expressions. The operand is left on the path's stack; a path on which it depends on an absent header is
//! on the side of "no", with the stack as it was.

use lvsc_ir::program::{self as ir, BlockId, Op, Value};

use super::Lowering;
use super::conditions::taken;
use super::interfaces::MAC;
use super::state::{Binding, Number, Path, Split};
use crate::pipeline::{BackendField, Binary, Compare, Expr, InterfaceField, VariableId};

impl Lowering<'_> {
    /// Evaluates an expression: its operand is on top of the stack on the yes side.
    pub(super) fn value(&mut self, expr: &Expr, mut path: Path) -> Split {
        let split = match expr {
            Expr::Constant { value, width } => {
                let number = self.number(path.block, *value, *width > 64);
                path.state.stack.push(number);
                Split::yes(path)
            }
            Expr::Field(header, field) => {
                let mut split = self.resolve(*header, path);
                for path in &mut split.yes {
                    self.read(*header, *field, path);
                }
                split
            }
            Expr::Variable(variable) => {
                let number = match binding(&path, *variable) {
                    Binding::Value(number) => number,
                    Binding::Backend { id, .. } => Number {
                        low: id,
                        high: None,
                    },
                };
                path.state.stack.push(number);
                Split::yes(path)
            }
            Expr::Binary(op, a, b) => {
                let width = self.pipeline.width(expr);
                let mut split = self.operands(a, b, path);
                for path in &mut split.yes {
                    let (b, a) = (path.pop(), path.pop());
                    let low = self.arithmetic(path.block, *op, a.low, b.low, width);
                    // Of wider values than a word each bit is made of two, and nothing is carried.
                    let high = a.high.zip(b.high);
                    let high = high.map(|(a, b)| self.arithmetic(path.block, *op, a, b, width));
                    path.state.stack.push(Number { low, high });
                }
                split
            }
            Expr::Resize(width, a) => {
                let from = self.pipeline.width(a);
                let mut split = self.value(a, path);
                for path in &mut split.yes {
                    let number = path.pop();
                    let number = self.resize(path.block, number, from, *width);
                    path.state.stack.push(number);
                }
                split
            }
            Expr::Compare(op, a, b) => {
                let Split { mut yes, no } = self.operands(a, b, path);
                for path in &mut yes {
                    let (b, a) = (path.pop(), path.pop());
                    let value = self.compared(path.block, *op, a, b);
                    path.push(value);
                }
                let no = self.bits(no, 0);
                Split {
                    yes: yes.into_iter().chain(no).collect(),
                    no: Vec::new(),
                }
            }
            Expr::In(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_) | Expr::Present(_) => {
                let Split { yes, no } = self.branch(expr, path);
                let (yes, no) = (self.bits(yes, 1), self.bits(no, 0));
                Split {
                    yes: yes.into_iter().chain(no).collect(),
                    no: Vec::new(),
                }
            }
            Expr::Chosen(choice, each) => {
                let mut split = Split::default();
                for path in self.choose(*choice, path) {
                    match taken(&path, *choice).and_then(|index| each.get(index)) {
                        Some(expr) => split.extend(self.value(expr, path)),
                        None => split.no.push(path),
                    }
                }
                split
            }
            Expr::Interface(interface, InterfaceField::Index) => {
                let index = self.interface(*interface, &path);
                path.push(index);
                Split::yes(path)
            }
            Expr::Interface(interface, InterfaceField::Mac) => self.interface_mac(*interface, path),
            Expr::Backend(variable, field) => {
                let value = match (binding(&path, *variable), field) {
                    (Binding::Backend { id, .. }, BackendField::Id) => id,
                    (Binding::Backend { record, .. }, BackendField::Mac) => {
                        self.code.value(path.block, Op::Swap(MAC, record))
                    }
                    (Binding::Value(value), BackendField::Id | BackendField::Mac) => value.low,
                };
                path.push(value);
                Split::yes(path)
            }
        };
        self.join_split(split)
    }

    /// Evaluates an expression on each path; 0 where it depends on an absent header.
    pub(super) fn value_or_zero(&mut self, expr: &Expr, paths: Vec<Path>) -> Vec<Path> {
        let wide = self.pipeline.width(expr) > 64;
        let mut found = Vec::new();
        for path in paths {
            let Split { yes, no } = self.value(expr, path);
            found.extend(yes);
            for mut path in no {
                let zero = self.number(path.block, 0, wide);
                path.state.stack.push(zero);
                found.push(path);
            }
        }
        self.join(found)
    }

    /// Evaluates both, the second one on top. On the no side the stack is as it was.
    pub(super) fn operands(&mut self, a: &Expr, b: &Expr, path: Path) -> Split {
        let Split { yes, no } = self.value(a, path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for path in yes {
            let Split { yes, mut no } = self.value(b, path);
            for path in &mut no {
                path.pop();
            }
            split.extend(Split { yes, no });
        }
        split
    }

    /// Pushes a constant on every path.
    pub(super) fn bits(&mut self, mut paths: Vec<Path>, value: u64) -> Vec<Path> {
        for path in &mut paths {
            let bit = self.code.constant(path.block, value);
            path.push(bit);
        }
        paths
    }

    /// A constant of up to 64 bits, or of more.
    pub(super) fn number(&mut self, block: BlockId, value: u128, wide: bool) -> Number {
        let high = wide.then(|| self.code.constant(block, (value >> 64) as u64));
        Number {
            low: self.code.constant(block, value as u64),
            high,
        }
    }

    fn arithmetic(&mut self, block: BlockId, op: Binary, a: Value, b: Value, width: u16) -> Value {
        let (op, wraps) = match op {
            Binary::Add => (ir::Binary::Add, true),
            Binary::Sub => (ir::Binary::Sub, true),
            Binary::Mul => (ir::Binary::Mul, true),
            Binary::Div => (ir::Binary::Div, false),
            Binary::Rem => (ir::Binary::Rem, false),
            Binary::And => (ir::Binary::And, false),
            Binary::Or => (ir::Binary::Or, false),
            Binary::Xor => (ir::Binary::Xor, false),
            Binary::Shl => (ir::Binary::Shl, true),
            Binary::Shr => (ir::Binary::Shr, false),
        };
        let value = self.code.binary(block, op, a, b);
        if wraps {
            self.code.with(block, ir::Binary::And, value, mask(width))
        } else {
            value
        }
    }

    fn resize(&mut self, block: BlockId, number: Number, from: u16, to: u16) -> Number {
        let Number { low, high } = number;
        let cut = |this: &mut Self, value, bits| {
            this.code.with(block, ir::Binary::And, value, mask(bits))
        };
        if to <= 64 {
            let low = if to < from { cut(self, low, to) } else { low };
            return Number { low, high: None };
        }
        let high = match high {
            Some(high) if to < from => cut(self, high, to - 64),
            Some(high) => high,
            None => self.code.constant(block, 0),
        };
        Number {
            low,
            high: Some(high),
        }
    }

    fn compared(&mut self, block: BlockId, op: Compare, a: Number, b: Number) -> Value {
        let (op, a, b) = match op {
            Compare::Eq => (ir::Compare::Eq, a, b),
            Compare::Ne => (ir::Compare::Ne, a, b),
            Compare::Lt => (ir::Compare::Lt, a, b),
            Compare::Le => (ir::Compare::Le, a, b),
            Compare::Gt => (ir::Compare::Lt, b, a),
            Compare::Ge => (ir::Compare::Le, b, a),
        };
        self.compare(block, op, a, b)
    }

    /// 1 or 0. Numbers of more than 64 bits are compared by halves.
    pub(super) fn compare(
        &mut self,
        block: BlockId,
        op: ir::Compare,
        a: Number,
        b: Number,
    ) -> Value {
        let (Some(high), Some(other)) = (a.high, b.high) else {
            return self.code.compare(block, op, a.low, b.low);
        };
        match op {
            ir::Compare::Eq | ir::Compare::Ne => {
                let high = self.code.binary(block, ir::Binary::Xor, high, other);
                let low = self.code.binary(block, ir::Binary::Xor, a.low, b.low);
                let differ = self.code.binary(block, ir::Binary::Or, high, low);
                let zero = self.code.constant(block, 0);
                self.code.compare(block, op, differ, zero)
            }
            ir::Compare::Lt | ir::Compare::Le => {
                let less = self.code.compare(block, ir::Compare::Lt, high, other);
                let equal = self.code.compare(block, ir::Compare::Eq, high, other);
                let low = self.code.compare(block, op, a.low, b.low);
                let low = self.code.binary(block, ir::Binary::And, equal, low);
                self.code.binary(block, ir::Binary::Or, less, low)
            }
        }
    }
}

/// All bits of a value of this width, at most 64.
pub(super) fn mask(width: u16) -> u64 {
    if width >= 64 {
        u64::MAX
    } else {
        (1 << width) - 1
    }
}

/// What a variable holds: a checked policy binds before it uses.
pub(super) fn binding(path: &Path, variable: VariableId) -> Binding {
    *path
        .state
        .variables
        .get(&variable)
        .expect("a variable is bound on every path to its use")
}
