//! What a refusal of the kernel means, and what to do about it: by what was tried and the error's number.

use std::io::Error;

use lvsc_abi::engine::Mode;
use lvsc_abi::options::Kernel;

use crate::io::exhausted;
use crate::sys::capability::{Capability, Held};

/// The longest packet that a driver takes a program for without fragments, on a page of 4 KiB (bytes).
const MTU: u32 = 3506;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// What is refused, and why.
    pub what: String,
    /// What to do, where that is known.
    pub remedy: Option<String>,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Loading a program that does nothing.
    Probe,
    /// Giving the kernel the types.
    Types,
    /// Making the maps.
    Maps,
    /// Mapping the image.
    Mapping,
    /// Loading the program; not what the verifier says of it.
    Program,
    /// Naming the devices that frames are redirected to.
    Devices,
    /// Having one program call another.
    Calling,
}

impl Step {
    const fn words(self) -> &'static str {
        match self {
            Step::Probe => "the kernel loads no XDP program",
            Step::Types => "the kernel does not take the program's types",
            Step::Maps => "the kernel makes no maps for the image",
            Step::Mapping => "the kernel does not map the image",
            Step::Program => "the kernel does not load the program",
            Step::Devices => "the kernel does not take the devices that the program sends to",
            Step::Calling => "the kernel does not let the feeder call the program",
        }
    }
}

/// What matters of the machine and of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The kernel's release: `6.18.2-arch`.
    pub release: String,
    /// What this process may do.
    pub held: Held,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            release: release.trim().to_owned(),
            held: Held::here(),
        }
    }

    /// Whether the kernel is older than the objects.
    fn is_old(&self) -> bool {
        let mut numbers = self.release.split(|letter: char| !letter.is_ascii_digit());
        let mut next = || numbers.next().and_then(|number| number.parse().ok());
        let (major, minor) = (next(), next());
        let version = major
            .zip(minor)
            .map(|(major, minor)| Kernel { major, minor });
        version.is_some_and(|version| version < Kernel::OLDEST)
    }

    /// What to do where the kernel is older than the objects; `None` where it is not.
    pub fn old(&self) -> Option<String> {
        let oldest = Kernel::OLDEST;
        self.is_old().then(|| {
            format!(
                "this kernel is {}, and {oldest} is the oldest that lvsc's objects are for: take a newer one, or \
                 `--target wasm --io af_packet`",
                self.release
            )
        })
    }

    /// Whether this process lacks a capability that XDP takes.
    pub(super) fn lacks(&self) -> bool {
        !self.held.lacking(&NEEDED).is_empty()
    }

    /// What to do where something is not permitted.
    fn permission(&self) -> String {
        let lacking = self.held.lacking(&NEEDED);
        if lacking.is_empty() {
            return "the capabilities count only in the host's own user namespace, and not where the kernel is locked \
                    down: run it there as root, or take `--target wasm --io af_packet`"
                .to_owned();
        }
        let names: Vec<&str> = lacking.into_iter().map(Capability::name).collect();
        // Whoever runs it on a device needs a packet socket, too, for the VIPs.
        let all = [&NEEDED[..], &[Capability::NetRaw]].concat();
        format!(
            "this process lacks {}: run it with sudo, or give it the rights with {}; `--target wasm --io af_packet` needs none of them",
            names.join(", "),
            self.held.setcap(&all)
        )
    }
}

/// What loading and attaching takes.
const NEEDED: [Capability; 3] = [Capability::Bpf, Capability::NetAdmin, Capability::Perfmon];

/// Why something could not be loaded.
pub fn load(step: Step, error: &Error, machine: &Machine) -> Refusal {
    let what = format!("{}: {error}", step.words());
    let number = error.raw_os_error();
    let remedy = match number {
        Some(libc::ENOSYS) => Some(
            "this kernel has no eBPF: take one with CONFIG_BPF_SYSCALL, or `--target wasm`"
                .to_owned(),
        ),
        Some(libc::EPERM | libc::EACCES) => Some(machine.permission()),
        _ if machine.is_old() => machine.old(),
        Some(libc::EINVAL | libc::E2BIG) if machine.lacks() => Some(machine.permission()),
        Some(libc::ENOMEM | libc::E2BIG | libc::ENOBUFS) => {
            Some("make the tables (`flows`) smaller, use fewer of them, or free memory".to_owned())
        }
        _ => exhausted(error).map(str::to_owned),
    };
    Refusal { what, remedy }
}

/// A device that refuses a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its name.
    pub device: &'a str,
    /// What kind of device it is, where it is no card.
    pub kind: &'a str,
    /// The longest packet that it sends (bytes).
    pub mtu: u32,
    /// The mode that was tried.
    pub mode: Mode,
}

/// Why a program could not be put on a device. That another one is there is told elsewhere: the device names it.
pub fn attach(place: Place<'_>, error: &Error, machine: &Machine) -> Refusal {
    let Place {
        device,
        kind,
        mtu,
        mode,
    } = place;
    let said = |what: String, remedy: String| Refusal {
        what,
        remedy: Some(remedy),
    };
    let number = error.raw_os_error();
    let refuses = number == Some(libc::EOPNOTSUPP) || number == Some(libc::EINVAL);
    match number {
        Some(libc::EPERM | libc::EACCES) => said(
            format!("the kernel lets this process put no program on `{device}`: {error}"),
            machine.permission(),
        ),
        Some(libc::ENODEV) => said(
            format!("the device `{device}` is gone"),
            "`ip -br link` shows those that are there".to_owned(),
        ),
        _ if refuses && mode == Mode::Offload => said(
            format!("`{device}` cannot take the program onto a card: {error}"),
            "a card cannot hold an image that this process writes: take `--mode native`, or none"
                .to_owned(),
        ),
        Some(libc::ENOSPC) => said(
            format!("`{device}` has fewer receive queues than its peer has transmit queues"),
            format!(
                "as many on both ends: `ethtool -L {device} rx N`, or make the pair with \
                 `ip link add ... numrxqueues 1 numtxqueues 1`; `--mode generic` does without"
            ),
        ),
        Some(libc::ERANGE | libc::EINVAL) if mode == Mode::Native && mtu > MTU => said(
            format!("`{device}` takes no program for packets of {mtu} bytes (its MTU)"),
            format!(
                "`sudo ip link set {device} mtu {MTU}` (a veth pair: both ends), or `--mode generic`"
            ),
        ),
        // The peer's MTU, which nobody tells.
        Some(libc::ERANGE) => said(
            format!("the peer of `{device}` sends longer packets than a program is given whole"),
            format!("give the peer an MTU of at most {MTU} bytes, or take `--mode generic`"),
        ),
        Some(libc::EOPNOTSUPP) if mode == Mode::Native => {
            let kind = if kind.is_empty() { "driver" } else { kind };
            said(
                format!("`{device}` has no native mode ({kind})"),
                "`--mode generic` works on every device, slower".to_owned(),
            )
        }
        _ => Refusal {
            what: format!(
                "`{device}` does not take the program ({} mode): {error}",
                mode.name()
            ),
            remedy: machine
                .old()
                .or_else(|| exhausted(error).map(str::to_owned)),
        },
    }
}

/// Whether another mode may do where the kernel answers so to the native one: drivers have many reasons, and more numbers
/// than reasons; these are not theirs.
pub(super) fn is_of_driver(error: &Error) -> bool {
    let others = [
        libc::EPERM,
        libc::EACCES,
        libc::ENODEV,
        libc::EBUSY,
        libc::EEXIST,
        libc::EMFILE,
        libc::ENFILE,
    ];
    let number = error.raw_os_error();
    number.is_some_and(|number| !others.contains(&number))
}

#[cfg(test)]
mod tests;
