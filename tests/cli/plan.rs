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

    let shrunk = record(&many, &many[..16]);
    let anew = shrunk["anew"].as_array().expect("sections");
    let why: Vec<[&str; 2]> = (anew.iter())
        .map(|one| ["section", "why"].map(|name| one[name].as_str().expect("words")))
        .collect();
    let places = "32768 places before, 16384 now";
    assert_eq!(
        why,
        [
            ["ring.web", places],
            ["flows.web", "the ring is smaller"],
            ["changes.web", places]
        ]
    );
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

/// What people read of two pools of these lines.
fn read(old: &[&str], new: &[&str]) -> String {
    let folder = folder();
    let said = plan(folder.path(), &policy(old), &policy(new), &[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    said.out
}

#[test]
fn other_lines_of_a_pool_are_told_with_what_becomes_of_what_is_known() {
    let told = |old: &str, new: &str, line: &str| {
        let text = read(&[RS1, RS2, old], &[RS1, RS2, new]);
        assert!(
            text.contains(&format!("\n  {line}\n")),
            "no `{line}` in\n{text}"
        );
        let same = read(&[RS1, RS2, new], &[RS1, RS2, new]);
        assert!(!same.contains(" -> "), "{same}");
    };
    told(
        "flows 1K; timeout tcp 15m udp 5m",
        "flows 1K; timeout tcp 15m udp 90s",
        "udp 5m -> 90s: known flows stay, and live by it from their next packet on",
    );
    told(
        "flows 1K; timeout udp 5m",
        "flows 2K; timeout udp 6m",
        "udp 5m -> 6m: known flows stay, and live by it from their next packet on",
    );
    told(
        "scheduler wlc; flows 1K; timeout udp 5m",
        "scheduler wlc; flows 2K; timeout udp 6m",
        "udp 5m -> 6m: of all flows, for none is known",
    );
    told(
        "flows auto idle 1h",
        "flows auto idle 15m",
        "idle 1h -> 15m: noted flows stay, and they and slots in transition live by it",
    );
    told(
        "flows 1K",
        "flows 1K; persist 5m 1K mask 24",
        "persist off -> 5m 1024 mask 24 mask6 128: no client is known before a flow of it begins",
    );
    told(
        "flows 1K; persist 5m 1K",
        "flows 1K; persist 10m 1K",
        "persist 5m 1024 mask 32 mask6 128 -> 10m 1024 mask 32 mask6 128: \
         known clients stay, and are known by it at once",
    );
    for (other, then) in [
        (
            "persist 5m 2K",
            "known clients stay, and are known by it at once",
        ),
        (
            "persist 5m 1K mask 24",
            "no client is known any more before a flow of it begins",
        ),
    ] {
        let text = read(
            &[RS1, RS2, "flows 1K; persist 5m 1K"],
            &[RS1, RS2, &format!("flows 1K; {other}")],
        );
        assert!(text.contains(&format!(": {then}\n")), "{text}");
    }
    let begun = "also of datagrams that have begun";
    for (old, new, what, then) in [
        ("follow", "", "follow 4096 for 30s -> meet", begun),
        ("follow", "drop", "follow 4096 for 30s -> drop", begun),
        ("", "pass", "meet -> pass", begun),
        ("drop", "pass", "drop -> pass", begun),
        ("pass", "", "pass -> meet", begun),
        (
            "drop",
            "follow 8K for 1m",
            "drop -> follow 8192 for 1m",
            "of datagrams that begin from now on",
        ),
        (
            "follow 4K",
            "follow 4K for 1m",
            "follow 4096 for 30s -> follow 4096 for 1m",
            "datagrams that have begun may be forgotten",
        ),
    ] {
        let line = |what: &str| {
            let line = format!("fragments {what}");
            if what.is_empty() { String::new() } else { line }
        };
        told(&line(old), &line(new), &format!("fragments {what}: {then}"));
    }
    for (old, new, line) in [
        (
            "flows off",
            "flows 1K",
            "off -> 1024: no flow is known before it next sends",
        ),
        (
            "flows 1K",
            "flows 2K",
            "1024 -> 2048: known flows stay, as far as there is a place for them",
        ),
        (
            "scheduler wlc; flows 1K",
            "scheduler wlc; flows 2K",
            "1024 -> 2048: no flow is known before it next sends",
        ),
        (
            "flows 1K",
            "flows auto",
            "1024 -> auto: no flow is noted before a change moves it",
        ),
        (
            "flows auto 1K",
            "flows auto 8",
            "auto 1024 -> auto 8: noted flows stay, as far as there is a place for them",
        ),
        (
            "flows auto",
            "flows off",
            "auto -> off: no flow is known any more: each goes by the scheduler",
        ),
    ] {
        told(old, new, &format!("flows {line}"));
    }
    told(
        "slow_start 30s",
        "flows auto",
        "slow_start 30s -> off: also of backends that are on their way to their weight",
    );
    told(
        "scheduler maglev",
        "scheduler rendezvous",
        "scheduler maglev -> rendezvous: new flows go by it",
    );
}

#[test]
fn packets_that_name_their_backend_do_not_go_by_the_ring() {
    let named = |ids: [u16; 2], by: &str| {
        let [first, second] = ids;
        let pool = [format!("{RS1} id {first}"), format!("{RS2} id {second}")];
        let pool = policy(&[&pool[0], &pool[1], "flows off"]);
        pool.replace("from web", &format!("from web {by}"))
    };
    let folder = folder();
    let told = |old: &str, new: &str| plan(folder.path(), old, new, &[]).out;
    let (by_id, by_flow) = (named([1, 2], "by id(ip.dscp)"), named([1, 2], ""));
    for (old, new, line) in [
        (
            &by_id,
            &by_id,
            Some(
                "packets that name a backend that is there go to it; what follows is of the others",
            ),
        ),
        (
            &by_flow,
            &by_id,
            Some("packets may name their backend now, and go to it; what follows is of the others"),
        ),
        (
            &by_id,
            &by_flow,
            Some("packets name their backend no more: those that did go as what follows says"),
        ),
        (&by_flow, &by_flow, None),
    ] {
        let text = told(old, new);
        match line {
            Some(line) => assert!(text.contains(&format!("\n  {line}\n")), "{text}"),
            None => assert!(!text.contains("name"), "{text}"),
        }
    }
    let turned = told(&by_id, &named([2, 1], "by id(ip.dscp)"));
    assert!(
        turned.contains("  rs1      50.0 %  50.0 %  id 1 -> 2\n"),
        "{turned}"
    );
    let unseen = told(&by_flow, &named([2, 1], ""));
    assert!(!unseen.contains("id 1"), "nobody is named: {unseen}");
}

#[test]
fn shares_of_who_counts_are_told_for_what_they_are() {
    for (scheduler, line) in [
        (
            "wlc",
            "shares are of the flows that there are: who has less than its share gets the new ones",
        ),
        (
            "twos",
            "shares are of draws: of two drawn the one with fewer flows gets a new one",
        ),
        (
            "lblc",
            "shares are of homes: one with more flows than its weight is relieved",
        ),
        (
            "lblcr",
            "shares are of homes, two of each: who has fewer flows gets a new one",
        ),
    ] {
        let lines = [&format!("scheduler {scheduler}"), "flows 64", RS1, RS2];
        let text = read(&lines, &lines);
        assert!(
            text.contains(&format!(
                "  rs1      50.0 %  50.0 %\n  rs2      50.0 %  50.0 %\n  {line}\n"
            )),
            "{text}"
        );
    }
    for scheduler in ["maglev", "rr"] {
        let lines = [&format!("scheduler {scheduler}"), RS1, RS2];
        assert!(!read(&lines, &lines).contains("shares"), "{scheduler}");
    }
    let (light, heavy) = (format!("{RS1} weight 10"), format!("{RS2} weight 90"));
    let overflow = ["scheduler ovf", "flows 64", &light, &heavy];
    let text = read(&overflow, &overflow);
    let line = "new flows go to the heaviest backend that has no more of them than its weight";
    assert!(
        text.contains(&format!(
            "  rs1      -       -\n  rs2      -       -\n  {line}\n"
        )),
        "{text}"
    );
    let other = record(
        &["scheduler wlc", "flows 64", RS1],
        &["scheduler ovf", "flows 64", RS1],
    );
    let own = &other["pools"][0]["backends"][0];
    assert_eq!(
        (&own["before"], &own["after"]),
        (&1.0.into(), &Value::Null),
        "{other}"
    );
}
