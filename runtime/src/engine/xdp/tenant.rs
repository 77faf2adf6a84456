//! Another program that is on a device already: who it is, who holds it, and how it goes.

use std::io;
use std::os::fd::OwnedFd;

use lvsc_abi::engine::{EngineError, Mode, Occupied};

use super::attach::{besides, failed};
use super::pin;
use super::refusal::Refusal;
use crate::netlink::{Link, Netlink, Running};
use crate::sys::bpf;

/// What holds a program on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// A link of somebody, with this number.
    Link(u32),
    /// The device itself: it was put there by netlink.
    Device,
    /// This process may not ask.
    Unknown,
}

fn holder(device: u32, program: u32) -> Holder {
    let ours = |link: bpf::LinkInfo| link.device == Some(device) && link.program == program;
    for link in bpf::links() {
        match link.and_then(|link| bpf::link_info(&link)) {
            Ok(link) if ours(link) => return Holder::Link(link.id),
            Ok(_) => {}
            // One that is gone by now holds nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Holder::Unknown,
        }
    }
    Holder::Device
}

/// `` `xdp_pass` (id 12, native mode) ``, or its number alone: only who may look at it knows its name.
fn title(running: Running) -> String {
    let named = bpf::program(running.program).and_then(|program| bpf::program_info(&program));
    let (id, mode) = (running.program, running.mode.name());
    match named {
        Ok(info) if !info.name.is_empty() => format!("`{}` (id {id}, {mode} mode)", info.name),
        Ok(_) | Err(_) => format!("{id} ({mode} mode)"),
    }
}

/// That a device has another program, and how that may go.
pub(super) fn refusal(link: &Link) -> Refusal {
    let device = &link.name;
    let Some(first) = link.programs.first() else {
        return Refusal {
            what: format!("the device `{device}` is busy"),
            remedy: Some("try it again".to_owned()),
        };
    };
    let remedy = match holder(link.index, first.program) {
        Holder::Link(id) => held(id),
        Holder::Device => format!(
            "`--replace` takes its place, `{}` takes it off",
            ip(device, first.mode)
        ),
        Holder::Unknown => "with sudo, `--replace` takes its place, unless a link holds it: \
                            `sudo bpftool net` and `sudo bpftool link` show it"
            .to_owned(),
    };
    let titles: Vec<String> = link.programs.iter().map(|one| title(*one)).collect();
    Refusal {
        what: format!(
            "`{device}` has the XDP program {} already",
            titles.join(" and ")
        ),
        remedy: Some(remedy),
    }
}

/// The command that takes a program off that was put there by netlink.
fn ip(device: &str, mode: Mode) -> String {
    let word = match mode {
        Mode::Native => "xdpdrv",
        Mode::Generic => "xdpgeneric",
        Mode::Offload => "xdpoffload",
    };
    format!("sudo ip link set dev {device} {word} off")
}

/// How a program goes that a link holds.
fn held(link: u32) -> String {
    match pin::owner(link) {
        Some(name) => format!(
            "it is lvsc's own: `--pin {name}` goes on with it, `lvsc unpin {name}` takes it off"
        ),
        None => format!(
            "link {link} holds it, and what a link holds is not replaced: end the process that has the link \
             (`sudo bpftool link show id {link}` names it), or `sudo bpftool link detach id {link}`"
        ),
    }
}

/// A program that was taken off, to be put back if need be.
pub(super) struct Evicted {
    index: u32,
    device: String,
    running: Running,
    program: OwnedFd,
}

/// Makes room on a device: gives the programs that were taken off, where they may be.
pub(super) fn make_room(
    netlink: &mut Netlink,
    link: &Link,
    occupied: Occupied,
) -> Result<Vec<Evicted>, EngineError> {
    match occupied {
        Occupied::Refuse if !link.programs.is_empty() => return Err(refusal(link).into()),
        Occupied::Refuse | Occupied::Replace => {}
    }
    let mut evicted = Vec::new();
    for running in &link.programs {
        // What cannot be put back is not taken off.
        let taken = match bpf::program(running.program) {
            Ok(program) => match netlink.take_off(link.index, running.mode, &program) {
                Ok(()) => Ok(program),
                Err(error) => Err(stays(link, *running, &error)),
            },
            Err(_) => Err(cannot_come_back(link, *running)),
        };
        match taken {
            Ok(program) => evicted.push(Evicted {
                index: link.index,
                device: link.name.clone(),
                running: *running,
                program,
            }),
            Err(error) => return Err(besides(error, &restore(evicted))),
        }
    }
    Ok(evicted)
}

/// That this process may not have the program in hand, which it would have to put back where the new one is refused.
fn cannot_come_back(link: &Link, running: Running) -> EngineError {
    let device = &link.name;
    EngineError::Attach {
        what: format!(
            "the XDP program {} on `{device}` could not be put back if the new one is refused: that takes SYS_ADMIN",
            title(running)
        ),
        remedy: Some(format!(
            "run it with sudo, or take the other one off yourself: `{}`",
            ip(device, running.mode)
        )),
    }
}

fn stays(link: &Link, running: Running, error: &io::Error) -> EngineError {
    let device = &link.name;
    let what = format!(
        "the XDP program {} on `{device}` cannot be replaced",
        title(running)
    );
    match holder(link.index, running.program) {
        Holder::Link(id) => EngineError::Attach {
            what,
            remedy: Some(held(id)),
        },
        Holder::Unknown if error.raw_os_error() == Some(libc::EBUSY) => EngineError::Attach {
            what,
            remedy: Some("a link holds it: `sudo bpftool link` shows whose it is".to_owned()),
        },
        Holder::Device | Holder::Unknown => failed(&what, error),
    }
}

/// Puts back what was taken off in vain; gives what could not be.
pub(super) fn restore(evicted: Vec<Evicted>) -> Vec<String> {
    if evicted.is_empty() {
        return Vec::new();
    }
    let mut netlink = Netlink::open();
    let put = |one: Evicted| {
        let put = match &mut netlink {
            Ok(netlink) => netlink.put_on(one.index, one.running.mode, &one.program),
            Err(error) => Err(io::Error::from(error.kind())),
        };
        let error = put.err()?;
        let (title, device) = (title(one.running), one.device);
        Some(format!(
            "the XDP program {title} could not be put back on `{device}`: {error}"
        ))
    };
    evicted.into_iter().filter_map(put).collect()
}
