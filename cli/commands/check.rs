//! `lvsc check`: says what is wrong with a policy.

use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::source::SourceMap;
use serde_json::json;

use crate::args::{Check, Findings, Global};
use crate::failure::{Failure, Status};
use crate::policy::{self, Checked};
use crate::ui::diagnostics::{json, sarif};
use crate::ui::{FINE, Ui, number, styled};

/// Checks a policy. One line when it is fine.
pub fn run(args: &Check, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let chosen = policy::choose(&args.source, global, ui)?;
    match policy::check(chosen.read()?) {
        Ok(checked) => {
            let path = &checked.text.path;
            say(
                args.format,
                path,
                Status::Fine,
                &checked.warnings,
                &checked.sources,
                ui,
            );
            if args.format == Findings::Text {
                let what = summary(&checked);
                ui.confirm(format_args!("{path}: {} ({what})", styled(FINE, "ok")));
            }
            Ok(Status::Fine)
        }
        Err(broken) => {
            let (path, found) = (&broken.path, &broken.diagnostics);
            say(
                args.format,
                path,
                Status::Findings,
                found,
                &broken.sources,
                ui,
            );
            Ok(Status::Findings)
        }
    }
}

/// Says the findings.
fn say(
    format: Findings,
    path: &str,
    status: Status,
    found: &[Diagnostic],
    sources: &SourceMap,
    ui: &mut Ui,
) {
    let fine = status == Status::Fine;
    match format {
        Findings::Text if fine => ui.warnings(path, found, sources),
        Findings::Text => ui.diagnostics(path, found, sources),
        Findings::Json => ui.json(&json!({
            "version": 1,
            "policy": path,
            "ok": fine,
            "diagnostics": json::data(found, sources),
        })),
        Findings::Sarif => ui.json(&sarif::log(found, sources)),
    }
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
