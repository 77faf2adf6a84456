//! The cells of a counter whose key is too wide to have one for each of its values: whose a cell is, and what it counted.
//!
//! A key becomes a row of words, the same number for each: its values as [`crate::hash`] writes them, padded with zeros;
//! where it can have several shapes (IPv4 and IPv6), these begin with the number of its own, eight bytes. The table hash
//! of the words, with the seed drawn at start, picks a bucket of section `cells.<counter>`, so that nobody can aim at one.
//! A word there is 0, a free cell, or the identity of the key that has it: the hash with the lowest bit set. Cell n counts
//! in element n of `counts.<counter>`, and its key's words lie in `keys.<counter>` for people to read.
//!
//! Within a bucket a cell is found by the tag of its identity, as an entry of a connection table is: it is one of those
//! whose seconds nobody looks at. A key that shares the tag of another one's cell (8 / 2^28 = 3e-8 where the bucket is full)
//! gets none. A cell never expires.

use std::collections::BTreeMap;

use crate::flows::{self, ABSENT, BUCKET, SECONDS_MASK, VALID};
use crate::image::{Count, Image, Width, count_in};
use crate::manifest::{KeyTable, Keyed};

/// The idle time (seconds) than which no word of a bucket is older.
pub const FOREVER: u64 = SECONDS_MASK;

/// What a bucket has for a key: positions in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key's cell.
    Own(u64),
    /// It has none; the first that is free.
    Free(u64),
    /// It has none, and gets none.
    Nowhere,
}

/// The identity of a key with this table hash.
pub const fn identity(table_hash: u64) -> u64 {
    table_hash | VALID
}

/// What a bucket has for the key with this identity.
pub fn place(bucket: &[u64], identity: u64) -> Place {
    let found = flows::find(bucket, flows::tag(identity));
    match bucket.get(found as usize) {
        Some(word) if *word == identity => Place::Own(found),
        Some(_) => Place::Nowhere,
        None => match flows::place(bucket, flows::tag(identity), 0, FOREVER) {
            ABSENT => Place::Nowhere,
            free => Place::Free(free),
        },
    }
}

/// A cell that a key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its number.
    pub index: u64,
    /// Whose it is.
    pub identity: u64,
    /// The key's words.
    pub key: Vec<u64>,
}

/// The cells of a counter that keys have, by their numbers.
pub fn taken<'a>(
    image: &'a dyn Image,
    keyed: &'a Keyed,
    table: &'a KeyTable,
) -> impl Iterator<Item = Cell> + 'a {
    let layout = image.layout();
    let [cells, keys] = ["cells", "keys"].map(|kind| layout.named(&keyed.section(kind)));
    let sections = cells.zip(keys);
    sections
        .into_iter()
        .flat_map(move |((_, cells), (_, keys))| {
            (0..u64::from(cells.length)).filter_map(move |index| {
                let identity = image.load(cells.at(index, 0), Width::B8);
                let words = u64::from(table.words());
                let word = |word| image.load(keys.at(index * words + word, 0), Width::B8);
                (identity & VALID == VALID).then(|| Cell {
                    index,
                    identity,
                    key: (0..words).map(word).collect(),
                })
            })
        })
}

/// Gives the cell in this image of the key that has `cell` in another one of the same layout and seed, a new one where
/// it has none and one is free; `None` where none is.
pub fn give(image: &mut dyn Image, keyed: &Keyed, cell: &Cell) -> Option<u64> {
    let section = |kind| {
        image
            .layout()
            .named(&keyed.section(kind))
            .map(|(_, s)| s.clone())
    };
    let (cells, keys) = (section("cells")?, section("keys")?);
    let first = cell.index - cell.index % u64::from(BUCKET);
    let words = (0..u64::from(BUCKET)).map(|at| image.load(cells.at(first + at, 0), Width::B8));
    let words: Vec<u64> = words.collect();
    match place(&words, cell.identity) {
        Place::Own(at) => Some(first + at),
        Place::Nowhere => None,
        Place::Free(at) => {
            let index = first + at;
            for (word, value) in (index * cell.key.len() as u64..).zip(&cell.key) {
                image.store(keys.at(word, 0), Width::B8, *value);
            }
            image.store(cells.at(index, 0), Width::B8, cell.identity);
            Some(index)
        }
    }
}

/// What a counter with a key counted: the values of each cell that is not 0, as people read them. The cells of one key,
/// where two workers were equally fast to give it one, are told as one.
pub fn counted(image: &dyn Image, keyed: &Keyed) -> Vec<(String, Count)> {
    let Some((_, counts)) = image.layout().named(&keyed.section("counts")) else {
        return Vec::new();
    };
    let count = |cell| count_in(image, counts, cell);
    let Some(table) = &keyed.table else {
        let cells = (0..keyed.cells()).map(|cell| (keyed.values(cell), count(cell.into())));
        return cells.filter(|(_, count)| count.packets > 0).collect();
    };
    let mut known: BTreeMap<u64, usize> = BTreeMap::new();
    let mut cells: Vec<(String, Count)> = Vec::new();
    for cell in taken(image, keyed, table) {
        let count = count(cell.index);
        let before = known.get(&cell.identity);
        if let Some((_, sum)) = before.and_then(|at| cells.get_mut(*at)) {
            sum.packets = sum.packets.wrapping_add(count.packets);
            sum.bytes = sum.bytes.wrapping_add(count.bytes);
        } else {
            known.insert(cell.identity, cells.len());
            cells.push((table.values(&cell.key), count));
        }
    }
    cells.retain(|(_, count)| count.packets > 0);
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::image::Bytes;
    use crate::layout::{Element, Layout};
    use crate::manifest::clients;

    fn image() -> Bytes {
        let mut layout = Layout::new();
        layout.add("counts.clients", Element::Counter, 16);
        layout.add("cells.clients", Element::Cell, 16);
        layout.add("keys.clients", Element::Key, 16);
        Bytes::new(layout)
    }

    fn cell(index: u64, hash: u64, address: u64) -> Cell {
        Cell {
            index,
            identity: identity(hash),
            key: vec![address],
        }
    }

    fn counts(image: &mut Bytes, cell: u64, packets: u64) {
        let at = image
            .layout()
            .named("counts.clients")
            .unwrap()
            .1
            .at(cell, 0);
        image.store(at, Width::B8, packets);
    }

    #[test]
    fn a_key_has_the_cell_with_its_identity_and_no_other() {
        let own = identity(7 << flows::TAG_SHIFT | 5 << 8);
        let like = identity(7 << flows::TAG_SHIFT | 6 << 8);
        let mut bucket = [identity(1 << flows::TAG_SHIFT); 8];
        assert_eq!(place(&bucket, own), Place::Nowhere, "full");
        bucket[5] = 0;
        bucket[6] = 0;
        assert_eq!(place(&bucket, own), Place::Free(5));
        bucket[5] = own;
        assert_eq!(place(&bucket, own), Place::Own(5));
        assert_eq!(place(&bucket, like), Place::Nowhere, "another one's tag");
    }

    #[test]
    fn no_identity_is_so_old_that_its_cell_is_free() {
        for seconds in [0, 1, 0x7fff, 0x8000, 0xffff] {
            let other = identity(1 << flows::TAG_SHIFT | seconds << flows::SECONDS_SHIFT);
            assert_eq!(place(&[other; 8], identity(0)), Place::Nowhere);
        }
    }

    #[test]
    fn a_key_is_given_one_cell() {
        let mut image = image();
        let keyed = clients(16);
        let (first, second) = (
            cell(9, 5 << 40, 0x0102_00c0),
            cell(15, 6 << 40, 0x0202_00c0),
        );
        assert_eq!(
            give(&mut image, &keyed, &first),
            Some(8),
            "the bucket's first"
        );
        assert_eq!(give(&mut image, &keyed, &second), Some(9));
        assert_eq!(give(&mut image, &keyed, &first), Some(8), "it has one");
        let table = keyed.table.as_ref().unwrap();
        let known: Vec<Cell> = taken(&image, &keyed, table).collect();
        let expected = [Cell { index: 8, ..first }, Cell { index: 9, ..second }];
        assert_eq!(known, expected);
        for hash in 10..16 {
            assert!(give(&mut image, &keyed, &cell(8, hash << 40, 0)).is_some());
        }
        assert_eq!(
            give(&mut image, &keyed, &cell(8, 77 << 40, 0)),
            None,
            "full"
        );
    }

    #[test]
    fn what_was_counted_is_told_by_key() {
        let mut image = image();
        let keyed = clients(16);
        for (address, hash) in [(0x0102_00c0, 5), (0x0202_00c0, 6), (0x0302_00c0, 7)] {
            let at = give(&mut image, &keyed, &cell(0, hash << 40, address)).unwrap();
            counts(&mut image, at, 3 * (hash - 5));
        }
        // As two workers leave it that were equally fast.
        let cells = image.layout().named("cells.clients").unwrap().1.clone();
        image.store(cells.at(6, 0), Width::B8, identity(6 << 40));
        counts(&mut image, 6, 10);
        let told: Vec<(String, u64)> = counted(&image, &keyed)
            .into_iter()
            .map(|(key, count)| (key, count.packets))
            .collect();
        let expected = [("192.0.2.2".to_owned(), 13), ("192.0.2.3".to_owned(), 6)];
        assert_eq!(told, expected);
    }
}
