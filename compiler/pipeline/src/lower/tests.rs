//! The lowering against its judge, the interpreter: the same verdict, the same frame, the same state.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod frames;
mod network;
mod policy;
mod random;

use self::network::*;
use self::policy::*;
use crate::pipeline::*;
use lvsc_abi::layout::{Element, Layout};

fn dr() -> Pipeline {
    let headers = headers();
    let mac = |i| Expr::Interface(i, InterfaceField::Mac);
    let rs = VariableId(0);
    let lan = InterfaceRef::OfBackend(rs);
    let dst = Expr::Chosen(
        FLOW,
        vec![
            equal(&headers, IP4, "dst", 0xc0a8_2ec8),
            equal(&headers, QUOTED, "src", 0xc0a8_2ec8),
            equal(&headers, QUOTED, "src", 0xc0a8_2ec8),
            equal(&headers, IP4, "dst", 0xc0a8_2ec8),
            equal(&headers, IP4, "dst", 0xc0a8_2ec8),
            equal(&headers, IP4, "dst", 0xc0a8_2ec8),
            Expr::FALSE,
            Expr::FALSE,
            Expr::FALSE,
        ],
    );
    let body = vec![
        Stmt::Match(
            compare(
                Compare::Ne,
                field(&headers, ETH, "dst"),
                mac(InterfaceRef::Ingress),
            ),
            vec![Stmt::End(Outcome::Pass)],
            vec![],
        ),
        Stmt::Match(
            dst,
            vec![
                Stmt::Select(RING, rs, FLOW, vec![Stmt::End(Outcome::Drop(CounterId(0)))]),
                Stmt::Rewrite(ETH, FieldId(1), mac(lan)),
                Stmt::Rewrite(ETH, FieldId(0), Expr::Backend(rs, BackendField::Mac)),
                Stmt::End(Outcome::Send(lan)),
            ],
            vec![],
        ),
    ];
    pipeline(&body, &[VariableKind::Backend(RING)])
}

#[test]
fn show() {
    let pipeline = dr();
    let mut layout = Layout::new();
    layout.add("header", Element::Header, 1);
    layout.add("clock", Element::Clock, 1);
    layout.add("interfaces", Element::Interface, 2);
    layout.add("counters", Element::Counter, 32);
    layout.add("ring.ring", Element::Slot, 256);
    layout.add("backends.ring", Element::Backend, 8);
    let program = super::lower(&pipeline, &layout).unwrap();
    println!("{}", lvsc_ir::text::print(&program, &layout));
    lvsc_ir::verify::verify(program, &layout).unwrap();
}

fn layout_stub() -> Layout {
    let mut layout = Layout::new();
    layout.add("header", Element::Header, 1);
    layout.add("clock", Element::Clock, 1);
    layout.add("interfaces", Element::Interface, 2);
    layout.add("counters", Element::Counter, 32);
    for pool in ["ring", "hashed", "turns"] {
        layout.add(&format!("ring.{pool}"), Element::Slot, 256);
        layout.add(&format!("backends.{pool}"), Element::Backend, 8);
        layout.add(&format!("flows.{pool}"), Element::Flow, 16);
        layout.add(&format!("cursor.{pool}"), Element::Cursor, 16);
    }
    layout
}

use proptest::prelude::*;
proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn verified(numbers in proptest::collection::vec(any::<u32>(), 0..300)) {
        let (headers, sets) = (headers(), sets());
        let mut tape = random::Tape::new(&numbers, &headers, &sets);
        let body = tape.body(3);
        let pipeline = pipeline(&body, &tape.variables);
        let layout = layout_stub();
        let t = std::time::Instant::now();
        let program = super::lower(&pipeline, &layout).unwrap();
        if program.blocks.len() > 3000 { println!("{} nodes {} blocks {:?}", pipeline.graph.node_count(), program.blocks.len(), t.elapsed()); }
        lvsc_ir::verify::verify(program, &layout).unwrap();
    }
}
