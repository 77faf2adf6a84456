//! "Did you mean": the known name that a mistyped one most resembles.

/// The candidate nearest to `name`, if it is at most a third of the name's length away (at least
/// one edit is always allowed). Edits are insertion, deletion, replacement and the swap of two
/// neighbours (Damerau 1964, in the restricted form). The first of equals wins. Where nothing is so near, it is the one that
/// `name` is the begin of, with three letters or more.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let short = name;
    let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
    let limit = (name.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut whole = None;
    for candidate in candidates {
        if short.len() >= 3 && candidate.starts_with(short) {
            whole = whole.or(Some(candidate));
        }
        let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        if letters.len().abs_diff(name.len()) > limit {
            continue;
        }
        let distance = distance(&name, &letters);
        // A name of one or two letters resembles every other of that length.
        let alike = distance <= limit && distance < name.len().max(letters.len()).min(2);
        if (alike || distance == 0) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate).or(whole)
}

/// Number of edits between two words; three rows of the usual table are enough.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (i, letter) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        let mut left = i + 1;
        row.push(left);
        let mut last_b = None;
        for (j, other) in b.iter().enumerate() {
            let diagonal = above.get(j).copied().unwrap_or(0);
            let up = above.get(j + 1).copied().unwrap_or(0);
            let mut least = (diagonal + usize::from(letter != other))
                .min(up + 1)
                .min(left + 1);
            if last_a == Some(other) && last_b == Some(letter) {
                let swapped = j.checked_sub(1).and_then(|at| before.get(at)).copied();
                least = least.min(swapped.map_or(usize::MAX, |edits| edits + 1));
            }
            row.push(least);
            left = least;
            last_b = Some(other);
        }
        before = std::mem::replace(&mut above, row);
        last_a = Some(letter);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let words = ["match", "switch", "select", "send", "pool", "log"];
        for (slip, word) in [
            ("mach", "match"),
            ("amtch", "match"),
            ("MATCH", "match"),
            ("swich", "switch"),
            ("selcet", "select"),
            ("snd", "send"),
            ("poool", "pool"),
            ("lgo", "log"),
            ("sel", "select"),
        ] {
            assert_eq!(nearest(slip, words), Some(word), "{slip}");
        }
    }

    #[test]
    fn what_is_not_alike_finds_nothing() {
        let words = ["match", "switch", "tcp", "a"];
        for name in ["banana", "x", "udp", "m", ""] {
            assert_eq!(nearest(name, words), None, "{name}");
        }
    }

    #[test]
    fn a_swap_is_one_edit_and_the_distance_is_symmetric() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, edits) in [
            ("ab", "ba", 1),
            ("dest", "dst", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(&chars(a), &chars(b)), edits);
            assert_eq!(distance(&chars(b), &chars(a)), edits);
        }
    }
}
