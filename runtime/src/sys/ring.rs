//! An `AF_PACKET` socket with a `TPACKET_V2` receive ring and virtio-net headers (packet(7),
//! `Documentation/networking/packet_mmap.rst`). Knows frames and their metadata, not what they mean.

use std::io::{Error, ErrorKind, Result};
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Size of `struct virtio_net_hdr` (bytes).
pub const VNET: usize = 10;
/// The frame was sent to another station or is our own: `sll_pkttype` other than this is not for us.
pub const PACKET_HOST: u8 = 0;
/// `sll_pkttype` of a frame that this host sent.
pub const PACKET_OUTGOING: u8 = 4;
/// All protocols, network byte order is the kernel's to make.
pub const ETH_P_ALL: u16 = 3;

const SOL_PACKET: i32 = 263;
const PACKET_RX_RING: i32 = 5;
const PACKET_STATISTICS: i32 = 6;
const PACKET_VERSION: i32 = 10;
const PACKET_VNET_HDR: i32 = 15;
const PACKET_IGNORE_OUTGOING: i32 = 23;
const SO_ATTACH_FILTER: i32 = 26;
const TPACKET_V2: i32 = 1;
const STATUS_USER: u32 = 1;
const STATUS_VLAN_VALID: u32 = 1 << 4;
const STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
/// The `sockaddr_ll` stands behind the 32 bytes of `struct tpacket2_hdr`; the packet type is its byte 10.
const PACKET_TYPE: usize = 32 + 10;

/// Which frames a socket takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All that there are.
    All,
    /// Those of this Ethernet type (host order), whatever VLAN tag the kernel took out. A socket that is bound to the
    /// type is given such frames only after the kernel has thrown the tag away.
    Type(u16),
    /// Those of at most so many bytes.
    Short(u32),
    /// Those of more bytes.
    Long(u32),
}

impl Only {
    /// The filter as a classic BPF program (`Documentation/networking/filter.rst`); none lets all through.
    fn program(self) -> Option<[libc::sock_filter; 4]> {
        const LENGTH: u16 = 0x80; // ld len
        const HALF: u16 = 0x28; // ldh [k]
        const EQUAL: u16 = 0x15; // jeq #k
        const GREATER: u16 = 0x25; // jgt #k
        const RETURN: u16 = 0x06; // ret #k
        const TYPE_AT: u32 = 12;
        let (load, at, jump, k, taken) = match self {
            Only::All => return None,
            Only::Type(kind) => (HALF, TYPE_AT, EQUAL, u32::from(kind), true),
            Only::Short(most) => (LENGTH, 0, GREATER, most, false),
            Only::Long(most) => (LENGTH, 0, GREATER, most, true),
        };
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        Some([
            step(load, 0, 0, at),
            step(jump, u8::from(!taken), u8::from(taken), k),
            step(RETURN, 0, 0, u32::MAX),
            step(RETURN, 0, 0, 0),
        ])
    }
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The interface's index.
    pub index: u32,
    /// Which frames it takes; a socket without slots takes none.
    pub only: Only,
    /// With a virtio-net header before each frame: offloaded checksums and segmentation are said, not guessed.
    pub vnet: bool,
    /// Without the frames that this host sends.
    pub ignore_outgoing: bool,
    /// Size of a ring slot (bytes), a multiple of 16; longer frames are cut.
    pub frame: u32,
    /// Number of ring slots; 0 for a socket that only sends.
    pub frames: u32,
}

/// A frame as the kernel hands it over.
pub struct Frame<'a> {
    /// The virtio-net header; empty without one.
    pub vnet: &'a [u8],
    /// The bytes that were kept.
    pub bytes: &'a [u8],
    /// Length of the frame on the wire.
    pub length: u32,
    /// `sll_pkttype`.
    pub kind: u8,
    /// A VLAN tag that the kernel took out: `{TPID, TCI}`.
    pub tag: Option<(u16, u16)>,
    /// Time of arrival since the epoch.
    pub time: Duration,
}

/// The socket and its ring.
pub struct Ring {
    fd: OwnedFd,
    map: *mut u8,
    size: usize,
    options: Options,
    /// Size of a block (bytes), and the slots in one.
    block: (u32, u32),
    next: u32,
}

// SAFETY: the mapping belongs to the socket alone; `&mut self` guards the cursor.
unsafe impl Send for Ring {}

#[repr(C)]
struct RingRequest {
    block_size: u32,
    block_count: u32,
    frame_size: u32,
    frame_count: u32,
}

impl Ring {
    /// Opens a socket on an interface of the calling thread's network namespace; it stays there.
    pub fn open(options: Options) -> Result<Ring> {
        // Protocol 0: nothing is queued before `bind`, so no frame of another interface slips in.
        // SAFETY: plain system call.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut ring = Ring {
            fd,
            map: std::ptr::null_mut(),
            size: 0,
            options,
            block: (0, 1),
            next: 0,
        };
        ring.set(PACKET_VERSION, &TPACKET_V2)?;
        if options.vnet {
            ring.set(PACKET_VNET_HDR, &1_i32)?;
        }
        if options.ignore_outgoing {
            ring.set(PACKET_IGNORE_OUTGOING, &1_i32)?;
        }
        if options.frames > 0 {
            ring.filter()?;
            ring.map()?;
        }
        ring.bind()?;
        Ok(ring)
    }

    fn filter(&self) -> Result<()> {
        let Some(mut steps) = self.options.only.program() else {
            return Ok(());
        };
        let program = libc::sock_fprog {
            len: steps.len() as u16,
            filter: steps.as_mut_ptr(),
        };
        self.set_at(libc::SOL_SOCKET, SO_ATTACH_FILTER, &program)
    }

    fn set<T>(&self, name: i32, value: &T) -> Result<()> {
        self.set_at(SOL_PACKET, name, value)
    }

    fn set_at<T>(&self, level: i32, name: i32, value: &T) -> Result<()> {
        let size = size_of::<T>() as u32;
        // SAFETY: `value` is `size` bytes; what it points to lives until the call returns.
        let done = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                name,
                std::ptr::from_ref(value).cast(),
                size,
            )
        };
        if done < 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    fn map(&mut self) -> Result<()> {
        let Options { frame, frames, .. } = self.options;
        // Blocks are whole pages, a power of two of them; with a few slots in each little is lost to rounding.
        let block = (frame * 8).next_power_of_two().max(4096);
        let each = block / frame;
        let blocks = frames.div_ceil(each);
        self.options.frames = blocks * each;
        self.block = (block, each);
        let request = RingRequest {
            block_size: block,
            block_count: blocks,
            frame_size: frame,
            frame_count: blocks * each,
        };
        self.set(PACKET_RX_RING, &request)?;
        self.size = block as usize * blocks as usize;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of the ring that was just made.
        let map = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                self.size,
                protection,
                libc::MAP_SHARED,
                self.fd.as_raw_fd(),
                0,
            )
        };
        if map == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        self.map = map.cast();
        Ok(())
    }

    fn bind(&self) -> Result<()> {
        // SAFETY: all zero is a valid `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = if self.options.frames > 0 {
            ETH_P_ALL.to_be()
        } else {
            0
        };
        address.sll_ifindex = self.options.index as i32;
        let size = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: `address` is `size` bytes.
        let done = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size,
            )
        };
        if done < 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Waits until one of the rings has a frame or the time is over.
    pub fn wait<'a>(rings: impl IntoIterator<Item = &'a Ring>, time: Duration) -> Result<()> {
        let rings: Vec<&Ring> = rings.into_iter().collect();
        let fds: Vec<i32> = rings.iter().map(|ring| ring.fd.as_raw_fd()).collect();
        let events = super::poll(&fds, time)?;
        let failed = rings.iter().zip(events);
        let mut failed = failed.filter(|(_, events)| events & libc::POLLERR != 0);
        failed.try_for_each(|(ring, _)| ring.pending_error())
    }

    fn pending_error(&self) -> Result<()> {
        let mut error = 0_i32;
        let mut size = size_of::<i32>() as u32;
        // SAFETY: `error` is `size` bytes.
        unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut error).cast(),
                &raw mut size,
            );
        }
        if error == 0 {
            Ok(())
        } else {
            Err(Error::from_raw_os_error(error))
        }
    }

    /// When the next frame arrived, if there is one.
    pub fn next_time(&self) -> Option<Duration> {
        let slot = self.slot()?;
        // SAFETY: the slot is the mapping's and ours until it is given back.
        unsafe {
            let word = |offset: usize| slot.add(offset).cast::<u32>().read_unaligned();
            Some(Duration::new(u64::from(word(16)), word(20)))
        }
    }

    /// The next slot, if it is ours.
    fn slot(&self) -> Option<*mut u8> {
        if self.map.is_null() {
            return None;
        }
        let (block, each) = self.block;
        let at = (self.next / each) as usize * block as usize
            + (self.next % each) as usize * self.options.frame as usize;
        // SAFETY: slots lie inside the mapping; the status word says whose a slot is.
        unsafe {
            let slot = self.map.add(at);
            let status = AtomicU32::from_ptr(slot.cast()).load(Ordering::Acquire);
            (status & STATUS_USER != 0).then_some(slot)
        }
    }

    /// Takes the next frame, if there is one.
    pub fn take<R>(&mut self, read: impl FnOnce(Frame<'_>) -> R) -> Option<R> {
        let slot = self.slot()?;
        // SAFETY: the slot is the mapping's, and ours until it is given back below. Lengths and offsets are the kernel's,
        // bounded here by the slot once more.
        unsafe {
            let status = AtomicU32::from_ptr(slot.cast());
            let flags = status.load(Ordering::Relaxed);
            let word = |offset: usize| slot.add(offset).cast::<u32>().read_unaligned();
            let half = |offset: usize| slot.add(offset).cast::<u16>().read_unaligned();
            let begin = usize::from(half(12)).min(self.options.frame as usize);
            let kept = (word(8) as usize).min(self.options.frame as usize - begin);
            let vnet = if self.options.vnet && begin >= VNET {
                std::slice::from_raw_parts(slot.add(begin - VNET), VNET)
            } else {
                &[]
            };
            let tpid = if flags & STATUS_VLAN_TPID_VALID == 0 {
                0x8100
            } else {
                half(26)
            };
            let frame = Frame {
                vnet,
                bytes: std::slice::from_raw_parts(slot.add(begin), kept),
                length: word(4),
                kind: slot.add(PACKET_TYPE).read(),
                tag: (flags & STATUS_VLAN_VALID != 0).then(|| (tpid, half(24))),
                time: Duration::new(u64::from(word(16)), word(20)),
            };
            let result = read(frame);
            status.store(0, Ordering::Release);
            self.next = (self.next + 1) % self.options.frames;
            Some(result)
        }
    }

    /// Sends a frame behind its virtio-net header (empty on a socket without one). What [`is_passing`] is no reason to end.
    pub fn send(&self, vnet: &[u8], frame: &[u8]) -> Result<()> {
        let parts = [vnet, frame].map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        // SAFETY: both parts are only read.
        let done = unsafe { libc::writev(self.fd.as_raw_fd(), parts.as_ptr(), 2) };
        if done < 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Frames that the kernel dropped for want of a free slot, since the last call.
    pub fn dropped(&self) -> u32 {
        let mut counts = [0_u32; 2];
        let mut size = size_of::<[u32; 2]>() as u32;
        // SAFETY: `counts` is `size` bytes.
        unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                SOL_PACKET,
                PACKET_STATISTICS,
                counts.as_mut_ptr().cast(),
                &raw mut size,
            );
        }
        let [_, dropped] = counts;
        dropped
    }
}

/// A full queue, a link that is down or too small for the frame: the next frame may go.
pub fn is_passing(error: &Error) -> bool {
    error.kind() == ErrorKind::Interrupted
        || error.kind() == ErrorKind::WouldBlock
        || matches!(
            error.raw_os_error(),
            Some(libc::ENOBUFS | libc::ENETDOWN | libc::EMSGSIZE | libc::EINVAL)
        )
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.map.is_null() {
            // SAFETY: the mapping that `map` made; nobody else has it.
            unsafe { libc::munmap(self.map.cast(), self.size) };
        }
    }
}
