//! IR to a WebAssembly module. The module's ABI is told in [`lvsc_abi::module`].
//!
//! ```text
//! tree     which values live in a local, which are made where they are used
//! nest     forward jumps as nested blocks
//! code     instructions written, labels open, places passed
//! select   block by block: Program -> instructions; frame, section and search are its parts
//! batch    the loops over a batch
//! module   the sections of the module
//! ```
//!
//! Knows no policy and no header. Needs of its engine: WebAssembly 2.0 (SIMD where there is a large connection table)
//! and the atomic compare-and-swap of the threads proposal on an unshared memory.

#![allow(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they gave"
)]

mod batch;
mod code;
mod frame;
mod module;
mod nest;
mod search;
mod section;
mod select;
mod tree;

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::module::{Contents, Map, PAGE, PAGES_MAX};
use lvsc_abi::place::Sources;
use lvsc_ir::target::{EmitError, Target};
use lvsc_ir::verify::Verified;

/// The target `wasm`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wasm;

const NAME: &str = "wasm";
/// Engines take no more (the JavaScript embedding's limits, which wasmparser checks too).
const LOCALS_MAX: u64 = 50_000;
const BODY_MAX: u64 = 7_654_321;

impl Target for Wasm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn extension(&self) -> &'static str {
        NAME
    }

    fn emit(
        &self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        _: &Sources,
        steering: Option<&[u8]>,
    ) -> Result<Artifact, EmitError> {
        let map = Map::of(layout).map_err(|error| EmitError::Limit {
            target: NAME,
            what: "the memory (bytes)",
            found: error.needed,
            limit: PAGES_MAX * PAGE,
            costs: Vec::new(),
        })?;
        let batch = batch::compile(program.program(), layout, &map);
        EmitError::check(
            NAME,
            "the number of locals",
            u64::from(batch.locals),
            LOCALS_MAX,
        )?;
        let body = batch.function.byte_len() as u64;
        EmitError::check(NAME, "the packet function (bytes)", body, BODY_MAX)?;
        let (image, memory) = (layout.size(), map.size());
        let contents = Contents {
            map,
            layout: layout.clone(),
            manifest: manifest.clone(),
            places: batch.places,
            steering: steering.map(<[u8]>::to_vec),
        };
        let code = module::assemble(&batch.function, &contents);
        let figures = vec![
            ("code bytes", body),
            ("loops", batch.loops),
            ("image bytes", image),
            ("memory bytes", memory),
        ];
        let Contents {
            layout,
            manifest,
            places,
            ..
        } = contents;
        Ok(Artifact {
            target: NAME,
            code,
            layout,
            manifest,
            needs: None,
            figures,
            places,
        })
    }
}
