//! Thin wrappers of system calls. Everything unsafe about namespaces, mappings and sockets is here.

#![expect(unsafe_code, reason = "system calls")]
#![expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "C gives and takes the same numbers with other signs"
)]

pub mod bpf;
pub mod capability;
pub mod listen;
pub mod namespace;
pub mod ring;
pub mod xsk;

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Waits until one of the descriptors can be read or the time is over: what `poll` says of each. A signal ends the wait.
pub fn poll(fds: &[i32], time: Duration) -> Result<Vec<i16>> {
    let poll = |fd: &i32| libc::pollfd {
        fd: *fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polls: Vec<libc::pollfd> = fds.iter().map(poll).collect();
    let time = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: as many `pollfd` as are said.
    let done = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, time) };
    if done < 0 {
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(polls.iter().map(|poll| poll.revents).collect())
}

/// What the kernel leaves to a device, or does for it (linux/ethtool.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Offload {
    /// Checksums on sending.
    Checksums = 0x17,
    /// Cutting TCP streams into segments.
    Segments = 0x1f,
    /// Cutting anything into segments, by the kernel itself, late.
    LateSegments = 0x24,
    /// Putting segments together on arrival (GRO).
    Merging = 0x2c,
}

/// Switches something of a device of this thread's namespace on or off.
pub fn offload(device: &str, offload: Offload, on: bool) -> Result<()> {
    ethtool(device, offload as u32, u32::from(on)).map(drop)
}

/// Leaves VLAN tags in the frames of a device of this thread's namespace, where they stand on a wire, and not beside them.
pub fn tags_inside(device: &str) -> Result<()> {
    const GET_FLAGS: u32 = 0x25;
    const SET_FLAGS: u32 = 0x26;
    /// `ETH_FLAG_TXVLAN`, `ETH_FLAG_RXVLAN`
    const BESIDE: u32 = 1 << 7 | 1 << 8;
    let flags = ethtool(device, GET_FLAGS, 0)?;
    ethtool(device, SET_FLAGS, flags & !BESIDE).map(drop)
}

/// Queues that a device of this thread's namespace receives into; `None` where its driver does not tell.
pub fn queues(device: &str) -> Option<u32> {
    const GET_CHANNELS: u32 = 0x3c;
    /// `struct ethtool_channels` (linux/ethtool.h)
    #[repr(C)]
    #[derive(Default)]
    struct Channels {
        command: u32,
        most: [u32; 4],
        receiving: u32,
        sending: u32,
        other: u32,
        combined: u32,
    }
    let mut channels = Channels {
        command: GET_CHANNELS,
        ..Channels::default()
    };
    ask(device, &mut channels).ok()?;
    Some(channels.combined + channels.receiving).filter(|queues| *queues > 0)
}

/// Asks a device something, or tells it.
fn ethtool(device: &str, command: u32, data: u32) -> Result<u32> {
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let mut value = Value { command, data };
    ask(device, &mut value)?;
    Ok(value.data)
}

/// Hands a device a request that begins with its command, and has it filled.
fn ask<Request>(device: &str, value: &mut Request) -> Result<()> {
    const SIOCETHTOOL: libc::c_ulong = 0x8946;
    // SAFETY: plain system calls; the request and what it points to outlive them, zeros are an empty request.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(socket);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(device.bytes().take(15)) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = std::ptr::from_mut(value).cast();
        if libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) < 0 {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// Time that this thread has had a CPU.
pub fn cpu_time() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Time that the threads of this process have had a CPU.
pub fn process_time() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(clock: libc::clockid_t) -> Duration {
    // SAFETY: a plain system call that fills the answer; zeros are one, too.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(clock, &raw mut time);
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Columns of the terminal that standard output is; `None` where it is none.
pub fn columns() -> Option<u16> {
    // SAFETY: a plain system call; zeros are an empty answer, which it fills.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) == 0).then_some(size)
    };
    size.map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// The user that this process acts as.
pub fn user() -> u32 {
    // SAFETY: a plain system call.
    unsafe { libc::geteuid() }
}

/// Keeps this thread on one CPU until the answer is dropped: on this one, or where it may not run there, on the one on which
/// it is.
pub fn on_cpu(wanted: usize) -> OnCpu {
    // SAFETY: the sets are ours, of the size that is said; zeros are an empty set.
    unsafe {
        let mut before: libc::cpu_set_t = std::mem::zeroed();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        let known = libc::sched_getaffinity(0, size, &raw mut before) == 0;
        libc::CPU_SET(wanted, &mut one);
        let cpu = if libc::sched_setaffinity(0, size, &raw const one) == 0 {
            wanted
        } else {
            let cpu = libc::sched_getcpu().max(0) as usize;
            libc::CPU_ZERO(&mut one);
            libc::CPU_SET(cpu, &mut one);
            libc::sched_setaffinity(0, size, &raw const one);
            cpu
        };
        let before = known.then_some(before);
        OnCpu { cpu, before }
    }
}

/// The CPU on which this thread runs, and those on which it runs again when this is dropped.
#[must_use]
pub struct OnCpu {
    /// Its number.
    pub cpu: usize,
    before: Option<libc::cpu_set_t>,
}

impl Drop for OnCpu {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let size = size_of::<libc::cpu_set_t>();
            // SAFETY: a set that the kernel gave.
            unsafe { libc::sched_setaffinity(0, size, std::ptr::from_ref(before)) };
        }
    }
}

/// Gives an open file a name that nothing has yet; the file may be one that was made without a name.
pub fn link(file: &File, path: &Path) -> Result<()> {
    let from = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both paths are only read.
    let done = unsafe {
        libc::linkat(
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    if done < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(())
    }
}

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
