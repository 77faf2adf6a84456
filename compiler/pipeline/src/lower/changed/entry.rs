//! The words of entries: read and made without a branch.

use lvsc_abi::flows::{
    BACKEND_SHIFT, CLOSING, MARK_MASK, MARK_SHIFT, OPENING, OPENING_LIFE, OPENING_MASK,
    SECONDS_MASK, SECONDS_SHIFT, VALID,
};
use lvsc_ir::program::{Binary, BlockId, Compare, Op, Value};

use super::{Asked, Told};
use crate::lower::Lowering;
use crate::lower::flows::Lookup;

impl Lowering<'_> {
    /// Whether there is an entry still, which the sweep may have emptied since it was found, and it is not too old.
    pub(super) fn is_live(&mut self, lookup: &Lookup, word: Value, block: BlockId) -> Value {
        let opening = self.code.with(block, Binary::And, word, OPENING);
        let seen = (self.code).with(block, Binary::Shr, word, u64::from(SECONDS_SHIFT));
        let age = (self.code).binary(block, Binary::Sub, lookup.now, seen);
        let [few, all] = [OPENING_MASK, SECONDS_MASK].map(|bits| self.code.constant(block, bits));
        let mask = self.code.value(block, Op::Select(opening, few, all));
        let age = self.code.binary(block, Binary::And, age, mask);
        let short = self.code.constant(block, OPENING_LIFE);
        let life = Op::Select(opening, short, lookup.idle);
        let life = self.code.value(block, life);
        let young = self.code.compare(block, Compare::Le, age, life);
        let used = self.code.with(block, Binary::And, word, VALID);
        self.code.binary(block, Binary::And, young, used)
    }

    /// The backend of an entry. A packet that does not go on from the opening that made it is of an older connection.
    pub(super) fn owner(
        &mut self,
        asked: &Asked,
        told: &Told,
        word: Value,
        block: BlockId,
    ) -> Value {
        let id = self.entry_backend(block, word);
        let mark = u64::from(SECONDS_SHIFT + MARK_SHIFT);
        let mark = self.code.with(block, Binary::Shr, word, mark);
        let on = self.code.binary(block, Binary::Sub, told.mark, mark);
        let on = self.code.with(block, Binary::And, on, MARK_MASK);
        let one = self.code.constant(block, 1);
        let unfit = self.code.compare(block, Compare::Lt, one, on);
        let opening = self.code.with(block, Binary::And, word, OPENING);
        let zero = self.code.constant(block, 0);
        let opening = self.code.compare(block, Compare::Ne, opening, zero);
        let later = self.code.compare(block, Compare::Eq, told.opens, zero);
        let all = [opening, later, asked.kept];
        let older = all.into_iter().fold(unfit, |all, each| {
            self.code.binary(block, Binary::And, all, each)
        });
        self.code
            .value(block, Op::Select(older, asked.previous, id))
    }

    /// The word of an entry behind a packet of its flow. `flow` is its tag, `before` its word before; of a new one what the
    /// packet itself leaves.
    pub(super) fn word(
        &mut self,
        asked: &Asked,
        told: &Told,
        (flow, id, before): (Value, Value, Value),
        block: BlockId,
    ) -> Value {
        let zero = self.code.constant(block, 0);
        let closing = self.code.constant(block, CLOSING);
        let kept = self
            .code
            .value(block, Op::Select(told.opens, zero, closing));
        let kept = self.code.binary(block, Binary::And, before, kept);
        let flag = self.code.binary(block, Binary::Or, kept, told.flag);
        let closing = self.code.with(block, Binary::And, flag, CLOSING);
        let aged = self.aged(asked, block);
        let seconds = Op::Select(closing, aged, asked.lookup.seconds);
        let seconds = self.code.value(block, seconds);

        let opening = self.code.with(block, Binary::And, before, OPENING);
        let opening = Op::Select(told.opens, opening, zero);
        let opening = self.code.value(block, opening);
        let mark = MARK_MASK << (SECONDS_SHIFT + MARK_SHIFT);
        let mark = self.code.with(block, Binary::And, before, mark);
        let few = OPENING_MASK << SECONDS_SHIFT;
        let few = (self.code).with(block, Binary::And, asked.lookup.seconds, few);
        let marked = self.code.binary(block, Binary::Or, mark, few);
        let seconds = self.code.value(block, Op::Select(opening, marked, seconds));

        let backend = (self.code).with(block, Binary::Shl, id, u64::from(BACKEND_SHIFT));
        let parts = [backend, seconds, closing, opening];
        parts.into_iter().fold(flow, |word, part| {
            self.code.binary(block, Binary::Or, word, part)
        })
    }

    /// The seconds of an entry that is to live as long as a flow that is being closed.
    fn aged(&mut self, asked: &Asked, block: BlockId) -> Value {
        let rest = asked.flows.rest(asked.flows.lives.closing);
        let rest = self.code.constant(block, rest.into());
        let now = asked.lookup.now;
        let seconds = self.code.binary(block, Binary::Sub, now, rest);
        let seconds = self.code.with(block, Binary::And, seconds, SECONDS_MASK);
        self.code
            .with(block, Binary::Shl, seconds, u64::from(SECONDS_SHIFT))
    }
}
