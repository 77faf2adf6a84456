//! Lines and blocks to the page: where lines break.

use super::columns::{Padding, padding};
use super::page::Page;
use super::tree::{Body, Entry, Kind, Line, Node, NodeKind, flat, separator};
use super::{INDENT, WIDTH};

/// How much further in a line goes on.
const CONTINUED: usize = 2 * INDENT;

/// The text of a file.
pub fn write(file: &Body) -> String {
    let mut page = Page::default();
    entries(&mut page, file, 0);
    page.text()
}

/// The lines of a body, each on its own, or filled where they join.
fn entries<'a>(page: &mut Page<'a>, body: &Body<'a>, indent: usize) {
    let mut before: Option<&Line> = None;
    // The line of the page on which the line before began.
    let mut began = 0;
    for (entry, padding) in body.entries.iter().zip(padding(body, indent)) {
        let line = match entry {
            Entry::Comment { text, blank } => {
                start(page, *blank, indent);
                page.write(0, text);
                before = None;
                continue;
            }
            Entry::Line(line) => line,
        };
        let joined = before.filter(|before| {
            let blanks = separator(before, false).len();
            let fits = |width| page.column() + blanks + width <= WIDTH;
            line.joins && page.len() == began && line.flat.is_some_and(fits)
        });
        if let Some(before) = joined {
            page.write(0, separator(before, false));
            on_one_line(page, &line.nodes, &padding);
        } else {
            start(page, line.blank, indent);
            began = page.len();
            self::line(page, line, indent, &padding);
        }
        if let Some(comment) = line.trailing {
            page.comment(comment);
        }
        before = Some(line);
    }
}

fn start(page: &mut Page, blank: bool, indent: usize) {
    if blank {
        page.blank();
    }
    page.start(indent);
}

/// Nodes side by side.
fn on_one_line<'a>(page: &mut Page<'a>, nodes: &[Node<'a>], padding: &[usize]) {
    let mut padding = padding.iter();
    for (index, node) in nodes.iter().enumerate() {
        let blanks = if index == 0 {
            0
        } else {
            gap(node, &mut padding)
        };
        node_on_one_line(page, node, blanks);
    }
}

fn node_on_one_line<'a>(page: &mut Page<'a>, node: &Node<'a>, blanks: usize) {
    match &node.kind {
        NodeKind::Word { text, .. } | NodeKind::Comment { text, .. } => page.write(blanks, text),
        NodeKind::Body(body) if body.entries.is_empty() => page.write(blanks, "{}"),
        NodeKind::Body(body) => {
            page.write(blanks, "{ ");
            let mut lines = body.entries.iter().peekable();
            while let Some(entry) = lines.next() {
                let Entry::Line(line) = entry else { continue };
                let is_last = lines.peek().is_none();
                let mut nodes = line.nodes.as_slice();
                if is_last
                    && line.ends_with_comma()
                    && let Some((_, others)) = nodes.split_last()
                {
                    nodes = others;
                }
                on_one_line(page, nodes, &[]);
                page.write(0, separator(line, is_last));
            }
            page.write(0, " }");
        }
    }
}

/// Blanks before a node in a line.
fn gap<'p>(node: &Node, padding: &mut impl Iterator<Item = &'p usize>) -> usize {
    let more = node.column.and_then(|_| padding.next());
    usize::from(node.gap) + more.copied().unwrap_or(0)
}

/// A line from the page's column on, on as many lines as it takes.
fn line<'a>(page: &mut Page<'a>, line: &Line<'a>, indent: usize, padding: &Padding) {
    let fits = |width| page.column() + width <= WIDTH;
    if line.flat.is_some_and(fits) {
        on_one_line(page, &line.nodes, padding);
        return;
    }
    let reaches = reaches(&line.nodes);
    let mut padding = padding.iter();
    // Decided at the first block.
    let mut blocks_break = None;
    let mut place = Place::Start;
    for (index, (node, reach)) in line.nodes.iter().zip(reaches).enumerate() {
        let mut blanks = gap(node, &mut padding);
        if place.ends_before(node, reach, page.column(), indent + CONTINUED) {
            page.start(indent + CONTINUED);
            place = Place::Start;
        }
        if place == Place::Start {
            blanks = 0;
        }
        let column = page.column() + blanks;
        let breaks = match &node.kind {
            NodeKind::Word { .. } | NodeKind::Comment { .. } => false,
            NodeKind::Body(body) if body.kind == Kind::List => {
                body.flat.is_none() || column + reach.whole - reach.gap > WIDTH
            }
            NodeKind::Body(body) if body.entries.is_empty() => body.flat.is_none(),
            NodeKind::Body(_) => *blocks_break.get_or_insert_with(|| {
                let rest = flat(line.nodes.get(index..).unwrap_or_default());
                rest.is_none_or(|width| column + width > WIDTH)
            }),
        };
        place = match &node.kind {
            NodeKind::Comment { text, own: false } => {
                page.comment(text);
                Place::BehindComment
            }
            NodeKind::Comment { text, own: true } => {
                page.write(0, text);
                Place::BehindComment
            }
            NodeKind::Body(body) if breaks => {
                broken(page, body, blanks, indent);
                Place::Behind
            }
            NodeKind::Word { joint, .. } => {
                node_on_one_line(page, node, blanks);
                Place::behind_word(*joint)
            }
            NodeKind::Body(_) => {
                node_on_one_line(page, node, blanks);
                Place::Behind
            }
        };
    }
}

/// A body on lines of its own. A list is indented from the line it begins on, a block from its statement.
fn broken<'a>(page: &mut Page<'a>, body: &Body<'a>, blanks: usize, indent: usize) {
    let indent = match body.kind {
        Kind::List => page.indent(),
        Kind::Lines | Kind::Entries => indent,
    };
    page.write(blanks, "{");
    if let Some(comment) = body.opening {
        page.comment(comment);
    }
    entries(page, body, indent + INDENT);
    page.start(indent);
    page.write(0, "}");
}

/// Where the next node of a broken line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Behind,
    BehindJoint,
    BehindComment,
}

impl Place {
    fn behind_word(joint: bool) -> Place {
        if joint {
            Place::BehindJoint
        } else {
            Place::Behind
        }
    }

    /// Whether the page's line ends here, at this column, and the node begins one that is indented so far.
    fn ends_before(self, node: &Node, reach: Reach, column: usize, indent: usize) -> bool {
        match (self, &node.kind) {
            (Place::BehindComment, _) => true,
            (Place::Behind | Place::BehindJoint, NodeKind::Comment { own, .. }) => *own,
            (Place::Start, _) | (Place::Behind, NodeKind::Word { .. } | NodeKind::Body(_)) => false,
            (Place::BehindJoint, NodeKind::Word { .. } | NodeKind::Body(_)) => {
                reach.wants_a_line(column, indent)
            }
        }
    }
}

/// How far a line goes on from a node, its gap included.
#[derive(Clone, Copy, Default)]
struct Reach {
    /// Up to the next place where it has to or should break: behind an `and`, in a block.
    whole: usize,
    /// Up to the next place where it can: also in a list.
    least: usize,
    /// Of it the gap.
    gap: usize,
}

impl Reach {
    /// Whether what begins here, behind an `and` at a column of the page, should have a line that begins at another.
    fn wants_a_line(self, column: usize, indent: usize) -> bool {
        let fits_here = column + self.whole <= WIDTH;
        let fits_there = indent + self.whole - self.gap <= WIDTH;
        let list_begins_here = self.least < self.whole && column + self.least <= WIDTH;
        !fits_here && (fits_there || !list_begins_here)
    }
}

/// The reach of each node.
fn reaches(nodes: &[Node]) -> Vec<Reach> {
    let mut next = Reach::default();
    let mut found: Vec<Reach> = nodes
        .iter()
        .rev()
        .map(|node| {
            let gap = usize::from(node.gap);
            let brace = gap + 1;
            let flat = gap + node.flat.unwrap_or(0);
            let (whole, least) = match &node.kind {
                NodeKind::Comment { .. } => (0, 0),
                NodeKind::Word { joint: true, .. } => (flat, flat),
                NodeKind::Word { joint: false, .. } => (flat + next.whole, flat + next.least),
                NodeKind::Body(Body {
                    kind: Kind::List,
                    flat: Some(_),
                    ..
                }) => (flat + next.whole, brace),
                NodeKind::Body(_) => (brace, brace),
            };
            next = Reach { whole, least, gap };
            next
        })
        .collect();
    found.reverse();
    found
}
