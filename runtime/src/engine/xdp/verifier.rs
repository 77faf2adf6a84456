//! Loading a program, and what the kernel's verifier says where it does not take it.

use std::io::Error;
use std::os::fd::{AsRawFd, OwnedFd};

use super::LoadError;
use super::loaded::refused;
use super::object::Object;
use super::refusal::{Machine, Step};
use crate::sys::bpf;

/// Sizes of the buffer for what the verifier says (bytes).
const LOG: usize = 1 << 16;
const LOG_MAX: usize = 1 << 26;

/// Loads an object's code, in which the addresses are filled in.
pub(super) fn load(object: &Object, code: &[u64], types: &OwnedFd) -> Result<OwnedFd, LoadError> {
    let program = bpf::Program {
        name: &object.name,
        code,
        license: &object.license,
        types: Some(types.as_raw_fd()),
        functions: &object.functions,
        lines: &object.lines,
    };
    let error = match bpf::load(program, &mut []) {
        Ok(loaded) => return Ok(loaded),
        Err(error) => error,
    };
    // To whom a capability is missing the verifier allows less, and says so in words about the program.
    if !is_verdict(&error) || Machine::here().lacks() {
        return Err(refused(Step::Program)(error));
    }
    let mut size = LOG;
    loop {
        let mut log = vec![0; size];
        match bpf::load(program, &mut log) {
            Ok(loaded) => return Ok(loaded),
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && size < LOG_MAX => {
                size *= 8;
            }
            Err(error) => {
                let end = log.iter().position(|byte| *byte == 0);
                log.truncate(end.unwrap_or(log.len()));
                let log = String::from_utf8_lossy(&log).into_owned();
                let (insn, message) = last_words(&log);
                let line = insn.and_then(|insn| object.line(insn));
                let line = line.map_or_else(String::new, |line| format!("{line}: "));
                return Err(LoadError::Refused {
                    message: format!("{line}{message} ({error})"),
                    too_large: error.raw_os_error() == Some(libc::E2BIG),
                    log,
                });
            }
        }
    }
}

/// Whether the kernel answers so where the verifier does not take a program.
fn is_verdict(error: &Error) -> bool {
    let verdicts = [
        libc::EINVAL,
        libc::EACCES,
        libc::E2BIG,
        libc::ENOSPC,
        libc::EFAULT,
    ];
    let number = error.raw_os_error();
    number.is_some_and(|number| verdicts.contains(&number))
}

/// The last instruction that the verifier looked at, and what it says about it.
fn last_words(log: &str) -> (Option<u32>, String) {
    const NOISE: [&str; 8] = [
        "processed ",
        "verification time",
        "stack depth",
        "mark_precise:",
        "func#",
        "from ",
        "; ",
        " ",
    ];
    let (mut insn, mut message) = (None, Vec::new());
    for line in log.lines().filter(|line| !line.is_empty()) {
        let numbered = line.split_once(": (");
        let number = numbered.and_then(|(number, _)| number.parse().ok());
        if number.is_some() {
            insn = number;
            message.clear();
        } else if !NOISE.iter().any(|noise| line.starts_with(noise)) {
            message.push(line);
        }
    }
    (insn, message.join("; "))
}

/// The number of the type that tells what lies in an ELF section, for tools that show the map (linux/btf.h).
pub(super) fn section(types: &[u8], name: &str) -> Option<u32> {
    const SECTION: u32 = 15;
    let word = |at: usize| {
        let bytes = types.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let (header, begin) = (word(4)? as usize, word(8)? as usize);
    let (end, strings) = (begin + word(12)? as usize, word(16)? as usize);
    let mut at = header + begin;
    for id in 1.. {
        if at >= header + end {
            return None;
        }
        let (text, info) = (word(at)? as usize, word(at + 4)?);
        let (kind, members) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let text = types.get(header + strings + text..)?;
        let named = text.strip_prefix(name.as_bytes());
        if kind == SECTION && named.is_some_and(|rest| rest.first() == Some(&0)) {
            return Some(id);
        }
        let rest = match kind {
            1 | 14 => 4,
            3 => 12,
            4 | SECTION => 12 * members,
            13 => 8 * members,
            _ => 0,
        };
        at += 12 + rest;
    }
    None
}
