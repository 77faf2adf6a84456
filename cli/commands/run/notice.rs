//! What a director on an interface tells while it runs, for people.

use lvsc_abi::engine::EngineError;
use lvsc_runtime::director::Notice;
use lvsc_runtime::engine::carry::Carried;

use crate::control::{PoolChange, Refused};
use crate::ui::{Talk, number};

/// What is said where another policy does not take over.
pub const KEPT: &str = "the policy before goes on";

/// What another policy has taken over.
pub fn words(carried: &Carried) -> String {
    let mut words = vec![format!("taken over: {}", carried.kept.join(", "))];
    if !carried.fresh.is_empty() {
        words.push(format!("beginning anew: {}", carried.fresh.join(", ")));
    }
    if carried.lost > 0 {
        let flows = number(carried.lost as usize, "flow");
        words.push(format!(
            "{flows} left out, whose backends are gone or for which there is no place"
        ));
    }
    let took = carried.took.as_secs_f64() * 1000.0;
    words.push(format!("it took {took:.1} ms"));
    words.join("; ")
}

/// What is otherwise in a pool, each a line:
/// `pool web: rs3 added, rs1 weight 1 -> 2; 5470 of 16384 slots have moved`, `  udp 5m -> 10m: known flows stay`.
pub fn otherwise(pool: &PoolChange) -> Vec<String> {
    let moved = pool.moved.map(|[slots, all]| match slots {
        0 => "no slot has moved".to_owned(),
        _ => format!("{slots} of {all} slots have moved"),
    });
    let changes = Some(pool.changes.join(", ")).filter(|changes| !changes.is_empty());
    let parts: Vec<String> = changes.into_iter().chain(moved).collect();
    let head = if parts.is_empty() {
        format!("pool {}", pool.name)
    } else {
        format!("pool {}: {}", pool.name, parts.join("; "))
    };
    let lines = pool.lines.iter().map(|line| format!("  {line}"));
    std::iter::once(head).chain(lines).collect()
}

/// Why another policy does not take over.
pub fn reason(error: &EngineError) -> Refused {
    let help = if let EngineError::Attach { remedy, .. } = error {
        remedy.clone()
    } else {
        None
    };
    Refused {
        help,
        ..Refused::because(error)
    }
}

/// Says it to people.
pub fn tell(notice: &Notice, talk: Talk) {
    match notice {
        Notice::Neighbour { backend, mac, .. } => {
            talk.say(format_args!("backend {backend} is at {mac}"));
        }
        Notice::OwnMac { backend, mac, .. } => talk.say(format_args!(
            "warning: backend {backend} is said to be at {mac}, which is the director's own: ignored"
        )),
        Notice::Missing(backends) => {
            for backend in backends {
                talk.say(format_args!(
                    "backend {backend} has no neighbour entry yet: it gets no packets"
                ));
            }
        }
        Notice::Overrun(frames) => talk.say(format_args!(
            "warning: {} lost before the director saw them: more come than it can forward",
            number(*frames as usize, "frame")
        )),
        Notice::Tagged(vid) => talk.say(format_args!(
            "warning: VLAN {vid} asks for the VIP, but backends are asked for their MACs without a tag\n\
             help: give each backend behind a tag its `mac` in the policy"
        )),
        Notice::Interface { device, mac } => {
            talk.say(format_args!("{device} is at {mac} now"));
        }
        Notice::Failed(error) => talk.say(format_args!("warning: {error}")),
        Notice::Replaced(carried) => talk.say(words(carried)),
        Notice::Kept(error) => {
            talk.say(format_args!("warning: {KEPT}: {error}"));
            if let Some(help) = reason(error).help {
                talk.say(format_args!("help: {help}"));
            }
        }
        Notice::Unknown { .. } => {}
    }
}
