//! What a director on devices has counted when it ends.

use std::net::IpAddr;

use lvsc_abi::image::Count;
use lvsc_runtime::director::{KeyedSummary, PoolSummary, Summary};
use serde_json::{Value, json};

use super::way::{Place, titles};
use crate::engines::Kind;
use crate::ui::{number, table};

/// So many cells of a counter are shown to people; programs get all.
const CELLS: usize = 8;

/// `rs1 (192.0.2.1)`, or the address where that is the name.
fn title(name: &str, address: IpAddr) -> String {
    let address = address.to_string();
    if name == address {
        address
    } else {
        format!("{name} ({address})")
    }
}

/// What was counted, for people.
pub fn report(summary: &Summary, places: &[Place]) -> String {
    let mut lines = vec![super::counts(summary)];
    if places.iter().any(Place::is_engines) {
        lines.push(format!("on {}", titles(places)));
    }
    if summary.overrun > 0 {
        let frames = number(summary.overrun as usize, "frame");
        lines.push(format!("{frames} lost before the director saw them"));
    }
    if summary.threads.len() > 1 {
        let each = summary.threads.iter().map(u64::to_string);
        let each = each.collect::<Vec<_>>().join(", ");
        lines.push(format!("packets of each thread: {each}"));
    }
    let rows: Vec<Vec<String>> = summary
        .backends
        .iter()
        .map(|backend| {
            let mac = backend
                .mac
                .map_or("no MAC".to_owned(), |mac| mac.to_string());
            let packets = number(backend.count.packets as usize, "packet");
            vec![
                backend.pool.clone(),
                title(&backend.name, backend.address),
                mac,
                packets,
            ]
        })
        .collect();
    lines.extend(
        table::align(&rows)
            .into_iter()
            .map(|row| format!("  {row}")),
    );
    lines.extend(changing(summary));
    let counters = summary.counters.iter().map(|(name, count)| {
        let packets = number(count.packets as usize, "packet");
        vec![name.clone(), packets, number(count.bytes as usize, "byte")]
    });
    let counters = table::align(&counters.collect::<Vec<_>>());
    lines.extend(counters.into_iter().map(|row| format!("  {row}")));
    lines.extend(summary.keyed.iter().flat_map(cells));
    lines.join("\n")
}

/// The pools some of whose slots have changed, and the flows that are left where they were.
fn changing(summary: &Summary) -> Vec<String> {
    let pools = summary.pools.iter().filter(|pool| pool.changing > 0);
    let line = |pool: &PoolSummary| {
        let own = summary.backends.iter();
        let own = own.filter(|backend| backend.pool == pool.name);
        let left = own.filter_map(|backend| Some((backend, backend.flows.filter(|n| *n > 0)?)));
        let left = left.map(|(backend, flows)| {
            format!(
                "; {} left on {}",
                number(flows as usize, "flow"),
                backend.name
            )
        });
        let (changing, slots) = (pool.changing, pool.slots);
        let left = left.collect::<String>();
        format!(
            "  {}: {changing} of {slots} slots in transition{left}",
            pool.name
        )
    };
    pools.map(line).collect()
}

/// A counter's cells, those with the most packets first.
fn cells(keyed: &KeyedSummary) -> Vec<String> {
    let mut most: Vec<_> = keyed.cells.iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(count.packets));
    let row = |values: &str, count: &Count| {
        let packets = number(count.packets as usize, "packet");
        let bytes = number(count.bytes as usize, "byte");
        vec![format!("{}[{values}]", keyed.name), packets, bytes]
    };
    let shown = most.iter().take(CELLS);
    let rows = shown.map(|(values, count)| row(values, count));
    let others = keyed.others.iter().filter(|others| others.packets > 0);
    let rows = rows.chain(others.map(|others| row("others", others)));
    let mut lines: Vec<String> = table::align(&rows.collect::<Vec<_>>());
    if most.len() > CELLS {
        lines.push(format!("{} more of {}", most.len() - CELLS, keyed.name));
    }
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

/// The same for programs.
pub fn data(summary: &Summary, kind: &Kind, places: &[Place]) -> Value {
    let places = places.iter().map(Place::data);
    let threads = summary.threads.iter().map(|n| json!({ "packets": n }));
    let backends = summary.backends.iter().map(|backend| {
        json!({
            "pool": backend.pool,
            "name": backend.name,
            "address": backend.address,
            "mac": backend.mac,
            "packets": backend.count.packets,
            "bytes": backend.count.bytes,
            "flows": backend.flows,
        })
    });
    let pools = summary
        .pools
        .iter()
        .map(|pool| json!({ "name": pool.name, "changing": pool.changing, "slots": pool.slots }));
    let counters = summary.counters.iter().map(
        |(name, count)| json!({ "name": name, "packets": count.packets, "bytes": count.bytes }),
    );
    let keyed = summary.keyed.iter().map(|keyed| {
        let cells = keyed.cells.iter().map(|(values, count)| {
            json!({ "key": values, "packets": count.packets, "bytes": count.bytes })
        });
        let others = keyed.others.as_ref();
        let others = others.map(|o| json!({ "packets": o.packets, "bytes": o.bytes }));
        json!({
            "name": keyed.name,
            "by": keyed.key,
            "cells": cells.collect::<Vec<_>>(),
            "others": others,
        })
    });
    json!({
        "version": 1,
        "engine": kind.name,
        "threads": threads.collect::<Vec<_>>(),
        "devices": places.collect::<Vec<_>>(),
        "frames": summary.frames,
        "send": summary.send,
        "drop": summary.drop,
        "pass": summary.pass,
        "reasons": summary.reasons,
        "overrun": summary.overrun,
        "counters": counters.collect::<Vec<_>>(),
        "keyed": keyed.collect::<Vec<_>>(),
        "backends": backends.collect::<Vec<_>>(),
        "pools": pools.collect::<Vec<_>>(),
    })
}
