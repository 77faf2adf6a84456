//! The words of entries in a table of every flow, made without a branch.

use lvsc_abi::flows::{BACKEND_SHIFT, CLOSING, NEW, SECONDS_MASK, SECONDS_SHIFT, VALID};
use lvsc_ir::program::{Binary, BlockId, Op, Value};

use super::Asked;
use crate::lower::Lowering;
use crate::lower::flows::Lookup;

/// What is kept of a word when its seconds and flags are new: tag, backend, and that it is in use.
const KEPT: u64 = u64::MAX << BACKEND_SHIFT | VALID;

impl Lowering<'_> {
    /// An entry without tag, backend and flags, seen now and entered as if it were `rest` seconds older.
    pub(super) fn plain(&mut self, lookup: &Lookup, rest: Value, block: BlockId) -> Value {
        let seconds = self.seconds(lookup, rest, block);
        self.code.with(block, Binary::Or, seconds, VALID)
    }

    /// The seconds of an entry that is entered as if it were `rest` seconds older, where they lie in it.
    fn seconds(&mut self, lookup: &Lookup, rest: Value, block: BlockId) -> Value {
        let seconds = self.code.binary(block, Binary::Sub, lookup.now, rest);
        let seconds = self.code.with(block, Binary::And, seconds, SECONDS_MASK);
        self.code
            .with(block, Binary::Shl, seconds, u64::from(SECONDS_SHIFT))
    }

    /// 0 where a packet leaves an entry as it is: it is one of a flow that is neither new nor being closed, seen now, and the
    /// packet changes none of that.
    pub(super) fn differs(&mut self, asked: &Asked, word: Value, block: BlockId) -> Value {
        let differs = self.code.binary(block, Binary::Xor, word, asked.plain);
        let differs = self.code.with(block, Binary::And, differs, !KEPT | VALID);
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

        let idle = asked.flows.idle;
        let short = [asked.flows.opening(), asked.flows.lives.closing];
        let [opening, closing] =
            short.map(|life| code.constant(block, u64::from(idle.saturating_sub(life))));
        let is_closing = code.with(block, Binary::And, flag, CLOSING);
        let short = code.value(block, Op::Select(is_closing, closing, opening));
        let rest = code.value(block, Op::Select(flag, short, asked.rest));
        let seconds = self.seconds(&asked.lookup, rest, block);
        let word = self.code.binary(block, Binary::Or, kept, seconds);
        self.code.binary(block, Binary::Or, word, flag)
    }
}
