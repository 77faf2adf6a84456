//! The system call `bpf` (linux/bpf.h, `union bpf_attr`): the heads of its attributes, which the kernel fills up with
//! zeros.

mod info;
mod link;
mod live;
mod mapped;
mod pin;

use std::ffi::CStr;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

pub use self::info::{
    LinkInfo, MapInfo, ProgramInfo, is_xdp, link_info, map_info, program, program_info,
};
pub(crate) use self::link::flag;
pub use self::link::{attach, detach, exchange, links};
pub use self::live::live_run;
pub use self::mapped::Mapped;
pub use self::pin::{get, is_bpffs, pin};

/// Commands (`enum bpf_cmd`).
mod command {
    pub(super) const MAP_CREATE: libc::c_int = 0;
    pub(super) const MAP_LOOKUP: libc::c_int = 1;
    pub(super) const MAP_UPDATE: libc::c_int = 2;
    pub(super) const MAP_DELETE: libc::c_int = 3;
    pub(super) const PROGRAM_LOAD: libc::c_int = 5;
    pub(super) const PIN: libc::c_int = 6;
    pub(super) const GET_PINNED: libc::c_int = 7;
    pub(super) const PROGRAM_TEST_RUN: libc::c_int = 10;
    pub(super) const PROGRAM_BY_ID: libc::c_int = 13;
    pub(super) const INFO: libc::c_int = 15;
    pub(super) const BTF_LOAD: libc::c_int = 18;
    pub(super) const MAP_FREEZE: libc::c_int = 22;
    pub(super) const LINK_CREATE: libc::c_int = 28;
    pub(super) const LINK_UPDATE: libc::c_int = 29;
    pub(super) const LINK_BY_ID: libc::c_int = 30;
    pub(super) const LINK_NEXT_ID: libc::c_int = 31;
    pub(super) const LINK_DETACH: libc::c_int = 34;
}

/// `BPF_MAP_TYPE_ARRAY`
pub const ARRAY: u32 = 2;
/// `BPF_MAP_TYPE_PROG_ARRAY`
pub const PROGRAMS: u32 = 3;
/// `BPF_MAP_TYPE_DEVMAP`
pub const DEVMAP: u32 = 14;
/// `BPF_MAP_TYPE_XSKMAP`
pub const XSKMAP: u32 = 17;
/// `BPF_F_MMAPABLE`
pub const MAPPABLE: u32 = 1 << 10;
/// `BPF_PROG_TYPE_XDP`
const TYPE_XDP: u32 = 6;
/// `BPF_XDP`, of `enum bpf_attach_type`
const ATTACH_XDP: u32 = 37;

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> Result<RawFd> {
    // SAFETY: the attributes are of the size that is said; every address in them is of memory that their maker borrows.
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if done < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(done as RawFd)
    }
}

fn descriptor<T>(command: libc::c_int, attributes: &mut T) -> Result<OwnedFd> {
    let fd = bpf(command, attributes)?;
    // SAFETY: a descriptor that was just made.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A name as the kernel takes it: 15 letters, digits, `_` and `.`.
fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(text.bytes().take(15)) {
        let plain = from.is_ascii_alphanumeric() || from == b'_' || from == b'.';
        *to = if plain { from } else { b'_' };
    }
    name
}

/// A map that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// [`ARRAY`], [`PROGRAMS`], [`DEVMAP`] or [`XSKMAP`].
    pub kind: u32,
    /// Its name, of which the kernel keeps 15 letters.
    pub name: &'a str,
    /// Size of a value (bytes); keys have four.
    pub value: u32,
    /// Number of values.
    pub entries: u32,
    /// [`MAPPABLE`] or 0.
    pub flags: u32,
    /// Types, and the one of the value.
    pub types: Option<(RawFd, u32)>,
}

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
    flags: u32,
    inner: u32,
    node: u32,
    name: [u8; 16],
    device: u32,
    types: u32,
    key_type: u32,
    value_type: u32,
}

/// Makes a map.
pub fn create(map: Map<'_>) -> Result<OwnedFd> {
    let (types, value_type) = map.types.unwrap_or_default();
    let mut attributes = MapCreate {
        kind: map.kind,
        key: 4,
        value: map.value,
        entries: map.entries,
        flags: map.flags,
        name: name(map.name),
        types: types as u32,
        value_type,
        ..MapCreate::default()
    };
    descriptor(command::MAP_CREATE, &mut attributes)
}

#[repr(C)]
#[derive(Default)]
struct MapElement {
    map: u32,
    rest: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Writes the value of a key, four bytes.
pub fn update(map: &impl AsRawFd, key: u32, value: u32) -> Result<()> {
    let mut attributes = MapElement {
        map: map.as_raw_fd() as u32,
        rest: 0,
        key: address(&key),
        value: address(&value),
        flags: 0,
    };
    bpf(command::MAP_UPDATE, &mut attributes).map(drop)
}

/// Takes the value of a key away; there need be none.
pub fn remove(map: &impl AsRawFd, key: u32) -> Result<()> {
    let mut attributes = MapElement {
        map: map.as_raw_fd() as u32,
        key: address(&key),
        ..MapElement::default()
    };
    match bpf(command::MAP_DELETE, &mut attributes) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Reads the one value of a map of kind [`ARRAY`].
pub fn lookup(map: &impl AsRawFd) -> Result<Vec<u8>> {
    const FIRST: u32 = 0;
    let shape = map_info(map)?;
    if (shape.kind, shape.entries) != (ARRAY, 1) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "it is no map of one value",
        ));
    }
    let mut value = vec![0; shape.value as usize];
    let mut attributes = MapElement {
        map: map.as_raw_fd() as u32,
        rest: 0,
        key: address(&FIRST),
        value: value.as_mut_ptr() as u64,
        flags: 0,
    };
    bpf(command::MAP_LOOKUP, &mut attributes)?;
    Ok(value)
}

/// Writes the value of a map's first key, which is as long as the map's values, for good.
pub fn fill(map: &impl AsRawFd, value: &[u8]) -> Result<()> {
    const FIRST: u32 = 0;
    let mut attributes = MapElement {
        map: map.as_raw_fd() as u32,
        rest: 0,
        key: address(&FIRST),
        value: address(value),
        flags: 0,
    };
    bpf(command::MAP_UPDATE, &mut attributes)?;
    let mut frozen = MapElement {
        map: map.as_raw_fd() as u32,
        ..MapElement::default()
    };
    bpf(command::MAP_FREEZE, &mut frozen).map(drop)
}

fn address<T: ?Sized>(of: &T) -> u64 {
    std::ptr::from_ref(of).cast::<u8>() as u64
}

/// Something by the kernel's number for it.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    types: u64,
    log: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    log_true_size: u32,
}

/// Gives types to the kernel.
pub fn load_types(types: &[u8]) -> Result<OwnedFd> {
    let mut attributes = BtfLoad {
        types: address(types),
        size: types.len() as u32,
        ..BtfLoad::default()
    };
    descriptor(command::BTF_LOAD, &mut attributes)
}

/// A program that is to be loaded.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Its name.
    pub name: &'a str,
    /// Instructions of eight bytes.
    pub code: &'a [u64],
    /// Its license.
    pub license: &'a CStr,
    /// Types that the records name.
    pub types: Option<RawFd>,
    /// Records of eight bytes: which function is of which type.
    pub functions: &'a [u8],
    /// Records of sixteen bytes: which instruction comes from where.
    pub lines: &'a [u8],
}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    count: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
    device: u32,
    attach: u32,
    types: u32,
    function_size: u32,
    functions: u64,
    function_count: u32,
    line_size: u32,
    lines: u64,
    line_count: u32,
    attach_type: u32,
    attach_to: u32,
    relocation_count: u32,
    maps: u64,
    relocations: u64,
    relocation_size: u32,
    log_true_size: u32,
}

/// Size of a record that tells a function's type, and of one that tells an instruction's place (bytes).
const FUNCTION_SIZE: u32 = 8;
const LINE_SIZE: u32 = 16;

/// Loads a program; with a log, the verifier writes into it what it thinks.
pub fn load(program: Program<'_>, log: &mut [u8]) -> Result<OwnedFd> {
    let mut attributes = ProgramLoad {
        kind: TYPE_XDP,
        count: program.code.len() as u32,
        code: address(program.code),
        license: program.license.as_ptr() as u64,
        name: name(program.name),
        attach: ATTACH_XDP,
        types: program.types.unwrap_or_default() as u32,
        function_size: FUNCTION_SIZE,
        functions: address(program.functions),
        function_count: program.functions.len() as u32 / FUNCTION_SIZE,
        line_size: LINE_SIZE,
        lines: address(program.lines),
        line_count: program.lines.len() as u32 / LINE_SIZE,
        ..ProgramLoad::default()
    };
    if !log.is_empty() {
        attributes.log_level = 1;
        attributes.log_size = log.len() as u32;
        attributes.log = log.as_mut_ptr() as u64;
    }
    descriptor(command::PROGRAM_LOAD, &mut attributes)
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    verdict: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
    /// The kernel wants what it does not know to be 0.
    rest: u32,
}

/// What a program made of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What it returned.
    pub verdict: u32,
    /// Length of the frame (bytes).
    pub length: u32,
    /// Nanoseconds of one run, over all of them.
    pub nanoseconds: u32,
}

/// Runs a program over a frame, `repeat` times; `out` gets the frame as it is then.
pub fn test_run(program: &impl AsRawFd, frame: &[u8], out: &mut [u8], repeat: u32) -> Result<Ran> {
    let mut attributes = TestRun {
        program: program.as_raw_fd() as u32,
        size_in: frame.len() as u32,
        size_out: out.len() as u32,
        data_in: address(frame),
        data_out: out.as_mut_ptr() as u64,
        repeat,
        ..TestRun::default()
    };
    bpf(command::PROGRAM_TEST_RUN, &mut attributes)?;
    Ok(Ran {
        verdict: attributes.verdict,
        length: attributes.size_out,
        nanoseconds: attributes.duration,
    })
}
