//! The commands, one file each: `run(args, global, ui)` does it and says how it ended.

pub mod build;
pub mod check;
pub mod explain;
pub mod fix;
pub mod graph;
pub mod run;
pub mod test;
pub mod trace;
pub mod unpin;
