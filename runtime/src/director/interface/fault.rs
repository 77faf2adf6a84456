//! Why a director cannot work on an interface, or will not work as hoped, each with its remedy.

use std::io::{Error, ErrorKind};
use std::net::IpAddr;

use lvsc_abi::engine::{EngineError, Mode, Placed};
use lvsc_abi::mac::Mac;

use super::shared::SteerError;
use crate::io::exhausted;
use crate::sys::capability::{Capability, Held};

/// Why a director cannot be put on its interfaces.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// More or fewer devices than the policy has interfaces.
    #[error(
        "the policy has {count} interfaces ({names}), {given} given",
        count = wanted.len(),
        names = wanted.join(", ")
    )]
    Count {
        /// The policy's interfaces.
        wanted: Vec<String>,
        /// Number of devices given.
        given: usize,
    },
    /// No such device.
    #[error("there is no interface `{device}` here; there are: {names}", names = known.join(", "))]
    Unknown {
        /// What was asked for.
        device: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A device without a MAC: a loopback, a tunnel.
    #[error("`{device}` is no Ethernet interface: direct routing has no MAC to rewrite there")]
    NotEthernet {
        /// The device.
        device: String,
    },
    /// The device is switched off.
    #[error("the interface `{device}` is down")]
    Down {
        /// The device.
        device: String,
    },
    /// A backend that would be the director itself.
    #[error(
        "backend {backend} has the MAC {mac} of `{device}`: the director cannot be its own backend"
    )]
    OwnMac {
        /// The backend's name.
        backend: String,
        /// The device.
        device: String,
        /// Their MAC.
        mac: Mac,
    },
    /// A backend with an address of this host.
    #[error(
        "backend {backend} has the address {address} of this host: the director cannot be its own backend"
    )]
    OwnAddress {
        /// The backend's name.
        backend: String,
        /// Their address.
        address: IpAddr,
    },
    /// A backend of another subnet: nobody on the link has its MAC.
    #[error(
        "backend {backend} ({address}) is on no subnet of `{device}`: direct routing reaches only its own link"
    )]
    OffLink {
        /// The backend's name.
        backend: String,
        /// Its address.
        address: IpAddr,
        /// The device.
        device: String,
    },
    /// The policy fixes another MAC than the device has.
    #[error(
        "the policy gives the interface {interface} the MAC {wanted}, `{device}` has {mac} and takes no frames for another"
    )]
    ForeignMac {
        /// The policy's name for it.
        interface: String,
        /// The MAC that the policy fixes.
        wanted: Mac,
        /// The device.
        device: String,
        /// The device's.
        mac: Mac,
    },
    /// The kernel's interfaces cannot be listed.
    #[error("cannot ask the kernel for its interfaces: {source}")]
    Netlink {
        /// What the kernel says.
        source: Error,
    },
    /// The engine cannot take packets from the devices.
    #[error("{source}")]
    Engine {
        /// Why.
        source: EngineError,
    },
    /// Frames cannot be shared with the devices.
    #[error("no AF_XDP on {device}: {source}")]
    Steer {
        /// The devices.
        device: String,
        /// Why.
        source: SteerError,
    },
    /// No packet socket.
    #[error("cannot open a packet socket on {device}: {source}")]
    Socket {
        /// The device.
        device: String,
        /// What the kernel says.
        source: Error,
    },
}

/// How a program gets the rights that a director needs.
fn setcap() -> String {
    let needed = [Capability::NetAdmin, Capability::NetRaw];
    format!(
        "give the program the right once: {}",
        Held::here().setcap(&needed)
    )
}

impl AttachError {
    /// What to type, where that is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            AttachError::Netlink { source } | AttachError::Socket { source, .. }
                if source.kind() == ErrorKind::PermissionDenied =>
            {
                Some(format!("run it with `sudo`, or {}", setcap()))
            }
            AttachError::Netlink { source } | AttachError::Socket { source, .. } => {
                exhausted(source).map(str::to_owned)
            }
            AttachError::NotEthernet { .. } => Some(
                "give the device that leads to the backends; `ip -br link` shows those with a MAC"
                    .to_owned(),
            ),
            AttachError::OwnMac { backend, .. } => Some(format!(
                "give {backend} in the policy the `mac` of another host, or leave it out"
            )),
            AttachError::OwnAddress { backend, .. } => Some(format!(
                "give {backend} in the policy the address of another host, or leave it out"
            )),
            AttachError::Count { .. } => {
                Some("give each interface a device: `-i NAME=DEVICE`".to_owned())
            }
            AttachError::Down { device } => Some(format!("`sudo ip link set {device} up`")),
            AttachError::OffLink { device, .. } => Some(format!(
                "give `{device}` an address of that subnet, or the backend its `mac` in the policy"
            )),
            AttachError::ForeignMac { wanted, device, .. } => Some(format!(
                "leave `mac` out of the policy, or `sudo ip link set {device} address {wanted}`"
            )),
            AttachError::Engine {
                source: EngineError::Attach { remedy, .. },
                ..
            } => remedy.clone(),
            AttachError::Steer { source, .. } => source.remedy(),
            // The one names those that there are, the other is a fault of ours.
            AttachError::Unknown { .. } | AttachError::Engine { .. } => None,
        }
    }
}

impl Warning {
    /// About a device that has the program in another mode than was tried first.
    pub(super) fn of(device: &str, placed: &Placed) -> Option<Warning> {
        let (because, remedy) = placed.because.clone()?;
        Some(Warning::Mode {
            device: device.to_owned(),
            mode: placed.mode,
            because,
            remedy,
        })
    }
}

/// What is likely to stand in the way of a director that runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The kernel has the VIP, too.
    #[error(
        "this host has the VIP {address} itself: its kernel answers the clients, mostly with RST"
    )]
    LocalVip {
        /// The VIP.
        address: IpAddr,
    },
    /// Every frame would go twice.
    #[error(
        "the kernel forwards what comes in by `{device}`, too: packets to the VIP may go out twice"
    )]
    KernelForwards {
        /// The device.
        device: String,
    },
    /// Without `CAP_NET_ADMIN` the kernel does not resolve on request.
    #[error(
        "the kernel does not let this process ask for the backends' MACs on `{device}`: only those are used that the host knows by itself"
    )]
    MayNotAsk {
        /// The device.
        device: String,
    },
    /// Without an address nothing is known of the subnet.
    #[error(
        "`{device}` has no IPv4 address: it cannot be checked that the backends are on its link"
    )]
    Unaddressed {
        /// The device.
        device: String,
    },
    /// The device has the program in another mode than the fastest.
    #[error("the program is on `{device}` in {mode} mode: {because}", mode = mode.name())]
    Mode {
        /// The device.
        device: String,
        /// The mode that was taken.
        mode: Mode,
        /// Why it is not the better one.
        because: String,
        /// What to do, where that is known.
        remedy: Option<String>,
    },
    /// Packets come by packet sockets, where shared memory was tried first.
    #[error("packets of {device} come by AF_PACKET: {because}")]
    PacketSockets {
        /// The devices.
        device: String,
        /// Why it is not the better way.
        because: String,
        /// What to do, where that is known.
        remedy: Option<String>,
    },
    /// Nobody answers for it here.
    #[error("nobody is told where {address}/{prefix} is: only single IPv4 addresses are announced")]
    NotAnnounced {
        /// The VIP.
        address: IpAddr,
        /// Its prefix length.
        prefix: u8,
    },
}

impl Warning {
    /// Whether nothing need be wrong.
    pub fn is_note(&self) -> bool {
        match self {
            Warning::Unaddressed { .. } | Warning::PacketSockets { .. } => true,
            Warning::LocalVip { .. }
            | Warning::Mode { .. }
            | Warning::KernelForwards { .. }
            | Warning::MayNotAsk { .. }
            | Warning::NotAnnounced { .. } => false,
        }
    }

    /// What to type or to do.
    pub fn remedy(&self) -> String {
        match self {
            Warning::LocalVip { address } => {
                format!("ip address del {address}/32 dev DEVICE (the director answers ARP for it)")
            }
            Warning::KernelForwards { device } => {
                format!("sysctl -w net.ipv4.conf.{device}.forwarding=0")
            }
            Warning::MayNotAsk { .. } => setcap(),
            Warning::Unaddressed { device } => {
                format!("ip address add ADDRESS/PREFIX dev {device} (one of the backends' subnet)")
            }
            Warning::Mode { remedy, .. } | Warning::PacketSockets { remedy, .. } => remedy
                .clone()
                .unwrap_or_else(|| "a slower way, and else the same".to_owned()),
            Warning::NotAnnounced { .. } => "route it to this host".to_owned(),
        }
    }
}
