//! The targets of this build.

use lvsc_ir::target::Target;
use lvsc_target_wasm::Wasm;
use lvsc_target_xdp::Xdp;

use crate::failure::Failure;

/// All of them.
pub const TARGETS: &[&dyn Target] = &[
    &Wasm,
    #[cfg(feature = "native")]
    &lvsc_target_native::Native,
    &Xdp::NEW,
];

/// The target with this name.
pub fn find(name: &str) -> Result<&'static dyn Target, Failure> {
    let found = TARGETS.iter().find(|target| target.name() == name);
    found.copied().ok_or_else(|| Failure::Unknown {
        kind: "target",
        name: name.to_owned(),
        known: TARGETS.iter().map(|target| target.name()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_may_name_each_target() {
        let named: Vec<&str> = TARGETS.iter().map(|target| target.name()).collect();
        let known = lvsc_abi::options::TARGETS.iter().map(|(name, _)| *name);
        let here = known.filter(|name| *name != "native" || cfg!(feature = "native"));
        assert_eq!(named, here.collect::<Vec<_>>());
    }
}
