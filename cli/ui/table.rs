//! Aligned columns of text.

/// Rows of cells, as lines: each column as wide as its widest cell, two spaces between columns. A cell counts by its
/// characters; styles do not belong in cells.
pub fn align(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(rows, column)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The same with every column but the first at its right edge: figures.
pub fn align_right(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(rows, column)).collect();
    let padded = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate();
        let cell = |(column, (cell, width)): (usize, (&String, &usize))| match column {
            0 => cell.clone(),
            _ => format!("{cell:>width$}"),
        };
        cells.map(cell).collect()
    });
    align(&padded.collect::<Vec<_>>())
}

fn width(rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column));
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let lines = align(&[
            row(&["step", "at"]),
            row(&["1", "director", "x"]),
            row(&["2"]),
        ]);
        assert_eq!(lines, ["step  at", "1     director  x", "2"]);
    }

    #[test]
    fn figures_end_at_the_right_edge_of_their_column() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let lines = align_right(&[row(&["", "ns"]), row(&["floor", "12.5", "-"])]);
        assert_eq!(lines, ["         ns", "floor  12.5  -"]);
    }
}
