//! What nobody states: defaults, types, lengths and checksums.

use super::build::Placed;
use super::shape::Kind;
use super::sum::{checksum, crc32c};
use super::{Defaults, Value};

/// The values of fields that nobody states, as far as they are not 0.
pub(super) fn inferred(
    this: &Placed<'_>,
    next: Option<Kind>,
    before: &[u8],
    defaults: &Defaults,
) -> Vec<(&'static str, u128)> {
    let size = this.size as u128;
    let rest = this.end.saturating_sub(this.at) as u128;
    let mac = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |bits, byte| bits << 8 | u128::from(*byte))
    };
    match this.kind {
        Kind::Eth => vec![
            ("dst", mac(&defaults.dst_mac)),
            ("src", mac(&defaults.src_mac)),
            ("type", ethertype(next)),
        ],
        Kind::Vlan => vec![("type", ethertype(next))],
        Kind::Arp => {
            // The sender is who sends the frame; whom an answer is for is known, whom a question is for is not.
            let reply = [
                ("op".to_owned(), Some(Value::Int(2))),
                ("reply".to_owned(), None),
            ];
            let answers = this.layer.fields.iter().any(|field| reply.contains(field));
            let target = if answers { before.get(..6) } else { None };
            vec![
                ("hardware", 1),
                ("type", 0x0800),
                ("hardware_size", 6),
                ("size", 4),
                ("op", 1),
                ("sha", mac(before.get(6..12).unwrap_or_default())),
                ("tha", mac(target.unwrap_or_default())),
            ]
        }
        Kind::Ip4 => vec![
            ("version", 4),
            ("ihl", size / 4),
            ("length", rest),
            ("ttl", 64),
            ("protocol", protocol(next)),
        ],
        Kind::Ip6 => vec![
            ("version", 6),
            ("length", rest.saturating_sub(size)),
            ("protocol", protocol(next)),
            ("ttl", 64),
        ],
        Kind::Ext6 => vec![("protocol", protocol(next)), ("length", size / 8 - 1)],
        Kind::Frag6 => vec![("protocol", protocol(next))],
        Kind::Tcp => vec![("offset", size / 4), ("window", 65_535)],
        Kind::Udp => vec![("length", rest)],
        Kind::Icmp => vec![("type", 8)],
        Kind::Icmp6 => vec![("type", 128)],
        Kind::Sctp | Kind::Bytes | Kind::Padding | Kind::Truncated => Vec::new(),
    }
}

fn ethertype(next: Option<Kind>) -> u128 {
    match next {
        Some(Kind::Vlan) => 0x8100,
        Some(Kind::Arp) => 0x0806,
        Some(Kind::Ip6) => 0x86dd,
        _ => 0x0800,
    }
}

fn protocol(next: Option<Kind>) -> u128 {
    match next {
        Some(Kind::Icmp) => 1,
        Some(Kind::Ip4) => 4,
        Some(Kind::Udp) => 17,
        Some(Kind::Ip6) => 41,
        Some(Kind::Frag6) => 44,
        Some(Kind::Icmp6) => 58,
        Some(Kind::Ext6) => 60,
        Some(Kind::Sctp) => 132,
        _ => 6,
    }
}

/// Writes the layer's checksum over what is in the frame already. `outer` is the IP layer that it is in.
pub(super) fn seal(this: &Placed<'_>, outer: Option<&Placed<'_>>, frame: &mut [u8]) {
    let end = if this.kind == Kind::Ip4 {
        this.at + this.size
    } else {
        this.end
    };
    let covered = frame
        .get(this.at..end.max(this.at + this.size))
        .unwrap_or_default();
    let value = match this.kind {
        Kind::Ip4 | Kind::Icmp => checksum(covered).into(),
        Kind::Tcp | Kind::Udp | Kind::Icmp6 => {
            let Some(outer) = outer else { return };
            let header = frame
                .get(outer.at..outer.at + outer.size)
                .unwrap_or_default();
            let value = checksum(
                &[
                    &pseudo(outer.kind, header, this.kind, covered.len()),
                    covered,
                ]
                .concat(),
            );
            // 0 would say that there is none (RFC 768).
            if this.kind == Kind::Udp && value == 0 {
                0xffff
            } else {
                value.into()
            }
        }
        // Its bytes stand in the order of the polynomial's coefficients (RFC 9260, appendix A).
        Kind::Sctp => crc32c(covered).swap_bytes().into(),
        Kind::Eth
        | Kind::Vlan
        | Kind::Arp
        | Kind::Ip6
        | Kind::Ext6
        | Kind::Frag6
        | Kind::Bytes
        | Kind::Padding
        | Kind::Truncated => return,
    };
    if let (Some(shape), Some(header)) = (
        this.kind.shape("checksum"),
        frame.get_mut(this.at..this.at + this.size),
    ) {
        shape.write(header, value);
    }
}

/// The pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1).
fn pseudo(outer: Kind, header: &[u8], kind: Kind, length: usize) -> Vec<u8> {
    let addresses = if outer == Kind::Ip6 {
        header.get(8..40)
    } else {
        header.get(12..20)
    };
    let mut bytes = addresses.unwrap_or_default().to_vec();
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend((protocol(Some(kind)) as u32).to_be_bytes());
    bytes
}
