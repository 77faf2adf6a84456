//! All frames of an interface, whole and in order, through two receive rings.
//!
//! A ring has slots of one size. Slots for the longest frame, that of an offload with its 64 KiB, would make a ring of
//! thousands of them unbearable (140 MiB for 2048), and a ring of a hundred overflows within a millisecond. So the kernel
//! sorts: frames of a link's ordinary length go into many small slots, the few long ones into large slots. Both rings say
//! when a frame arrived, and the older one is taken first.

use std::io::Result;
use std::time::Duration;

use crate::sys::ring::{Frame, Only, Options, Ring};

/// Size of a small slot (bytes), and the longest frame that has room in one beside the kernel's headers.
const SHORT_SLOT: u32 = 2048;
const SHORT: u32 = 1920;
/// Size of a large slot: the longest frame with its headers (bytes).
const LONG_SLOT: u32 = 69_632;
/// Number of slots: 8 MiB of small ones, 9 MiB of large ones.
const SHORT_SLOTS: u32 = 4096;
const LONG_SLOTS: u32 = 128;
/// Bytes of a VLAN tag.
pub const TAG: usize = 4;

/// The two rings of an interface.
pub struct Tap {
    short: Ring,
    long: Ring,
}

impl Tap {
    /// Opens the interface (kernel index) of the calling thread's network namespace, with or without the frames that
    /// this host sends.
    pub fn open(index: u32, ignore_outgoing: bool) -> Result<Tap> {
        let ring = |only, frame, frames| {
            Ring::open(Options {
                index,
                only,
                vnet: true,
                ignore_outgoing,
                frame,
                frames,
            })
        };
        Ok(Tap {
            short: ring(Only::Short(SHORT), SHORT_SLOT, SHORT_SLOTS)?,
            long: ring(Only::Long(SHORT), LONG_SLOT, LONG_SLOTS)?,
        })
    }

    /// Waits until one of the taps has a frame or the time is over.
    pub fn wait<'a>(taps: impl IntoIterator<Item = &'a Tap>, time: Duration) -> Result<()> {
        let rings = taps.into_iter().flat_map(|tap| [&tap.short, &tap.long]);
        Ring::wait(rings, time)
    }

    /// Takes the next frame, if there is one.
    pub fn take<R>(&mut self, read: impl FnOnce(Frame<'_>) -> R) -> Option<R> {
        let (short, long) = (self.short.next_time(), self.long.next_time());
        let long_first = match (short, long) {
            (None, None) => return None,
            (Some(_), None) => false,
            (Some(short), Some(long)) => long < short,
            // A short one may have come between the two looks, and before the long one.
            (None, Some(long)) => self.short.next_time().is_none_or(|short| long < short),
        };
        if long_first {
            self.long.take(read)
        } else {
            self.short.take(read)
        }
    }

    /// Sends a frame behind its virtio-net header.
    pub fn send(&self, vnet: &[u8], frame: &[u8]) -> Result<()> {
        self.short.send(vnet, frame)
    }

    /// Frames that the kernel dropped for want of a free slot, since the last call.
    pub fn dropped(&self) -> u64 {
        u64::from(self.short.dropped()) + u64::from(self.long.dropped())
    }
}

/// Puts a tag `{TPID, TCI}` back behind the addresses (IEEE 802.1Q, 9.3). `room` is [`TAG`] bytes longer than `bytes`, which
/// has at least the addresses.
pub fn retag(room: &mut [u8], bytes: &[u8], (tpid, tci): (u16, u16)) {
    let (addresses, rest) = bytes.split_at(12);
    let (head, behind) = room.split_at_mut(12);
    let (tag, tail) = behind.split_at_mut(TAG);
    head.copy_from_slice(addresses);
    tail.copy_from_slice(rest);
    let (first, second) = tag.split_at_mut(2);
    first.copy_from_slice(&tpid.to_be_bytes());
    second.copy_from_slice(&tci.to_be_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_tag_goes_back_behind_the_addresses() {
        let bytes: Vec<u8> = (0..20).collect();
        let mut room = vec![0; 24];
        retag(&mut room, &bytes, (0x88a8, 0x2064));
        assert_eq!(room[..12], bytes[..12]);
        assert_eq!(room[12..16], [0x88, 0xa8, 0x20, 0x64]);
        assert_eq!(room[16..], bytes[12..]);
    }
}
