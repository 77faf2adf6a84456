//! Header declarations: their places in the parse graph, their fields on the wire, and groups of them.

use lvsc_abi::manifest::FlowKind;
use lvsc_pipeline::pipeline::{
    After, Alternative, Choice, ChoiceId, Expr, Field, Header, HeaderId, Kind,
};

use super::Checker;
use super::flow;
use super::names::{Sort, Thing};
use super::scope::{Reader, Scope};
use super::value::Type;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, HeaderLine, Item, LitKind, Typed};

/// A header may repeat at most so often.
const REPEAT_MAX: u128 = 8;

impl<'a> Checker<'a> {
    /// All headers and groups in their order, what is computed of them, then the flow.
    pub(super) fn headers(&mut self, items: &[&'a Item]) {
        let mut computed = Vec::new();
        for item in items {
            match item {
                // What is declared twice was reported; the first one counts.
                Item::Header(header) if self.names.declares(&header.name) => {
                    let first = self.policy.headers.len();
                    self.header(header);
                    computed.extend((first..self.policy.headers.len()).map(|id| (id, header)));
                }
                Item::Group(group) if self.names.declares(&group.name) => {
                    let thing = self.group(group).map(Thing::Group);
                    self.settle(&group.name, thing);
                }
                _ => {}
            }
        }
        for (id, header) in computed {
            self.computed_fields(header, HeaderId(id as u16));
        }
        let flow = flow::choice(&self.policy.headers, flow::Portless::Fragments);
        self.policy.choices.push(flow);
    }

    /// What a name stands for; `None` where its declaration was reported.
    fn settle(&mut self, name: &ast::Name, thing: Option<Thing<'a>>) {
        self.left_out += usize::from(thing.is_none());
        self.names.set(&name.text, thing.unwrap_or(Thing::Broken));
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

    fn header(&mut self, header: &'a ast::Header) {
        let times = self.repetitions(header);
        let before = self.before(header, times);
        let fields = self.wire_fields(header);
        let (Some(times), Some((fields, fixed))) = (times, fields) else {
            return self.settle(&header.name, None);
        };
        self.left_out += usize::from(before.is_none());
        let mut before = before.unwrap_or_default();
        let mut instances: Vec<HeaderId> = Vec::new();
        for number in 0..times {
            let name = &header.name.text;
            let after = self.edges(header, &before);
            let count = self.policy.headers.len();
            let id = HeaderId(self.next_id(count, "headers", header.name.span));
            self.policy.headers.push(Header {
                name: if number == 0 {
                    name.clone()
                } else {
                    format!("{name}[{number}]")
                },
                after,
                fields: fields.clone(),
                fixed,
                size: None,
                valid: None,
                extent: None,
                checksum: None,
            });
            self.lines(header, id);
            instances.push(id);
            before = vec![id]; // a further instance follows its own kind only
        }
        self.settle(&header.name, Some(Thing::Header(instances)));
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
        let known = "known are u1 to u64, mac, ip4addr, ip6addr and bytes[n]";
        self.named(&typed.ty, Some(known))
    }

    /// The headers behind which the first instance may stand.
    fn before(&mut self, header: &'a ast::Header, times: Option<u16>) -> Option<Vec<HeaderId>> {
        let name = &header.name.text;
        let own = header.after.iter().find(|after| after.text == *name);
        let others = header.after.iter().filter(|after| after.text != *name);
        let found: Vec<_> = others.map(|after| self.instances(after)).collect();
        match (own, times) {
            (None, Some(2..)) => {
                let message = format!("`{name}` may stand several times, but not behind itself");
                let wrong = Diagnostic::error(Code::BadHeader, message, header.name.span);
                let names = header.after.iter().map(|after| after.text.as_str());
                let names: Vec<&str> = names.chain([name.as_str()]).collect();
                let note = format!("name it too: `after {}`", names.join(", "));
                self.report(wrong.note(note));
                return None;
            }
            (Some(own), Some(0..2)) => {
                let message = format!("`{name}` may stand once, and so not behind itself");
                let wrong = Diagnostic::error(Code::BadHeader, message, own.span);
                self.report(wrong.note("`max 2` lets it stand twice"));
                return None;
            }
            (None | Some(_), _) => {}
        }
        let found: Vec<Vec<HeaderId>> = found.into_iter().collect::<Option<_>>()?;
        if found.is_empty() && !self.policy.headers.is_empty() {
            let message = format!("nothing stands before the first `{name}`");
            let wrong = Diagnostic::error(Code::BadHeader, message, header.name.span);
            self.report(wrong.note(format!(
                "a frame begins with one header; say behind what: `header {name} after udp`"
            )));
            return None;
        }
        Some(found.concat())
    }

    /// The instances of a header or of the members of a group.
    fn instances(&mut self, name: &'a ast::Name) -> Option<Vec<HeaderId>> {
        match self.names.get(&name.text) {
            Some(Thing::Header(instances)) => Some(instances.clone()),
            Some(Thing::Group(choice)) => Some(self.group_headers(*choice)),
            Some(Thing::Broken) => None,
            Some(_) | None => self.unknown_name(name, &[Sort::Header, Sort::Group]),
        }
    }

    /// The edges of the parse graph that lead to one instance from those before it.
    fn edges(&mut self, header: &'a ast::Header, before: &[HeaderId]) -> Vec<After> {
        let mut found = Vec::new();
        for predecessor in before {
            let scope = Scope::of_header(*predecessor, Reader::When);
            let when = match &header.when {
                Some(when) => self.condition(when, &scope),
                None => Some(Expr::TRUE),
            };
            self.left_out += usize::from(when.is_none());
            found.extend(when.map(|when| After {
                header: *predecessor,
                when,
            }));
        }
        found
    }

    /// `size`, `valid`, `checksum` and `let` of one instance.
    fn lines(&mut self, header: &'a ast::Header, id: HeaderId) {
        for line in &header.lines {
            if let HeaderLine::Let(computed) = line {
                self.names.compute(id, computed);
            }
        }
        // A checksum asks what is valid.
        let sums = |line: &&HeaderLine| matches!(line, HeaderLine::Checksum(_));
        let others = header.lines.iter().filter(|line| !sums(line));
        for line in others.chain(header.lines.iter().filter(sums)) {
            if self.line_of_header(line, id).is_none() {
                self.left_out += 1;
            }
        }
    }

    /// `let` of one instance: what it is computed from may be a header behind it.
    fn computed_fields(&mut self, header: &'a ast::Header, id: HeaderId) {
        let scope = Scope::of_header(id, Reader::Computed);
        for line in &header.lines {
            if let HeaderLine::Let(computed) = line
                && !is_extent(computed)
                && self.value(&computed.value, &scope).is_none()
            {
                self.left_out += 1;
                self.names.break_computed(id, &computed.name.text);
            }
        }
    }

    fn line_of_header(&mut self, line: &'a HeaderLine, id: HeaderId) -> Option<()> {
        let shape = Scope::of_header(id, Reader::Shape);
        let bytes = Type {
            kind: Kind::Number,
            width: 32,
        };
        match line {
            HeaderLine::Size(expr) => {
                let size = self.typed(expr, bytes, &shape)?;
                self.policy.headers.get_mut(usize::from(id.0))?.size = Some(size);
            }
            HeaderLine::Valid(expr) => {
                let valid = self.condition(expr, &shape)?;
                self.policy.headers.get_mut(usize::from(id.0))?.valid = Some(valid);
            }
            HeaderLine::Let(computed) if is_extent(computed) => {
                let extent = self.typed(&computed.value, bytes, &shape);
                if extent.is_none() {
                    self.names.break_computed(id, &computed.name.text);
                }
                self.policy.headers.get_mut(usize::from(id.0))?.extent = Some(extent?);
            }
            HeaderLine::Checksum(rule) => self.checksum(rule, id)?,
            HeaderLine::Field(_) | HeaderLine::Let(_) => {}
        }
        Some(())
    }

    fn group(&mut self, group: &'a ast::Group) -> Option<ChoiceId> {
        let members: Vec<_> = group
            .members
            .iter()
            .map(|member| self.alternative(member))
            .collect();
        let alternatives = members.into_iter().collect::<Option<_>>()?;
        Some(self.choice(group.name.text.clone(), alternatives, group.name.span))
    }

    fn alternative(&mut self, member: &'a ast::Name) -> Option<Alternative> {
        let header = match self.names.get(&member.text) {
            Some(Thing::Header(instances)) => instances.first().copied()?,
            Some(Thing::Broken) => return None,
            Some(_) | None => {
                return self.unknown_name(member, &[Sort::Header]);
            }
        };
        Some(present(&member.text, header))
    }

    /// The choice of one header, for what is computed from it and has no meaning without it.
    pub(super) fn sole(&mut self, header: HeaderId, span: Span) -> Option<ChoiceId> {
        let name = self.policy.headers.get(usize::from(header.0))?.name.clone();
        let alternatives = vec![present(&name, header)];
        Some(self.equal_choice(name, alternatives, span))
    }

    /// A choice with these alternatives: one that is there already, so that equal keys are one.
    pub(super) fn equal_choice(
        &mut self,
        name: String,
        alternatives: Vec<Alternative>,
        span: Span,
    ) -> ChoiceId {
        let mut known = self.policy.choices.iter();
        match known.position(|choice| choice.alternatives == alternatives) {
            Some(id) => ChoiceId(id as u16),
            None => self.choice(name, alternatives, span),
        }
    }

    /// A choice of its own.
    pub(super) fn choice(
        &mut self,
        name: String,
        alternatives: Vec<Alternative>,
        span: Span,
    ) -> ChoiceId {
        let id = self.next_id(self.policy.choices.len(), "groups and keys", span);
        self.policy.choices.push(Choice { name, alternatives });
        ChoiceId(id)
    }
}

/// Whether a computed field says where the packet ends, which is part of its header's shape.
fn is_extent(computed: &ast::Let) -> bool {
    computed.name.text == "extent"
}

fn present(name: &str, header: HeaderId) -> Alternative {
    Alternative {
        name: name.to_owned(),
        condition: Expr::Present(header),
        key: Vec::new(),
        passive: false,
        signs: None,
        kind: FlowKind::Other,
    }
}
