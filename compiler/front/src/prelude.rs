//! The prelude: what every policy has, and the modules that it may take in by name; written in the language.

/// A text and its path, which diagnostics show.
type Text = (&'static str, &'static str);

/// What every policy has, in the order in which it is checked.
pub(crate) const FILES: [Text; 3] = [
    ("prelude/net.lvs", include_str!("prelude/net.lvs")),
    ("prelude/quic.lvs", include_str!("prelude/quic.lvs")),
    ("prelude/dr.lvs", include_str!("prelude/dr.lvs")),
];

/// What `use NAME` takes in besides.
pub(crate) const MODULES: [Text; 4] = [
    ("prelude/arp.lvs", include_str!("prelude/arp.lvs")),
    ("prelude/gre.lvs", include_str!("prelude/gre.lvs")),
    ("prelude/quic_lb.lvs", include_str!("prelude/quic_lb.lvs")),
    ("prelude/vxlan.lvs", include_str!("prelude/vxlan.lvs")),
];

/// The name of a text of the prelude: `net`.
pub(crate) fn name(path: &str) -> &str {
    let name = path.strip_prefix("prelude/").unwrap_or(path);
    name.strip_suffix(".lvs").unwrap_or(name)
}
