//! `answer`: the director replies to an echo request itself (RFC 792; RFC 4443, section 4.2).
//!
//! Which packet is one that can be answered says `echo` of the prelude's `icmp` and `icmp6`. Exchanged addresses leave every
//! sum that is over both as it is, also that of `icmp6` over its pseudo-header: no checksum but those of the written headers
//! themselves is to be mended.

use lvsc_abi::manifest::CounterKind;
use lvsc_pipeline::pipeline::{
    Expr, FieldId, HeaderId, InterfaceField, InterfaceRef, Outcome, VariableKind,
};

use super::Checker;
use super::names::Thing;
use super::presence::{Fact, Facts};
use super::scope::{Reader, Scope};
use super::stmts::Checked;
use super::value::Single;
use crate::policy::{Block, Branch, StmtKind};
use crate::source::Span;
use crate::syntax::ast::Name;

/// The group whose headers may be echo requests.
const GROUP: &str = "icmpx";
/// The drop reason of what is none.
const NOT_AN_ECHO: &str = "not_an_echo";
/// TTL and hop limit of a reply (RFC 1700, "IP time to live").
const TTL: u128 = 64;

/// Echo in one version of IP.
struct Family {
    ip: &'static str,
    icmp: &'static str,
    /// The type of an echo reply.
    reply: u128,
}

const FAMILIES: [Family; 2] = [
    Family {
        ip: "ip4",
        icmp: "icmp",
        reply: 0,
    },
    Family {
        ip: "ip6",
        icmp: "icmp6",
        reply: 129,
    },
];

impl Checker<'_> {
    pub(super) fn answer(&mut self, span: Span, scope: &Scope) -> Option<Checked> {
        let Some(Thing::Group(group)) = self.names.get(GROUP) else {
            return None; // the policy has another thing of this name, which was reported
        };
        let needs = Facts::from([Fact::Choice(*group)]);
        self.require(&needs, span, scope)?;
        let branches: Option<Vec<Branch>> = FAMILIES
            .iter()
            .map(|family| self.echo(family, span))
            .collect();
        let reason = self.counter(CounterKind::Reason, NOT_AN_ECHO, span);
        let kind = StmtKind::Match {
            branches: branches?,
            otherwise: self.end(Outcome::Drop(reason), span).block,
        };
        let mut checked = self.one(kind, span);
        checked.ends = true;
        Some(checked)
    }

    /// An echo request of this version, and what becomes of it.
    fn echo(&mut self, family: &Family, span: Span) -> Option<Branch> {
        let echo = name("echo", span);
        let icmp = self.instance_named(family.icmp)?;
        let Single::Typed(condition, _) = self.header_field(icmp, &echo, Reader::Computed)? else {
            return None;
        };
        Some(Branch {
            condition,
            then: self.turned(family, span)?,
            place: self.place(span),
            span,
        })
    }

    /// The frame turns round, and leaves by the interface by which it came.
    fn turned(&mut self, family: &Family, span: Span) -> Option<Block> {
        let field = |checker: &Self, header, field| {
            let header = checker.instance_named(header)?;
            Some((header, checker.fixed_field(header, field)?))
        };
        let [eth_src, eth_dst] = ["src", "dst"].map(|name| field(self, "eth", name));
        let [src, dst, ttl] = ["src", "dst", "ttl"].map(|name| field(self, family.ip, name));
        let kind = field(self, family.icmp, "type")?;
        let (src, dst) = (src?, dst?);
        let width = self.field_type(src.0, src.1).width;
        let client = self.variable(&name("client", span), VariableKind::Value(width));
        let own_mac = Expr::Interface(InterfaceRef::Ingress, InterfaceField::Mac);
        let write =
            |(header, field): (HeaderId, FieldId), value| StmtKind::Rewrite(header, field, value);
        let read = |(header, field): (HeaderId, FieldId)| Expr::Field(header, field);
        let number = |value| Expr::Constant { value, width: 8 };
        let (eth_src, eth_dst) = (eth_src?, eth_dst?);
        let steps = [
            write(eth_dst, read(eth_src)),
            write(eth_src, own_mac),
            StmtKind::Let(client, read(src)),
            write(src, read(dst)),
            write(dst, Expr::Variable(client)),
            write(ttl?, number(TTL)),
            write(kind, number(family.reply)),
            StmtKind::Verdict(Outcome::Send(InterfaceRef::Ingress)),
        ];
        Some(steps.map(|kind| self.stmt(kind, span)).into())
    }

    /// The header with this name.
    pub(super) fn instance_named(&self, name: &str) -> Option<HeaderId> {
        let mut headers = self.policy.headers.iter();
        let found = headers.position(|header| header.name == name)?;
        Some(HeaderId(found as u16))
    }
}

/// A name that stands where the statement does.
fn name(text: &str, span: Span) -> Name {
    Name {
        text: text.to_owned(),
        span,
    }
}
