//! `file:` URIs (RFC 8089) and paths.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use lsp_types::Uri;

use crate::percent::encoded;

/// The path of a `file:` URI.
pub fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = decoded(rest)?;
    // `/C:/policies` on Windows.
    let drive = path
        .strip_prefix('/')
        .filter(|path| path.get(1..2) == Some(":"));
    Some(PathBuf::from(drive.unwrap_or(&path)))
}

/// The URI of a file.
pub fn of_file(path: &Path) -> Option<Uri> {
    let path = path.to_str()?.replace('\\', "/");
    let root = if path.starts_with('/') { "" } else { "/" };
    Uri::from_str(&format!("file://{root}{}", encoded(&path))).ok()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_uri_lead_to_each_other() {
        for name in ["/a/web.lvs", "/tmp/with space/\u{e9}%#?.lvs"] {
            let uri = of_file(Path::new(name)).expect("it has one");
            assert!(uri.as_str().is_ascii());
            assert_eq!(path(&uri).as_deref(), Some(Path::new(name)));
        }
        let written = |text: &str| Uri::from_str(text).ok().and_then(|uri| path(&uri));
        assert_eq!(
            written("file:///c%3A/a.lvs"),
            Some(PathBuf::from("c:/a.lvs"))
        );
        assert_eq!(written("untitled:Untitled-1"), None);
    }
}
