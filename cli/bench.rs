//! Measures what a packet costs: the same train of packets through everything that decides them, in turn.
//!
//! ```text
//! packets    which train is made of a policy
//! entrants   who is measured, and what is not here
//! lane       how one is given packets and timed
//! hand       direct routing as one writes it by hand, to compare with
//! measure    rounds, with the caches as they are and with empty ones
//! machine    where it was measured
//! report     the figures as bars and as data
//! chain      the whole way of a packet, over a wire
//! ```

#[cfg(target_os = "linux")]
pub mod chain;
mod entrants;
mod hand;
mod lane;
pub mod machine;
mod measure;
mod packets;
pub mod report;

pub use self::entrants::world;
pub use self::measure::{Outcome, Wanted, policy};
pub use self::packets::{Came, padded};
