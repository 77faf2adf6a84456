//! What a packet may be, one of several: groups of headers, and the flow with its key and its signs.

use lvsc_abi::manifest::FlowKind;

use super::Expr;

/// A list of alternatives; the first whose condition holds is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `ip`, `flow`.
    pub name: String,
    /// The alternatives in order.
    pub alternatives: Vec<Alternative>,
}

/// One alternative of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// `an ICMP error's quoted packet`, for traces.
    pub name: String,
    /// When it may be taken. Never `Chosen` itself.
    pub condition: Expr,
    /// The key in this alternative: what a hash is taken of (see [`lvsc_abi::hash`]). Empty where there is none.
    pub key: Vec<Expr>,
    /// A packet that only tells of the flow and is not part of it: it looks up, and neither makes nor refreshes an
    /// entry.
    pub passive: bool,
    /// What tells how old the flow is; `None` where nothing does.
    pub signs: Option<Signs>,
    /// What the flow is.
    pub kind: FlowKind,
}

/// What tells in a packet how old its flow is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signs {
    /// It is a segment of TCP.
    Segment {
        /// Its flags, 8 bits ([`lvsc_abi::flows::tcp`]).
        flags: Expr,
        /// Its sequence number, 32 bits, by which it is known to go on from an opening ([`lvsc_abi::flows::fits`]).
        sequence: Expr,
    },
    /// It opens the flow where this condition holds; nothing tells what goes on from that, and nothing closes it.
    Opening(Expr),
}

impl Signs {
    /// The condition and the values.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let (first, second) = match self {
            Signs::Segment { flags, sequence } => (flags, Some(sequence)),
            Signs::Opening(condition) => (condition, None),
        };
        std::iter::once(first).chain(second)
    }
}
