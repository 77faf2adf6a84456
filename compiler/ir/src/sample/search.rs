//! Searches in buckets that are full of all sorts of entries, for all sorts of tags and times.

use std::fmt::Write as _;

use lvsc_abi::flows::{BUCKET, SECONDS_MASK};
use lvsc_abi::image::{Bytes, Image, Width};

use super::{Case, Tape, entry};
use crate::text;

/// Buckets that are searched.
const BUCKETS: u64 = 6;

/// A program, of some 300 choices, that tells in its frame what each search finds, in a table of `entries` entries.
///
/// # Panics
///
/// For a number of entries that no table of so many buckets has.
pub fn search(choices: &[u8], entries: u32) -> Case {
    let mut tape = Tape(choices);
    let mut text =
        format!("section flows.web flow {entries}\nb0:\n  bounds +60 b1() else b2()\nb1:\n");
    for bucket in 0..BUCKETS {
        let mut any = |of: &[u64]| tape.one(of).unwrap_or_default();
        // The last tag has more bits than an entry keeps.
        let tag = any(&[0, 1, 2, 3, 4, 1 << 28]);
        let now = any(&[0, 1 << 16, u64::MAX << 16]) + any(&[0, 30, 90, 200, 255]);
        let idle = any(&[0, 1, 20, 200, 40_000, SECONDS_MASK, 1 << 33]);
        // Lives that nobody knows before, too.
        let idle = match any(&[0, 1, 2]) {
            0 => "frame.length".to_owned(),
            _ => format!("const {idle}"),
        };
        let first = bucket * 10;
        let [index, wanted, time, life, place, found] =
            [0, 1, 2, 3, 4, 5].map(|number| first + number);
        write!(
            text,
            "  v{index} = const {bucket}\n  v{wanted} = const {tag}\n  v{time} = const {now}\n  v{life} = {idle}\n  \
             v{place} = place flows.web[v{index}], v{wanted}, v{time}, v{life}\n  v{found} = find flows.web[v{index}], v{wanted}\n  \
             frame.be1 +{} = v{place}\n  frame.be1 +{} = v{found}\n",
            bucket * 2,
            bucket * 2 + 1
        )
        .expect("a string takes it");
    }
    text.push_str("  return pass\nb2:\n  return drop\n");
    let source = text::parse(&text).expect("it is a program");
    let mut image = Bytes::new(source.layout.clone());
    let (_, table) = source.layout.named("flows.web").expect("it has flows");
    for index in 0..BUCKETS * u64::from(BUCKET) {
        image.store(table.at(index, 0), Width::B8, entry(&mut tape));
    }
    Case {
        program: source.program,
        layout: source.layout,
        image,
        frames: vec![(vec![0xff; 60], 0)],
    }
}
