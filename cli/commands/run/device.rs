//! On an interface: the real director, until a signal.

use std::collections::BTreeSet;

use lvsc_abi::engine::{Occupied, Placing};
use lvsc_abi::manifest::Manifest;

#[cfg(target_os = "linux")]
use lvsc_runtime::director::interface::Io;

#[cfg(target_os = "linux")]
use super::control::Control;
#[cfg(target_os = "linux")]
use super::reload::{Reload, Side};
#[cfg(target_os = "linux")]
use crate::args::Way;
use crate::args::{Binding, Modes, Run};
use crate::config::Chosen;
use crate::engines::{Kind, Takes};
use crate::failure::{Failure, Status};
use crate::subject::Subject;
use crate::ui::Ui;
use crate::watch::Files;

/// Forwards on devices until a signal, then prints what was counted.
#[cfg(target_os = "linux")]
pub fn run(
    args: &Run,
    (chosen, files): (&Chosen, Files),
    subject: Subject,
    ui: &mut Ui,
) -> Result<Status, Failure> {
    let placing = placing(args, subject.kind)?;
    let io = match subject.kind.takes {
        Takes::Handed => super::way::choose(args, Way::Auto)?,
        Takes::Devices => Io::Packets,
    };
    ui.leave();
    let loaded = subject.load(args.pin.as_deref())?;
    let devices = devices(&args.interfaces, &loaded.manifest)?;
    let manifest = loaded.manifest.clone();
    let reload = Reload::new(chosen, args, Side { subject, manifest }, files)?;
    let control = Control::open(args.control.as_ref(), chosen, ui)?;
    let asked = (reload, control);
    linux::run(&devices, args, (loaded, asked), (placing, io), ui)
}

/// Forwards on devices: not here.
#[cfg(not(target_os = "linux"))]
pub fn run(
    args: &Run,
    _: (&Chosen, Files),
    subject: Subject,
    _: &mut Ui,
) -> Result<Status, Failure> {
    placing(args, subject.kind)?;
    devices(&args.interfaces, &subject.load(None)?.manifest)?;
    Err(Failure::Told {
        what: "forwarding on an interface needs Linux".to_owned(),
        remedy: Some("`lvsc run` tries the policy in a lab of simulated hosts".to_owned()),
    })
}

/// How the program is put on the devices; an error where there is no such program.
fn placing(args: &Run, kind: &Kind) -> Result<Placing, Failure> {
    let meant = match kind.takes {
        Takes::Handed => vec![("--pin", args.pin.is_some())],
        Takes::Devices => vec![
            ("--io", args.io.is_some()),
            ("--transfer", args.transfer.is_some()),
            ("--busy-poll", args.busy_poll.is_some()),
            ("--threads", args.threads.is_some()),
        ],
    };
    if let Some((flag, _)) = meant.into_iter().find(|(_, given)| *given) {
        return Err(kind.has_no(flag));
    }
    Ok(Placing {
        mode: args.mode.and_then(Modes::only),
        occupied: if args.replace {
            Occupied::Replace
        } else {
            Occupied::Refuse
        },
    })
}

/// The devices in the order of the policy's interfaces. A device without a name is the first interface's that has none.
fn devices(bindings: &[Binding], manifest: &Manifest) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = manifest
        .interfaces
        .iter()
        .map(|interface| interface.name.clone())
        .collect();
    let mut places: Vec<Option<String>> = vec![None; names.len()];
    let named = bindings
        .iter()
        .filter_map(|binding| Some((binding.name.as_ref()?, binding)));
    for (name, binding) in named {
        let place = names.iter().position(|known| known == name);
        let place =
            place
                .and_then(|at| places.get_mut(at))
                .ok_or_else(|| Failure::NoInterface {
                    name: name.clone(),
                    known: names.clone(),
                })?;
        if place.is_some() {
            return Err(Failure::Told {
                what: format!("the interface {name} is given two devices"),
                remedy: Some(format!("give it one: -i {name}=DEVICE")),
            });
        }
        *place = Some(binding.device.clone());
    }
    for binding in bindings.iter().filter(|binding| binding.name.is_none()) {
        match places.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(binding.device.clone()),
            None => {
                return Err(Failure::Told {
                    what: format!(
                        "no interface of the policy is left for `{}`",
                        binding.device
                    ),
                    remedy: Some(format!("interfaces of the policy: {}", names.join(", "))),
                });
            }
        }
    }
    let missing: Vec<String> = (names.iter().zip(&places))
        .filter(|(_, place)| place.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    if missing.is_empty() {
        let devices: Vec<String> = places.into_iter().flatten().collect();
        return match twice(&devices) {
            None => Ok(devices),
            Some(device) => Err(Failure::Told {
                what: format!("the device `{device}` is given to two interfaces"),
                remedy: Some(format!(
                    "give each its own: -i {}=DEVICE",
                    names.join("=DEVICE -i ")
                )),
            }),
        };
    }
    Err(Failure::Told {
        what: format!(
            "the policy's interface {} has no device",
            missing.join(", ")
        ),
        remedy: Some(format!(
            "give each one: -i {}=DEVICE",
            missing.join("=DEVICE -i ")
        )),
    })
}

/// A device that stands there more than once.
fn twice(devices: &[String]) -> Option<&String> {
    let mut known = BTreeSet::new();
    devices.iter().find(|device| !known.insert(*device))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use lvsc_abi::engine::Placing;
    use lvsc_runtime::director::interface::{AttachError, Attached, Io, Order};

    use super::super::control::{Asked, Control};
    use super::super::notice::{tell, words};
    use super::super::reload::Reload;
    use super::super::report::{data, report};
    use super::super::way::{Place, titles};
    use crate::args::{Format, Run};
    use crate::engines::{Before, Loaded};
    use crate::failure::{Failure, Status};
    use crate::interrupt;
    use crate::ui::Ui;

    pub(super) fn run(
        devices: &[String],
        args: &Run,
        (loaded, (reload, control)): (Loaded, (Reload<'_>, Option<Control>)),
        (placing, io): (Placing, Io),
        ui: &mut Ui,
    ) -> Result<Status, Failure> {
        let kind = reload.kind();
        let [stop, again] = interrupt::flags()?;
        let Loaded {
            engine,
            manifest,
            before,
        } = loaded;
        let itself = matches!(before, Before::Itself);
        let order = Order {
            engine,
            before: match before {
                Before::Nothing | Before::Itself => None,
                Before::Other(manifest, engine) => Some((manifest, engine)),
            },
            placing,
            io,
        };
        let attached = Attached::open(order, manifest, devices)?;
        for warning in attached.warnings() {
            let word = if warning.is_note() { "note" } else { "warning" };
            ui.say(format_args!(
                "{word}: {warning}\nhelp: {}",
                warning.remedy()
            ));
        }
        if itself {
            ui.say("going on with the flows and counters that were kept");
        }
        if let Some(carried) = attached.carried() {
            ui.say(words(carried));
        }
        let talk = ui.talker();
        let mut attached = attached.telling(move |notice| tell(&notice, talk));
        let places = Place::all(devices, &attached);
        let threads = attached.threads();
        let several = match threads {
            1 => String::new(),
            _ => format!(", {threads} threads"),
        };
        ui.say(format_args!(
            "forwarding on {} until a signal ({}{several})",
            titles(&places),
            kind.name
        ));
        let (ended, events, asked) = (AtomicBool::new(false), attached.events(), Asked::new(again));
        let over = || ended.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed);
        let done = thread::scope(|scope| {
            let _ends = Ends(&ended);
            scope.spawn(|| reload.serve(&asked, &events, ui, over));
            if let Some(control) = &control {
                scope.spawn(|| control.serve(&asked, over));
            }
            attached.run(&stop)
        });
        let summary = attached.summary();
        match args.output.format {
            Format::Text => ui.print(report(&summary, &places)),
            Format::Json => ui.json(&data(&summary, kind, &places)),
        }
        if let Some(name) = &args.pin {
            ui.say(format_args!(
                "{name} stays on {}: `lvsc unpin {name}` takes it off",
                devices.join(", ")
            ));
        }
        done.map_err(|error| stopped(&error))?;
        super::super::failed(&summary)
    }

    /// Tells those who wait that it is over, however it came to that.
    struct Ends<'a>(&'a AtomicBool);

    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn stopped(error: &io::Error) -> Failure {
        let gone = error.kind() == io::ErrorKind::NotFound;
        let again = "start it again when the interface is back; `ip -br link` shows those that are";
        Failure::Told {
            what: format!("stopped: {error}"),
            remedy: gone.then(|| again.to_owned()),
        }
    }

    impl From<AttachError> for Failure {
        fn from(error: AttachError) -> Failure {
            Failure::Told {
                what: error.to_string(),
                remedy: error.remedy(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use lvsc_abi::manifest::Interface;

    fn bound(given: &[&str]) -> Result<Vec<String>, String> {
        let interface = |name: &str| Interface {
            name: name.to_owned(),
            ..Interface::default()
        };
        let manifest = Manifest {
            interfaces: vec![interface("wan"), interface("lan")],
            ..Manifest::default()
        };
        let bindings: Vec<Binding> = given.iter().map(|text| text.parse().unwrap()).collect();
        devices(&bindings, &manifest).map_err(|failure| failure.to_string())
    }

    #[test]
    fn devices_stand_in_the_order_of_the_policys_interfaces() {
        assert_eq!(bound(&["eth0", "eth1"]).unwrap(), ["eth0", "eth1"]);
        assert_eq!(bound(&["lan=eth0", "eth1"]).unwrap(), ["eth1", "eth0"]);
        assert!(
            bound(&["eth0"])
                .unwrap_err()
                .contains("interface lan has no device")
        );
        assert!(
            bound(&["dmz=eth0"])
                .unwrap_err()
                .contains("no interface `dmz`")
        );
        let wrong = bound(&["lan=nope", "lan=eth0"]).unwrap_err();
        assert!(wrong.contains("lan is given two devices"), "{wrong}");
        let wrong = bound(&["wan=eth0", "eth0"]).unwrap_err();
        assert!(
            wrong.contains("`eth0` is given to two interfaces"),
            "{wrong}"
        );
        assert!(
            bound(&["a", "b", "c"])
                .unwrap_err()
                .contains("left for `c`")
        );
    }
}
