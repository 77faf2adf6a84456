//! The numbers of docs/abi-wasm.md.

use std::collections::BTreeMap;

/// The tables of the page: what stands in the first columns, and the column's title, to the number.
pub struct Page(pub BTreeMap<String, u64>);

impl Page {
    pub fn read() -> Page {
        let text = std::fs::read_to_string("docs/abi-wasm.md").expect("the page is there");
        let mut numbers = BTreeMap::new();
        let mut titles: Vec<&str> = Vec::new();
        for line in text.lines() {
            let Some(row) = line.strip_prefix("| ") else {
                if !line.starts_with("|---") {
                    titles.clear();
                }
                continue;
            };
            let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
            if titles.is_empty() {
                titles = cells;
                continue;
            }
            let named = titles.iter().zip(&cells).skip(1);
            for (title, cell) in named {
                // A table of fields has its element in the first column and the field in the second.
                let name = match titles[1] {
                    "field" => format!("{}.{} {title}", cells[0], cells[1]),
                    _ => format!("{} {} {title}", titles[0], cells[0]),
                };
                if let Ok(number) = cell.parse() {
                    numbers.insert(name, number);
                }
            }
        }
        Page(numbers)
    }

    pub fn number(&self, name: &str) -> usize {
        let found = self.0.get(name);
        *found.unwrap_or_else(|| panic!("the page has no `{name}`: {:?}", self.0)) as usize
    }

    /// Where a field lies in its element, and its width (bytes).
    pub fn field(&self, name: &str) -> (usize, usize) {
        ["at", "bytes"]
            .map(|title| self.number(&format!("{name} {title}")))
            .into()
    }

    /// The bits of an entry of the connection table.
    pub fn bits(&self, name: &str, word: u64) -> u64 {
        let [bit, bits] = ["bit", "bits"].map(|title| self.number(&format!("flow {name} {title}")));
        word >> bit & ((1 << bits) - 1)
    }
}
