//! A program on devices: as long as its links are open, or as long as they have a name.

use std::io::{self, Error};
use std::os::fd::OwnedFd;

use lvsc_abi::engine::{Device, EngineError, Mode, Occupied, Placed, Placing};

use super::pin::Pins;
use super::refusal::{self, Machine, Place, Refusal};
use super::tenant;
use crate::netlink::{self, Netlink};
use crate::sys::bpf;

/// A program on devices.
#[derive(Default)]
pub(super) struct Attached {
    links: Vec<Link>,
    /// Takes the program's place while it is switched off.
    aside: Option<OwnedFd>,
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
        Attached { links, aside: None }
    }

    /// Whether these devices would refuse it, as far as they tell before.
    pub(super) fn may_cover(
        &self,
        devices: &[Device],
        placing: Placing,
    ) -> Result<(), EngineError> {
        let mut netlink = Netlink::open().map_err(|error| failed("no netlink", &error))?;
        devices.iter().try_for_each(|device| {
            if let Some(link) = self.links.iter().find(|link| link.device == device.index) {
                return kept(device, link, placing.mode).map(drop);
            }
            let link = look(&mut netlink, device)?;
            match placing.occupied {
                Occupied::Refuse if !link.programs.is_empty() => Err(tenant::refusal(&link).into()),
                Occupied::Refuse | Occupied::Replace => Ok(()),
            }
        })
    }

    /// Covers exactly these devices: those that have the program keep it, the others get it or lose it. All is as it was
    /// where one refuses it.
    pub(super) fn cover(
        &mut self,
        devices: &[Device],
        program: &OwnedFd,
        placing: Placing,
        pins: Option<&Pins>,
    ) -> Result<Vec<Placed>, EngineError> {
        let mut netlink = Netlink::open().map_err(|error| failed("no netlink", &error))?;
        let (mut placed, mut new, mut evicted) = (Vec::new(), Vec::new(), Vec::new());
        let mut one = |device: &Device| {
            if let Some(link) = self.links.iter().find(|link| link.device == device.index) {
                placed.push(kept(device, link, placing.mode)?);
                return Ok(());
            }
            let link = look(&mut netlink, device)?;
            evicted.extend(tenant::make_room(&mut netlink, &link, placing.occupied)?);
            let (fd, how) = try_modes(&mut netlink, &link, program, placing.mode)?;
            let (device, mode) = (device.index, how.mode);
            placed.push(how);
            let link = Link { fd, device, mode };
            let kept = pins.map(|pins| pins.keep_link(&link.fd, link.device));
            new.push(link);
            kept.unwrap_or(Ok(()))
        };
        if let Err(error) = devices.iter().try_for_each(&mut one) {
            for link in new {
                let _ = bpf::detach(&link.fd); // a name may still hold it for a moment
                pins.inspect(|pins| pins.forget_link(link.device));
            }
            tenant::restore(&mut netlink, evicted);
            return Err(error);
        }
        self.links.extend(new);
        let wanted = |link: &Link| devices.iter().any(|device| device.index == link.device);
        for link in self.links.extract_if(.., |link| !wanted(link)) {
            let _ = bpf::detach(&link.fd); // its device may be gone
            pins.inspect(|pins| pins.forget_link(link.device));
        }
        Ok(placed)
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

    /// Whether it is on no device.
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
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

/// A device that has the program, unless it is to have it in another mode.
fn kept(device: &Device, link: &Link, wanted: Option<Mode>) -> Result<Placed, EngineError> {
    let mode = link.mode;
    if wanted.is_some_and(|wanted| wanted != mode) {
        let device = &device.name;
        return Err(EngineError::Attach {
            what: format!(
                "the program is on `{device}` in {} mode already",
                mode.name()
            ),
            remedy: Some(
                "leave `--mode` out, or take the program off first: `lvsc unpin NAME`".to_owned(),
            ),
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
