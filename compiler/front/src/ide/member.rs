//! What can be taken from what: the names behind a `.`.

use super::builtin::{BACKEND, Builtin, FLOW, INTERFACE, METER, POOL};
use super::symbol::{Kind, SymbolId, Value};
use super::{Index, Meaning};

/// A name behind a `.`.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) meaning: Meaning,
    pub(super) value: Value,
}

impl Index {
    /// What can be taken from a value.
    pub(super) fn members(&self, value: &Value) -> Vec<Member> {
        match value {
            Value::Plain => Vec::new(),
            Value::Backend => builtins(&BACKEND),
            Value::Interface => builtins(&INTERFACE),
            Value::Flow => builtins(&FLOW),
            Value::Meter => builtins(&METER),
            Value::Of(id) if self.is_a(*id, Kind::Pool) => builtins(&POOL),
            Value::Of(id) => self.parts(*id),
            Value::Group(headers) => self.common(headers),
        }
    }

    pub(super) fn member(&self, value: &Value, name: &str) -> Option<Member> {
        let mut members = self.members(value).into_iter();
        members.find(|member| member.name == name)
    }

    pub(super) fn is_a(&self, id: SymbolId, kind: Kind) -> bool {
        self.symbol(id).is_some_and(|symbol| symbol.kind == kind)
    }

    /// What was declared inside of a symbol: the fields of a header, the values of a table, the backends of a pool.
    pub(super) fn parts(&self, parent: SymbolId) -> Vec<Member> {
        let inside = self.symbols.iter().enumerate();
        let inside = inside.filter(|(_, symbol)| symbol.parent == Some(parent));
        let members = inside.map(|(number, symbol)| Member {
            name: symbol.name.clone(),
            meaning: Meaning::Symbols(vec![SymbolId(number)]),
            value: symbol.value.clone(),
        });
        members.collect()
    }

    /// The fields that all of these headers have, each with its declaration in every one.
    fn common(&self, headers: &[SymbolId]) -> Vec<Member> {
        let mut each = headers.iter().map(|header| self.parts(*header));
        let mut common = each.next().unwrap_or_default();
        for others in each {
            common.retain_mut(|member| {
                let same = others.iter().find(|other| other.name == member.name);
                let Some(Meaning::Symbols(more)) = same.map(|other| &other.meaning) else {
                    return false;
                };
                if let Meaning::Symbols(ids) = &mut member.meaning {
                    ids.extend(more);
                }
                true
            });
        }
        common
    }
}

fn builtins(table: &'static [Builtin]) -> Vec<Member> {
    let members = table.iter().map(|found| Member {
        name: found.name.to_owned(),
        meaning: Meaning::Builtin(found),
        value: found.value.clone(),
    });
    members.collect()
}
