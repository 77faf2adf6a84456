//! What a target makes of a program.

use crate::layout::Layout;
use crate::manifest::Manifest;
use crate::place::Place;

/// Compiled code with all that is needed to run and fill it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The target's name: `wasm`.
    pub target: &'static str,
    /// The file's bytes; layout and manifest travel inside.
    pub code: Vec<u8>,
    /// What lies where in the image.
    pub layout: Layout,
    /// What the feeder must know.
    pub manifest: Manifest,
    /// What must be there to run it, where that is more than the target itself: `Linux 5.15`.
    pub needs: Option<String>,
    /// Figures for people, in the order in which they are shown: `("instructions", 143)`.
    pub figures: Vec<(&'static str, u64)>,
    /// Offset in the packet function's body to the policy's place, by rising offset.
    pub places: Vec<(u32, Place)>,
}
