//! A program on devices, as long as its links are open.

use std::io::Error;
use std::os::fd::OwnedFd;

use lvsc_abi::engine::EngineError;

use crate::sys::bpf::{self, MODE_GENERIC, MODE_NATIVE};

/// A program on devices.
pub(super) struct Attached {
    links: Vec<OwnedFd>,
    /// Takes its place while it is switched off.
    aside: OwnedFd,
    on: bool,
}

impl Attached {
    /// Puts a program on devices: in the driver where that can, else before the kernel's own path.
    pub(super) fn to(devices: &[u32], program: &OwnedFd) -> Result<Attached, EngineError> {
        let mut links = Vec::new();
        for device in devices {
            let native = bpf::attach(program, *device, MODE_NATIVE);
            let link = match native {
                Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                    bpf::attach(program, *device, MODE_GENERIC)
                }
                other => other,
            };
            links.push(link.map_err(|error| refused(&error))?);
        }
        let aside = super::pass().map_err(|error| refused(&error))?;
        Ok(Attached {
            links,
            aside,
            on: true,
        })
    }

    /// Switches the program on or off, without a packet in between.
    pub(super) fn switch(&mut self, on: bool, program: &OwnedFd) -> Result<(), EngineError> {
        if self.on == on {
            return Ok(());
        }
        let (next, old) = if on {
            (program, &self.aside)
        } else {
            (&self.aside, program)
        };
        for link in &self.links {
            bpf::exchange(link, next, old).map_err(|error| refused(&error))?;
        }
        self.on = on;
        Ok(())
    }
}

/// What the kernel's answer means.
pub(super) fn refused(error: &Error) -> EngineError {
    let (what, remedy) = match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => (
            "another XDP program is on the device".to_owned(),
            Some(
                "take it off first: `ip link set dev DEVICE xdp off`, or end the one who put it there",
            ),
        ),
        Some(libc::ENOSPC) => (
            "the device has fewer receive queues than its peer has transmit queues".to_owned(),
            Some(
                "make a veth pair with one queue on each end: `ip link add ... numrxqueues 1 numtxqueues 1`",
            ),
        ),
        Some(libc::ERANGE | libc::EINVAL) => (
            format!("the device does not take the program: {error}"),
            Some("an MTU of at most 3506 bytes is what a driver can take without fragments"),
        ),
        Some(libc::EPERM) => (
            "XDP needs the capabilities BPF and NET_ADMIN in the host's own user namespace"
                .to_owned(),
            Some("run it with sudo"),
        ),
        _ => (format!("the program cannot be attached: {error}"), None),
    };
    EngineError::Attach {
        what,
        remedy: remedy.map(str::to_owned),
    }
}
