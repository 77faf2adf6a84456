//! The rules of [`fold`](super::fold): what an instruction can be made simpler to, by what is known of its operands.

use lvsc_abi::place::Place;

use super::fold::{Facts, Output};
use crate::eval;
use crate::program::{Binary, Compare, FrameAccess, Inst, Op, Order, Value};
use crate::range::bytes_mask;

/// What became of an instruction.
pub(super) enum Simpler {
    /// Nothing.
    No,
    /// Another instruction.
    Op(Op),
    /// A value that is there already.
    Value(Value),
}

use Simpler::No;

/// Makes an instruction simpler by one step.
pub(super) fn simplify(inst: &Inst, output: &mut Output<'_>) -> Simpler {
    let place = inst.place;
    match &inst.op {
        Op::Binary(op, a, b) => binary(*op, *a, *b, place, output),
        Op::Compare(op, a, b) => compare(*op, *a, *b, place, output),
        Op::Select(c, a, b) => select(*c, *a, *b, place, output),
        Op::Swap(bytes, a) => swap(*bytes, *a, place, output),
        Op::LoadFrame(access) => match spot(*access, output.facts()) {
            Some(access) => Simpler::Op(Op::LoadFrame(access)),
            None => No,
        },
        Op::StoreFrame(access, value) => store_frame(*access, *value, place, output),
        Op::Store(access, value) => {
            let mask = bytes_mask(access.bytes);
            match unmasked(*value, mask, output.facts()) {
                Some(value) => Simpler::Op(Op::Store(*access, value)),
                None => No,
            }
        }
        Op::Const(_)
        | Op::FrameLength
        | Op::Ingress
        | Op::Worker
        | Op::Load(..)
        | Op::Exchange(..)
        | Op::Raise(..)
        | Op::Find(..)
        | Op::Place(..)
        | Op::Count(..) => No,
    }
}

fn store_frame(
    access: FrameAccess,
    value: Value,
    place: Place,
    output: &mut Output<'_>,
) -> Simpler {
    let facts = output.facts();
    if let Some(access) = spot(access, facts) {
        return Simpler::Op(Op::StoreFrame(access, value));
    }
    if let Some(value) = unmasked(value, bytes_mask(access.bytes), facts) {
        return Simpler::Op(Op::StoreFrame(access, value));
    }
    let Some(known) = facts.constant(value) else {
        return No;
    };
    if access.order == Order::Little || access.bytes == 1 {
        return No;
    }
    let known = output.make(Op::Const(eval::swap(access.bytes, known)), place);
    Simpler::Op(Op::StoreFrame(
        FrameAccess {
            order: Order::Little,
            ..access
        },
        known,
    ))
}

/// A frame access with a constant base begins at the frame's first byte, and one byte has no order.
fn spot(access: FrameAccess, facts: &Facts) -> Option<FrameAccess> {
    let base = access.base.and_then(|base| facts.constant(base));
    let offset =
        base.and_then(|base| u16::try_from(base.checked_add(u64::from(access.offset))?).ok());
    let order = if access.bytes == 1 {
        Order::Big
    } else {
        access.order
    };
    let simpler = match offset {
        Some(offset) => FrameAccess {
            base: None,
            offset,
            order,
            ..access
        },
        None => FrameAccess { order, ..access },
    };
    (simpler != access).then_some(simpler)
}

/// What `value` was before bits outside `mask` were taken from it.
fn unmasked(value: Value, mask: u64, facts: &Facts) -> Option<Value> {
    match facts.op(value) {
        Some(Op::Binary(Binary::And, a, b)) => {
            let kept = facts.constant(*b)?;
            (kept & mask == mask).then_some(*a)
        }
        Some(_) | None => None,
    }
}

fn constant(value: u64) -> Simpler {
    Simpler::Op(Op::Const(value))
}

fn is_commutative(op: Binary) -> bool {
    match op {
        Binary::Add | Binary::Mul | Binary::And | Binary::Or | Binary::Xor => true,
        Binary::Sub | Binary::Shl | Binary::Shr | Binary::Div | Binary::Rem => false,
    }
}

/// Constants stand to the right, and of two others the one that was made first to the left.
fn swapped(a: Value, b: Value, facts: &Facts) -> bool {
    match (facts.constant(a), facts.constant(b)) {
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (Some(_), Some(_)) | (None, None) => b < a,
    }
}

fn binary(op: Binary, a: Value, b: Value, place: Place, output: &mut Output<'_>) -> Simpler {
    let facts = output.facts();
    let (known_a, known_b) = (facts.constant(a), facts.constant(b));
    if let (Some(x), Some(y)) = (known_a, known_b)
        && let Some(result) = eval::binary(op, x, y)
    {
        return constant(result);
    }
    if is_commutative(op) && swapped(a, b, facts) {
        return Simpler::Op(Op::Binary(op, b, a));
    }
    if a == b {
        match op {
            Binary::Sub | Binary::Xor => return constant(0),
            Binary::And | Binary::Or => return Simpler::Value(a),
            Binary::Add | Binary::Mul | Binary::Shl | Binary::Shr | Binary::Div | Binary::Rem => {}
        }
    }
    let Some(known) = known_b else { return No };
    let simpler = identity(op, a, known, facts);
    if !matches!(simpler, No) {
        return simpler;
    }
    if op == Binary::And && known & !facts.range(a).bits() != 0 {
        let known = known & facts.range(a).bits();
        let known = output.make(Op::Const(known), place);
        return Simpler::Op(Op::Binary(op, a, known));
    }
    if let Some((op, known)) = cheaper(op, known) {
        let known = output.make(Op::Const(known), place);
        return Simpler::Op(Op::Binary(op, a, known));
    }
    joined(op, a, known, place, output)
}

/// With a constant on the right.
fn identity(op: Binary, a: Value, known: u64, facts: &Facts) -> Simpler {
    let range = facts.range(a);
    match (op, known) {
        (Binary::Add | Binary::Sub | Binary::Or | Binary::Xor, 0)
        | (Binary::Mul | Binary::Div, 1) => Simpler::Value(a),
        (Binary::Mul | Binary::And, 0) | (Binary::Rem, 1) => constant(0),
        (Binary::Or, u64::MAX) => constant(u64::MAX),
        (Binary::Shl | Binary::Shr, _) if known.is_multiple_of(64) => Simpler::Value(a),
        (Binary::Shr, _) if range.most >> (known & 63) == 0 => constant(0),
        (Binary::And, _) if range.bits() & !known == 0 => Simpler::Value(a),
        (Binary::And, _) if range.bits() & known == 0 => constant(0),
        (Binary::Rem, _) if range.most < known => Simpler::Value(a),
        (Binary::Div, _) if range.most < known => constant(0),
        _ => No,
    }
}

/// Multiplication and division by a power of two.
fn cheaper(op: Binary, known: u64) -> Option<(Binary, u64)> {
    let bits = u64::from(known.trailing_zeros());
    match op {
        Binary::Mul if known.is_power_of_two() => Some((Binary::Shl, bits)),
        Binary::Div if known.is_power_of_two() => Some((Binary::Shr, bits)),
        Binary::Rem if known.is_power_of_two() => Some((Binary::And, known - 1)),
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::Shl
        | Binary::Shr
        | Binary::Div
        | Binary::Rem => None,
    }
}

/// `(x op c) op d` as `x op (c op d)`.
fn joined(op: Binary, a: Value, known: u64, place: Place, output: &mut Output<'_>) -> Simpler {
    let facts = output.facts();
    let Some(Op::Binary(inner, x, c)) = facts.op(a) else {
        return No;
    };
    let (x, Some(c)) = (*x, facts.constant(*c)) else {
        return No;
    };
    if *inner != op {
        return No;
    }
    let both = match op {
        Binary::Shl | Binary::Shr => {
            let bits = (c & 63) + (known & 63);
            if bits > 63 {
                return constant(0);
            }
            bits
        }
        Binary::Add | Binary::Mul | Binary::And | Binary::Or | Binary::Xor => {
            eval::binary(op, c, known).unwrap_or(0)
        }
        Binary::Sub | Binary::Div | Binary::Rem => return No,
    };
    let both = output.make(Op::Const(both), place);
    Simpler::Op(Op::Binary(op, x, both))
}

fn compare(op: Compare, a: Value, b: Value, place: Place, output: &mut Output<'_>) -> Simpler {
    let facts = output.facts();
    if let Some(known) = decided(op, a, b, facts) {
        return constant(u64::from(known));
    }
    let equality = matches!(op, Compare::Eq | Compare::Ne);
    if equality && swapped(a, b, facts) {
        return Simpler::Op(Op::Compare(op, b, a));
    }
    if !equality {
        return No;
    }
    let Some(known) = facts.constant(b) else {
        return masked(op, a, b, place, output);
    };
    if facts.range(a).most <= 1 {
        return of_bit(op, a, known, facts);
    }
    shifted(op, a, known, place, output)
}

/// `x == y & m`, where x has no other bits than m, as `(x ^ y) & m == 0`: bits of x outside m need not be 0.
fn masked(op: Compare, a: Value, b: Value, place: Place, output: &mut Output<'_>) -> Simpler {
    let facts = output.facts();
    let sides = [(a, b), (b, a)];
    let found = sides.into_iter().find_map(|(x, masked)| {
        let Some(Op::Binary(Binary::And, y, mask)) = facts.op(masked) else {
            return None;
        };
        let bits = facts.constant(*mask)?;
        (facts.range(x).bits() & !bits == 0).then_some((x, *y, *mask))
    });
    let Some((x, y, mask)) = found else { return No };
    let differ = output.make(Op::Binary(Binary::Xor, x, y), place);
    let differ = output.make(Op::Binary(Binary::And, differ, mask), place);
    let zero = output.make(Op::Const(0), place);
    Simpler::Op(Op::Compare(op, differ, zero))
}

/// What a comparison makes, where the ranges tell.
fn decided(op: Compare, a: Value, b: Value, facts: &Facts) -> Option<bool> {
    let (x, y) = (facts.range(a), facts.range(b));
    let below = |strict: bool| {
        if strict {
            x.most < y.least
        } else {
            x.most <= y.least
        }
    };
    let above = |strict: bool| {
        if strict {
            y.most < x.least
        } else {
            y.most <= x.least
        }
    };
    match op {
        Compare::Eq | Compare::Ne if a == b => Some(op == Compare::Eq),
        Compare::Eq | Compare::Ne => {
            let single = x.constant().is_some() && x == y;
            let never = below(true) || above(true) || missing_bits(a, b, facts);
            (single || never).then_some(single == (op == Compare::Eq))
        }
        Compare::Lt if a == b => Some(false),
        Compare::Le if a == b => Some(true),
        Compare::Lt if below(true) => Some(true),
        Compare::Lt if above(false) => Some(false),
        Compare::Le if below(false) => Some(true),
        Compare::Le if above(true) => Some(false),
        Compare::Lt | Compare::Le => None,
    }
}

/// Whether `b` is a constant with bits that a mask or a shift took from `a`.
fn missing_bits(a: Value, b: Value, facts: &Facts) -> bool {
    let Some(Op::Binary(op @ (Binary::And | Binary::Shl), _, by)) = facts.op(a) else {
        return false;
    };
    let known = facts.constant(*by).zip(facts.constant(b));
    known.is_some_and(|(by, wanted)| {
        let mask = if *op == Binary::And {
            by
        } else {
            u64::MAX << (by & 63)
        };
        wanted & !mask != 0
    })
}

/// A value that is 0 or 1, compared with 0 or 1.
fn of_bit(op: Compare, a: Value, known: u64, facts: &Facts) -> Simpler {
    if (op == Compare::Eq) == (known == 1) {
        return Simpler::Value(a);
    }
    match facts.op(a) {
        Some(Op::Compare(Compare::Eq, x, y)) => Simpler::Op(Op::Compare(Compare::Ne, *x, *y)),
        Some(Op::Compare(Compare::Ne, x, y)) => Simpler::Op(Op::Compare(Compare::Eq, *x, *y)),
        Some(Op::Compare(Compare::Lt, x, y)) => Simpler::Op(Op::Compare(Compare::Le, *y, *x)),
        Some(Op::Compare(Compare::Le, x, y)) => Simpler::Op(Op::Compare(Compare::Lt, *y, *x)),
        Some(_) | None => No,
    }
}

/// `x >> s == c` and `x >> s & m == c` as a mask of x compared with `c << s`: masks can be joined and swapped.
fn shifted(op: Compare, a: Value, known: u64, place: Place, output: &mut Output<'_>) -> Simpler {
    let facts = output.facts();
    let (inner, mask) = match facts.op(a) {
        Some(Op::Binary(Binary::And, inner, mask)) => match facts.constant(*mask) {
            Some(mask) => (*inner, mask),
            None => return No,
        },
        Some(_) | None => (a, u64::MAX),
    };
    let Some(Op::Binary(Binary::Shr, x, bits)) = facts.op(inner) else {
        return No;
    };
    let (x, Some(bits)) = (*x, facts.constant(*bits).map(|bits| bits & 63)) else {
        return No;
    };
    // Other bits of the mask meet only zeros.
    let mask = mask & facts.range(inner).bits();
    if known & !mask != 0 {
        return constant(u64::from(op == Compare::Ne));
    }
    let mask = output.make(Op::Const(mask << bits), place);
    let masked = output.make(Op::Binary(Binary::And, x, mask), place);
    let known = output.make(Op::Const(known << bits), place);
    Simpler::Op(Op::Compare(op, masked, known))
}

fn select(c: Value, a: Value, b: Value, place: Place, output: &mut Output<'_>) -> Simpler {
    if let Some(c) = unshifted(c, place, output) {
        return Simpler::Op(Op::Select(c, a, b));
    }
    let facts = output.facts();
    let condition = facts.range(c);
    if a == b || condition.least > 0 {
        return Simpler::Value(a);
    }
    if condition.most == 0 {
        return Simpler::Value(b);
    }
    let arms = (facts.constant(a), facts.constant(b));
    if condition.most == 1 && arms == (Some(1), Some(0)) {
        Simpler::Value(c)
    } else {
        No
    }
}

/// Whether bits are set, asked where they are and not where they were shifted to: for a value of which only that is asked.
pub(super) fn unshifted(condition: Value, place: Place, output: &mut Output<'_>) -> Option<Value> {
    let facts = output.facts();
    let Some(Op::Binary(Binary::And, shifted, mask)) = facts.op(condition) else {
        return None;
    };
    let mask = facts.constant(*mask)?;
    let Some(Op::Binary(Binary::Shr, value, bits)) = facts.op(*shifted) else {
        return None;
    };
    let (value, bits) = (*value, facts.constant(*bits)? & 63);
    let mask = mask & u64::MAX >> bits;
    let mask = output.make(Op::Const(mask << bits), place);
    Some(output.make(Op::Binary(Binary::And, value, mask), place))
}

fn swap(bytes: u8, a: Value, place: Place, output: &mut Output<'_>) -> Simpler {
    let facts = output.facts();
    let mask = bytes_mask(bytes);
    if let Some(known) = facts.constant(a) {
        return constant(eval::swap(bytes, known));
    }
    if let Some(whole) = unmasked(a, mask, facts) {
        return Simpler::Op(Op::Swap(bytes, whole));
    }
    let twice = match facts.op(a) {
        Some(Op::Swap(inner, x)) if *inner == bytes => Some(*x),
        Some(_) | None => None,
    };
    let masked = if bytes == 1 { Some(a) } else { twice };
    let Some(masked) = masked else { return No };
    let mask = output.make(Op::Const(mask), place);
    Simpler::Op(Op::Binary(Binary::And, masked, mask))
}
