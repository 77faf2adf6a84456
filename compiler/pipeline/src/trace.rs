//! What happened to a packet, in words: an observer of the interpreter. Knows no terminal and no source text; whoever
//! shows a trace puts the policy's lines beside it.

use lvsc_abi::manifest::Pool;
use lvsc_abi::place::Place;

use crate::interp::{
    CountedKey, Event, Known, Named, Observer, Remembered, Rewritten, Selected, Table,
};
use crate::pipeline::{Expr, Outcome, Pipeline};
use crate::words;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The construct of the policy; line 0 where there is none.
    pub place: Place,
    /// `header`, `match`, `let`, `select`, `follow`, `remember`, `rewrite`, `count`, `verdict`: for filters and for JSON.
    pub kind: &'static str,
    /// What happened, in words.
    pub text: String,
}

/// Records what happens to one packet.
pub struct Trace<'a> {
    pipeline: &'a Pipeline,
    /// What happened, in order.
    pub steps: Vec<Happened>,
}

impl<'a> Trace<'a> {
    /// An empty record of a packet in this pipeline.
    pub fn new(pipeline: &'a Pipeline) -> Trace<'a> {
        Trace {
            pipeline,
            steps: Vec::new(),
        }
    }

    /// The record as lines: `policies/dr.lvs:14  match    yes: ip4.dst is 192.168.46.200`.
    pub fn lines(&self) -> Vec<String> {
        let place = |step: &Happened| words::place(self.pipeline, step.place);
        let places: Vec<String> = self.steps.iter().map(place).collect();
        let width = places
            .iter()
            .map(|place| place.chars().count())
            .max()
            .unwrap_or(0);
        let lines = self.steps.iter().zip(places);
        lines
            .map(|(step, place)| format!("{place:width$}  {:7}  {}", step.kind, step.text))
            .collect()
    }

    fn decided(&self, condition: &Expr, holds: bool, why: &str) -> String {
        let word = if holds { "yes" } else { "no" };
        if why.is_empty() {
            return format!("{word}: {}", words::expression(self.pipeline, condition));
        }
        format!("{word}: {why}")
    }

    /// `rs2 (192.168.46.130) from web: the packet names backend 2`
    fn named(&self, named: &Named) -> String {
        let pool = self.pipeline.pool(named.pool);
        let Some(id) = named.id else {
            return format!("the packet names no backend of {}", pool.name);
        };
        let known = u16::try_from(id).ok().and_then(|id| who(pool, id));
        let says = format!("the packet names backend {id}");
        match (known, named.backend) {
            (Some(known), Some(_)) => format!("{known} from {}: {says}", pool.name),
            (Some(known), None) => format!("{says} of {}, {known}, which is not usable", pool.name),
            (None, _) => format!("{says}, which {} does not have", pool.name),
        }
    }

    /// `192.168.46.130 from web: a new flow, slot 17 of ring.web, entry 93 of flows.web; key ip4 tcp, hash 0x..`
    fn selected(&self, selected: &Selected) -> String {
        let pool = self.pipeline.pool(selected.pool);
        let picked = who(pool, selected.picked);
        let who = match selected.backend {
            Some(id) => picked.clone().unwrap_or_else(|| format!("backend {id}")),
            None => "no backend".to_owned(),
        };
        let mut how: Vec<String> = Vec::new();
        let state = match selected.table {
            Table::None => "",
            Table::Steady => "no change of late",
            Table::Tail => "a flow that is not noted, past a change",
            Table::Kept => "a flow from before a change",
            Table::Hit => "a known flow",
            Table::New => "a new flow",
            Table::Moved => "a known flow whose backend is not usable any more",
            Table::Full => "a new flow for which the table has no place",
            Table::Passive => "a flow that is not known",
        };
        how.extend((!state.is_empty()).then(|| state.to_owned()));
        let of_clients = |entry| format!("entry {entry} of persist.{}", pool.name);
        match selected.known {
            Known::Unasked => {}
            Known::Kept(entry) => how.push(format!("its client's backend, {}", of_clients(entry))),
            Known::New(entry) => {
                how.push(format!("its client's from here on, {}", of_clients(entry)));
            }
            Known::Not => how.push("a client that is not known".to_owned()),
        }
        how.extend(
            selected
                .slot
                .map(|slot| format!("slot {slot} of ring.{}", pool.name)),
        );
        how.extend(
            selected
                .entry
                .map(|entry| format!("entry {entry} of flows.{}", pool.name)),
        );
        if selected.backend.is_none() {
            let nobody = if selected.slot.is_some() {
                "which names no backend"
            } else {
                "which no backend takes"
            };
            how.push(picked.map_or_else(
                || nobody.to_owned(),
                |picked| format!("which names {picked}, and that is not usable"),
            ));
        }
        let choice = self.pipeline.choice(selected.key);
        let key = selected
            .alternative
            .and_then(|taken| choice.alternatives.get(taken));
        let key = key.map_or("none", |alternative| alternative.name.as_str());
        let how = how.join(", ");
        format!(
            "{who} from {}: {how}; key {key}, hash {:#018x}",
            pool.name, selected.hash
        )
    }

    /// `192.168.46.130 from web, entry 93 of fragments.web`
    fn remembered(&self, remembered: Remembered) -> String {
        let Remembered {
            pool,
            entry,
            backend,
        } = remembered;
        let pool = self.pipeline.pool(pool);
        let who = who(pool, backend).unwrap_or_else(|| format!("backend {backend}"));
        format!("{who} from {0}, entry {entry} of fragments.{0}", pool.name)
    }

    fn rewritten(&self, rewritten: &Rewritten) -> String {
        let Rewritten {
            header,
            field,
            before,
            after,
            checksum,
        } = *rewritten;
        let name = words::field(self.pipeline, header, field);
        let kind = self.pipeline.field(header, field).kind;
        let (before, after) = (words::number(before, kind), words::number(after, kind));
        let text = format!("{name}: {before} -> {after}");
        match (checksum, self.pipeline.header(header).checksum) {
            (Some((was, is)), Some(sum)) => {
                let name = words::field(self.pipeline, header, sum.field);
                format!("{text}, {name}: {was:#06x} -> {is:#06x}")
            }
            (None, _) | (_, None) => text,
        }
    }

    fn ended(&self, outcome: Outcome, interface: u8) -> String {
        match outcome {
            Outcome::Pass => "pass: to the kernel".to_owned(),
            Outcome::Drop(reason) => {
                format!("drop, reason {}", words::counter(self.pipeline, reason.0))
            }
            Outcome::Send(_) => {
                let found = self
                    .pipeline
                    .manifest
                    .interfaces
                    .get(usize::from(interface));
                let name = found.map(|interface| interface.name.clone());
                format!(
                    "send by {}",
                    name.unwrap_or_else(|| format!("interface {interface}"))
                )
            }
        }
    }

    /// `clients[192.0.2.7], a new cell`
    fn counted_key(&self, counted: &CountedKey) -> String {
        let name = words::keyed(self.pipeline, counted.keyed);
        let table = self.pipeline.keyed(counted.keyed).table.as_ref();
        let values = table.map_or_else(String::new, |table| table.values(&counted.key));
        let cell = match (counted.cell, counted.new) {
            (None, _) => ": no cell is free, one of the others",
            (Some(_), true) => ", a new cell",
            (Some(_), false) => "",
        };
        format!("{name}[{values}]{cell}")
    }
}

/// `rs2 (192.168.46.130)`, or the address alone where the backend has no other name.
fn who(pool: &Pool, id: u16) -> Option<String> {
    let backend = pool.backend(id)?;
    let address = backend.address.to_string();
    Some(if backend.name == address {
        address
    } else {
        format!("{} ({address})", backend.name)
    })
}

impl Observer for Trace<'_> {
    fn see(&mut self, place: Place, event: Event<'_>) {
        let pipeline = self.pipeline;
        let (kind, text) = match event {
            Event::Found(header, offset) => (
                "header",
                format!("{} at byte {offset}", pipeline.header(header).name),
            ),
            Event::Decided(condition, holds, facts) => {
                let why = words::facts(pipeline, &facts);
                ("match", self.decided(condition, holds, &why))
            }
            Event::Bound(variable, value) => {
                let value = words::value(pipeline, &Expr::Variable(variable), value);
                (
                    "let",
                    format!("{} is {value}", pipeline.variable(variable).name),
                )
            }
            Event::Named(named) => ("select", self.named(&named)),
            Event::Selected(selected) => ("select", self.selected(&selected)),
            Event::Followed(followed) => {
                let who = self.remembered(followed);
                ("follow", format!("{who}: that of the first fragment"))
            }
            Event::Remembered(remembered) => {
                let who = self.remembered(remembered);
                ("remember", format!("{who}: for what follows this fragment"))
            }
            Event::Rewritten(rewritten) => ("rewrite", self.rewritten(&rewritten)),
            Event::Counted(counter) => ("count", words::counter(pipeline, counter.0).to_owned()),
            Event::CountedCell(id, cell) => {
                let name = words::keyed(pipeline, id);
                let values = pipeline.keyed(id).values(cell);
                ("count", format!("{name}[{values}]"))
            }
            Event::CountedKey(counted) => ("count", self.counted_key(&counted)),
            Event::Ended(outcome, interface) => ("verdict", self.ended(outcome, interface)),
        };
        self.steps.push(Happened { place, kind, text });
    }
}

#[cfg(test)]
mod tests;
