//! What stays when the process ends: links, maps and program under a name in the BPF file system.
//!
//! Below `/sys/fs/bpf/lvsc/NAME` lie `link_IFINDEX`, one for each device, and `run_ID`, one for each program (two while one
//! takes over from the other), with the maps `data`, `state` and `devices`, the `program`, and the `object` that it was
//! loaded from, in a map of its own: whoever finds it knows layout and manifest. A link tells by the number of its
//! program which of the two is in force; so there is no moment at which a crash leaves something that cannot be told.

mod error;
mod kept;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lvsc_abi::engine::EngineError;

pub use self::error::PinError;
use self::kept::{adopt, forget, keep};
use super::attach::Link;
use super::loaded::Loaded;
use crate::netlink::Netlink;
use crate::sys::{self, bpf};

/// The BPF file system, and our folder in it.
const FILE_SYSTEM: &str = "/sys/fs/bpf";
const FOLDER: &str = "/sys/fs/bpf/lvsc";
const LINK: &str = "link_";
const RUN: &str = "run_";

/// A name under which a program stays: letters, digits, `-` and `_`, at most 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl std::str::FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Name, &'static str> {
        const LONGEST: usize = 32;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Name(text.to_owned()))
        } else {
            Err("a name is 1 to 32 letters, digits, `-` and `_`")
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.0)
    }
}

fn system(path: &Path) -> impl FnOnce(Error) -> PinError {
    let path = path.to_owned();
    move |source| PinError::System { path, source }
}

/// The folder of a name, held by this process alone.
pub(super) struct Pins {
    folder: PathBuf,
    name: Name,
    _lock: File,
}

/// Tries to hold a folder that others take away when they are done with it.
const TRIES: usize = 16;

/// Makes a folder and holds it; `None` where it is another one by then, because somebody has taken it away.
fn lock(folder: &Path, name: &Name) -> Result<Option<File>, PinError> {
    let lock = match fs::create_dir_all(folder).and_then(|()| File::open(folder)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(system(folder)(error)),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(PinError::InUse { name: name.clone() }),
        Err(TryLockError::Error(source)) => return Err(system(folder)(source)),
    }
    let held = lock.metadata().map_err(system(folder))?;
    if held.uid() != sys::user() {
        return Err(PinError::Foreign {
            path: folder.to_owned(),
            why: "it belongs to another user".to_owned(),
        });
    }
    let there = fs::metadata(folder).map(|metadata| metadata.ino());
    Ok(there.is_ok_and(|there| there == held.ino()).then_some(lock))
}

/// A link that lies under a name.
struct Held {
    path: PathBuf,
    fd: OwnedFd,
    info: bpf::LinkInfo,
    /// The index of its device; 0 where that is gone.
    device: u32,
}

impl Held {
    fn at(path: PathBuf) -> Result<Held, PinError> {
        let fd = bpf::get(&path).map_err(system(&path))?;
        Held::of(path, fd)
    }

    fn of(path: PathBuf, fd: OwnedFd) -> Result<Held, PinError> {
        let foreign = |path| PinError::Foreign {
            path,
            why: "it is no link of a device".to_owned(),
        };
        let info = match bpf::link_info(&fd) {
            Ok(info) => info,
            Err(error) if error.kind() == ErrorKind::InvalidInput => return Err(foreign(path)),
            Err(error) => return Err(system(&path)(error)),
        };
        match info.device {
            Some(device) => Ok(Held {
                path,
                fd,
                info,
                device,
            }),
            None => Err(foreign(path)),
        }
    }

    /// The same link as it is now.
    fn again(self) -> Result<Held, PinError> {
        Held::of(self.path, self.fd)
    }
}

/// What lies under a name.
pub(super) struct Found {
    pub(super) loaded: Loaded,
    pub(super) links: Vec<Link>,
}

impl Pins {
    /// Opens the folder of a name, which may be new.
    pub(super) fn open(name: &Name) -> Result<Pins, PinError> {
        let root = Path::new(FILE_SYSTEM);
        if !matches!(bpf::is_bpffs(root), Ok(true)) {
            return Err(PinError::NoFileSystem);
        }
        let folder = Path::new(FOLDER).join(&name.0);
        for _ in 0..TRIES {
            if let Some(lock) = lock(&folder, name)? {
                return Ok(Pins {
                    folder,
                    name: name.clone(),
                    _lock: lock,
                });
            }
        }
        Err(PinError::InUse { name: name.clone() })
    }

    /// The name.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    fn link(&self, device: u32) -> PathBuf {
        self.folder.join(format!("{LINK}{device}"))
    }

    fn run(&self, program: &OwnedFd) -> Result<PathBuf, PinError> {
        let info = bpf::program_info(program).map_err(system(&self.folder))?;
        Ok(self.folder.join(format!("{RUN}{}", info.id)))
    }

    /// Keeps a program with its maps; tells whether it was not kept before.
    pub(super) fn keep(&self, loaded: &Loaded) -> Result<bool, PinError> {
        let folder = self.run(&loaded.program)?;
        if folder.try_exists().map_err(system(&folder))? {
            return Ok(false);
        }
        let kept = keep(&folder, loaded);
        if kept.is_err() {
            forget(&folder);
        }
        kept.map(|()| true)
    }

    /// Forgets a program, unless a device runs it.
    pub(super) fn forget(&self, loaded: &Loaded) {
        if let (Ok(run), Ok((links, _))) = (self.run(&loaded.program), self.entries()) {
            let held = links.into_iter().filter_map(|path| Held::at(path).ok());
            forget_unless_held(&run, &held.collect::<Vec<Held>>());
        }
    }

    /// Keeps a program on a device.
    pub(super) fn keep_link(&self, link: &OwnedFd, device: u32) -> Result<(), EngineError> {
        let path = self.link(device);
        let _ = fs::remove_file(&path); // of a device that had this index, and is gone
        Ok(bpf::pin(link, &path).map_err(system(&path))?)
    }

    /// No longer keeps what is on a device.
    pub(super) fn forget_link(&self, device: u32) {
        let _ = fs::remove_file(self.link(device)); // nothing is to be forgotten where nothing was kept
    }

    /// What lies here, if anything does: what the devices run, else the one that nobody runs. Leavings of a process that
    /// died in between are cleared away.
    pub(super) fn found(&self) -> Result<Option<Found>, PinError> {
        let (links, runs) = self.entries()?;
        let held = links.into_iter().map(Held::at);
        let mut held = held.collect::<Result<Vec<Held>, PinError>>()?;
        // A link whose device is gone knows only what was in force then.
        held.sort_by_key(|link| link.device == 0);
        let in_force = held.first().map(|link| link.info.program);
        let in_force = in_force.map(|program| self.folder.join(format!("{RUN}{program}")));
        let chosen = match &in_force {
            Some(path) if !runs.contains(path) => {
                return Err(PinError::Foreign {
                    path: self.folder.clone(),
                    why: "a link runs a program that does not lie here".to_owned(),
                });
            }
            Some(path) => Some(path.clone()),
            None => runs
                .iter()
                .rfind(|run| run.join("object").exists())
                .cloned(),
        };
        let loaded = chosen.as_deref().map(adopt).transpose()?;
        for run in runs.iter().filter(|run| Some(*run) != chosen.as_ref()) {
            rejoin(run, loaded.as_ref(), &held);
        }
        let held = held.into_iter().map(Held::again);
        let held = held.collect::<Result<Vec<Held>, PinError>>()?;
        for run in runs.iter().filter(|run| Some(*run) != chosen.as_ref()) {
            forget_unless_held(run, &held);
        }
        let Some(loaded) = loaded else {
            return Ok(None);
        };
        let links = self.on_devices(held)?;
        Ok(Some(Found { loaded, links }))
    }

    /// The links whose devices are here; those of devices that are gone are forgotten.
    fn on_devices(&self, held: Vec<Held>) -> Result<Vec<Link>, PinError> {
        let devices = Netlink::open().and_then(|mut netlink| netlink.links());
        let devices = devices.map_err(system(&self.folder))?;
        let mut links = Vec::new();
        for Held {
            path,
            fd,
            info,
            device,
        } in held
        {
            if device == 0 {
                fs::remove_file(&path).map_err(system(&path))?;
                continue;
            }
            let here = devices.iter().find(|here| here.index == device);
            let mut programs = here.iter().flat_map(|here| &here.programs);
            let running = programs.find(|one| one.program == info.program);
            let Some(running) = running else {
                return Err(PinError::Elsewhere {
                    name: self.name.clone(),
                });
            };
            let mode = running.mode;
            links.push(Link { fd, device, mode });
        }
        Ok(links)
    }

    /// The links and the programs that lie here, by rising numbers.
    fn entries(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), PinError> {
        let (mut links, mut runs) = (BTreeMap::new(), BTreeMap::new());
        for entry in fs::read_dir(&self.folder).map_err(system(&self.folder))? {
            let entry = entry.map_err(system(&self.folder))?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            let numbered = |prefix| name.strip_prefix(prefix)?.parse::<u32>().ok();
            if let Some(device) = numbered(LINK) {
                links.insert(device, path);
            } else if let Some(program) = numbered(RUN) {
                runs.insert(program, path);
            } else {
                let why = "it has another name".to_owned();
                return Err(PinError::Foreign { path, why });
            }
        }
        Ok((links.into_values().collect(), runs.into_values().collect()))
    }
}

/// Where a process died while devices went over one by one, has them all run the same program again.
fn rejoin(run: &Path, loaded: Option<&Loaded>, held: &[Held]) {
    let Some((loaded, other)) = loaded.zip(bpf::get(&run.join("program")).ok()) else {
        return;
    };
    let Ok(id) = bpf::program_info(&other).map(|info| info.id) else {
        return;
    };
    for link in held.iter().filter(|link| link.info.program == id) {
        let _ = bpf::exchange(&link.fd, &loaded.program, &other); // of a device that is gone
    }
}

/// Forgets a program's folder, unless a link runs the program.
fn forget_unless_held(run: &Path, held: &[Held]) {
    let is_of = |link: &Held| run.ends_with(format!("{RUN}{}", link.info.program));
    if !held.iter().any(|link| link.device != 0 && is_of(link)) {
        forget(run);
    }
}

/// What is empty needs no folder.
impl Drop for Pins {
    fn drop(&mut self) {
        if fs::remove_dir(&self.folder).is_ok() {
            let _ = fs::remove_dir(FOLDER); // others may be in it
        }
    }
}

/// Takes what is kept under a name off its devices, and forgets it; says how many devices it was on.
pub fn unpin(name: &Name) -> Result<usize, PinError> {
    let folder = Path::new(FOLDER).join(&name.0);
    if !folder.try_exists().map_err(system(&folder))? {
        return Err(PinError::Unknown {
            name: name.clone(),
            known: names(),
        });
    }
    let pins = Pins::open(name)?;
    let (links, runs) = pins.entries()?;
    let mut devices = 0;
    let held = links.into_iter().map(Held::at);
    for Held {
        path, fd, device, ..
    } in held.collect::<Result<Vec<Held>, PinError>>()?
    {
        if device != 0 {
            bpf::detach(&fd).map_err(system(&path))?;
            devices += 1;
        }
        fs::remove_file(&path).map_err(system(&path))?;
    }
    for run in runs {
        fs::remove_dir_all(&run).map_err(system(&run))?;
    }
    Ok(devices)
}

/// The names that something is kept under.
fn names() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The name under which the link with this number is kept.
pub(super) fn owner(link: u32) -> Option<String> {
    names().into_iter().find(|name| {
        let entries = fs::read_dir(Path::new(FOLDER).join(name));
        let links = entries.into_iter().flatten().flatten();
        let ids = links
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(LINK))
            .filter_map(|entry| bpf::get(&entry.path()).ok())
            .filter_map(|fd| bpf::link_info(&fd).ok());
        ids.into_iter().any(|info| info.id == link)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        for good in ["web", "a", "lb-1_x", "0123456789012345678901234567890x"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/",
            "a.b",
            "a b",
            "ü",
            "0123456789012345678901234567890xy",
            "a\0",
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
