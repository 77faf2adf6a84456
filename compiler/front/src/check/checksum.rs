//! Checksums of headers: what each one is over, and so which fields cannot be written yet. The checksum of the header itself
//! is mended with each field of it; one that covers a field from afar is not.

use std::collections::BTreeSet;

use lvsc_pipeline::interp;
use lvsc_pipeline::pipeline::{self, FieldId, HeaderId, Kind};

use super::Checker;
use super::overlay::Overlays;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast;

/// A rule of `checksum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// `internet`: over the header (RFC 1071).
    Header,
    /// `message`: the same sum, over the header and all that it carries (RFC 792).
    Message,
    /// `pseudo`: also over a pseudo-header of addresses, protocol and length (RFC 4443, section 2.3).
    Pseudo,
    /// `transport`: the same of what may leave its sender unfinished, for a device to complete (RFC 768, RFC 9293).
    Transport,
    /// `crc32c`: over the header and all that it carries (RFC 9260, appendix A).
    Crc32c,
}

impl Checksum {
    const ALL: [(&'static str, Checksum); 5] = [
        ("internet", Checksum::Header),
        ("message", Checksum::Message),
        ("pseudo", Checksum::Pseudo),
        ("transport", Checksum::Transport),
        ("crc32c", Checksum::Crc32c),
    ];

    /// Width of the field that holds it (bits).
    fn width(self) -> u16 {
        match self {
            Checksum::Header | Checksum::Message | Checksum::Pseudo | Checksum::Transport => 16,
            Checksum::Crc32c => 32,
        }
    }

    /// A field of the header itself is written together with its checksum.
    fn mended(self) -> bool {
        match self {
            Checksum::Header | Checksum::Message | Checksum::Pseudo => true,
            Checksum::Transport | Checksum::Crc32c => false,
        }
    }

    /// It is also over the headers behind.
    fn carries(self) -> bool {
        match self {
            Checksum::Header => false,
            Checksum::Message | Checksum::Pseudo | Checksum::Transport | Checksum::Crc32c => true,
        }
    }

    /// All else that it is over may be 0, in a header that may be of `zeros`: a pseudo-header has a protocol.
    fn alone(self, zeros: bool) -> bool {
        match self {
            Checksum::Header => zeros,
            Checksum::Message => true,
            Checksum::Pseudo | Checksum::Transport | Checksum::Crc32c => false,
        }
    }

    /// It is also over what stands beside the addresses.
    fn has_pseudo_header(self) -> bool {
        match self {
            Checksum::Header | Checksum::Message | Checksum::Crc32c => false,
            Checksum::Pseudo | Checksum::Transport => true,
        }
    }
}

impl Checker<'_> {
    /// `checksum RULE` of a header whose `valid` is known.
    pub(super) fn checksum(&mut self, rule: &ast::Name, id: HeaderId) -> Option<()> {
        let found = Checksum::ALL.iter().find(|(name, _)| *name == rule.text);
        let Some((_, checksum)) = found else {
            let known = Checksum::ALL.map(|(name, _)| name.to_owned());
            let message = format!("no checksum rule is called `{}`", rule.text);
            return self.unknown(rule, Code::BadHeader, &message, &known);
        };
        let width = checksum.width();
        let field = self.fixed_field(id, "checksum");
        let field = field.filter(|field| self.field_type(id, *field).width == width);
        let Some(field) = field else {
            let message = format!("a header with this checksum has a field `checksum: u{width}`");
            return self.error(Code::BadHeader, message, rule.span);
        };
        if checksum.mended() {
            self.whole_words(rule, id)?;
            let zeros = self.may_be_zeros(id);
            self.policy.headers.get_mut(usize::from(id.0))?.checksum = Some(pipeline::Checksum {
                field,
                alone: checksum.alone(zeros),
            });
        }
        self.checksums.push((id, *checksum));
        Some(())
    }

    /// Whether the header is valid where all its fields are 0, as that of IPv4 is not: it has a version.
    fn may_be_zeros(&self, id: HeaderId) -> bool {
        let headers = &self.policy.headers;
        let zero = |header: HeaderId, field: FieldId| {
            let header = headers.get(usize::from(header.0))?;
            let field = header.fields.get(usize::from(field.0))?;
            Some((0, field.width))
        };
        let valid = headers.get(usize::from(id.0));
        let valid = valid.and_then(|header| header.valid.as_ref());
        let holds = valid.and_then(|valid| interp::known(&self.policy.sets, valid, &zero));
        holds.is_none_or(|(holds, _)| holds != 0)
    }

    /// A sum of words of two bytes is mended word by word: the last one must lie inside the header.
    fn whole_words(&mut self, rule: &ast::Name, id: HeaderId) -> Option<()> {
        let header = self.policy.headers.get(usize::from(id.0))?;
        if header.fixed.is_multiple_of(2) {
            return Some(());
        }
        let message = format!(
            "`checksum {}` sums words of two bytes, and the fields of `{}` have {} bytes",
            rule.text, header.name, header.fixed
        );
        self.report(
            Diagnostic::error(Code::BadHeader, message, rule.span)
                .note("declare one byte more, or one less: an even number"),
        );
        None
    }

    /// A field that a checksum covers from afar cannot be written: the packet would leave with a wrong checksum.
    pub(super) fn covered(&mut self, header: HeaderId, field: FieldId, span: Span) -> Option<()> {
        let found = self.checksums.iter().find(|(other, checksum)| {
            if *other == header {
                !checksum.mended()
            } else {
                (checksum.carries() && self.may_precede(*other, header))
                    || (checksum.has_pseudo_header()
                        && self.may_precede(header, *other)
                        && self.in_pseudo_header(header, field))
            }
        });
        let found = found.map(|(other, _)| *other);
        let Some(other) = found.or_else(|| self.covered_below(header)) else {
            return Some(());
        };
        let other = self.policy.headers.get(usize::from(other.0))?.name.clone();
        self.later(
            &format!("assigning a field that the checksum of `{other}` covers"),
            span,
        )
    }

    /// The header whose checksum covers bytes of another one on which this one may lie.
    fn covered_below(&mut self, header: HeaderId) -> Option<HeaderId> {
        if let Some(known) = self.below.get(&header) {
            return *known;
        }
        let first = self.policy.headers.get(usize::from(header.0))?;
        let mut found = None;
        if !first.after.is_empty() {
            let mut overlays = Overlays::new(&self.policy);
            let all = (0..self.policy.headers.len()).map(|id| HeaderId(id as u16));
            found = all
                .filter_map(|other| Some((other, self.covering(other)?)))
                .find(|(other, _)| overlays.may_share(header, *other))
                .map(|(_, by)| by);
        }
        self.below.insert(header, found);
        found
    }

    /// The first header whose checksum covers anything of this one.
    fn covering(&self, header: HeaderId) -> Option<HeaderId> {
        let fields = self.policy.headers.get(usize::from(header.0))?.fields.len();
        let fields = || (0..fields).map(|id| FieldId(id as u16));
        let found = self.checksums.iter().find(|(other, checksum)| {
            *other == header
                || (checksum.carries() && self.may_precede(*other, header))
                || (checksum.has_pseudo_header()
                    && self.may_precede(header, *other)
                    && fields().any(|field| self.in_pseudo_header(header, field)))
        });
        found.map(|(other, _)| *other)
    }

    /// Whether `first` may stand somewhere before `second`.
    fn may_precede(&self, first: HeaderId, second: HeaderId) -> bool {
        let mut seen = BTreeSet::from([second]);
        let mut left = vec![second];
        while let Some(id) = left.pop() {
            let header = self.policy.headers.get(usize::from(id.0));
            for after in header.into_iter().flat_map(|header| &header.after) {
                if seen.insert(after.header) {
                    left.push(after.header);
                }
            }
        }
        first != second && seen.contains(&first)
    }

    /// Addresses, and what stands beside them under the names that the pseudo-header knows.
    fn in_pseudo_header(&self, header: HeaderId, field: FieldId) -> bool {
        let Some(header) = self.policy.headers.get(usize::from(header.0)) else {
            return false;
        };
        let address = |kind| matches!(kind, Kind::Ip4 | Kind::Ip6);
        let field = header.fields.get(usize::from(field.0));
        header.fields.iter().any(|field| address(field.kind))
            && field.is_some_and(|field| {
                address(field.kind) || ["protocol", "length"].contains(&field.name.as_str())
            })
    }
}
