//! The engines of this build.

use lvsc_abi::manifest::Manifest;
use lvsc_ir::target::Target;
use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::director::AnyEngine;

use crate::compile;
use crate::failure::Failure;

/// An engine of this build.
pub struct Kind {
    /// The word after `--target` and `--engine`.
    pub name: &'static str,
    /// Whether this machine lets this process run it.
    pub present: fn() -> Result<(), Failure>,
    /// What packets it takes.
    pub takes: Takes,
    /// What it runs.
    pub runs: Runs,
}

/// What packets an engine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Those that it is handed, of every length.
    Handed,
    /// Those of a device, by itself, as they are on the wire; handed ones where their length allows it.
    Devices,
}

/// What an engine runs.
pub enum Runs {
    /// The pipeline graph itself.
    Graphs(fn(&Pipeline) -> AnyEngine),
    /// What a target makes of it.
    Artifacts(Artifacts),
}

/// The artifacts that an engine runs.
pub struct Artifacts {
    /// Who makes them.
    pub target: &'static (dyn Target + Sync),
    /// Whether something is one, by its first bytes. A later engine gets what an earlier one does not know.
    known: fn(&[u8]) -> bool,
    /// Loads one.
    load: Load,
    /// Loads one that stays under a name when this process ends, where that can be.
    pinned: Option<LoadPinned>,
}

type Load = fn(&[u8]) -> Result<Loaded, LoadFailure>;
type LoadPinned = fn(&[u8], &str) -> Result<Loaded, LoadFailure>;

/// An artifact that was loaded.
pub struct Loaded {
    /// The engine.
    pub engine: AnyEngine,
    /// What it must be told.
    pub manifest: Manifest,
    /// What it goes on from.
    pub before: Before,
}

/// What an engine goes on from.
pub enum Before {
    /// Nothing: its image is empty.
    Nothing,
    /// What it was itself, under a name.
    Itself,
    /// Another one, with what that must be told.
    Other(Manifest, AnyEngine),
}

/// Why an artifact is not loaded.
pub enum LoadFailure {
    /// It is damaged, or none of ours.
    Artifact(String),
    /// The machine does not let us.
    Machine(Failure),
}

impl LoadFailure {
    /// Of an artifact that was made just now.
    pub fn of_ours(self) -> Failure {
        match self {
            LoadFailure::Artifact(error) => Failure::Bug {
                what: format!("what was built cannot be run: {error}"),
            },
            LoadFailure::Machine(failure) => failure,
        }
    }

    /// Of an artifact that somebody gave us.
    fn of(self, path: &str) -> Failure {
        match self {
            LoadFailure::Artifact(error) => Failure::Told {
                what: format!("{path}: {error}"),
                remedy: Some("`lvsc build POLICY` makes one that this lvsc runs".to_owned()),
            },
            LoadFailure::Machine(failure) => failure,
        }
    }
}

impl Kind {
    /// The name of the target whose artifacts it runs; `None` where it runs the graph itself.
    pub fn target(&self) -> Option<&'static str> {
        match &self.runs {
            Runs::Graphs(_) => None,
            Runs::Artifacts(artifacts) => Some(artifacts.target.name()),
        }
    }

    /// An engine that runs a pipeline, with an empty image.
    pub fn make(&self, pipeline: &Pipeline) -> Result<AnyEngine, Failure> {
        match &self.runs {
            Runs::Graphs(make) => Ok(make(pipeline)),
            Runs::Artifacts(artifacts) => {
                let made = compile::program(pipeline)?.emit(artifacts.target)?;
                let loaded = (artifacts.load)(&made.code).map_err(LoadFailure::of_ours)?;
                Ok(loaded.engine)
            }
        }
    }

    /// Loads what somebody built, or what the policy is built to. With a name it stays when this process ends: an error
    /// where the engine does not go on by itself.
    pub fn load(&self, code: &Code<'_>, pin: Option<&str>) -> Result<Loaded, Failure> {
        let artifacts = match (&self.runs, code) {
            (Runs::Graphs(_), _) if pin.is_some() => return Err(self.has_no("--pin")),
            (Runs::Graphs(make), Code::Pipeline(pipeline)) => {
                return Ok(Loaded {
                    engine: make(pipeline),
                    manifest: pipeline.manifest.clone(),
                    before: Before::Nothing,
                });
            }
            (Runs::Graphs(_), Code::Artifact { path, .. }) => {
                return Err(Failure::Told {
                    what: format!(
                        "`{}` runs policies, and `{path}` was built from one",
                        self.name
                    ),
                    remedy: Some("give it the policy".to_owned()),
                });
            }
            (Runs::Artifacts(artifacts), _) => artifacts,
        };
        let load = |bytes: &[u8]| match (pin, artifacts.pinned) {
            (None, _) => Ok((artifacts.load)(bytes)),
            (Some(name), Some(pinned)) => Ok(pinned(bytes, name)),
            (Some(_), None) => Err(self.has_no("--pin")),
        };
        match code {
            Code::Pipeline(pipeline) => {
                let made = compile::program(pipeline)?.emit(artifacts.target)?;
                load(&made.code)?.map_err(LoadFailure::of_ours)
            }
            Code::Artifact { path, bytes } => load(bytes)?.map_err(|failure| failure.of(path)),
        }
    }

    /// That a flag means nothing to this engine.
    pub fn has_no(&self, flag: &str) -> Failure {
        let (who, other) = match self.takes {
            Takes::Handed => ("this process forwards itself", Takes::Devices),
            Takes::Devices => ("the kernel forwards", Takes::Handed),
        };
        let others = ENGINES.iter().filter(|kind| kind.takes == other);
        let others: Vec<&str> = others.map(|kind| kind.name).collect();
        Failure::Told {
            what: format!("`{flag}` means nothing to `{}`: {who}", self.name),
            remedy: Some(match others.as_slice() {
                [] => format!("leave `{flag}` out"),
                names => format!("leave it out, or take `--target {}`", names.join("`, `")),
            }),
        }
    }
}

/// What an engine is to run.
pub enum Code<'a> {
    /// A policy.
    Pipeline(&'a Pipeline),
    /// What was built before.
    Artifact {
        /// Its file.
        path: &'a str,
        /// What is in it.
        bytes: &'a [u8],
    },
}

/// Those that this machine lets this process run.
pub fn present() -> impl Iterator<Item = &'static Kind> {
    ENGINES.iter().filter(|kind| (kind.present)().is_ok())
}

/// All of them; the first one is the reference.
pub const ENGINES: &[Kind] = &[
    // The interpreter runs the graph as the front end built it: it judges the simplification too.
    Kind {
        name: "interp",
        present: || Ok(()),
        takes: Takes::Handed,
        runs: Runs::Graphs(|pipeline| Box::new(Interpreter::new(pipeline.clone()))),
    },
    #[cfg(all(feature = "wasm", unix))]
    Kind {
        name: "wasm",
        present: || Ok(()),
        takes: Takes::Handed,
        runs: Runs::Artifacts(Artifacts {
            target: &lvsc_target_wasm::Wasm,
            known: |bytes| bytes.starts_with(b"\0asm"),
            load: wasm,
            pinned: None,
        }),
    },
    #[cfg(all(feature = "native", target_os = "linux"))]
    Kind {
        name: "native",
        present: || Ok(()),
        takes: Takes::Handed,
        runs: Runs::Artifacts(Artifacts {
            target: &lvsc_target_native::Native,
            known: |bytes| {
                let number = lvsc_abi::object::processor(bytes);
                number.is_some_and(|number| number != lvsc_abi::object::BPF)
            },
            load: native,
            pinned: None,
        }),
    },
    #[cfg(target_os = "linux")]
    Kind {
        name: "xdp",
        present: xdp::present,
        takes: Takes::Devices,
        runs: Runs::Artifacts(Artifacts {
            target: &lvsc_target_xdp::Xdp::NEW,
            known: |bytes| bytes.starts_with(lvsc_abi::object::ELF),
            load: xdp::load,
            pinned: Some(xdp::pinned),
        }),
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

/// Those with these names, all of which must be present; without any those that are.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Kind>, Failure> {
    if names.is_empty() {
        return Ok(present().collect());
    }
    let mut engines: Vec<&'static Kind> = Vec::new();
    for name in names {
        let engine = find(name)?;
        (engine.present)()?;
        if engines.iter().all(|known| known.name != engine.name) {
            engines.push(engine);
        }
    }
    Ok(engines)
}

/// The engine that runs what begins so; `None` for what is no artifact.
pub fn of(bytes: &[u8]) -> Option<&'static Kind> {
    ENGINES.iter().find(|kind| match &kind.runs {
        Runs::Graphs(_) => false,
        Runs::Artifacts(artifacts) => (artifacts.known)(bytes),
    })
}

#[cfg(all(feature = "wasm", unix))]
fn wasm(bytes: &[u8]) -> Result<Loaded, LoadFailure> {
    use lvsc_runtime::engine::wasm::{LoadError, WasmEngine};

    let engine = WasmEngine::load(bytes).map_err(|error| match error {
        LoadError::Memory(source) => LoadFailure::Machine(Failure::Memory(source)),
        LoadError::Module(_)
        | LoadError::Refused(_)
        | LoadError::Import { .. }
        | LoadError::Export { .. }
        | LoadError::Version { .. } => LoadFailure::Artifact(error.to_string()),
    })?;
    Ok(Loaded {
        manifest: engine.manifest().clone(),
        engine: Box::new(engine),
        before: Before::Nothing,
    })
}

#[cfg(all(feature = "native", target_os = "linux"))]
fn native(bytes: &[u8]) -> Result<Loaded, LoadFailure> {
    use lvsc_runtime::engine::native::{LoadError, NativeEngine};

    let engine = NativeEngine::load(bytes).map_err(|error| match error {
        LoadError::Memory(_) => LoadFailure::Machine(Failure::Told {
            what: error.to_string(),
            remedy: Some(
                "make the tables (`flows`) smaller, or raise the limit with `ulimit -v unlimited`"
                    .to_owned(),
            ),
        }),
        LoadError::Object(error) => LoadFailure::Artifact(error.to_string()),
    })?;
    Ok(Loaded {
        manifest: engine.manifest().clone(),
        engine: Box::new(engine),
        before: Before::Nothing,
    })
}

#[cfg(target_os = "linux")]
mod xdp {
    use lvsc_runtime::engine::xdp::pin::{Name, PinError};
    use lvsc_runtime::engine::xdp::refusal::{Machine, Refusal};
    use lvsc_runtime::engine::xdp::{Before as Kept, LoadError, Succession, XdpEngine, probe};

    use super::{Before, LoadFailure, Loaded};
    use crate::failure::Failure;

    impl From<Refusal> for Failure {
        fn from(refusal: Refusal) -> Failure {
            Failure::Told {
                what: refusal.what,
                remedy: refusal.remedy,
            }
        }
    }

    impl From<PinError> for Failure {
        fn from(error: PinError) -> Failure {
            Failure::Told {
                what: error.to_string(),
                remedy: error.remedy(),
            }
        }
    }

    /// What to do about a program that has too many ways.
    const SMALLER: &str = "the policy is too large for it: fewer cases, fewer or shorter ranges, or two policies on two devices";

    impl From<LoadError> for LoadFailure {
        fn from(error: LoadError) -> LoadFailure {
            match error {
                LoadError::Object(error) => LoadFailure::Artifact(error.to_string()),
                LoadError::Kernel(refusal) => LoadFailure::Machine(refusal.into()),
                LoadError::Pin(error) => LoadFailure::Machine(error.into()),
                LoadError::Refused {
                    ref log, too_large, ..
                } => LoadFailure::Machine(Failure::Verifier {
                    what: error.to_string(),
                    log: log.clone(),
                    remedy: Machine::here()
                        .old()
                        .or_else(|| too_large.then(|| SMALLER.to_owned())),
                }),
            }
        }
    }

    pub(super) fn present() -> Result<(), Failure> {
        Ok(probe()?)
    }

    pub(super) fn load(bytes: &[u8]) -> Result<Loaded, LoadFailure> {
        let engine = XdpEngine::load(bytes)?;
        Ok(Loaded {
            manifest: engine.manifest().clone(),
            engine: Box::new(engine),
            before: Before::Nothing,
        })
    }

    pub(super) fn pinned(bytes: &[u8], name: &str) -> Result<Loaded, LoadFailure> {
        let name: Name = name.parse().map_err(|rule| {
            LoadFailure::Machine(Failure::Told {
                what: format!("`--pin {name}`: {rule}"),
                remedy: None,
            })
        })?;
        let Succession { engine, before } = XdpEngine::pinned(bytes, &name)?;
        Ok(Loaded {
            manifest: engine.manifest().clone(),
            engine: Box::new(engine),
            before: match before {
                Kept::Nothing => Before::Nothing,
                Kept::Same => Before::Itself,
                Kept::Other(other) => Before::Other(other.manifest().clone(), other),
            },
        })
    }
}
