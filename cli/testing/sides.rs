//! Two frames side by side: their headers, then the bytes in which they differ.

use std::collections::BTreeMap;

use lvsc_abi::notation::{Header, decode};

use crate::ui::table;

const WIDTH: usize = 16;

/// The lines that show two frames; `left` and `right` head the columns. Fields that differ have a `*`; rows of bytes
/// that differ are shown with a mark below each such byte.
pub fn sides(left: &str, before: &[u8], right: &str, after: &[u8]) -> Vec<String> {
    let mut rows = vec![vec![String::new(), left.to_owned(), right.to_owned()]];
    rows.extend(headers(&decode(before), &decode(after)));
    let mut lines = table::align(&rows);
    if before != after {
        lines.extend(bytes(left, before, right, after));
    }
    lines
}

/// A row a field of the headers that differ, a row a header of the others.
fn headers(before: &[Header], after: &[Header]) -> Vec<Vec<String>> {
    let longest = before.len().max(after.len());
    let each = (0..longest).flat_map(|at| match (before.get(at), after.get(at)) {
        (Some(left), Some(right)) if left == right => {
            vec![vec![
                left.name.to_owned(),
                ends(left),
                "unchanged".to_owned(),
            ]]
        }
        (left, right) => fields(left, right),
    });
    each.collect()
}

/// `192.0.2.1 -> 192.0.2.2`, where a header has both.
fn ends(header: &Header) -> String {
    let get = |name| {
        let found = header.fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, value)| value.as_str())
    };
    match get("src").zip(get("dst")) {
        Some((src, dst)) => format!("{src} -> {dst}"),
        None => String::new(),
    }
}

fn fields(left: Option<&Header>, right: Option<&Header>) -> Vec<Vec<String>> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for header in [left, right].into_iter().flatten() {
        for (field, _) in &header.fields {
            if !names.contains(&(header.name, field)) {
                names.push((header.name, field));
            }
        }
    }
    let value = |header: Option<&Header>, name: (&str, &str)| {
        let header = header.filter(|header| header.name == name.0)?;
        let found = header.fields.iter().find(|(field, _)| *field == name.1);
        found.map(|(_, value)| value.clone())
    };
    let row = |name: (&str, &str)| {
        let (left, right) = (value(left, name), value(right, name));
        let mark = if left == right { "" } else { "*" };
        let cell = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            format!("{}.{}", name.0, name.1),
            cell(left),
            cell(right),
            mark.to_owned(),
        ]
    };
    names.into_iter().map(row).collect()
}

/// The rows of bytes that differ, both frames one above the other, the bytes that differ marked below.
fn bytes(left: &str, before: &[u8], right: &str, after: &[u8]) -> Vec<String> {
    let wide = left.len().max(right.len());
    let (before, after) = (rows(before), rows(after));
    let mut lines = Vec::new();
    for (at, left_row) in &before {
        lines.extend(pair(*at, (left, left_row), (right, row(&after, *at)), wide));
    }
    for (at, right_row) in &after {
        if !before.contains_key(at) {
            lines.extend(pair(*at, (left, &[]), (right, right_row), wide));
        }
    }
    lines
}

fn rows(frame: &[u8]) -> BTreeMap<usize, &[u8]> {
    frame
        .chunks(WIDTH)
        .enumerate()
        .map(|(row, bytes)| (row * WIDTH, bytes))
        .collect()
}

fn row<'a>(rows: &BTreeMap<usize, &'a [u8]>, at: usize) -> &'a [u8] {
    rows.get(&at).copied().unwrap_or_default()
}

fn pair(at: usize, left: (&str, &[u8]), right: (&str, &[u8]), wide: usize) -> Vec<String> {
    if left.1 == right.1 {
        return Vec::new();
    }
    let line = |(name, bytes): (&str, &[u8])| {
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{at:04x}  {name:<wide$}  {}", bytes.join(" "))
    };
    let longest = left.1.len().max(right.1.len());
    let marks: Vec<&str> = (0..longest)
        .map(|at| {
            if left.1.get(at) == right.1.get(at) {
                "  "
            } else {
                "^^"
            }
        })
        .collect();
    let marks = format!("{:4}  {:<wide$}  {}", "", "", marks.join(" "));
    vec![line(left), line(right), marks.trim_end().to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_differ_are_marked() {
        let before = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xb5, 1, 2, 3];
        let mut after = before;
        after[5] = 7;
        let lines = sides("expected", &before, "actual", &after);
        let text = lines.join("\n");
        assert!(
            text.contains("eth.dst   02:00:00:00:00:01  02:00:00:00:00:07  *"),
            "{text}"
        );
        assert!(text.contains("0000  expected  02 00 00 00 00 01"), "{text}");
        assert!(text.contains("0000  actual    02 00 00 00 00 07"), "{text}");
        let marks = lines.last().map(String::len);
        assert_eq!(
            marks,
            Some(4 + 2 + 8 + 2 + 5 * 3 + 2),
            "below byte 5:\n{text}"
        );
    }

    #[test]
    fn a_frame_that_is_longer_differs_in_what_it_has_more() {
        let lines = sides("expected", &[1; 16], "actual", &[1; 18]);
        assert!(
            lines.iter().any(|line| line.ends_with("^^ ^^")),
            "{lines:?}"
        );
    }
}
