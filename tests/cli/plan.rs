//! `lvsc plan`: what another policy does to the flows of this one.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Said, lvsc, said};
use crate::{could_not, folder};

/// A pool of these lines, and direct routing to it.
fn policy(lines: &[&str]) -> String {
    format!(
        "pool web {{\n{}\n}}\nmatch ip.dst == 192.0.2.200 {{\n  select rs from web\n  dr(rs)\n}}\n",
        lines.join("\n")
    )
}

fn plan(folder: &Path, old: &str, new: &str, more: &[&str]) -> Said {
    fs::write(folder.join("old.lvs"), old).expect("a file");
    fs::write(folder.join("new.lvs"), new).expect("a file");
    said(lvsc(folder).args(["plan", "old.lvs", "new.lvs"]).args(more))
}

fn record(old: &[&str], new: &[&str]) -> Value {
    let folder = folder();
    let json = ["--format", "json"];
    let said = plan(folder.path(), &policy(old), &policy(new), &json);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let record: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(record["version"], 1);
    record
}

/// The shares of a pool's connections that stay, that a table holds, and that break: of a thousand.
fn fate(record: &Value) -> [i64; 3] {
    let connections = &record["pools"][0]["connections"];
    let fate = ["stay", "held", "breaks"].map(|name| thousandths(&connections[name]));
    assert!((999..=1001).contains(&fate.iter().sum::<i64>()), "{record}");
    fate
}

#[expect(clippy::cast_possible_truncation, reason = "a share is from 0 to 1")]
fn thousandths(share: &Value) -> i64 {
    (share.as_f64().expect("a share") * 1000.0).round() as i64
}

const RS1: &str = "backend rs1 192.0.2.11";
const RS2: &str = "backend rs2 192.0.2.12";
const RS3: &str = "backend rs3 192.0.2.13";

#[test]
fn within_a_capacity_the_program_goes_on_and_no_connection_breaks() {
    let two = ["capacity 40", RS1, RS2];
    let three = ["capacity 40", RS1, RS2, RS3];
    let added = record(&two, &three);
    assert_eq!(
        (&added["same_program"], &added["same_image"]),
        (&true.into(), &true.into())
    );
    assert_eq!(added["anew"], Value::Array(Vec::new()));
    let [stay, held, breaks] = fate(&added);
    assert!(stay > 600 && held > 300 && breaks == 0, "{added}");
    let slots = &added["pools"][0]["slots"];
    assert_eq!(slots["all"], 65_536, "a ring for 40");
    let moves = slots["moves"].as_array().expect("moves");
    let to_new = moves.iter().filter(|one| one["to"] == "rs3");
    let to_new: u64 = to_new.filter_map(|one| one["slots"].as_u64()).sum();
    assert!((21_000..22_700).contains(&to_new), "a third: {to_new}");

    // Whose backend goes has no connection any more: exactly its share, and nobody else's.
    let removed = record(&three, &two);
    assert_eq!(removed["same_program"], true);
    let [.., breaks] = fate(&removed);
    let own = &removed["pools"][0]["backends"][2];
    assert_eq!(
        (&own["name"], breaks),
        (&"rs3".into(), thousandths(&own["before"]))
    );
    assert_eq!(removed["gone"], serde_json::json!(["counter web.rs3"]));

    // Without a capacity, 17 backends are more than a ring for 16 takes.
    let many: Vec<String> = (1..=17).map(|n| format!("backend 192.0.2.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let grown = record(&many[..16], &many);
    assert_eq!(
        (&grown["same_program"], &grown["same_image"]),
        (&false.into(), &false.into())
    );
    assert_eq!(fate(&grown)[2], 0, "a ring that grows remembers");
}

#[test]
fn what_breaks_follows_from_the_table() {
    let heavy = "backend rs1 192.0.2.11 weight 3";
    let share = |table: &str| fate(&record(&[table, RS1, RS2], &[table, heavy, RS2]));
    let [_, held, breaks] = share("flows auto");
    assert!(breaks == 0 && (240..270).contains(&held), "{held}");
    let [_, held, breaks] = share("flows off");
    assert!(held == 0 && (240..270).contains(&breaks), "{breaks}");
    let [_, held, breaks] = share("flows 64K");
    assert!(breaks == 0 && (240..270).contains(&held), "{held}");

    // Who counts in turns has nothing but its table.
    let turns = |before: &str, after: &str| {
        let lines = |table| ["scheduler wrr", table, RS1, RS2];
        fate(&record(&lines(before), &lines(after)))
    };
    assert_eq!(turns("flows 1K", "flows 1K")[2], 0);
    assert_eq!(turns("flows 1K", "flows 2K")[2], 0);
    // One that is larger and counts begins anew.
    let least = |before: &str, after: &str| {
        let lines = |table| ["scheduler wlc", table, RS1, RS2];
        fate(&record(&lines(before), &lines(after)))
    };
    assert_eq!(least("flows 2K", "flows 1K")[2], 0);
    assert_eq!(least("flows 1K", "flows 2K"), [500, 0, 500]);

    // Another key leads every flow to another slot.
    let by = |key| [key, RS1, RS2];
    let other = record(&by("scheduler maglev"), &by("scheduler sh"));
    let [stay, held, breaks] = fate(&other);
    assert!(held == 0 && (stay - breaks).abs() < 10, "{other}");
    assert_eq!(other["pools"][0]["slots"], Value::Null);
    // The same name at another address is another host.
    let moved = record(
        &by("flows auto"),
        &["flows auto", "backend rs1 192.0.2.99", RS2],
    );
    assert_eq!(fate(&moved)[2], 500, "{moved}");
}

#[test]
fn people_read_what_changes_and_why() {
    let folder = folder();
    let limited = format!("{RS1} limit 9");
    let old = format!("counter seen\n{}", policy(&[&limited, RS2, "flows 1K"]));
    let drained = format!("{RS1} limit 9 drain");
    let new = format!(
        "interface lan\n{}pool more {{\n{RS1}\n}}\n",
        policy(&[&drained, "backend rs2 192.0.2.12 weight 2", RS3, "flows 2K"])
    );
    let said = plan(folder.path(), &old, &new, &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    for words in [
        "program: another one is compiled, with an image of its own",
        "a director that runs refuses it: the interfaces are not the same",
        "pool web (maglev, flows 2048)",
        "  rs1      50.0 %  0.0 %   drains\n",
        "  rs2      50.0 %  66.7 %  weight 1 -> 2\n",
        "  rs3      0.0 %   33.3 %  added\n",
        "rs1 -> rs3",
        "of the connections break: the table is larger, and says how many flows backends have\n",
        "pool more is new (maglev, flows auto)\n",
        "begins anew: flows.web (1024 places before, 2048 now)\n",
        "counter seen",
    ] {
        assert!(said.out.contains(words), "no `{words}` in\n{}", said.out);
    }
    let same = plan(folder.path(), &old, &old, &[]);
    assert!(
        same.out.contains("program: the same goes on"),
        "{}",
        same.out
    );
    assert!(
        same.out
            .contains("  no slot moves\n  every connection stays\n"),
        "{}",
        same.out
    );
}

#[test]
fn what_becomes_of_fragments_moves_no_connection() {
    for flows in ["flows off", "flows auto", "flows 1K"] {
        let met = [flows, RS1, RS2];
        for line in ["fragments follow", "fragments drop"] {
            let other = [flows, RS1, RS2, line];
            for (old, new) in [(&met[..], &other[..]), (&other, &met)] {
                let record = record(old, new);
                let [.., breaks] = fate(&record);
                assert_eq!(
                    (breaks, &record["anew"]),
                    (0, &Value::Array(Vec::new())),
                    "{record}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_compared_is_said() {
    let folder = folder();
    let (good, wrong) = (policy(&[RS1]), "match ip.dest == 192.0.2.1 { pass }\n");
    for (old, new, file) in [(wrong, &*good, "old.lvs"), (&good, wrong, "new.lvs")] {
        let told = plan(folder.path(), old, new, &[]);
        assert_eq!((told.code, told.out.as_str()), (1, ""), "{}", told.err);
        assert!(told.err.contains(&format!("{file}:1:")), "{}", told.err);
        let told = plan(folder.path(), old, new, &["--format", "json"]);
        let record: Value = serde_json::from_str(&told.out).expect("JSON");
        assert_eq!((told.code, &record["ok"]), (1, &false.into()), "{record}");
    }
    let path = folder.path();
    could_not(path, &["plan", "old.lvs"], &["<NEW>"]);
    could_not(
        path,
        &["plan", "old.lvs", "none.lvs"],
        &["cannot read none.lvs"],
    );
    could_not(
        path,
        &["plan", "-", "-"],
        &["standard input is one policy", "help: "],
    );
}

#[test]
fn other_limits_are_told() {
    let folder = folder();
    let policy = |limits: [&str; 2]| {
        let [first, second] = limits;
        let (rs1, rs2) = (format!("{RS1} {first}"), format!("{RS2} {second}"));
        policy(&["scheduler wlc", "flows 64", &rs1, &rs2])
    };
    let (old, new) = (
        policy(["limit 8", "limit 8"]),
        policy(["limit 8", "limit 6 reopen 2"]),
    );
    let text = plan(folder.path(), &old, &new, &[]).out;
    assert!(
        text.contains("  rs2      50.0 %  50.0 %  limit 8 reopen 6 -> limit 6 reopen 2\n"),
        "{text}"
    );
    let text = plan(folder.path(), &new, &policy(["", ""]), &[]).out;
    assert!(text.contains("limit 6 reopen 2 -> no limit\n"), "{text}");
}
