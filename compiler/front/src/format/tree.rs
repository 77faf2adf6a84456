//! Lines and blocks, with their comments, before it is known where lines break.

/// A column of lines that are aligned: what begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// All that follows the line's word.
    Rest,
    /// The name of a backend.
    Name,
    /// The address of a backend.
    Address,
    /// An option of a backend, by its word.
    Option,
    /// `->` and what follows.
    Arrow,
}

/// What separates the lines of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Line ends.
    Lines,
    /// Line ends or commas: the entries of a declared set.
    Entries,
    /// Commas.
    List,
}

/// What stands between two braces; or a file.
#[derive(Debug)]
pub struct Body<'a> {
    /// What separates its lines.
    pub kind: Kind,
    /// The comment behind its `{`.
    pub opening: Option<&'a str>,
    /// In order.
    pub entries: Vec<Entry<'a>>,
    /// Its width with both braces where it may be on one line.
    pub flat: Option<usize>,
}

/// A line of a body.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A comment on a line of its own.
    Comment {
        /// With its `#`.
        text: &'a str,
        /// Whether an empty line is before it.
        blank: bool,
    },
    /// A statement, a declaration, a member with its comma.
    Line(Line<'a>),
}

/// A statement, a declaration, a property, an arm, a member of a list.
#[derive(Debug)]
pub struct Line<'a> {
    /// In order, at least one.
    pub nodes: Vec<Node<'a>>,
    /// The comment behind it.
    pub trailing: Option<&'a str>,
    /// Whether an empty line is before it.
    pub blank: bool,
    /// Whether it shares the line of the one before it.
    pub joins: bool,
    /// Its width where it may be on one line.
    pub flat: Option<usize>,
}

/// A word, a comment or a body in a line.
#[derive(Debug)]
pub struct Node<'a> {
    /// What it is.
    pub kind: NodeKind<'a>,
    /// Whether a space is before it, where no line begins.
    pub gap: bool,
    /// The column that begins with it.
    pub column: Option<Column>,
    /// Its width where it may be on one line.
    pub flat: Option<usize>,
}

/// The kinds of node.
#[derive(Debug)]
pub enum NodeKind<'a> {
    /// A token.
    Word {
        /// As it is written.
        text: &'a str,
        /// Whether the line may go on in the next one behind it.
        joint: bool,
    },
    /// A comment where a line goes on.
    Comment {
        /// With its `#`.
        text: &'a str,
        /// Whether it has a line of its own.
        own: bool,
    },
    /// Braces and what is in them.
    Body(Body<'a>),
}

/// Columns of a text on one line.
pub fn width(text: &str) -> usize {
    text.chars().count()
}

impl<'a> Node<'a> {
    /// A node whose place is not known yet.
    pub fn new(kind: NodeKind<'a>, gap: bool, column: Option<Column>) -> Node<'a> {
        let flat = match &kind {
            NodeKind::Word { text, .. } => Some(width(text)),
            NodeKind::Comment { .. } => None,
            NodeKind::Body(body) => body.flat,
        };
        Node {
            kind,
            gap,
            column,
            flat,
        }
    }

    /// The token, if it is one.
    pub fn word(&self) -> Option<&'a str> {
        match self.kind {
            NodeKind::Word { text, .. } => Some(text),
            NodeKind::Comment { .. } | NodeKind::Body(_) => None,
        }
    }

    /// Whether the line may go on in the next one here or behind it.
    fn breaks(&self) -> bool {
        match self.kind {
            NodeKind::Word { joint, .. } => joint,
            NodeKind::Comment { .. } | NodeKind::Body(_) => true,
        }
    }
}

/// The width of nodes side by side, on one line; the first one's gap does not count.
pub fn flat(nodes: &[Node]) -> Option<usize> {
    let mut total = 0;
    for (index, node) in nodes.iter().enumerate() {
        total += node.flat? + usize::from(node.gap && index > 0);
    }
    Some(total)
}

impl<'a> Line<'a> {
    /// A line without comments, behind another one.
    pub fn new(nodes: Vec<Node<'a>>) -> Line<'a> {
        let flat = flat(&nodes);
        Line {
            nodes,
            trailing: None,
            blank: false,
            joins: false,
            flat,
        }
    }

    /// Whether it ends with a comma.
    pub fn ends_with_comma(&self) -> bool {
        self.nodes.last().and_then(Node::word) == Some(",")
    }

    /// Whether it is `NAME: TYPE`, a field of a header.
    pub fn is_field(&self) -> bool {
        self.nodes.get(1).and_then(Node::word) == Some(":")
    }

    /// Whether it takes one line of the page from this column on.
    pub fn is_single(&self, column: usize) -> bool {
        let breaks = || self.nodes.iter().any(Node::breaks);
        self.flat
            .is_some_and(|width| column + width <= super::WIDTH || !breaks())
    }
}

impl Body<'_> {
    /// Its width with both braces on one line, if nothing in it needs more.
    pub fn on_one_line(&self) -> Option<usize> {
        let mut total = "{}".len();
        let last = self.entries.len().saturating_sub(1);
        for (index, entry) in self.entries.iter().enumerate() {
            let Entry::Line(line) = entry else {
                return None;
            };
            if line.trailing.is_some() {
                return None;
            }
            total += line.flat? + separator(line, index == last).len();
            total -= usize::from(index == last && line.ends_with_comma());
        }
        let blanks = if self.entries.is_empty() { 0 } else { 2 };
        self.opening.is_none().then_some(total + blanks)
    }
}

/// What stands between a line and the next on one line.
pub fn separator(line: &Line, is_last: bool) -> &'static str {
    if is_last {
        ""
    } else if line.ends_with_comma() {
        " "
    } else {
        "; "
    }
}
