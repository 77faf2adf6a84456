//! pcap files with nanoseconds, little endian: the same frames give the same bytes on any machine.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriteError, PcapWriter};
use pcap_file::{DataLink, Endianness};

use super::CaptureError;
use crate::io::whole::{self, Unfinished};

/// The longest frame of a capture (bytes), as other tools have it.
const LONGEST: u32 = 262_144;

/// A capture file in the making. It appears under its name when it is finished, and not at all when the writer is dropped
/// before. A device or a pipe is written to directly.
pub struct Writer {
    path: PathBuf,
    output: PcapWriter<BufWriter<File>>,
    unfinished: Option<Unfinished>,
}

impl Writer {
    /// Begins a capture.
    pub fn create(path: &Path) -> Result<Writer, CaptureError> {
        let (file, unfinished) = whole::create(path).map_err(|source| CaptureError::Write {
            path: path.to_owned(),
            source,
        })?;
        let header = PcapHeader {
            snaplen: LONGEST,
            datalink: DataLink::ETHERNET,
            ts_resolution: PcapTsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let output = PcapWriter::with_header(BufWriter::new(file), header)
            .map_err(|error| fault(path, error))?;
        Ok(Writer {
            path: path.to_owned(),
            output,
            unfinished,
        })
    }

    /// Adds a frame with its time since 1970.
    pub fn write(&mut self, time: Duration, frame: &[u8]) -> Result<(), CaptureError> {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let packet = PcapPacket::new(time, length, frame).map_err(PcapWriteError::from);
        let written = packet.and_then(|packet| self.output.write_packet(&packet));
        written
            .map(|_| ())
            .map_err(|error| fault(&self.path, error))
    }

    /// Ends the capture and gives it its name, in place of what was there.
    pub fn finish(mut self) -> Result<(), CaptureError> {
        self.output
            .flush()
            .map_err(|error| fault(&self.path, error))?;
        let named = self.unfinished.map_or(Ok(()), Unfinished::finish);
        named.map_err(|source| CaptureError::Write {
            path: self.path,
            source,
        })
    }
}

fn fault(path: &Path, error: PcapWriteError) -> CaptureError {
    let path = path.to_owned();
    match error {
        PcapWriteError::Io(source) | PcapWriteError::FieldWriteFailed(_, source) => {
            CaptureError::Write { path, source }
        }
        PcapWriteError::Validation(error) => CaptureError::Unwritable {
            path,
            reason: error.to_string(),
        },
    }
}
