//! Keeps the state image true and moves frames. Knows no source text and no instruction.

pub mod current;
pub mod director;
pub mod engine;
pub mod io;
pub mod lab;
#[cfg(target_os = "linux")]
pub mod neighbour;
#[cfg(target_os = "linux")]
pub mod netlink;
pub use lvsc_abi::publish;
pub mod sweep;
#[cfg(target_os = "linux")]
pub mod sys;
pub mod vip;
pub mod world;
