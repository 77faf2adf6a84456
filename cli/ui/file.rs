//! Files that appear whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, folder};

/// Writes a whole file. What is no plain file (`/dev/null`, a pipe) is written as it is.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    written(path, bytes).map_err(|source| Failure::Write {
        path: path.to_owned(),
        source,
    })
}

fn written(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = real(path)?;
    match fs::metadata(&target) {
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            return OpenOptions::new()
                .write(true)
                .open(&target)?
                .write_all(bytes);
        }
        Ok(_) | Err(_) => {}
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lvsc-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666)); // less the umask
    }
    let mut file = builder.tempfile_in(folder(&target))?;
    file.write_all(bytes)?;
    file.persist(target)?;
    Ok(())
}

/// The file that a link leads to; the path itself where there is nothing yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(found) => Ok(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

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
