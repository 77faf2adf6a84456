//! An image that two workers write.

use std::cell::Cell;

use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::Layout;

use super::*;

/// An image in which another worker takes a place right before this one would.
pub(super) struct Raced {
    pub(super) image: Bytes,
    /// Where the place is.
    pub(super) at: u64,
    /// How often it is read before the other one takes it.
    pub(super) free: u32,
    /// How often it was read.
    pub(super) reads: Cell<u32>,
    /// What it then is.
    pub(super) winner: u64,
}

impl Image for Raced {
    fn layout(&self) -> &Layout {
        self.image.layout()
    }

    fn load(&self, at: u64, width: Width) -> u64 {
        if at == self.at {
            self.reads.set(self.reads.get() + 1);
            if self.reads.get() > self.free {
                return self.winner;
            }
        }
        self.image.load(at, width)
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        assert_ne!(at, self.at, "the place is another one's");
        self.image.store(at, width, value);
    }
}

/// What a packet with this behind its Ethernet header does to an image.
pub(super) fn decide(program: &Verified, packet: &[u8], image: &mut dyn Image) {
    let mut packet = Packet {
        frame: &mut ethernet(0x0800, packet),
        ingress: INGRESS,
        worker: 0,
    };
    eval::run(program, &mut packet, image);
}
