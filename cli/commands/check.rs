//! `lvsc check`: says what is wrong with a policy.

use serde_json::json;

use crate::args::{Check, Format, Global};
use crate::failure::{Failure, Status};
use crate::policy::{self, Checked};
use crate::ui::{FINE, Ui, diagnostics, number, styled};

/// Checks a policy. One line when it is fine.
pub fn run(args: &Check, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let format = args.output.format;
    let chosen = policy::choose(&args.source, global, ui)?;
    let Some(checked) = policy::open(&chosen, format, ui)? else {
        return Ok(Status::Findings);
    };
    match format {
        Format::Text => {
            let (path, what) = (&checked.text.path, summary(&checked));
            ui.confirm(format_args!("{path}: {} ({what})", styled(FINE, "ok")));
        }
        Format::Json => ui.json(&json!({
            "version": 1,
            "policy": checked.text.path,
            "ok": true,
            "diagnostics": diagnostics::data(&checked.warnings, &checked.sources),
        })),
    }
    Ok(Status::Fine)
}

/// `1 VIP, 1 pool, 2 backends, 3 tests`
fn summary(checked: &Checked) -> String {
    let manifest = &checked.pipeline.manifest;
    let backends = manifest.pools.iter().map(|pool| pool.backends.len()).sum();
    let mut addresses: Vec<_> = manifest
        .vips
        .iter()
        .map(|vip| (vip.address, vip.prefix))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let counts = [
        (addresses.len(), "VIP"),
        (manifest.pools.len(), "pool"),
        (backends, "backend"),
        (checked.policy.tests.len(), "test"),
    ];
    counts.map(|(count, noun)| number(count, noun)).join(", ")
}
