//! `AF_XDP` sockets (`linux/if_xdp.h`, `Documentation/networking/af_xdp.rst`): memory that is shared with the kernel, divided into
//! chunks, and four rings of each socket by which chunks go to and fro. Knows no frame and no engine.
//!
//! A chunk is named by its offset in the memory (bytes). It belongs to the kernel from [`Socket::offer`] until
//! [`Socket::take`], and from [`Socket::send`] until [`Socket::sent`]; else it is ours.

use std::io::{Error, ErrorKind, Result};
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{FRAMES, FrameMemory};

/// What of a chunk the kernel keeps free in front of a frame (bytes): `XDP_PACKET_HEADROOM` (linux/bpf.h).
pub const HEADROOM: u32 = 256;
/// Places in each ring, a power of two.
const RING: u32 = 2048;
/// Socket options that libc does not name everywhere (asm-generic/socket.h).
const SO_BUSY_POLL: i32 = 46;
const SO_PREFER_BUSY_POLL: i32 = 69;
const SO_BUSY_POLL_BUDGET: i32 = 70;
/// Frames that one busy poll of the driver takes at most.
const BUDGET: i32 = 64;
/// The kernel sends so many frames in a call at most (net/xdp/xsk.c, `TX_BATCH_SIZE`): a full ring needs several.
const SENT_AT_ONCE: u32 = 32;
/// The time between two tries to have a queue that somebody else has.
const GLANCE: Duration = Duration::from_millis(5);

/// Whether frames are copied between device and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The kernel copies them.
    Copy,
    /// The device reads and writes the memory itself.
    ZeroCopy,
}

impl Transfer {
    /// As people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Transfer::Copy => "copy",
            Transfer::ZeroCopy => "zero-copy",
        }
    }

    const fn flag(self) -> u16 {
        match self {
            Transfer::Copy => libc::XDP_COPY,
            Transfer::ZeroCopy => libc::XDP_ZEROCOPY,
        }
    }
}

/// Memory that sockets share with the kernel, all of it divided into chunks.
#[derive(Clone)]
pub struct Umem {
    memory: Arc<dyn FrameMemory>,
    chunk: u32,
}

impl Umem {
    /// The memory in chunks of so many bytes: 2048 or 4096. What is left at its end is not used.
    pub fn new(memory: Arc<dyn FrameMemory>, chunk: u32) -> Umem {
        Umem { memory, chunk }
    }

    /// Size of a chunk (bytes).
    pub fn chunk(&self) -> u32 {
        self.chunk
    }

    /// Number of chunks.
    pub fn chunks(&self) -> u32 {
        FRAMES / self.chunk
    }
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The device's index.
    pub device: u32,
    /// The device's queue.
    pub queue: u32,
    /// How frames are moved; `None` leaves it to the kernel, which copies where the device cannot do without.
    pub transfer: Option<Transfer>,
    /// So long the driver is polled while there is no frame.
    pub busy: Option<Duration>,
    /// Until then a queue that another socket has is waited for: the kernel gives it back some time after that one was closed
    /// (`net/xdp/xsk_buff_pool.c`, `xp_put_pool`).
    pub until: Instant,
}

/// A frame in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// First byte, from the memory's begin.
    pub at: u64,
    /// Length (bytes).
    pub length: u32,
}

/// A socket of one queue of one device.
pub struct Socket {
    fill: Ring<u64>,
    sent: Ring<u64>,
    arrived: Ring<libc::xdp_desc>,
    send: Ring<libc::xdp_desc>,
    is_busy: bool,
    fd: Handle,
    /// The memory stays where it is while the kernel writes it.
    _umem: Umem,
}

// SAFETY: the rings belong to the socket alone; `&mut self` guards our ends of them.
unsafe impl Send for Socket {}

impl Socket {
    /// Opens a socket on a device of the calling thread's network namespace; it stays there. Those of one memory share it
    /// with the first. `EBUSY` where another socket has the queue still when the time is over.
    pub fn open(umem: &Umem, first: Option<&Socket>, options: Options) -> Result<Socket> {
        // SAFETY: plain system call.
        let fd = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        if first.is_none() {
            let request = libc::xdp_umem_reg {
                addr: umem.memory.begin() as u64,
                len: u64::from(umem.chunks()) * u64::from(umem.chunk),
                chunk_size: umem.chunk,
                headroom: 0,
                flags: 0,
                tx_metadata_len: 0,
            };
            set(&fd, libc::SOL_XDP, libc::XDP_UMEM_REG, &request)?;
        }
        for ring in [
            libc::XDP_UMEM_FILL_RING,
            libc::XDP_UMEM_COMPLETION_RING,
            libc::XDP_RX_RING,
            libc::XDP_TX_RING,
        ] {
            set(&fd, libc::SOL_XDP, ring, &RING)?;
        }
        if let Some(busy) = options.busy {
            let time = i32::try_from(busy.as_micros()).unwrap_or(i32::MAX);
            for (name, value) in [
                (SO_PREFER_BUSY_POLL, 1),
                (SO_BUSY_POLL, time),
                (SO_BUSY_POLL_BUDGET, BUDGET),
            ] {
                set(&fd, libc::SOL_SOCKET, name, &value)?;
            }
        }
        let offsets: libc::xdp_mmap_offsets = get(&fd, libc::XDP_MMAP_OFFSETS)?;
        let at = |offset: libc::c_ulonglong| offset as i64;
        let socket = Socket {
            fill: Ring::map(&fd, at(libc::XDP_UMEM_PGOFF_FILL_RING), offsets.fr)?,
            sent: Ring::map(&fd, at(libc::XDP_UMEM_PGOFF_COMPLETION_RING), offsets.cr)?,
            arrived: Ring::map(&fd, libc::XDP_PGOFF_RX_RING, offsets.rx)?,
            send: Ring::map(&fd, libc::XDP_PGOFF_TX_RING, offsets.tx)?,
            is_busy: options.busy.is_some(),
            fd: Handle(Arc::new(fd)),
            _umem: umem.clone(),
        };
        socket.bind(first, options)?;
        Ok(socket)
    }

    fn bind(&self, first: Option<&Socket>, options: Options) -> Result<()> {
        // How frames are moved is the first one's choice, for all that share its memory.
        let (flags, shared) = if let Some(first) = first {
            (libc::XDP_SHARED_UMEM, first.fd.as_raw_fd() as u32)
        } else {
            let transfer = options.transfer.map_or(0, Transfer::flag);
            (libc::XDP_USE_NEED_WAKEUP | transfer, 0)
        };
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: flags,
            sxdp_ifindex: options.device,
            sxdp_queue_id: options.queue,
            sxdp_shared_umem_fd: shared,
        };
        loop {
            // SAFETY: the address is of the size that is said.
            let done = unsafe {
                libc::bind(
                    self.fd.as_raw_fd(),
                    (&raw const address).cast(),
                    size_of::<libc::sockaddr_xdp>() as u32,
                )
            };
            if done >= 0 {
                return Ok(());
            }
            let error = Error::last_os_error();
            let left = options.until.saturating_duration_since(Instant::now());
            if error.raw_os_error() != Some(libc::EBUSY) || left.is_zero() {
                return Err(error);
            }
            thread::sleep(GLANCE.min(left));
        }
    }

    /// How frames are moved.
    pub fn transfer(&self) -> Result<Transfer> {
        let options: libc::xdp_options = get(&self.fd.0, libc::XDP_OPTIONS)?;
        Ok(if options.flags & libc::XDP_OPTIONS_ZEROCOPY == 0 {
            Transfer::Copy
        } else {
            Transfer::ZeroCopy
        })
    }

    /// Gives the kernel chunks for frames to come, until it has `most`.
    pub fn offer(&mut self, free: &mut Vec<u32>, most: u32) {
        while self.fill.used() < most.min(RING) {
            let Some(chunk) = free.pop() else {
                break;
            };
            self.fill.push(u64::from(chunk));
        }
        self.fill.publish();
    }

    /// Takes the next frame, if there is one, with its chunk.
    pub fn take(&mut self) -> Option<Frame> {
        let found = self.arrived.pop()?;
        Some(Frame {
            at: found.addr,
            length: found.len,
        })
    }

    /// Puts a frame of ours among those to be sent by [`Socket::flush`], unless there are `most`; tells whether it did. The
    /// frame lies in one chunk.
    pub fn send(&mut self, frame: Frame, most: u32) -> bool {
        if self.send.used() >= most.min(RING) {
            return false;
        }
        self.send.push(libc::xdp_desc {
            addr: frame.at,
            len: frame.length,
            options: 0,
        });
        true
    }

    /// Has the kernel send what is to be sent; what it cannot send now stays until the next call.
    pub fn flush(&mut self) -> Result<()> {
        self.send.publish();
        let mut calls = RING / SENT_AT_ONCE + 1;
        while calls > 0 && self.send.used() > 0 && self.send.needs_wakeup() {
            calls -= 1;
            let before = self.send.used();
            // SAFETY: an empty message without an address.
            let done = unsafe {
                libc::sendto(
                    self.fd.as_raw_fd(),
                    std::ptr::null(),
                    0,
                    libc::MSG_DONTWAIT,
                    std::ptr::null(),
                    0,
                )
            };
            if done < 0 {
                passing(Error::last_os_error())?;
                if self.send.used() == before {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A frame that was sent, so that its chunk is ours again.
    pub fn sent(&mut self) -> Option<u64> {
        self.sent.pop()
    }

    /// Has the driver look for frames, where it does so only on demand.
    pub fn look(&self) -> Result<()> {
        if !self.is_busy && !self.fill.needs_wakeup() {
            return Ok(());
        }
        // SAFETY: nothing is received into nothing.
        let done = unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                std::ptr::null_mut(),
                0,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
        if done < 0 {
            return passing(Error::last_os_error());
        }
        Ok(())
    }

    /// Waits until one of the sockets has a frame or the time is over.
    pub fn wait<'a>(sockets: impl IntoIterator<Item = &'a Socket>, time: Duration) -> Result<()> {
        let fds: Vec<i32> = sockets
            .into_iter()
            .map(|socket| socket.fd.as_raw_fd())
            .collect();
        super::poll(&fds, time).map(drop)
    }

    /// The socket for others.
    pub fn handle(&self) -> Handle {
        self.fd.clone()
    }
}

/// A socket as others than its owner know it: those who give it packets, and who ask what it has lost. It stays open until
/// the last one lets go of it.
#[derive(Clone)]
pub struct Handle(Arc<OwnedFd>);

impl Handle {
    /// Frames that the kernel dropped for want of a chunk or a place, or that were too long for a chunk; since it was opened.
    pub fn dropped(&self) -> u64 {
        let statistics: Result<libc::xdp_statistics> = get(&self.0, libc::XDP_STATISTICS);
        statistics.map_or(0, |found| found.rx_dropped + found.rx_ring_full)
    }
}

impl AsRawFd for Handle {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// A full queue, a link that is down or gone (which others watch): the next frame may go.
fn passing(error: Error) -> Result<()> {
    let passes = error.kind() == ErrorKind::Interrupted
        || error.kind() == ErrorKind::WouldBlock
        || matches!(
            error.raw_os_error(),
            Some(libc::EBUSY | libc::ENOBUFS | libc::ENETDOWN | libc::ENXIO)
        );
    if passes { Ok(()) } else { Err(error) }
}

fn set<T>(fd: &OwnedFd, level: i32, name: i32, value: &T) -> Result<()> {
    // SAFETY: `value` is as long as is said.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as u32,
        )
    };
    if done < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(())
    }
}

/// An option of plain numbers.
fn get<T>(fd: &OwnedFd, name: i32) -> Result<T> {
    let mut size = size_of::<T>() as u32;
    // SAFETY: what is asked for are structures of numbers, for which zeros are a value; the kernel writes `size` bytes at most.
    unsafe {
        let mut value: T = std::mem::zeroed();
        let done = libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_XDP,
            name,
            (&raw mut value).cast(),
            &raw mut size,
        );
        if done < 0 {
            return Err(Error::last_os_error());
        }
        Ok(value)
    }
}

/// A ring of which one end is ours. Both ends are numbers that count up and wrap; each is written by one side alone.
struct Ring<T> {
    map: *mut u8,
    length: usize,
    offsets: libc::xdp_ring_offset,
    /// Our end, before it is published.
    own: u32,
    entry: std::marker::PhantomData<T>,
}

impl<T: Copy> Ring<T> {
    fn map(fd: &OwnedFd, at: i64, offsets: libc::xdp_ring_offset) -> Result<Ring<T>> {
        let length = offsets.desc as usize + RING as usize * size_of::<T>();
        // SAFETY: a new mapping at a place that the kernel chooses.
        let map = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                fd.as_raw_fd(),
                at,
            )
        };
        if map == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        Ok(Ring {
            map: map.cast(),
            length,
            offsets,
            own: 0,
            entry: std::marker::PhantomData,
        })
    }

    fn word(&self, offset: u64) -> &AtomicU32 {
        // SAFETY: the kernel says where the word stands in the mapping, which lives as long as the ring.
        unsafe { AtomicU32::from_ptr(self.map.add(offset as usize).cast()) }
    }

    fn entry(&self, number: u32) -> *mut T {
        let index = (number & (RING - 1)) as usize;
        // SAFETY: a place of the ring, inside the mapping.
        unsafe {
            self.map
                .add(self.offsets.desc as usize)
                .cast::<T>()
                .add(index)
        }
    }

    /// Of a ring that we fill: entries that the kernel has not taken.
    fn used(&self) -> u32 {
        let taken = self.word(self.offsets.consumer).load(Ordering::Acquire);
        self.own.wrapping_sub(taken)
    }

    /// Writes an entry; there must be a free place.
    fn push(&mut self, value: T) {
        // SAFETY: a place that is ours until it is published.
        unsafe { self.entry(self.own).write(value) };
        self.own = self.own.wrapping_add(1);
    }

    /// Gives the kernel what was written.
    fn publish(&self) {
        let producer = self.word(self.offsets.producer);
        producer.store(self.own, Ordering::Release);
    }

    /// Of a ring that the kernel fills: its next entry.
    fn pop(&mut self) -> Option<T> {
        let filled = self.word(self.offsets.producer).load(Ordering::Acquire);
        if filled == self.own {
            return None;
        }
        // SAFETY: the kernel has filled the place, and leaves it alone until we give it back.
        let value = unsafe { self.entry(self.own).read() };
        self.own = self.own.wrapping_add(1);
        let consumer = self.word(self.offsets.consumer);
        consumer.store(self.own, Ordering::Release);
        Some(value)
    }

    fn needs_wakeup(&self) -> bool {
        let flags = self.word(self.offsets.flags).load(Ordering::Relaxed);
        flags & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made; nobody else has it.
        unsafe { libc::munmap(self.map.cast(), self.length) };
    }
}
