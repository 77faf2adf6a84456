//! What is said of a name where the pointer rests on it.

use super::builtin::width;
use super::{Index, Kind, Meaning, SymbolId, Use};
use crate::source::{FileId, Span};
use crate::syntax::ast::{ExprKind, HeaderLine, Item, LitKind, Type};

/// Most lines of a declaration that are shown.
const LINES: usize = 24;

/// What is said of one thing; several for a field of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// The word.
    pub span: Span,
    /// In the policy language: a declaration.
    pub code: String,
    /// In plain words, a paragraph each.
    pub text: Vec<String>,
}

impl Index {
    /// What is known of the name at a place.
    pub fn hover(&self, file: FileId, offset: usize) -> Vec<Hover> {
        let Some(found) = self.at(file, offset) else {
            return Vec::new();
        };
        let span = found.span;
        match &found.meaning {
            Meaning::Symbols(ids) => ids.iter().map(|id| self.told(*id, span)).collect(),
            Meaning::Builtin(builtin) => vec![Hover {
                span,
                code: builtin.name.to_owned(),
                text: vec![builtin.docs.to_owned()],
            }],
            Meaning::Word(_) | Meaning::Nothing => Vec::new(),
        }
    }

    fn told(&self, id: SymbolId, span: Span) -> Hover {
        let Some(symbol) = self.symbol(id) else {
            return Hover {
                span,
                code: String::new(),
                text: Vec::new(),
            };
        };
        let parent = symbol.parent.and_then(|parent| self.symbol(parent));
        let of = parent.map_or("", |parent| parent.name.as_str());
        let mut text = Vec::new();
        let whole = || lines(self.sources.snippet(symbol.whole));
        let code = match symbol.kind {
            Kind::Field => {
                text.extend(self.bits(id));
                format!("{of}.{}", whole())
            }
            Kind::Computed => {
                text.push(format!("computed field of `{of}`"));
                whole()
            }
            Kind::Header => {
                text.extend(self.size(id));
                self.first_line(symbol.whole).to_owned()
            }
            Kind::Action | Kind::Function | Kind::Choice => {
                self.first_line(symbol.whole).to_owned()
            }
            Kind::Parameter => {
                text.push(format!("parameter of `{of}`"));
                whole()
            }
            Kind::Backend => {
                text.push(format!("backend of `{of}`"));
                whole()
            }
            Kind::Column => {
                text.push(format!("value of the table `{of}`"));
                whole()
            }
            Kind::Constant => {
                text.extend(self.constants_in(id));
                whole()
            }
            Kind::Reason => {
                let places = self.places_of(&[id]).len();
                text.push(format!(
                    "the reason of a drop, counted; named {places} times"
                ));
                format!("drop {}", symbol.name)
            }
            Kind::Interface
            | Kind::Pool
            | Kind::Set
            | Kind::Table
            | Kind::Meter
            | Kind::Counter
            | Kind::Group
            | Kind::Variable => whole(),
        };
        let comment = self.comment(symbol.whole);
        if !comment.is_empty() {
            text.push(comment);
        }
        Hover { span, code, text }
    }

    /// `at bit 64 (byte 8), 8 bits wide`
    fn bits(&self, field: SymbolId) -> Option<String> {
        let header = self.symbol(field)?.parent?;
        let layout = self.layout(header);
        let (_, at, width) = layout.iter().find(|(id, _, _)| *id == field)?;
        let (byte, bit) = (at / 8, at % 8);
        let place = if bit == 0 {
            format!("byte {byte}")
        } else {
            format!("bit {bit} of byte {byte}")
        };
        let plural = if *width == 1 { "" } else { "s" };
        let name = &self.symbol(header)?.name;
        Some(format!(
            "at bit {at} of `{name}` ({place}), {width} bit{plural} wide"
        ))
    }

    fn size(&self, header: SymbolId) -> Option<String> {
        let layout = self.layout(header);
        let (_, at, width) = layout.last()?;
        let bytes = (at + width).div_ceil(8);
        Some(format!("{bytes} bytes of fixed fields"))
    }

    /// The fields of a header in wire order: offset and width in bits. Ends before a field whose type is not known.
    pub(super) fn layout(&self, header: SymbolId) -> Vec<(SymbolId, u32, u32)> {
        let mut layout = Vec::new();
        let Some(declared) = self.symbol(header).map(|symbol| symbol.whole) else {
            return layout;
        };
        let items = self.files.iter().flat_map(|file| &file.items);
        let found = items.filter(|item| item.span() == declared);
        let mut at = 0_u32;
        for line in found.flat_map(header_lines) {
            let HeaderLine::Field(field) = line else {
                continue;
            };
            let id = self
                .symbols
                .iter()
                .position(|symbol| symbol.span == field.name.span);
            let (Some(id), Some(width)) = (id, type_width(&field.ty)) else {
                break;
            };
            layout.push((SymbolId(id), at, width));
            at = at.saturating_add(width);
        }
        layout
    }

    /// What the constants are that a constant's value names.
    fn constants_in(&self, constant: SymbolId) -> Vec<String> {
        let Some(symbol) = self.symbol(constant) else {
            return Vec::new();
        };
        let whole = symbol.whole;
        let inside = self.uses.iter().filter(|found| {
            found.span.file == whole.file
                && found.span.start > symbol.span.end
                && found.span.end <= whole.end
        });
        let ids = inside.flat_map(Use::ids);
        let named = ids.filter(|id| self.is_a(**id, Kind::Constant));
        named
            .filter_map(|id| self.symbol(*id))
            .map(|symbol| format!("`{}`", self.sources.snippet(symbol.whole)))
            .collect()
    }
}

fn header_lines(item: &Item) -> &[HeaderLine] {
    if let Item::Header(header) = item {
        &header.lines
    } else {
        &[]
    }
}

fn type_width(ty: &Type) -> Option<u32> {
    let one = width(&ty.name.text)?;
    let Some(argument) = &ty.argument else {
        return Some(one);
    };
    if let ExprKind::Lit(lit) = &argument.kind
        && let LitKind::Int(times) = lit.kind
    {
        u32::try_from(times).ok()?.checked_mul(one)
    } else {
        None
    }
}

fn lines(text: &str) -> String {
    let mut kept: Vec<&str> = text.lines().take(LINES).collect();
    if text.lines().nth(LINES).is_some() {
        kept.push("...");
    }
    kept.join("\n")
}
