//! What keeps a policy from `mode offload`, said at the policy's own places.

use std::collections::BTreeMap;

use lvsc_front::diagnostics::{Code, Diagnostic};
use lvsc_front::policy::Policy;
use lvsc_pipeline::pipeline::Pipeline;

use crate::compile;

/// Where the kernel's own checks stand.
const SOURCE: &str =
    "what a card can do is said in Linux, drivers/net/ethernet/netronome/nfp/bpf/verifier.c";

/// All that a card cannot do; nothing where the policy does not ask for one.
pub fn check(policy: &Policy, pipeline: &Pipeline) -> Vec<Diagnostic> {
    let Some(asked) = policy.offload else {
        return Vec::new();
    };
    // Whoever builds it is told why there is no program.
    let Ok(compiled) = compile::program(pipeline) else {
        return Vec::new();
    };
    let places = policy.spans();
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (place, obstacle) in compiled.obstacles() {
        let span = places.get(&place).copied().unwrap_or(asked);
        let said = found.entry(span).or_default();
        let obstacle = obstacle.to_string();
        if !said.contains(&obstacle) {
            said.push(obstacle);
        }
    }
    let each = found.into_iter().map(|(span, obstacles)| {
        Diagnostic::error(Code::NotOffloadable, "a network card cannot do this", span)
            .label(obstacles.join(", "))
            .secondary(asked, "asked for here")
            .note(SOURCE)
    });
    each.collect()
}
