//! Types and lines of an object for the kernel and its tools (Linux, Documentation/bpf/btf.rst).

use std::collections::BTreeMap;

use lvsc_abi::layout::Element;
use lvsc_abi::place::{Place, Sources};

/// First bytes of `.BTF` and `.BTF.ext`: the magic number, version 1, no flags.
const HEAD: [u8; 4] = [0x9f, 0xeb, 1, 0];
const HEADER_SIZE: u32 = 24;
const EXT_HEADER_SIZE: u32 = 32;
/// Lines and columns share a word.
const COLUMN_MAX: u32 = 1023;
/// Most characters of a line that are kept: the verifier's log has no more than 1023 bytes for it
/// (`BPF_VERIFIER_TMP_LOG_SIZE`), and who reads it wants the begin.
const LINE_MAX: usize = 200;

/// Kinds of types.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const POINTER: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const FUNCTION: u32 = 12;
    pub(super) const PROTOTYPE: u32 = 13;
    pub(super) const VARIABLE: u32 = 14;
    pub(super) const SECTION: u32 = 15;
}

/// A variable is known to other objects, a function too.
const GLOBAL: u32 = 1;

/// A type's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Type(u32);

/// A variable in a section.
pub(crate) struct Placed {
    pub(crate) variable: Type,
    pub(crate) offset: u32,
    pub(crate) size: u32,
}

/// The types while they are written.
pub(crate) struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Where each string begins.
    offsets: BTreeMap<String, u32>,
    count: u32,
    /// Unsigned integers of 1, 2, 4 and 8 bytes.
    integers: [Type; 4],
}

impl Btf {
    pub(crate) fn new() -> Btf {
        let mut btf = Btf {
            types: Vec::new(),
            strings: vec![0],
            offsets: BTreeMap::from([(String::new(), 0)]),
            count: 0,
            integers: [Type(0); 4],
        };
        btf.integers = [("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8)].map(|(name, size)| {
            let name = btf.string(name);
            btf.add(&[name, kind::INT << 24, size, size * 8])
        });
        btf
    }

    /// The offset of a string; equal ones lie there once.
    fn string(&mut self, text: &str) -> u32 {
        if let Some(offset) = self.offsets.get(text) {
            return *offset;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend(text.bytes());
        self.strings.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }

    fn add(&mut self, words: &[u32]) -> Type {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        self.types.extend(bytes);
        self.count += 1;
        Type(self.count)
    }

    /// An integer of so many bytes: 1, 2, 4 or 8.
    pub(crate) fn integer(&self, bytes: u32) -> Type {
        let [one, two, four, eight] = self.integers;
        match bytes {
            1 => one,
            2 => two,
            4 => four,
            _ => eight,
        }
    }

    pub(crate) fn pointer(&mut self, to: Type) -> Type {
        self.add(&[0, kind::POINTER << 24, to.0])
    }

    pub(crate) fn array(&mut self, of: Type, length: u32) -> Type {
        let index = self.integer(4).0;
        self.add(&[0, kind::ARRAY << 24, 0, of.0, index, length])
    }

    /// A structure of members one behind the other: names, types and sizes (bytes).
    pub(crate) fn structure(&mut self, name: &str, members: &[(&str, Type, u32)]) -> Type {
        let size: u32 = members.iter().map(|(_, _, size)| size).sum();
        let name = self.string(name);
        let mut words = vec![name, kind::STRUCT << 24 | members.len() as u32, size];
        let mut offset = 0;
        for (name, of, size) in members {
            words.extend([self.string(name), of.0, offset * 8]);
            offset += size;
        }
        self.add(&words)
    }

    /// The element of a section of the image.
    pub(crate) fn element(&mut self, element: Element) -> Type {
        let [_, _, word, long] = self.integers;
        match element {
            Element::Header => {
                let rest = self.array(self.integer(1), 8);
                let members = [
                    ("magic", long, 8),
                    ("version", word, 4),
                    ("reserved", word, 4),
                    ("digest", long, 8),
                    ("rest", rest, 8),
                ];
                self.structure("header", &members)
            }
            Element::Clock => self.structure("clock", &[("seconds", long, 8), ("seed", long, 8)]),
            Element::Interface => self.structure(
                "interface",
                &[
                    ("record", long, 8),
                    ("index", word, 4),
                    ("reserved", word, 4),
                ],
            ),
            Element::Counter => {
                self.structure("counter", &[("packets", long, 8), ("bytes", long, 8)])
            }
            Element::Cursor => {
                let rest = self.array(self.integer(1), element.stride() - 8);
                self.structure(
                    "cursor",
                    &[("next", long, 8), ("rest", rest, element.stride() - 8)],
                )
            }
            Element::Load => {
                let rest = self.array(self.integer(1), element.stride() - 20);
                let members = [
                    ("active", word, 4),
                    ("inactive", word, 4),
                    ("weight", word, 4),
                    ("limit", word, 4),
                    ("id", word, 4),
                    ("rest", rest, element.stride() - 20),
                ];
                self.structure("load", &members)
            }
            Element::Change => {
                self.structure("change", &[("since", word, 4), ("elsewhere", word, 4)])
            }
            Element::Backend
            | Element::Flow
            | Element::Noted
            | Element::Datagram
            | Element::Client
            | Element::Word
            | Element::Cell
            | Element::Key => long,
            Element::Slot => word,
        }
    }

    /// A global variable.
    pub(crate) fn variable(&mut self, name: &str, of: Type) -> Type {
        let name = self.string(name);
        self.add(&[name, kind::VARIABLE << 24, of.0, GLOBAL])
    }

    /// What lies in an ELF section of this size (bytes).
    pub(crate) fn section(&mut self, name: &str, size: u32, placed: &[Placed]) -> Type {
        let name = self.string(name);
        let mut words = vec![name, kind::SECTION << 24 | placed.len() as u32, size];
        for one in placed {
            words.extend([one.variable.0, one.offset, one.size]);
        }
        self.add(&words)
    }

    /// A global function of a pointer that gives a u32.
    pub(crate) fn function(&mut self, name: &str) -> Type {
        let context = self.structure("xdp_md", &[]);
        let context = self.pointer(context);
        let (argument, result) = (self.string("ctx"), self.integer(4).0);
        let prototype = self.add(&[0, kind::PROTOTYPE << 24 | 1, result, argument, context.0]);
        let name = self.string(name);
        self.add(&[name, kind::FUNCTION << 24 | GLOBAL, prototype.0])
    }

    /// `.BTF.ext`: the function, and for instructions by rising offset (bytes) where they come from.
    pub(crate) fn lines(
        &mut self,
        section: &str,
        function: Type,
        places: &[(u32, Place)],
        files: &[String],
        sources: &Sources,
    ) -> Vec<u8> {
        let section = self.string(section);
        let functions = [8, section, 1, 0, function.0];
        let files: Vec<u32> = files.iter().map(|file| self.string(file)).collect();
        let mut lines = vec![16, section, places.len() as u32];
        for (offset, place) in places {
            let file = files.get(usize::from(place.file)).copied().unwrap_or(0);
            let text: String = sources.line(*place).chars().take(LINE_MAX).collect();
            let text = self.string(&text);
            let column = place.column.min(COLUMN_MAX);
            lines.extend([*offset, file, text, place.line << 10 | column]);
        }
        let (functions, lines) = (words(&functions), words(&lines));
        let [first, second] = [functions.len() as u32, lines.len() as u32];
        let header = [EXT_HEADER_SIZE, 0, first, first, second, first + second, 0];
        [&HEAD[..], &words(&header), &functions, &lines].concat()
    }

    /// `.BTF`
    pub(crate) fn finish(self) -> Vec<u8> {
        let [types, strings] = [self.types.len() as u32, self.strings.len() as u32];
        let header = [HEADER_SIZE, 0, types, types, strings];
        [&HEAD[..], &words(&header), &self.types, &self.strings].concat()
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_begin_of_a_line_is_kept_once() {
        let mut sources = Sources::default();
        sources.add(&format!("  {}\n{}", "\u{fc}".repeat(300), "drop"));
        let place = |line, column| Place {
            file: 0,
            line,
            column,
        };
        let mut btf = Btf::new();
        let function = btf.function("dr");
        let places = [(0, place(1, 3)), (8, place(1, 2000)), (16, place(2, 1))];
        let files = ["dr.lvs".to_owned()];
        let lines = btf.lines("xdp", function, &places, &files, &sources);
        let word = |at: usize| {
            let bytes = lines
                .get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        // Three records of 16 bytes end it: where, the file, the text, line and column.
        let first = lines.len() - 48;
        let texts = [0, 16, 32].map(|record| word(first + record + 8));
        assert_eq!(texts[0], texts[1]);
        let text = |offset: u32| {
            let bytes = btf.strings.get(offset as usize..).unwrap_or_default();
            let end = bytes.iter().position(|byte| *byte == 0);
            String::from_utf8_lossy(&bytes[..end.unwrap_or(0)]).into_owned()
        };
        assert_eq!(text(texts[0]), "\u{fc}".repeat(LINE_MAX));
        assert_eq!(text(texts[2]), "drop");
        assert_eq!(text(word(first + 4)), "dr.lvs");
        assert_eq!(word(first + 16 + 12), 1 << 10 | COLUMN_MAX);
    }
}
