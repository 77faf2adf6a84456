//! XDP programs by rtnetlink (`IFLA_XDP`, `linux/if_link.h`): which are on a device, and those that were put there so.

use std::io::Result;
use std::os::fd::{AsRawFd, OwnedFd};

use lvsc_abi::engine::Mode;

use crate::sys::bpf::flag;

use super::{IFLA_XDP, Message, Netlink, Running, attributes};

const FD: u16 = 1;
const FLAGS: u16 = 3;
const EXPECTED_FD: u16 = 8;
/// Where the number of the program of each mode stands.
const NUMBERS: [(u16, Mode); 3] = [(5, Mode::Native), (6, Mode::Generic), (7, Mode::Offload)];

/// `XDP_FLAGS_UPDATE_IF_NOEXIST`, `XDP_FLAGS_REPLACE`
const ONLY_IF_NONE: u32 = 1;
const REPLACE: u32 = 1 << 4;

/// The programs that the attribute tells.
pub(super) fn programs(value: &[u8]) -> Vec<Running> {
    let parts = attributes(value);
    let each = NUMBERS.iter().filter_map(|(number, mode)| {
        let (_, value) = parts.iter().find(|(kind, _)| kind == number)?;
        let program = u32::from_ne_bytes(*value.first_chunk()?);
        (program != 0).then_some(Running {
            mode: *mode,
            program,
        })
    });
    each.collect()
}

impl Netlink {
    /// Takes this program off a device, where it was put by netlink. One that a link holds stays: EBUSY.
    pub fn take_off(&mut self, device: u32, mode: Mode, program: &OwnedFd) -> Result<()> {
        const NONE: i32 = -1;
        let message = Message::new(libc::RTM_SETLINK, 0)
            .link(device, 0, 0)
            .open(IFLA_XDP)
            .attribute(FD, &NONE.to_ne_bytes())
            .number(FLAGS, flag(mode) | REPLACE)
            .attribute(EXPECTED_FD, &program.as_raw_fd().to_ne_bytes());
        self.call(message.close()).map(drop)
    }

    /// Puts a program on a device that has none, where it stays until somebody takes it off.
    pub fn put_on(&mut self, device: u32, mode: Mode, program: &impl AsRawFd) -> Result<()> {
        let message = Message::new(libc::RTM_SETLINK, 0)
            .link(device, 0, 0)
            .open(IFLA_XDP)
            .attribute(FD, &program.as_raw_fd().to_ne_bytes())
            .number(FLAGS, flag(mode) | ONLY_IF_NONE);
        self.call(message.close()).map(drop)
    }
}
