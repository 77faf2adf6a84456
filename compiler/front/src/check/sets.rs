//! Sets: members that are known at compile time, written in the policy or in files.

use std::collections::BTreeSet;
use std::rc::Rc;

use lvsc_pipeline::pipeline::Kind;

use super::Checker;
use super::compare::named_type;
use super::constant::{Constant, Member, describe};
use super::names::Thing;
use crate::diagnostics::{Code, Diagnostic};
use crate::gather::Texts;
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, Item, LitKind, SetEntry};
use crate::syntax::lexer::lex;
use crate::syntax::token::{Sym, Token, TokenKind};

/// Most members of one set: 64 MiB of ranges.
const MEMBERS_MAX: usize = 1 << 22;
/// So many lines of a file are told to be wrong, the rest is counted.
const TOLD_MAX: usize = 5;

/// What a set holds.
#[derive(Clone, Copy)]
enum Of {
    /// Addresses and prefixes of both IP versions.
    Net,
    /// Values of one kind, so many bits wide.
    Kind(Kind, u16),
}

impl Of {
    fn holds(self, member: &Member) -> bool {
        match self {
            Of::Net => matches!(member.kind, Kind::Ip4 | Kind::Ip6),
            Of::Kind(kind, width) => {
                member.kind == kind && (width >= 128 || member.high >> width == 0)
            }
        }
    }

    fn describe(self) -> String {
        match self {
            Of::Net => "IP addresses and prefixes".to_owned(),
            Of::Kind(Kind::Number, width) => format!("numbers of {width} bits"),
            Of::Kind(Kind::Mac, _) => "MAC addresses".to_owned(),
            Of::Kind(Kind::Ip4, _) => "IPv4 addresses and prefixes".to_owned(),
            Of::Kind(Kind::Ip6, _) => "IPv6 addresses and prefixes".to_owned(),
        }
    }
}

impl<'a> Checker<'a> {
    /// All sets, in order: one may name those before it.
    pub(super) fn sets(&mut self, items: &[&'a Item], texts: &Texts) {
        for item in items {
            if let Item::Set(set) = item
                && self.names.declares(&set.name)
            {
                let members = self.declared_set(set, texts);
                let constant = members.map(|members| Constant::Set(members.into_iter().collect()));
                self.names.set(&set.name.text, Thing::Constant(constant));
            }
        }
    }

    fn declared_set(&mut self, set: &'a ast::Set, texts: &Texts) -> Option<BTreeSet<Member>> {
        let of = self.type_of_set(&set.ty);
        let mut found = Some(BTreeSet::new());
        let mut capacity = None;
        for entry in &set.entries {
            let members = match entry {
                SetEntry::Member(expr) => {
                    let members = self.constant(expr).map(|constant| constant.members());
                    members.zip(of).and_then(|(members, of)| {
                        match members.iter().find(|member| !of.holds(member)) {
                            Some(wrong) => self.no_member(of, wrong, expr.span),
                            None => Some(members),
                        }
                    })
                }
                SetEntry::File(file) => {
                    let id = texts.data.get(&file.span).copied();
                    id.zip(of).and_then(|(id, of)| self.file_of_set(id, of))
                }
                SetEntry::Capacity(lit) => {
                    capacity = self.capacity(lit).or(capacity);
                    continue;
                }
            };
            match (&mut found, members) {
                (Some(found), Some(members)) => found.extend(&*members),
                (found, _) => *found = None,
            }
        }
        let found = found.filter(|_| of.is_some())?;
        let most = capacity.map_or(MEMBERS_MAX, |(most, _)| most.min(MEMBERS_MAX));
        if found.len() > most {
            let (count, name) = (found.len(), &set.name.text);
            let message = format!("`{name}` has {count} members, and room for {most}");
            let span = capacity.map_or(set.name.span, |(_, span)| span);
            return self.error(Code::BadValue, message, span);
        }
        Some(found)
    }

    fn capacity(&mut self, lit: &ast::Lit) -> Option<(usize, Span)> {
        match lit.kind {
            LitKind::Int(most @ 1..) => {
                Some((usize::try_from(most).unwrap_or(usize::MAX), lit.span))
            }
            LitKind::Bad => None,
            _ => self.bad_value("`capacity` is a number of members", lit.span),
        }
    }

    fn type_of_set(&mut self, ty: &'a ast::Type) -> Option<Of> {
        let of = match ty.name.text.as_str() {
            "net" => Some(Of::Net),
            name => named_type(name).map(|ty| Of::Kind(ty.kind, ty.width)),
        };
        of.filter(|_| ty.argument.is_none()).or_else(|| {
            let message = format!("no set is of the type `{}`", ty.name.text);
            let error = Diagnostic::error(Code::UnknownType, message, ty.span);
            self.report(error.note("known are net (addresses and prefixes of both IP versions), ip4addr, ip6addr, mac, u1 to u64"));
            None
        })
    }

    fn no_member<T>(&mut self, of: Of, member: &Member, span: Span) -> Option<T> {
        let message = match (of, member.kind) {
            (Of::Kind(Kind::Number, _), Kind::Number) => "this does not fit".to_owned(),
            (_, kind) => format!("this is {}", describe(kind)),
        };
        let error = Diagnostic::error(Code::BadMember, message, span);
        self.report(error.note(format!("the set holds {}", of.describe())));
        None
    }

    /// The members in a file: literals, one a line or with commas between them, `#` comments.
    fn file_of_set(&mut self, file: FileId, of: Of) -> Option<Rc<[Member]>> {
        let (tokens, faults) = lex(file, self.sources.text(file));
        let fine = faults.is_empty();
        for fault in faults.into_iter().take(TOLD_MAX) {
            self.report(fault);
        }
        let mut members = Vec::new();
        let mut wrong: Vec<Diagnostic> = Vec::new();
        let mut count = 0_usize;
        for Token { kind, span } in tokens {
            let fault = match kind {
                TokenKind::Newline
                | TokenKind::Comment
                | TokenKind::Semicolon
                | TokenKind::Sym(Sym::Comma)
                | TokenKind::Unknown
                | TokenKind::Lit(LitKind::Bad) => continue,
                TokenKind::Lit(lit) => {
                    let lit = ast::Lit { kind: lit, span };
                    match super::constant::literal(&lit).map(|found| found.members()) {
                        Some(found) if found.iter().all(|member| of.holds(member)) => {
                            members.extend_from_slice(&found);
                            continue;
                        }
                        Some(_) | None => "this is none of them",
                    }
                }
                TokenKind::Name | TokenKind::Sym(_) => "a member is a literal",
            };
            count += 1;
            if wrong.len() < TOLD_MAX {
                let error = Diagnostic::error(Code::BadMember, fault, span);
                wrong.push(error.note(format!("the set holds {}", of.describe())));
            }
        }
        let more = count - wrong.len();
        if let (Some(last), 1..) = (wrong.last_mut(), more) {
            last.notes.push(format!("and {more} more in this file"));
        }
        let fine = fine && wrong.is_empty();
        for error in wrong {
            self.report(error);
        }
        fine.then(|| members.into())
    }
}
