//! Characters that look like ASCII, and are not: editors, web pages and chats put them in place of what was typed.

/// The printable ASCII characters, in order.
const PRINTABLE: &str = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
/// Letters of other scripts, and the Latin ones that are drawn alike.
const CYRILLIC: (&str, &str) = (
    "АВЕКМНОРСТХЅІЈУаеорсухіјѕһԁԛԝ",
    "ABEKMHOPCTXSIJYaeopcyxijshdqw",
);
const GREEK: (&str, &str) = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονι", "ABEZHIKMNOPTYXovi");
/// Signs, what they are called, and what is meant.
const SIGNS: [(char, &str, &str); 35] = [
    ('\u{2010}', "hyphen", "-"),
    ('\u{2011}', "non-breaking hyphen", "-"),
    ('\u{2012}', "figure dash", "-"),
    ('\u{2013}', "en dash", "-"),
    ('\u{2014}', "em dash", "-"),
    ('\u{2015}', "horizontal bar", "-"),
    ('\u{2212}', "minus sign", "-"),
    ('\u{2192}', "rightwards arrow", "->"),
    ('\u{27f6}', "long rightwards arrow", "->"),
    ('\u{2260}', "not equal to", "!="),
    ('\u{2264}', "less-than or equal to", "<="),
    ('\u{2265}', "greater-than or equal to", ">="),
    ('\u{2026}', "horizontal ellipsis", ".."),
    ('\u{2025}', "two dot leader", ".."),
    ('\u{37e}', "Greek question mark", ";"),
    ('\u{3001}', "ideographic comma", ","),
    ('\u{201a}', "low quotation mark", ","),
    ('\u{3002}', "ideographic full stop", "."),
    ('\u{2024}', "one dot leader", "."),
    ('\u{2236}', "ratio", ":"),
    ('\u{a789}', "modifier letter colon", ":"),
    ('\u{2044}', "fraction slash", "/"),
    ('\u{2215}', "division slash", "/"),
    ('\u{2217}', "asterisk operator", "*"),
    ('\u{d7}', "multiplication sign", "*"),
    ('\u{2223}', "divides", "|"),
    ('\u{ff5f}', "full-width parenthesis", "("),
    ('\u{ff60}', "full-width parenthesis", ")"),
    ('\u{3010}', "lenticular bracket", "["),
    ('\u{3011}', "lenticular bracket", "]"),
    ('\u{2045}', "square bracket with quill", "["),
    ('\u{2046}', "square bracket with quill", "]"),
    ('\u{2039}', "angle quotation mark", "<"),
    ('\u{203a}', "angle quotation mark", ">"),
    ('\u{2cd}', "low macron", "_"),
];
/// Marks that may stand around a string, those of ASCII aside.
const QUOTES: [(char, &str); 12] = [
    ('\u{201c}', "left double quotation mark"),
    ('\u{201d}', "right double quotation mark"),
    ('\u{201e}', "low double quotation mark"),
    ('\u{201f}', "double quotation mark"),
    ('\u{ab}', "left guillemet"),
    ('\u{bb}', "right guillemet"),
    ('\u{ff02}', "full-width quotation mark"),
    ('\u{2033}', "double prime"),
    ('\u{2018}', "left single quotation mark"),
    ('\u{2019}', "right single quotation mark"),
    ('\u{201b}', "single quotation mark"),
    ('\u{2032}', "prime"),
];

/// What a character is called, and the ASCII that is meant by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike {
    pub name: &'static str,
    /// Nothing where the character cannot be seen at all.
    pub ascii: &'static str,
}

/// What a character that is drawn like ASCII is meant as.
pub fn alike(c: char) -> Option<Alike> {
    blank(c)
        .or_else(|| letter(c))
        .or_else(|| quote(c))
        .or_else(|| full_width(c))
        .or_else(|| sign(c))
}

/// A character that is drawn as a space, or not at all.
pub fn blank(c: char) -> Option<Alike> {
    let (name, ascii) = match c {
        '\u{a0}' => ("no-break space", " "),
        '\u{202f}' => ("narrow no-break space", " "),
        '\u{3000}' => ("full-width space", " "),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' => ("a space of another width", " "),
        '\u{2028}' | '\u{2029}' => ("a separator of lines", " "),
        _ if hides(c) => ("it cannot be seen", ""),
        _ => return None,
    };
    Some(Alike { name, ascii })
}

/// Whether a character is not drawn, or changes the direction of what is drawn behind it.
pub fn hides(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
    ) || turns(c)
}

/// Whether a character changes the direction of what is drawn behind it: the text is then read in another order than it
/// stands (CVE-2021-42574).
pub fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A letter of another script.
fn letter(c: char) -> Option<Alike> {
    let found = |(letters, latin): (&str, &str)| {
        let mut pairs = letters.chars().zip(latin.chars());
        pairs
            .find(|(letter, _)| *letter == c)
            .map(|(_, latin)| latin)
    };
    let of = |name, latin| printable(latin).map(|ascii| Alike { name, ascii });
    match (found(CYRILLIC), found(GREEK)) {
        (Some(latin), _) => of("a Cyrillic letter", latin),
        (None, Some(latin)) => of("a Greek letter", latin),
        (None, None) => None,
    }
}

/// A mark that may stand around a string.
pub fn quote(c: char) -> Option<Alike> {
    let found = QUOTES.iter().find(|(mark, _)| *mark == c);
    found.map(|(_, name)| Alike { name, ascii: "\"" })
}

fn sign(c: char) -> Option<Alike> {
    let found = SIGNS.iter().find(|(sign, ..)| *sign == c);
    found.map(|(_, name, ascii)| Alike { name, ascii })
}

/// U+FF01 to U+FF5E are `!` to `~`, each as wide as a Chinese character.
fn full_width(c: char) -> Option<Alike> {
    let at = u32::from(c).checked_sub(0xff01)?.checked_add(0x21)?;
    let ascii = char::from_u32(at).and_then(printable)?;
    Some(Alike {
        name: "full-width",
        ascii,
    })
}

fn printable(c: char) -> Option<&'static str> {
    let at = PRINTABLE.find(c)?;
    PRINTABLE.get(at..=at)
}

/// The word as it was meant: with ASCII for all that looks like it.
pub fn folded(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        match alike(c) {
            Some(alike) => text.push_str(alike.ascii),
            None => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_ascii_is_not_ascii_and_is_meant_as_it() {
        let all = ('\0'..=char::MAX).filter_map(|c| Some((c, alike(c)?)));
        for (c, alike) in all {
            assert!(!c.is_ascii(), "{c}");
            assert!(alike.ascii.is_ascii(), "{c}");
            assert!(alike.ascii.len() <= 2, "{c}");
        }
    }

    #[test]
    fn the_tables_have_a_partner_for_each() {
        for (letters, latin) in [CYRILLIC, GREEK] {
            assert_eq!(letters.chars().count(), latin.len());
        }
        assert_eq!(folded("ｍａtсh–>\u{37e}\u{200b}"), "match->;");
        assert_eq!(folded("{～}"), "{~}");
    }
}
