//! The words of entries in a table of every flow, made without a branch.

use lvsc_abi::flows::{BACKEND_SHIFT, CLOSING, NEW, SECONDS_MASK, SECONDS_SHIFT, VALID};
use lvsc_ir::program::{Binary, BlockId, Compare, Op, Value};

use super::Asked;
use crate::lower::Lowering;
use crate::lower::flows::Lookup;

/// What is kept of a word when its seconds and flags are new: tag, backend, and that it is in use.
const KEPT: u64 = u64::MAX << BACKEND_SHIFT | VALID;
/// Mask of an entry's flags, of which one says that it is in use.
pub(super) const FLAGS: u64 = (1 << SECONDS_SHIFT) - 1;
/// Mask of its seconds and flags.
const SINCE: u64 = (1 << BACKEND_SHIFT) - 1;

impl Lowering<'_> {
    /// `16 * age + 15 - flags` of an entry, in the 20 bits that seconds and flags take in it: when it was seen and what it is
    /// are asked of one difference.
    pub(super) fn since(&mut self, lookup: &Lookup, word: Value, block: BlockId) -> Value {
        let now = (self.code).with(block, Binary::Shl, lookup.now, u64::from(SECONDS_SHIFT));
        let now = self.code.with(block, Binary::Or, now, FLAGS);
        let since = self.code.binary(block, Binary::Sub, now, word);
        self.code.with(block, Binary::And, since, SINCE)
    }

    /// Whether an entry of which this is said is not too old.
    pub(super) fn recent(&mut self, asked: &Asked, since: Value, block: BlockId) -> Value {
        let end = u64::from(asked.flows.oldest() + 1) << SECONDS_SHIFT;
        let end = self.code.constant(block, end);
        self.code.compare(block, Compare::Lt, since, end)
    }

    /// The seconds of an entry that is entered as if it were `rest` seconds older, where they lie in it.
    fn seconds(&mut self, lookup: &Lookup, rest: Value, block: BlockId) -> Value {
        let seconds = self.code.binary(block, Binary::Sub, lookup.now, rest);
        let seconds = self.code.with(block, Binary::And, seconds, SECONDS_MASK);
        self.code
            .with(block, Binary::Shl, seconds, u64::from(SECONDS_SHIFT))
    }

    /// 0 where a packet leaves an entry as it is, of which this is said: it is one of a flow that is neither new nor being
    /// closed, seen now, and the packet changes none of that.
    pub(super) fn differs(&mut self, asked: &Asked, since: Value, block: BlockId) -> Value {
        let differs = (self.code).binary(block, Binary::Xor, since, asked.settled);
        self.code.binary(block, Binary::Or, differs, asked.tells)
    }

    /// The word of an entry behind a packet of its flow.
    pub(super) fn again(&mut self, asked: &Asked, before: Value, block: BlockId) -> Value {
        let kept = self.code.with(block, Binary::And, before, KEPT);
        let flags = self.code.with(block, Binary::And, before, NEW | CLOSING);
        self.behind(asked, (kept, flags), block)
    }

    /// The word of the entry that a packet makes of its flow.
    pub(super) fn first(&mut self, asked: &Asked, id: Value, block: BlockId) -> Value {
        let flow = self.flow_of(&asked.lookup, block);
        let backend = self
            .code
            .with(block, Binary::Shl, id, u64::from(BACKEND_SHIFT));
        let kept = self.code.binary(block, Binary::Or, flow, backend);
        let new = self.code.constant(block, NEW);
        self.behind(asked, (kept, new), block)
    }

    /// The word of what is kept and had these flags, behind the packet.
    fn behind(&mut self, asked: &Asked, (kept, flags): (Value, Value), block: BlockId) -> Value {
        let does = self.segment(asked.flags, block);
        let code = &mut self.code;
        let [zero, new, closing] = [0, NEW, CLOSING].map(|flag| code.constant(block, flag));
        let opened = code.value(block, Op::Select(flags, new, zero));
        let later = code.with(block, Binary::And, flags, CLOSING);
        let flag = code.value(block, Op::Select(does.opens, opened, later));
        let flag = code.value(block, Op::Select(does.closes, closing, flag));

        let short = [asked.flows.opening(), asked.flows.lives.closing];
        let [opening, closing] =
            short.map(|life| code.constant(block, asked.flows.rest(life).into()));
        let plain = (code).with(block, Binary::Shr, asked.settled, u64::from(SECONDS_SHIFT));
        let is_closing = code.with(block, Binary::And, flag, CLOSING);
        let short = code.value(block, Op::Select(is_closing, closing, opening));
        let rest = code.value(block, Op::Select(flag, short, plain));
        let seconds = self.seconds(&asked.lookup, rest, block);
        let word = self.code.binary(block, Binary::Or, kept, seconds);
        self.code.binary(block, Binary::Or, word, flag)
    }
}
