//! Counters with keys: a narrow key has a cell for each of its values, a wide one a table of cells.

use serde::{Deserialize, Serialize};

use crate::flows::BUCKET;
use crate::kind::Kind;
use crate::layout::{Element, Layout};

/// A counter with a cell for each value of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// What it is called. Section `counts.<name>` has its cells.
    pub name: String,
    /// Its key. Without a table a cell's number is the values of the parts side by side, the first one in the highest
    /// bits.
    pub key: Vec<KeyPart>,
    /// Where the key is too wide for a cell for each value that it can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<KeyTable>,
}

/// A part of a counter's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    /// What people call it: `tcp.dst`.
    pub name: String,
    /// Its width, where it has several the largest (bits).
    pub bits: u16,
}

/// The table of a wide key: sections `cells.<name>`, buckets of [`BUCKET`] words, and `keys.<name>`, [`KeyTable::words`]
/// words for each cell. See [`crate::cells`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTable {
    /// Number of cells, a power of two, at least [`BUCKET`].
    pub capacity: u32,
    /// The shapes that a key can have, each the values that it consists of. Of several, a key begins with the number of
    /// its own.
    pub shapes: Vec<Vec<Shape>>,
}

/// A value in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Its width (bits, 1 to 128); it takes as many whole bytes as it needs.
    pub bits: u16,
    /// How people write it.
    pub kind: Kind,
}

impl Keyed {
    /// The widest key that has a cell for each of its values (bits).
    pub const NARROW: u16 = 16;

    /// Bits of the key.
    pub fn bits(&self) -> u16 {
        self.key
            .iter()
            .fold(0, |bits, part| bits.saturating_add(part.bits))
    }

    /// Number of cells; none of a key without a table that is too wide.
    pub fn cells(&self) -> u32 {
        match (&self.table, self.bits()) {
            (Some(table), _) => table.capacity,
            (None, bits @ 1..=Keyed::NARROW) => 1 << bits,
            (None, _) => 0,
        }
    }

    /// The name of its section of this kind: `counts`, `cells`, `keys`.
    pub fn section(&self, kind: &str) -> String {
        format!("{kind}.{}", self.name)
    }

    /// The values of a cell of a counter without a table, as people read them: `80`, `6, 443`.
    pub fn values(&self, cell: u32) -> String {
        let mut left = self.bits();
        let values = self.key.iter().map(|part| {
            left = left.saturating_sub(part.bits);
            let value = cell.checked_shr(left.into()).unwrap_or(0);
            let mask = u32::MAX.checked_shr(32 - u32::from(part.bits)).unwrap_or(0);
            (value & mask).to_string()
        });
        values.collect::<Vec<_>>().join(", ")
    }

    /// Whether the layout has its sections.
    pub(super) fn fits(&self, layout: &Layout) -> bool {
        let holds = |kind: &str, element, length: u64| {
            let found = layout.named(&self.section(kind));
            found.is_some_and(|(_, found)| {
                found.element == element
                    && u64::from(found.length) == length.max(1).next_power_of_two()
            })
        };
        let cells = u64::from(self.cells());
        let table = self.table.as_ref().is_none_or(|table| {
            table.capacity >= BUCKET
                && table.capacity.is_power_of_two()
                && holds("cells", Element::Cell, cells)
                && holds("keys", Element::Key, cells * u64::from(table.words()))
        });
        cells > 0 && table && holds("counts", Element::Counter, cells)
    }
}

impl KeyTable {
    /// Words that a key takes (8 bytes): those of the longest shape.
    pub fn words(&self) -> u32 {
        let bytes = |shape: &Vec<Shape>| {
            let parts = shape.iter();
            parts.map(|part| u32::from(part.bits.div_ceil(8))).sum()
        };
        let longest: u32 = self.shapes.iter().map(bytes).max().unwrap_or(0);
        longest.div_ceil(8) + u32::from(self.shapes.len() > 1)
    }

    /// The values in a key's words, as people read them: `192.0.2.1, 443`. Empty where they are no key.
    pub fn values(&self, words: &[u64]) -> String {
        let mut bytes = words.iter().flat_map(|word| word.to_le_bytes());
        let mut take = |count| {
            let taken = bytes.by_ref().take(count);
            taken.fold(0_u128, |value, byte| value << 8 | u128::from(byte))
        };
        let shape = if self.shapes.len() > 1 { take(8) } else { 0 };
        let shape = self.shapes.get(shape as usize);
        let values = shape.into_iter().flatten().map(|part| {
            let value = take(usize::from(part.bits.div_ceil(8)));
            part.kind.write(value)
        });
        values.collect::<Vec<_>>().join(", ")
    }
}

/// `clients by ip4.src`, for tests.
#[cfg(test)]
pub(crate) fn clients(capacity: u32) -> Keyed {
    let one = |bits, kind| vec![Shape { bits, kind }];
    Keyed {
        name: "clients".to_owned(),
        key: vec![KeyPart {
            name: "ip4.src".to_owned(),
            bits: 32,
        }],
        table: Some(KeyTable {
            capacity,
            shapes: vec![one(32, Kind::Ip4)],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_values_of_its_key_side_by_side() {
        let part = |name: &str, bits| KeyPart {
            name: name.to_owned(),
            bits,
        };
        let keyed = |key: Vec<KeyPart>| Keyed {
            name: "classes".to_owned(),
            key,
            table: None,
        };
        let classes = keyed(vec![part("ip.protocol", 8), part("ip.dscp", 6)]);
        assert_eq!(classes.cells(), 1 << 14);
        assert_eq!(classes.values(17 << 6 | 5), "17, 5");
        assert_eq!(keyed(vec![part("tcp.dst", 16)]).values(65_535), "65535");
        assert_eq!(keyed(vec![part("ip4.src", 32)]).cells(), 0, "too wide");
        assert_eq!(keyed(Vec::new()).cells(), 0);
    }

    #[test]
    fn a_key_of_several_shapes_begins_with_the_number_of_its_own() {
        let value = |bits, kind| Shape { bits, kind };
        let table = KeyTable {
            capacity: 8,
            shapes: vec![
                vec![value(32, Kind::Ip4), value(9, Kind::Number)],
                vec![value(128, Kind::Ip6), value(9, Kind::Number)],
            ],
        };
        assert_eq!(table.words(), 4, "the number, and 18 bytes");
        let four = [0, 0x0001_0102_00c0_u64 | 0x01 << 40, 0, 0];
        assert_eq!(table.values(&four), "192.0.2.1, 257");
        let six = [
            u64::from_be(1),
            u64::from_be(0x2001_0db8_0000_0000),
            u64::from_be(7),
            u64::from(7_u16.swap_bytes()),
        ];
        assert_eq!(table.values(&six), "2001:db8::7, 7");
        assert_eq!(table.values(&[u64::MAX; 4]), "", "no shape has this number");
    }

    #[test]
    fn of_one_shape_the_key_is_its_values_alone() {
        let table = clients(8).table.expect("a table");
        assert_eq!(table.words(), 1);
        assert_eq!(table.values(&[0x0702_00c0]), "192.0.2.7");
    }
}
