//! Engines that run compiled policies, each an [`lvsc_abi::engine::Engine`].

#[cfg(any(
    all(feature = "wasm", unix),
    all(feature = "native", target_os = "linux")
))]
mod batch;
pub mod carry;
#[cfg(any(
    all(feature = "wasm", unix),
    all(feature = "native", target_os = "linux")
))]
mod memory;
#[cfg(all(feature = "native", target_os = "linux"))]
pub mod native;
#[cfg(all(feature = "wasm", unix))]
pub mod wasm;
#[cfg(target_os = "linux")]
pub mod xdp;
