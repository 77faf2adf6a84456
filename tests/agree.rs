//! Every engine agrees with the interpreter: verdict, interface, every byte of the frame, every byte of the state.
//!
//! Packets: those of the policies' own tests, truncated at every length and changed at random; policies: those of the
//! repository and random ones. What is random has a fixed budget and, unless `LVSC_FUZZ_SEED` is another one, a fixed seed;
//! a failure prints all that is needed to see it again.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/engines.rs"]
mod engines;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/failure.rs"]
mod failure;
#[path = "agree/judge.rs"]
mod judge;
#[path = "../cli/library.rs"]
mod library;
mod machine;
#[path = "agree/packets.rs"]
mod packets;
#[path = "agree/policies.rs"]
mod policies;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/remedy.rs"]
mod remedy;

use std::collections::BTreeMap;

use judge::{Bench, Came};
use lvsc_abi::cells;
use lvsc_abi::image::count;
use lvsc_abi::kind::Kind;
use lvsc_abi::manifest::CounterKind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{files, number, short};

/// Changed packets of each policy.
const CHANGED: usize = 2000;
/// Random policies, each with packets of its own.
const POLICIES: u32 = 100;
/// Random policies whose programs have more blocks are left out: they take minutes and show no more.
const BLOCKS: usize = 3000;

/// Seconds of the clock at the begin: usual ones, and those before the ends of the bits that entries and slots have for them.
const CLOCKS: [u64; 6] = [1000, 0, 70, 32_760, 65_530, (1 << 32) - 6];

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("the policy can be read")
}

fn policies_here() -> Vec<(String, String)> {
    let paths = files("policies", "lvs")
        .into_iter()
        .chain(files("tests/spec", "lvs"));
    paths.map(|path| (short(&path), read(&path))).collect()
}

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = match number("LVSC_FUZZ_SEED") {
        Some(seed) => {
            let bytes: Vec<u8> = [seed, 0, 0, 0].map(u64::to_le_bytes).concat();
            TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
        }
        None => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    };
    TestRunner::new_with_rng(config, rng)
}

#[test]
fn where_the_kernel_is_required_its_engine_takes_part() {
    let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
    let takes_part = engines::present().any(|kind| kind.takes == engines::Takes::Devices);
    assert!(takes_part || !required, "this kernel loads no XDP program");
}

#[test]
fn the_packets_of_the_tests_cut_at_every_length() {
    for (name, text) in policies_here() {
        let mut bench = Bench::new(&name, &text);
        let whole = packets::of_tests(&bench);
        assert!(!whole.is_empty(), "{name} sends no packet");
        let cut = whole.iter().flat_map(|(frame, ingress)| {
            (0..=frame.len()).map(|length| (frame[..length].to_vec(), *ingress))
        });
        bench.agree(&cut.collect::<Vec<_>>());
    }
}

#[test]
fn the_packets_of_the_tests_changed_at_random() {
    for (name, text) in policies_here() {
        let mut bench = Bench::new(&name, &text);
        let whole = packets::of_tests(&bench);
        let mut runner = runner(1);
        let changed = packets::changed(whole);
        let changed: Vec<_> = (0..CHANGED)
            .map(|_| changed.new_tree(&mut runner).expect("a packet").current())
            .collect();
        bench.agree(&changed);
        bench.steered(&changed);
    }
}

/// Those of this folder pass packets only before they count, write or ask a table.
#[test]
fn the_kernel_is_left_what_the_policy_passes_and_nothing_else() {
    let mut all = [0, 0];
    for path in files("policies", "lvs") {
        let mut bench = Bench::new(&short(&path), &read(&path));
        let whole = packets::of_tests(&bench);
        let cut = whole.iter().flat_map(|(frame, ingress)| {
            (0..=frame.len()).map(|length| (frame[..length].to_vec(), *ingress))
        });
        let counts = bench.steered(&cut.collect::<Vec<_>>());
        let [left, taken] = counts.unwrap_or_else(|| panic!("{}", short(&path)));
        all = [all[0] + left, all[1] + taken];
    }
    assert!(all.iter().all(|count| *count > 100), "{all:?}");
}

#[test]
fn what_only_the_policy_can_say_is_not_steered() {
    let pool = "pool web { scheduler maglev\n backend rs1 192.0.2.130 }\n";
    let vip = "match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";
    for (policy, steered) in [
        (format!("{pool}{vip}"), true),
        (format!("counter seen\ncount seen\n{pool}{vip}"), false),
        (
            format!("{pool}match ip4 {{ ip4.ttl = 3\n pass }}\n{vip}"),
            false,
        ),
        (format!("{pool}{vip}match udp {{ drop udp }}\n"), true),
        (
            format!("{pool}match udp {{ select rs from web\n pass }}\n"),
            false,
        ),
    ] {
        let test = "test \"t\" { send eth / ip 192.0.2.1 -> 192.0.2.200 / udp 1 -> 53 }\n";
        let mut bench = Bench::new("steered.lvs", &format!("{policy}{test}"));
        let packets = packets::of_tests(&bench);
        assert_eq!(bench.steered(&packets).is_some(), steered, "{policy}");
    }
}

#[test]
fn random_policies_and_packets() {
    let cases = (
        policies::random(),
        prop::collection::vec(packets::random(), 1..150),
        prop::collection::vec(prop::bool::weighted(0.8), 2),
        prop::sample::select(CLOCKS.to_vec()),
    );
    let judged = runner(POLICIES).run(&cases, |(policy, packets, known, seconds)| {
        let mut bench = Bench::new("random.lvs", &policy);
        for (interface, known) in bench.world.interfaces.iter_mut().zip(known) {
            interface.mac = interface.mac.filter(|_| known);
        }
        bench.world.seconds = seconds;
        bench.may_be_too_large = true;
        prop_assume!(bench.blocks().is_some_and(|blocks| blocks <= BLOCKS));
        let interfaces = bench.world.interfaces.len() as u8;
        let packets = packets.into_iter();
        let packets: Vec<Came> = packets
            .map(|(frame, ingress)| (frame, ingress % interfaces))
            .collect();
        // Flows are met again.
        let packets = vec![packets; 3].concat();
        bench.indifferent(&packets);
        bench.agree(&packets);
        bench.steered(&packets);
        Ok(())
    });
    if let Err(error) = judged {
        panic!("{error}");
    }
}

/// A policy that counts clients in so many cells, and packets of 24 of them, the first one's most often, of both IP
/// versions.
fn clients(capacity: usize) -> (Bench, Vec<Came>) {
    let one = |number: usize| match number % 2 {
        0 => format!("send eth / ip 192.0.2.{number} -> 198.51.100.7 / udp 1 -> 53"),
        _ => format!("send eth / ip 2001:db8::{number} -> 2001:db8::ff / udp 1 -> 53"),
    };
    let lines = (0..24).flat_map(|number| (0..=(24 - number) / 4).map(move |_| one(number)));
    let text = format!(
        "counter clients by ip.src capacity {capacity}\nmatch ip {{ count clients }}\n\
         drop seen\ntest \"packets\" {{\n{}\n}}\n",
        lines.collect::<Vec<_>>().join("\n")
    );
    let bench = Bench::new("clients.lvs", &text);
    let packets = packets::of_tests(&bench);
    (bench, packets)
}

#[test]
fn each_client_has_a_cell_that_counts_its_packets() {
    counts_each(64);
}

/// In the kernel all CPUs add to the same cells.
#[test]
fn a_client_has_one_of_many_cells() {
    counts_each(8192);
}

fn counts_each(capacity: usize) {
    let (bench, packets) = clients(capacity);
    let mut expected: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (frame, _) in &packets {
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |all, byte| all << 8 | u128::from(*byte))
        };
        let source = match frame[12] {
            8 => Kind::Ip4.write(number(&frame[26..30])),
            _ => Kind::Ip6.write(number(&frame[22..38])),
        };
        let [packets, bytes] = expected.entry(source).or_default();
        *packets += 1;
        *bytes += frame.len() as u64;
    }
    assert_eq!(expected.len(), 24);
    let keyed = &bench.policy.manifest.keyed[0];
    bench.look(&packets, |engine, image| {
        let told = cells::counted(image, keyed).into_iter();
        let told = told.map(|(key, count)| (key, [count.packets, count.bytes]));
        assert_eq!(
            told.collect::<BTreeMap<_, _>>(),
            expected,
            "{}",
            engine.name
        );
    });
}

#[test]
fn who_finds_no_cell_is_counted_with_the_others() {
    let (bench, packets) = clients(8);
    let manifest = &bench.policy.manifest;
    let others = manifest.counter(CounterKind::Others, "clients");
    let others = others.expect("it has one");
    bench.look(&packets, |engine, image| {
        let told = cells::counted(image, &manifest.keyed[0]);
        let counted: u64 = told.iter().map(|(_, count)| count.packets).sum();
        let others = count(image, others).packets;
        assert_eq!(told.len(), 8, "{}", engine.name);
        assert_eq!(counted + others, packets.len() as u64, "{}", engine.name);
        let first = told.iter().find(|(key, _)| key == "192.0.2.0");
        let first = first.map(|(_, count)| count.packets);
        assert_eq!(first, Some(7), "{}: a cell is kept", engine.name);
    });
}

/// What is published of an interface that is not known is no MAC.
#[test]
fn a_mac_of_zeros_is_not_that_of_an_interface_that_is_not_known() {
    let packets = "send eth dst=02:00:00:00:00:01 src=00:00:00:00:00:00 / ip 192.0.2.1 -> 192.0.2.2 / udp 1 -> 53\n\
         send eth dst=00:00:00:00:00:00 src=00:00:00:00:00:00 / ip 192.0.2.1 -> 192.0.2.2 / udp 1 -> 53\n\
         send eth dst=02:00:00:00:00:07 src=02:00:00:00:00:07 / ip 192.0.2.1 -> 192.0.2.2 / udp 1 -> 53\n";
    for interfaces in ["interface lan", "interface lan\ninterface wan"] {
        for condition in ["eth.src == ingress.mac", "lan.mac != eth.src"] {
            let text = format!(
                "{interfaces}\nmatch {condition} {{ drop seen }}\ntest \"t\" {{\n{packets}}}\n"
            );
            let mut bench = Bench::new("unknown.lvs", &text);
            let packets = packets::of_tests(&bench);
            for interface in &mut bench.world.interfaces {
                interface.mac = None;
            }
            bench.agree(&packets);
        }
    }
}
