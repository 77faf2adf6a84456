//! What `lvsc run` may be told.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use lvsc_abi::engine::Mode;
use lvsc_abi::layout::WORKERS;

use super::{Output, Source, capture};

/// Where the lab's hosts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LabKind {
    /// In network namespaces: the kernel's own TCP.
    Namespaces,
    /// In this process: simulated hosts on a simulated switch.
    Memory,
}

/// `lvsc run`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc run [OPTIONS] [POLICY]",
    after_help = "\
Examples:
  lvsc run                                          the lab: a client, a director, real servers
  lvsc run --lab memory --requests 1000             the same without namespaces
  lvsc run policies/dr.lvs --pcap in.pcap --out out.pcap
  sudo lvsc run policies/dr.lvs -i eth0             the director, until Ctrl-C
  sudo lvsc run dr.lvs -i eth0 --watch              and again after each save
  sudo lvsc run dr.lvs -i eth0 --io af_xdp          the same in memory that the device shares
  sudo lvsc run dr.o -i eth0 --pin web              the same by a built object, which stays on eth0"
)]
pub struct Run {
    /// The policy, or what `lvsc build` made of one.
    #[command(flatten)]
    pub source: Source,
    /// What forwards: a target or engine of this build [default: for an artifact what it is built for,
    /// for a policy `wasm`, where this build has it, else `interp`]
    #[arg(long)]
    pub target: Option<String>,
    /// A capture to forward (pcap or pcapng)
    #[arg(
        long,
        value_name = "FILE",
        value_parser = capture(),
        requires = "out",
        conflicts_with_all = ["interfaces", "requests", "lab", "hold"],
    )]
    pub pcap: Option<PathBuf>,
    /// Where the capture's sent frames go
    #[arg(
        long,
        value_name = "FILE",
        value_parser = capture(),
        requires = "pcap",
        conflicts_with_all = ["interfaces", "requests", "lab", "hold"],
    )]
    pub out: Option<PathBuf>,
    /// Where the capture's passed frames go
    #[arg(
        long,
        value_name = "FILE",
        value_parser = capture(),
        requires = "pcap",
        conflicts_with_all = ["interfaces", "requests", "lab", "hold"],
    )]
    pub out_pass: Option<PathBuf>,
    /// A device to forward on; `lan=eth0` binds the policy's `interface lan`
    #[arg(
        short,
        long = "interface",
        value_name = "[NAME=]DEVICE",
        conflicts_with_all = ["requests", "lab", "hold"]
    )]
    pub interfaces: Vec<Binding>,
    /// Go on with the policy as it is now whenever it is saved, without losing a packet. `lvsc reload`
    /// has the same done once, and so has the hangup signal (`kill -HUP`)
    #[arg(long, requires = "interfaces")]
    pub watch: bool,
    /// Where `lvsc reload` is listened for: a socket, or `off` [default: `/run/lvsc/NAME.sock` for a
    /// policy `NAME.lvs`, where that may be made, else `$XDG_RUNTIME_DIR/lvsc/NAME.sock`]
    #[arg(long, value_name = "PATH", value_parser = door(), requires = "interfaces")]
    pub control: Option<Door>,
    /// Where an XDP program takes packets [default: auto]
    #[arg(long, value_enum, value_name = "MODE", requires = "interfaces")]
    pub mode: Option<Modes>,
    /// Take the place of another XDP program that is on the device
    #[arg(long, requires = "interfaces")]
    pub replace: bool,
    /// Keep the XDP program on the device when this process ends, under this name; what is kept
    /// there is gone on with, flows and all
    #[arg(long, value_name = "NAME", requires = "interfaces")]
    pub pin: Option<String>,
    /// How packets come to a software datapath: for `-i` [default: auto], for the lab
    /// [default: `af_packet`]
    #[arg(long, value_enum, value_name = "WAY", conflicts_with = "pcap")]
    pub io: Option<Way>,
    /// How `af_xdp` moves frames [default: zero-copy where the device can]
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "pcap")]
    pub transfer: Option<Moves>,
    /// With `af_xdp`: ask the driver for frames all the time, MICROSECONDS at once, instead of waiting;
    /// it takes a whole CPU
    #[arg(
        long,
        value_name = "MICROSECONDS",
        conflicts_with = "pcap",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
    )]
    pub busy_poll: Option<u32>,
    /// With `af_xdp`: threads that forward, each with queues of its own of every device
    /// [default: one for each queue, at most one for each CPU]
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "pcap",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(WORKERS)),
    )]
    pub threads: Option<u32>,
    /// Requests of the lab's client
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
    )]
    pub requests: u32,
    /// Where the lab's hosts are [default: namespaces, else memory]
    #[arg(long, value_enum)]
    pub lab: Option<LabKind>,
    /// Keep the lab up until Ctrl-C
    #[arg(long)]
    pub hold: bool,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// The engine of a policy without `--target`.
pub const fn default_engine() -> &'static str {
    if cfg!(feature = "wasm") {
        "wasm"
    } else {
        "interp"
    }
}

/// A device, and the policy's interface that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The policy's name for it; none is the first interface.
    pub name: Option<String>,
    /// The device.
    pub device: String,
}

impl std::str::FromStr for Binding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Binding, &'static str> {
        let (name, device) = match text.split_once('=') {
            None => (None, text),
            Some((name, device)) => (Some(name.to_owned()), device),
        };
        if device.is_empty() || name.as_deref() == Some("") {
            return Err("a device is given as `eth0` or `lan=eth0`");
        }
        Ok(Binding {
            name,
            device: device.to_owned(),
        })
    }
}

/// Where an XDP program takes packets from a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Modes {
    /// In the driver, else in the kernel.
    Auto,
    /// In the driver: the fastest.
    Native,
    /// In the kernel: on every device, slower.
    Generic,
    /// On the card.
    Offload,
}

impl Modes {
    /// The mode that it must be, if it must be one.
    pub fn only(self) -> Option<Mode> {
        match self {
            Modes::Auto => None,
            Modes::Native => Some(Mode::Native),
            Modes::Generic => Some(Mode::Generic),
            Modes::Offload => Some(Mode::Offload),
        }
    }
}

/// How packets come to a software datapath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// `af_xdp` where frames surely are as on a wire, else `af_packet`.
    Auto,
    /// By packet sockets: on every device, slower.
    #[value(name = "af_packet")]
    AfPacket,
    /// In memory that is shared with the device or its driver.
    #[value(name = "af_xdp")]
    AfXdp,
}

/// How `AF_XDP` moves frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Moves {
    /// The kernel copies them.
    Copy,
    /// The device reads and writes the memory itself; an error where it cannot.
    ZeroCopy,
}

/// `lvsc plan`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc plan [OPTIONS] <OLD> <NEW>",
    after_help = "\
All backends are taken to be up, and their MACs known; each slot of a ring has as many connections.

Examples:
  lvsc plan web.lvs next.lvs
  git show HEAD:web.lvs | lvsc plan - web.lvs     what a change would do, before it is saved to where it runs"
)]
pub struct Plan {
    /// The policy that is in force; `-` is standard input
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The policy that takes over; `-` is standard input
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Where a director listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nowhere.
    Off,
    /// At this path.
    At(PathBuf),
}

fn door() -> impl TypedValueParser<Value = Door> {
    PathBufValueParser::new().map(|path| {
        if path.as_os_str() == "off" {
            Door::Off
        } else {
            Door::At(path)
        }
    })
}

/// `lvsc reload`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc reload [OPTIONS] [POLICY]",
    after_help = "\
It waits until the policy is in force, and says what has changed. Where the policy has errors, the
kernel refuses it or it has other interfaces, the policy before goes on, and the exit status is 1.

Examples:
  sudo lvsc reload web.lvs               the director of `lvsc run web.lvs -i eth0`
  sudo lvsc reload --control web.sock    the one of `lvsc run ... --control web.sock`"
)]
pub struct Reload {
    /// The policy whose director is asked; the director reads it. Without one it is the policy that
    /// `lvsc run` would take here
    pub policy: Option<PathBuf>,
    /// Where the director listens [default: where one of that policy does without `--control`]
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
    /// How long an answer is waited for
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=3600),
    )]
    pub timeout: u32,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// `lvsc unpin`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lvsc unpin web")]
pub struct Unpin {
    /// The name that `run --pin` was given
    pub name: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_binding_names_the_policys_interface_or_takes_the_first() {
        let binding: Binding = "lan=eth0".parse().unwrap();
        assert_eq!(
            (binding.name.as_deref(), binding.device.as_str()),
            (Some("lan"), "eth0")
        );
        assert_eq!("eth0".parse::<Binding>().unwrap().name, None);
        assert!("lan=".parse::<Binding>().is_err());
        assert!("=eth0".parse::<Binding>().is_err());
    }
}
