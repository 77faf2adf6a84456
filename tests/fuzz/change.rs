//! What may happen to a file: bytes change, pieces go or come twice, halves of two files meet, words change places.

use crate::chance::Chance;

/// Longest input (bytes): what needs more is a case of `hostile.rs`.
const LONGEST: usize = 64 << 10;
/// Most changes of one input.
const CHANGES: usize = 8;
/// Numbers at which something begins or ends.
const EDGES: [u64; 16] = [
    0,
    1,
    7,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// One of these files, changed as if it were nothing but bytes.
pub fn bytes(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = chance.one(corpus).clone();
    for _ in 0..=chance.below(CHANGES) {
        let piece = chance.piece(bytes.len());
        match chance.below(9) {
            0 => bytes.truncate(piece.start),
            1 => drop(bytes.drain(piece)),
            2 => {
                let copy = bytes[piece.clone()].to_vec();
                bytes.splice(piece.end..piece.end, copy);
            }
            3 => {
                let other = chance.one(corpus);
                let from = chance.below(other.len() + 1);
                bytes.splice(piece.start.., other[from..].iter().copied());
            }
            4 => {
                let new = chance.bytes(16);
                bytes.splice(piece.start..piece.start, new);
            }
            5 => {
                let number = *chance.one(&EDGES);
                let size = *chance.one(&[1, 2, 4, 8]);
                let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
                let written = *chance.one(&[&little[..size], &big[8 - size..]]);
                for (byte, new) in bytes.iter_mut().skip(piece.start).zip(written) {
                    *byte = *new;
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(piece.start) {
                    *byte ^= 1 << chance.below(8);
                }
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// One of these texts with its words and lines changed; now and then as bytes, or a row of words without an order.
pub fn text(corpus: &[Vec<u8>], words: &[String], chance: &mut Chance) -> Vec<u8> {
    match chance.below(16) {
        0 => return chance.bytes(200),
        1 | 2 => return bytes(corpus, chance),
        3 | 4 => return soup(words, chance).into_bytes(),
        _ => {}
    }
    let mut tokens = tokens_of(corpus, chance);
    for _ in 0..=chance.below(CHANGES) {
        change_tokens(&mut tokens, corpus, words, chance);
    }
    let mut text = tokens.concat().into_bytes();
    text.truncate(LONGEST);
    text
}

fn change_tokens(
    tokens: &mut Vec<String>,
    corpus: &[Vec<u8>],
    words: &[String],
    chance: &mut Chance,
) {
    let piece = chance.piece(tokens.len());
    match chance.below(15) {
        0 => drop(tokens.drain(piece)),
        1 => {
            let copy = tokens[piece.clone()].to_vec();
            tokens.splice(piece.end..piece.end, copy);
        }
        2 | 3 => {
            // A line goes, comes twice, or comes elsewhere.
            let line = line_at(tokens, piece.start);
            let copy = tokens[line.clone()].to_vec();
            if chance.one_in(2) {
                tokens.drain(line);
            }
            if chance.one_in(2) {
                let to = chance.below(tokens.len() + 1);
                let to = line_at(tokens, to).start;
                tokens.splice(to..to, copy);
            }
        }
        4 => {
            let other = tokens_of(corpus, chance);
            let part = other[chance.piece(other.len())].to_vec();
            tokens.splice(piece, part);
        }
        5 => {
            let to = chance.below(tokens.len());
            if piece.start < tokens.len() {
                tokens.swap(piece.start, to);
            }
        }
        6 => {
            let many = *chance.one(&[2, 3, 20, 300]);
            let copy = tokens[piece.clone()].concat();
            if copy.len() * many < LONGEST {
                tokens.insert(piece.end, copy.repeat(many));
            }
        }
        7 => {
            if let Some(token) = (tokens.iter_mut().skip(piece.start))
                .find(|token| token.chars().next().map(kind_of) == Some(Kind::Number))
            {
                *token = chance.one(&EDGES).to_string();
            }
        }
        8 => tokens.insert(piece.start, chance.one(words).clone()),
        10..=12 => exchange(tokens, piece.start, chance),
        9 => {
            if let Some(token) = tokens.get_mut(piece.start) {
                let letter = char::from_u32(chance.below(0x3000) as u32).unwrap_or('"');
                let at = token.char_indices().map(|(at, _)| at).next_back();
                token.insert(at.unwrap_or(0), letter);
            }
        }
        _ => {
            let word = chance.one(words).clone();
            let meant = tokens.iter_mut().skip(piece.start);
            if let Some(token) = meant.into_iter().find(|token| !token.trim().is_empty()) {
                *token = word;
            }
        }
    }
}

/// One of these texts in which a few words became others of it: most of the time it still is one of its language.
pub fn gently(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut tokens = tokens_of(corpus, chance);
    for _ in 0..=chance.below(3) {
        let at = chance.below(tokens.len());
        if chance.one_in(3) {
            let line = line_at(&tokens, at);
            let copy = tokens[line.clone()].to_vec();
            let to = if chance.one_in(2) {
                line.end
            } else {
                line_at(&tokens, chance.below(tokens.len())).start
            };
            tokens.splice(to..to, copy);
        } else {
            exchange(&mut tokens, at, chance);
        }
    }
    tokens.concat().into_bytes()
}

/// The first word or number from here on becomes another one of its kind, or a number at which something ends.
fn exchange(tokens: &mut [String], from: usize, chance: &mut Chance) {
    let kind = |token: &String| token.chars().next().map(kind_of);
    let meant = |token: &String| matches!(kind(token), Some(Kind::Number | Kind::Word));
    let Some(at) = (tokens.iter().skip(from))
        .position(meant)
        .map(|at| from + at)
    else {
        return;
    };
    let of = kind(&tokens[at]);
    let alike: Vec<String> = (tokens.iter().filter(|token| kind(token) == of))
        .cloned()
        .collect();
    tokens[at].clone_from(chance.one(&alike));
    if of == Some(Kind::Number) && chance.one_in(3) {
        tokens[at] = chance.one(&EDGES).to_string();
    }
}

/// The tokens of one of these texts.
fn tokens_of(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<String> {
    let text: &Vec<u8> = chance.one(corpus);
    let text = String::from_utf8_lossy(text);
    tokens(&text).into_iter().map(str::to_owned).collect()
}

/// What a token is, by its first letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    LineEnd,
    Blank,
    Number,
    Word,
    Sign,
}

fn kind_of(letter: char) -> Kind {
    match letter {
        '\n' => Kind::LineEnd,
        c if c.is_whitespace() => Kind::Blank,
        c if c.is_ascii_digit() => Kind::Number,
        c if c.is_alphanumeric() || c == '_' => Kind::Word,
        _ => Kind::Sign,
    }
}

/// The tokens of the line that has this one, its end included.
fn line_at(tokens: &[String], at: usize) -> std::ops::Range<usize> {
    let ends = |token: &String| token == "\n";
    let start = (tokens.iter().take(at))
        .rposition(ends)
        .map_or(0, |end| end + 1);
    let end = (tokens.iter().skip(start)).position(ends);
    start..end.map_or(tokens.len(), |end| start + end + 1)
}

/// Words without an order.
fn soup(words: &[String], chance: &mut Chance) -> String {
    let mut text = String::new();
    for _ in 0..chance.below(80) {
        let word: &String = chance.one(words);
        text.push_str(word);
        text.push_str(chance.one::<&str>(&["", " ", " ", " ", "\n"]));
    }
    text
}

/// A text cut into words, blanks, line ends and signs: enough for any of the languages here.
pub fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut begin = 0;
    let mut before = None;
    for (at, c) in text.char_indices() {
        let kind = kind_of(c);
        let goes_on = match kind {
            Kind::Blank => before == Some(Kind::Blank),
            Kind::Number | Kind::Word => matches!(before, Some(Kind::Number | Kind::Word)),
            Kind::LineEnd | Kind::Sign => false,
        };
        if at > 0 && !goes_on {
            tokens.push(&text[begin..at]);
            begin = at;
        }
        if !goes_on {
            before = Some(kind);
        }
    }
    if begin < text.len() {
        tokens.push(&text[begin..]);
    }
    tokens
}
