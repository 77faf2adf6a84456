//! What every target does: makes code of a verified program.

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::place::Sources;

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
    },
}

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
        })
    }
}

/// A target.
pub trait Target {
    /// The word after `--target`.
    fn name(&self) -> &'static str;

    /// File name extension of its artifacts.
    fn extension(&self) -> &'static str;

    /// Makes code. Equal input gives equal bytes. Of the sources it may show the lines that the program's places name.
    fn emit(
        &self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
    ) -> Result<Artifact, EmitError>;
}
