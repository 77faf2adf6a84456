//! Packets as sentences: what can be built can be said again, and is the same frame then.

use lvsc_abi::notation::{Defaults, build, decode, describe, layers};
use lvsc_front::library::Empty;
use lvsc_front::packet;

use crate::hunt::{Judged, Target};
use crate::{change, corpus};

const DEFAULTS: Defaults = Defaults {
    src_mac: [2, 0, 0, 0, 0, 1],
    dst_mac: [2, 0, 0, 0, 0, 2],
};
/// A payload that is longer is said in short.
const SHOWN: usize = 64;
const SENTENCES: [&str; 12] = [
    "eth / ip 198.51.100.7 -> 192.0.2.10 / tcp 40000 -> 80 S",
    "eth 02:00:00:00:00:07 -> 02:00:00:00:00:01 / vlan id=7 / ip 198.51.100.7 -> 192.0.2.10 ttl=3 df / udp 53 -> 53 / hex\"01 02 03\"",
    "eth / ip 2001:db8::1 -> 2001:db8::2 / tcp 40000 -> 443 SA seq=7 ack=9 options=hex\"01 01\"",
    "eth / arp 192.0.2.1 -> 192.0.2.10 reply",
    "eth / ip 192.0.2.1 -> 198.51.100.7 / icmp type=3 code=4 / ip 198.51.100.7 -> 192.0.2.10 / tcp 40000 -> 80 truncated",
    "eth / ip 2001:db8::1 -> 2001:db8::2 / icmp6 type=2 / ip 2001:db8::2 -> 2001:db8::1 / udp 1 -> 2",
    "eth / ip 192.0.2.1 -> 192.0.2.2 / ip 192.0.2.3 -> 192.0.2.4 / sctp 1 -> 2 / hex\"00 00\"",
    "eth / ip 192.0.2.1 -> 192.0.2.2 offset=5 mf protocol=17 / hex\"aa bb cc dd\"",
    "eth / ip 192.0.2.1 -> 192.0.2.2 length=20 options=hex\"01 01 01 00\" / hex\"ff\"",
    "eth type=0x88cc / hex\"00\"",
    "eth / ip4 192.0.2.1 -> 192.0.2.2 checksum=0 / udp 1 -> 2 checksum=0 length=99",
    "eth / ip6 2001:db8::1 -> 2001:db8::2 flow=0xabcde class=3 protocol=59 / hex\"\"",
];

pub fn target() -> Target {
    let sentences: Vec<Vec<u8>> = SENTENCES
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    let words = corpus::words(
        &sentences,
        &["ip4", "ip6", "vlan", "padding", "payload", "request"],
    );
    Target {
        name: "notation",
        cases: 800,
        make: Box::new(move |chance| change::text(&sentences, &words, chance)),
        judge,
    }
}

fn judge(input: &[u8]) -> Judged {
    let sentence = String::from_utf8_lossy(input);
    let Ok(said) = packet(("policy.lvs", ""), &Empty, &sentence) else {
        return Ok(());
    };
    let Ok(frame) = build(&said, &DEFAULTS) else {
        return Ok(());
    };
    let covered: usize = decode(&frame).iter().map(|header| header.size).sum();
    if covered != frame.len() {
        return Err(format!("{covered} of {} bytes are in headers", frame.len()));
    }
    let again = describe(&frame);
    if build(&layers(&frame), &DEFAULTS).as_ref() != Ok(&frame) {
        return Err(format!("its layers are another frame: {again}"));
    }
    // What is shortened, or promised and not there, is said for people only.
    let whole = decode(&frame).iter().all(|header| {
        let fine = !["truncated", "padding"].contains(&header.name);
        fine && (header.name != "payload" || header.size <= SHOWN)
    });
    if !whole {
        return Ok(());
    }
    let read = packet(("policy.lvs", ""), &Empty, &again);
    let read = read.map_err(|(found, _)| format!("{again}\n{found:?}"))?;
    match build(&read, &DEFAULTS) {
        Ok(built) if built == frame => Ok(()),
        other => Err(format!("{again}\nis {other:?}, not {frame:?}")),
    }
}
