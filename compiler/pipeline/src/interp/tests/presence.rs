//! Which headers are present, and where.

use proptest::prelude::*;

use crate::interp::offset;
use crate::pipeline::{After, Binary, Expr, Field, FieldId, Header, HeaderId, Kind, Pipeline};
use crate::sample::*;

/// The present headers with their offsets.
fn present(pipeline: &Pipeline, frame: &[u8]) -> Vec<(String, usize)> {
    let each = pipeline.headers.iter().enumerate();
    each.filter_map(|(index, header)| {
        Some((header.name.clone(), offset(pipeline, frame, id(index))?))
    })
    .collect()
}

#[track_caller]
fn check(frame: &[u8], expected: &[(&str, usize)]) {
    let found = present(&policy(&[]), frame);
    let found: Vec<(&str, usize)> = found
        .iter()
        .map(|(name, at)| (name.as_str(), *at))
        .collect();
    assert_eq!(found, expected, "{frame:02x?}");
}

#[test]
fn a_truncated_frame_has_the_headers_that_are_whole() {
    let whole = ethernet(0x0800, &ip4(6, &tcp(40000, 80)));
    let all = [("eth", 0), ("ip4", 14), ("tcp", 34)];
    for length in 0..=whole.len() {
        let count = [14, 34, 54].iter().filter(|end| length >= **end).count();
        check(&whole[..length], &all[..count]);
    }
}

#[test]
fn options_are_part_of_their_header() {
    let whole = ethernet(0x0800, &ip4_with(17, &[1; 8], &udp(1, 2, &[])));
    let all = [("eth", 0), ("ip4", 14), ("udp", 42)];
    for length in 0..=whole.len() {
        let count = [14, 42, 50].iter().filter(|end| length >= **end).count();
        check(&whole[..length], &all[..count]);
    }
}

#[test]
fn what_lies_behind_the_packets_stated_end_is_padding() {
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(40000, 80)));
    frame.extend([0; 6]);
    check(&frame, &[("eth", 0), ("ip4", 14), ("tcp", 34)]);
    frame[17] = 39;
    check(&frame, &[("eth", 0), ("ip4", 14)]);
    frame[17] = 0;
    check(&frame, &[("eth", 0), ("ip4", 14)]);
    frame[16] = 0xff;
    check(&frame, &[("eth", 0), ("ip4", 14), ("tcp", 34)]);
}

#[test]
fn an_inner_header_is_inside_all_that_enclose_it() {
    let quoted = ip4(6, &tcp(80, 40000)[..8]);
    let frame = ethernet(0x0800, &ip4(1, &icmp_error(&quoted)));
    let all = [
        ("eth", 0),
        ("ip4", 14),
        ("icmp", 34),
        ("quoted4", 42),
        ("quoted_ports", 62),
    ];
    check(&frame, &all);
    let mut short = frame.clone();
    short[17] -= 5;
    check(&short, &all[..4]);
    short[17] -= 4;
    check(&short, &all[..3]);
}

#[test]
fn tags_stand_one_behind_the_other_and_the_third_is_none() {
    let packet = ip4(6, &tcp(1, 2));
    let (outer, inner) = ([0x88, 0xa8, 0, 7], [0x81, 0, 0xe0, 9]);
    check(
        &tagged(&[inner], 0x0800, &packet),
        &[("eth", 0), ("vlan", 14), ("ip4", 18), ("tcp", 38)],
    );
    check(
        &tagged(&[outer, inner], 0x0800, &packet),
        &[
            ("eth", 0),
            ("vlan", 14),
            ("vlan[1]", 18),
            ("ip4", 22),
            ("tcp", 42),
        ],
    );
    check(
        &tagged(&[outer, inner, inner], 0x0800, &packet),
        &[("eth", 0), ("vlan", 14), ("vlan[1]", 18)],
    );
}

#[test]
fn a_header_that_is_not_valid_is_absent_with_all_behind_it() {
    let whole = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    for first in [0x44, 0x55, 0x4f] {
        let mut frame = whole.clone();
        frame[14] = first;
        check(&frame, &[("eth", 0)]);
    }
}

#[test]
fn a_size_below_the_fixed_fields_makes_a_header_absent() {
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    frame[46] = 0x40;
    check(&frame, &[("eth", 0), ("ip4", 14)]);
}

#[test]
fn a_later_fragment_has_no_ports_and_the_first_has() {
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    frame[20] = 0x20;
    check(&frame, &[("eth", 0), ("ip4", 14), ("tcp", 34)]);
    frame[21] = 1;
    check(&frame, &[("eth", 0), ("ip4", 14)]);
}

/// A header of one number of 64 bits, in which its size stands.
fn sized(after: Vec<After>) -> Header {
    let field = Field {
        name: "size".to_owned(),
        offset: 0,
        width: 64,
        kind: Kind::Number,
    };
    Header {
        name: "sized".to_owned(),
        after,
        fields: vec![field],
        fixed: 8,
        size: None,
        valid: None,
        extent: None,
        checksum: None,
    }
}

fn with(pipeline: &mut Pipeline, header: Header) -> HeaderId {
    pipeline.headers.push(header);
    id(pipeline.headers.len() - 1)
}

#[test]
fn sizes_and_extents_do_not_wrap() {
    let mut pipeline = policy(&[]);
    let after = |header, when| vec![After { header, when }];
    let own = id(pipeline.headers.len());
    let size = Expr::Field(own, FieldId(0));
    let first = sized(after(header("eth"), eq("eth.type", 0x1234)));
    with(
        &mut pipeline,
        Header {
            size: Some(size.clone()),
            ..first
        },
    );
    let own = id(pipeline.headers.len());
    let extent = Some(Expr::Field(own, FieldId(0)));
    let second = sized(after(header("eth"), eq("eth.type", 0x1235)));
    let outer = with(&mut pipeline, Header { extent, ..second });
    let inner = with(&mut pipeline, sized(after(outer, Expr::TRUE)));
    let frame = |kind| ethernet(kind, &[[0xff; 8], [0; 8]].concat());
    assert_eq!(
        offset(&pipeline, &frame(0x1234), HeaderId(outer.0 - 1)),
        None
    );
    assert_eq!(offset(&pipeline, &frame(0x1235), outer), Some(14));
    assert_eq!(offset(&pipeline, &frame(0x1235), inner), Some(22));
}

#[test]
fn the_first_predecessor_behind_which_a_header_fits_is_taken() {
    let mut pipeline = policy(&[]);
    let after = |name, when| After {
        header: header(name),
        when,
    };
    let edges = vec![
        after("udp", eq("udp.dst", 7)),
        after("ip4", eq("ip4.protocol", 17)),
        after("eth", Expr::TRUE),
    ];
    let found = with(&mut pipeline, sized(edges));
    let at = |frame: &[u8]| offset(&pipeline, frame, found);
    assert_eq!(
        at(&ethernet(0x0800, &ip4(17, &udp(1, 7, &[0; 8])))),
        Some(42)
    );
    assert_eq!(
        at(&ethernet(0x0800, &ip4(17, &udp(1, 7, &[0; 7])))),
        Some(34),
        "no room behind udp"
    );
    assert_eq!(
        at(&ethernet(0x0800, &ip4(6, &udp(1, 7, &[0; 8])))),
        Some(14)
    );
    assert_eq!(at(&ethernet(0x0800, &[0; 7])), None);
}

#[test]
fn a_size_of_arithmetic_wraps_at_its_width_only() {
    let mut pipeline = policy(&[]);
    let own = id(pipeline.headers.len());
    let value = Box::new(Expr::Field(own, FieldId(0)));
    let size = Expr::Binary(Binary::Add, value, Box::new(number(1, 64)));
    let header = sized(vec![After {
        header: header("eth"),
        when: Expr::TRUE,
    }]);
    let found = with(
        &mut pipeline,
        Header {
            size: Some(size),
            ..header
        },
    );
    assert_eq!(
        offset(&pipeline, &ethernet(0, &[0xff; 8]), found),
        None,
        "the size is 0"
    );
    assert_eq!(
        offset(&pipeline, &ethernet(0, &[0, 0, 0, 0, 0, 0, 0, 7]), found),
        Some(14)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn present_headers_lie_inside_the_frame(
        kind in prop_oneof![Just(0x0800_u16), Just(0x86dd), Just(0x8100), any::<u16>()],
        payload in proptest::collection::vec(any::<u8>(), 0..90),
        first in prop_oneof![Just(0x45_u8), Just(0x46), Just(0x60), any::<u8>()],
        protocol in prop_oneof![Just(6_u8), Just(17), Just(1)],
    ) {
        let mut payload = payload;
        if let Some(byte) = payload.get_mut(0) { *byte = first; }
        if let Some(byte) = payload.get_mut(9) { *byte = protocol; }
        let frame = ethernet(kind, &payload);
        let pipeline = policy(&[]);
        for (index, header) in pipeline.headers.iter().enumerate() {
            if let Some(at) = offset(&pipeline, &frame, id(index)) {
                prop_assert!(at + usize::from(header.fixed) <= frame.len());
            }
        }
    }
}
