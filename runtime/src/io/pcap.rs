//! Captures: pcap and pcapng files as a source of frames, pcap files as a sink.
//!
//! Knows files and nothing of engines, except for [`Replay`], which puts a [`Reader`] and two [`Writer`]s around a director.
//! A capture that is broken is an error with its place; what was written so far is then removed, not left half.

#[cfg(target_os = "linux")]
mod patient;
mod read;
mod replay;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use self::read::Reader;
pub use self::replay::Replay;
pub use self::write::Writer;

/// A frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Time since 1970, as exact as the capture has it (to the nanosecond).
    pub time: Duration,
    /// The bytes that were captured, from the Ethernet header on.
    pub frame: Vec<u8>,
    /// The frame's length when it was captured (bytes).
    pub original_len: u32,
    /// Index among [`Reader::interfaces`]; 0 in a pcap file.
    pub interface: u32,
}

impl Captured {
    /// Only the frame's begin was captured: it must not be forwarded as if it were whole.
    pub fn is_truncated(&self) -> bool {
        (self.original_len as usize) > self.frame.len()
    }
}

/// Why a capture cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened, or is not there.
    #[error("cannot open {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is none of the known formats.
    #[error("{path} is no capture: {reason}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with its begin.
        reason: String,
    },
    /// The frames are not Ethernet frames.
    #[error(
        "{path}: {interface} has the link type {link}; only Ethernet captures can be used",
        path = path.display()
    )]
    Link {
        /// The file.
        path: PathBuf,
        /// The capture's interface: "the capture", or "interface 1 (`tun0`)".
        interface: String,
        /// The link type's name.
        link: String,
    },
    /// The file is broken.
    #[error("{path}: packet {packet}, at byte {offset}: {reason}", path = path.display())]
    Packet {
        /// The file.
        path: PathBuf,
        /// Number of the packet, from 1.
        packet: u64,
        /// Offset of its record in the file (bytes).
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A frame came by an interface that stands for none of the policy's.
    #[error(
        "{path}: packet {packet} came by {interface}, the policy has {known}",
        path = path.display()
    )]
    Interface {
        /// The file.
        path: PathBuf,
        /// Number of the packet, from 1.
        packet: u64,
        /// The capture's interface.
        interface: String,
        /// The policy's interfaces.
        known: String,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A frame does not fit the format: longer than 262144 bytes, or of a time after the year 2106.
    #[error("cannot write {path}: {reason}", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}
