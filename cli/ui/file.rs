//! Files that appear whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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

/// A file and what people call it; none where there is no such thing.
pub type Named<'a> = (&'static str, Option<&'a Path>);

/// Refuses to write over what is read, and to write two things to one file. What is no plain file holds nothing.
pub fn apart(read: &[Named<'_>], written: &[Named<'_>]) -> Result<(), Failure> {
    let plain = |path: &Path| {
        let real = whole::real(path).ok()?;
        let holds = fs::metadata(&real).map_or(true, |found| found.is_file());
        holds.then_some(real)
    };
    let mut taken: Vec<(String, PathBuf)> = Vec::new();
    for (name, path) in read {
        taken.extend(path.and_then(plain).map(|real| ((*name).to_owned(), real)));
    }
    for (flag, path) in written {
        let Some((path, real)) = path.and_then(|path| Some((path, plain(path)?))) else {
            continue;
        };
        if let Some((what, _)) = taken.iter().find(|(_, other)| *other == real) {
            return Err(Failure::Overwrite {
                flag,
                path: path.to_owned(),
                what: what.clone(),
            });
        }
        taken.push((format!("what `{flag}` writes"), real));
    }
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_even_where_it_leads_to_nothing_yet() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("dr.wasm", &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(folder.path().join("dr.wasm")).unwrap(), b"new");
    }

    #[test]
    fn one_file_is_one_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("dr.lvs"), b"").unwrap();
        let (policy, again, other) = (
            at("dr.lvs"),
            at("./../")
                .join(folder.path().file_name().unwrap())
                .join("dr.lvs"),
            at("x"),
        );
        let read = [("the policy", Some(policy.as_path()))];
        assert!(apart(&read, &[("--out", Some(&again))]).is_err());
        assert!(
            apart(
                &read,
                &[("--out", Some(&other)), ("--out-pass", Some(&other))]
            )
            .is_err()
        );
        assert!(apart(&read, &[("--out", Some(&other)), ("--out-pass", None)]).is_ok());
        let null = Path::new("/dev/null");
        assert!(apart(&read, &[("--out", Some(null)), ("--out-pass", Some(null))]).is_ok());
    }
}
