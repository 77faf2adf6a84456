//! Files that appear whole or not at all, in place of what was there and with its permissions.
//!
//! Where the system can (Linux, on most file systems), the file has no name until it is finished: whatever ends the process,
//! nothing is left. Elsewhere it has a temporary name in the same folder, which is removed when it is dropped.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Names that are tried for a temporary file.
const TRIES: u32 = 100;

/// A file that waits for its name.
pub struct Unfinished {
    /// The same file as the writer's.
    file: File,
    /// Its name until then, where it has one.
    temporary: Option<PathBuf>,
    target: PathBuf,
}

/// Opens what is to be written: where a plain file is or will be, a new one that gets the name by
/// [`Unfinished::finish`]. A device or a pipe is written to directly.
pub fn create(path: &Path) -> io::Result<(File, Option<Unfinished>)> {
    let (target, old) = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        // What a link points to is replaced, not the link.
        Ok(found) if found.is_file() => (fs::canonicalize(path)?, Some(found.permissions())),
        Ok(_) => return Ok((OpenOptions::new().write(true).open(path)?, None)),
        Err(error) if error.kind() == ErrorKind::NotFound => (real(path)?, None),
        Err(error) => return Err(error),
    };
    let (file, temporary) = match nameless(&target) {
        Some(file) => (file, None),
        None => named(&target).map(|(file, path)| (file, Some(path)))?,
    };
    let unfinished = Unfinished {
        file: file.try_clone()?,
        temporary,
        target,
    };
    if let Some(permissions) = old {
        file.set_permissions(permissions)?;
    }
    Ok((file, Some(unfinished)))
}

/// The file that a path leads to, by whatever links, be it there already or not.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let folder = folder(path);
    if let Ok(link) = fs::read_link(path) {
        return real(&folder.join(link)); // ends: links in a circle are another error
    }
    let name = path.file_name().ok_or(ErrorKind::NotFound)?;
    Ok(fs::canonicalize(folder)?.join(name))
}

/// The folder of a file: `.` for a name alone.
fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

impl Unfinished {
    /// Gives the file its name. All of it must have been written.
    pub fn finish(mut self) -> io::Result<()> {
        if self.temporary.is_none() {
            match link(&self.file, &self.target) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    // A name can be taken over by renaming alone.
                    self.temporary = Some(free(&self.target, |path| link(&self.file, path))?.1);
                }
                other => return other,
            }
        }
        match self.temporary.take() {
            Some(path) => fs::rename(&path, &self.target).inspect_err(|_| remove(&path)),
            None => Ok(()),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            remove(path);
        }
    }
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path); // nobody is left to tell
}

/// A file with a temporary name beside the target.
fn named(target: &Path) -> io::Result<(File, PathBuf)> {
    free(target, |path| {
        OpenOptions::new().write(true).create_new(true).open(path)
    })
}

/// Makes something under the first hidden name beside the target that is free.
fn free<R>(target: &Path, make: impl Fn(&Path) -> io::Result<R>) -> io::Result<(R, PathBuf)> {
    let name = target.file_name().ok_or(ErrorKind::InvalidFilename)?;
    for number in 0..TRIES {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{number}", std::process::id()));
        let path = target.with_file_name(hidden);
        match make(&path) {
            Ok(made) => return Ok((made, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// A file without a name in the target's folder, where the system has such files and can name them later.
#[cfg(target_os = "linux")]
fn nameless(target: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;

    target.file_name()?;
    let mut options = OpenOptions::new();
    options
        .write(true)
        .mode(0o666)
        .custom_flags(libc::O_TMPFILE);
    let open = || options.open(folder(target)).ok();
    Path::new("/proc/self/fd").exists().then(open).flatten()
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<File> {
    None
}

#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    crate::sys::link(file, path)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let found = fs::read_dir(folder).unwrap();
        found.map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_appears_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let (mut file, unfinished) = create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        unfinished.unwrap().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(create(&folder.path().join("out")).unwrap());
        let (_, path) = named(&folder.path().join("out")).unwrap();
        drop(Unfinished {
            file: File::open(&path).unwrap(),
            temporary: Some(path),
            target: folder.path().join("out"),
        });
        assert_eq!(names(folder.path()), Vec::<OsString>::new());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unfinished_file_has_no_name_that_a_kill_could_leave() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = create(&folder.path().join("out")).unwrap();
        assert_eq!(names(folder.path()), Vec::<OsString>::new());
        drop(unfinished);
    }

    #[cfg(unix)]
    #[test]
    fn what_replaces_a_file_has_its_permissions() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let (mut file, unfinished) = create(&path).unwrap();
        file.write_all(b"new").unwrap();
        unfinished.unwrap().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["out"]);
    }
}
