//! Blocks while they are being filled. Knows instructions, no header and no step.

use lvsc_abi::place::Place;
use lvsc_ir::arena::Arena;
use lvsc_ir::program::{
    Binary, Block, BlockId, Class, Compare, FrameAccess, Inst, Jump, Op, Order, Program,
    SectionAccess, Terminator, Value,
};

/// The program so far. Every block that is opened is ended exactly once.
pub(super) struct Code {
    blocks: Arena<BlockId, Draft>,
    values: u32,
    /// The construct that instructions now come from.
    pub(super) place: Place,
}

struct Draft {
    params: Vec<Value>,
    insts: Vec<Inst>,
    end: Option<(Terminator, Place)>,
}

/// A position in the frame: `offset` bytes behind `base`, or behind the frame's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) base: Option<Value>,
    pub(super) offset: u16,
}

impl Spot {
    /// The frame's first byte.
    pub(super) const BEGIN: Spot = Spot {
        base: None,
        offset: 0,
    };

    /// Further behind by `bytes`; `None` where no frame reaches.
    pub(super) fn behind(self, bytes: u16) -> Option<Spot> {
        Some(Spot {
            base: self.base,
            offset: self.offset.checked_add(bytes)?,
        })
    }
}

impl Code {
    pub(super) fn new() -> Code {
        Code {
            blocks: Arena::new(),
            values: 0,
            place: Place::default(),
        }
    }

    /// Number of blocks.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// A value that nothing makes yet.
    pub(super) fn fresh(&mut self) -> Value {
        self.values += 1;
        Value(self.values - 1)
    }

    /// A new block, to be filled.
    pub(super) fn open(&mut self, params: Vec<Value>) -> BlockId {
        self.blocks.push(Draft {
            params,
            insts: Vec::new(),
            end: None,
        })
    }

    /// Adds an instruction that makes a value.
    pub(super) fn value(&mut self, block: BlockId, op: Op) -> Value {
        let result = self.fresh();
        self.push(block, Some(result), op);
        result
    }

    /// Adds an instruction that makes none.
    pub(super) fn effect(&mut self, block: BlockId, op: Op) {
        self.push(block, None, op);
    }

    fn push(&mut self, block: BlockId, result: Option<Value>, op: Op) {
        let place = self.place;
        self.draft(block).insts.push(Inst { result, op, place });
    }

    fn draft(&mut self, block: BlockId) -> &mut Draft {
        self.blocks
            .get_mut(block)
            .expect("a block is opened before it is filled")
    }

    /// Ends a block.
    pub(super) fn end(&mut self, block: BlockId, end: Terminator) {
        let end = (end, self.place);
        let before = self.draft(block).end.replace(end);
        debug_assert!(before.is_none(), "a block ends once");
    }

    /// Ends a block with a decision; gives the blocks for "not 0" and for 0.
    pub(super) fn decide(&mut self, block: BlockId, condition: Value) -> (BlockId, BlockId) {
        let no = self.open(Vec::new());
        (self.decide_or(block, condition, no), no)
    }

    /// Ends a block with a decision; gives the block for "not 0", `no` is the one for 0.
    pub(super) fn decide_or(&mut self, block: BlockId, condition: Value, no: BlockId) -> BlockId {
        let yes = self.open(Vec::new());
        let (then, otherwise) = (Jump::to(yes), Jump::to(no));
        self.end(
            block,
            Terminator::If {
                condition,
                then,
                otherwise,
            },
        );
        yes
    }

    /// Ends a block with the question whether `spot` lies inside the frame or at its end; gives the block for "it
    /// does", `no` is the one for "it does not".
    pub(super) fn bounds_or(&mut self, block: BlockId, spot: Spot, no: BlockId) -> BlockId {
        let yes = self.open(Vec::new());
        let (then, otherwise) = (Jump::to(yes), Jump::to(no));
        let Spot {
            base,
            offset: length,
        } = spot;
        self.end(
            block,
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            },
        );
        yes
    }

    pub(super) fn constant(&mut self, block: BlockId, value: u64) -> Value {
        self.value(block, Op::Const(value))
    }

    pub(super) fn binary(&mut self, block: BlockId, op: Binary, a: Value, b: Value) -> Value {
        self.value(block, Op::Binary(op, a, b))
    }

    /// Arithmetic with a constant; `a` itself where it changes nothing.
    pub(super) fn with(&mut self, block: BlockId, op: Binary, a: Value, b: u64) -> Value {
        let nothing = match op {
            Binary::Add | Binary::Sub | Binary::Or | Binary::Xor | Binary::Shl | Binary::Shr => {
                b == 0
            }
            Binary::Mul | Binary::Div => b == 1,
            Binary::And => b == u64::MAX,
            Binary::Rem => false,
        };
        if nothing {
            return a;
        }
        let b = self.constant(block, b);
        self.binary(block, op, a, b)
    }

    pub(super) fn compare(&mut self, block: BlockId, op: Compare, a: Value, b: Value) -> Value {
        self.value(block, Op::Compare(op, a, b))
    }

    /// Reads `bytes` bytes of the frame, 1 to 8.
    pub(super) fn frame(&mut self, block: BlockId, at: Spot, bytes: u16, order: Order) -> Value {
        self.value(block, Op::LoadFrame(access(at, bytes, order)))
    }

    /// Writes `bytes` bytes of the frame in wire order, 1 to 8.
    pub(super) fn write(&mut self, block: BlockId, at: Spot, bytes: u16, value: Value) {
        self.effect(block, Op::StoreFrame(access(at, bytes, Order::Big), value));
    }

    pub(super) fn load(&mut self, block: BlockId, class: Class, from: SectionAccess) -> Value {
        self.value(block, Op::Load(class, from))
    }

    /// The position as a number of bytes from the frame's begin.
    pub(super) fn absolute(&mut self, block: BlockId, spot: Spot) -> Value {
        match spot.base {
            Some(base) => self.with(block, Binary::Add, base, u64::from(spot.offset)),
            None => self.constant(block, u64::from(spot.offset)),
        }
    }

    /// The program, all of whose blocks are ended. A jump to a block that only jumps on goes where that one goes;
    /// only blocks that can be reached are kept, in reverse postorder.
    pub(super) fn finish(self) -> Program {
        let onward = self.blocks.ids().map(|id| self.forward(id).cloned());
        let onward: Arena<BlockId, Option<Jump>> = onward.collect();
        let finished = self.blocks.into_values().map(|draft| {
            let (mut end, place) = draft.end.expect("every path ends at a verdict");
            for jump in end.jumps_mut() {
                while let Some(further) = onward.get(jump.to).and_then(Option::as_ref) {
                    *jump = further.clone();
                }
            }
            Block {
                params: draft.params,
                insts: draft.insts,
                end,
                place,
            }
        });
        let program = Program {
            blocks: finished.collect(),
            values: self.values,
        };
        program.pruned()
    }

    /// Where a block goes that does nothing else.
    fn forward(&self, block: BlockId) -> Option<&Jump> {
        let draft = self.blocks.get(block)?;
        let Some((Terminator::Jump(jump), _)) = &draft.end else {
            return None;
        };
        (draft.params.is_empty() && draft.insts.is_empty()).then_some(jump)
    }
}

fn access(at: Spot, bytes: u16, order: Order) -> FrameAccess {
    FrameAccess {
        base: at.base,
        offset: at.offset,
        bytes: bytes as u8,
        order,
    }
}
