//! pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), told apart by their first bytes.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pcap_file::pcap::{PcapReadError, PcapReader, RawPcapPacket};
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReadError, PcapNgReader};
use pcap_file::{DataLink, pcap::PcapTsResolution};

#[cfg(target_os = "linux")]
use super::patient::Patient;
use super::{CaptureError, Captured};

/// The longest record that is read (bytes): what bounds the memory, whatever length a file states.
const LONGEST: usize = 2 << 20;
/// Bytes of a pcap file's header.
const PCAP_HEADER: u64 = 24;
/// Bytes in front of a packet in a pcap file.
const PCAP_RECORD: u64 = 16;

/// The bytes of a capture; knows whether it has seen their end.
struct Input {
    bytes: Box<dyn Read + Send>,
    end: End,
}

/// Whether the end of the bytes was seen; shared between the input and who reads from it.
#[derive(Clone, Default)]
struct End(Arc<AtomicBool>);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.end.0.store(true, Ordering::Relaxed);
        }
        Ok(count)
    }
}

/// A capture file, read packet by packet: an iterator that ends after the last packet, or after the first error.
pub struct Reader {
    path: PathBuf,
    format: Format,
    end: End,
    /// Packets read so far.
    packets: u64,
    ended: bool,
}

enum Format {
    Pcap {
        reader: PcapReader<Input>,
        offset: u64,
        /// Bytes of a checksum behind each frame.
        checksum: u32,
    },
    PcapNg {
        reader: PcapNgReader<Input>,
        interfaces: Vec<Interface>,
        section: usize,
    },
}

struct Interface {
    name: Option<String>,
    link: DataLink,
}

fn no_folder(file: &File) -> io::Result<()> {
    if file.metadata()?.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    Ok(())
}

/// What the next record is.
enum Record {
    Packet(Captured),
    /// Something that is no packet.
    Other,
    End,
}

impl Reader {
    /// Opens a capture and reads its header.
    pub fn open(path: &Path) -> Result<Reader, CaptureError> {
        let opened = File::open(path).and_then(|file| no_folder(&file).map(|()| file));
        let file = opened.map_err(|source| CaptureError::Open {
            path: path.to_owned(),
            source,
        })?;
        Reader::new(path, Box::new(file))
    }

    /// The same, until `stop` is true: then any reading, as of a pipe to which nobody writes, ends with an error.
    #[cfg(target_os = "linux")]
    pub fn open_until(path: &Path, stop: &Arc<AtomicBool>) -> Result<Reader, CaptureError> {
        let opened = Patient::open(path, Arc::clone(stop))
            .and_then(|patient| no_folder(patient.file()).map(|()| patient));
        let patient = opened.map_err(|source| CaptureError::Open {
            path: path.to_owned(),
            source,
        })?;
        Reader::new(path, Box::new(patient))
    }

    /// The same; here `stop` is seen between two packets only.
    #[cfg(not(target_os = "linux"))]
    pub fn open_until(path: &Path, _stop: &Arc<AtomicBool>) -> Result<Reader, CaptureError> {
        Reader::open(path)
    }

    /// Reads a capture from anywhere, as the standard input; `name` stands for it in errors.
    pub fn new(name: &Path, mut input: Box<dyn Read + Send>) -> Result<Reader, CaptureError> {
        let path = name.to_owned();
        let mut magic = Vec::new();
        if let Err(source) = input.by_ref().take(4).read_to_end(&mut magic) {
            return Err(CaptureError::Open { path, source });
        }
        let end = End::default();
        let again = Input {
            bytes: Box::new(io::Cursor::new(magic.clone()).chain(input)),
            end: end.clone(),
        };
        let format = match *magic {
            [] => Err("the file is empty".to_owned()),
            [0x0a, 0x0d, 0x0d, 0x0a] => {
                let reader = PcapNgReader::with_capacity(again, LONGEST);
                reader
                    .map_err(|error| end.reason(&error, "its header"))
                    .map(|reader| Format::PcapNg {
                        reader,
                        interfaces: Vec::new(),
                        section: 0,
                    })
            }
            [0xa1, 0xb2, 0xc3, 0xd4]
            | [0xa1, 0xb2, 0x3c, 0x4d]
            | [0xd4, 0xc3, 0xb2, 0xa1]
            | [0x4d, 0x3c, 0xb2, 0xa1] => {
                let reader = PcapReader::with_capacity(again, LONGEST);
                let reader = reader.map_err(|error| end.reason(&error, "its header"));
                reader.map(|reader| Format::Pcap {
                    checksum: checksum(&reader),
                    reader,
                    offset: PCAP_HEADER,
                })
            }
            [0x1f, 0x8b, ..] => Err("it is compressed; unpack it first (gunzip)".to_owned()),
            _ => Err("it begins neither as pcap nor as pcapng".to_owned()),
        };
        let format = match format {
            Ok(format) => format,
            Err(reason) => return Err(CaptureError::Format { path, reason }),
        };
        if let Format::Pcap { reader, .. } = &format
            && link(reader) != DataLink::ETHERNET
        {
            let link = format!("{:?}", link(reader));
            return Err(CaptureError::Link {
                path,
                interface: "the capture".to_owned(),
                link,
            });
        }
        Ok(Reader {
            path,
            format,
            end,
            packets: 0,
            ended: false,
        })
    }

    /// The file, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the packet that was read last, from 1.
    pub fn packet(&self) -> u64 {
        self.packets
    }

    /// The names of the interfaces that the capture has described so far: of pcapng before the first of its packets, of
    /// pcap one without a name.
    pub fn interfaces(&self) -> Vec<Option<&str>> {
        match &self.format {
            Format::Pcap { .. } => vec![None],
            Format::PcapNg { interfaces, .. } => interfaces
                .iter()
                .map(|interface| interface.name.as_deref())
                .collect(),
        }
    }

    /// An interface in words.
    pub(super) fn interface(&self, index: u32) -> String {
        match self.interfaces().get(index as usize).copied().flatten() {
            Some(name) => format!("interface {index} (`{name}`)"),
            None => format!("interface {index}"),
        }
    }

    fn advance(&mut self) -> Result<Option<Captured>, CaptureError> {
        loop {
            let end = &self.end;
            let (offset, record) = match &mut self.format {
                Format::Pcap {
                    reader,
                    offset,
                    checksum,
                } => (*offset, next_pcap(reader, offset, *checksum, end)),
                Format::PcapNg {
                    reader,
                    interfaces,
                    section,
                } => (
                    reader.bytes_parsed(),
                    next_pcapng(reader, interfaces, section, end),
                ),
            };
            match record {
                Ok(Record::Packet(captured)) => {
                    self.packets += 1;
                    self.check_link(&captured)?;
                    return Ok(Some(captured));
                }
                Ok(Record::Other) => {}
                Ok(Record::End) => return Ok(None),
                Err(reason) => {
                    let (path, packet) = (self.path.clone(), self.packets + 1);
                    return Err(CaptureError::Packet {
                        path,
                        packet,
                        offset,
                        reason,
                    });
                }
            }
        }
    }

    fn check_link(&self, captured: &Captured) -> Result<(), CaptureError> {
        let Format::PcapNg { interfaces, .. } = &self.format else {
            return Ok(());
        };
        match interfaces.get(captured.interface as usize) {
            Some(interface) if interface.link != DataLink::ETHERNET => Err(CaptureError::Link {
                path: self.path.clone(),
                interface: self.interface(captured.interface),
                link: format!("{:?}", interface.link),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Captured, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The link type of a pcap file: the low half of a field that may say more.
fn link(reader: &PcapReader<Input>) -> DataLink {
    DataLink::from(u32::from(reader.header().datalink) & 0xffff)
}

/// Bytes of the frame check sequence behind each frame: the field's highest four bits are its length in words of 16 bits
/// where the bit `P` is set (draft-ietf-opsawg-pcap, section 4).
fn checksum(reader: &PcapReader<Input>) -> u32 {
    const PRESENT: u32 = 1 << 26;
    let field = u32::from(reader.header().datalink);
    if field & PRESENT == 0 {
        0
    } else {
        (field >> 28) * 2
    }
}

fn next_pcap(
    reader: &mut PcapReader<Input>,
    offset: &mut u64,
    checksum: u32,
    end: &End,
) -> Result<Record, String> {
    let resolution = reader.header().ts_resolution;
    let Some(raw) = reader.next_raw_packet() else {
        return Ok(Record::End);
    };
    let RawPcapPacket {
        ts_sec,
        ts_frac,
        incl_len,
        orig_len,
        data,
    } = raw.map_err(|error| end.reason(&error, "it"))?;
    let (per_second, scale) = match resolution {
        PcapTsResolution::MicroSecond => (1_000_000, 1000),
        PcapTsResolution::NanoSecond => (1_000_000_000, 1),
    };
    if ts_frac >= per_second {
        return Err(format!(
            "its time has {ts_frac} of {per_second} parts of a second"
        ));
    }
    *offset += PCAP_RECORD + u64::from(incl_len);
    let (mut frame, original_len) = (data.into_owned(), orig_len.saturating_sub(checksum));
    if checksum > 0 {
        frame.truncate(original_len as usize);
    }
    Ok(Record::Packet(Captured {
        time: Duration::new(ts_sec.into(), ts_frac * scale),
        frame,
        original_len,
        interface: 0,
    }))
}

fn next_pcapng(
    reader: &mut PcapNgReader<Input>,
    interfaces: &mut Vec<Interface>,
    section: &mut usize,
    end: &End,
) -> Result<Record, String> {
    let Some(block) = reader.next_block() else {
        return Ok(Record::End);
    };
    let (block, _) = block.map_err(|error| end.reason(&error, "it"))?;
    let first = *section as u32;
    let packet = |time, original_len, interface: u32, data: std::borrow::Cow<'_, [u8]>| {
        let unknown = || format!("it came by interface {interface}, which nothing describes");
        Ok(Record::Packet(Captured {
            time,
            frame: data.into_owned(),
            original_len,
            interface: first.checked_add(interface).ok_or_else(unknown)?,
        }))
    };
    match block {
        Block::SectionHeader(_) => {
            // A section numbers its interfaces anew; here all sections' stand in one row.
            *section = interfaces.len();
            Ok(Record::Other)
        }
        Block::InterfaceDescription(block) => {
            let name = block.options.iter().find_map(|option| {
                let InterfaceDescriptionOption::IfName(name) = option else {
                    return None;
                };
                Some(name.to_string())
            });
            interfaces.push(Interface {
                name,
                link: block.linktype,
            });
            Ok(Record::Other)
        }
        Block::EnhancedPacket(block) => packet(
            block.timestamp,
            block.original_len,
            block.interface_id,
            block.data,
        ),
        Block::Packet(block) => packet(
            block.timestamp,
            block.original_len,
            block.interface_id.into(),
            block.data,
        ),
        Block::SimplePacket(block) => packet(Duration::ZERO, block.original_len, 0, block.data),
        Block::NameResolution(_)
        | Block::InterfaceStatistics(_)
        | Block::SystemdJournalExport(_)
        | Block::CustomCopiable(_)
        | Block::CustomNonCopiable(_)
        | Block::Unknown(_) => Ok(Record::Other),
    }
}

/// What a reader says that it cannot go on with.
trait Fault: std::error::Error {
    fn io(&self) -> Option<&io::Error>;
}

impl Fault for PcapReadError {
    fn io(&self) -> Option<&io::Error> {
        if let PcapReadError::Io(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl Fault for PcapNgReadError {
    fn io(&self) -> Option<&io::Error> {
        if let PcapNgReadError::Io(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl End {
    /// Why the reader cannot go on with `what`.
    fn reason(&self, error: &impl Fault, what: &str) -> String {
        match error.io() {
            Some(io) if io.kind() == ErrorKind::UnexpectedEof => {
                if self.0.load(Ordering::Relaxed) {
                    format!("the file ends inside of {what}")
                } else {
                    format!("it states more than {LONGEST} bytes, which no packet has")
                }
            }
            Some(io) => io.to_string(),
            None => {
                let mut text = error.to_string();
                let mut cause = error.source();
                while let Some(inner) = cause {
                    text = format!("{text}: {inner}");
                    cause = inner.source();
                }
                text
            }
        }
    }
}
