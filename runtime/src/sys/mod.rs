//! Thin wrappers of system calls. Everything unsafe about namespaces, mappings and sockets is here.

#![expect(unsafe_code, reason = "system calls")]
#![expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "C gives and takes the same numbers with other signs"
)]

pub mod namespace;
pub mod ring;

use std::io::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd};

/// A blocking `NETLINK_ROUTE` socket.
pub fn netlink_socket() -> Result<OwnedFd> {
    // SAFETY: plain system call.
    let fd = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        )
    };
    if fd < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: a descriptor that was just made.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends one datagram.
pub fn send(fd: i32, bytes: &[u8]) -> Result<()> {
    // SAFETY: `bytes` is only read.
    let done = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), 0) };
    if done < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Receives one datagram of at most 64 KiB.
pub fn receive(fd: i32) -> Result<Vec<u8>> {
    let mut buffer = vec![0_u8; 65_536];
    // SAFETY: `buffer` is written up to its length.
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if got < 0 {
        return Err(Error::last_os_error());
    }
    buffer.truncate(got as usize);
    Ok(buffer)
}
