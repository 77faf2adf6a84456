//! Layers to a frame. Lengths, types and checksums are right unless a field states them.

use super::infer::{inferred, seal};
use super::shape::{Kind, Shape, flag_bits};
use super::{Defaults, Layer, NotationError, Value};

/// The longest frame (bytes).
const LONGEST: usize = 65_535;

/// A layer and its place in the frame.
pub(super) struct Placed<'a> {
    pub(super) layer: &'a Layer,
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) size: usize,
    /// Where the packet ends that the layer is in: what lies behind is padding.
    pub(super) end: usize,
    /// Index of the IP layer that it is in.
    within: Option<usize>,
}

/// Makes the frame of these layers. It is not padded.
///
/// What no field states is inferred: Ethernet types and IP protocols from the next layer (bytes alone count as IPv4, or
/// TCP), lengths from what follows, checksums over what is there. `length=` of an IP layer makes what lies behind it
/// padding. TTL and hop limit are 64, TCP's window is 65535, `icmp` and `icmp6` are echo requests.
pub fn build(layers: &[Layer], defaults: &Defaults) -> Result<Vec<u8>, NotationError> {
    let mut placed = place(layers)?;
    let total = placed.last().map_or(0, |last| last.at + last.size);
    if total > LONGEST {
        return Err(NotationError::Long(total));
    }
    let mut frame = Vec::with_capacity(total);
    let (mut end, mut within) = (total, None);
    for index in 0..placed.len() {
        let next = placed.get(index + 1).map(|next| next.kind);
        let Some(this) = placed.get_mut(index) else {
            break;
        };
        (this.end, this.within) = (end, within);
        let header = header(this, next, &frame, defaults)?;
        if matches!(this.kind, Kind::Ip4 | Kind::Ip6) {
            end = extent(this.kind, &header, this.size).map_or(end, |size| end.min(this.at + size));
            within = Some(index);
        }
        frame.extend(header);
    }
    for this in placed.iter().rev() {
        if !this
            .layer
            .fields
            .iter()
            .any(|(field, _)| field == "checksum")
        {
            let outer = this.within.and_then(|index| placed.get(index));
            seal(this, outer, &mut frame);
        }
    }
    Ok(frame)
}

/// The bytes from the begin of an IP header to the end that it states, if that is behind the header.
pub(super) fn extent(kind: Kind, header: &[u8], size: usize) -> Option<usize> {
    let length = kind.shape("length")?.read(header)? as usize;
    let whole = if kind == Kind::Ip6 {
        length + size
    } else {
        length
    };
    (whole >= size).then_some(whole)
}

/// What a layer is.
pub(super) fn kind_of(layer: &Layer) -> Result<Kind, NotationError> {
    let family = match layer.src.as_ref().or(layer.dst.as_ref()) {
        Some(Value::Ip6(_)) => Kind::Ip6,
        Some(Value::Ip4(_) | Value::Int(_) | Value::Mac(_) | Value::Bytes(_)) | None => Kind::Ip4,
    };
    Ok(match layer.name.as_str() {
        "" => Kind::Bytes,
        "eth" => Kind::Eth,
        "vlan" => Kind::Vlan,
        "arp" => Kind::Arp,
        "ip" => family,
        "ip4" => Kind::Ip4,
        "ip6" => Kind::Ip6,
        "ext6" => Kind::Ext6,
        "frag6" => Kind::Frag6,
        "tcp" => Kind::Tcp,
        "udp" => Kind::Udp,
        "sctp" => Kind::Sctp,
        "icmp" => Kind::Icmp,
        "icmp6" => Kind::Icmp6,
        other => return Err(NotationError::Layer(other.to_owned())),
    })
}

fn place(layers: &[Layer]) -> Result<Vec<Placed<'_>>, NotationError> {
    let mut at = 0;
    let mut placed = Vec::with_capacity(layers.len());
    for layer in layers {
        let kind = kind_of(layer)?;
        if (kind == Kind::Eth) != placed.is_empty() {
            return Err(NotationError::First);
        }
        let size = match (kind, &layer.payload) {
            (Kind::Bytes, payload) => payload.as_ref().map_or(0, Vec::len),
            (Kind::Tcp | Kind::Sctp, _) if says(layer, "truncated") => 8,
            _ => kind.with_options(options(layer, kind)?.len()),
        };
        placed.push(Placed {
            layer,
            kind,
            at,
            size,
            end: 0,
            within: None,
        });
        at += size;
    }
    if placed.is_empty() {
        return Err(NotationError::First);
    }
    Ok(placed)
}

fn says(layer: &Layer, word: &str) -> bool {
    layer
        .fields
        .iter()
        .any(|(field, value)| field == word && value.is_none())
}

/// The options that the layer states; none where it has no such field.
fn options(layer: &Layer, kind: Kind) -> Result<&[u8], NotationError> {
    let stated = layer.fields.iter().find(|(field, _)| field == "options");
    match stated {
        Some((_, Some(Value::Bytes(bytes)))) if bytes.len() <= kind.options() => Ok(bytes),
        Some(_) if kind.options() > 0 => {
            let takes = format!("up to {} bytes: hex\"01 01\"", kind.options());
            Err(NotationError::Value {
                layer: layer.name.clone(),
                field: "options".to_owned(),
                takes,
            })
        }
        Some(_) | None => Ok(&[]),
    }
}

/// The bytes of a layer: what is inferred, then what is stated. `before` is the frame up to here.
fn header(
    this: &Placed<'_>,
    next: Option<Kind>,
    before: &[u8],
    defaults: &Defaults,
) -> Result<Vec<u8>, NotationError> {
    let (layer, kind) = (this.layer, this.kind);
    if kind == Kind::Bytes {
        return Ok(layer.payload.clone().unwrap_or_default());
    }
    let mut bytes = vec![0; kind.size()];
    bytes.extend(options(layer, kind)?);
    bytes.resize(this.size, 0);
    for (name, value) in inferred(this, next, before, defaults) {
        if let Some(shape) = kind.shape(name) {
            shape.write(&mut bytes, value);
        }
    }
    let mut stated: Vec<&str> = Vec::new();
    for (name, value) in ends(layer, kind)? {
        stated.push(name);
        write_value(&mut bytes, layer, kind, name, value)?;
    }
    for (name, value) in &layer.fields {
        let name = kind.shape(name).map_or(name.as_str(), |shape| shape.name);
        if stated.contains(&name) {
            let (layer, field) = (layer.name.clone(), name.to_owned());
            return Err(NotationError::Twice { layer, field });
        }
        stated.push(name);
        match value {
            Some(_) if name == "options" && kind.options() > 0 => {}
            Some(value) => write_value(&mut bytes, layer, kind, name, value)?,
            None => {
                let (shape, bits) = word(kind, name).ok_or_else(|| unknown(layer, kind, name))?;
                if let Some(shape) = shape {
                    shape.write(&mut bytes, bits);
                }
            }
        }
    }
    Ok(bytes)
}

/// What stands around `->`, as the fields `src` and `dst`.
fn ends(layer: &Layer, kind: Kind) -> Result<Vec<(&'static str, &Value)>, NotationError> {
    let given = [("src", layer.src.as_ref()), ("dst", layer.dst.as_ref())];
    if !kind.has_ends() && given.iter().any(|(_, value)| value.is_some()) {
        return Err(NotationError::Ends(layer.name.clone()));
    }
    let what = match kind {
        Kind::Ip4 | Kind::Ip6 => "its addresses: `ip 198.51.100.7 -> 192.0.2.10`",
        Kind::Arp => "its addresses: `arp 192.0.2.1 -> 192.0.2.10` asks for the second",
        Kind::Tcp | Kind::Udp | Kind::Sctp => "its ports: `tcp 40000 -> 80`",
        Kind::Eth
        | Kind::Vlan
        | Kind::Ext6
        | Kind::Frag6
        | Kind::Icmp
        | Kind::Icmp6
        | Kind::Bytes
        | Kind::Padding
        | Kind::Truncated => "",
    };
    let found: Vec<_> = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    if found.len() < 2 && !what.is_empty() {
        return Err(NotationError::Missing {
            layer: layer.name.clone(),
            what,
        });
    }
    Ok(found)
}

fn write_value(
    bytes: &mut [u8],
    layer: &Layer,
    kind: Kind,
    name: &str,
    value: &Value,
) -> Result<(), NotationError> {
    let shape = kind.shape(name).ok_or_else(|| unknown(layer, kind, name))?;
    let Some(bits) = shape.bits(value) else {
        let (layer, field, takes) = (layer.name.clone(), name.to_owned(), shape.takes());
        return Err(NotationError::Value {
            layer,
            field,
            takes,
        });
    };
    shape.write(bytes, bits);
    Ok(())
}

/// A word alone: TCP's flags, a bit that is set, an ARP operation.
fn word(kind: Kind, word: &str) -> Option<(Option<&'static Shape>, u128)> {
    match (kind, word) {
        (Kind::Tcp | Kind::Sctp, "truncated") => Some((None, 0)),
        (Kind::Tcp, flags) => Some((kind.shape("flags"), flag_bits(flags)?)),
        (Kind::Arp, "request") => Some((kind.shape("op"), 1)),
        (Kind::Arp, "reply") => Some((kind.shape("op"), 2)),
        (_, bit) => kind
            .shape(bit)
            .filter(|shape| shape.width == 1)
            .map(|shape| (Some(shape), 1)),
    }
}

fn unknown(layer: &Layer, kind: Kind, field: &str) -> NotationError {
    let mut known: Vec<&str> = kind.shapes().iter().map(|shape| shape.name).collect();
    if kind.options() > 0 {
        known.push("options");
    }
    let (layer, field) = (layer.name.clone(), field.to_owned());
    NotationError::Field {
        layer,
        field,
        known: known.join(", "),
    }
}
