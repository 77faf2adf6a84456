//! Frames of devices by way of `AF_XDP`: the kernel writes them where the engine decides them, and sends them from there.
//!
//! The engine's memory for frames is the memory that the sockets share with the kernel, a chunk of it is a packet's room. A
//! chunk is always in one of four hands: free, the kernel's (offered for a frame, or to be sent), or with the batch that is
//! decided. Which packets come here is said by a program on the device: [`crate::engine::xdp::steer`]. Frames are as they
//! were on the wire; nothing is known of them beside their bytes.

use std::collections::VecDeque;
use std::io::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{Device, FrameMemory, Packet, Room};
use lvsc_abi::object::QUEUES as STEERED;

use crate::io::af_packet::Offload;
use crate::io::{Inbox, Received, Sent, Sink, Source};
use crate::sys::xsk::{Frame, HEADROOM, Handle, Options, Socket, Transfer, Umem};

/// The most sockets of one memory: each is to have room for a burst of some hundred frames.
pub const QUEUES: u32 = 16;
/// The larger of the two sizes of a chunk that the kernel takes; the other is half of it (bytes).
const CHUNK: u32 = 4096;
/// The longest frame (bytes).
pub const FRAME_MAX: u32 = CHUNK - HEADROOM;
/// What stands before and behind what a device's MTU counts: addresses, two tags and the type (bytes).
const AROUND: u32 = 12 + 4 + 4 + 2;
/// So long queues are waited for, all together, that sockets have which were closed just before: as after a restart.
const PATIENCE: Duration = Duration::from_secs(2);

/// What to type where frames cannot be shared.
pub const PLAIN: &str = "`--io af_packet` needs no AF_XDP";

/// How sockets are opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ways {
    /// How frames are moved; `None`: without copying where every device can.
    pub transfer: Option<Transfer>,
    /// So long the driver is polled while there is no frame, instead of waiting for its interrupt.
    pub busy: Option<Duration>,
}

/// A device.
#[derive(Clone, Copy, Debug)]
pub struct Port<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its MTU (bytes).
    pub mtu: u32,
}

/// Why no sockets can be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Frames of this MTU are longer than a chunk.
    #[error(
        "frames of an MTU of {mtu} bytes are longer than AF_XDP moves in one piece ({FRAME_MAX} bytes)"
    )]
    Long {
        /// The MTU.
        mtu: u32,
    },
    /// More queues than sockets can be had.
    #[error(
        "the devices have more than {QUEUES} queues for a thread, and every one needs a socket"
    )]
    Queues,
    /// Somebody else has a queue, and does not let go of it.
    #[error(
        "queue {queue} of `{device}` has a socket of another process, still after {patience} s",
        patience = PATIENCE.as_secs()
    )]
    Held {
        /// The device's name.
        device: String,
        /// The queue.
        queue: u32,
    },
    /// What the kernel says.
    #[error("no AF_XDP socket: {source}")]
    Socket {
        /// Its error.
        source: Error,
    },
}

impl OpenError {
    /// What to type, where that is known.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            OpenError::Long { .. } => PLAIN.to_owned(),
            OpenError::Queues => {
                format!("fewer: `sudo ethtool -L DEVICE combined N`; or more `--threads`; {PLAIN}")
            }
            OpenError::Held { .. } => {
                format!("`sudo ss --xdp -ap` says which process: end it; or {PLAIN}")
            }
            OpenError::Socket { source } => match source.raw_os_error() {
                Some(libc::EPERM) => "run it with `sudo`".to_owned(),
                Some(libc::ENOBUFS) => {
                    "raise the limit of locked memory: `ulimit -l unlimited`".to_owned()
                }
                Some(libc::EOPNOTSUPP) => {
                    "the device copies frames: leave `--transfer zero-copy` out".to_owned()
                }
                Some(libc::EAFNOSUPPORT) => {
                    format!("a kernel with CONFIG_XDP_SOCKETS; {PLAIN}")
                }
                _ => return crate::io::exhausted(source).map(str::to_owned),
            },
        })
    }
}

/// The sockets of one thread, over its engine's frames: one for each of its queues of each device.
pub struct Sockets {
    umem: Umem,
    /// By the number of the interface, then by queue, those of the other threads left out.
    ports: Vec<Vec<Socket>>,
    free: Vec<u32>,
    /// Chunks of the batch that is decided, in its order, without those before the last one that was sent.
    lent: VecDeque<u32>,
    /// The most chunks that a socket has for frames to come, and as many for frames to be sent.
    share: u32,
    /// The socket that is looked at first.
    next: usize,
    busy: Option<Duration>,
}

impl Sockets {
    /// Opens a socket for each queue of the devices, in the manifest's order, in the calling thread's namespace. The queues
    /// of each device are dealt out to the threads, one memory for each.
    pub fn open(
        memories: &[Arc<dyn FrameMemory>],
        ports: &[Port<'_>],
        ways: Ways,
    ) -> std::result::Result<Vec<Sockets>, OpenError> {
        let mtu = ports.iter().map(|port| port.mtu).max().unwrap_or_default();
        let longest = mtu + AROUND + HEADROOM;
        let chunk = if longest <= CHUNK / 2 {
            CHUNK / 2
        } else {
            CHUNK
        };
        if longest > CHUNK {
            return Err(OpenError::Long { mtu });
        }
        let umems = memories.iter().cloned();
        let umems: Vec<Umem> = umems.map(|memory| Umem::new(memory, chunk)).collect();
        let until = Instant::now() + PATIENCE;
        let opened = bind_all(&umems, ports, ways, until);
        let opened = match (opened, ways.transfer) {
            // One device without may stand behind one that can do without copying.
            (Err(OpenError::Socket { .. }), None) if ports.len() > 1 => {
                let transfer = Some(Transfer::Copy);
                bind_all(&umems, ports, Ways { transfer, ..ways }, until)
            }
            (opened, _) => opened,
        }?;
        let each = umems.into_iter().zip(opened);
        Ok(each
            .map(|(umem, ports)| Sockets::of(umem, ports, ways.busy))
            .collect())
    }

    fn of(umem: Umem, ports: Vec<Vec<Socket>>, busy: Option<Duration>) -> Sockets {
        let count = ports.iter().map(Vec::len).sum::<usize>().max(1);
        let mut sockets = Sockets {
            free: (0..umem.chunks())
                .rev()
                .map(|number| number * umem.chunk())
                .collect(),
            share: umem.chunks() / 2 / count as u32,
            umem,
            ports,
            lent: VecDeque::new(),
            next: 0,
            busy,
        };
        sockets.offer();
        sockets
    }

    /// Waits until there is a frame, `time` at most; not at all where the driver is asked all the time.
    pub fn wait(&self, time: Duration) -> Result<()> {
        if self.busy.is_some() {
            return Ok(());
        }
        Socket::wait(self.ports.iter().flatten(), time)
    }

    /// How frames are moved.
    pub fn transfer(&self) -> Result<Transfer> {
        let mut each = self.ports.iter().flatten().map(Socket::transfer);
        // All that share a memory move frames alike.
        each.next().unwrap_or(Ok(Transfer::Copy))
    }

    /// Takes back what was sent and what the batch before left, and gives the kernel room for frames to come.
    fn offer(&mut self) {
        let chunk_of = !u64::from(self.umem.chunk() - 1);
        for socket in self.ports.iter_mut().flatten() {
            while let Some(at) = socket.sent() {
                self.free.push((at & chunk_of) as u32);
            }
        }
        self.free.extend(self.lent.drain(..));
        for socket in self.ports.iter_mut().flatten() {
            socket.offer(&mut self.free, self.share);
        }
    }

    fn drain(&mut self, inbox: &mut Inbox<'_, Offload>) {
        let size = self.umem.chunk();
        let sockets = (0_u8..).zip(&mut self.ports);
        let mut sockets: Vec<(u8, &mut Socket)> = sockets
            .flat_map(|(interface, queues)| {
                queues.iter_mut().map(move |socket| (interface, socket))
            })
            .collect();
        // Another one is the first each time, so that a busy queue does not starve the others.
        let count = sockets.len().max(1);
        sockets.rotate_left(self.next % count);
        self.next = (self.next + 1) % count;
        for (interface, socket) in sockets {
            while !inbox.is_full() {
                let Some(frame) = socket.take() else {
                    break;
                };
                let offset = frame.at as u32 & !(size - 1);
                self.lent.push_back(offset);
                let room = Room { offset, size };
                let packet = Packet {
                    start: frame.at as u32 - offset,
                    ..Packet::arrived(room, frame.length as u16, interface)
                };
                inbox.place(packet, Offload::default());
            }
        }
    }
}

/// The sockets of this device, by queue, of all threads.
pub fn by_queue(all: &[Sockets], device: usize) -> Vec<Handle> {
    let queues = 0_usize..;
    let socket = |queue: usize| {
        let sockets = all.get(queue % all.len().max(1))?;
        let socket = sockets.ports.get(device)?.get(queue / all.len())?;
        Some(socket.handle())
    };
    queues.map_while(socket).collect()
}

/// A socket for each queue, by memory and device: the kernel refuses the number behind the last one.
fn bind_all(
    umems: &[Umem],
    ports: &[Port<'_>],
    ways: Ways,
    until: Instant,
) -> std::result::Result<Vec<Vec<Vec<Socket>>>, OpenError> {
    let mut opened = Vec::new();
    for (first, umem) in umems.iter().enumerate() {
        let mut own: Vec<Vec<Socket>> = Vec::new();
        for port in ports {
            let before = own.iter().map(Vec::len).sum::<usize>();
            let mut queues: Vec<Socket> = Vec::new();
            for queue in (first as u32..).step_by(umems.len()) {
                let options = Options {
                    device: port.device.index,
                    queue,
                    transfer: ways.transfer,
                    busy: ways.busy,
                    until,
                };
                let shares = own.iter().flatten().chain(&queues).next();
                match Socket::open(umem, shares, options) {
                    Ok(_) if before + queues.len() >= QUEUES as usize || queue >= STEERED => {
                        return Err(OpenError::Queues);
                    }
                    Ok(socket) => queues.push(socket),
                    Err(error)
                        if !queues.is_empty() && error.raw_os_error() == Some(libc::EINVAL) =>
                    {
                        break;
                    }
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        let device = port.device.name.clone();
                        return Err(OpenError::Held { device, queue });
                    }
                    Err(source) => return Err(OpenError::Socket { source }),
                }
            }
            own.push(queues);
        }
        opened.push(own);
    }
    Ok(opened)
}

impl Source for Sockets {
    type Meta = Offload;

    fn receive(&mut self, wait: Duration, inbox: &mut Inbox<'_, Offload>) -> Result<Received> {
        let begin = Instant::now();
        loop {
            self.offer();
            for socket in self.ports.iter().flatten() {
                socket.look()?;
            }
            self.drain(inbox);
            if !inbox.is_empty() || begin.elapsed() >= wait {
                return Ok(Received::More);
            }
            self.wait(wait.saturating_sub(begin.elapsed()))?;
        }
    }
}

impl Sink<Offload> for Sockets {
    fn send(&mut self, packet: &Packet, _: &Offload, _: &[u8]) -> Result<Sent> {
        let chunk = packet.room.offset;
        // Packets are sent in their order: those before this one are done with.
        while let Some(lent) = self.lent.pop_front().filter(|lent| *lent != chunk) {
            self.free.push(lent);
        }
        let frame = Frame {
            at: u64::from(chunk + packet.start),
            length: packet.length.into(),
        };
        let queues = self.ports.get_mut(usize::from(packet.interface));
        let socket = queues.and_then(|queues| queues.first_mut());
        if socket.is_some_and(|socket| socket.send(frame, self.share)) {
            return Ok(Sent::Gone);
        }
        self.free.push(chunk);
        Ok(Sent::Lost)
    }

    fn flush(&mut self) -> Result<()> {
        let mut sockets = self.ports.iter_mut().flatten();
        sockets.try_for_each(Socket::flush)
    }
}
