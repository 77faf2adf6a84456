//! The hashes of a key (see [`lvsc_abi::hash`]). What lies side by side in the frame is read as it lies there.

use lvsc_abi::hash;
use lvsc_ir::program::{Binary, BlockId, Op, Order, Value};

use super::Lowering;
use super::code::Spot;
use super::state::{Number, Path};
use crate::pipeline::{Expr, Field, HeaderId, PoolId};

/// Some bytes of a key.
#[derive(Clone, Copy)]
struct Piece {
    from: Source,
    /// Number of bytes.
    bytes: u16,
}

#[derive(Clone, Copy)]
enum Source {
    /// Bytes of the frame as they lie there.
    Frame(Spot),
    /// The low bytes of a value, the highest one first.
    Value(Value),
}

impl Piece {
    /// The first `bytes` bytes, and the rest. `shift` makes a value of a value by shifting out its low bits.
    fn split(self, bytes: u16, shift: impl FnOnce(Value, u64) -> Value) -> (Piece, Piece) {
        let rest = self.bytes - bytes;
        let (first, from) = match self.from {
            Source::Frame(spot) => {
                let behind = spot.behind(bytes).expect("a piece lies inside the frame");
                (Source::Frame(spot), Source::Frame(behind))
            }
            Source::Value(value) => (Source::Value(shift(value, u64::from(rest) * 8)), self.from),
        };
        (Piece { from: first, bytes }, Piece { from, bytes: rest })
    }

    /// Both as one piece, where the second lies behind the first in the frame.
    fn joined(self, next: Piece) -> Option<Piece> {
        let (Source::Frame(first), Source::Frame(second)) = (self.from, next.from) else {
            return None;
        };
        let bytes = self.bytes + next.bytes;
        (first.behind(self.bytes) == Some(second)).then_some(Piece { bytes, ..self })
    }
}

impl Lowering<'_> {
    /// Pushes the words of a key, the last one on top.
    pub(super) fn key_words(&mut self, key: &[Expr], path: Path) -> Vec<Path> {
        let mut paths = vec![path];
        for part in key {
            paths = paths
                .into_iter()
                .flat_map(|path| self.key_part(part, path))
                .collect();
        }
        for path in &mut paths {
            let pieces = self.pieces(key, path);
            for word in self.words_of(path.block, pieces) {
                path.push(word);
            }
        }
        paths
    }

    /// Has the words on the stack absorbed: nothing else is there when a key is made.
    pub(super) fn absorbed(&mut self, path: &mut Path) -> Value {
        let block = path.block;
        let mut state = self.code.constant(block, hash::RING_SEED);
        for word in std::mem::take(&mut path.state.stack) {
            state = self.absorb(block, state, word.low);
        }
        state
    }

    /// [`hash::absorb`]
    pub(super) fn absorb(&mut self, block: BlockId, state: Value, word: Value) -> Value {
        let mixed = self.code.binary(block, Binary::Xor, state, word);
        self.mix(block, mixed, hash::MULTIPLY, 32)
    }

    /// [`hash::slot`] of [`hash::ring`], whose last step, a shift to the right, leaves the highest bits as they are.
    pub(super) fn ring_slot(&mut self, block: BlockId, pool: PoolId, state: Value) -> Value {
        let hash = self.code.with(block, Binary::Mul, state, hash::FINISH);
        self.slot_of_hash(block, pool, hash)
    }

    /// The slots of the ring hash's halves.
    pub(super) fn ring_slots(&mut self, block: BlockId, pool: PoolId, state: Value) -> [Value; 2] {
        let high = self.mix(block, state, hash::FINISH, hash::FINISH_SHIFT.into());
        let low = self.code.with(block, Binary::Shl, high, 32);
        [high, low].map(|hash| self.slot_of_hash(block, pool, hash))
    }

    /// [`hash::slot`]
    fn slot_of_hash(&mut self, block: BlockId, pool: PoolId, hash: Value) -> Value {
        let bits = self.pipeline.pool(pool).slots().trailing_zeros();
        debug_assert!(bits <= hash::FINISH_SHIFT, "the last step changes them");
        if bits == 0 {
            return self.code.constant(block, 0);
        }
        let rest = u64::from(u64::BITS - bits);
        self.code.with(block, Binary::Shr, hash, rest)
    }

    /// [`hash::table`]
    pub(super) fn table_hash(&mut self, block: BlockId, state: Value, seed: Value) -> Value {
        let state = self.absorb(block, state, seed);
        self.mix(block, state, hash::FINISH, hash::FINISH_SHIFT.into())
    }

    fn mix(&mut self, block: BlockId, value: Value, multiply: u64, shift: u64) -> Value {
        let mixed = self.code.with(block, Binary::Mul, value, multiply);
        let high = self.code.with(block, Binary::Shr, mixed, shift);
        self.code.binary(block, Binary::Xor, mixed, high)
    }

    /// Makes sure of one part of the key: its header is resolved, or its operand is on the stack.
    fn key_part(&mut self, part: &Expr, path: Path) -> Vec<Path> {
        if let Some((header, _)) = self.whole_bytes(part) {
            return self.resolve(header, path).all();
        }
        self.value_or_zero(part, vec![path])
    }

    /// The field that a part of the key is, if it is one of whole bytes.
    fn whole_bytes(&self, part: &Expr) -> Option<(HeaderId, &Field)> {
        let Expr::Field(header, field) = part else {
            return None;
        };
        let field = self.pipeline.field(*header, *field);
        (field.offset.is_multiple_of(8) && field.width.is_multiple_of(8))
            .then_some((*header, field))
    }

    /// The key's bytes in order; takes its operands from the stack.
    fn pieces(&mut self, key: &[Expr], path: &mut Path) -> Vec<Piece> {
        let mut reversed = Vec::new();
        for part in key.iter().rev() {
            let bytes = self.pipeline.width(part).div_ceil(8);
            if let Some((header, field)) = self.whole_bytes(part) {
                let behind = (field.offset / 8) as u16;
                let spot = path
                    .state
                    .standing(header)
                    .and_then(|found| found.at.behind(behind));
                let from = match spot {
                    Some(spot) => Source::Frame(spot),
                    None => Source::Value(self.code.constant(path.block, 0)),
                };
                reversed.push(Piece { from, bytes });
                continue;
            }
            let Number { low, high } = path.pop();
            reversed.push(Piece {
                from: Source::Value(low),
                bytes: bytes.min(8),
            });
            if let Some(high) = high {
                reversed.push(Piece {
                    from: Source::Value(high),
                    bytes: bytes - 8,
                });
            }
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in reversed.into_iter().rev() {
            match pieces
                .last_mut()
                .and_then(|last| Some((last.joined(piece)?, last)))
            {
                Some((joined, last)) => *last = joined,
                None => pieces.push(piece),
            }
        }
        pieces
    }

    /// The key's little-endian words of eight bytes, the last one padded with zeros.
    fn words_of(&mut self, block: BlockId, pieces: Vec<Piece>) -> Vec<Value> {
        let mut words = Vec::new();
        let mut word: Option<Value> = None;
        let mut filled = 0;
        for mut piece in pieces {
            while piece.bytes > 0 {
                let taken = piece.bytes.min(8 - filled);
                let shift = |value, bits| self.code.with(block, Binary::Shr, value, bits);
                let (first, rest) = piece.split(taken, shift);
                let part = self.little(block, first);
                let part = self
                    .code
                    .with(block, Binary::Shl, part, u64::from(filled) * 8);
                word = Some(match word {
                    Some(word) => self.code.binary(block, Binary::Or, word, part),
                    None => part,
                });
                filled += taken;
                piece = rest;
                if filled == 8 {
                    words.extend(word.take());
                    filled = 0;
                }
            }
        }
        words.extend(word);
        words
    }

    /// A piece of at most eight bytes, its first byte lowest.
    fn little(&mut self, block: BlockId, piece: Piece) -> Value {
        match piece.from {
            Source::Frame(spot) => self.code.frame(block, spot, piece.bytes, Order::Little),
            Source::Value(value) => self.code.value(block, Op::Swap(piece.bytes as u8, value)),
        }
    }
}
