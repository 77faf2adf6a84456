//! `lvsc check`: says what is wrong with policies, once or after every save.

use std::path::Path;
use std::sync::atomic::Ordering;

use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::source::SourceMap;
use serde_json::json;

use crate::args::{Check, Findings, Global};
use crate::config::{Chosen, Text};
use crate::failure::{Failure, Status};
use crate::interrupt;
use crate::policy::{self, Checked};
use crate::ui::diagnostics::{json, sarif};
use crate::ui::{FINE, Ui, number, styled};
use crate::watch::{self, Files, Known, News, Watch};

/// What came of a policy.
struct Outcome {
    path: String,
    diagnostics: Vec<Diagnostic>,
    sources: SourceMap,
    /// The paths of what it takes in, or would, and what was read of them.
    asked: Files,
    /// What is in it, for people; `None` where it has errors.
    summary: Option<String>,
}

/// Checks policies. One line for each that is fine.
pub fn run(args: &Check, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let chosen = policy::choose_some(&args.policies, global, ui)?;
    if args.watch {
        return watch(&chosen, args.format, ui);
    }
    let mut outcomes = Vec::new();
    for chosen in &chosen {
        let outcome = check(chosen.read()?);
        if args.format != Findings::Sarif {
            outcome.say(args.format, ui);
        }
        outcomes.push(outcome);
    }
    if args.format == Findings::Sarif {
        let found: Vec<sarif::Found<'_>> = outcomes.iter().map(Outcome::found).collect();
        ui.json(&sarif::log(&found));
    }
    let fine = outcomes.iter().all(|outcome| outcome.summary.is_some());
    Ok(if fine { Status::Fine } else { Status::Findings })
}

fn check(text: Text) -> Outcome {
    match policy::check(text) {
        Ok(checked) => Outcome {
            summary: Some(summary(&checked)),
            asked: checked.files(),
            path: checked.text.path,
            diagnostics: checked.warnings,
            sources: checked.sources,
        },
        Err(broken) => Outcome {
            asked: broken.files(),
            path: broken.path,
            diagnostics: broken.diagnostics,
            sources: broken.sources,
            summary: None,
        },
    }
}

impl Outcome {
    fn found(&self) -> sarif::Found<'_> {
        (&self.diagnostics, &self.sources)
    }

    /// Says the findings.
    fn say(&self, format: Findings, ui: &mut Ui) {
        let Outcome {
            path,
            diagnostics,
            sources,
            summary,
            ..
        } = self;
        match (format, summary) {
            (Findings::Text, Some(summary)) => {
                ui.warnings(path, diagnostics, sources);
                ui.confirm(format_args!("{path}: {} ({summary})", styled(FINE, "ok")));
            }
            (Findings::Text, None) => ui.diagnostics(path, diagnostics, sources),
            (Findings::Json, _) => ui.json(&json!({
                "version": 1,
                "policy": path,
                "ok": summary.is_some(),
                "diagnostics": json::data(diagnostics, sources),
            })),
            (Findings::Sarif, _) => ui.json(&sarif::log(&[self.found()])),
        }
    }
}

/// Checks them, and again when they or what they take in are saved. A file that cannot be read now may be a moment later.
fn watch(chosen: &[Chosen], format: Findings, ui: &mut Ui) -> Result<Status, Failure> {
    let mut own = Vec::new();
    for chosen in chosen {
        own.push(watch::file(chosen, "lvsc check --watch web.lvs")?);
    }
    let stop = interrupt::flag()?;
    // From before the first look on, so that nothing is missed.
    let mut watch = Watch::begin()?;
    let mut taken_in = vec![Files::new(); chosen.len()];
    watch.set(watched(&own, &taken_in))?;
    for (chosen, taken_in) in chosen.iter().zip(&mut taken_in) {
        let outcome = check(chosen.read()?);
        outcome.say(format, ui);
        *taken_in = outcome.asked;
    }
    ui.leave();
    let count = number(chosen.len(), "file");
    ui.say(format_args!("watching {count}; Ctrl-C ends"));
    loop {
        watch.set(watched(&own, &taken_in))?;
        let changed = match watch.next(|| stop.load(Ordering::Relaxed))? {
            News::Changed(changed) => changed,
            News::Interrupted => return Ok(Status::Interrupted),
        };
        for ((chosen, own), taken_in) in chosen.iter().zip(&own).zip(&mut taken_in) {
            if !changed.contains(*own) && !taken_in.keys().any(|path| changed.contains(path)) {
                continue;
            }
            match chosen.read() {
                Ok(text) => {
                    let outcome = check(text);
                    outcome.say(format, ui);
                    *taken_in = outcome.asked;
                }
                Err(failure) => ui.failure(&failure),
            }
        }
        ui.leave();
    }
}

/// Policies, and all that they take in.
fn watched(own: &[&Path], taken_in: &[Files]) -> Files {
    let own = own.iter().map(|path| ((*path).to_owned(), Known::Unread));
    let taken_in = taken_in.iter().flatten();
    let taken_in = taken_in.map(|(path, read)| (path.clone(), read.clone()));
    own.chain(taken_in).collect()
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
