//! Bars, for a terminal: as text, with the figures behind them. `svg` draws the same ones.

use clap::builder::styling::{AnsiColor, Style};

use super::{HEAD, styled};

const BAR: Style = AnsiColor::Green.on_default();
const LIGHT: Style = Style::new().dimmed();
/// The narrowest and the widest bar (columns).
const NARROW: usize = 12;
const WIDE: usize = 60;
/// Parts of a column that a bar can end in.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Bars in groups. All are drawn to one scale, those that are longer than it are cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What stands above.
    pub title: String,
    /// What the columns of figures are.
    pub columns: Vec<&'static str>,
    /// The groups.
    pub groups: Vec<Group>,
    /// The length of the longest bar that is not cut.
    pub scale: f64,
}

/// Bars that are compared with each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What stands above them.
    pub head: String,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// The length of its first part.
    pub own: f64,
    /// The length of the lighter part behind it.
    pub light: f64,
    /// The figures.
    pub figures: Vec<String>,
}

impl Chart {
    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.groups.iter().flat_map(|group| &group.bars)
    }

    /// Lines of at most so many columns, unless names and figures alone take more.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let name = longest(&mut self.bars().map(|bar| bar.name.chars().count()));
        let figures: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(column, head)| {
                let cells = self.bars().filter_map(|bar| bar.figures.get(column));
                longest(&mut cells.map(|cell| cell.chars().count())).max(head.chars().count())
            })
            .collect();
        let around = 2 + name + 2 + figures.iter().map(|width| width + 2).sum::<usize>();
        let bar = width.saturating_sub(around).clamp(NARROW, WIDE);
        let row = |cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.zip(&figures);
            let cells = cells.map(|(cell, width)| format!("  {cell:>width$}"));
            cells.collect::<Vec<_>>().concat()
        };
        let heads = row(&mut self.columns.iter().copied());
        let mut lines = vec![styled(HEAD, &self.title)];
        for group in &self.groups {
            let left = 2 + name + 2 + bar;
            lines.push(String::new());
            lines.push(format!(
                "{}{heads}",
                styled(HEAD, format_args!("{:<left$}", group.head))
            ));
            for each in &group.bars {
                let drawn = self.drawn(each, bar);
                let figures = row(&mut each.figures.iter().map(String::as_str));
                lines.push(format!("  {:<name$}  {drawn}{figures}", each.name));
            }
        }
        lines
    }

    /// A bar, filled up with blanks.
    fn drawn(&self, bar: &Bar, width: usize) -> String {
        let columns = |length: f64| (length / self.scale * width as f64).max(0.0);
        let all = columns(bar.own + bar.light);
        if !all.is_finite() || all > width as f64 + 0.5 {
            let own = whole(columns(bar.own)).min(width - 1);
            let light = width - 1 - own;
            return format!(
                "{}{}»",
                styled(BAR, "█".repeat(own)),
                styled(LIGHT, "░".repeat(light))
            );
        }
        let (own, all) = (whole(columns(bar.own) * 8.0), whole(all));
        let end = EIGHTHS.get(own % 8).copied().unwrap_or_default();
        let solid = format!("{}{end}", "█".repeat(own / 8));
        let taken = solid.chars().count();
        let light = all.saturating_sub(taken);
        let rest = width.saturating_sub(taken + light);
        format!(
            "{}{}{}",
            styled(BAR, solid),
            styled(LIGHT, "░".repeat(light)),
            " ".repeat(rest)
        )
    }
}

/// A length without what is behind its point; 0 for what is none.
#[expect(clippy::cast_sign_loss, reason = "what is below 0 becomes 0")]
fn whole(length: f64) -> usize {
    length as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(own: f64, light: f64) -> Chart {
        Chart {
            title: "ns".to_owned(),
            columns: vec!["min"],
            groups: vec![Group {
                head: "1 flow".to_owned(),
                bars: vec![Bar {
                    name: "wasm".to_owned(),
                    own,
                    light,
                    figures: vec!["6.5".to_owned()],
                }],
            }],
            scale: 10.0,
        }
    }

    /// The last line, without colours.
    fn last(chart: &Chart, width: usize) -> String {
        let lines = chart.lines(width);
        let last = lines.last().cloned().unwrap_or_default();
        let mut plain = String::new();
        let mut inside = false;
        for letter in last.chars() {
            match letter {
                '\u{1b}' => inside = true,
                'm' if inside => inside = false,
                _ if inside => {}
                _ => plain.push(letter),
            }
        }
        plain
    }

    #[test]
    fn a_bar_is_as_long_as_its_value() {
        assert_eq!(
            last(&chart(5.0, 0.0), 33),
            "  wasm  ██████████            6.5"
        );
        assert_eq!(
            last(&chart(2.5, 2.5), 33),
            "  wasm  █████░░░░░            6.5"
        );
        assert_eq!(
            last(&chart(0.25, 0.0), 33),
            "  wasm  ▌                     6.5"
        );
        assert_eq!(
            last(&chart(10.0, 0.0), 33),
            "  wasm  ████████████████████  6.5"
        );
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        assert_eq!(
            last(&chart(99.0, 0.0), 33),
            "  wasm  ███████████████████»  6.5"
        );
        assert_eq!(
            last(&chart(5.0, 99.0), 33),
            "  wasm  ██████████░░░░░░░░░»  6.5"
        );
        assert_eq!(last(&chart(f64::INFINITY, 0.0), 33).chars().count(), 33);
    }

    #[test]
    fn a_narrow_terminal_still_gets_bars() {
        assert_eq!(last(&chart(10.0, 0.0), 1).matches('█').count(), NARROW);
    }
}
