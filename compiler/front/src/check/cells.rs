//! Keys of counters that are too wide for a cell for each of their values: their shapes, and how many cells there are.

use lvsc_abi::manifest::Shape;
use lvsc_pipeline::pipeline::{Alternative, Expr, KeyedId};

use super::Checker;
use super::constant::Constant;
use super::flow;
use super::scope::Scope;
use super::select::Way;
use super::value::{Single, Type, Value};
use crate::diagnostics::Code;
use crate::source::Span;
use crate::syntax::ast::{self, LitKind};

/// The fewest cells of a wide key: a bucket.
const CELLS_MIN: u128 = 8;
/// The most: 256 MiB in the kernel, where each of 256 CPUs counts 16 bytes for itself.
const CELLS_MAX: u128 = 1 << 16;
/// Where the policy does not say.
const CELLS_DEFAULT: u32 = 1 << 12;

/// A value of a key.
pub(super) struct Part {
    pub(super) value: Value,
    /// Which of the written expressions it is of: the flow has several.
    pub(super) of: usize,
    pub(super) place: Span,
}

impl<'a> Checker<'a> {
    /// What a key is written as, value by value: a flow is the five that it consists of.
    pub(super) fn values_of_key(
        &mut self,
        written: &'a [ast::Expr],
        scope: &Scope,
    ) -> Option<Vec<Part>> {
        let values: Vec<_> = written.iter().map(|expr| self.value(expr, scope)).collect();
        let mut parts = Vec::new();
        for ((value, expr), of) in values.into_iter().zip(written).zip(0..) {
            let place = expr.span;
            let part = |value| Part { value, of, place };
            match value? {
                Value::Flow(choice) => {
                    let each = (0..flow::PARTS.len()).map(|n| self.nth_of_flow(choice, n));
                    parts.extend(each.collect::<Option<Vec<_>>>()?.into_iter().map(part));
                }
                value => parts.push(part(value)),
            }
        }
        Some(parts)
    }

    /// What a key is on each way that a packet can be.
    pub(super) fn ways_of_key(&mut self, parts: &[Part], scope: &Scope) -> Option<Vec<Way>> {
        let values: Vec<Value> = parts.iter().map(|part| part.value.clone()).collect();
        let places: Vec<Span> = parts.iter().map(|part| part.place).collect();
        self.ways(&values, &places, scope)
    }

    /// The types that each value of a key can have.
    pub(super) fn types_of_key(&mut self, parts: &[Part]) -> Option<Vec<Vec<Type>>> {
        let mut found = Vec::new();
        for Part { value, place, .. } in parts {
            let (each, code, none) = match value {
                Value::One(one) => (
                    std::slice::from_ref(one),
                    Code::ConstantKey,
                    "a constant has one value, and so one cell",
                ),
                Value::Each(_, each) => (
                    each.as_slice(),
                    Code::TypeMismatch,
                    "these constants have no width of their own",
                ),
                other => return self.no_value(other, *place),
            };
            let mut types: Vec<Type> = Vec::new();
            for ty in each.iter().filter_map(typed) {
                if !types.contains(&ty) {
                    types.push(ty);
                }
            }
            if types.is_empty() {
                return self.error(code, none, *place);
            }
            found.push(types);
        }
        Some(found)
    }

    /// How many cells the table of a counter has.
    pub(super) fn cells(&mut self, written: Option<&ast::Lit>) -> Option<u32> {
        let Some(written) = written else {
            return Some(CELLS_DEFAULT);
        };
        match written.kind {
            LitKind::Int(cells @ CELLS_MIN..=CELLS_MAX) => Some((cells as u32).next_power_of_two()),
            LitKind::Bad => None,
            _ => self.bad_value("a counter has from 8 to 64K cells", written.span),
        }
    }

    /// The key of the cell that is written, in each of its alternatives; `by` is the place where the counter itself says
    /// it.
    pub(super) fn key_of_cell(
        &mut self,
        keyed: KeyedId,
        written: &'a [ast::Expr],
        by: Option<Span>,
        scope: &Scope,
    ) -> Option<Vec<Alternative>> {
        let outside = scope.without_names();
        let scope = if by.is_some() { &outside } else { scope };
        let mut parts = self.values_of_key(written, scope)?;
        for part in &mut parts {
            part.place = by.unwrap_or(part.place);
        }
        let ways = self.ways_of_key(&parts, scope)?;
        let counter = self.policy.manifest.keyed.get(usize::from(keyed.0))?;
        let shapes = counter.table.as_ref()?.shapes.clone();
        let mut alternatives = Vec::new();
        for way in ways {
            let (number, mut key) = self.shaped(&shapes, &way, &parts)?;
            if shapes.len() > 1 {
                let number = Expr::Constant {
                    value: number as u128,
                    width: 64,
                };
                key.insert(0, number);
            }
            alternatives.push(Alternative {
                key,
                ..way.alternative
            });
        }
        Some(alternatives)
    }

    /// The shape that a key has on this way, and its values.
    fn shaped(
        &mut self,
        shapes: &[Vec<Shape>],
        way: &Way,
        parts: &[Part],
    ) -> Option<(usize, Vec<Expr>)> {
        let found = shapes.iter().position(|shape| {
            let mut each = way.parts.iter().zip(shape);
            shape.len() == way.parts.len() && each.all(|(value, shape)| is_of(value, *shape))
        });
        if let Some((number, shape)) = found.and_then(|at| Some((at, shapes.get(at)?))) {
            let each = way.parts.iter().zip(shape).zip(parts);
            let key: Option<Vec<Expr>> = each
                .map(|((value, shape), part)| self.fit(value, type_of(*shape), part.place))
                .collect();
            return Some((number, key?));
        }
        for ((at, value), part) in way.parts.iter().enumerate().zip(parts) {
            let here = || shapes.iter().filter_map(|shape| shape.get(at));
            if here().any(|shape| is_of(value, *shape)) {
                continue;
            }
            let mut needed: Vec<String> = Vec::new();
            for words in here().map(|shape| type_of(*shape).describe()) {
                if !needed.contains(&words) {
                    needed.push(words);
                }
            }
            let (needed, given) = (needed.join(" or "), Value::One(value.clone()).describe());
            let message = format!("{needed} is needed, this is {given}");
            return self.error(Code::TypeMismatch, message, part.place);
        }
        let place = parts.iter().map(|part| part.place).reduce(Span::join)?;
        let message = "no key has these values side by side";
        self.error(Code::TypeMismatch, message, place)
    }
}

/// The different shapes of a key. A constant is of the first type that stands for it on another way.
pub(super) fn shapes_of_key(ways: &[Way], types: &[Vec<Type>]) -> Vec<Vec<Shape>> {
    let mut shapes: Vec<Vec<Shape>> = Vec::new();
    for way in ways {
        let parts = way.parts.iter().zip(types);
        let shape = parts.filter_map(|(value, types)| {
            let ty = typed(value).or(types.first().copied())?;
            Some(Shape {
                bits: ty.width,
                kind: ty.kind,
            })
        });
        let shape = shape.collect();
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    shapes
}

fn type_of(shape: Shape) -> Type {
    Type {
        kind: shape.kind,
        width: shape.bits,
    }
}

fn typed(value: &Single) -> Option<Type> {
    match value {
        Single::Typed(_, ty) => Some(*ty),
        Single::Constant(_) => None,
    }
}

/// Whether it can be a value of this shape; a constant may still be too large.
fn is_of(value: &Single, shape: Shape) -> bool {
    match value {
        Single::Typed(_, ty) => *ty == type_of(shape),
        Single::Constant(Constant::One(kind, _)) => *kind == shape.kind,
        Single::Constant(Constant::Set(_)) => false,
    }
}
