//! Instructions as they are written: open labels by name, not by depth, and the places passed.

use lvsc_abi::place::Place;
use lvsc_ir::program::BlockId;
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

/// The locals that every packet function has, behind its two parameters. Values come behind them.
pub(crate) mod local {
    /// Parameter: first descriptor of the batch to decide.
    pub(crate) const FROM: u32 = 0;
    /// Parameter: the descriptor behind the last one.
    pub(crate) const TO: u32 = 1;
    /// i32: place of the descriptor (bytes from the first one's begin).
    pub(crate) const DESCRIPTOR: u32 = 2;
    /// i32: address of the frame.
    pub(crate) const FRAME: u32 = 3;
    /// i32: address of what is kept for the packet between two loops; in the first one, of what was kept last.
    pub(crate) const SAVED: u32 = 4;
    /// i32: address of a bucket or counter, inside one instruction.
    pub(crate) const ADDRESS: u32 = 5;
    /// i32: inside one swap.
    pub(crate) const NARROW: u32 = 6;
    /// i64: length of the frame.
    pub(crate) const LENGTH: u32 = 7;
    /// i64: inside one swap or store.
    pub(crate) const WIDE: u32 = 8;
    /// i64: what is looked for in a bucket.
    pub(crate) const WANTED: u32 = 9;
    /// i64: the time, inside one search.
    pub(crate) const NOW: u32 = 10;
    /// i64: the idle time, inside one search.
    pub(crate) const IDLE: u32 = 11;
    /// The first value, i64.
    pub(crate) const VALUES: u32 = 12;
}

/// What an open block of WebAssembly is left for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// The next packet.
    Packet,
    /// A block of the program.
    Block(BlockId),
    /// A loop over the batch.
    Loop,
    /// What comes behind the loop.
    Done,
    /// Where a packet goes on in the last loop.
    Resume(usize),
    /// Something inside one instruction.
    Inner,
}

/// A function while it is written.
pub(crate) struct Code {
    pub(crate) function: Function,
    pub(crate) places: Vec<(u32, Place)>,
    labels: Vec<Label>,
}

impl Code {
    /// A function with locals for values and for vectors, in this order.
    pub(crate) fn new(values: u32, vectors: u32) -> Code {
        let (narrow, wide) = (ValType::I32, ValType::I64);
        let fixed = [
            (local::LENGTH - local::DESCRIPTOR, narrow),
            (local::VALUES - local::LENGTH, wide),
        ];
        let rest = [(values, wide), (vectors, ValType::V128)];
        let locals: Vec<(u32, ValType)> = fixed
            .into_iter()
            .chain(rest)
            .filter(|(count, _)| *count > 0)
            .collect();
        Code {
            function: Function::new(locals),
            places: Vec::new(),
            labels: Vec::new(),
        }
    }

    pub(crate) fn sink(&mut self) -> InstructionSink<'_> {
        self.function.instructions()
    }

    /// From here on, instructions come from `place`.
    pub(crate) fn mark(&mut self, place: Place) {
        let at = self.function.byte_len() as u32;
        match self.places.last_mut() {
            Some((_, last)) if *last == place => {}
            Some((last_at, last)) if *last_at == at => *last = place,
            Some(_) | None => self.places.push((at, place)),
        }
    }

    pub(crate) fn open(&mut self, label: Label) {
        self.labels.push(label);
        self.sink().block(BlockType::Empty);
    }

    /// Opens a block that leaves an i64.
    pub(crate) fn open_giving(&mut self, label: Label) {
        self.labels.push(label);
        self.sink().block(BlockType::Result(ValType::I64));
    }

    pub(crate) fn open_loop(&mut self) {
        self.labels.push(Label::Loop);
        self.sink().loop_(BlockType::Empty);
    }

    /// Takes an i32.
    pub(crate) fn open_if(&mut self) {
        self.labels.push(Label::Inner);
        self.sink().if_(BlockType::Empty);
    }

    pub(crate) fn close(&mut self) {
        self.labels.pop();
        self.sink().end();
    }

    /// Closes the innermost block if it is this one.
    pub(crate) fn close_if(&mut self, label: Label) {
        if self.labels.last() == Some(&label) {
            self.close();
        }
    }

    pub(crate) fn depth(&self, label: Label) -> u32 {
        let found = self.labels.iter().rev().position(|open| *open == label);
        found.expect("a jump lies inside the block that it leaves") as u32
    }

    pub(crate) fn branch(&mut self, label: Label) {
        let depth = self.depth(label);
        self.sink().br(depth);
    }

    /// Takes an i32.
    pub(crate) fn branch_if(&mut self, label: Label) {
        let depth = self.depth(label);
        self.sink().br_if(depth);
    }

    pub(crate) fn i64(&mut self, value: u64) {
        self.sink().i64_const(value.cast_signed());
    }

    pub(crate) fn i32(&mut self, value: u32) {
        self.sink().i32_const(value.cast_signed());
    }
}

/// An access `offset` bytes behind its address; `align` is the exponent of two that the address is known to have.
pub(crate) fn memory(offset: u64, align: u32) -> MemArg {
    MemArg {
        offset,
        align,
        memory_index: 0,
    }
}
