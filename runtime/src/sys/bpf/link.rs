//! Links: what holds a program on a device.

use std::io::Result;
use std::os::fd::{AsRawFd, OwnedFd};

use lvsc_abi::engine::Mode;

use super::{ATTACH_XDP, ById, bpf, command, descriptor};

/// A mode as the kernel says it: `XDP_FLAGS_*_MODE` (`linux/if_link.h`).
pub(crate) const fn flag(mode: Mode) -> u32 {
    match mode {
        Mode::Generic => 1 << 1,
        Mode::Native => 1 << 2,
        Mode::Offload => 1 << 3,
    }
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    device: u32,
    attach: u32,
    flags: u32,
    rest: [u64; 4],
}

/// Attaches a program to a device, as long as the link is open.
pub fn attach(program: &impl AsRawFd, device: u32, mode: Mode) -> Result<OwnedFd> {
    let mut attributes = LinkCreate {
        program: program.as_raw_fd() as u32,
        device,
        attach: ATTACH_XDP,
        flags: flag(mode),
        ..LinkCreate::default()
    };
    descriptor(command::LINK_CREATE, &mut attributes)
}

#[repr(C)]
#[derive(Default)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old: u32,
}

/// `BPF_F_REPLACE`: only where the link runs the old program.
const REPLACE: u32 = 1 << 2;

/// Goes on with another program, without a packet in between.
pub fn exchange(link: &impl AsRawFd, next: &impl AsRawFd, old: &impl AsRawFd) -> Result<()> {
    let mut attributes = LinkUpdate {
        link: link.as_raw_fd() as u32,
        program: next.as_raw_fd() as u32,
        flags: REPLACE,
        old: old.as_raw_fd() as u32,
    };
    bpf(command::LINK_UPDATE, &mut attributes).map(drop)
}

/// Takes the program off the device; the link stays, and is good for nothing.
pub fn detach(link: &impl AsRawFd) -> Result<()> {
    let mut attributes = link.as_raw_fd() as u32;
    bpf(command::LINK_DETACH, &mut attributes).map(drop)
}

/// All links of the machine, whatever they hold; needs the capability `SYS_ADMIN`. One that is gone by the time that it is
/// asked for is an error of kind `NotFound`.
pub fn links() -> impl Iterator<Item = Result<OwnedFd>> {
    let mut walk = Some(ById::default());
    std::iter::from_fn(move || {
        let mut next = walk.take()?;
        match bpf(command::LINK_NEXT_ID, &mut next) {
            Ok(_) => next.id = next.next,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return None,
            Err(error) => return Some(Err(error)),
        }
        let mut wanted = ById {
            id: next.id,
            ..ById::default()
        };
        walk = Some(next);
        Some(descriptor(command::LINK_BY_ID, &mut wanted))
    })
}
