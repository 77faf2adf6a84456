//! `lvsc check`: says what is wrong with policies, once or after every save.

use serde_json::json;

use crate::args::{Check, Format, Global};
use crate::config::{Chosen, Text};
use crate::failure::{Failure, Status};
use crate::interrupt;
use crate::policy::{self, Checked};
use crate::ui::{FINE, Ui, diagnostics, number, styled};
use crate::watch::{News, Watch};

/// Checks policies. One line for each that is fine.
pub fn run(args: &Check, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let format = args.output.format;
    let chosen = policy::choose_some(&args.policies, global, ui)?;
    if args.watch {
        return watch(&chosen, format, ui);
    }
    let mut ended = Status::Fine;
    for chosen in &chosen {
        if !check(chosen.read()?, format, ui) {
            ended = Status::Findings;
        }
    }
    Ok(ended)
}

/// Whether it has no errors.
fn check(text: Text, format: Format, ui: &mut Ui) -> bool {
    let Some(checked) = policy::open_text(text, format, ui) else {
        return false;
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
    true
}

/// Checks them, and again what is saved. A file that cannot be read now may be a moment later.
fn watch(chosen: &[Chosen], format: Format, ui: &mut Ui) -> Result<Status, Failure> {
    let mut files = Vec::new();
    for chosen in chosen {
        files.push(chosen.file().ok_or_else(|| no_file(chosen))?);
    }
    let stop = interrupt::flag()?;
    let mut watch = Watch::begin(&files)?;
    for chosen in chosen {
        check(chosen.read()?, format, ui);
    }
    let count = number(chosen.len(), "file");
    ui.say(format_args!("watching {count}; Ctrl-C ends"));
    loop {
        let changed = match watch.next(&stop)? {
            News::Changed(changed) => changed,
            News::Interrupted => return Ok(Status::Interrupted),
        };
        for chosen in changed.into_iter().filter_map(|at| chosen.get(at)) {
            match chosen.read() {
                Ok(text) => {
                    check(text, format, ui);
                }
                Err(failure) => ui.failure(&failure),
            }
        }
    }
}

fn no_file(chosen: &Chosen) -> Failure {
    Failure::Told {
        what: format!("{} is no file that could be watched", chosen.name()),
        remedy: Some("name one: lvsc check --watch web.lvs".to_owned()),
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
