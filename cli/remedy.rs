//! What to do about a file that cannot be read or written: looks at what lies around it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use lvsc_front::diagnostics::{Code, nearest};
use lvsc_runtime::io::pcap::CaptureError;

use crate::failure::folder;

/// Most files that are listed.
const SHOWN: usize = 5;

/// About a file that cannot be read.
pub fn unread(path: &Path, error: &io::Error) -> Option<String> {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        Some(missing(path))
    } else if kind == ErrorKind::PermissionDenied {
        let path = path.display();
        Some(format!("let this user read it: chmod a+r {path}"))
    } else if kind == ErrorKind::IsADirectory {
        Some(one_of(path, "lvs").unwrap_or_else(|| "name a file".to_owned()))
    } else if kind == ErrorKind::NotADirectory {
        Some("a part of this path is a file: check the path".to_owned())
    } else {
        None
    }
}

/// What may be meant by a diagnostic that is not there.
pub fn code(name: &str) -> String {
    match nearest(name, Code::ALL.iter().map(|code| code.as_str())) {
        Some(near) => format!("did you mean {near}?"),
        None => "`lvsc explain` lists them all".to_owned(),
    }
}

/// About a policy that is no text: `byte` is what is none, `wide` whether it begins as UTF-16 does.
pub fn no_text(path: &Path, byte: u8, wide: bool) -> String {
    let path = path.display();
    if wide {
        format!("it looks like UTF-16, save it as UTF-8: iconv -f utf-16 -t utf-8 {path} > NEW")
    } else if byte == 0 {
        "a policy has no zero bytes: is this the file that was meant?".to_owned()
    } else {
        format!("save it as UTF-8: iconv -f latin1 -t utf-8 {path} > NEW")
    }
}

/// What may be meant by a file that is not there.
fn missing(path: &Path) -> String {
    let folder = folder(path);
    if !folder.is_dir() {
        return format!("there is no folder {}: check the path", folder.display());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let usual = Path::new("policies").join(name.as_ref());
    let names = names(folder);
    let alike =
        nearest(&name, names.iter().map(String::as_str)).map(|near| path.with_file_name(near));
    if let Some(near) = alike.or(Some(usual).filter(|usual| usual.is_file())) {
        return format!("did you mean {}?", near.display());
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    one_of(folder, &extension).unwrap_or_else(|| "check the path".to_owned())
}

/// The files of a folder with this extension, as something to choose from.
fn one_of(folder: &Path, extension: &str) -> Option<String> {
    let alike = |name: &String| {
        Path::new(name)
            .extension()
            .is_some_and(|own| own == extension)
    };
    let mut found: Vec<String> = names(folder).into_iter().filter(alike).collect();
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    found.extend(more.then(|| "...".to_owned()));
    let place = match folder {
        here if here == Path::new(".") => "here".to_owned(),
        folder => format!("in {}", folder.display()),
    };
    (!found.is_empty()).then(|| format!("{place} are: {}", found.join(", ")))
}

/// The plain files of a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// About a file that cannot be written.
pub fn unwritten(path: &Path, error: &io::Error) -> Option<String> {
    let (kind, folder) = (error.kind(), folder(path).display());
    if kind == ErrorKind::NotFound {
        Some(format!("make the folder first: mkdir -p {folder}"))
    } else if kind == ErrorKind::IsADirectory {
        Some(format!("name a file in it: {}/NAME", path.display()))
    } else if kind == ErrorKind::PermissionDenied {
        Some(format!(
            "name a place where this user may write; {folder} is none"
        ))
    } else if kind == ErrorKind::StorageFull {
        Some("make room, or name another place".to_owned())
    } else if kind == ErrorKind::ReadOnlyFilesystem {
        Some("name another place".to_owned())
    } else if kind == ErrorKind::NotADirectory {
        Some("a part of this path is a file: check the path".to_owned())
    } else {
        None
    }
}

/// About a capture that is not what it should be.
pub fn capture(error: &CaptureError) -> Option<String> {
    match error {
        CaptureError::Format { .. } => {
            Some("give a pcap or pcapng file, as `tcpdump -i eth0 -w in.pcap` writes it".to_owned())
        }
        CaptureError::Link { .. } => {
            Some("capture on one Ethernet interface: tcpdump -i eth0 -w in.pcap".to_owned())
        }
        CaptureError::Packet { path, packet, .. } if *packet > 1 => Some(format!(
            "take what is before it: editcap -r {} whole.pcap 1-{}",
            path.display(),
            packet - 1
        )),
        CaptureError::Packet { .. } => Some("capture it anew: no packet is whole".to_owned()),
        CaptureError::Interface { .. } => {
            Some("declare an `interface` for each in the policy, or split the capture".to_owned())
        }
        CaptureError::Open { .. }
        | CaptureError::Write { .. }
        | CaptureError::Unwritable { .. } => None,
    }
}
