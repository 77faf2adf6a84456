//! The lab: client, director and real servers around a switch, and the proof of what happened between them.
//!
//! The director is the caller's: the lab makes the place it works in, sends requests, captures frames at the switch's
//! ports, and judges them. It knows no engine and no policy. A [`wire`] is less: a director and a generator of [`load`].

#[cfg(target_os = "linux")]
mod capture;
#[cfg(target_os = "linux")]
mod http;
#[cfg(target_os = "linux")]
pub mod load;
pub mod memory;
#[cfg(target_os = "linux")]
pub mod namespaces;
mod plan;
mod proof;
mod report;
#[cfg(target_os = "linux")]
mod topology;
#[cfg(target_os = "linux")]
mod usage;
#[cfg(target_os = "linux")]
pub mod wire;

pub use self::plan::{Host, Plan, PlanError};
pub use self::proof::{Captured, Direction, Node, Proof, Step, judge, planted};
pub use self::report::Report;

/// Requests that are sent with the datapath off.
pub const NEGATIVE: usize = 3;

/// A datapath that the lab can switch off, to see that nobody else forwards.
pub trait Datapath {
    /// On, or off: frames are received and ignored.
    fn switch(&self, on: bool);
}

impl Datapath for crate::director::Switch {
    fn switch(&self, on: bool) {
        self.set(on);
    }
}
