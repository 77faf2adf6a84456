//! Engines that run compiled policies, each an [`lvsc_abi::engine::Engine`].

pub mod carry;
#[cfg(all(feature = "wasm", unix))]
pub mod wasm;
#[cfg(target_os = "linux")]
pub mod xdp;
