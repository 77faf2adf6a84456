//! Network namespaces: `network_namespaces(7)`, `user_namespaces(7)`. They belong to the process and go with it.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use crate::netlink::Netlink;

/// Why no namespace can be had.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct Refused {
    /// What was tried.
    pub step: &'static str,
    /// What the kernel said.
    pub source: Error,
}

impl Refused {
    /// What a person can do about it.
    pub fn remedy(&self) -> &'static str {
        remedy(&self.source)
    }
}

/// What a person can do where the system refuses a network of one's own.
pub fn remedy(error: &Error) -> &'static str {
    const LIMITS: &str =
        "raise the limits: `sysctl user.max_user_namespaces=1000 user.max_net_namespaces=1000`";
    const RIGHTS: &str = "run as root, or allow user namespaces: on Ubuntu \
                          `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, on Debian \
                          `sysctl kernel.unprivileged_userns_clone=1`, in a container \
                          `--security-opt seccomp=unconfined`";
    const KERNEL: &str = "the kernel needs network and user namespaces, bridge, veth and packet sockets \
                          (CONFIG_NET_NS, CONFIG_USER_NS, CONFIG_BRIDGE, CONFIG_VETH, CONFIG_PACKET)";
    let kind = error.kind();
    if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        LIMITS
    } else if kind == ErrorKind::PermissionDenied {
        RIGHTS
    } else {
        KERNEL
    }
}

/// What [`isolate`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolated {
    /// A network namespace.
    Network,
    /// A user namespace, and a network namespace in it.
    UserAndNetwork,
}

/// Moves the process into a network namespace of its own, inside a user namespace where that needs one. Call it before
/// any thread exists. Nothing has changed if it fails: it is tried in a forked child first.
pub fn isolate() -> std::result::Result<Isolated, Refused> {
    try_in_child()?;
    enter()
}

fn enter() -> std::result::Result<Isolated, Refused> {
    // SAFETY: plain system calls, here and below.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    match unshare(libc::CLONE_NEWNET, "unshare(CLONE_NEWNET)") {
        // CAP_SYS_ADMIN makes a network namespace, only CAP_NET_ADMIN may build in it.
        Ok(()) if may_build() => return Ok(Isolated::Network),
        Err(first) if first.source.kind() != ErrorKind::PermissionDenied => return Err(first),
        Ok(()) | Err(_) => {}
    }
    unshare(libc::CLONE_NEWUSER, "unshare(CLONE_NEWUSER)")?;
    let write = |path: &'static str, text: String| {
        fs::write(path, text).map_err(|source| Refused { step: path, source })
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))?;
    unshare(
        libc::CLONE_NEWNET,
        "unshare(CLONE_NEWNET) in a user namespace",
    )?;
    Ok(Isolated::UserAndNetwork)
}

/// Whether the kernel lets this process change the network that it is in, by switching on the loopback of a new one.
fn may_build() -> bool {
    const LOOPBACK: u32 = 1;
    Netlink::open()
        .and_then(|mut netlink| netlink.up(LOOPBACK))
        .is_ok()
}

fn unshare(flags: i32, step: &'static str) -> std::result::Result<(), Refused> {
    // SAFETY: plain system call.
    if unsafe { libc::unshare(flags) } == 0 {
        return Ok(());
    }
    Err(Refused {
        step,
        source: Error::last_os_error(),
    })
}

/// The same in a child that ends at once: a half-done attempt would leave this process in a user namespace.
fn try_in_child() -> std::result::Result<(), Refused> {
    const STEPS: [&str; 4] = [
        "unshare(CLONE_NEWNET)",
        "unshare(CLONE_NEWUSER)",
        "writing the id maps",
        "unshare in a user namespace",
    ];
    // SAFETY: the process has one thread; the child only makes system calls and ends with `_exit`.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(Refused {
            step: "fork",
            source: Error::last_os_error(),
        });
    }
    if child == 0 {
        let code = match enter() {
            Ok(_) => 0,
            Err(refused) => {
                let step = match refused.step {
                    "unshare(CLONE_NEWNET)" => 0,
                    "unshare(CLONE_NEWUSER)" => 1,
                    "unshare(CLONE_NEWNET) in a user namespace" => 3,
                    _ => 2,
                };
                let reason = match refused.source.raw_os_error() {
                    Some(libc::ENOSPC) => 1,
                    Some(libc::EINVAL) => 2,
                    _ => 3,
                };
                step << 2 | reason
            }
        };
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
        return Err(Refused {
            step: "waitpid",
            source: Error::last_os_error(),
        });
    }
    let code = libc::WEXITSTATUS(status);
    if libc::WIFEXITED(status) && code == 0 {
        return Ok(());
    }
    let error = match code & 3 {
        1 => libc::ENOSPC,
        2 => libc::EINVAL,
        _ => libc::EPERM,
    };
    let step = STEPS.get((code >> 2) as usize).copied().unwrap_or("fork");
    Err(Refused {
        step,
        source: Error::from_raw_os_error(error),
    })
}

/// A network namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    fd: Arc<OwnedFd>,
}

impl Namespace {
    /// A new one, empty but for its loopback.
    pub fn new() -> Result<Namespace> {
        let made = thread::spawn(|| {
            unshare(libc::CLONE_NEWNET, "").map_err(|refused| refused.source)?;
            Namespace::of_thread()
        });
        made.join()
            .unwrap_or_else(|_| Err(Error::other("the thread died")))
    }

    /// The one that the calling thread is in.
    pub fn of_thread() -> Result<Namespace> {
        // SAFETY: plain system call.
        let fd = unsafe {
            libc::open(
                c"/proc/thread-self/ns/net".as_ptr(),
                libc::O_RDONLY | libc::O_CLOEXEC,
            )
        };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Namespace { fd: Arc::new(fd) })
    }

    /// The descriptor's number: `nsenter --net=/proc/PID/fd/NUMBER` enters it.
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Runs something in the namespace, on a thread of its own. Sockets that it opens stay there, wherever they are used.
    pub fn spawn<R: Send + 'static>(
        &self,
        run: impl FnOnce() -> R + Send + 'static,
    ) -> thread::JoinHandle<Result<R>> {
        let fd = Arc::clone(&self.fd);
        thread::spawn(move || {
            // SAFETY: plain system call; only this thread moves.
            if unsafe { libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                return Err(Error::last_os_error());
            }
            Ok(run())
        })
    }

    /// Runs something in the namespace and waits for it.
    pub fn run<R: Send + 'static>(&self, run: impl FnOnce() -> R + Send + 'static) -> Result<R> {
        self.spawn(run)
            .join()
            .unwrap_or_else(|_| Err(Error::other("the thread died")))
    }
}
