//! Jumps that wait for their target. One that would go further than an instruction can say is relayed: it jumps to a jump.

use std::collections::BTreeSet;

use regalloc2::Block;

use crate::insn::Insn;

/// A jump goes at most so far (instructions): half of what an instruction can say, for the kernel puts more instructions in
/// the place of some (kernel/bpf/verifier.c, `bpf_patch_insn_data`), and then refuses a jump that has become too long.
pub(crate) const REACH: u16 = 1 << 14;

/// A jump that goes further than an instruction can say, over a single block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooFar {
    /// How far (instructions).
    pub(crate) distance: usize,
}

/// The jumps of a program that is written block by block, each behind all that jump to it.
pub(crate) struct Jumps {
    reach: usize,
    /// For each block, the instructions that jump to it.
    to: Vec<Vec<usize>>,
    /// All of them, the first ones first.
    waiting: BTreeSet<(usize, Block)>,
    too_far: Option<TooFar>,
}

impl Jumps {
    /// For a program of so many blocks.
    pub(crate) fn of(blocks: usize, reach: u16) -> Jumps {
        Jumps {
            reach: usize::from(reach),
            to: vec![Vec::new(); blocks],
            waiting: BTreeSet::new(),
            too_far: None,
        }
    }

    /// The instruction at `from` jumps to a block.
    pub(crate) fn wait(&mut self, from: usize, to: Block) {
        self.to[to.index()].push(from);
        self.waiting.insert((from, to));
    }

    /// Before a block of at most `size` instructions is written: relays those jumps that would not reach over it.
    /// `falls` says whether the instructions before go on into the block.
    pub(crate) fn relay(&mut self, insns: &mut Vec<Insn>, block: Block, size: usize, falls: bool) {
        let here = insns.len();
        let end = here + size + self.waiting.len() + 1;
        let beyond = |from: usize, room: usize| end > from + room;
        if !self
            .waiting
            .first()
            .is_some_and(|(from, _)| beyond(*from, self.reach))
        {
            return;
        }
        // Those that are half way are taken along, so that it is not done for each of them.
        let old = self
            .waiting
            .iter()
            .take_while(|(from, _)| beyond(*from, self.reach / 2));
        let targets: BTreeSet<Block> = old.map(|(_, to)| *to).filter(|to| *to != block).collect();
        if falls && !targets.is_empty() {
            insns.push(Insn {
                offset: targets.len() as i16,
                ..Insn::jump()
            });
        }
        for target in targets {
            let relay = insns.len();
            self.land(insns, target);
            insns.push(Insn::jump());
            self.wait(relay, target);
        }
    }

    /// All that jump to the block jump to where the next instruction will be.
    pub(crate) fn land(&mut self, insns: &mut [Insn], block: Block) {
        let here = insns.len();
        for from in std::mem::take(&mut self.to[block.index()]) {
            self.waiting.remove(&(from, block));
            let distance = here - from - 1;
            match i16::try_from(distance) {
                Ok(offset) if distance <= self.reach => insns[from].offset = offset,
                Ok(_) | Err(_) => self.too_far = Some(TooFar { distance }),
            }
        }
    }

    /// Whether every jump reaches its target.
    pub(crate) fn check(&self) -> Result<(), TooFar> {
        match self.too_far {
            Some(too_far) => Err(too_far),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::{R0, Source, Test, Width};

    /// Blocks of ten instructions, of which the first jump as `jumps` says and go on else; where each begins.
    fn written(jumps: &[(usize, usize)], count: usize, reach: u16) -> (Vec<Insn>, Vec<usize>) {
        let mut insns = Vec::new();
        let mut begins = Vec::new();
        let mut all = Jumps::of(count, reach);
        for index in 0..count {
            let block = Block::new(index);
            all.relay(&mut insns, block, 10, index > 0);
            all.land(&mut insns, block);
            begins.push(insns.len());
            for _ in 0..10 {
                insns.push(Insn::branch(
                    Test::Eq,
                    Width::Full,
                    R0,
                    Source::Immediate(1),
                    0,
                ));
            }
            for (number, (_, to)) in jumps.iter().filter(|(from, _)| *from == index).enumerate() {
                all.wait(insns.len() - 10 + number, Block::new(*to));
            }
        }
        all.check().expect("no block is longer than a jump");
        (insns, begins)
    }

    /// Where a jump ends that goes over relays.
    fn lands(insns: &[Insn], mut at: usize, reach: u16) -> usize {
        loop {
            let offset = insns[at].offset;
            assert!((0..=reach.cast_signed()).contains(&offset), "{offset}");
            at += 1 + offset.unsigned_abs() as usize;
            if insns[at].opcode != Insn::jump().opcode {
                return at;
            }
        }
    }

    #[test]
    fn far_jumps_land_where_they_should_and_what_falls_through_still_does() {
        let jumps = [(0, 19), (0, 12), (3, 19), (5, 6), (11, 12)];
        for reach in [40, 60, 100, REACH] {
            let (insns, begins) = written(&jumps, 20, reach);
            let relayed = insns.iter().any(|insn| insn.opcode == Insn::jump().opcode);
            assert_eq!(relayed, reach < REACH, "{reach}");
            for (number, (from, to)) in [(0, 0), (1, 1), (0, 2), (0, 3), (0, 4)]
                .map(|(number, jump): (usize, usize)| (number, jumps[jump]))
            {
                assert_eq!(lands(&insns, begins[from] + number, reach), begins[to]);
            }
            for pair in begins.windows(2) {
                let mut at = pair[0] + 10;
                if insns[at].opcode == Insn::jump().opcode {
                    at += 1 + insns[at].offset.unsigned_abs() as usize;
                }
                assert_eq!(at, pair[1], "a block goes on into the next one");
            }
        }
    }

    #[test]
    fn a_block_that_is_longer_than_a_jump_is_told() {
        let mut insns = Vec::new();
        let mut jumps = Jumps::of(2, 5);
        jumps.wait(0, Block::new(1));
        insns.resize(20, Insn::exit());
        jumps.land(&mut insns, Block::new(1));
        assert_eq!(jumps.check(), Err(TooFar { distance: 19 }));
    }
}
