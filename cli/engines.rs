//! The engines of this build.

use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::director::AnyEngine;

use crate::failure::Failure;

/// How an engine is made.
pub struct Kind {
    /// The word after `--target` and `--engine`.
    pub name: &'static str,
    /// Makes one that runs a pipeline, with an empty image.
    pub make: fn(&Pipeline) -> Result<AnyEngine, Failure>,
    /// Whether this machine lets this process run it.
    pub present: fn() -> bool,
}

/// Those that this machine lets this process run.
pub fn present() -> impl Iterator<Item = &'static Kind> {
    ENGINES.iter().filter(|kind| (kind.present)())
}

/// An error where this machine does not let this process run an engine.
pub fn check(kind: &Kind) -> Result<(), Failure> {
    if (kind.present)() {
        return Ok(());
    }
    Err(Failure::Told {
        what: format!(
            "the kernel does not let this process run the engine `{}`",
            kind.name
        ),
        remedy: Some(crate::remedy::DENIED.to_owned()),
    })
}

/// All of them; the first one is the reference.
pub const ENGINES: &[Kind] = &[
    Kind {
        name: "interp",
        make: interp,
        present: || true,
    },
    #[cfg(all(feature = "wasm", unix))]
    Kind {
        name: "wasm",
        make: wasm,
        present: || true,
    },
    #[cfg(target_os = "linux")]
    Kind {
        name: "xdp",
        make: xdp,
        present: lvsc_runtime::engine::xdp::allowed,
    },
];

/// The engine with this name.
pub fn find(name: &str) -> Result<&'static Kind, Failure> {
    let found = ENGINES.iter().find(|engine| engine.name == name);
    found.ok_or_else(|| Failure::Unknown {
        kind: "engine",
        name: name.to_owned(),
        known: ENGINES.iter().map(|engine| engine.name).collect(),
    })
}

/// The interpreter runs the graph as the front end built it: it judges the simplification too.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every engine is made in the same way"
)]
fn interp(pipeline: &Pipeline) -> Result<AnyEngine, Failure> {
    Ok(Box::new(Interpreter::new(pipeline.clone())))
}

#[cfg(all(feature = "wasm", unix))]
fn wasm(pipeline: &Pipeline) -> Result<AnyEngine, Failure> {
    use lvsc_runtime::engine::wasm::{LoadError, WasmEngine};
    use lvsc_target_wasm::Wasm;

    let artifact = crate::compile::program(pipeline)?.emit(&Wasm)?;
    let engine = WasmEngine::load(&artifact.code).map_err(|error| match error {
        LoadError::Memory(source) => Failure::Memory(source),
        LoadError::Module(_)
        | LoadError::Refused(_)
        | LoadError::Import { .. }
        | LoadError::Export { .. }
        | LoadError::Version { .. } => Failure::Bug {
            what: format!("the module cannot be run: {error}"),
        },
    })?;
    Ok(Box::new(engine))
}

#[cfg(target_os = "linux")]
fn xdp(pipeline: &Pipeline) -> Result<AnyEngine, Failure> {
    use lvsc_runtime::engine::xdp::{LoadError, XdpEngine};
    use lvsc_target_xdp::Xdp;

    let artifact = crate::compile::program(pipeline)?.emit(&Xdp)?;
    let engine = XdpEngine::load(&artifact.code).map_err(|error| match error {
        LoadError::Kernel { ref source, .. } => Failure::Told {
            remedy: crate::remedy::kernel(source),
            what: error.to_string(),
        },
        LoadError::Object(_) => Failure::Bug {
            what: format!("the object cannot be run: {error}"),
        },
        LoadError::Refused { .. } => Failure::Bug {
            what: error.to_string(),
        },
    })?;
    Ok(Box::new(engine))
}
