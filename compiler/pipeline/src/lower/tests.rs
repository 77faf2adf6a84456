//! The lowering against its judge, the interpreter: the same verdict, the same frame, the same state, before the passes
//! and behind them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cells;
mod changed;
mod raced;
mod random;
mod taken;

use std::cell::Cell;

use lvsc_abi::verdict::Verdict;
use lvsc_ir::eval::{self, Packet};
use lvsc_ir::passes::optimize;
use lvsc_ir::verify::{Verified, verify};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{LowerError, lower};
use crate::layout::layout;
use crate::pipeline::{Binary, Expr, FieldId, HeaderId, InterfaceRef, Outcome, Pipeline};
use crate::sample::*;
use crate::text::graph;

/// The interface by which [`World::run`] lets frames come.
const INGRESS: u8 = 1;

/// The program as it was lowered.
fn lowered(pipeline: &Pipeline) -> Result<Verified, LowerError> {
    let layout = layout(pipeline);
    Ok(verify(lower(pipeline, &layout)?, &layout).unwrap())
}

/// Both programs of a pipeline do with these frames what the interpreter does.
fn check(pipeline: &Pipeline, plain: Verified, frames: &[Vec<u8>]) {
    let optimized = optimize(plain.clone(), &layout(pipeline));
    let mut judge = World::new(pipeline.clone());
    let judged: Vec<_> = frames
        .iter()
        .map(|frame| {
            let mut frame = frame.clone();
            (judge.run(&mut frame), frame)
        })
        .collect();
    for (name, program) in [("plain", plain), ("optimized", optimized)] {
        let mut image = World::new(pipeline.clone()).image;
        for (came, (decided, left)) in frames.iter().zip(&judged) {
            let mut frame = came.clone();
            let mut packet = Packet {
                frame: &mut frame,
                ingress: INGRESS,
                worker: 0,
            };
            let outcome = eval::run(&program, &mut packet, &mut image);
            let interface = match outcome.verdict {
                Verdict::Send => outcome.interface.unwrap(),
                Verdict::Drop | Verdict::Pass => INGRESS,
            };
            let found = ((outcome.verdict, interface), &frame);
            assert_eq!(
                found,
                (*decided, left),
                "{name}: {came:02x?}\n{}",
                graph(pipeline)
            );
        }
        assert!(
            image == judge.image,
            "{name}: the state differs\n{}",
            graph(pipeline)
        );
    }
}

fn agree(pipeline: &Pipeline) {
    check(pipeline, lowered(pipeline).unwrap(), &frames());
}

/// A frame of each kind.
fn frames() -> Vec<Vec<u8>> {
    let tcp_packet = ip4(6, &tcp(40000, 80));
    let quoted = icmp_error(&ip4(6, &tcp(80, 40000)));
    let packets = [
        (0x0800, tcp_packet.clone()),
        (0x0800, ip4_with(6, &[1; 8], &tcp(40001, 22))),
        (0x0800, ip4(17, &udp(53, 53, b"query"))),
        (0x0800, ip4(1, &quoted)),
        (0x0800, ip4(47, &[0; 20])),
        (0x0806, vec![0; 28]),
    ];
    let tags: [&[[u8; 4]]; 2] = [&[], &[[0x81, 0, 0x20, 5]]];
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for (kind, packet) in &packets {
        frames.extend(tags.map(|tags| tagged(tags, *kind, packet)));
    }
    let whole = ethernet(0x0800, &tcp_packet);
    frames.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    frames
}

#[test]
fn random_policies_mean_the_same() {
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let numbers = prop::collection::vec(any::<u32>(), 0..200);
    let too_large = Cell::new(0);
    let judged = TestRunner::new_with_rng(config, rng).run(&numbers, |numbers| {
        let body = random::Tape::new(&numbers, raw()).body(3);
        let (pipeline, _) = overlaid(&body, "eth", eq("eth.type", 0x0800));
        match lowered(&pipeline) {
            Ok(plain) => check(&pipeline, plain, &frames()),
            Err(LowerError::Blocks { .. }) => too_large.set(too_large.get() + 1),
        }
        Ok(())
    });
    judged.unwrap();
    assert!(too_large.get() < 6, "{} are too large", too_large.get());
}

/// The header that [`overlaid`] adds.
fn raw() -> HeaderId {
    overlaid(&[], "eth", eq("eth.type", 0x0800)).1
}

fn one_less(name: &str) -> Stmt {
    let less = Expr::Binary(Binary::Sub, Box::new(field(name)), Box::new(number(1, 8)));
    Stmt::Set("ip4.ttl", less)
}

/// A statement where IPv4 is present.
fn inside(body: Vec<Stmt>) -> Pipeline {
    policy(&[Stmt::When(Expr::Present(header("ip4")), body, Vec::new())])
}

#[test]
fn a_field_that_moves_no_header_costs_no_paths() {
    let select = || Stmt::Select(PLAIN, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]);
    let blocks = |body| lowered(&inside(body)).unwrap().program().blocks.len();
    let plain = blocks(vec![select()]);
    // Behind a change, a path that was taken for a likely one is a general one: a jump more.
    assert!(blocks(vec![one_less("ip4.ttl"), select()]) <= plain + 1);
    let sometimes = |condition| Stmt::When(condition, vec![one_less("ip4.ttl")], Vec::new());
    let both = [eq("tcp.dst", 80), eq("udp.dst", 53)].map(sometimes);
    assert!(blocks([both.to_vec(), vec![select()]].concat()) < 4 * plain);
}

#[test]
fn services_of_one_pool_share_its_select() {
    for pool in [PLAIN, TURNS] {
        let service = |port| {
            let send = Stmt::End(Outcome::Send(InterfaceRef::Ingress));
            let select = Stmt::Select(pool, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]);
            Stmt::When(
                eq("tcp.dst", port),
                vec![select, one_less("ip4.ttl"), send],
                Vec::new(),
            )
        };
        let services = |count| {
            let each: Vec<Stmt> = (1..=count).map(service).collect();
            optimize_blocks(&policy(&each))
        };
        let (one, many) = (services(1), services(32));
        assert!(many < 3 * one, "{one} blocks, {many} of 32 services");
    }
}

fn optimize_blocks(pipeline: &Pipeline) -> usize {
    let program = optimize(lowered(pipeline).unwrap(), &layout(pipeline));
    program.program().blocks.len()
}

#[test]
fn a_field_that_moves_headers_leaves_them_where_they_stood() {
    let moved = Stmt::Set("ip4.ihl", number(7, 4));
    let asked = drop_when(eq("tcp.dst", 80));
    agree(&inside(vec![moved, asked]));
}

fn drop_when(condition: Expr) -> Stmt {
    Stmt::When(
        condition,
        vec![Stmt::End(Outcome::Drop(CLOSED))],
        Vec::new(),
    )
}

/// `raw.c` lies where `ip4.protocol` does.
#[test]
fn a_header_in_anothers_place_moves_what_stands_behind_that() {
    let asked = [drop_when(Expr::Present(header("udp"))), Stmt::Count(SEEN)];
    for asked_before in [Vec::new(), vec![drop_when(eq("udp.dst", 1))]] {
        let raw = raw();
        let written = Stmt::SetIn(raw, FieldId(2), number(17, 8));
        let body = [asked_before, vec![written], asked.to_vec()].concat();
        let (pipeline, _) = overlaid(&body, "eth", eq("eth.type", 0x0800));
        agree(&pipeline);
    }
}
