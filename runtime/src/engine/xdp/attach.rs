//! A program on devices: as long as its links are open, or as long as they have a name.

use std::io::{self, Error};
use std::os::fd::OwnedFd;

use lvsc_abi::engine::{Device, EngineError, Mode, Placed, Placing};

use super::pin::{Name, Pins};
use super::refusal::{self, Machine, Place, Refusal};
use super::tenant::{self, Evicted};
use crate::netlink::{self, Netlink};
use crate::sys::bpf;

/// A program on devices.
#[derive(Default)]
pub(super) struct Attached {
    links: Vec<Link>,
    reserved: Option<Reserved>,
    /// Takes the program's place while it is switched off.
    aside: Option<OwnedFd>,
}

/// Devices in hand, before the program is on them; given back when dropped.
struct Reserved {
    /// All that the program is to be on (their indices).
    devices: Vec<u32>,
    /// Those that it is not on yet: everything passes on them.
    links: Vec<Link>,
    /// What every packet passes there.
    pass: OwnedFd,
    /// What was on them.
    evicted: Vec<Evicted>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Reserved {
    /// Has the devices as they were before; gives what could not be put back.
    fn give_back(&mut self) -> Vec<String> {
        for link in self.links.drain(..) {
            let _ = bpf::detach(&link.fd); // its device may be gone
        }
        tenant::restore(std::mem::take(&mut self.evicted))
    }

    /// Takes hold of one more device.
    fn add(
        &mut self,
        netlink: &mut Netlink,
        device: &Device,
        placing: Placing,
    ) -> Result<Placed, EngineError> {
        let link = look(netlink, device)?;
        let evicted = tenant::make_room(netlink, &link, placing.occupied)?;
        self.evicted.extend(evicted);
        let (fd, placed) = try_modes(netlink, &link, &self.pass, placing.mode)?;
        self.links.push(Link {
            fd,
            device: device.index,
            mode: placed.mode,
        });
        Ok(placed)
    }
}

/// A program on a device.
pub(super) struct Link {
    pub(super) fd: OwnedFd,
    pub(super) device: u32,
    pub(super) mode: Mode,
}

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> EngineError {
        EngineError::Attach {
            what: refusal.what,
            remedy: refusal.remedy,
        }
    }
}

/// Something that is not refused by a device.
pub(super) fn failed(what: &str, error: &Error) -> EngineError {
    EngineError::Attach {
        what: format!("{what}: {error}"),
        remedy: crate::io::exhausted(error).map(str::to_owned),
    }
}

impl Attached {
    /// Those that were there before this process.
    pub(super) fn adopted(links: Vec<Link>) -> Attached {
        Attached {
            links,
            ..Attached::default()
        }
    }

    /// Takes hold of exactly these devices; says how the program will be on each. `name` is what it is kept under.
    pub(super) fn reserve(
        &mut self,
        devices: &[Device],
        placing: Placing,
        name: Option<&Name>,
    ) -> Result<Vec<Placed>, EngineError> {
        let mut netlink = Netlink::open().map_err(|error| failed("no netlink", &error))?;
        let pass = super::pass();
        let mut reserved = Reserved {
            devices: devices.iter().map(|device| device.index).collect(),
            links: Vec::new(),
            pass: pass.map_err(|error| failed("the kernel loads no XDP program", &error))?,
            evicted: Vec::new(),
        };
        let each = devices.iter().map(|device| {
            let known = self.links.iter().find(|link| link.device == device.index);
            match known {
                Some(link) => kept(device, link, placing.mode, name),
                None => reserved.add(&mut netlink, device, placing),
            }
        });
        let placed = each.collect::<Result<Vec<Placed>, EngineError>>();
        match placed {
            Ok(placed) => {
                self.reserved = Some(reserved);
                Ok(placed)
            }
            Err(error) => Err(besides(error, &reserved.give_back())),
        }
    }

    /// Has the program on the devices that are reserved, and on no others.
    pub(super) fn cover(
        &mut self,
        program: &OwnedFd,
        pins: Option<&Pins>,
    ) -> Result<(), EngineError> {
        let Some(mut reserved) = self.reserved.take() else {
            return Ok(());
        };
        let covered = reserved.links.iter().try_for_each(|link| {
            let done = bpf::exchange(&link.fd, program, &reserved.pass);
            done.map_err(|error| failed("the program cannot be put on the devices", &error))?;
            pins.map_or(Ok(()), |pins| pins.keep_link(&link.fd, link.device))
        });
        if let Err(error) = covered {
            for link in &reserved.links {
                pins.inspect(|pins| pins.forget_link(link.device));
            }
            self.reserved = Some(reserved);
            return Err(error);
        }
        self.links.append(&mut reserved.links);
        reserved.evicted.clear();
        let wanted = |link: &Link| reserved.devices.contains(&link.device);
        for link in self.links.extract_if(.., |link| !wanted(link)) {
            let _ = bpf::detach(&link.fd); // its device may be gone
            pins.inspect(|pins| pins.forget_link(link.device));
        }
        Ok(())
    }

    /// Gives back what is reserved; says what could not be.
    pub(super) fn give_back(&mut self) -> Vec<String> {
        let reserved = self.reserved.take();
        reserved.map_or_else(Vec::new, |mut reserved| reserved.give_back())
    }

    /// Has every device go on with another program, without a packet in between; none where one does not.
    pub(super) fn exchange(&self, next: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
        for (number, link) in self.links.iter().enumerate() {
            let Err(error) = bpf::exchange(&link.fd, next, old) else {
                continue;
            };
            // A device that is gone, or whose link somebody else has cut, forwards nothing in any case.
            if error.raw_os_error() == Some(libc::ENOLINK) {
                continue;
            }
            for link in self.links.iter().take(number) {
                let _ = bpf::exchange(&link.fd, old, next);
            }
            return Err(error);
        }
        Ok(())
    }

    /// Whether the program has given its place to one that leaves everything to the kernel.
    pub(super) fn is_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// Switches the program on or off, without a packet in between.
    pub(super) fn switch(&mut self, on: bool, program: &OwnedFd) -> Result<(), EngineError> {
        let failed = |error: Error| failed("the datapath cannot be switched", &error);
        match (on, self.aside.take()) {
            (true, Some(aside)) => {
                let switched = self.exchange(program, &aside);
                if switched.is_err() {
                    self.aside = Some(aside);
                }
                switched.map_err(failed)
            }
            (false, None) => {
                let aside = super::pass().map_err(failed)?;
                self.exchange(&aside, program).map_err(failed)?;
                self.aside = Some(aside);
                Ok(())
            }
            (_, same) => {
                self.aside = same;
                Ok(())
            }
        }
    }
}

/// An error, and what could not be put back after it.
pub(super) fn besides(error: EngineError, lost: &[String]) -> EngineError {
    if let EngineError::Attach { what, remedy } = &error
        && !lost.is_empty()
    {
        return EngineError::Attach {
            what: format!("{what}; {}", lost.join("; ")),
            remedy: remedy.clone(),
        };
    }
    error
}

/// A device that has the program, unless it is to have it in another mode.
fn kept(
    device: &Device,
    link: &Link,
    wanted: Option<Mode>,
    name: Option<&Name>,
) -> Result<Placed, EngineError> {
    let mode = link.mode;
    if wanted.is_some_and(|wanted| wanted != mode) {
        let (device, mode) = (&device.name, mode.name());
        return Err(EngineError::Attach {
            what: format!("the program is on `{device}` in {mode} mode already"),
            remedy: name.map(|name| {
                format!("leave `--mode` out, or take the program off first: `lvsc unpin {name}`")
            }),
        });
    }
    Ok(Placed {
        mode,
        because: None,
    })
}

fn look(netlink: &mut Netlink, device: &Device) -> Result<netlink::Link, EngineError> {
    let links = netlink.links();
    let links = links.map_err(|error| failed("the kernel does not list its devices", &error))?;
    let found = links.into_iter().find(|link| link.index == device.index);
    found.ok_or_else(|| EngineError::Attach {
        what: format!("the device `{}` is gone", device.name),
        remedy: None,
    })
}

/// In the mode that is wanted; else in the driver, and where that does not, in the kernel.
fn try_modes(
    netlink: &mut Netlink,
    link: &netlink::Link,
    program: &OwnedFd,
    wanted: Option<Mode>,
) -> Result<(OwnedFd, Placed), EngineError> {
    let mode = wanted.unwrap_or(Mode::Native);
    let refusal = |mode, error: &Error| {
        let place = Place {
            device: &link.name,
            kind: &link.kind,
            mtu: link.mtu,
            mode,
        };
        refusal::attach(place, error, &Machine::here())
    };
    let (mode, done, because) = match bpf::attach(program, link.index, mode) {
        Err(error) if wanted.is_none() && refusal::is_of_driver(&error) => {
            let native = refusal(mode, &error);
            let generic = bpf::attach(program, link.index, Mode::Generic);
            (Mode::Generic, generic, Some((native.what, native.remedy)))
        }
        other => (mode, other, None),
    };
    match done {
        Ok(fd) => Ok((fd, Placed { mode, because })),
        // Another one came first.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST)) => {
            let device = Device {
                index: link.index,
                name: link.name.clone(),
            };
            Err(tenant::refusal(&look(netlink, &device)?).into())
        }
        Err(error) => Err(refusal(mode, &error).into()),
    }
}
