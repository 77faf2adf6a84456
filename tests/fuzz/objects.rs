//! Objects that somebody hands in, eBPF and machine code: read or refused, before anybody runs anything of them.

use std::fmt::Display;

use lvsc_abi::manifest::Manifest;
use lvsc_ir::target::Target as Emits;
use lvsc_runtime::engine::xdp;
use lvsc_target_xdp::Xdp;

use crate::change;
use crate::hunt::{Judged, Target};
use crate::modules::artifacts;

pub fn target() -> Target {
    let targets: &[&dyn Emits] = &[
        &Xdp::NEW,
        #[cfg(feature = "native")]
        &lvsc_target_native::Native,
    ];
    let objects: Vec<Vec<u8>> = targets
        .iter()
        .flat_map(|target| artifacts(*target))
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
    #[cfg(feature = "native")]
    answered(lvsc_runtime::engine::native::read(input))?;
    answered(xdp::read(input))
}

fn answered<E: Display>(read: Result<Manifest, E>) -> Judged {
    match read {
        Ok(manifest) if manifest.encode().is_empty() => Err("an empty manifest".to_owned()),
        Err(error) if error.to_string().is_empty() => Err("no reason".to_owned()),
        Ok(_) | Err(_) => Ok(()),
    }
}
