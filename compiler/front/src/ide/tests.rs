//! What editors are told.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod any_text;
mod completion;
mod names;
mod renaming;

use super::Index;

const POLICY: &str = include_str!("../../../../policies/dr.lvs");
const SMALL: &str = "\
# The address of the service.
const VIP = 192.0.2.200
interface lan
pool web { # the real servers
  scheduler wrr
  backend rs1 192.0.2.130 weight 1
  backend 192.0.2.134
}
counter hits
action away(b: backend) { send b.interface }
match ip.dst == VIP and tcp {
  select rs from web
  count hits
  let port = tcp.dst
  match port == 80 { away(rs) }
  drop closed
}
";

/// All that can be declared, also what the checker does not know yet.
const EVERYTHING: &str = include_str!("tests/everything.lvs");

fn index(text: &str) -> Index {
    Index::new("web.lvs", text, &crate::library::Empty)
}

/// The text without its mark, and where that was.
fn marked(text: &str) -> (String, usize) {
    let at = text.find('$').unwrap();
    (text.replacen('$', "", 1), at)
}
