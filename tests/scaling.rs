//! `benches/scaling`: its policies are policies, and it fills its tables. How long anything takes is nobody's to ask here.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../benches/scaling/measure.rs"]
mod measure;
#[path = "../benches/scaling/policies.rs"]
mod policies;
#[path = "../benches/scaling/rings.rs"]
mod rings;
mod support;
#[path = "../benches/scaling/tables.rs"]
mod tables;

use std::collections::BTreeSet;
use std::path::Path;

use measure::{Asked, Failure};
use policies::{FAMILIES, Family, Policy};
use support::{lvsc, said};

/// Sizes up to this one are tried.
const SMALL: u32 = 32;
const SYN: &str = "eth / ip 192.0.2.1 -> 192.0.2.2 / tcp 40000 -> 80 S";

fn asked(folder: &Path) -> Asked {
    Asked {
        lvsc: env!("CARGO_BIN_EXE_lvsc").into(),
        folder: folder.to_owned(),
        rounds: 1,
        flows: 256,
        starts: 1,
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The rows of the tables, each its cells, without the lines that rule them.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| --- "));
    lines
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
        .collect()
}

#[test]
fn every_small_policy_is_measured_and_built() {
    let folder = folder();
    let kernel = lvsc_runtime::engine::xdp::allowed();
    let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
    assert!(kernel || !required, "this kernel loads no XDP program");
    for family in FAMILIES {
        let text = tables::of(family, SMALL, &asked(folder.path())).expect("it is measured");
        let rows = rows(&text);
        let sizes: Vec<String> = family
            .sizes
            .iter()
            .filter(|size| **size <= SMALL)
            .map(ToString::to_string)
            .collect();
        assert!(!sizes.is_empty(), "{} has no small policy", family.name);
        let of_packets = |row: &&Vec<&str>| row.len() == 6;
        let packets: Vec<_> = rows.iter().filter(of_packets).skip(1).collect();
        let built: Vec<_> = rows.iter().filter(|row| row.len() == 12).skip(1).collect();
        assert_eq!(built.len(), sizes.len(), "{text}");
        let measured: BTreeSet<&str> = packets.iter().map(|row| row[0]).collect();
        assert_eq!(measured, sizes.iter().map(String::as_str).collect());
        for row in packets {
            let times = row[3..5]
                .iter()
                .zip([cfg!(feature = "wasm"), cfg!(feature = "native")]);
            for (time, here) in times.chain([(&row[5], kernel)]) {
                assert_eq!(time.parse::<f64>().is_ok(), here, "{text}");
            }
        }
        for row in built {
            let absent = usize::from(!cfg!(feature = "native"));
            let empty = row[2..].iter().filter(|cell| **cell == "-").count();
            assert_eq!(empty, 2 * absent, "{text}");
        }
    }
}

/// What a packet is said to meet is what the reference decides of it.
#[test]
fn packets_meet_what_is_said() {
    let folder = folder();
    for family in FAMILIES {
        let small = family.sizes.iter().filter(|size| **size <= 1000);
        for policy in small.map(|size| (family.policy)(*size)) {
            asked(folder.path()).write(&policy).expect("it is written");
            for (meets, packet) in &policy.packets {
                let verdict = match (family.name, *meets) {
                    ("vips", "missed") | ("services", "another port") => "pass",
                    ("prefixes", "met") => "drop",
                    _ => "send",
                };
                let traced = said(lvsc(folder.path()).args([
                    "trace",
                    "policy.lvs",
                    "--packet",
                    packet,
                    "--format",
                    "json",
                ]));
                assert_eq!(traced.code, 0, "{}", traced.err);
                let data: serde_json::Value =
                    serde_json::from_str(&traced.out).expect("one JSON document");
                assert_eq!(
                    data["verdict"], verdict,
                    "{}: {meets} {packet}",
                    family.name
                );
            }
        }
    }
}

/// A policy has as many as its number says, whatever order they come in.
#[test]
fn nothing_is_there_twice() {
    let words = [
        ("vips", "10."),
        ("prefixes", "/24"),
        ("maglev", "backend "),
        ("wrr", "backend "),
        ("rules", "tcp.dst == "),
        ("services", "tcp.dst == "),
    ];
    for (name, word) in words {
        let family = FAMILIES.iter().find(|family| family.name == name);
        let family = family.expect("there is such a family");
        for size in family.sizes {
            let text = (family.policy)(*size).text;
            let parts = text.split([',', '\n', '{', '}']);
            let parts = parts.map(str::trim).filter(|part| part.contains(word));
            let parts: Vec<&str> = parts.collect();
            let distinct: BTreeSet<&str> = parts.iter().copied().collect();
            assert_eq!(
                (parts.len(), distinct.len()),
                (*size as usize, *size as usize),
                "{name}"
            );
        }
    }
}

/// What grows, where only one policy does not.
fn alone(policy: fn(u32) -> Policy) -> Family {
    Family {
        name: "alone",
        title: "One policy",
        unit: "policies",
        sizes: &[1],
        tables: &[],
        policy,
    }
}

#[test]
fn what_is_refused_is_said_below_the_tables() {
    let folder = folder();
    let asked = asked(folder.path());
    let wrong = alone(|_| Policy {
        text: "match nowhere { pass }\n".to_owned(),
        packets: vec![("nothing", SYN.to_owned())],
    });
    let text = tables::of(&wrong, SMALL, &asked).expect("it is said");
    let line = "\n- 1 policies, bench, wasm, xdp, native: error[unknown-name]: ";
    assert!(text.contains(line), "no `{line}` in\n{text}");
    let elsewhere = alone(|_| Policy {
        text: "target wasm { only }\nmatch ip.ttl == 1 { drop short }\n".to_owned(),
        packets: vec![("nothing", SYN.to_owned())],
    });
    let text = tables::of(&elsewhere, SMALL, &asked).expect("it is said");
    let line = "\n- 1 policies, xdp: error[other-target]: ";
    assert!(text.contains(line), "no `{line}` in\n{text}");
    let missing = text
        .lines()
        .filter(|line| line.contains("native: the policy is only for"));
    let here = usize::from(cfg!(feature = "native"));
    assert_eq!(missing.count(), here, "{text}");
    assert_eq!(rows(&text)[1][5], "-", "{text}");
}

#[test]
fn where_nobody_answers_the_run_ends() {
    let folder = folder();
    let asked = Asked {
        lvsc: folder.path().join("nobody"),
        ..asked(folder.path())
    };
    match tables::of(&FAMILIES[0], SMALL, &asked) {
        Err(Failure::Broken(why)) => assert!(why.contains("nobody"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rings_are_filled_and_published() {
    let text = rings::table(SMALL, 1);
    let rows = rows(&text);
    assert_eq!(rows.len(), 2, "{text}");
    assert_eq!((rows[0].len(), rows[1].len()), (8, 8), "{text}");
    for time in &rows[1][1..] {
        assert!(time.parse::<f64>().is_ok_and(|time| time >= 0.0), "{text}");
    }
    assert_eq!(rows[1][0], "10");
}
