//! What a `select` does with fragments of IP datagrams: the `fragments` line of its pool.
//!
//! Without the line a fragment is one of a flow without ports. Where they follow, a first fragment is of its flow by its
//! ports, and only later ones are without.

use std::time::Duration;

use lvsc_abi::manifest::{CounterKind, FlowKind, Fragments, NoFragments};
use lvsc_pipeline::pipeline::{Alternative, ChoiceId, Compare, Expr, Outcome};

use super::Checker;
use super::flow::{self, is};
use super::pools::word_of;
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{Block, Branch, Following, StmtKind};
use crate::source::Span;
use crate::syntax::ast::Prop;

/// Entries of a table that does not say how many.
const ENTRIES: u32 = 1 << 12;
/// Most entries of a table: 8 MiB.
const ENTRIES_MAX: u32 = 1 << 20;
/// Seconds in which a datagram is known, where the policy does not say: those in which Linux puts one together
/// (`net.ipv4.ipfrag_time`), between the 15 of RFC 791, section 3.2, and the 60 of RFC 8200, section 4.5.
const LIFE: u32 = 30;
/// The longest: then the identification of an IPv4 datagram may be another one's (RFC 6864, section 4).
const LIFE_MAX: Duration = Duration::from_mins(2);
/// The drop reason of a fragment that a pool does not take.
const FRAGMENT: &str = "fragment";

/// In each version of IP the header with the addresses, and that in which fields of fragments are (RFC 791; RFC 8200,
/// section 4.5).
const FAMILIES: [(&str, &str); 2] = [("ip4", "ip4"), ("ip6", "frag6")];

/// What a pool does with fragments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Treatment {
    /// All of a datagram are of one flow, without ports.
    #[default]
    Meet,
    /// They are dropped.
    Drop,
    /// They are the kernel's.
    Pass,
    /// Later ones follow the first one.
    Follow(Fragments),
}

impl Treatment {
    /// The table by which they follow.
    pub(super) fn followed(self) -> Option<Fragments> {
        match self {
            Treatment::Follow(fragments) => Some(fragments),
            Treatment::Meet | Treatment::Drop | Treatment::Pass => None,
        }
    }

    /// What becomes of them where no backend gets any.
    pub(super) fn refused(self) -> Option<NoFragments> {
        match self {
            Treatment::Drop => Some(NoFragments::Drop),
            Treatment::Pass => Some(NoFragments::Pass),
            Treatment::Meet | Treatment::Follow(_) => None,
        }
    }
}

/// Which fragments of a datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The one with the transport header, more of them follow.
    First,
    /// All others.
    Later,
    /// Both.
    Any,
}

impl<'a> Checker<'a> {
    /// `fragments drop`, `fragments pass`, `fragments follow 4K for 30s`.
    pub(super) fn fragments_line(&mut self, prop: &'a Prop) -> Option<Treatment> {
        let word = |value| word_of(value).map_or("", |name| &name.text);
        let Some((first, mut rest)) = prop.values.split_first() else {
            return self.bad_fragments(prop.span);
        };
        match (word(first), rest) {
            ("drop", []) => return Some(Treatment::Drop),
            ("pass", []) => return Some(Treatment::Pass),
            ("follow", _) => {}
            (..) => return self.bad_fragments(prop.span),
        }
        let mut found = Fragments {
            entries: ENTRIES,
            life: LIFE,
        };
        // What is no word is a number, right or wrong.
        if let Some((size, behind)) = rest.split_first().filter(|(size, _)| word(size).is_empty()) {
            found.entries = self.table_size(
                size,
                ENTRIES_MAX,
                "a table of datagrams has from 8 to 1M entries",
            )?;
            rest = behind;
        }
        match rest {
            [] => {}
            [by, time] if word(by) == "for" => {
                found.life = self.seconds(time, LIFE_MAX, "`for` is a time from 1s to 2m")?;
            }
            [..] => return self.bad_fragments(prop.span),
        }
        Some(Treatment::Follow(found))
    }

    fn bad_fragments<T>(&mut self, span: Span) -> Option<T> {
        let message = "`fragments` is `follow`, `drop` or `pass`";
        self.report(
            Diagnostic::error(Code::BadValue, message, span).note(
                "write `fragments follow`, `fragments follow 4K for 30s`, `fragments drop` or `fragments pass`",
            ),
        );
        None
    }

    /// What is done with fragments before a pool is asked.
    pub(super) fn before_select(&mut self, treatment: Treatment, span: Span) -> Option<Block> {
        let outcome = match treatment {
            Treatment::Meet | Treatment::Follow(_) => return Some(Block::new()),
            Treatment::Drop => Outcome::Drop(self.counter(CounterKind::Reason, FRAGMENT, span)),
            Treatment::Pass => Outcome::Pass,
        };
        let ways = self.fragment_ways(Which::Any)?.into_iter();
        let conditions = ways.map(|way| way.condition);
        let condition = conditions.reduce(|a, b| Expr::Or(Box::new(a), Box::new(b)))?;
        let branch = Branch {
            condition,
            then: self.end(outcome, span).block,
            place: self.place(span),
            // Nobody wrote it: whatever packets come here, it is not in vain.
            span: span.before(),
        };
        let kind = StmtKind::Match {
            branches: vec![branch],
            otherwise: Block::new(),
        };
        Some(vec![self.stmt(kind, span)])
    }

    /// By what a pool knows the datagrams of fragments that follow; `Some(None)` where they do not.
    pub(super) fn following(
        &mut self,
        treatment: Treatment,
        span: Span,
    ) -> Option<Option<Following>> {
        let Treatment::Follow(_) = treatment else {
            return Some(None);
        };
        let mut part = |which, title: &str| {
            let ways = self.fragment_ways(which)?;
            let key = self.equal_choice("datagram".to_owned(), ways, span);
            Some((self.hash(title, span), key))
        };
        Some(Some(Following {
            later: part(Which::Later, "later_fragment")?,
            first: part(Which::First, "first_fragment")?,
        }))
    }

    /// The key of a flow to which a first fragment belongs by its ports.
    pub(super) fn key_with_ports(&mut self, key: ChoiceId, span: Span) -> Option<ChoiceId> {
        let whole = flow::choice(&self.policy.headers, flow::Portless::Fragments).alternatives;
        let later = flow::choice(&self.policy.headers, flow::Portless::Later).alternatives;
        let choice = self.policy.choices.get(usize::from(key.0))?;
        let (name, mut ways) = (choice.name.clone(), choice.alternatives.clone());
        for way in &mut ways {
            let mut pairs = whole.iter().zip(&later);
            if let Some((_, other)) = pairs.find(|(known, _)| known.condition == way.condition) {
                way.condition = other.condition.clone();
            }
        }
        Some(self.equal_choice(name, ways, span))
    }

    /// What identifies the datagram of such a fragment, in each version of IP (RFC 791, section 3.2; RFC 8200, section 4.5).
    fn fragment_ways(&self, which: Which) -> Option<Vec<Alternative>> {
        let ways = FAMILIES.iter().map(|(ip, fragment)| {
            let field = |header: &str, name| {
                let header = self.instance_named(header)?;
                Some(Expr::Field(header, self.fixed_field(header, name)?))
            };
            let more = is(Compare::Eq, field(fragment, "mf")?, 1, 1);
            let offset = |compare| Some(is(compare, field(fragment, "offset")?, 0, 13));
            let condition = match which {
                Which::First => Expr::And(Box::new(more), Box::new(offset(Compare::Eq)?)),
                Which::Later => offset(Compare::Ne)?,
                Which::Any => Expr::Or(Box::new(more), Box::new(offset(Compare::Ne)?)),
            };
            let key = [
                (ip, "src"),
                (ip, "dst"),
                (fragment, "id"),
                (fragment, "protocol"),
            ];
            let key = key.map(|(header, name)| field(header, name));
            Some(Alternative {
                name: format!("{ip} fragment"),
                condition,
                key: key.into_iter().collect::<Option<_>>()?,
                passive: false,
                signs: None,
                kind: FlowKind::Other,
            })
        });
        ways.collect()
    }
}
