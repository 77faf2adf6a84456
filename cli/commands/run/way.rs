//! How packets come to a software datapath, and how it is said where a program stands.

use std::time::Duration;

use lvsc_abi::engine::Mode;
use lvsc_runtime::director::interface::{Attached, Io, Steered, Taken};
use lvsc_runtime::engine::xdp::probe;
use lvsc_runtime::io::af_xdp::Ways;
use lvsc_runtime::sys::xsk::Transfer;
use serde_json::{Value, json};

use crate::args::{Moves, Run, Way};
use crate::failure::Failure;

/// How packets are to come. `unless` stands where nothing is asked for.
pub fn choose(args: &Run, unless: Way) -> Result<Io, Failure> {
    let asks = [
        ("--mode", args.mode.is_some()),
        ("--replace", args.replace),
        ("--transfer", args.transfer.is_some()),
        ("--busy-poll", args.busy_poll.is_some()),
        ("--threads", args.threads.is_some()),
    ];
    let asked = asks.into_iter().find(|(_, given)| *given);
    let way = match (args.io, asked) {
        (Some(Way::AfPacket), Some((flag, _))) => {
            return Err(Failure::Told {
                what: format!("`{flag}` means nothing to `--io af_packet`"),
                remedy: Some("leave it out, or take `--io af_xdp`".to_owned()),
            });
        }
        (Some(way), None) => way,
        (Some(Way::Auto | Way::AfXdp) | None, Some(_)) => Way::AfXdp,
        (None, None) => unless,
    };
    if way == Way::AfPacket {
        return Ok(Io::Packets);
    }
    if way == Way::AfXdp {
        probe().map_err(|refusal| Failure::Told {
            what: format!("no AF_XDP: {}", refusal.what),
            remedy: refusal.remedy,
        })?;
    }
    let transfer = args.transfer.map(|moves| match moves {
        Moves::Copy => Transfer::Copy,
        Moves::ZeroCopy => Transfer::ZeroCopy,
    });
    let busy = args.busy_poll.map(u64::from).map(Duration::from_micros);
    let steered = Steered {
        ways: Ways { transfer, busy },
        threads: args.threads,
    };
    Ok(if way == Way::Auto {
        Io::Either(steered)
    } else {
        Io::Steered(steered)
    })
}

/// A device, and how its packets come.
pub struct Place {
    device: String,
    mode: Option<Mode>,
    taken: Taken,
}

impl Place {
    /// Those of a director on these devices.
    pub fn all(devices: &[String], attached: &Attached) -> Vec<Place> {
        let modes = attached.modes().iter().map(|mode| Some(*mode));
        let each = devices.iter().zip(modes.chain(std::iter::repeat(None)));
        let place = |(device, mode): (&String, Option<Mode>)| Place {
            device: device.clone(),
            mode,
            taken: attached.taken(),
        };
        each.map(place).collect()
    }

    /// Whether the engine takes packets there by itself.
    pub fn is_engines(&self) -> bool {
        self.taken == Taken::Engine
    }

    /// How packets come to this process: `af_packet`, `af_xdp`.
    pub fn io(&self) -> Option<&'static str> {
        self.way().0
    }

    /// `af_xdp (native, copy)`; `None` where frames are not shared.
    pub fn moved(&self) -> Option<String> {
        let (io, transfer) = self.way();
        let words = [self.mode.map(Mode::name), transfer.map(Transfer::name)];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        transfer
            .and(io)
            .map(|io| format!("{io} ({})", words.join(", ")))
    }

    /// How packets come, and how frames are moved.
    fn way(&self) -> (Option<&'static str>, Option<Transfer>) {
        match self.taken {
            Taken::Engine => (None, None),
            Taken::Packets => (Some("af_packet"), None),
            Taken::Steered(transfer) => (Some("af_xdp"), Some(transfer)),
        }
    }

    /// `eth0 (native)`, `eth0 (af_xdp, native, copy)`
    pub fn title(&self) -> String {
        let (way, transfer) = self.way();
        let words = [way, self.mode.map(Mode::name), transfer.map(Transfer::name)];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        format!("{} ({})", self.device, words.join(", "))
    }

    /// The same for programs.
    pub fn data(&self) -> Value {
        let (way, transfer) = self.way();
        json!({
            "name": self.device,
            "mode": self.mode.map(Mode::name),
            "io": way,
            "transfer": transfer.map(Transfer::name),
        })
    }
}

/// `eth0 (native), eth1 (native)`
pub fn titles(places: &[Place]) -> String {
    let each: Vec<String> = places.iter().map(Place::title).collect();
    each.join(", ")
}
