//! The prelude: the headers and forwarding modes that every policy has, written in the language.

/// Its files in the order in which they are checked: the name that diagnostics show, and the text.
pub(crate) const FILES: [(&str, &str); 2] = [
    ("prelude/net.lvs", include_str!("prelude/net.lvs")),
    ("prelude/dr.lvs", include_str!("prelude/dr.lvs")),
];
