//! A frame to a sentence: of each header what `build` would not infer.

use std::fmt;

use super::build::{build, kind_of};
use super::decode::{Found, dissect, hex};
use super::shape::{Kind, Rank, Shape, flag_letters};
use super::{Defaults, Layer, Value};

/// The frame in one line of notation. It says the MACs, and of the other fields those that [`build`] would not infer,
/// wrong lengths and checksums too; a payload of more than 64 bytes is shortened. What does not fit its header, or is
/// promised and not there, is said to be `truncated`.
pub fn describe(frame: &[u8]) -> String {
    let found = dissect(frame);
    let layers = said(&found, frame);
    let each = layers
        .iter()
        .zip(&found)
        .map(|(layer, found)| match (found.kind, found.bytes) {
            (Kind::Truncated, []) => "truncated".to_owned(),
            (Kind::Truncated, _) => format!("truncated {layer}"),
            _ => layer.to_string(),
        });
    each.collect::<Vec<_>>().join(" / ")
}

/// The layers of which [`build`] makes this frame again, whatever it holds; a frame without a whole Ethernet header, or
/// one that is too long, is a layer of bytes or has no stated fields.
pub fn layers(frame: &[u8]) -> Vec<Layer> {
    said(&dissect(frame), frame)
}

fn said(found: &[Found<'_>], frame: &[u8]) -> Vec<Layer> {
    let mut layers: Vec<Layer> = found.iter().map(bare).collect();
    let inward = 0..found.len();
    // Plain fields depend on nothing, derived ones on what is outside, sums on what is inside.
    state(found, frame, &mut layers, inward.clone(), Rank::Plain);
    for index in inward.clone() {
        state(found, frame, &mut layers, index..index + 1, Rank::Derived);
    }
    for index in inward.rev() {
        state(found, frame, &mut layers, index..index + 1, Rank::Sum);
    }
    layers
}

/// The layer with what must be said: its ends, its options, its bytes.
fn bare(found: &Found<'_>) -> Layer {
    let kind = found.kind;
    let end = |name| {
        let shape = kind.shape(name)?;
        Some(shape.value(shape.read(found.bytes)?))
    };
    let mut layer = Layer {
        src: end("src"),
        dst: end("dst"),
        ..Layer::default()
    };
    match kind {
        Kind::Bytes | Kind::Padding | Kind::Truncated => layer.payload = Some(found.bytes.to_vec()),
        Kind::Ip4 | Kind::Ip6 => "ip".clone_into(&mut layer.name),
        Kind::Eth
        | Kind::Vlan
        | Kind::Arp
        | Kind::Ext6
        | Kind::Frag6
        | Kind::Tcp
        | Kind::Udp
        | Kind::Sctp
        | Kind::Icmp
        | Kind::Icmp6 => kind.name().clone_into(&mut layer.name),
    }
    match found.bytes.get(kind.size()..) {
        Some(options) if options == kind.least_options() => {}
        Some(options) if kind.options() > 0 => {
            let options = options.to_vec();
            layer
                .fields
                .push(("options".to_owned(), Some(Value::Bytes(options))));
        }
        None => layer.fields.push(("truncated".to_owned(), None)),
        Some(_) => {}
    }
    layer
}

/// States those fields of this rank, of the headers in `range`, that are other than what would be built.
fn state(
    found: &[Found<'_>],
    frame: &[u8],
    layers: &mut [Layer],
    range: std::ops::Range<usize>,
    rank: Rank,
) {
    let nobody = Defaults {
        src_mac: [0; 6],
        dst_mac: [0; 6],
    };
    let Ok(built) = build(layers, &nobody) else {
        return;
    };
    if built.len() != frame.len() {
        return;
    }
    for (found, layer) in found.iter().zip(layers).take(range.end).skip(range.start) {
        let built = built
            .get(found.at..found.at + found.bytes.len())
            .unwrap_or_default();
        let fields = found
            .kind
            .shapes()
            .iter()
            .filter(|shape| shape.rank == rank);
        for shape in fields.filter(|shape| !["src", "dst"].contains(&shape.name)) {
            if let Some(bits) = shape.read(found.bytes)
                && shape.read(built) != Some(bits)
            {
                let field = stated(found.kind, shape, bits);
                let at = if field.1.is_none() {
                    0
                } else {
                    layer.fields.len()
                };
                layer.fields.insert(at, field); // words first: `S seq=1`
            }
        }
    }
}

fn stated(kind: Kind, shape: &Shape, bits: u128) -> (String, Option<Value>) {
    match (kind, shape.name) {
        (Kind::Tcp, "flags") => (flag_letters(bits), None),
        (Kind::Arp, "op") if bits == 2 => ("reply".to_owned(), None),
        (_, name) => (name.to_owned(), Some(shape.value(bits))),
    }
}

impl fmt::Display for Layer {
    /// The layer in notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(payload) = &self.payload {
            return write!(f, "hex\"{}\"", hex(payload));
        }
        f.write_str(&self.name)?;
        if let (Some(src), Some(dst)) = (&self.src, &self.dst) {
            write!(f, " {src} -> {dst}")?;
        }
        for (name, value) in &self.fields {
            let shape = kind_of(self).ok().and_then(|kind| kind.shape(name));
            match (value, shape) {
                (None, _) => write!(f, " {name}")?,
                (Some(Value::Int(bits)), Some(shape)) => {
                    write!(f, " {name}={}", shape.text(*bits))?;
                }
                (Some(value), _) => write!(f, " {name}={value}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    /// The value in notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Ip4(address) => write!(f, "{address}"),
            Value::Ip6(address) => write!(f, "{address}"),
            Value::Mac(mac) => write!(f, "{}", crate::mac::Mac(*mac)),
            Value::Bytes(bytes) => write!(f, "hex\"{}\"", hex(bytes)),
        }
    }
}
