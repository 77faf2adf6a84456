//! eBPF objects that somebody hands in: read or refused, before the kernel sees anything of them.

use lvsc_runtime::engine::xdp;
use lvsc_target_xdp::Xdp;

use crate::change;
use crate::hunt::{Judged, Target};
use crate::modules::artifacts;

pub fn target() -> Target {
    let objects: Vec<Vec<u8>> = artifacts(&Xdp::NEW)
        .into_iter()
        .map(|made| made.code)
        .collect();
    Target {
        name: "objects",
        cases: 3000,
        make: Box::new(move |chance| change::bytes(&objects, chance)),
        judge,
    }
}

fn judge(input: &[u8]) -> Judged {
    match xdp::read(input) {
        Ok(manifest) if manifest.encode().is_empty() => Err("an empty manifest".to_owned()),
        Err(error) if error.to_string().is_empty() => Err("no reason".to_owned()),
        Ok(_) | Err(_) => Ok(()),
    }
}
