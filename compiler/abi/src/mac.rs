//! MAC addresses (EUI-48, IEEE 802), and their two readings as a number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A MAC address in wire order: `Mac([0x02, 0, 0, 0, 0, 1])` is `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The 48-bit number that the address is in the language (host order, first byte highest).
    pub fn to_bits(self) -> u64 {
        self.0
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// The address whose 48-bit number is `bits`; higher bits are ignored.
    pub fn from_bits(bits: u64) -> Mac {
        let [_, _, bytes @ ..] = bits.to_be_bytes();
        Mac(bytes)
    }

    /// Whether one station can have it: neither zero nor a group's (IEEE 802, the lowest bit of the first byte).
    pub fn is_station(self) -> bool {
        let [first, ..] = self.0;
        self != Mac([0; 6]) && first & 1 == 0
    }

    /// The low 48 bits of an eight-byte little-endian load of a record that begins with the address.
    pub fn to_record(self) -> u64 {
        self.to_bits().swap_bytes() >> 16
    }

    /// The address in the low 48 bits of such a record.
    pub fn from_record(record: u64) -> Mac {
        let [bytes @ .., _, _] = record.to_le_bytes();
        Mac(bytes)
    }

    /// A group address (multicast or broadcast): the lowest bit of the first byte (IEEE 802).
    pub fn is_group(self) -> bool {
        self.to_bits() >> 40 & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is not six pairs of hexadecimal digits between colons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a MAC address (six pairs of hexadecimal digits: 02:00:00:00:00:01)")]
pub struct BadMac(pub String);

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Mac, BadMac> {
        let bad = || BadMac(text.to_owned());
        let bytes: Vec<u8> = text
            .split(':')
            .map(|pair| {
                // `from_str_radix` takes a sign, too.
                (pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    .then(|| u8::from_str_radix(pair, 16).ok())
                    .flatten()
            })
            .collect::<Option<_>>()
            .ok_or_else(bad)?;
        Ok(Mac(bytes.try_into().map_err(|_| bad())?))
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readings_of_an_address_come_back() {
        let mac = Mac([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!(mac.to_bits(), 0x0211_2233_4455);
        assert_eq!(mac.to_record(), 0x5544_3322_1102);
        assert_eq!(Mac::from_bits(mac.to_bits()), mac);
        assert_eq!(Mac::from_record(mac.to_record() | 0xffff << 48), mac);
        assert_eq!(mac.to_string().parse(), Ok(mac));
        assert!(mac.is_station());
        assert!(!Mac([0; 6]).is_station());
        assert!(!Mac([0x33, 0x33, 0, 0, 0, 1]).is_station(), "a group");
        assert!("02:00:00:00:00".parse::<Mac>().is_err());
        assert!("02:00:00:00:00:0g".parse::<Mac>().is_err());
        assert!("02:00:00:00:00:+1".parse::<Mac>().is_err());
    }
}
