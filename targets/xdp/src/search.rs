//! Searches in a bucket of the connection table: entry after entry, the first that fits wins.

use lvsc_abi::flows::{
    ABSENT, BUCKET, FLOW_MASK, NOBODY, OPENING, SECONDS_MASK, SECONDS_SHIFT, TAG_MAX, TAG_SHIFT,
    VALID,
};
use lvsc_abi::layout::SectionId;
use lvsc_ir::program::{Binary, Block, Compare, Jump, Op, Terminator, Value};

use crate::insn::{Alu, Test, Width};
use crate::machine::{Condition, End, Label, Operand, Virtual};
use crate::select::Select;

/// What an entry that is looked for equals in the bits of [`FLOW_MASK`], and these.
#[derive(Clone, Copy)]
struct Wanted {
    word: Virtual,
    mask: Virtual,
}

impl Select<'_> {
    /// [`lvsc_abi::flows::find`]
    pub(crate) fn find(&mut self, section: SectionId, index: Value, tag: Value) -> Hit {
        let bucket = self.element_address(section, index, BUCKET);
        let wanted = self.wanted(tag);
        self.search(bucket, |this, entry, found, next| {
            this.is_wanted(entry, wanted, found, next);
        })
    }

    /// [`lvsc_abi::flows::place`]
    pub(crate) fn place(
        &mut self,
        section: SectionId,
        index: Value,
        tag: Value,
        (now, idle): (Value, Value),
    ) -> Hit {
        let bucket = self.element_address(section, index, BUCKET);
        let wanted = self.wanted(tag);
        // An entry that is in use is never so old.
        let ages = self.known_constant(idle) < Some(SECONDS_MASK);
        let times = ages.then(|| (self.register(now), self.operand(idle, Width::Full)));
        let hit = self.search(bucket, |this, entry, found, next| {
            let [used, other] = [this.open(), this.open()];
            this.ask(
                (Test::Set, entry, Operand::Immediate(VALID as i32)),
                used,
                found,
            );
            this.go_to(used);
            this.is_wanted(entry, wanted, found, other);
            this.go_to(other);
            let Some((now, idle)) = times else {
                return this.finish(End::Jump(next, Vec::new()));
            };
            let plain = this.open();
            this.ask(
                (Test::Set, entry, Operand::Immediate(OPENING as i32)),
                next,
                plain,
            );
            this.go_to(plain);
            let seconds = this.with(Alu::Shr, entry, SECONDS_SHIFT as i32);
            let age = this.alu(Alu::Sub, now, Operand::Register(seconds));
            let age = this.masked(age, SECONDS_MASK as u32);
            this.ask((Test::Gt, age, idle), found, next);
        });
        self.hidden(&hit, bucket)
    }

    /// A tag that has more bits than an entry keeps is nobody's.
    fn wanted(&mut self, tag: Value) -> Wanted {
        let mask = self.constant(FLOW_MASK);
        let most = self.most(tag);
        let tag = self.register(tag);
        let wanted = self.with(Alu::Shl, tag, TAG_SHIFT as i32);
        let wanted = self.with(Alu::Or, wanted, VALID as i32);
        if most <= TAG_MAX {
            return Wanted { word: wanted, mask };
        }
        let [kept, cut, behind] = [(); 3].map(|()| self.open());
        let either = self.param(behind);
        self.ask(
            (Test::Le, tag, Operand::Immediate(TAG_MAX as i32)),
            kept,
            cut,
        );
        self.go_to(kept);
        self.finish(End::Jump(behind, vec![wanted]));
        self.go_to(cut);
        let nobody = self.constant(NOBODY);
        self.finish(End::Jump(behind, vec![nobody]));
        self.go_to(behind);
        Wanted { word: either, mask }
    }

    /// Ends with a question about 64 bits: where it goes if so, and if not.
    fn ask(
        &mut self,
        (test, left, right): (Test, Virtual, Operand),
        then: Label,
        otherwise: Label,
    ) {
        let condition = Condition {
            test,
            width: Width::Full,
            left,
            right,
        };
        self.finish(End::If(condition, then, otherwise));
    }

    fn is_wanted(&mut self, entry: Virtual, wanted: Wanted, found: Label, next: Label) {
        let looked_at = self.alu(Alu::And, entry, Operand::Register(wanted.mask));
        self.ask(
            (Test::Eq, looked_at, Operand::Register(wanted.word)),
            found,
            next,
        );
    }

    /// The same place, of which the verifier does not know which one it is: else it would follow all that is behind a search
    /// once for each, and once more for each of the next search.
    fn hidden(&mut self, hit: &Hit, bucket: Virtual) -> Hit {
        let nowhere = self.here();
        self.go_to(hit.label);
        // Whatever is in an entry is nothing that the verifier knows.
        let entry = self.load(8, hit.address, 0);
        let by = Operand::Register(entry);
        let position = self.alu(Alu::Xor, hit.position, by);
        let position = self.alu(Alu::Xor, position, by);
        let position = self.masked(position, BUCKET - 1);
        let offset = self.with(Alu::Shl, position, 3);
        let address = self.alu(Alu::Add, bucket, Operand::Register(offset));
        let label = self.open();
        let hidden = Hit {
            label,
            position: self.param(label),
            address: self.param(label),
        };
        self.finish(End::Jump(label, vec![position, address]));
        self.go_to(nowhere);
        hidden
    }

    /// Looks for the first entry for which `ask` goes to its first label and not to the second. What is filled then is
    /// where there is none.
    fn search(
        &mut self,
        bucket: Virtual,
        mut ask: impl FnMut(&mut Self, Virtual, Label, Label),
    ) -> Hit {
        let label = self.open();
        let [position, address] = [self.param(label), self.param(label)];
        for place in 0..BUCKET {
            let entry = self.load(8, bucket, place as i16 * 8);
            let [found, next] = [self.open(), self.open()];
            ask(self, entry, found, next);
            self.go_to(found);
            let address = self.with(Alu::Add, bucket, place as i32 * 8);
            let place = self.constant(u64::from(place));
            self.finish(End::Jump(label, vec![place, address]));
            self.go_to(next);
        }
        Hit {
            label,
            position,
            address,
        }
    }

    /// What a search answers: 8 where nothing was found.
    pub(crate) fn answer(&mut self, hit: &Hit) -> Virtual {
        let behind = self.open();
        let result = self.param(behind);
        let nowhere = self.constant(ABSENT);
        self.finish(End::Jump(behind, vec![nowhere]));
        self.go_to(hit.label);
        self.finish(End::Jump(behind, vec![hit.position]));
        self.go_to(behind);
        result
    }

    /// Selects a search together with the block's end, where that asks whether something was found, and the answer is
    /// wanted only if so. Tells whether it did.
    pub(crate) fn search_at_end(&mut self, block: &Block, at: usize) -> bool {
        let inst = &block.insts[at];
        let (Op::Find(section, bucket, _) | Op::Place(section, bucket, ..), Some(position)) =
            (inst.op, inst.result)
        else {
            return false;
        };
        let Some((found, nothing)) = self.asks_if_found(block, at, position) else {
            return false;
        };
        let hit = if let Op::Place(_, _, tag, now, idle) = inst.op {
            self.place(section, bucket, tag, (now, idle))
        } else if let Op::Find(_, _, tag) = inst.op {
            self.find(section, bucket, tag)
        } else {
            return false;
        };
        self.jump(nothing);
        self.go_to(hit.label);
        self.define(position, hit.position);
        self.entries.push(Entry {
            section,
            bucket,
            position,
            address: hit.address,
        });
        self.jump(found);
        true
    }

    /// Where the block goes that asks nothing else behind a search than whether it found something: then, and if not.
    fn asks_if_found<'b>(
        &self,
        block: &'b Block,
        at: usize,
        position: Value,
    ) -> Option<(&'b Jump, &'b Jump)> {
        let Terminator::If {
            condition,
            then,
            otherwise,
        } = &block.end
        else {
            return None;
        };
        let Some(Op::Compare(Compare::Lt, asked, limit)) = self.makers[*condition] else {
            return None;
        };
        let asks = asked == position && self.known_constant(limit) == Some(ABSENT);
        let mut rest = block.insts[at + 1..].iter();
        let only = rest.all(|inst| inst.result == Some(*condition) || self.is_plain_constant(inst));
        let answers = [position, *condition];
        let here = block
            .insts
            .iter()
            .filter(|inst| inst.result != Some(*condition));
        let here = here.flat_map(|inst| inst.op.operands());
        let mut here = here.chain(otherwise.args.iter().copied());
        let mut others = self.program.blocks.ids().filter(|id| *id != self.at);
        let fine = others.all(|id| {
            let used = uses(&self.program.blocks[id], answers);
            !used || self.only_way(self.at, then.to, id)
        }) && !here.any(|value| answers.contains(&value));
        (asks && only && fine && self.fused[*condition]).then_some((then, otherwise))
    }

    /// The address of an entry that was found by a search.
    pub(crate) fn found_entry(&self, section: SectionId, index: Value) -> Option<Virtual> {
        let Some(Op::Binary(Binary::Add, a, b)) = self.makers[index] else {
            return None;
        };
        let mut entries = self.entries.iter().filter(|entry| entry.section == section);
        let found = entries.find(|entry| {
            let others = [(a, b), (b, a)].into_iter();
            let mut first = others.filter(|(position, _)| *position == entry.position);
            first.any(|(_, first)| self.begins_bucket(first, entry.bucket))
        });
        found.map(|entry| entry.address)
    }

    fn begins_bucket(&self, first: Value, bucket: Value) -> bool {
        match self.makers[first] {
            Some(Op::Binary(Binary::Shl, of, bits)) => {
                of == bucket && self.known_constant(bits) == Some(BUCKET.trailing_zeros().into())
            }
            Some(_) | None => false,
        }
    }
}

fn uses(block: &Block, values: [Value; 2]) -> bool {
    let insts = block.insts.iter().flat_map(|inst| inst.op.operands());
    let mut used = insts.chain(block.end.operands());
    used.any(|used| values.contains(&used))
}

/// Where a search goes on that has found an entry.
pub(crate) struct Hit {
    label: Label,
    /// The entry's place in its bucket.
    position: Virtual,
    address: Virtual,
}

/// An entry that was found, wherever its position is used.
pub(crate) struct Entry {
    section: SectionId,
    bucket: Value,
    position: Value,
    address: Virtual,
}
