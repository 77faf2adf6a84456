//! The pipeline: headers, expressions, and a graph of what is done to a packet. Knows no source text, no instruction.

mod choice;
mod client;
mod set;

pub use lvsc_abi::kind::Kind;
use lvsc_abi::manifest::{Keyed, Manifest, Tracking};
use lvsc_abi::place::{Place, Sources};
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableGraph};
use petgraph::visit::EdgeRef;

pub use self::choice::{Alternative, Choice, Signs};
pub use self::client::Client;
pub use self::set::Set;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);
    )*};
}

ids! {
    /// Index into [`Pipeline::headers`].
    HeaderId
    /// Index into [`Header::fields`] of the header named beside it.
    FieldId
    /// Index into [`Pipeline::variables`].
    VariableId
    /// Index into [`Pipeline::sets`].
    SetId
    /// Index into [`Pipeline::choices`].
    ChoiceId
    /// Index into the manifest's `pools`.
    PoolId
    /// Index into the manifest's `counters`.
    CounterId
    /// Index into the manifest's `keyed`.
    KeyedId
    /// Index into the manifest's `interfaces`.
    InterfaceId
}

/// A policy's meaning.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// What is done, and in which order.
    pub graph: StableGraph<Node, Edge>,
    /// Where a packet enters: a [`Step::Parse`].
    pub entry: NodeIndex,
    /// The headers that a packet may have; each one stands behind those that its `after` names.
    pub headers: Vec<Header>,
    /// What `let` and `select` bind.
    pub variables: Vec<Variable>,
    /// Constant sets.
    pub sets: Vec<Set>,
    /// Lists of alternatives.
    pub choices: Vec<Choice>,
    /// Pools, interfaces, counters, VIPs.
    pub manifest: Manifest,
    /// The texts of the manifest's files.
    pub sources: Sources,
}

/// A header (one instance of a repeatable one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `ip4`; a further instance has its number: `vlan[1]`.
    pub name: String,
    /// Behind what it may stand; none for the first header of a frame.
    pub after: Vec<After>,
    /// The fixed fields, in wire order, without gaps.
    pub fields: Vec<Field>,
    /// Size of the fixed fields (bytes).
    pub fixed: u16,
    /// Size of the header (bytes), over its own fields; `None`: just the fixed fields.
    pub size: Option<Expr>,
    /// What must hold, over its own fields.
    pub valid: Option<Expr>,
    /// Bytes from the header's begin to the end of what it encloses, over its own fields.
    pub extent: Option<Expr>,
    /// The Internet checksum over the header itself, or over more.
    pub checksum: Option<Checksum>,
}

/// An Internet checksum (RFC 1071) that stands in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Its field, of 16 bits.
    pub field: FieldId,
    /// Whether all else that it is over may be 0. Who receives that adds up to 0xffff only where the checksum is 0xffff; where
    /// anything is not 0, it does so with both forms of zero, 0 and 0xffff.
    pub alone: bool,
}

/// A header's possible predecessor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The predecessor; its id is smaller.
    pub header: HeaderId,
    /// What must hold, over the predecessor's fields.
    pub when: Expr,
}

/// A fixed field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Bits from the header's begin, most significant first (RFC 791, appendix B).
    pub offset: u32,
    /// Bits, 1 to 128. A field of more than 64 bits begins at a byte and is a multiple of 64 bits wide.
    pub width: u16,
    /// How people write its value.
    pub kind: Kind,
}

/// What a `let` or a `select` binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: VariableKind,
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableKind {
    /// A value of this width (bits, 1 to 128).
    Value(u16),
    /// A backend of this pool.
    Backend(PoolId),
}

/// A value or a condition (a value of width 1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A number of `width` bits.
    Constant {
        /// The number.
        value: u128,
        /// Its width (bits).
        width: u16,
    },
    /// A field of a header, as the frame now has it.
    Field(HeaderId, FieldId),
    /// What a `let` bound.
    Variable(VariableId),
    /// Arithmetic on values of one width, at most 64 bits but for `And`, `Or` and `Xor`; wraps at it. A shift's second
    /// value may have any width.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// The value with another width: zeros come in above, or high bits are cut off.
    Resize(u16, Box<Expr>),
    /// Unsigned comparison of values of one width.
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// Membership in a set of the value's width.
    In(Box<Expr>, SetId),
    /// Both, the right one only if the left one holds.
    And(Box<Expr>, Box<Expr>),
    /// One of them, the right one only if the left one does not hold.
    Or(Box<Expr>, Box<Expr>),
    /// The negation.
    Not(Box<Expr>),
    /// Whether a header is present.
    Present(HeaderId),
    /// For each alternative of a choice, the expression that stands for it; false (0) when none is taken.
    Chosen(ChoiceId, Vec<Expr>),
    /// A property of an interface.
    Interface(InterfaceRef, InterfaceField),
    /// A property of the backend in a variable.
    Backend(VariableId, BackendField),
}

/// Arithmetic. All unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient; the divisor is a constant other than 0.
    Div,
    /// Remainder; the divisor is a constant other than 0.
    Rem,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift to the left; the distance is a constant less than the width.
    Shl,
    /// Shift to the right; the distance is a constant less than the width.
    Shr,
}

/// Unsigned comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// Which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceRef {
    /// The one by which the packet came.
    Ingress,
    /// One that the policy names.
    Named(InterfaceId),
    /// The one through which the backend in a variable is reached.
    OfBackend(VariableId),
}

/// Which property of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceField {
    /// Its MAC, 48 bits; where it is not known, the first six bytes of the frame as it arrived.
    Mac,
    /// Its index in section `interfaces`, 8 bits; 0 where the policy has one.
    Index,
}

/// Which property of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendField {
    /// The MAC of its next hop, 48 bits.
    Mac,
    /// Its id in the pool, 16 bits.
    Id,
}

/// A node: a step, and where in the policy it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What is done.
    pub step: Step,
    /// The construct of the policy.
    pub place: Place,
}

/// What is done at a node. The edges that leave it are named at each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Takes the packet apart into these headers, where they are present. `Next`.
    Parse(Vec<HeaderId>),
    /// Decides. `Yes`, `No`.
    Match(Expr),
    /// Binds a value. `Next`.
    Let(VariableId, Expr),
    /// Takes the backend whose id a value is, and counts the packet for it. `Yes` with the variable bound; `No` where the
    /// value is absent or the id that of no usable backend.
    Named {
        /// Of which pool.
        pool: PoolId,
        /// What the backend is bound to.
        variable: VariableId,
        /// The id, at most 64 bits.
        id: Expr,
    },
    /// Chooses a backend and counts the packet for it. `Yes` with the variable bound, `No` without a usable backend.
    Select {
        /// From which pool.
        pool: PoolId,
        /// What the backend is bound to.
        variable: VariableId,
        /// What identifies the flow.
        key: ChoiceId,
        /// What another key was absorbed into, by which the ring is asked; a pool whose scheduler picks by it
        /// ([`lvsc_abi::scheduler::Pick::has_home`]) has one.
        home: Option<VariableId>,
        /// Who asks, where the pool keeps each client at its backend.
        client: Option<Client>,
    },
    /// Binds what the packet's key was absorbed into ([`lvsc_abi::hash::state`]), 64 bits; 0 where no alternative is taken.
    /// `Next`.
    Hash(VariableId, ChoiceId),
    /// Looks for the backend that is remembered of a datagram, and counts the packet for it. `Yes` with the variable bound,
    /// `No` without a usable one.
    Follow {
        /// Whose table is asked.
        pool: PoolId,
        /// What the backend is bound to.
        variable: VariableId,
        /// What the datagram's key was absorbed into; 0 is no datagram.
        datagram: VariableId,
    },
    /// Remembers the backend of a datagram. `Next`.
    Remember {
        /// In whose table.
        pool: PoolId,
        /// The backend.
        variable: VariableId,
        /// What the datagram's key was absorbed into; 0 is no datagram.
        datagram: VariableId,
    },
    /// Writes a field of a present header and mends the header's checksum ([`Checksum`], RFC 1624, equation 3). `Next`.
    Rewrite(HeaderId, FieldId, Expr),
    /// Counts the packet. `Next`.
    Count(CounterId),
    /// Counts the packet in the cell whose number is in the variable. `Next`.
    CountCell(KeyedId, VariableId),
    /// Counts the packet in the cell of its key, in a counter with a table. `Next`.
    CountKey(KeyedId, ChoiceId),
    /// Ends the packet.
    Verdict(Outcome),
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Ends here; the reason is counted.
    Drop(CounterId),
    /// Goes to the kernel.
    Pass,
    /// Leaves by an interface.
    Send(InterfaceRef),
}

/// What an edge stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// The only way on.
    Next,
    /// The condition holds; a backend was chosen.
    Yes,
    /// The condition does not hold; no backend is usable.
    No,
}

impl Pipeline {
    /// The header with this id; ids come from the pipeline itself.
    pub fn header(&self, id: HeaderId) -> &Header {
        self.headers
            .get(usize::from(id.0))
            .expect("a header id belongs to its pipeline")
    }

    /// The field `field` of `header`.
    pub fn field(&self, header: HeaderId, field: FieldId) -> &Field {
        let fields = &self.header(header).fields;
        fields
            .get(usize::from(field.0))
            .expect("a field id belongs to its header")
    }

    /// The variable with this id.
    pub fn variable(&self, id: VariableId) -> &Variable {
        self.variables
            .get(usize::from(id.0))
            .expect("a variable id belongs to its pipeline")
    }

    /// The set with this id.
    pub fn set(&self, id: SetId) -> &Set {
        self.sets
            .get(usize::from(id.0))
            .expect("a set id belongs to its pipeline")
    }

    /// The choice with this id.
    pub fn choice(&self, id: ChoiceId) -> &Choice {
        self.choices
            .get(usize::from(id.0))
            .expect("a choice id belongs to its pipeline")
    }

    /// The signs of a key's alternatives, by their index, where the pool asks for them: a table of every flow asks for those
    /// of segments alone.
    pub fn signs(&self, pool: PoolId, key: ChoiceId) -> impl Iterator<Item = (usize, &Signs)> {
        let tracking = self.pool(pool).flows.map(|flows| flows.tracking);
        let asked = move |signs: &Signs| match tracking {
            None => false,
            Some(Tracking::Every) => matches!(signs, Signs::Segment { .. }),
            Some(Tracking::Changed) => true,
        };
        let alternatives = self.choice(key).alternatives.iter().enumerate();
        alternatives
            .filter_map(|(index, alternative)| Some((index, alternative.signs.as_ref()?)))
            .filter(move |(_, signs)| asked(signs))
    }

    /// The pool with this id.
    pub fn pool(&self, id: PoolId) -> &lvsc_abi::manifest::Pool {
        self.manifest
            .pools
            .get(usize::from(id.0))
            .expect("a pool id belongs to its pipeline")
    }

    /// The counter with this id.
    pub fn keyed(&self, id: KeyedId) -> &Keyed {
        let found = self.manifest.keyed.get(usize::from(id.0));
        found.expect("a counter's id belongs to its pipeline")
    }

    /// The step of a node.
    pub fn step(&self, node: NodeIndex) -> &Node {
        self.graph
            .node_weight(node)
            .expect("a node index belongs to its graph")
    }

    /// The node at the other end of the edge that stands for `edge`.
    pub fn follow(&self, node: NodeIndex, edge: Edge) -> NodeIndex {
        let found = self.graph.edges_directed(node, Direction::Outgoing);
        let mut found = found.filter(|reference| *reference.weight() == edge);
        found
            .next()
            .map(|reference| reference.target())
            .expect("a step has the edges that it names")
    }

    /// Width of a value (bits).
    pub fn width(&self, expr: &Expr) -> u16 {
        match expr {
            Expr::Constant { width, .. } | Expr::Resize(width, _) => *width,
            Expr::Field(header, field) => self.field(*header, *field).width,
            Expr::Variable(id) => match self.variable(*id).kind {
                VariableKind::Value(width) => width,
                VariableKind::Backend(_) => 16,
            },
            Expr::Binary(_, a, _) => self.width(a),
            Expr::Compare(..)
            | Expr::In(..)
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_)
            | Expr::Present(_) => 1,
            Expr::Chosen(_, each) => each.first().map_or(1, |first| self.width(first)),
            Expr::Interface(_, InterfaceField::Mac) | Expr::Backend(_, BackendField::Mac) => 48,
            Expr::Interface(_, InterfaceField::Index) => 8,
            Expr::Backend(_, BackendField::Id) => 16,
        }
    }
}

impl Expr {
    /// The condition that always holds.
    pub const TRUE: Expr = Expr::Constant { value: 1, width: 1 };
    /// The condition that never holds.
    pub const FALSE: Expr = Expr::Constant { value: 0, width: 1 };

    /// The expressions inside this one.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Constant { .. }
            | Expr::Field(..)
            | Expr::Variable(_)
            | Expr::Present(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => Vec::new(),
            Expr::Resize(_, a) | Expr::In(a, _) | Expr::Not(a) => vec![a],
            Expr::Binary(_, a, b) | Expr::Compare(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
                vec![a, b]
            }
            Expr::Chosen(_, each) => each.iter().collect(),
        }
    }
}
