//! The lines that come of it: each with its indentation and the comment behind it.

use super::tree::width;

/// Blanks before a comment that stands behind something.
const BEFORE_COMMENT: usize = 2;

/// Lines that are being written; the last one grows.
#[derive(Default)]
pub struct Page<'a> {
    lines: Vec<Written<'a>>,
}

#[derive(Default)]
struct Written<'a> {
    indent: usize,
    text: String,
    /// Of the text.
    width: usize,
    comment: Option<&'a str>,
}

impl<'a> Page<'a> {
    /// Begins a line.
    pub fn start(&mut self, indent: usize) {
        self.lines.push(Written {
            indent,
            ..Written::default()
        });
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.start(0);
    }

    /// Goes on in the last line.
    pub fn write(&mut self, blanks: usize, text: &str) {
        if let Some(line) = self.lines.last_mut() {
            line.text.extend(std::iter::repeat_n(' ', blanks));
            line.text.push_str(text);
            line.width += blanks + width(text);
        }
    }

    /// Ends the last line with a comment.
    pub fn comment(&mut self, text: &'a str) {
        if let Some(line) = self.lines.last_mut() {
            line.comment = Some(text);
        }
    }

    /// Where the last line begins.
    pub fn indent(&self) -> usize {
        self.lines.last().map_or(0, |line| line.indent)
    }

    /// Where the last line ends, its comment aside.
    pub fn column(&self) -> usize {
        self.lines.last().map_or(0, |line| line.indent + line.width)
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// All of it as text. Comments behind neighbouring lines of one indentation are aligned.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let neighbours = |a: &Written, b: &Written| {
            a.comment.is_some() && b.comment.is_some() && a.indent == b.indent
        };
        for run in self.lines.chunk_by(neighbours) {
            let widest = run.iter().map(|line| line.width).max().unwrap_or(0);
            for line in run {
                if line.width > 0 {
                    text.extend(std::iter::repeat_n(' ', line.indent));
                    text.push_str(&line.text);
                }
                if let Some(comment) = line.comment {
                    let blanks = widest - line.width + BEFORE_COMMENT;
                    text.extend(std::iter::repeat_n(' ', blanks));
                    text.push_str(comment);
                }
                text.push('\n');
            }
        }
        text
    }
}
