//! The bars of a `chart` as an SVG file that needs nothing else. Its colours fit a light page and a dark one.

use std::fmt::{self, Write};

use super::chart::{Bar, Chart, Group};

/// Sizes (pixels).
const WIDTH: usize = 760;
const LINE: usize = 20;
const BAR: usize = 12;
const EDGE: usize = 16;
/// Of a letter, more than most fonts need.
const LETTER: usize = 8;
const COLUMN: usize = 64;

const STYLE: &str = "\
text{font:13px ui-monospace,monospace;fill:#1f2328}.h{font-weight:700}.n{text-anchor:end}\
.s{fill:#59636e;font-size:11px}.b{fill:#1a7f37}.l{fill:#d1d9e0}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.b{fill:#3fb950}.l{fill:#3d444d}}";

/// Draws charts, one below the other, with a line at the end.
pub fn draw(charts: &[Chart], foot: &str) -> String {
    let mut drawing = Drawing::default();
    for chart in charts {
        drawing.chart(chart);
    }
    drawing.line("s", foot);
    let height = drawing.y + EDGE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n{}</svg>\n",
        Escaped(charts.first().map_or("", |chart| &chart.title)),
        drawing.text
    )
}

#[derive(Default)]
struct Drawing {
    text: String,
    y: usize,
}

impl Drawing {
    fn add(&mut self, element: fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{element}"); // a string takes all
    }

    fn line(&mut self, class: &str, words: &str) {
        self.y += LINE;
        self.words(class, EDGE, words);
    }

    fn words(&mut self, class: &str, x: usize, words: &str) {
        let (y, words) = (self.y, Escaped(words));
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{words}</text>"
        ));
    }

    fn chart(&mut self, chart: &Chart) {
        self.line("h", &chart.title);
        for group in &chart.groups {
            self.group(chart, group);
        }
        self.y += LINE / 2;
    }

    fn group(&mut self, chart: &Chart, group: &Group) {
        self.y += LINE / 2;
        self.line("h", &group.head);
        let right = WIDTH - EDGE;
        let columns = chart.columns.len();
        let end = |column: usize| right - (columns - 1 - column) * COLUMN;
        for (column, head) in chart.columns.iter().enumerate() {
            self.words("s n", end(column), head);
        }
        let names = chart.groups.iter().flat_map(|group| &group.bars);
        let longest = names.map(|bar| bar.name.chars().count()).max();
        let left = EDGE + (longest.unwrap_or(0) * LETTER + LETTER).min(WIDTH / 3);
        let room = right.saturating_sub(columns * COLUMN + left);
        for bar in &group.bars {
            self.line("", &bar.name);
            self.bar(chart.scale, bar, left, room);
            for (column, figure) in bar.figures.iter().enumerate() {
                self.words("n", end(column), figure);
            }
        }
    }

    fn bar(&mut self, scale: f64, bar: &Bar, left: usize, room: usize) {
        let long = |length: f64| {
            let part = (length / scale).clamp(0.0, 1.0);
            if part.is_nan() {
                0.0
            } else {
                part * room as f64
            }
        };
        let (own, all) = (long(bar.own), long(bar.own + bar.light));
        let y = self.y - BAR + 2;
        let begin = left as f64;
        for (class, x, width) in [("b", begin, own), ("l", begin + own, all - own)] {
            if width > 0.0 {
                self.add(format_args!(
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\"/>"
                ));
            }
        }
        if bar.own + bar.light > scale * 1.001 {
            self.words("s", left + room + 2, "»");
        }
    }
}

/// Text of an XML document (XML 1.0, 2.4): what has a meaning there is written as a reference, what may not be there is
/// left out.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                control if control.is_control() => {}
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_xml_is_escaped() {
        let text = Escaped("a<b> & \"c\"\u{1b}").to_string();
        assert_eq!(text, "a&lt;b&gt; &amp; &quot;c&quot;");
    }
}
