//! Files that appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use lvsc_runtime::io::whole::{self, Unfinished};

use crate::failure::Failure;

/// Writes a whole file. What is no plain file (`/dev/null`, a pipe) is written as it is.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    written(path, bytes).map_err(|source| Failure::Write {
        path: path.to_owned(),
        source,
    })
}

fn written(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, unfinished) = whole::create(path)?;
    file.write_all(bytes)?;
    unfinished.map_or(Ok(()), Unfinished::finish)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let found = fs::read_dir(folder).unwrap();
        found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_replaces_the_old_one_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dr.wasm");
        fs::write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["dr.wasm"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let failure = write(&folder.path().join("none/dr.wasm"), b"").unwrap_err();
        assert!(
            failure
                .remedy()
                .unwrap()
                .starts_with("make the folder first")
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_plain_file_is_written_and_not_replaced() {
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
