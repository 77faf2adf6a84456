//! Programs to code: any program that the verifier takes becomes a valid module and an object that is read again, or is too
//! large for them.

use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::{self, Manifest};
use lvsc_abi::module;
use lvsc_abi::place::Sources;
use lvsc_ir::passes::optimize;
use lvsc_ir::target::{EmitError, Target as _};
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
    let shown = text::print(&case.program, &case.layout);
    let program = verify(case.program, &case.layout).map_err(|error| error.to_string())?;
    let again = text::parse(&shown).map_err(|error| format!("{error}\n{shown}"))?;
    if text::print(&again.program, &again.layout) != shown || again.layout != case.layout {
        return Err(format!("read as another program:\n{shown}"));
    }
    both(program, &case.layout)
}

/// Emits a program as it is, and optimized.
pub fn both(program: Verified, layout: &Layout) -> Judged {
    let manifest = Manifest {
        version: manifest::VERSION,
        ..Manifest::default()
    };
    let sources = Sources::default();
    emitted(&program, layout, &manifest, &sources)?;
    let optimized = optimize(program, layout);
    verify(optimized.program().clone(), layout).map_err(|error| format!("optimized: {error}"))?;
    emitted(&optimized, layout, &manifest, &sources)
}

/// Emits a program by every target, and has what came of it read by those who read it.
pub fn emitted(
    program: &Verified,
    layout: &Layout,
    manifest: &Manifest,
    sources: &Sources,
) -> Judged {
    if layout.size() > IMAGE {
        return Ok(());
    }
    match Wasm.emit(program, layout, manifest, sources) {
        Ok(artifact) => {
            valid(&artifact.code)?;
            let read = module::read(&artifact.code).map_err(|error| error.to_string())?;
            if (&read.layout, &read.manifest) != (layout, manifest) {
                return Err("the module says something else of itself".to_owned());
            }
        }
        Err(EmitError::Limit { .. }) => {}
    }
    for target in [Xdp::NEW, Xdp::with_reach(NEAR)] {
        match target.emit(program, layout, manifest, sources) {
            Ok(artifact) => readable(&artifact.code, manifest)?,
            Err(EmitError::Limit { .. }) => {}
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
fn readable(object: &[u8], manifest: &Manifest) -> Judged {
    let read = lvsc_runtime::engine::xdp::read(object).map_err(|error| error.to_string())?;
    if read == *manifest {
        Ok(())
    } else {
        Err("the object says something else of itself".to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
fn readable(_: &[u8], _: &Manifest) -> Judged {
    Ok(())
}
