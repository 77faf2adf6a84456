//! The lowering against its judge, the interpreter: the same verdict, the same frame, the same state, before the passes
//! and behind them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod random;

use lvsc_abi::verdict::Verdict;
use lvsc_ir::eval::{self, Packet};
use lvsc_ir::passes::optimize;
use lvsc_ir::verify::{Verified, verify};
use proptest::prelude::*;

use super::lower;
use crate::layout::layout;
use crate::pipeline::{Binary, Expr, Outcome};
use crate::sample::*;

/// The interface by which [`World::run`] lets frames come.
const INGRESS: u8 = 1;

/// The program of a policy as it was lowered; `None` where that has too many blocks.
fn lowered(body: &[Stmt]) -> Option<Verified> {
    let pipeline = policy(body);
    let layout = layout(&pipeline);
    let program = lower(&pipeline, &layout).ok()?;
    Some(verify(program, &layout).unwrap())
}

fn check(body: &[Stmt], frames: &[Vec<u8>]) {
    let Some(plain) = lowered(body) else { return };
    let layout = layout(&policy(body));
    let optimized = optimize(plain.clone(), &layout);
    let mut judge = World::new(policy(body));
    let judged: Vec<_> = frames
        .iter()
        .map(|frame| {
            let mut frame = frame.clone();
            (judge.run(&mut frame), frame)
        })
        .collect();
    for (name, program) in [("plain", plain), ("optimized", optimized)] {
        let mut image = World::new(policy(body)).image;
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
            assert_eq!(found, (*decided, left), "{name}: {came:02x?}\n{body:#?}");
        }
        assert!(image == judge.image, "{name}: the state differs\n{body:#?}");
    }
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

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_policies_mean_the_same(numbers in prop::collection::vec(any::<u32>(), 0..200)) {
        check(&random::Tape::new(&numbers).body(3), &frames());
    }
}

fn one_less(name: &str) -> Stmt {
    let less = Expr::Binary(Binary::Sub, Box::new(field(name)), Box::new(number(1, 8)));
    Stmt::Set("ip4.ttl", less)
}

#[test]
fn a_field_that_moves_no_header_costs_no_paths() {
    let select = || Stmt::Select(PLAIN, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]);
    let inside = |body| vec![Stmt::When(Expr::Present(header("ip4")), body, Vec::new())];
    let blocks = |body| lowered(&inside(body)).unwrap().program().blocks.len();
    let plain = blocks(vec![select()]);
    assert_eq!(blocks(vec![one_less("ip4.ttl"), select()]), plain);
    let sometimes = |condition| Stmt::When(condition, vec![one_less("ip4.ttl")], Vec::new());
    let both = [eq("tcp.dst", 80), eq("udp.dst", 53)].map(sometimes);
    assert!(blocks([both.to_vec(), vec![select()]].concat()) < 4 * plain);
}

#[test]
fn a_field_that_moves_headers_leaves_them_where_they_stood() {
    let moved = Stmt::Set("ip4.ihl", number(7, 4));
    let asked = Stmt::When(
        eq("tcp.dst", 80),
        vec![Stmt::End(Outcome::Drop(CLOSED))],
        Vec::new(),
    );
    let body = [Stmt::When(
        Expr::Present(header("ip4")),
        vec![moved, asked],
        Vec::new(),
    )];
    check(&body, &frames());
}
