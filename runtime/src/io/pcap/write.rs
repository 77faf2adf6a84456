//! pcap files with nanoseconds, little endian: the same frames give the same bytes on any machine.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriteError, PcapWriter};
use pcap_file::{DataLink, Endianness};

use super::CaptureError;

/// The longest frame of a capture (bytes), as other tools have it.
const LONGEST: u32 = 262_144;
/// Names that are tried for the temporary file.
const TRIES: u32 = 100;

/// A capture file in the making. It appears under its name when it is finished: until then it is a temporary file in the
/// same folder, which is removed when the writer is dropped. A device or a pipe is written to directly.
pub struct Writer {
    path: PathBuf,
    output: PcapWriter<BufWriter<File>>,
    temporary: Option<Temporary>,
}

/// A file that is removed unless it gets its name.
struct Temporary {
    path: PathBuf,
    target: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody is left to tell; and after the rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

impl Writer {
    /// Begins a capture.
    pub fn create(path: &Path) -> Result<Writer, CaptureError> {
        let (file, temporary) = open(path).map_err(|source| CaptureError::Write {
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
            temporary,
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
        match &self.temporary {
            None => Ok(()),
            Some(file) => {
                fs::rename(&file.path, &file.target).map_err(|source| CaptureError::Write {
                    path: self.path.clone(),
                    source,
                })
            }
        }
    }
}

/// Opens what is to be written: where a plain file is or will be, a temporary one beside it.
fn open(path: &Path) -> io::Result<(File, Option<Temporary>)> {
    let target = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        // What a link points to is replaced, not the link.
        Ok(found) if found.is_file() => fs::canonicalize(path)?,
        Ok(_) => return Ok((OpenOptions::new().write(true).open(path)?, None)),
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let name = target.file_name().ok_or(ErrorKind::InvalidFilename)?;
    for number in 0..TRIES {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{number}", std::process::id()));
        let path = target.with_file_name(hidden);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, Some(Temporary { path, target }))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
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
