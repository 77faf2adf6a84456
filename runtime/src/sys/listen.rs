//! A socket in the file system to which nobody but its owner may connect, and which goes with who listens.

use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::poll;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;
/// The longest wait for another one who begins to listen in the same folder.
const TURN: Duration = Duration::from_secs(1);

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error("another process listens there")]
    Taken,
    /// What is there is no socket; it is left alone.
    #[error("what is there is no socket")]
    NoSocket,
    /// The system's reason.
    #[error(transparent)]
    System(#[from] Error),
}

/// A socket at a path, which is removed with this.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, by which it is known again.
    file: (u64, u64),
}

impl Listening {
    /// Listens at a path. A socket that is left of a process that has ended is replaced; nothing else is.
    pub fn open(path: &Path) -> std::result::Result<Listening, ListenError> {
        // Of two that find the same socket left, the slower one would replace the faster one's.
        let _turn = turn(path)?;
        let listener = match bound(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if !fs::symlink_metadata(path)?.file_type().is_socket() {
                    return Err(ListenError::NoSocket);
                }
                match connect(path, Duration::ZERO) {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    // Who has no room for one more lives, too.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Err(ListenError::Taken);
                    }
                    Ok(_) => return Err(ListenError::Taken),
                    Err(error) => return Err(error.into()),
                }
                fs::remove_file(path)?;
                bound(path)?
            }
            other => other?,
        };
        let file = identity(path)?;
        Ok(Listening {
            listener,
            path: path.to_owned(),
            file,
        })
    }

    /// Where.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next one who connects within this time.
    pub fn accept(&self, wait: Duration) -> Result<Option<UnixStream>> {
        poll(&[self.listener.as_raw_fd()], wait)?;
        match self.listener.accept() {
            Ok((stream, _)) => Ok(Some(stream)),
            Err(error)
                if [
                    ErrorKind::WouldBlock,
                    ErrorKind::Interrupted,
                    ErrorKind::ConnectionAborted,
                ]
                .contains(&error.kind()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.file) {
            let _ = fs::remove_file(&self.path); // who comes next replaces it
        }
    }
}

fn identity(path: &Path) -> Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// The folder of a path, locked. Whoever may read a folder may lock it: nobody who begins to listen does so for longer than a
/// moment, and who else does holds nobody up.
fn turn(path: &Path) -> Result<File> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = File::open(folder.unwrap_or(Path::new(".")))?;
    let begin = Instant::now();
    loop {
        match folder.try_lock() {
            Err(TryLockError::WouldBlock) if begin.elapsed() < TURN => {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(()) | Err(TryLockError::WouldBlock) => return Ok(folder),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// A connection to who listens at a path. Where more wait to be accepted than there is room for, it is waited for so long; then
/// the error is [`ErrorKind::WouldBlock`].
pub fn connect(path: &Path, wait: Duration) -> Result<UnixStream> {
    let (address, length) = address(path)?;
    let stream: UnixStream = socket(0)?.into();
    // It holds for connecting, too (socket(7), SO_SNDTIMEO); none is for ever.
    stream.set_write_timeout(Some(wait.max(Duration::from_millis(1))))?;
    // SAFETY: an address of this length.
    checked(unsafe {
        libc::connect(
            stream.as_raw_fd(),
            std::ptr::from_ref(&address).cast(),
            length,
        )
    })?;
    stream.set_write_timeout(None)?;
    Ok(stream)
}

/// A socket that listens at a path where nothing is, and is its owner's from the first moment.
fn bound(path: &Path) -> Result<UnixListener> {
    let (address, length) = address(path)?;
    let socket = socket(libc::SOCK_NONBLOCK)?;
    let fd = socket.as_raw_fd();
    // SAFETY: takes numbers alone. The file gets the mode that the socket has when it is bound.
    checked(unsafe { libc::fchmod(fd, 0o600) })?;
    // SAFETY: an address of this length.
    checked(unsafe { libc::bind(fd, std::ptr::from_ref(&address).cast(), length) })?;
    // SAFETY: takes numbers alone.
    let listens = checked(unsafe { libc::listen(fd, BACKLOG) });
    if let Err(error) = listens {
        let _ = fs::remove_file(path); // made just now
        return Err(error);
    }
    Ok(socket.into())
}

/// The address of a path, and its length (bytes).
fn address(path: &Path) -> Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all zeros are an address.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        let most = address.sun_path.len() - 1;
        let what = format!("a socket's path has at most {most} bytes");
        return Err(Error::new(ErrorKind::InvalidInput, what));
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
        *place = *byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    debug_assert!(length <= size_of::<libc::sockaddr_un>());
    Ok((address, length as libc::socklen_t))
}

/// A socket of streams, of which no other program knows.
fn socket(kind: i32) -> Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | kind;
    // SAFETY: takes numbers alone.
    let fd = checked(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn checked(done: i32) -> Result<i32> {
    if done < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn it_is_its_owners_and_goes_with_who_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let listening = Listening::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(listening.accept(Duration::ZERO).unwrap().is_none());
        let _other = UnixStream::connect(&path).unwrap();
        assert!(listening.accept(SOON).unwrap().is_some());
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_left_is_replaced_and_what_lives_or_is_no_socket_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        drop(UnixListener::bind(&path).unwrap());
        let first = Listening::open(&path).unwrap();
        assert!(matches!(Listening::open(&path), Err(ListenError::Taken)));
        // Whose socket was moved away does not remove another one's.
        fs::remove_file(&path).unwrap();
        let second = Listening::open(&path).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        fs::write(&path, "a policy").unwrap();
        assert!(matches!(Listening::open(&path), Err(ListenError::NoSocket)));
        assert_eq!(fs::read(&path).unwrap(), b"a policy");
    }

    #[test]
    fn of_many_that_begin_together_over_what_is_left_one_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        for _ in 0..20 {
            drop(UnixListener::bind(&path).unwrap());
            let all: Vec<_> = thread::scope(|scope| {
                let begin = || Listening::open(&path);
                let each: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
                each.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let listening: Vec<_> = all
                .into_iter()
                .filter_map(std::result::Result::ok)
                .collect();
            assert_eq!(listening.len(), 1);
            assert!(UnixStream::connect(&path).is_ok(), "and is found");
        }
    }

    #[test]
    fn who_has_locked_the_folder_for_good_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let lock = File::open(folder.path()).unwrap();
        lock.lock().unwrap();
        let listening = Listening::open(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        drop(listening);
    }

    #[test]
    fn who_accepts_nobody_is_waited_for_so_long_and_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let listening = Listening::open(&path).unwrap();
        let begin = Instant::now();
        let waits: Vec<_> = (0..100)
            .map_while(|_| connect(&path, Duration::from_millis(50)).ok())
            .collect();
        assert!((1..100).contains(&waits.len()), "{}", waits.len());
        let full = connect(&path, Duration::from_millis(50)).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        assert!(matches!(Listening::open(&path), Err(ListenError::Taken)));
        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
        drop(waits);
        assert!(listening.accept(SOON).unwrap().is_some());
        let one = connect(&path, SOON).unwrap();
        assert_eq!(one.write_timeout().unwrap(), None);
    }

    #[test]
    fn a_path_that_is_too_long_or_in_no_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(120), "none/web.sock".to_owned()] {
            let opened = Listening::open(&folder.path().join(name));
            assert!(matches!(opened, Err(ListenError::System(_))), "{opened:?}");
        }
    }
}
