//! Frames for tests, as bytes.

/// A VLAN tag or not, twice.
const TAGS: [&[u8]; 3] = [
    &[],
    &[0x81, 0x00, 0x20, 0x05],
    &[0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0xe0, 0x09],
];

fn ethernet(tags: usize, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(TAGS[tags]);
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// IPv4 with `options` words of options; `fragment` is the word of flags and offset.
fn ip4(protocol: u8, options: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let size = 20 + usize::from(options) * 4;
    let mut packet = vec![0x45 + options, 0];
    packet.extend(((size + payload.len()) as u16).to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 192, 168, 46, 135, 192, 168, 46, 200]);
    packet.resize(size, 1);
    let sum = internet_checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

fn ip6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x61, 0x23, 0x45, 0x67];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([protocol, 64]);
    for last in [1, 2] {
        packet.extend([
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, last, 0, 0, 0, 0, last,
        ]);
    }
    packet.extend(payload);
    packet
}

fn tcp() -> Vec<u8> {
    let mut segment = vec![
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x02, 0xff, 0xff, 0xab, 0xcd, 0, 0,
    ];
    segment.extend([2, 4, 5, 0xb4]);
    segment.extend(*b"GET /");
    segment
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x9c, 0x40];
    datagram.extend(port.to_be_bytes());
    datagram.extend(((8 + payload.len()) as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// An ICMP error that quotes the first bytes of a packet.
fn icmp_error(quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![3, 4, 0xfc, 0xfb, 0, 0, 5, 0xdc];
    message.extend(&quoted[..quoted.len().min(28)]);
    message
}

/// The bytes of header `odd`, with three bytes behind its fixed fields counted to it.
const ODD: [u8; 26] = [
    0xad, 0xbe, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8,
    0x5b, 0, 0, 0, 0, 0,
];

/// One frame of each kind, VLAN-tagged or not.
pub(super) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for tags in 0..TAGS.len() {
        let v4 = |payload: &[u8]| ethernet(tags, 0x0800, payload);
        let v6 = |payload: &[u8]| ethernet(tags, 0x86dd, payload);
        found.extend([
            v4(&ip4(6, 0, 0x4000, &tcp())),
            v4(&ip4(6, 2, 0, &tcp())),
            v4(&ip4(6, 0, 0x2000, &tcp())),
            v4(&ip4(6, 0, 0x0010, &tcp())),
            v4(&ip4(17, 0, 0, &udp(53, b"query"))),
            v4(&ip4(17, 1, 0, &udp(7, &ODD))),
            v4(&ip4(1, 0, 0, &icmp_error(&ip4(6, 0, 0x4000, &tcp())))),
            v4(&ip4(
                1,
                1,
                0,
                &icmp_error(&ip4(17, 0, 0, &udp(53, b"query"))),
            )),
            v4(&ip4(1, 0, 0, &[8, 0, 0, 0, 1, 2, 3, 4])),
            v4(&ip4(47, 0, 0, &[0; 20])),
            v6(&ip6(6, &tcp())),
            v6(&ip6(17, &udp(53, b"query"))),
            v6(&ip6(58, &[128, 0, 0, 0, 1, 2, 3, 4])),
        ]);
    }
    found.push(ethernet(0, 0x88b5, &ODD));
    found.push(ethernet(0, 0x0806, &[0; 28]));
    // Padding behind the packet's stated end is no packet.
    let mut padded = ethernet(0, 0x0800, &ip4(6, 0, 0, &tcp()[..10]));
    padded.resize(90, 0x55);
    found.push(padded);
    found
}

/// RFC 1071.
pub(super) fn internet_checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
