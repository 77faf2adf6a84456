//! Header declarations: their places in the parse graph, their fields on the wire, and groups of them.

use lvsc_pipeline::pipeline::{
    After, Alternative, Choice, ChoiceId, Expr, Field, Header, HeaderId, Kind,
};

use super::Checker;
use super::compare::named_type;
use super::flow;
use super::names::{Sort, Thing};
use super::scope::Scope;
use super::value::Type;
use crate::diagnostics::{Code, Diagnostic};
use crate::syntax::ast::{self, HeaderLine, Item, LitKind, Typed};

/// A header may repeat at most so often.
const REPEAT_MAX: u128 = 8;

impl<'a> Checker<'a> {
    /// All headers and groups in their order, then the flow.
    pub(super) fn headers(&mut self, items: &[&'a Item]) {
        for item in items {
            match item {
                Item::Header(header) => {
                    let _ = self.header(header);
                }
                Item::Group(group) => {
                    let _ = self.group(group);
                }
                _ => {}
            }
        }
        let flow = flow::choice(&self.policy.headers);
        self.policy.choices.push(flow);
    }

    /// The flow: the choice that [`Checker::headers`] made last.
    pub(super) fn flow(&self) -> ChoiceId {
        let found = self
            .policy
            .choices
            .iter()
            .position(|choice| choice.name == "flow");
        ChoiceId(found.unwrap_or(0) as u16)
    }

    fn header(&mut self, header: &'a ast::Header) -> Option<()> {
        let times = self.repetitions(header)?;
        let (fields, fixed) = self.wire_fields(header)?;
        let mut instances: Vec<HeaderId> = Vec::new();
        for number in 0..times {
            let id = HeaderId(self.policy.headers.len() as u16);
            let name = &header.name.text;
            self.policy.headers.push(Header {
                name: if number == 0 {
                    name.clone()
                } else {
                    format!("{name}[{number}]")
                },
                after: Vec::new(),
                fields: fields.clone(),
                fixed,
                size: None,
                valid: None,
                extent: None,
                checksum: None,
            });
            let after = self.predecessors(header, instances.last().copied());
            self.lines(header, id)?;
            self.policy.headers.get_mut(usize::from(id.0))?.after = after?;
            instances.push(id);
        }
        self.names.set(&header.name.text, Thing::Header(instances));
        Some(())
    }

    fn repetitions(&mut self, header: &'a ast::Header) -> Option<u16> {
        let Some(lit) = &header.max else {
            return Some(1);
        };
        match lit.kind {
            LitKind::Int(times @ 1..=REPEAT_MAX) => Some(times as u16),
            LitKind::Bad => None,
            _ => {
                let message = format!("`max` is a number from 1 to {REPEAT_MAX}");
                self.error(Code::BadHeader, message, lit.span)
            }
        }
    }

    /// The fixed fields in wire order, and their size in bytes.
    fn wire_fields(&mut self, header: &'a ast::Header) -> Option<(Vec<Field>, u16)> {
        let mut fields: Vec<Field> = Vec::new();
        let mut offset = 0_u32;
        for line in &header.lines {
            let HeaderLine::Field(typed) = line else {
                continue;
            };
            let ty = self.field_kind(typed)?;
            if fields.iter().any(|field| field.name == typed.name.text) {
                return None; // said in `once`
            }
            let crooked = !offset.is_multiple_of(8);
            if crooked && offset % 8 + u32::from(ty.width) > 64 {
                let message = "a field that does not begin at a byte ends within eight bytes";
                return self.error(Code::BadHeader, message, typed.span);
            }
            let name = typed.name.text.clone();
            fields.push(Field {
                name,
                offset,
                width: ty.width,
                kind: ty.kind,
            });
            offset += u32::from(ty.width);
        }
        if !offset.is_multiple_of(8) || offset == 0 || offset > 8 * 255 {
            let message = format!("the fields of `{}` have {offset} bits", header.name.text);
            self.report(
                Diagnostic::error(Code::BadHeader, message, header.name.span)
                    .note("a header is a whole number of bytes, from 1 to 255"),
            );
            return None;
        }
        Some((fields, (offset / 8) as u16))
    }

    fn field_kind(&mut self, typed: &'a Typed) -> Option<Type> {
        let ty = &typed.ty;
        if ty.name.text == "bytes" {
            return self.later("a field of `bytes`", ty.span);
        }
        if let (Some(found), None) = (named_type(&ty.name.text), &ty.argument) {
            return Some(found);
        }
        self.report(
            Diagnostic::error(
                Code::UnknownType,
                format!("no type is called `{}`", ty.name.text),
                ty.span,
            )
            .note("known are u1 to u64, mac, ip4addr and ip6addr"),
        );
        None
    }

    /// The edges of the parse graph that lead to one instance; `last` is the instance before it.
    fn predecessors(
        &mut self,
        header: &'a ast::Header,
        last: Option<HeaderId>,
    ) -> Option<Vec<After>> {
        let mut found = Vec::new();
        for name in &header.after {
            let own = name.text == header.name.text;
            let before = match (self.names.get(&name.text), own, last) {
                (_, true, last) => last.into_iter().collect(),
                (_, false, Some(_)) => Vec::new(), // a further instance follows its own kind only
                (Some(Thing::Header(instances)), false, None) => instances.clone(),
                (Some(Thing::Group(choice)), false, None) => self.group_headers(*choice),
                (Some(_) | None, false, None) => {
                    return self.unknown_name(name, &[Sort::Header, Sort::Group]);
                }
            };
            for predecessor in before {
                let scope = Scope::of_header(predecessor, false);
                let when = match &header.when {
                    Some(when) => self.condition(when, &scope)?,
                    None => Expr::TRUE,
                };
                found.push(After {
                    header: predecessor,
                    when,
                });
            }
        }
        Some(found)
    }

    /// `size`, `valid`, `checksum` and `let` of one instance.
    fn lines(&mut self, header: &'a ast::Header, id: HeaderId) -> Option<()> {
        for line in &header.lines {
            if let HeaderLine::Let(computed) = line {
                self.names.compute(id, computed);
            }
        }
        let wide = Scope::of_header(id, true);
        let bytes = Type {
            kind: Kind::Number,
            width: 32,
        };
        for line in &header.lines {
            match line {
                HeaderLine::Field(_) => {}
                HeaderLine::Size(expr) => {
                    let size = self.typed(expr, bytes, &wide)?;
                    self.policy.headers.get_mut(usize::from(id.0))?.size = Some(size);
                }
                HeaderLine::Valid(expr) => {
                    let valid = self.condition(expr, &wide)?;
                    self.policy.headers.get_mut(usize::from(id.0))?.valid = Some(valid);
                }
                HeaderLine::Let(computed) if computed.name.text == "extent" => {
                    let extent = self.typed(&computed.value, bytes, &wide)?;
                    self.policy.headers.get_mut(usize::from(id.0))?.extent = Some(extent);
                }
                HeaderLine::Let(computed) => {
                    self.value(&computed.value, &Scope::of_header(id, false))?;
                }
                HeaderLine::Checksum(rule) => self.checksum(rule, id)?,
            }
        }
        Some(())
    }

    fn group(&mut self, group: &'a ast::Group) -> Option<()> {
        let mut alternatives = Vec::new();
        for member in &group.members {
            let header = match self.names.get(&member.text) {
                Some(Thing::Header(instances)) => instances.first().copied()?,
                Some(_) | None => {
                    return self.unknown_name(member, &[Sort::Header]);
                }
            };
            alternatives.push(Alternative {
                name: member.text.clone(),
                condition: Expr::Present(header),
                key: Vec::new(),
                passive: false,
            });
        }
        let id = ChoiceId(self.policy.choices.len() as u16);
        self.policy.choices.push(Choice {
            name: group.name.text.clone(),
            alternatives,
        });
        self.names.set(&group.name.text, Thing::Group(id));
        Some(())
    }
}
