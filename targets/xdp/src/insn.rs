//! eBPF instructions as the kernel reads them (Linux, Documentation/bpf/standardization/instruction-set.rst; RFC 9669).

/// A physical register: r0 to r10.
pub(crate) type Reg = u8;

/// The result of a call, and the program's.
pub(crate) const R0: Reg = 0;
/// The program's argument, and the first one of a call.
pub(crate) const R1: Reg = 1;
/// The frame pointer of the stack.
pub(crate) const FRAME: Reg = 10;

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Alu {
    Add = 0x00,
    Sub = 0x10,
    Mul = 0x20,
    Div = 0x30,
    Or = 0x40,
    And = 0x50,
    Shl = 0x60,
    Shr = 0x70,
    Mod = 0x90,
    Xor = 0xa0,
}

/// A condition of a jump; unsigned but for the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Test {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    Ne = 0x50,
    Lt = 0xa0,
    Le = 0xb0,
    /// Signed less: with 0, whether the highest bit is set.
    Below = 0xc0,
    /// Signed greater or equal.
    NotBelow = 0x70,
    /// Some bits of the one are set in the other.
    Set = 0x40,
    /// None is: no instruction asks for it, the other way of a branch is taken.
    Clear = 0xff,
}

impl Test {
    /// Holds exactly where this one does not.
    pub(crate) fn opposite(self) -> Test {
        match self {
            Test::Eq => Test::Ne,
            Test::Ne => Test::Eq,
            Test::Gt => Test::Le,
            Test::Le => Test::Gt,
            Test::Ge => Test::Lt,
            Test::Lt => Test::Ge,
            Test::Below => Test::NotBelow,
            Test::NotBelow => Test::Below,
            Test::Set => Test::Clear,
            Test::Clear => Test::Set,
        }
    }

    /// The same with its sides exchanged.
    pub(crate) fn turned(self) -> Test {
        match self {
            Test::Eq | Test::Ne | Test::Set | Test::Clear => self,
            Test::Below | Test::NotBelow => unreachable!("only the sign is asked for"),
            Test::Gt => Test::Lt,
            Test::Lt => Test::Gt,
            Test::Ge => Test::Le,
            Test::Le => Test::Ge,
        }
    }
}

/// How many of a register's bits an operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// The low 32; the result's high ones become 0.
    Half,
    /// All 64.
    Full,
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source<R> {
    Register(R),
    /// Extended with its sign to the width of the operation.
    Immediate(i32),
}

/// Eight bytes: `{opcode 8, destination 4, source 4, offset 16, immediate 32}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Insn {
    pub(crate) opcode: u8,
    pub(crate) dst: Reg,
    pub(crate) src: Reg,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

pub(crate) const LD: u8 = 0x00;
pub(crate) const LDX: u8 = 0x01;
pub(crate) const ST: u8 = 0x02;
pub(crate) const STX: u8 = 0x03;
pub(crate) const ALU: u8 = 0x04;
pub(crate) const JMP: u8 = 0x05;
pub(crate) const JMP32: u8 = 0x06;
pub(crate) const ALU64: u8 = 0x07;
/// The second operand is a register.
pub(crate) const REGISTER: u8 = 0x08;
pub(crate) const MEM: u8 = 0x60;
pub(crate) const ATOMIC: u8 = 0xc0;
pub(crate) const DOUBLE: u8 = 0x18;
pub(crate) const MOVE: u8 = 0xb0;
pub(crate) const SWAP: u8 = 0xd0;
pub(crate) const CALL: u8 = 0x80;
pub(crate) const EXIT: u8 = 0x90;
/// Immediate of an atomic instruction: add, and nothing is got back.
const ADD: i32 = 0;
/// Immediate of an atomic instruction: compare with r0, exchange; r0 gets the old value.
pub(crate) const COMPARE_EXCHANGE: i32 = 0xf1;

/// The size bits of an access to 1, 2, 4 or 8 bytes.
pub(crate) fn size(bytes: u8) -> u8 {
    match bytes {
        1 => 0x10,
        2 => 0x08,
        4 => 0x00,
        _ => DOUBLE,
    }
}

impl Insn {
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.opcode)
            | u64::from(self.dst) << 8
            | u64::from(self.src) << 12
            | u64::from(self.offset as u16) << 16
            | u64::from(self.immediate as u32) << 32
    }

    pub(crate) fn alu(op: Alu, width: Width, dst: Reg, source: Source<Reg>) -> Insn {
        Insn::operation(op as u8 | alu_class(width), dst, source)
    }

    pub(crate) fn copy(dst: Reg, src: Reg) -> Insn {
        Insn::operation(MOVE | ALU64, dst, Source::Register(src))
    }

    /// An immediate, extended with its sign where the width is full, with zeros else.
    pub(crate) fn set(width: Width, dst: Reg, value: i32) -> Insn {
        Insn::operation(MOVE | alu_class(width), dst, Source::Immediate(value))
    }

    /// Host order to wire order, on a host whose order is little endian: the low `bits` bits reversed, the others 0.
    pub(crate) fn swap(dst: Reg, bits: i32) -> Insn {
        Insn {
            opcode: SWAP | ALU | REGISTER,
            dst,
            immediate: bits,
            ..Insn::default()
        }
    }

    pub(crate) fn load(bytes: u8, dst: Reg, base: Reg, offset: i16) -> Insn {
        Insn {
            opcode: MEM | LDX | size(bytes),
            dst,
            src: base,
            offset,
            immediate: 0,
        }
    }

    pub(crate) fn store(bytes: u8, base: Reg, offset: i16, source: Source<Reg>) -> Insn {
        let (class, src, immediate) = match source {
            Source::Register(src) => (STX, src, 0),
            Source::Immediate(value) => (ST, 0, value),
        };
        Insn {
            opcode: MEM | class | size(bytes),
            dst: base,
            src,
            offset,
            immediate,
        }
    }

    /// Exchanges eight bytes for `new` where they equal r0; r0 gets the old ones.
    pub(crate) fn exchange(base: Reg, offset: i16, new: Reg) -> Insn {
        Insn::atomic(COMPARE_EXCHANGE, base, offset, new)
    }

    /// Adds to eight bytes.
    pub(crate) fn add_to(base: Reg, offset: i16, value: Reg) -> Insn {
        Insn::atomic(ADD, base, offset, value)
    }

    fn atomic(what: i32, base: Reg, offset: i16, src: Reg) -> Insn {
        Insn {
            opcode: ATOMIC | STX | DOUBLE,
            dst: base,
            src,
            offset,
            immediate: what,
        }
    }

    pub(crate) fn is_exchange(self) -> bool {
        self.is_atomic() && self.immediate == COMPARE_EXCHANGE
    }

    pub(crate) fn is_atomic(self) -> bool {
        self.opcode == ATOMIC | STX | DOUBLE
    }

    /// A jump by `offset` instructions from the next one on.
    pub(crate) fn branch(test: Test, width: Width, dst: Reg, source: Source<Reg>, by: i16) -> Insn {
        let class = match width {
            Width::Half => JMP32,
            Width::Full => JMP,
        };
        Insn {
            offset: by,
            ..Insn::operation(test as u8 | class, dst, source)
        }
    }

    pub(crate) fn jump() -> Insn {
        Insn {
            opcode: JMP,
            ..Insn::default()
        }
    }

    pub(crate) fn call(helper: i32) -> Insn {
        Insn {
            opcode: CALL | JMP,
            immediate: helper,
            ..Insn::default()
        }
    }

    pub(crate) fn exit() -> Insn {
        Insn {
            opcode: EXIT | JMP,
            ..Insn::default()
        }
    }

    /// The two halves of an instruction that sets all 64 bits.
    pub(crate) fn wide(dst: Reg, value: u64) -> [Insn; 2] {
        let first = Insn {
            opcode: LD | DOUBLE,
            dst,
            immediate: value as u32 as i32,
            ..Insn::default()
        };
        let second = Insn {
            immediate: (value >> 32) as u32 as i32,
            ..Insn::default()
        };
        [first, second]
    }

    fn operation(opcode: u8, dst: Reg, source: Source<Reg>) -> Insn {
        let (flag, src, immediate) = match source {
            Source::Register(src) => (REGISTER, src, 0),
            Source::Immediate(value) => (0, 0, value),
        };
        Insn {
            opcode: opcode | flag,
            dst,
            src,
            offset: 0,
            immediate,
        }
    }
}

fn alu_class(width: Width) -> u8 {
    match width {
        Width::Half => ALU,
        Width::Full => ALU64,
    }
}
