//! The commands, one file each: `run(args, global, ui)` does it and says how it ended.

pub mod bench;
pub mod build;
pub mod check;
pub mod completions;
pub mod explain;
pub mod fix;
pub mod fmt;
pub mod graph;
pub mod lsp;
pub mod man;
pub mod plan;
pub mod reload;
pub mod run;
pub mod test;
pub mod trace;
pub mod unpin;
