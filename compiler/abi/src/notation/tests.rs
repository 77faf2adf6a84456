//! Sentences to frames and back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

const DEFAULTS: Defaults = Defaults {
    src_mac: [2, 0, 0, 0, 0, 0x99],
    dst_mac: [2, 0, 0, 0, 0, 1],
};
const ETH: &str = "eth 02:00:00:00:00:99 -> 02:00:00:00:00:01";

fn value(text: &str) -> Value {
    let hex = |digits: &str| u128::from_str_radix(digits, 16);
    if let Some(bytes) = text.strip_prefix("hex\"") {
        return Value::Bytes(
            bytes
                .trim_end_matches('"')
                .split_whitespace()
                .map(|byte| hex(byte).unwrap() as u8)
                .collect(),
        );
    }
    (text.parse().map(Value::Ip4))
        .or_else(|_| text.parse::<crate::mac::Mac>().map(|mac| Value::Mac(mac.0)))
        .or_else(|_| text.parse().map(Value::Ip6))
        .or_else(|_| text.parse().map(Value::Int))
        .or_else(|_| hex(text.trim_start_matches("0x")).map(Value::Int))
        .unwrap()
}

/// The layer grammar of the language, as far as these tests need it; blanks in `hex"..."` are written `_`.
fn parse(sentence: &str) -> Vec<Layer> {
    let layer = |text: &str| {
        let mut words = text.split_whitespace().peekable();
        let mut layer = Layer::default();
        if text.starts_with("hex\"") {
            let Value::Bytes(bytes) = value(&text.replace('_', " ")) else {
                unreachable!()
            };
            layer.payload = Some(bytes);
            return layer;
        }
        layer.name = words.next().unwrap().to_owned();
        let rest: Vec<&str> = words.collect();
        let mut fields = &rest[..];
        if let [src, "->", dst, behind @ ..] = fields {
            (layer.src, layer.dst) = (Some(value(src)), Some(value(dst)));
            fields = behind;
        }
        let fields = fields.iter().map(|field| match field.split_once('=') {
            Some((name, text)) => (name.to_owned(), Some(value(&text.replace('_', " ")))),
            None => (field.to_string(), None),
        });
        layer.fields = fields.collect();
        layer
    };
    sentence.split(" / ").map(layer).collect()
}

fn blanks(sentence: &str) -> String {
    let quoted = sentence.split('"').enumerate();
    let parts: Vec<_> = quoted
        .map(|(at, part)| {
            if at % 2 == 1 {
                part.replace('_', " ")
            } else {
                part.to_owned()
            }
        })
        .collect();
    parts.join("\"")
}

fn frame(sentence: &str) -> Vec<u8> {
    build(&parse(sentence), &DEFAULTS).unwrap_or_else(|error| panic!("{sentence}: {error}"))
}

fn error(sentence: &str) -> String {
    build(&parse(sentence), &DEFAULTS).unwrap_err().to_string()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// What stands behind `eth` comes back as it was said.
fn check(sentence: &str) {
    let made = frame(&format!("eth / {sentence}"));
    assert_eq!(describe(&made), format!("{ETH} / {}", blanks(sentence)));
    assert_eq!(build(&layers(&made), &DEFAULTS), Ok(made));
}

/// One's complement sums byte by byte, by the definition: an independent second way to the checksum.
fn is_whole(parts: &[&[u8]]) -> bool {
    let all = parts.concat();
    let (mut even, mut odd) = (0_u64, 0_u64);
    for (at, byte) in all.iter().enumerate() {
        *(if at % 2 == 0 { &mut even } else { &mut odd }) += u64::from(*byte);
    }
    (even * 256 + odd) % 0xffff == 0 && all.iter().any(|byte| *byte != 0)
}

#[test]
fn a_tcp_packet_has_its_bytes_and_its_checksums() {
    let frame = frame(
        "eth / ip 192.168.46.135 -> 192.168.46.200 ttl=3 id=0x1234 df / tcp 40000 -> 80 S seq=7",
    );
    let expected = "02 00 00 00 00 01 02 00 00 00 00 99 08 00 \
        45 00 00 28 12 34 40 00 03 06 86 f8 c0 a8 2e 87 c0 a8 2e c8 \
        9c 40 00 50 00 00 00 07 00 00 00 00 50 02 ff ff";
    assert_eq!(frame[..24], bytes(expected)[..24]);
    assert_eq!(frame[26..50], bytes(expected)[26..50]);
    assert_eq!(frame.len(), 54, "a short frame is not padded");
    assert!(is_whole(&[&frame[14..34]]));
    assert!(is_whole(&[&frame[26..34], &[0, 6, 0, 20], &frame[34..]]));
}

#[test]
fn frames_of_other_hands_are_understood() {
    // The header of the worked example that most texts on the IPv4 checksum give.
    let header = bytes("45 00 00 73 00 00 40 00 40 11 b8 61 c0 a8 00 01 c0 a8 00 c7");
    assert_eq!(checksum(&header), 0);
    assert!(is_whole(&[&header]));
    // A gratuitous announcement, as arping sends it, padded to 60 bytes by the NIC.
    let mut arp = bytes(
        "ff ff ff ff ff ff 02 00 00 00 00 01 08 06 00 01 08 00 06 04 00 01 \
         02 00 00 00 00 01 c0 00 02 0a 00 00 00 00 00 00 c0 00 02 0a",
    );
    assert_eq!(
        describe(&arp),
        "eth 02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff / arp 192.0.2.10 -> 192.0.2.10"
    );
    arp.resize(60, 0);
    assert_eq!(build(&layers(&arp), &DEFAULTS), Ok(arp.clone()));
}

#[test]
fn what_is_said_is_described_in_the_same_words() {
    check("ip 198.51.100.7 -> 192.0.2.10 / tcp 40000 -> 80 S");
    check(
        "ip 198.51.100.7 -> 192.0.2.10 dscp=46 ecn=1 id=9 df=1 ttl=3 / tcp 40000 -> 80 SA seq=1 ack_number=2 window=512",
    );
    check(
        "ip 198.51.100.7 -> 192.0.2.10 options=hex\"94_04_00_00\" / tcp 1 -> 2 PA options=hex\"02_04_05_b4\" / hex\"00_01_02\"",
    );
    check("ip 2001:db8::1 -> 2001:db8::2 dscp=8 label=12345 ttl=1 / udp 53 -> 53 / hex\"61\"");
    check(
        "vlan vid=10 / vlan pcp=7 dei=1 vid=4094 / ip 192.0.2.1 -> 192.0.2.2 / sctp 1 -> 2 tag=3",
    );
    check("arp 192.0.2.1 -> 192.0.2.10");
    check("arp 192.0.2.10 -> 192.0.2.1 reply");
    check("ip 192.0.2.1 -> 192.0.2.2 / icmp id=1 seq=2 / hex\"aa_bb\"");
    check(
        "ip 10.0.0.1 -> 192.0.2.200 / icmp type=3 code=4 seq=1400 / ip 192.0.2.200 -> 198.51.100.7 / tcp 80 -> 40000",
    );
    check(
        "ip 10.0.0.1 -> 192.0.2.200 / icmp type=11 / ip 192.0.2.200 -> 198.51.100.7 length=1500 / tcp 80 -> 40000 truncated seq=5",
    );
    check(
        "ip 2001:db8::1 -> 2001:db8::2 / icmp6 type=2 / ip 2001:db8::2 -> 2001:db8::3 / tcp 80 -> 40000",
    );
    check("ip 192.0.2.1 -> 192.0.2.2 / ip 198.51.100.1 -> 198.51.100.2 / udp 1 -> 2");
    check("ip 192.0.2.1 -> 192.0.2.2 mf=1 / udp 1 -> 2 / hex\"00_00\"");
    check("ip 192.0.2.1 -> 192.0.2.2 offset=185 protocol=17 / hex\"00_00\"");
    check("ip 192.0.2.1 -> 192.0.2.2 protocol=47 / hex\"00_00\"");
    check(
        "ip 2001:db8::1 -> 2001:db8::2 protocol=0 / ext6 protocol=43 / ext6 / ext6 / tcp 1 -> 2 S",
    );
    check(
        "ip 2001:db8::1 -> 2001:db8::2 / ext6 options=hex\"01_0a_00_00_00_00_00_00_00_00_00_00_00_00\" / udp 1 -> 2",
    );
    check("ip 2001:db8::1 -> 2001:db8::2 / ext6 / frag6 mf=1 id=7 / udp 1 -> 2");
    check("ip 2001:db8::1 -> 2001:db8::2 / frag6 reserved=3 unused=1 id=7 protocol=59");
    check("ip 2001:db8::1 -> 2001:db8::2 / frag6 offset=185 id=7 protocol=17 / hex\"00_00\"");
}

#[test]
fn headers_between_ipv6_and_tcp_have_their_lengths() {
    let made = frame(
        "eth / ip 2001:db8::1 -> 2001:db8::2 / ext6 options=hex\"01_05_00_00_00_00_00\" / tcp 1 -> 2",
    );
    assert_eq!(made[18..21], [0, 36, 60], "length and next header");
    assert_eq!(made[54..63], [6, 1, 1, 5, 0, 0, 0, 0, 0]);
    assert!(is_whole(&[&made[22..54], &[0, 6, 0, 20], &made[70..]]));
    let names: Vec<&str> = decode(&made).iter().map(|header| header.name).collect();
    assert_eq!(names, ["eth", "ip6", "ext6", "tcp"]);
}

#[test]
fn names_that_people_use_mean_the_same_field() {
    let same = |one: &str, other: &str| assert_eq!(frame(one), frame(other), "{one}");
    same(
        "eth / ip6 2001:db8::1 -> 2001:db8::2 hops=3 flow=7 next=6 / tcp 1 -> 2 ack=5",
        "eth / ip 2001:db8::1 -> 2001:db8::2 ttl=3 label=7 / tcp 1 -> 2 ack_number=5",
    );
    same(
        "eth / ip 192.0.2.1 -> 192.0.2.2 df / tcp 1 -> 2 flags=0x12",
        "eth / ip4 192.0.2.1 -> 192.0.2.2 df=1 / tcp 1 -> 2 SA",
    );
    same(
        "eth 02:00:00:00:00:99 -> 02:00:00:00:00:01 / arp 192.0.2.1 -> 192.0.2.2",
        "eth src=02:00:00:00:00:99 / arp 192.0.2.1 -> 192.0.2.2 op=1 sha=02:00:00:00:00:99",
    );
    same(
        "eth / arp 192.0.2.1 -> 192.0.2.2 reply",
        "eth / arp 192.0.2.1 -> 192.0.2.2 op=2 tha=02:00:00:00:00:01",
    );
}

#[test]
fn a_stated_checksum_or_length_is_kept() {
    check("ip 192.0.2.1 -> 192.0.2.2 checksum=0x1234 / udp 1 -> 2 length=9 checksum=0x0000");
    let made =
        frame("eth / ip 192.0.2.1 -> 192.0.2.2 length=28 / udp 1 -> 2 / hex\"00_00_00_00_00_00\"");
    assert!(
        is_whole(&[&made[26..34], &[0, 17, 0, 8], &made[34..42]]),
        "padding is not in the checksum"
    );
    let names: Vec<&str> = decode(&made).iter().map(|header| header.name).collect();
    assert_eq!(names, ["eth", "ip4", "udp", "padding"]);
}

#[test]
fn checksums_hold_for_each_protocol() {
    let udp = frame("eth / ip 192.0.2.1 -> 192.0.2.2 / udp 1 -> 2 / hex\"61\"");
    assert!(is_whole(&[&udp[26..34], &[0, 17, 0, 9], &udp[34..]]));
    let six = frame("eth / ip 2001:db8::1 -> 2001:db8::2 / udp 1 -> 2");
    assert!(is_whole(&[
        &six[22..54],
        &[0, 0, 0, 8, 0, 0, 0, 17],
        &six[54..]
    ]));
    let icmp = frame("eth / ip 192.0.2.1 -> 192.0.2.2 / icmp id=3 / hex\"61_62_63\"");
    assert!(is_whole(&[&icmp[34..], &[0]]));
    let icmp6 = frame("eth / ip 2001:db8::1 -> 2001:db8::2 / icmp6 id=3");
    assert!(is_whole(&[
        &icmp6[22..54],
        &[0, 0, 0, 8, 0, 0, 0, 58],
        &icmp6[54..]
    ]));
    let quote = frame(
        "eth / ip 10.0.0.1 -> 192.0.2.2 / icmp type=3 / ip 192.0.2.2 -> 192.0.2.3 / udp 1 -> 2",
    );
    assert!(is_whole(&[&quote[34..]]) && is_whole(&[&quote[42..62]]));
    let sctp = frame("eth / ip 192.0.2.1 -> 192.0.2.2 / sctp 1 -> 2 / hex\"31_32_33\"");
    let mut blank = sctp[34..].to_vec();
    blank[8..12].fill(0);
    assert_eq!(sctp[42..46], super::sum::crc32c(&blank).to_le_bytes());
}

#[test]
fn a_udp_checksum_that_is_zero_is_sent_as_ones() {
    let found = (0..=u16::MAX).find_map(|port| {
        let made = frame(&format!(
            "eth / ip 192.0.2.1 -> 192.0.2.2 / udp {port} -> 2"
        ));
        (made[40..42] == [0xff, 0xff]).then_some(made)
    });
    let made = found.unwrap();
    assert!(is_whole(&[&made[26..34], &[0, 17, 0, 8], &made[34..]]));
}

#[test]
fn what_is_said_wrongly_is_named() {
    assert_eq!(
        error("ip 192.0.2.1 -> 192.0.2.2"),
        "a packet begins with the layer `eth`, and has it there only"
    );
    assert_eq!(error("eth / eth"), error("udp 1 -> 2"));
    assert!(error("eth / ipx").starts_with("`ipx` is no layer: known are eth, vlan"));
    assert_eq!(
        error("eth / ip 192.0.2.1 -> 192.0.2.2 / udp 1 -> 2 seq=1"),
        "the layer `udp` has no field `seq`: known are src, dst, length, checksum"
    );
    assert_eq!(
        error("eth / ip 192.0.2.1 -> 192.0.2.2 ttl=256"),
        "`ttl` of `ip` takes a number from 0 to 255"
    );
    assert_eq!(
        error("eth / ip 192.0.2.1 -> 2001:db8::1"),
        "`dst` of `ip` takes an IPv4 address"
    );
    assert_eq!(
        error("eth / ip6 192.0.2.1 -> 192.0.2.2"),
        "`src` of `ip6` takes an IPv6 address"
    );
    assert_eq!(
        error("eth / ip"),
        "the layer `ip` needs its addresses: `ip 198.51.100.7 -> 192.0.2.10`"
    );
    assert_eq!(
        error("eth / tcp"),
        "the layer `tcp` needs its ports: `tcp 40000 -> 80`"
    );
    assert_eq!(
        error("eth / vlan 1 -> 2"),
        "the layer `vlan` has no source and destination"
    );
    assert_eq!(
        error("eth / vlan vid=1 vid=2"),
        "`vid` of `vlan` is stated twice"
    );
    assert!(error("eth / ip 192.0.2.1 -> 192.0.2.2 / tcp 1 -> 2 SYN").contains("no field `SYN`"));
    assert!(error("eth / ip 192.0.2.1 -> 192.0.2.2 ttl").contains("no field `ttl`"));
    assert_eq!(
        error(&format!(
            "eth / ip 192.0.2.1 -> 192.0.2.2 options=hex\"{}\"",
            "01_".repeat(41)
        )),
        "`options` of `ip` takes up to 40 bytes: hex\"01 01\""
    );
    let long = Layer {
        payload: Some(vec![0; 65_522]),
        ..Layer::default()
    };
    let long = build(&[parse("eth").remove(0), long], &DEFAULTS);
    assert_eq!(long, Err(NotationError::Long(65_536)));
}

#[test]
fn what_is_cut_off_is_said_to_be_truncated() {
    let made = frame("eth / ip 192.0.2.1 -> 192.0.2.2 / tcp 1 -> 2 / hex\"61_62\"");
    for length in 0..made.len() {
        let text = describe(&made[..length]);
        assert!(text.contains("truncated"), "{length}: {text}");
    }
    assert!(!describe(&made).contains("truncated"));
    assert_eq!(describe(&[]), "truncated");
    let sum = format!("{:02x}{:02x}", made[50], made[51]);
    assert_eq!(
        describe(&made[..55]),
        format!(
            "{ETH} / ip 192.0.2.1 -> 192.0.2.2 length=42 / tcp 1 -> 2 checksum=0x{sum} / hex\"61\" / truncated"
        ),
    );
}

#[test]
fn headers_cover_the_frame_in_order() {
    let made = frame("eth / vlan vid=3 / ip 192.0.2.1 -> 192.0.2.2 / udp 1 -> 2 / hex\"61\"");
    let found: Vec<_> = decode(&made)
        .into_iter()
        .map(|header| (header.name, header.offset, header.size))
        .collect();
    assert_eq!(
        found,
        [
            ("eth", 0, 14),
            ("vlan", 14, 4),
            ("ip4", 18, 20),
            ("udp", 38, 8),
            ("payload", 46, 1)
        ]
    );
    let vlan = &decode(&made)[1];
    let fields: Vec<_> = vlan
        .fields
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    assert_eq!(
        fields,
        [("pcp", "0"), ("dei", "0"), ("vid", "3"), ("type", "0x0800")]
    );
}

#[test]
fn endless_tags_end() {
    let mut frame = vec![0; 12];
    frame.extend([0x81, 0].repeat(30_000));
    assert_eq!(decode(&frame).len(), 17);
    assert!(describe(&frame).ends_with("60012 bytes\"") || describe(&frame).contains(" .. "));
}

proptest! {
    #[test]
    fn any_bytes_are_built_again_from_their_description(
        start in prop::sample::select(vec![
            "", "08 00 45", "08 00 46 00 00 20", "86 dd 60", "81 00 00 01 08 00 45", "08 06",
            "08 00 45 00 00 54 00 00 00 00 40 01", "08 00 45 00 00 54 00 00 00 00 40 06",
            "08 00 45 00 00 54 00 00 00 00 40 01 00 00 01 02 03 04 05 06 07 08 03 00 00 00 00 00 00 00 45 00 00 54 00 00 00 00 40 06",
            "86 dd 60 00 00 00 00 40 3a",
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..160),
    ) {
        let mut frame = vec![2; if start.is_empty() { 0 } else { 12 }];
        frame.extend(bytes(start));
        frame.extend(noise);
        let covered: usize = decode(&frame).iter().map(|header| header.size).sum();
        prop_assert_eq!(covered, frame.len());
        prop_assert!(!describe(&frame).is_empty());
        if frame.len() >= 14 {
            prop_assert_eq!(build(&layers(&frame), &DEFAULTS), Ok(frame));
        }
    }
}
