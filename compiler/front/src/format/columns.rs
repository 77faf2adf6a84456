//! Which blanks align neighbouring lines.
//!
//! A line is its word, then its columns. Lines that follow each other are aligned column by column, as long as the columns
//! before are of one kind: backends by name, address and equal options, other lines of the pool by what follows the word.
//! Arrows are not aligned where that would make a line too long.

use std::ops::Range;

use super::WIDTH;
use super::tree::{Body, Column, Entry, flat};

/// Blanks before the columns of a line, beside those that are there anyway.
pub type Padding = Vec<usize>;

/// The padding of each entry of a body whose lines begin at a column of the page.
pub fn padding(body: &Body, indent: usize) -> Vec<Padding> {
    let mut rows: Vec<Row> = body
        .entries
        .iter()
        .map(|entry| row(entry, indent))
        .collect();
    let mut groups = Vec::new();
    let mut start = 0;
    for (index, entry) in body.entries.iter().enumerate() {
        let (blank, ends) = match entry {
            Entry::Comment { blank, .. } => (*blank, false),
            Entry::Line(line) => (line.blank, !line.is_single(indent)),
        };
        if blank {
            groups.push((start..index, 0));
            start = index;
        }
        if ends {
            groups.push((start..index + 1, 0));
            start = index + 1;
        }
    }
    groups.push((start..rows.len(), 0));
    while let Some((range, column)) = groups.pop() {
        let group = rows.get_mut(range.clone()).unwrap_or_default();
        if align(group, column) {
            groups.extend(alike(group, range.start, column));
        }
    }
    rows.into_iter().map(|row| row.padding).collect()
}

/// A line as columns.
#[derive(Default)]
struct Row<'a> {
    /// Widths of what is before the first column, then of each column.
    widths: Vec<usize>,
    /// What each column is; an option by its word.
    kinds: Vec<(Column, Option<&'a str>)>,
    /// Characters that are left in a line with an arrow. None where there is no limit: what is before the columns of other
    /// lines is short, some lines are too long anyway, or take several.
    room: Option<usize>,
    padding: Padding,
}

fn row<'a>(entry: &Entry<'a>, indent: usize) -> Row<'a> {
    let mut row = Row::default();
    let Entry::Line(line) = entry else {
        return row;
    };
    let mut rest = line.nodes.as_slice();
    while !rest.is_empty() {
        let next = rest.iter().skip(1).position(|node| node.column.is_some());
        let (cell, behind) = rest.split_at(next.map_or(rest.len(), |next| next + 1));
        let Some(width) = flat(cell).or(behind.is_empty().then_some(0)) else {
            break;
        };
        row.widths.push(width);
        if let Some(next) = behind.first()
            && let Some(column) = next.column
        {
            let word = next.word().filter(|_| column == Column::Option);
            row.kinds.push((column, word));
        }
        rest = behind;
    }
    row.padding = vec![0; row.kinds.len()];
    let arrow = row.kinds.iter().any(|(column, _)| *column == Column::Arrow);
    row.room = line.flat.filter(|_| arrow);
    row.room = row.room.and_then(|width| WIDTH.checked_sub(indent + width));
    row
}

/// Aligns a column; not if that makes a line too long.
fn align(group: &mut [Row], column: usize) -> bool {
    let width = |row: &Row| row.widths.get(column).copied().unwrap_or(0);
    let widest = group.iter().map(width).max().unwrap_or(0);
    let fits = |row: &Row| {
        let ends_before = row.padding.len() <= column;
        ends_before || row.room.is_none_or(|room| room >= widest - width(row))
    };
    if !group.iter().all(fits) {
        return false;
    }
    for row in group {
        let blanks = widest - width(row);
        if let Some(padding) = row.padding.get_mut(column) {
            *padding = blanks;
            row.room = row.room.map(|room| room - blanks);
        }
    }
    true
}

/// The neighbours whose next columns are to be aligned, too.
fn alike(group: &[Row], first: usize, column: usize) -> Vec<(Range<usize>, usize)> {
    let mut groups = Vec::new();
    let mut start = first;
    for run in group.chunk_by(|a, b| a.kinds.get(column) == b.kinds.get(column)) {
        let range = start..start + run.len();
        start = range.end;
        let goes_on = run.iter().any(|row| row.kinds.len() > column + 1);
        if goes_on && run.len() > 1 {
            groups.push((range, column + 1));
        }
    }
    groups
}
