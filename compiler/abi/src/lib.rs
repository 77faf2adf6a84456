//! The ground of the house: what generated code and the one who feeds it agree on.
//!
//! Plain data and pure functions. Knows no policy text, no instruction, no engine; does no IO.
//! Byte order inside the state image is little endian unless a field says *wire order*.

pub mod artifact;
pub mod cells;
pub mod engine;
pub mod flows;
pub mod hash;
pub mod image;
pub mod kind;
pub mod layout;
pub mod loads;
pub mod mac;
pub mod manifest;
pub mod module;
pub mod native;
pub mod notation;
pub mod object;
pub mod options;
pub mod place;
pub mod publish;
pub mod ramp;
pub mod scheduler;
pub mod slots;
pub mod steering;
pub mod train;
pub mod verdict;
pub mod world;
