//! The walk below the front end: pipeline, program, artifact. Says nothing and reads nothing.

use std::collections::BTreeSet;

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::place::Place;
use lvsc_ir::passes::optimize;
use lvsc_ir::steer::Steering;
use lvsc_ir::target::{EmitError, Target, Text};
use lvsc_ir::verify::{Verified, VerifyError, verify};
use lvsc_pipeline::layout::layout;
use lvsc_pipeline::lower::{BLOCKS_MAX, LowerError, lower};
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_pipeline::simplify::simplify;
use lvsc_target_xdp::Xdp;
use lvsc_target_xdp::offload::Obstacle;

/// Why a checked policy has no artifact.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The ways that a packet can take through the policy are too many.
    #[error("{file}:{line}: here the program grows beyond {BLOCKS_MAX} blocks")]
    TooLarge {
        /// The policy's file.
        file: String,
        /// The line of the step at which it did.
        line: u32,
    },
    /// A fault of ours: lowering made what is no program.
    #[error("the program is not valid: {0}")]
    Verify(#[from] VerifyError),
    /// The target cannot take it.
    #[error("{error}")]
    Emit {
        /// Why.
        error: EmitError,
        /// The lines of the policy that most of it comes from; empty where that cannot be told.
        most: String,
    },
}

/// A program and the image that it works on.
pub struct Compiled {
    /// The simplified pipeline.
    pub pipeline: Pipeline,
    /// What lies where in the image.
    pub layout: Layout,
    /// The optimized program.
    pub program: Verified,
}

/// Makes the program of a pipeline.
pub fn program(pipeline: &Pipeline) -> Result<Compiled, CompileError> {
    let pipeline = simplify(pipeline.clone());
    let layout = layout(&pipeline);
    let program = verify(
        lower(&pipeline, &layout).map_err(|error| too_large(&pipeline, &error))?,
        &layout,
    )?;
    Ok(Compiled {
        program: optimize(program, &layout),
        pipeline,
        layout,
    })
}

fn too_large(pipeline: &Pipeline, error: &LowerError) -> CompileError {
    let LowerError::Blocks { place } = error;
    let file = pipeline.manifest.files.get(usize::from(place.file));
    CompileError::TooLarge {
        file: file.cloned().unwrap_or_default(),
        line: place.line,
    }
}

impl Compiled {
    /// A text of the target; `None` where it has none of this kind.
    pub fn text(&self, target: &dyn Target, which: Text) -> Result<Option<String>, CompileError> {
        let Pipeline {
            manifest, sources, ..
        } = &self.pipeline;
        let text = target.text(which, &self.program, &self.layout, manifest, sources);
        text.map_err(|error| self.beyond(error))
    }

    /// What a network card could not do of it.
    pub fn obstacles(&self) -> BTreeSet<(Place, Obstacle)> {
        lvsc_target_xdp::offload::obstacles(&self.program, &self.pipeline.manifest)
    }

    /// The object that says which packets are the kernel's; `None` where only the program itself can.
    pub fn steering(&self) -> Result<Option<Artifact>, CompileError> {
        let Pipeline {
            manifest, sources, ..
        } = &self.pipeline;
        let Some(steering) = lvsc_ir::steer::steer(&self.program, &self.layout, manifest) else {
            return Ok(None);
        };
        let Steering {
            program,
            layout,
            manifest,
        } = &steering;
        let artifact = Xdp::STEERING.emit(program, layout, manifest, sources, None);
        artifact.map(Some).map_err(|error| self.beyond(error))
    }

    /// Makes the target's artifact. A steering that is beyond what an eBPF program may be is none.
    pub fn emit(&self, target: &dyn Target) -> Result<Artifact, CompileError> {
        let steering = if target.is_handed() {
            self.steering().ok().flatten()
        } else {
            None
        };
        self.made(target, steering.as_ref())
    }

    /// Makes the target's artifact, which does not say which packets are the kernel's: to be read, not run.
    pub fn plain(&self, target: &dyn Target) -> Result<Artifact, CompileError> {
        self.made(target, None)
    }

    fn made(
        &self,
        target: &dyn Target,
        steering: Option<&Artifact>,
    ) -> Result<Artifact, CompileError> {
        let Pipeline {
            manifest, sources, ..
        } = &self.pipeline;
        let steering = steering.map(|object| object.code.as_slice());
        let artifact = target.emit(&self.program, &self.layout, manifest, sources, steering);
        artifact.map_err(|error| self.beyond(error))
    }

    /// Names the lines that cost most.
    fn beyond(&self, error: EmitError) -> CompileError {
        let EmitError::Limit { costs, .. } = &error;
        let lines = costs.iter().map(|(place, cost)| {
            let file = self.pipeline.manifest.files.get(usize::from(place.file));
            let file = file.map_or("", String::as_str);
            format!("{file}:{} ({cost} instructions)", place.line)
        });
        CompileError::Emit {
            most: lines.collect::<Vec<_>>().join(", "),
            error,
        }
    }
}
