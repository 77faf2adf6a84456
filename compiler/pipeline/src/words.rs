//! Expressions, steps and facts in the words of the policy language. Knows no colour, no terminal, no source text.

use lvsc_abi::place::Place;

use crate::interp::Fact;
use crate::pipeline::{
    Alternative, BackendField, Binary, Choice, Compare, Expr, FieldId, HeaderId, InterfaceField,
    InterfaceRef, KeyedId, Kind, Node, Outcome, Pipeline, SetId, Step, VariableId, VariableKind,
};

/// Members of a set that are shown.
const MEMBERS: usize = 8;

/// A number as people write values of this kind.
pub fn number(value: u128, kind: Kind) -> String {
    kind.write(value)
}

/// `ip4.dst`
pub fn field(pipeline: &Pipeline, header: HeaderId, field: FieldId) -> String {
    let name = &pipeline.field(header, field).name;
    format!("{}.{name}", pipeline.header(header).name)
}

/// An expression as a policy would say it: `ip.dst == 192.168.46.200`. What stands for each alternative of a choice is
/// in brackets: `flow[ip4.dst == 192.168.46.200 | quoted4.src == 192.168.46.200]`.
pub fn expression(pipeline: &Pipeline, expr: &Expr) -> String {
    Words::new(pipeline).expr(expr, Kind::Number)
}

/// What the expression was worth, as people write it: the value of `ip4.dst` is an address.
pub fn value(pipeline: &Pipeline, expr: &Expr, value: u128) -> String {
    if let Expr::Variable(id) = expr
        && let VariableKind::Backend(pool) = pipeline.variable(*id).kind
        && let Some(backend) = pipeline.pool(pool).backend(value as u16)
    {
        return backend.name.clone();
    }
    number(value, kind(pipeline, expr).unwrap_or(Kind::Number))
}

/// Facts in one line: `ip4.dst is 192.168.46.200, tcp is absent`.
pub fn facts(pipeline: &Pipeline, facts: &[Fact]) -> String {
    let of_header = |header: HeaderId| {
        facts.iter().any(|fact| match fact {
            Fact::Header(id, _) | Fact::Value(Expr::Field(id, _), _) => *id == header,
            Fact::Value(..) | Fact::Alternative(..) => false,
        })
    };
    // That `ip` is `ip4` need not be said beside a field of `ip4`.
    let is_said = |fact: &&Fact| match fact {
        Fact::Alternative(choice, Some(taken)) => {
            let alternative = pipeline.choice(*choice).alternatives.get(*taken);
            alternative.and_then(member).is_some_and(of_header)
        }
        Fact::Alternative(_, None) | Fact::Header(..) | Fact::Value(..) => false,
    };
    let said = facts.iter().filter(|fact| !is_said(fact));
    said.map(|each| fact(pipeline, each))
        .collect::<Vec<_>>()
        .join(", ")
}

fn fact(pipeline: &Pipeline, fact: &Fact) -> String {
    match fact {
        Fact::Header(header, true) => format!("{} is present", pipeline.header(*header).name),
        Fact::Header(header, false) => format!("{} is absent", pipeline.header(*header).name),
        Fact::Value(expr, was) => {
            format!(
                "{} is {}",
                expression(pipeline, expr),
                value(pipeline, expr, *was)
            )
        }
        Fact::Alternative(choice, taken) => {
            let choice = pipeline.choice(*choice);
            let taken = taken.and_then(|taken| choice.alternatives.get(taken));
            match taken {
                Some(taken) => format!("{} is {}", choice.name, taken.name),
                None => format!("{} is absent", choice.name),
            }
        }
    }
}

/// What a node does, in one line.
pub fn step(pipeline: &Pipeline, node: &Node) -> String {
    let words = Words::new(pipeline);
    match &node.step {
        Step::Parse(headers) => {
            let names = headers.iter().map(|id| pipeline.header(*id).name.as_str());
            format!("parse {}", names.collect::<Vec<_>>().join(", "))
        }
        Step::Match(condition) => format!("match {}", expression(pipeline, condition)),
        Step::Let(variable, value) => {
            let name = &pipeline.variable(*variable).name;
            format!("let {name} = {}", expression(pipeline, value))
        }
        Step::Named { pool, variable, id } => {
            format!(
                "select {} from {} by id({})",
                pipeline.variable(*variable).name,
                pipeline.pool(*pool).name,
                expression(pipeline, id)
            )
        }
        Step::Select {
            pool,
            variable,
            key,
            home,
            client,
        } => {
            let (variable, key) = (
                &pipeline.variable(*variable).name,
                &pipeline.choice(*key).name,
            );
            let name = |id: VariableId| pipeline.variable(id).name.as_str();
            let home = home.map_or(String::new(), |home| format!(" at {}", name(home)));
            let client = client.map(|client| client.variables().map(name).join(", "));
            let client = client.map_or(String::new(), |names| format!(" for {names}"));
            format!(
                "select {variable} from {} by {key}{home}{client}",
                pipeline.pool(*pool).name
            )
        }
        Step::Hash(variable, key) => {
            let (variable, key) = (pipeline.variable(*variable), pipeline.choice(*key));
            format!("hash {} by {}", variable.name, key.name)
        }
        Step::Follow {
            pool,
            variable,
            datagram,
        } => {
            let [variable, datagram] = [variable, datagram].map(|id| &pipeline.variable(*id).name);
            let pool = &pipeline.pool(*pool).name;
            format!("follow {variable} of {datagram} from {pool}")
        }
        Step::Remember {
            pool,
            variable,
            datagram,
        } => {
            let [variable, datagram] = [variable, datagram].map(|id| &pipeline.variable(*id).name);
            let pool = &pipeline.pool(*pool).name;
            format!("remember {variable} of {datagram} in {pool}")
        }
        Step::Rewrite(header, id, value) => {
            let kind = pipeline.field(*header, *id).kind;
            format!(
                "{} = {}",
                field(pipeline, *header, *id),
                words.expr(value, kind)
            )
        }
        Step::Count(id) => format!("count {}", counter(pipeline, id.0)),
        Step::CountCell(id, cell) => {
            format!(
                "count {}[{}]",
                keyed(pipeline, *id),
                pipeline.variable(*cell).name
            )
        }
        Step::CountKey(id, _) => format!("count {} by key", keyed(pipeline, *id)),
        Step::Verdict(Outcome::Drop(reason)) => format!("drop {}", counter(pipeline, reason.0)),
        Step::Verdict(Outcome::Pass) => "pass".to_owned(),
        Step::Verdict(Outcome::Send(interface)) => format!("send {}", words.interface(*interface)),
    }
}

/// `dr.lvs:15`; empty where there is no place.
pub fn place(pipeline: &Pipeline, place: Place) -> String {
    let file = pipeline.manifest.files.get(usize::from(place.file));
    match (file, place.line) {
        (None, _) | (_, 0) => String::new(),
        (Some(file), line) => format!("{file}:{line}"),
    }
}

/// A counter's name.
pub fn counter(pipeline: &Pipeline, index: u16) -> &str {
    let found = pipeline.manifest.counters.get(usize::from(index));
    found.map_or("?", |counter| counter.name.as_str())
}

/// The name of a counter with cells.
pub fn keyed(pipeline: &Pipeline, id: KeyedId) -> &str {
    let found = pipeline.manifest.keyed.get(usize::from(id.0));
    found.map_or("?", |keyed| keyed.name.as_str())
}

/// The header whose presence alone is the alternative's condition: that of a group's member.
fn member(alternative: &Alternative) -> Option<HeaderId> {
    match (&alternative.condition, alternative.key.is_empty()) {
        (Expr::Present(header), true) => Some(*header),
        _ => None,
    }
}

/// How people write the values of an expression: as those of the first field in it.
fn kind(pipeline: &Pipeline, expr: &Expr) -> Option<Kind> {
    match expr {
        Expr::Field(header, id) => Some(pipeline.field(*header, *id).kind),
        Expr::Interface(_, InterfaceField::Mac) | Expr::Backend(_, BackendField::Mac) => {
            Some(Kind::Mac)
        }
        Expr::Variable(id) => match pipeline.variable(*id).kind {
            VariableKind::Value(48) => Some(Kind::Mac),
            VariableKind::Value(128) => Some(Kind::Ip6),
            VariableKind::Value(_) | VariableKind::Backend(_) => None,
        },
        _ => expr
            .parts()
            .into_iter()
            .find_map(|part| kind(pipeline, part)),
    }
}

/// How tightly an expression holds together: what is looser than its surroundings needs parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    Or,
    And,
    Not,
    Compare,
    Bits,
    Shift,
    Sum,
    Product,
    Primary,
}

struct Words<'a> {
    pipeline: &'a Pipeline,
    /// A header that goes by the name of its group.
    renamed: Option<(HeaderId, &'a str)>,
}

impl<'a> Words<'a> {
    fn new(pipeline: &'a Pipeline) -> Words<'a> {
        Words {
            pipeline,
            renamed: None,
        }
    }

    /// `kind` says how a constant is written that stands alone.
    fn expr(&self, expr: &Expr, kind: Kind) -> String {
        self.held(expr, kind).0
    }

    /// In parentheses where it is looser than `least`.
    fn at_least(&self, expr: &Expr, kind: Kind, least: Hold) -> String {
        match self.held(expr, kind) {
            (words, hold) if hold < least => format!("({words})"),
            (words, _) => words,
        }
    }

    fn held(&self, expr: &Expr, outer: Kind) -> (String, Hold) {
        let pipeline = self.pipeline;
        let words = match expr {
            Expr::Constant { value, .. } => number(*value, outer),
            Expr::Field(header, id) => {
                format!(
                    "{}.{}",
                    self.header(*header),
                    pipeline.field(*header, *id).name
                )
            }
            Expr::Variable(id) => pipeline.variable(*id).name.clone(),
            Expr::Present(header) => self.header(*header).to_owned(),
            Expr::Resize(_, a) => return self.held(a, outer),
            Expr::Binary(op, a, b) => {
                let (sign, hold, tighter) = operator(*op);
                let kind = kind(pipeline, expr).unwrap_or(outer);
                let (a, b) = (
                    self.at_least(a, kind, hold),
                    self.at_least(b, kind, tighter),
                );
                return (format!("{a} {sign} {b}"), hold);
            }
            Expr::Compare(op, a, b) => {
                let kind = kind(pipeline, expr).unwrap_or(Kind::Number);
                let [a, b] = [a, b].map(|part| self.at_least(part, kind, Hold::Bits));
                return (format!("{a} {} {b}", comparison(*op)), Hold::Compare);
            }
            Expr::In(a, set) => {
                let a = self.at_least(a, pipeline.set(*set).kind, Hold::Bits);
                return (format!("{a} in {}", self.set(*set)), Hold::Compare);
            }
            Expr::And(a, b) => {
                let [a, b] = [a, b].map(|part| self.at_least(part, Kind::Number, Hold::And));
                return (format!("{a} and {b}"), Hold::And);
            }
            Expr::Or(a, b) => {
                let [a, b] = [a, b].map(|part| self.at_least(part, Kind::Number, Hold::Or));
                return (format!("{a} or {b}"), Hold::Or);
            }
            Expr::Not(a) => {
                return (
                    format!("not {}", self.at_least(a, Kind::Number, Hold::Not)),
                    Hold::Not,
                );
            }
            Expr::Chosen(choice, each) => {
                return self.chosen(pipeline.choice(*choice), each, outer);
            }
            Expr::Interface(interface, InterfaceField::Mac) => {
                format!("{}.mac", self.interface(*interface))
            }
            Expr::Interface(interface, InterfaceField::Index) => {
                format!("{}.index", self.interface(*interface))
            }
            Expr::Backend(variable, BackendField::Mac) => {
                format!("{}.mac", pipeline.variable(*variable).name)
            }
            Expr::Backend(variable, BackendField::Id) => {
                format!("{}.id", pipeline.variable(*variable).name)
            }
        };
        (words, Hold::Primary)
    }

    /// A group's name where its members say the same of it, else each different thing that can hold.
    fn chosen(&self, choice: &Choice, each: &[Expr], kind: Kind) -> (String, Hold) {
        let ways = || {
            let ways = choice.alternatives.iter().zip(each);
            ways.filter(|(_, expr)| **expr != Expr::FALSE)
        };
        if ways().count() == choice.alternatives.len() && each.iter().all(|e| *e == Expr::TRUE) {
            return (choice.name.clone(), Hold::Primary);
        }
        if choice
            .alternatives
            .iter()
            .all(|alternative| member(alternative).is_some())
        {
            let mut said = ways().map(|(alternative, expr)| {
                let renamed = member(alternative).map(|header| (header, choice.name.as_str()));
                Words { renamed, ..*self }.held(expr, kind)
            });
            if let Some(first) = said.next()
                && said.all(|other| other.0 == first.0)
            {
                return first;
            }
        }
        let mut words: Vec<String> = Vec::new();
        for (_, expr) in ways() {
            let way = self.expr(expr, kind);
            if !words.contains(&way) {
                words.push(way);
            }
        }
        (
            format!("{}[{}]", choice.name, words.join(" | ")),
            Hold::Primary,
        )
    }

    fn header(&self, header: HeaderId) -> &str {
        match self.renamed {
            Some((renamed, name)) if renamed == header => name,
            Some(_) | None => &self.pipeline.header(header).name,
        }
    }

    fn set(&self, id: SetId) -> String {
        let set = self.pipeline.set(id);
        if !set.name.is_empty() {
            return set.name.clone();
        }
        let shown = set.ranges.iter().take(MEMBERS);
        let mut members: Vec<String> = shown
            .map(|(low, high)| range(*low, *high, set.kind))
            .collect();
        if set.ranges.len() > MEMBERS {
            members.push(format!("{} more", set.ranges.len() - MEMBERS));
        }
        format!("{{ {} }}", members.join(", "))
    }

    fn interface(&self, interface: InterfaceRef) -> String {
        match interface {
            InterfaceRef::Ingress => "ingress".to_owned(),
            InterfaceRef::Named(id) => {
                let found = self.pipeline.manifest.interfaces.get(usize::from(id.0));
                found.map_or_else(|| "?".to_owned(), |interface| interface.name.clone())
            }
            InterfaceRef::OfBackend(variable) => {
                format!("{}.interface", self.pipeline.variable(variable).name)
            }
        }
    }
}

/// `80`, `8000..8099`, `10.0.0.0/8`.
fn range(low: u128, high: u128, kind: Kind) -> String {
    if low == high {
        return number(low, kind);
    }
    let bits = match kind {
        Kind::Number | Kind::Mac => None,
        Kind::Ip4 => Some(32),
        Kind::Ip6 => Some(128),
    };
    let host = low ^ high;
    let is_prefix = host & host.wrapping_add(1) == 0 && low & host == 0;
    match bits.filter(|_| is_prefix) {
        Some(bits) => format!(
            "{}/{}",
            number(low, kind),
            bits - (128 - host.leading_zeros())
        ),
        None => format!("{}..{}", number(low, kind), number(high, kind)),
    }
}

/// Its sign, how tightly it holds, and how tightly its second part must.
fn operator(op: Binary) -> (&'static str, Hold, Hold) {
    match op {
        Binary::Or => ("|", Hold::Bits, Hold::Shift),
        Binary::Xor => ("^", Hold::Bits, Hold::Shift),
        Binary::And => ("&", Hold::Bits, Hold::Shift),
        Binary::Shl => ("<<", Hold::Shift, Hold::Sum),
        Binary::Shr => (">>", Hold::Shift, Hold::Sum),
        Binary::Add => ("+", Hold::Sum, Hold::Product),
        Binary::Sub => ("-", Hold::Sum, Hold::Product),
        Binary::Mul => ("*", Hold::Product, Hold::Primary),
        Binary::Div => ("/", Hold::Product, Hold::Primary),
        Binary::Rem => ("%", Hold::Product, Hold::Primary),
    }
}

fn comparison(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "==",
        Compare::Ne => "!=",
        Compare::Lt => "<",
        Compare::Le => "<=",
        Compare::Gt => ">",
        Compare::Ge => ">=",
    }
}

#[cfg(test)]
mod tests;
