//! WebAssembly modules that somebody hands in: what they say of themselves is sound, or refused.

use lvsc_abi::artifact::Artifact;
use lvsc_abi::module;
use lvsc_ir::target::Target as Emits;
use lvsc_target_wasm::Wasm;

use crate::compile::program;
use crate::encodings::published;
use crate::hunt::{Judged, Target};
use crate::library::Disk;
use crate::support::files;
use crate::{change, corpus};

pub fn target() -> Target {
    let modules: Vec<Vec<u8>> = artifacts(&Wasm).into_iter().map(|made| made.code).collect();
    Target {
        name: "modules",
        cases: 1500,
        make: Box::new(move |chance| change::bytes(&modules, chance)),
        judge,
    }
}

/// The policies of the repository, built.
pub fn artifacts(target: &dyn Emits) -> Vec<Artifact> {
    let policies = files("policies", "lvs").into_iter();
    let built = policies.map(|path| {
        let text = String::from_utf8(corpus::read(&path)).expect("a policy is text");
        let name = path.to_str().expect("a plain name");
        let compiled = lvsc_front::compile_with(name, &text, &Disk);
        let pipeline = compiled.pipeline.expect("the policy is right");
        let built = program(&pipeline).expect("it is small");
        built.emit(target).expect("it is small")
    });
    built.collect()
}

fn judge(input: &[u8]) -> Judged {
    match module::read(input) {
        Ok(read) => {
            published(&read.layout, &read.manifest);
            Ok(())
        }
        Err(error) if error.to_string().is_empty() => Err("no reason".to_owned()),
        Err(_) => Ok(()),
    }
}
