//! Frames for tests, as bytes. MACs are 02:00:00:00:00:01 (ours) and 02:00:00:00:00:99, addresses 198.51.100.7 and the
//! VIP 192.0.2.1.

/// An Ethernet frame.
pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    tagged(&[], kind, payload)
}

/// An Ethernet frame with VLAN tags.
pub(crate) fn tagged(tags: &[[u8; 4]], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x99];
    frame.extend(tags.concat());
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An IPv4 packet without options.
pub(crate) fn ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip4_with(protocol, &[], payload)
}

/// An IPv4 packet with these bytes of options, a multiple of four.
pub(crate) fn ip4_with(protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let size = 20 + options.len();
    let mut packet = vec![0x40 + (size / 4) as u8, 0];
    packet.extend(((size + payload.len()) as u16).to_be_bytes());
    packet.extend([
        0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 198, 51, 100, 7, 192, 0, 2, 1,
    ]);
    packet.extend(options);
    let checksum = sum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// A TCP segment without options or data.
pub(crate) fn tcp(from: u16, to: u16) -> Vec<u8> {
    let mut segment = [from.to_be_bytes(), to.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    segment
}

/// A UDP datagram.
pub(crate) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut datagram = [from, to, length, 0].map(u16::to_be_bytes).concat();
    datagram.extend(payload);
    datagram
}

/// "Fragmentation needed" about a packet.
pub(crate) fn icmp_error(quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![3, 4, 0, 0, 0, 0, 5, 0xdc];
    message.extend(&quoted[..quoted.len().min(28)]);
    message
}

/// The Internet checksum (RFC 1071).
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
