//! Addresses: IPv4 (RFC 1123, 2.1), IPv6 (RFC 4291, 2.2), prefixes (RFC 4632), MACs, with ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{LitKind, Value, Word};
use crate::diagnostics::{Code, Diagnostic};

/// An address with colons: a MAC, else IPv6.
pub fn with_colons(word: Word) -> Value {
    let groups: Vec<&str> = word.text.split(':').collect();
    let pairs = groups.iter().all(|group| group.len() == 2);
    let is_mac = groups.len() == 6 && !word.text.contains("::") && !word.text.contains('.');
    if is_mac || pairs && groups.len() != 8 {
        return mac(word);
    }
    ip6(word).map(LitKind::Ip6)
}

fn mac(word: Word) -> Value {
    let bad = |message: String, place: Word| Diagnostic::error(Code::BadMac, message, place.span);
    let mut bytes = Vec::with_capacity(6);
    for group in word.split(':') {
        let is_pair = group.text.len() == 2 && group.text.bytes().all(|c| c.is_ascii_hexdigit());
        let byte = u8::from_str_radix(group.text, 16).ok().filter(|_| is_pair);
        let message = || match group.text {
            "" => "a group of two hexadecimal digits is missing here".to_owned(),
            text => format!("`{text}` is not two hexadecimal digits"),
        };
        bytes.push(byte.ok_or_else(|| bad(message(), group))?);
    }
    let count = bytes.len();
    let octets = <[u8; 6]>::try_from(bytes);
    octets.map(LitKind::Mac).map_err(|_| {
        bad(
            format!("a MAC address has six groups, this has {count}"),
            word,
        )
    })
}

/// `192.168.46.200`.
pub fn ip4(word: Word) -> Result<Ipv4Addr, Diagnostic> {
    let bad =
        |message: String, place: Word| Diagnostic::error(Code::BadAddress, message, place.span);
    let count = word.text.split('.').count();
    if count != 4 {
        let message = format!("an IPv4 address has four parts, this has {count}");
        return Err(bad(message, word));
    }
    let mut octets = [0; 4];
    for (octet, part) in octets.iter_mut().zip(word.split('.')) {
        if part.text.is_empty() || !part.text.bytes().all(|c| c.is_ascii_digit()) {
            return Err(bad(format!("`{}` is no decimal number", part.text), part));
        }
        if part.text.len() > 1 && part.text.starts_with('0') {
            let plain = part.text.trim_start_matches('0');
            return Err(
                bad(format!("`{}` may mean an octal number", part.text), part).suggest(
                    "leave out the zero",
                    part.span,
                    if plain.is_empty() { "0" } else { plain },
                ),
            );
        }
        *octet = part.text.parse().map_err(|_| {
            bad(
                format!("`{}` is too large for a part of an IPv4 address", part.text),
                part,
            )
            .label("at most 255")
        })?;
    }
    Ok(Ipv4Addr::from(octets))
}

/// `2001:db8::1`, `::ffff:192.0.2.1`.
pub fn ip6(word: Word) -> Result<Ipv6Addr, Diagnostic> {
    word.text.parse().map_err(|_| why_not_ip6(word))
}

fn why_not_ip6(word: Word) -> Diagnostic {
    let bad =
        |message: String, place: Word| Diagnostic::error(Code::BadAddress, message, place.span);
    let mut groups = 0;
    for group in word.split(':').filter(|group| !group.text.is_empty()) {
        if group.text.contains('.') {
            if let Err(error) = ip4(group) {
                return error;
            }
            groups += 2;
            continue;
        }
        if !group.text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return bad(format!("`{}` is no hexadecimal number", group.text), group);
        }
        if group.text.len() > 4 {
            return bad(format!("`{}` has more than four digits", group.text), group);
        }
        groups += 1;
    }
    if word.text.matches("::").count() > 1 || word.text.contains(":::") {
        return bad("`::` stands only once in an IPv6 address".to_owned(), word);
    }
    if word.text.contains("::") {
        return bad(
            "with eight groups written, `::` stands for nothing".to_owned(),
            word,
        );
    }
    bad(
        format!("an IPv6 address has eight groups, this has {groups}"),
        word,
    )
    .note("`::` stands for the groups that are zero")
}

/// `10.0.0.0/8`, `2001:db8::/32`; the `/` is byte `at` of the word.
pub fn prefix(word: Word, at: usize) -> Value {
    let (address, length) = (word.part(0, at), word.part(at + 1, word.text.len()));
    if address.text.contains(':') {
        let ip = ip6(address)?;
        let bits = prefix_length(length, 128, "IPv6")?;
        let kept = ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
        let network = Ipv6Addr::from_bits(kept);
        return if network == ip {
            Ok(LitKind::Net6(ip, bits))
        } else {
            Err(bits_beyond(word, bits, IpAddr::V6(network)))
        };
    }
    let ip = ip4(address)?;
    let bits = prefix_length(length, 32, "IPv4")?;
    let kept = ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    let network = Ipv4Addr::from_bits(kept);
    if network == ip {
        return Ok(LitKind::Net4(ip, bits));
    }
    Err(bits_beyond(word, bits, IpAddr::V4(network)))
}

fn prefix_length(word: Word, most: u8, family: &str) -> Result<u8, Diagnostic> {
    if let Ok(mask) = word.text.parse::<Ipv4Addr>() {
        return Err(no_mask(word, mask));
    }
    let bits = word.text.parse().ok().filter(|bits| *bits <= most);
    bits.ok_or_else(|| {
        let message = format!(
            "`/{}` is no prefix length of an {family} address",
            word.text
        );
        Diagnostic::error(Code::BadPrefix, message, word.span).label(format!("0 to {most}"))
    })
}

/// `255.0.0.0`; those of an access list are turned round.
fn no_mask(word: Word, mask: Ipv4Addr) -> Diagnostic {
    let message = format!("`/{mask}` is a mask, and a prefix has a length");
    let error = Diagnostic::error(Code::BadPrefix, message, word.span);
    let ones = [mask.to_bits(), !mask.to_bits()].map(|bits| (bits, bits.leading_ones()));
    let length = ones
        .into_iter()
        .find(|(bits, length)| bits.count_ones() == *length);
    match length {
        Some((_, length)) => error.suggest("say how many bits", word.span, length.to_string()),
        None => error.note("no prefix has bits like these"),
    }
}

fn bits_beyond(word: Word, bits: u8, network: IpAddr) -> Diagnostic {
    let message = format!("`{}` has bits set beyond its first {bits}", word.text);
    let network = format!("{network}/{bits}");
    let fix = format!("the network is `{network}`");
    Diagnostic::error(Code::BadPrefix, message, word.span).suggest(fix, word.span, network)
}

/// `192.168.46.130:8080`; the `:` is byte `at` of the word.
pub fn endpoint4(word: Word, at: usize) -> Value {
    let address = ip4(word.part(0, at))?;
    let port = port(word.part(at + 1, word.text.len()))?;
    Ok(LitKind::Endpoint(SocketAddr::new(
        IpAddr::V4(address),
        port,
    )))
}

/// `[2001:db8::1]:443`.
pub fn endpoint6(word: Word) -> Value {
    let close = word.text.find(']').unwrap_or(word.text.len());
    let address = ip6(word.part(1, close))?;
    let port = port(word.part(close + 2, word.text.len()))?;
    Ok(LitKind::Endpoint(SocketAddr::new(
        IpAddr::V6(address),
        port,
    )))
}

fn port(word: Word) -> Result<u16, Diagnostic> {
    word.text.parse().map_err(|_| {
        let message = format!("`{}` is no port", word.text);
        Diagnostic::error(Code::BadAddress, message, word.span).label("0 to 65535")
    })
}
