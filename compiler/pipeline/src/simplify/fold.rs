//! Expressions with constants inside. A value keeps its absence: `absent == 0` does not hold, so what may be absent is
//! not replaced by a 0 where it is compared. Only where a condition is decided are absent and 0 the same.

use crate::interp;
use crate::pipeline::{Binary, Compare, Expr, Pipeline, Signs, Step};

/// What becomes of the expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is decided: absent is the same as 0, and any other number the same as 1.
    Condition,
    /// Its number counts.
    Value,
}

/// Folds all expressions of a pipeline.
pub(super) fn expressions(pipeline: &mut Pipeline) {
    let mut graph = std::mem::take(&mut pipeline.graph);
    let mut choices = std::mem::take(&mut pipeline.choices);
    let mut headers = pipeline.headers.clone();
    let fold = Fold { pipeline };
    for node in graph.node_weights_mut() {
        match &mut node.step {
            Step::Match(expr) => fold.inside(expr, Use::Condition),
            Step::Let(_, expr) | Step::Rewrite(_, _, expr) | Step::Named { id: expr, .. } => {
                fold.inside(expr, Use::Value);
            }
            Step::Parse(_)
            | Step::Select { .. }
            | Step::Hash(..)
            | Step::Follow { .. }
            | Step::Remember { .. }
            | Step::Count(_)
            | Step::CountCell(..)
            | Step::CountKey(..)
            | Step::Verdict(_) => {}
        }
    }
    for alternative in choices
        .iter_mut()
        .flat_map(|choice| &mut choice.alternatives)
    {
        fold.inside(&mut alternative.condition, Use::Condition);
        alternative
            .key
            .iter_mut()
            .for_each(|part| fold.inside(part, Use::Value));
        match &mut alternative.signs {
            Some(Signs::Segment { flags, sequence }) => {
                fold.inside(flags, Use::Value);
                fold.inside(sequence, Use::Value);
            }
            Some(Signs::Opening(condition)) => fold.inside(condition, Use::Condition),
            None => {}
        }
    }
    for header in &mut headers {
        let conditions = header.after.iter_mut().map(|after| &mut after.when);
        conditions
            .chain(&mut header.valid)
            .for_each(|expr| fold.inside(expr, Use::Condition));
        let values = header.size.iter_mut().chain(&mut header.extent);
        values.for_each(|expr| fold.inside(expr, Use::Value));
    }
    (pipeline.graph, pipeline.choices, pipeline.headers) = (graph, choices, headers);
}

/// Folds a condition that is decided.
pub(super) fn condition(pipeline: &Pipeline, expr: &Expr) -> Expr {
    Fold { pipeline }.expr(expr, Use::Condition)
}

struct Fold<'a> {
    pipeline: &'a Pipeline,
}

impl Fold<'_> {
    fn inside(&self, expr: &mut Expr, used: Use) {
        *expr = self.expr(expr, used);
    }

    fn expr(&self, expr: &Expr, used: Use) -> Expr {
        let condition = |a: &Expr| self.expr(a, Use::Condition);
        let value = |a: &Expr| Box::new(self.expr(a, Use::Value));
        match expr {
            Expr::And(a, b) => both(condition(a), condition(b), used),
            Expr::Or(a, b) => either(condition(a), condition(b), used),
            Expr::Not(a) => negation(condition(a), used),
            Expr::Chosen(choice, each) => {
                let each: Vec<Expr> = each.iter().map(|expr| self.expr(expr, used)).collect();
                if used == Use::Condition && each.iter().all(|expr| *expr == Expr::FALSE) {
                    return Expr::FALSE;
                }
                Expr::Chosen(*choice, each)
            }
            Expr::Binary(op, a, b) => self.binary(*op, value(a), value(b)),
            Expr::Compare(op, a, b) => comparison(*op, value(a), value(b)),
            Expr::Resize(width, a) => self.resize(*width, value(a)),
            Expr::In(a, id) => {
                let (a, set) = (value(a), self.pipeline.set(*id));
                match *a {
                    Expr::Constant { value, .. } => truth(set.contains(value)),
                    _ if set.ranges.is_empty() => Expr::FALSE,
                    _ => Expr::In(a, *id),
                }
            }
            Expr::Constant { .. }
            | Expr::Field(..)
            | Expr::Variable(_)
            | Expr::Present(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => expr.clone(),
        }
    }

    fn binary(&self, op: Binary, a: Box<Expr>, b: Box<Expr>) -> Expr {
        let width = self.pipeline.width(&a);
        match (constant(&a), constant(&b)) {
            (Some(a), Some(b)) => Expr::Constant {
                value: interp::low(interp::arithmetic(op, a, b), width),
                width,
            },
            (None, _) | (_, None) => Expr::Binary(op, a, b),
        }
    }

    fn resize(&self, width: u16, a: Box<Expr>) -> Expr {
        match constant(&a) {
            Some(value) => Expr::Constant {
                value: interp::low(value, width),
                width,
            },
            None if self.pipeline.width(&a) == width => *a,
            None => Expr::Resize(width, a),
        }
    }
}

fn both(a: Expr, b: Expr, used: Use) -> Expr {
    match (constant(&a), constant(&b)) {
        (Some(0), _) | (_, Some(0)) => Expr::FALSE,
        (Some(_), _) if stands_for_itself(&b, used) => b,
        (_, Some(_)) if stands_for_itself(&a, used) => a,
        (_, _) => Expr::And(Box::new(a), Box::new(b)),
    }
}

fn either(a: Expr, b: Expr, used: Use) -> Expr {
    match (constant(&a), constant(&b)) {
        (Some(0), _) if stands_for_itself(&b, used) => b,
        (_, Some(0)) if stands_for_itself(&a, used) => a,
        (Some(value), _) | (_, Some(value)) if value != 0 => Expr::TRUE,
        (_, _) => Expr::Or(Box::new(a), Box::new(b)),
    }
}

fn negation(a: Expr, used: Use) -> Expr {
    match a {
        Expr::Constant { value, .. } => truth(value == 0),
        Expr::Not(b) if stands_for_itself(&b, used) => *b,
        a => Expr::Not(Box::new(a)),
    }
}

fn comparison(op: Compare, a: Box<Expr>, b: Box<Expr>) -> Expr {
    match (constant(&a), constant(&b)) {
        (Some(a), Some(b)) => truth(interp::compare(op, a, b)),
        (None, _) | (_, None) => Expr::Compare(op, a, b),
    }
}

/// Whether the expression may stand where its truth stood: it is decided there, or it is always 0 or 1.
fn stands_for_itself(expr: &Expr, used: Use) -> bool {
    let is_truth = match expr {
        Expr::Compare(..)
        | Expr::In(..)
        | Expr::And(..)
        | Expr::Or(..)
        | Expr::Not(_)
        | Expr::Present(_)
        | Expr::Constant { width: 1, .. } => true,
        Expr::Constant { .. }
        | Expr::Field(..)
        | Expr::Variable(_)
        | Expr::Binary(..)
        | Expr::Resize(..)
        | Expr::Chosen(..)
        | Expr::Interface(..)
        | Expr::Backend(..) => false,
    };
    is_truth || used == Use::Condition
}

fn constant(expr: &Expr) -> Option<u128> {
    match expr {
        Expr::Constant { value, .. } => Some(*value),
        _ => None,
    }
}

fn truth(holds: bool) -> Expr {
    if holds { Expr::TRUE } else { Expr::FALSE }
}
