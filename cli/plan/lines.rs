//! What is said otherwise of a pool as a whole, and what becomes of what its tables know.

use std::fmt::{self, Display};

use lvsc_abi::manifest::{Flows, Fragments, NoFragments, Persist, Pool, Tracking};
use lvsc_abi::scheduler::{Pick, Scheduler};
use serde::{Deserialize, Serialize};

/// A line of a pool that says something else now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// As a policy says it, before and after: `udp 5m -> 10m`.
    pub what: String,
    /// What becomes of what is known.
    pub then: String,
}

impl Line {
    fn new(what: String, then: &str) -> Line {
        let then = then.to_owned();
        Line { what, then }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.then)
    }
}

/// Each line that is otherwise; `kept` says of a kind of table whether the pool's goes on.
pub fn lines(was: &Pool, pool: &Pool, kept: impl Fn(&str) -> bool) -> Vec<Line> {
    let mut lines = Vec::new();
    if was.scheduler != pool.scheduler {
        let what = change("scheduler", was.scheduler, pool.scheduler);
        lines.push(Line::new(what, "new flows go by it"));
    }
    lines.extend(table(was.flows, pool.flows, kept("flows")));
    if let (Some(before), Some(now)) = (was.flows, pool.flows)
        && before.tracking == now.tracking
    {
        lines.extend(times(before, now, kept("flows")));
    }
    lines.extend(clients(was.persist, pool.persist, kept("persist")));
    lines.extend(datagrams(was, pool));
    if was.slow_start != pool.slow_start {
        let [before, now] = [was, pool].map(|pool| pool.slow_start.map_or("off".to_owned(), time));
        let what = change("slow_start", before, now);
        lines.push(Line::new(
            what,
            "also of backends that are on their way to their weight",
        ));
    }
    lines
}

fn table(before: Option<Flows>, now: Option<Flows>, kept: bool) -> Option<Line> {
    let is_auto = |flows: &Flows| flows.tracking == Tracking::Changed;
    let both_auto = [before, now]
        .iter()
        .all(|it| it.as_ref().is_some_and(is_auto));
    let told = |flows: Option<Flows>| match flows {
        Some(flows) if both_auto => format!("auto {}", flows.entries),
        _ => said(flows),
    };
    let [was, is] = [before, now].map(told);
    let then = match now.map(|flows| flows.tracking) {
        _ if was == is => return None,
        None => "no flow is known any more: each goes by the scheduler",
        Some(Tracking::Every) if kept => "known flows stay, as far as there is a place for them",
        Some(Tracking::Changed) if kept => "noted flows stay, as far as there is a place for them",
        Some(Tracking::Every) => "no flow is known before it next sends",
        Some(Tracking::Changed) => "no flow is noted before a change moves it",
    };
    Some(Line::new(change("flows", was, is), then))
}

/// A table as a policy says it: `off`, `auto`, `1024`.
pub fn said(flows: Option<Flows>) -> String {
    match flows.map(|flows| (flows.tracking, flows.entries)) {
        None => "off".to_owned(),
        Some((Tracking::Changed, _)) => "auto".to_owned(),
        Some((Tracking::Every, entries)) => entries.to_string(),
    }
}

fn times(before: Flows, now: Flows, kept: bool) -> Option<Line> {
    let named = |flows: Flows| match flows.tracking {
        Tracking::Every => vec![
            ("tcp", flows.lives.tcp),
            ("closing", flows.lives.closing),
            ("udp", flows.lives.udp),
            ("other", flows.lives.other),
        ],
        Tracking::Changed => vec![("idle", flows.idle)],
    };
    let pairs = named(before).into_iter().zip(named(now));
    let told = pairs.filter(|(before, now)| before != now);
    let told: Vec<String> = told
        .map(|((name, before), (_, now))| change(name, time(before), time(now)))
        .collect();
    let then = match (kept, now.tracking) {
        (false, _) => "of all flows, for none is known",
        (true, Tracking::Every) => "known flows stay, and live by it from their next packet on",
        (true, Tracking::Changed) => {
            "noted flows stay, and they and slots in transition live by it"
        }
    };
    (!told.is_empty()).then(|| Line::new(told.join(", "), then))
}

fn clients(before: Option<Persist>, now: Option<Persist>, kept: bool) -> Option<Line> {
    if before == now {
        return None;
    }
    let said = |persist: Option<Persist>| {
        persist.map_or("off".to_owned(), |persist| {
            let Persist {
                entries,
                life,
                mask,
                mask6,
            } = persist;
            format!("{} {entries} mask {mask} mask6 {mask6}", time(life))
        })
    };
    let masks = |persist: Option<Persist>| persist.map(|persist| (persist.mask, persist.mask6));
    let then = match (before, now) {
        (_, None) => "a client's new flows go by the scheduler",
        (None, Some(_)) => "no client is known before a flow of it begins",
        (Some(_), Some(_)) if !kept || masks(before) != masks(now) => {
            "no client is known any more before a flow of it begins"
        }
        (Some(_), Some(_)) => "known clients stay, and are known by it at once",
    };
    Some(Line::new(change("persist", said(before), said(now)), then))
}

fn datagrams(was: &Pool, pool: &Pool) -> Option<Line> {
    let said = |pool: &Pool| match (pool.fragments, pool.no_fragments) {
        (Some(Fragments { entries, life }), _) => format!("follow {entries} for {}", time(life)),
        (None, Some(NoFragments::Drop)) => "drop".to_owned(),
        (None, Some(NoFragments::Pass)) => "pass".to_owned(),
        (None, None) => "meet".to_owned(),
    };
    let [before, now] = [was, pool].map(said);
    let then = match (was.fragments, pool.fragments) {
        _ if before == now => return None,
        (Some(_), Some(_)) => "datagrams that have begun may be forgotten",
        (None, Some(_)) => "of datagrams that begin from now on",
        (_, None) => "also of datagrams that have begun",
    };
    Some(Line::new(change("fragments", before, now), then))
}

fn change(name: &str, before: impl Display, now: impl Display) -> String {
    format!("{name} {before} -> {now}")
}

/// `15m`, in the largest unit of which there is a whole number.
fn time(seconds: u32) -> String {
    match seconds {
        0 => "0s".to_owned(),
        hours if hours % 3600 == 0 => format!("{}h", hours / 3600),
        minutes if minutes % 60 == 0 => format!("{}m", minutes / 60),
        _ => format!("{seconds}s"),
    }
}

/// Whether the ring tells which share of the flows a backend gets.
pub fn has_shares(scheduler: Scheduler) -> bool {
    scheduler != Scheduler::Ovf
}

/// What a backend's share is of, where it is not of the flows that come.
pub fn of_shares(scheduler: Scheduler) -> Option<&'static str> {
    match scheduler.pick() {
        Pick::Hash | Pick::Cursor => None,
        Pick::Least(_) if !has_shares(scheduler) => {
            Some("new flows go to the heaviest backend that has no more of them than its weight")
        }
        Pick::Least(_) => Some(
            "shares are of the flows that there are: who has less than its share gets the new ones",
        ),
        Pick::Two => {
            Some("shares are of draws: of two drawn the one with fewer flows gets a new one")
        }
        Pick::Home => Some("shares are of homes: one with more flows than its weight is relieved"),
        Pick::Homes => Some("shares are of homes, two of each: who has fewer flows gets a new one"),
    }
}

/// Where the packets go that name their backend (`by id`), in the old policy and the new one.
pub fn of_named(named: [bool; 2]) -> Option<&'static str> {
    match named {
        [false, false] => None,
        [true, true] => Some(
            "packets that name a backend that is there go to it; what follows is of the others",
        ),
        [false, true] => {
            Some("packets may name their backend now, and go to it; what follows is of the others")
        }
        [true, false] => {
            Some("packets name their backend no more: those that did go as what follows says")
        }
    }
}
