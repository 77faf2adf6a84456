//! Paths: what a name and the fields taken from it stand for.

use lvsc_pipeline::pipeline::{
    BackendField, ChoiceId, Expr, HeaderId, InterfaceField, InterfaceRef, Kind,
};

use super::Checker;
use super::flow;
use super::names::{BUILT_IN, Thing};
use super::scope::{Fields, Local, Reader, Scope};
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr as Written, Name, Path, Segment};

const MAC: Type = Type {
    kind: Kind::Mac,
    width: 48,
};

impl<'a> Checker<'a> {
    /// What a path stands for.
    pub(super) fn path(&mut self, path: &'a Path, scope: &Scope) -> Option<Value> {
        let mut tail = path.tail.as_slice();
        let mut value = match (self.names.get(&path.head.text), tail.split_first()) {
            (_, Some((Segment::Call(args, span), rest))) => {
                tail = rest;
                self.function(&path.head, args, *span, scope)?
            }
            (Some(Thing::Header(instances)), Some((Segment::Index(index, span), rest)))
                if scope.reads_anything() =>
            {
                tail = rest;
                let instances = instances.clone();
                self.instance(&path.head, &instances, index, *span)?
            }
            _ => self.head(&path.head, scope)?,
        };
        for segment in tail {
            value = match segment {
                Segment::Field(name) => self.field_of(&value, name)?,
                Segment::Index(_, span) => return self.later("an index here", *span),
                Segment::Call(_, span) => {
                    return self.error(Code::TypeMismatch, "this is no function", *span);
                }
            };
        }
        Some(value)
    }

    fn head(&mut self, name: &Name, scope: &Scope) -> Option<Value> {
        if let Some(local) = scope.get(&name.text) {
            return Some(match local {
                Local::Broken => return None,
                Local::Value(variable, ty) => Value::typed(Expr::Variable(variable), ty),
                Local::Given(given) => self.given(&given, name.span)?,
                Local::Backend(variable, pool) => Value::Backend(variable, pool),
                Local::Interface(interface) => Value::Interface(interface),
            });
        }
        if let Some(fields) = scope
            .header
            .filter(|of| of.bare && self.has_field(of.header, &name.text))
        {
            return self
                .header_field(fields.header, name, fields.reader)
                .map(Value::One);
        }
        let known = BUILT_IN.contains(&name.text.as_str()) || self.names.knows(&name.text);
        if let Some(fields) = scope.header
            && !scope.reads_anything()
            && known
            && !self.names.is_constant(&name.text)
        {
            return self.foreign(name, fields);
        }
        match name.text.as_str() {
            "ingress" => return Some(Value::Interface(InterfaceRef::Ingress)),
            "flow" => return Some(Value::Flow(self.flow())),
            _ => {}
        }
        let what = match self.names.get(&name.text) {
            Some(Thing::Constant(value)) => {
                return value
                    .clone()
                    .map(|value| Value::One(Single::Constant(value)));
            }
            Some(Thing::Header(instances)) => return instances.first().copied().map(Value::Header),
            Some(Thing::Group(choice)) => return Some(Value::Group(*choice)),
            Some(Thing::Interface(id)) => return Some(Value::Interface(InterfaceRef::Named(*id))),
            Some(Thing::Pool(pool)) => return Some(Value::Pool(*pool)),
            Some(Thing::Broken | Thing::Unevaluated(_)) => return None, // reported where it is declared
            Some(Thing::Pending) => {
                let message = format!("`{}` is not declared before this", name.text);
                return self.error(Code::UnknownName, message, name.span);
            }
            Some(Thing::Counter(_) | Thing::Keyed(..)) => "a counter",
            Some(Thing::Action(_)) => "an action",
            Some(Thing::Function(_)) => "a function",
            None => return self.unknown_value(name, scope),
        };
        self.error(
            Code::TypeMismatch,
            format!("`{}` is {what}, not a value", name.text),
            name.span,
        )
    }

    fn unknown_value<T>(&mut self, name: &Name, scope: &Scope) -> Option<T> {
        if self.unread.contains(name.text.as_str()) {
            return None; // a line that could not be read may declare it
        }
        let mut known: Vec<String> = scope.names().map(str::to_owned).collect();
        if let Some(fields) = scope.header {
            known.extend(self.field_names(fields.header));
        }
        known.extend(self.names.all().map(str::to_owned));
        known.extend(BUILT_IN.map(str::to_owned));
        self.unknown(
            name,
            Code::UnknownName,
            &format!("nothing is called `{}`", name.text),
            &known,
        )
    }

    /// Whether a header is there must not depend on anything but the headers before it.
    fn foreign<T>(&mut self, name: &Name, fields: Fields) -> Option<T> {
        let title = self.header_name(fields.header)?;
        let message = format!("`{}` is no field of `{title}`", name.text);
        let note = match fields.reader {
            Reader::When if self.is_expanding() => {
                "what is computed from another header cannot be asked in `when`; of a fragment it asks `not headless`"
            }
            Reader::When => "`when` reads the fields of the header before, by their bare names",
            Reader::Shape | Reader::Computed => {
                "`size`, `valid` and `extent` read the header's own fields, by their bare names"
            }
        };
        self.report(Diagnostic::error(Code::BadHeader, message, name.span).note(note));
        None
    }

    /// `vlan[1]`
    fn instance(
        &mut self,
        name: &Name,
        instances: &[HeaderId],
        index: &'a [Written],
        span: Span,
    ) -> Option<Value> {
        let [index] = index else {
            return self.error(Code::TypeMismatch, "one number is needed", span);
        };
        let number = self.constant_number(index)?;
        let found = usize::try_from(number)
            .ok()
            .and_then(|number| instances.get(number));
        if let Some(header) = found {
            return Some(Value::Header(*header));
        }
        if instances.len() == 1 {
            let what = format!("`{}[{number}]`, a header inside a tunnel,", name.text);
            return self.later(&what, span);
        }
        let message = format!(
            "`{}` may stand {} times: there is no [{number}]",
            name.text,
            instances.len()
        );
        self.error(Code::UnknownField, message, span)
    }

    fn field_of(&mut self, value: &Value, name: &Name) -> Option<Value> {
        match value {
            Value::Header(header) => {
                let single = self.header_field(*header, name, Reader::Computed)?;
                self.of_header(*header, single, name.span)
            }
            Value::Group(choice) => self.group_field(*choice, name),
            Value::Flow(choice) => self.flow_field(*choice, name),
            Value::Backend(variable, _) => match name.text.as_str() {
                "mac" => Some(Value::typed(
                    Expr::Backend(*variable, BackendField::Mac),
                    MAC,
                )),
                "id" => {
                    let ty = Type {
                        kind: Kind::Number,
                        width: 16,
                    };
                    Some(Value::typed(Expr::Backend(*variable, BackendField::Id), ty))
                }
                "interface" => Some(Value::Interface(InterfaceRef::OfBackend(*variable))),
                "ip" | "l4port" | "weight" => {
                    self.later(&format!("`.{}` of a backend", name.text), name.span)
                }
                _ => self.no_field(name, "a backend", &["mac", "interface", "id"]),
            },
            Value::Interface(interface) => match name.text.as_str() {
                "mac" => Some(Value::typed(
                    Expr::Interface(*interface, InterfaceField::Mac),
                    MAC,
                )),
                "index" => {
                    let ty = Type {
                        kind: Kind::Number,
                        width: 8,
                    };
                    Some(Value::typed(
                        Expr::Interface(*interface, InterfaceField::Index),
                        ty,
                    ))
                }
                "ip" => self.later("`.ip` of an interface", name.span),
                _ => self.no_field(name, "an interface", &["mac", "index"]),
            },
            Value::Pool(pool) if name.text == "macs" => Some(Value::Macs(*pool)),
            Value::Pool(_) => self.no_field(name, "a pool", &["macs"]),
            Value::One(_) | Value::Each(..) | Value::Macs(_) => {
                let message = format!("no field can be taken from {}", value.describe());
                self.error(Code::UnknownField, message, name.span)
            }
        }
    }

    fn no_field<T>(&mut self, name: &Name, what: &str, known: &[&str]) -> Option<T> {
        let known: Vec<String> = known.iter().map(|&known| known.to_owned()).collect();
        let message = format!("{what} has no field `{}`", name.text);
        self.unknown(name, Code::UnknownField, &message, &known)
    }

    fn flow_field(&mut self, choice: ChoiceId, name: &Name) -> Option<Value> {
        let Some(part) = flow::PARTS.iter().position(|part| *part == name.text) else {
            return self.no_field(name, "the flow", &flow::PARTS);
        };
        self.nth_of_flow(choice, part)
    }

    /// The source or the destination of the flow.
    pub(super) fn part_of_flow(&mut self, choice: ChoiceId, part: flow::Part) -> Option<Value> {
        self.nth_of_flow(choice, part as usize)
    }

    /// The part of the flow with this index in [`flow::PARTS`].
    pub(super) fn nth_of_flow(&mut self, choice: ChoiceId, part: usize) -> Option<Value> {
        let alternatives = &self.policy.choices.get(usize::from(choice.0))?.alternatives;
        let exprs: Vec<Expr> = alternatives
            .iter()
            .filter_map(|way| way.key.get(part).cloned())
            .collect();
        let each = exprs.into_iter().map(|expr| {
            let ty = self.type_of(&expr);
            Single::Typed(expr, ty)
        });
        Some(Value::Each(choice, each.collect()))
    }

    fn type_of(&self, expr: &Expr) -> Type {
        match expr {
            Expr::Field(header, field) => self.field_type(*header, *field),
            Expr::Constant { width, .. } => Type {
                kind: Kind::Number,
                width: *width,
            },
            _ => Type {
                kind: Kind::Number,
                width: 16,
            },
        }
    }

    fn group_field(&mut self, choice: ChoiceId, name: &Name) -> Option<Value> {
        let group = self.policy.choices.get(usize::from(choice.0))?;
        let (title, headers) = (group.name.clone(), self.group_headers(choice));
        if let Some(lacking) = headers
            .iter()
            .find(|header| !self.has_field(**header, &name.text))
        {
            let lacking = self
                .policy
                .headers
                .get(usize::from(lacking.0))?
                .name
                .clone();
            let common: Vec<String> = headers
                .iter()
                .map(|header| {
                    self.field_names(*header)
                        .into_iter()
                        .collect::<std::collections::BTreeSet<_>>()
                })
                .reduce(|a, b| &a & &b)
                .into_iter()
                .flatten()
                .collect();
            let shared = headers
                .iter()
                .any(|header| self.has_field(*header, &name.text));
            let message = if shared {
                format!(
                    "`{title}` has no field `{}`: `{lacking}` lacks it",
                    name.text
                )
            } else {
                format!("`{title}` has no field `{}`", name.text)
            };
            return self.unknown(name, Code::UnknownField, &message, &common);
        }
        let parts: Vec<_> = headers
            .iter()
            .map(|h| self.header_field(*h, name, Reader::Computed))
            .collect();
        Some(Value::Each(
            choice,
            parts.into_iter().collect::<Option<_>>()?,
        ))
    }

    /// The headers of a group, in the order of its alternatives.
    pub(super) fn group_headers(&self, choice: ChoiceId) -> Vec<HeaderId> {
        let group = self.policy.choices.get(usize::from(choice.0));
        let ways = group.into_iter().flat_map(|group| &group.alternatives);
        ways.filter_map(|way| match way.condition {
            Expr::Present(header) => Some(header),
            _ => None,
        })
        .collect()
    }
}
