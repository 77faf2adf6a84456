//! Fields of headers, fixed and computed. What is computed is expanded where it is used.

use lvsc_pipeline::pipeline::{Expr, FieldId, HeaderId, Kind};

use super::Checker;
use super::constant::Constant;
use super::expand::{Expanded, Expansion};
use super::presence::{Fact, needs};
use super::scope::{Reader, Scope};
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::Name;

impl Checker<'_> {
    pub(super) fn header_name(&self, header: HeaderId) -> Option<String> {
        let header = self.policy.headers.get(usize::from(header.0))?;
        Some(header.name.clone())
    }

    pub(super) fn has_field(&self, header: HeaderId, name: &str) -> bool {
        self.fixed_field(header, name).is_some() || self.names.computed(header, name).is_some()
    }

    pub(super) fn fixed_field(&self, header: HeaderId, name: &str) -> Option<FieldId> {
        let fields = &self.policy.headers.get(usize::from(header.0))?.fields;
        fields
            .iter()
            .position(|field| field.name == name)
            .map(|id| FieldId(id as u16))
    }

    pub(super) fn field_names(&self, header: HeaderId) -> Vec<String> {
        let found = self.policy.headers.get(usize::from(header.0));
        let fixed = found
            .into_iter()
            .flat_map(|header| &header.fields)
            .map(|field| field.name.clone());
        fixed
            .chain(self.names.computed_names(header).map(str::to_owned))
            .collect()
    }

    pub(super) fn field_type(&self, header: HeaderId, field: FieldId) -> Type {
        let found = self.policy.headers.get(usize::from(header.0));
        let field = found.and_then(|header| header.fields.get(usize::from(field.0)));
        field.map_or(Type::TRUTH, |field| Type {
            kind: field.kind,
            width: field.width,
        })
    }

    /// A field seen from outside of its header. What is computed may have a value of its own where the header is
    /// absent (a comparison is false there): then the header is asked for first.
    pub(super) fn of_header(
        &mut self,
        header: HeaderId,
        single: Single,
        span: Span,
    ) -> Option<Value> {
        let needs_it = match &single {
            Single::Typed(expr, _) => needs(expr).contains(&Fact::Header(header)),
            Single::Constant(_) => false,
        };
        if needs_it {
            return Some(Value::One(single));
        }
        Some(Value::Each(self.sole(header, span)?, vec![single]))
    }

    /// A field of a header, fixed or computed.
    pub(super) fn header_field(
        &mut self,
        header: HeaderId,
        name: &Name,
        reader: Reader,
    ) -> Option<Single> {
        if let Some(field) = self.fixed_field(header, &name.text) {
            let ty = self.field_type(header, field);
            if !ty.is_readable() {
                let message = format!("`{}` has {} bytes", name.text, ty.width / 8);
                let error = Diagnostic::error(Code::TypeMismatch, message, name.span);
                self.report(error.note("only fields of up to 8 bytes, and of 16, can be read"));
                return None;
            }
            let expr = Expr::Field(header, field);
            if reader == Reader::Shape && ty.kind == Kind::Number && ty.width < 32 {
                let wide = Type {
                    kind: Kind::Number,
                    width: 32,
                };
                return Some(Single::Typed(Expr::Resize(32, Box::new(expr)), wide));
            }
            return Some(Single::Typed(expr, ty));
        }
        let Some(computed) = self.names.computed(header, &name.text) else {
            let title = self.header_name(header)?;
            let known = self.field_names(header);
            let message = format!("`{title}` has no field `{}`", name.text);
            return self.unknown(name, Code::UnknownField, &message, &known);
        };
        let computed = computed?;
        let expansion = Expansion {
            of: Expanded::Field(header, &computed.name.text),
            span: name.span,
        };
        if self.expands(expansion.of) {
            self.report(
                Diagnostic::error(
                    Code::Recursion,
                    "a computed field leads back to itself",
                    name.span,
                )
                .secondary(computed.name.span, "computed here"),
            );
            return None;
        }
        let reader = match computed.name.text.as_str() {
            "extent" => Reader::Shape,
            _ => reader,
        };
        let value = self.expand(expansion, |checker| {
            checker.value(&computed.value, &Scope::of_header(header, reader))
        });
        match value? {
            Value::One(Single::Constant(Constant::One(Kind::Number, number))) if number < 2 => {
                Some(Single::Constant(Constant::number(number)))
            }
            Value::One(single) => Some(single),
            Value::Each(choice, parts) => {
                let one = self.each_as_one(choice, &parts, computed.value.span);
                one.map(|(expr, ty)| Single::Typed(expr, ty))
            }
            value => self.no_value(&value, computed.value.span),
        }
    }
}
