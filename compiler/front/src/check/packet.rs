//! Packets in notation: the values of their layers, and whether there is such a packet.

use std::net::{Ipv4Addr, Ipv6Addr};

use lvsc_abi::mac::Mac;
use lvsc_abi::notation::{self, Defaults, NotationError};
use lvsc_pipeline::pipeline::Kind;

use super::Checker;
use super::constant::Constant;
use crate::diagnostics::{Code, Diagnostic};
use crate::gather::Texts;
use crate::source::{SourceMap, Span};
use crate::syntax::ast::{self, Expr, ExprKind, Layer, LayerArg, LayerKind, LitKind};

/// The values of a packet's layers; the constants of the files may be used.
pub(crate) fn packet(
    texts: &Texts,
    layers: &[Layer],
    sources: &SourceMap,
) -> (Vec<notation::Layer>, Vec<Diagnostic>) {
    let mut checker = Checker::new(sources);
    let items = texts.items();
    checker.collect_names(&items);
    checker.constants(&items);
    checker.diagnostics.clear(); // those of the policy are reported where it is compiled
    let layers = checker.layers(layers).unwrap_or_default();
    (layers, checker.diagnostics)
}

impl<'a> Checker<'a> {
    /// The layers with their values; only those that make a packet.
    pub(super) fn layers(&mut self, layers: &'a [Layer]) -> Option<Vec<notation::Layer>> {
        let found: Vec<_> = layers.iter().map(|layer| self.layer(layer)).collect();
        let found: Vec<_> = found.into_iter().collect::<Option<_>>()?;
        match fault(&found) {
            None => Some(found),
            Some(fault) => {
                let span = fault.span(layers.get(fault.layer)?);
                self.error(Code::BadTest, fault.error.to_string(), span)
            }
        }
    }

    fn layer(&mut self, layer: &'a Layer) -> Option<notation::Layer> {
        let (name, ends, args) = match &layer.kind {
            LayerKind::Header { name, ends, args } => (name, ends, args),
            LayerKind::Payload(lit) => return self.payload(lit),
        };
        let mut found = notation::Layer {
            name: name.text.clone(),
            ..notation::Layer::default()
        };
        if let Some(ends) = ends {
            found.src = Some(self.packet_value(&ends.0)?);
            found.dst = Some(self.packet_value(&ends.1)?);
        }
        for arg in args {
            match arg {
                LayerArg::Field(name, value) => {
                    let value = self.packet_value(value)?;
                    found.fields.push((name.text.clone(), Some(value)));
                }
                LayerArg::Word(word) => found.fields.push((word.text.clone(), None)),
                LayerArg::Value(lit) => {
                    let message = "a value needs the name of its field: ttl=3";
                    return self.error(Code::BadTest, message, lit.span);
                }
            }
        }
        Some(found)
    }

    fn payload(&mut self, lit: &ast::Lit) -> Option<notation::Layer> {
        let bytes = match &lit.kind {
            LitKind::Hex(bytes) => bytes.clone(),
            LitKind::Str(text) => text.clone().into_bytes(),
            LitKind::Bad => return None,
            _ => {
                return self.error(
                    Code::BadTest,
                    "a payload is hex\"..\" or a string",
                    lit.span,
                );
            }
        };
        Some(notation::Layer {
            payload: Some(bytes),
            ..notation::Layer::default()
        })
    }

    fn packet_value(&mut self, expr: &'a Expr) -> Option<notation::Value> {
        if let ExprKind::Lit(ast::Lit {
            kind: LitKind::Hex(bytes),
            ..
        }) = &expr.kind
        {
            return Some(notation::Value::Bytes(bytes.clone()));
        }
        match self.constant(expr)? {
            Constant::One(Kind::Number, value) => Some(notation::Value::Int(value)),
            Constant::One(Kind::Mac, value) => {
                Some(notation::Value::Mac(Mac::from_bits(value as u64).0))
            }
            Constant::One(Kind::Ip4, value) => {
                Some(notation::Value::Ip4(Ipv4Addr::from_bits(value as u32)))
            }
            Constant::One(Kind::Ip6, value) => {
                Some(notation::Value::Ip6(Ipv6Addr::from_bits(value)))
            }
            Constant::Set(_) => self.error(
                Code::BadTest,
                "a packet has one value here, not a set",
                expr.span,
            ),
        }
    }
}

/// Why layers are no packet, and which part of them it is.
struct Fault {
    error: NotationError,
    /// The layer that is wrong.
    layer: usize,
    /// How many of its fields it takes to be wrong; 0: it is wrong without any.
    fields: usize,
}

/// The first thing that is wrong with a packet: it is built as far as it can be, layer by layer and field by field.
fn fault(layers: &[notation::Layer]) -> Option<Fault> {
    // Which MACs stand in the frame makes no difference here.
    let defaults = Defaults {
        src_mac: [0; 6],
        dst_mac: [0; 6],
    };
    let build = |layers: &[notation::Layer]| notation::build(layers, &defaults).err();
    build(layers)?;
    (1..=layers.len()).find_map(|count| {
        let mut layers = layers.get(..count)?.to_vec();
        build(&layers)?;
        let fields = std::mem::take(&mut layers.last_mut()?.fields);
        (0..=fields.len()).find_map(|known| {
            layers.last_mut()?.fields = fields.get(..known)?.to_vec();
            let error = build(&layers)?;
            Some(Fault {
                error,
                layer: count - 1,
                fields: known,
            })
        })
    })
}

impl Fault {
    /// Where it stands in the layer as it was written.
    fn span(&self, layer: &Layer) -> Span {
        let LayerKind::Header { name, ends, args } = &layer.kind else {
            return layer.span;
        };
        let arg = self.fields.checked_sub(1).and_then(|last| args.get(last));
        match (&self.error, arg, ends) {
            (NotationError::Value { .. }, Some(LayerArg::Field(_, value)), _) => value.span,
            (_, Some(LayerArg::Field(name, _) | LayerArg::Word(name)), _) => name.span,
            (_, Some(LayerArg::Value(value)), _) => value.span,
            (NotationError::Value { field, .. }, None, Some(ends)) if field == "src" => ends.0.span,
            (NotationError::Value { field, .. }, None, Some(ends)) if field == "dst" => ends.1.span,
            (NotationError::Ends(_), None, Some(ends)) => ends.0.span.join(ends.1.span),
            (NotationError::Layer(_), None, _) => name.span,
            (
                NotationError::First
                | NotationError::Field { .. }
                | NotationError::Value { .. }
                | NotationError::Twice { .. }
                | NotationError::Missing { .. }
                | NotationError::Ends(_)
                | NotationError::Long(_),
                None,
                _,
            ) => layer.span,
        }
    }
}
