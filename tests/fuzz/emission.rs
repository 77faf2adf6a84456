//! Programs to code: any program that the verifier takes becomes a valid module and an object that is read again, or is too
//! large for them.

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::{self, Manifest};
use lvsc_abi::module;
use lvsc_abi::place::Sources;
use lvsc_ir::passes::optimize;
use lvsc_ir::program::Program;
use lvsc_ir::target::Target as Emits;
use lvsc_ir::verify::{Verified, verify};
use lvsc_ir::{sample, text};
use lvsc_target_wasm::Wasm;
use lvsc_target_xdp::Xdp;

use crate::hunt::{Judged, Target};

/// Most bytes of an image that is emitted: an object holds its first bytes, all of them.
const IMAGE: u64 = 64 << 20;
/// So near are the jumps of objects, so that some are relayed.
const NEAR: u16 = 60;

pub fn target() -> Target {
    Target {
        name: "emission",
        cases: 150,
        make: Box::new(|chance| chance.bytes(3000)),
        judge,
    }
}

/// The input is the row of choices that make the program.
fn judge(input: &[u8]) -> Judged {
    let case = sample::case(input);
    said_again(&case.program, &case.layout)?;
    let program = verify(case.program, &case.layout).map_err(|error| error.to_string())?;
    readable(&both(program, &case.layout)?)
}

/// A program as text is the same program.
pub fn said_again(program: &Program, layout: &Layout) -> Judged {
    let shown = text::print(program, layout);
    let again = text::parse(&shown).map_err(|error| format!("{error}\n{shown}"))?;
    if text::print(&again.program, &again.layout) != shown || again.layout != *layout {
        return Err(format!("read as another program:\n{shown}"));
    }
    Ok(())
}

/// Emits a program as it is, and optimized.
pub fn both(program: Verified, layout: &Layout) -> Result<Vec<Artifact>, String> {
    let manifest = Manifest {
        version: manifest::VERSION,
        ..Manifest::default()
    };
    let sources = Sources::default();
    let mut artifacts = emitted(&program, layout, &manifest, &sources)?;
    let optimized = optimize(program, layout);
    verify(optimized.program().clone(), layout).map_err(|error| format!("optimized: {error}"))?;
    artifacts.extend(emitted(&optimized, layout, &manifest, &sources)?);
    Ok(artifacts)
}

/// Emits a program by every target; what is too large for one is left out, which is the only error there is.
pub fn emitted(
    program: &Verified,
    layout: &Layout,
    manifest: &Manifest,
    sources: &Sources,
) -> Result<Vec<Artifact>, String> {
    if layout.size() > IMAGE {
        return Ok(Vec::new());
    }
    let near = Xdp::with_reach(NEAR);
    let targets: &[&dyn Emits] = &[
        &Wasm,
        #[cfg(feature = "native")]
        &lvsc_target_native::Native,
        &Xdp::NEW,
        &near,
    ];
    let emit = |target: &&dyn Emits| target.emit(program, layout, manifest, sources, None).ok();
    let artifacts: Vec<Artifact> = targets.iter().filter_map(emit).collect();
    let mut modules = artifacts.iter().filter(|made| made.target == Wasm.name());
    modules.try_for_each(|module| valid(&module.code))?;
    Ok(artifacts)
}

/// Whether those who read artifacts find in them what they were made of. Programs as text may name their sections as they
/// like, and are refused there.
pub fn readable(artifacts: &[Artifact]) -> Judged {
    for made in artifacts {
        let manifest = if made.target == Wasm.name() {
            let read = module::read(&made.code).map_err(|error| error.to_string())?;
            if read.layout != made.layout || read.places != made.places {
                return Err("the module says something else of itself".to_owned());
            }
            read.manifest
        } else {
            of_object(made)?
        };
        if manifest != made.manifest {
            return Err(format!(
                "{}: {manifest:?}, not {:?}",
                made.target, made.manifest
            ));
        }
    }
    Ok(())
}

fn valid(module: &[u8]) -> Judged {
    let mut config = wasmtime::Config::new();
    config.wasm_features(wasmtime::WasmFeatures::THREADS, true);
    let engine = wasmtime::Engine::new(&config).map_err(|error| error.to_string())?;
    wasmtime::Module::validate(&engine, module).map_err(|error| format!("{error:#}"))
}

#[cfg(target_os = "linux")]
fn of_object(object: &Artifact) -> Result<Manifest, String> {
    match object.target {
        #[cfg(feature = "native")]
        "native" => {
            let read = lvsc_runtime::engine::native::read(&object.code);
            read.map_err(|error| error.to_string())
        }
        _ => lvsc_runtime::engine::xdp::read(&object.code).map_err(|error| error.to_string()),
    }
}

#[cfg(not(target_os = "linux"))]
fn of_object(object: &Artifact) -> Result<Manifest, String> {
    Ok(object.manifest.clone())
}
