//! What every target does: makes code of a verified program.

use std::collections::BTreeMap;

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::place::{Place, Sources};

use crate::verify::Verified;

/// Why a target cannot take a program. It never is the program's fault: a verified program has a meaning everywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// A limit of the target.
    #[error("{target}: {what} is {found}, the target's limit is {limit}")]
    Limit {
        /// The target's name.
        target: &'static str,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        limit: u64,
        /// The constructs that most of it comes from, and how much (instructions), the largest first.
        costs: Vec<(Place, u64)>,
    },
}

/// So many constructs are named that cost most.
const COSTS: usize = 3;

impl EmitError {
    /// An error where something is larger than the target takes.
    pub fn check(
        target: &'static str,
        what: &'static str,
        found: u64,
        limit: u64,
    ) -> Result<(), EmitError> {
        if found <= limit {
            return Ok(());
        }
        Err(EmitError::Limit {
            target,
            what,
            found,
            limit,
            costs: Vec::new(),
        })
    }

    /// Also says what it comes from: how many instructions from which place, in any order, of one line together.
    #[must_use]
    pub fn with_costs(mut self, each: impl IntoIterator<Item = (Place, u64)>) -> EmitError {
        let mut lines: BTreeMap<Place, u64> = BTreeMap::new();
        for (place, cost) in each {
            let line = Place { column: 0, ..place };
            *lines.entry(line).or_default() += cost;
        }
        let mut found: Vec<(Place, u64)> = lines
            .into_iter()
            .filter(|(place, _)| place.line > 0)
            .collect();
        found.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        found.truncate(COSTS);
        let EmitError::Limit { costs, .. } = &mut self;
        *costs = found;
        self
    }
}

/// A text that a target makes on the way to its artifact, or beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The instructions.
    Assembly,
    /// The packet function in the language of Cranelift.
    Clif,
    /// What a program in C includes that links the artifact.
    Header,
}

/// A target.
pub trait Target {
    /// The word after `--target`.
    fn name(&self) -> &'static str;

    /// File name extension of its artifacts.
    fn extension(&self) -> &'static str;

    /// Whether who runs its artifacts is handed packets, so that a program on the device may say which.
    fn is_handed(&self) -> bool {
        true
    }

    /// Makes code. Equal input gives equal bytes. Of the sources it may show the lines that the program's places name. The
    /// object of the program's steering, where there is one, travels in the artifact of a target that is handed packets.
    fn emit(
        &self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
        steering: Option<&[u8]>,
    ) -> Result<Artifact, EmitError>;

    /// One of its texts, of the same program; `None` where it has none of this kind.
    fn text(
        &self,
        which: Text,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
    ) -> Result<Option<String>, EmitError> {
        let _ = (which, program, layout, manifest, sources);
        Ok(None)
    }
}
