//! Cells of keys: as the interpreter gives them, and where another worker is faster.

use std::cell::Cell;

use lvsc_abi::cells::identity;
use lvsc_abi::flows::TAG_SHIFT;
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::counter;
use lvsc_abi::manifest::{Counter, CounterKind, KeyPart, KeyTable, Keyed, Shape};

use super::raced::{Raced, decide};
use super::*;
use crate::pipeline::{Alternative, Choice, ChoiceId, KeyedId, Kind, Step};

/// `counter clients by ip.src capacity 8`, which counts every packet with an IP header.
fn clients() -> Pipeline {
    let mut pipeline = policy(&[Stmt::When(
        Expr::Chosen(IP, vec![Expr::TRUE, Expr::TRUE]),
        vec![Stmt::Count(SEEN)],
        Vec::new(),
    )]);
    let key = ChoiceId(pipeline.choices.len() as u16);
    let shape = |bits, kind| vec![Shape { bits, kind }];
    let sources = ["ip4.src", "ip6.src"].into_iter().zip(0..);
    let ways = pipeline.choice(IP).alternatives.iter().zip(sources);
    let alternatives = ways.map(|(way, (source, number))| Alternative {
        key: vec![number64(number), field(source)],
        ..way.clone()
    });
    let alternatives = alternatives.collect();
    pipeline.choices.push(Choice {
        name: "key".to_owned(),
        alternatives,
    });
    for node in pipeline.graph.node_weights_mut() {
        if node.step == Step::Count(SEEN) {
            node.step = Step::CountKey(KeyedId(0), key);
        }
    }
    pipeline.manifest.counters.push(Counter {
        name: "clients".to_owned(),
        kind: CounterKind::Others,
    });
    pipeline.manifest.keyed.push(Keyed {
        name: "clients".to_owned(),
        key: vec![KeyPart {
            name: "ip.src".to_owned(),
            bits: 128,
        }],
        table: Some(KeyTable {
            capacity: 8,
            shapes: vec![shape(32, Kind::Ip4), shape(128, Kind::Ip6)],
        }),
    });
    pipeline
}

fn number64(value: u128) -> Expr {
    Expr::Constant { value, width: 64 }
}

/// The program, plain and behind the passes.
fn programs(pipeline: &Pipeline) -> [Verified; 2] {
    let plain = lowered(pipeline).unwrap();
    [plain.clone(), optimize(plain, &layout(pipeline))]
}

fn run(program: &Verified, image: &mut dyn Image) {
    decide(program, &ip4(17, &udp(53, 53, b"query")), image);
}

/// The word of this element.
fn word(image: &dyn Image, section: &str, index: u64) -> u64 {
    let (_, section) = image.layout().named(section).unwrap();
    image.load(section.at(index, counter::PACKETS), Width::B8)
}

/// Packets among the others.
fn others(pipeline: &Pipeline, image: &dyn Image) -> u64 {
    let index = pipeline.manifest.counter(CounterKind::Others, "clients");
    word(image, "counters", index.unwrap().into())
}

/// A fresh image, and the identity that the packet's key has there.
fn fresh(pipeline: &Pipeline) -> (Bytes, u64) {
    let image = World::new(pipeline.clone()).image;
    let mut trial = image.clone();
    run(&programs(pipeline)[0], &mut trial);
    let own = word(&trial, "cells.clients", 0);
    assert_ne!(own, 0);
    (image, own)
}

#[test]
fn a_key_gets_a_cell_and_keeps_it() {
    let pipeline = clients();
    agree(&pipeline);
    let (mut image, own) = fresh(&pipeline);
    for program in programs(&pipeline) {
        run(&program, &mut image);
    }
    assert_eq!(word(&image, "cells.clients", 0), own);
    assert_eq!(word(&image, "cells.clients", 1), 0);
    assert_eq!(word(&image, "counts.clients", 0), 2);
    let table = pipeline.manifest.keyed[0].table.as_ref().unwrap();
    let key = [0, 1, 2].map(|index| word(&image, "keys.clients", index));
    assert_eq!(table.values(&key), "198.51.100.7");
}

#[test]
fn a_key_with_another_ones_tag_or_without_a_free_cell_gets_none() {
    let pipeline = clients();
    let (image, own) = fresh(&pipeline);
    let (_, cells) = image.layout().named("cells.clients").unwrap();
    let alike = (own ^ 1 << (TAG_SHIFT - 1), 1);
    let full = (identity(!own), 8);
    for (word_there, count) in [alike, full] {
        for program in programs(&pipeline) {
            let mut image = image.clone();
            let mut world = World::new(pipeline.clone());
            for index in 0..count {
                image.store(cells.at(index, 0), Width::B8, word_there);
                world.image.store(cells.at(index, 0), Width::B8, word_there);
            }
            run(&program, &mut image);
            assert_eq!(others(&pipeline, &image), 1);
            assert_eq!(word(&image, "counts.clients", 0), 0);
            world.run(&mut ethernet(0x0800, &ip4(17, &udp(53, 53, b"query"))));
            assert!(image == world.image, "the interpreter's state");
        }
    }
}

#[test]
fn where_another_worker_is_faster_its_cell_is_the_keys_or_there_is_none() {
    let pipeline = clients();
    let (image, own) = fresh(&pipeline);
    let at = image.layout().named("cells.clients").unwrap().1.at(0, 0);
    for program in programs(&pipeline) {
        // After the search for the key's own cell, and after that for a free one.
        let cases = [
            (1, own, 1, 0),
            (1, identity(!own), 0, 0),
            (2, own, 1, 0),
            (2, identity(!own), 0, 1),
        ];
        for (free, winner, counted, left) in cases {
            let mut raced = Raced {
                image: image.clone(),
                at,
                free,
                reads: Cell::new(0),
                winner,
            };
            run(&program, &mut raced);
            assert!(raced.reads.get() > free, "nobody was faster");
            assert_eq!(word(&raced.image, "counts.clients", 0), counted);
            assert_eq!(others(&pipeline, &raced.image), left);
            let next = word(&raced.image, "counts.clients", 1);
            assert_eq!(next, 1 - counted - left, "it has the next cell");
            assert_eq!(
                word(&raced.image, "keys.clients", 1),
                0,
                "the winner's to write"
            );
        }
    }
}
