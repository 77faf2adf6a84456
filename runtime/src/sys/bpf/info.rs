//! What the kernel knows of a program, a map or a link (`struct bpf_prog_info` and its kin).

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};

use super::{ById, bpf, command, descriptor};

/// A program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The kernel's number for it.
    pub id: u32,
    /// Its name, at most 15 letters.
    pub name: String,
}

/// A map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapInfo {
    /// `BPF_MAP_TYPE_*`
    pub kind: u32,
    /// Size of a value (bytes).
    pub value: u32,
    /// Number of values.
    pub entries: u32,
    /// `BPF_F_*`
    pub flags: u32,
}

/// A link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkInfo {
    /// The kernel's number for it.
    pub id: u32,
    /// The number of the program that it holds.
    pub program: u32,
    /// The index of the device, of whatever network namespace; 0 where that is gone. `None`: it is no link of XDP.
    pub device: Option<u32>,
}

#[repr(C)]
struct Query {
    fd: u32,
    length: u32,
    info: u64,
}

/// The first words of what the kernel says.
fn ask<const WORDS: usize>(fd: &impl AsRawFd) -> Result<[u32; WORDS]> {
    let mut words = [0; WORDS];
    let mut query = Query {
        fd: fd.as_raw_fd() as u32,
        length: size_of_val(&words) as u32,
        info: words.as_mut_ptr() as u64,
    };
    bpf(command::INFO, &mut query)?;
    Ok(words)
}

/// Whether it is a program for XDP. The kernel answers a question about a program for a map or a link, too: what the
/// descriptor is stands in its file under /proc.
pub fn is_xdp(fd: &impl AsRawFd) -> Result<bool> {
    /// `BPF_PROG_TYPE_XDP` (linux/bpf.h)
    const XDP: &str = "prog_type:\t6";
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    Ok(text.lines().any(|line| line == XDP))
}

/// What a program is.
pub fn program_info(fd: &impl AsRawFd) -> Result<ProgramInfo> {
    let words: [u32; 20] = ask(fd)?;
    let [_, id, .., a, b, c, d] = words;
    let name: Vec<u8> = [a, b, c, d].iter().flat_map(|w| w.to_ne_bytes()).collect();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(ProgramInfo {
        id,
        name: String::from_utf8_lossy(name).into_owned(),
    })
}

/// What a map is.
pub fn map_info(fd: &impl AsRawFd) -> Result<MapInfo> {
    let [kind, _, _, value, entries, flags] = ask(fd)?;
    Ok(MapInfo {
        kind,
        value,
        entries,
        flags,
    })
}

/// What a link holds; an error of kind `InvalidInput` where it is no link.
pub fn link_info(fd: &impl AsRawFd) -> Result<LinkInfo> {
    /// `BPF_LINK_TYPE_XDP`
    const XDP: u32 = 6;
    /// A link's file, which has both names (`kernel/bpf/syscall.c`).
    const FILES: [&str; 2] = ["anon_inode:bpf_link", "anon_inode:bpf-link"];
    // Programs and maps answer the same question, with other words.
    let file = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let file = file.map_err(|error| Error::other(format!("/proc: {error}")))?;
    if !FILES.iter().any(|name| file.as_os_str() == *name) {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no link"));
    }
    let [kind, id, program, _, device] = ask(fd)?;
    Ok(LinkInfo {
        id,
        program,
        device: (kind == XDP).then_some(device),
    })
}

/// The program with this number; needs the capability `SYS_ADMIN`.
pub fn program(id: u32) -> Result<OwnedFd> {
    let mut wanted = ById {
        id,
        ..ById::default()
    };
    descriptor(command::PROGRAM_BY_ID, &mut wanted)
}
