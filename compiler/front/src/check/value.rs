//! What an expression is before it meets another: typed, still a plain constant, or something that is no value.

use lvsc_pipeline::pipeline::{ChoiceId, Expr, HeaderId, InterfaceRef, Kind, PoolId, VariableId};

use super::Checker;
use super::compare::named_type;
use super::constant::{Constant, describe, other_family};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    /// Bits.
    pub(super) width: u16,
}

impl Type {
    /// A truth value: `u1`.
    pub(super) const TRUTH: Type = Type {
        kind: Kind::Number,
        width: 1,
    };

    /// Whether there are values of it: numbers of up to 64 bits, and those that are as long as an address.
    pub(super) fn is_readable(self) -> bool {
        self.width <= 64 || self.width == 128
    }

    /// What it is called in a message.
    pub(super) fn describe(self) -> String {
        match self.kind {
            Kind::Number => format!("a number of {} bits", self.width),
            Kind::Mac | Kind::Ip4 | Kind::Ip6 => describe(self.kind).to_owned(),
        }
    }

    /// Both are IP addresses, of different versions.
    pub(super) fn other_family(self, kind: Kind) -> bool {
        other_family(self.kind, kind)
    }
}

/// The longest field of bytes: a header has no more.
const BYTES_MAX: u16 = 255;

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Single {
    /// A constant, whose width the other side gives.
    Constant(Constant),
    /// A typed value.
    Typed(Expr, Type),
}

/// What an expression gives.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// One value.
    One(Single),
    /// A value for each alternative of a choice: `ip.dst`, `flow.dport`.
    Each(ChoiceId, Vec<Single>),
    /// A header: its presence.
    Header(HeaderId),
    /// A group: the presence of one of its headers.
    Group(ChoiceId),
    /// The flow itself.
    Flow(ChoiceId),
    /// A backend.
    Backend(VariableId, PoolId),
    /// An interface.
    Interface(InterfaceRef),
    /// A pool.
    Pool(PoolId),
    /// The MACs of a pool's backends.
    Macs(PoolId),
}

impl Value {
    pub(super) fn typed(expr: Expr, ty: Type) -> Value {
        Value::One(Single::Typed(expr, ty))
    }

    pub(super) fn truth(expr: Expr) -> Value {
        Value::typed(expr, Type::TRUTH)
    }

    /// What it is called in a message.
    pub(super) fn describe(&self) -> String {
        let text = match self {
            Value::One(Single::Constant(constant)) => constant.describe(),
            Value::One(Single::Typed(_, ty)) => return ty.describe(),
            Value::Each(_, parts) => match parts.as_slice() {
                [only] => return Value::One(only.clone()).describe(),
                _ => "a field of several headers",
            },
            Value::Header(_) => "a header",
            Value::Group(_) => "a group of headers",
            Value::Flow(_) => "the flow",
            Value::Backend(..) => "a backend",
            Value::Interface(_) => "an interface",
            Value::Pool(_) => "a pool",
            Value::Macs(_) => "the MACs of a pool",
        };
        text.to_owned()
    }
}

impl<'a> Checker<'a> {
    /// The constant as a value of this type.
    pub(super) fn coerce(&mut self, constant: &Constant, ty: Type, span: Span) -> Option<Expr> {
        let Constant::One(kind, value) = constant else {
            let message = format!("{} is needed, this is a set", ty.describe());
            return self.error(Code::TypeMismatch, message, span);
        };
        if *kind != ty.kind {
            let message = format!("{} is needed, this is {}", ty.describe(), describe(*kind));
            return self.error(Code::TypeMismatch, message, span);
        }
        if ty.width < 128 && *value >> ty.width != 0 {
            let most = (1_u128 << ty.width) - 1;
            let message = format!("{value} does not fit {} bits: at most {most}", ty.width);
            return self.error(Code::ConstantTooLarge, message, span);
        }
        Some(Expr::Constant {
            value: *value,
            width: ty.width,
        })
    }

    /// `bytes[n]`: a number of so many bytes, as they stand in the packet.
    pub(super) fn bytes(&mut self, ty: &'a ast::Type) -> Option<Type> {
        let Some(argument) = &ty.argument else {
            let error = Diagnostic::error(Code::UnknownType, "`bytes` of how many?", ty.span);
            self.report(error.suggest("say the number", ty.span.after(), "[4]"));
            return None;
        };
        let count = self.constant_number(argument)?;
        let Some(count @ 1..=BYTES_MAX) = u16::try_from(count).ok() else {
            let message = format!("`bytes` of 1 to {BYTES_MAX}");
            return self.error(Code::BadValue, message, argument.span);
        };
        Some(Type {
            kind: Kind::Number,
            width: count * 8,
        })
    }

    /// The type that a `let` names.
    pub(super) fn written_type(&mut self, ty: &'a ast::Type) -> Option<Type> {
        self.named(ty, None)
    }

    /// The type of this name; `known` says which ones there are.
    pub(super) fn named(&mut self, ty: &'a ast::Type, known: Option<&str>) -> Option<Type> {
        if ty.name.text == "bytes" {
            return self.bytes(ty);
        }
        let found = named_type(&ty.name.text).filter(|_| ty.argument.is_none());
        found.or_else(|| {
            let message = format!("no type is called `{}`", ty.name.text);
            let mut error = Diagnostic::error(Code::UnknownType, message, ty.span);
            error.notes.extend(known.map(str::to_owned));
            self.report(error);
            None
        })
    }

    /// The value as one of this type.
    pub(super) fn fit(&mut self, single: &Single, ty: Type, span: Span) -> Option<Expr> {
        match single {
            Single::Constant(constant) => self.coerce(constant, ty, span),
            Single::Typed(expr, found) if *found == ty => Some(expr.clone()),
            Single::Typed(_, found) => {
                let message = format!("{} is needed, this is {}", ty.describe(), found.describe());
                self.error(Code::TypeMismatch, message, span)
            }
        }
    }
}
