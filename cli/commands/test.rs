//! `lvsc test`: runs `test` blocks on every engine.

use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::Test as Block;
use lvsc_front::source::{FileId, Span};
use serde_json::{Value, json};

use crate::args::{Format, Global, Test};
use crate::engines::{self, Kind};
use crate::failure::{Failure, Status};
use crate::policy::{self, Broken, Checked};
use crate::testing::{self, Fault, Frames, sides};
use crate::ui::{ERROR, FINE, Ui, number, styled};

/// Tests policies. A line when all is well.
pub fn run(args: &Test, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let format = args.output.format;
    let engines = engines::chosen(&args.engine)?;
    let mut total = Total::default();
    for chosen in policy::choose_all(&args.policies, global, ui)? {
        match policy::check(chosen.read()?) {
            Ok(checked) => one(&checked, &engines, format, &mut total, ui)?,
            Err(broken) => total.broken(&broken, format, ui),
        }
    }
    match format {
        Format::Text => total.say(&engines, ui),
        Format::Json => ui.json(&json!({
            "version": 1,
            "passed": total.passed,
            "failed": total.failed,
            "policies_with_errors": total.broken,
            "engines": engines.iter().map(|kind| kind.name).collect::<Vec<_>>(),
            "results": total.results,
        })),
    }
    Ok(if total.failed + total.broken == 0 {
        Status::Fine
    } else {
        Status::Findings
    })
}

/// What came of all tests. A test counts once, on however many engines.
#[derive(Default)]
struct Total {
    passed: usize,
    failed: usize,
    broken: usize,
    results: Vec<Value>,
}

impl Total {
    fn broken(&mut self, broken: &Broken, format: Format, ui: &mut Ui) {
        self.broken += 1;
        match format {
            Format::Text => broken.say(ui),
            Format::Json => self.results.push(json!({
                "policy": broken.path,
                "ok": false,
                "diagnostics": broken.data(),
            })),
        }
    }

    fn say(&self, engines: &[&Kind], ui: &mut Ui) {
        let names: Vec<&str> = engines.iter().map(|kind| kind.name).collect();
        let names = names.join(", ");
        let passed = format!("{} passed on {names}", number(self.passed, "test"));
        match (self.failed, self.broken) {
            (0, 0) => ui.confirm(styled(FINE, passed)),
            (failed, 0) => ui.print(format_args!("{}, {passed}", wrong(failed, "failed"))),
            (0, broken) => ui.print(format_args!("{} with errors; {passed}", policies(broken))),
            (failed, broken) => ui.print(format_args!(
                "{}, {passed}; {} with errors",
                wrong(failed, "failed"),
                policies(broken)
            )),
        }
    }
}

fn wrong(count: usize, what: &str) -> String {
    styled(ERROR, format_args!("{} {what}", number(count, "test")))
}

fn policies(count: usize) -> String {
    if count == 1 {
        "1 policy".to_owned()
    } else {
        format!("{count} policies")
    }
}

fn one(
    checked: &Checked,
    kinds: &[&Kind],
    format: Format,
    total: &mut Total,
    ui: &mut Ui,
) -> Result<(), Failure> {
    checked.warn(format, ui);
    let tests = &checked.policy.tests;
    if tests.is_empty() {
        ui.detail(format_args!("{}: no `test` blocks", checked.text.path));
        return Ok(());
    }
    let meant = |kind: &Kind| {
        let target = kind.target();
        target.is_none_or(|target| checked.policy.other_target(target).is_none())
    };
    let (kinds, others): (Vec<&Kind>, Vec<&Kind>) = kinds.iter().partition(|kind| meant(kind));
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|kind| kind.name).collect();
        let (path, names) = (&checked.text.path, names.join(", "));
        ui.say(format_args!("{path}: not for {names}, so not tried there"));
    }
    let mut engines = Vec::new();
    for kind in kinds {
        engines.push((kind.name, kind.make(&checked.pipeline)?));
    }
    for test in tests {
        let mut fine = true;
        for (engine, running) in &mut engines {
            let fault = testing::run(&checked.pipeline, test, running.as_mut()).err();
            fine &= fault.is_none();
            match (format, fault) {
                (Format::Text, None) => {}
                (Format::Text, Some(fault)) => ui.talk(failed(checked, test, engine, &fault)),
                (Format::Json, fault) => total.results.push(data(checked, test, engine, fault)),
            }
        }
        ui.detail(format_args!(
            "{} {}: {}",
            if fine { "ok    " } else { "failed" },
            checked.text.path,
            test.name
        ));
        total.passed += usize::from(fine);
        total.failed += usize::from(!fine);
    }
    Ok(())
}

/// The failure as a diagnostic: the line, why, and the frames.
fn failed(checked: &Checked, test: &Block, engine: &str, fault: &Fault) -> String {
    let title = format!("test failed on {engine}: {}", test.name);
    let mut text = Ui::report(
        &title,
        &fault.what,
        line(checked, fault.place),
        &checked.sources,
    );
    for line in fault.frames.iter().flat_map(shown) {
        text.push_str("\n    ");
        text.push_str(&line);
    }
    text.push('\n');
    text
}

/// The frame that was expected beside the one that left; where many would have been right, what came beside it.
fn shown(frames: &Frames) -> Vec<String> {
    if let Some(expected) = &frames.expected {
        return sides("expected", expected, "actual", &frames.actual);
    }
    let became = match frames.verdict {
        Verdict::Send => "left",
        Verdict::Pass => "passed",
        Verdict::Drop => "dropped",
    };
    sides("came", &frames.came, became, &frames.actual)
}

/// From a place to the end of its line, without a comment's worth of space.
fn line(checked: &Checked, place: Place) -> Span {
    let file = FileId(u32::from(place.file));
    let text = checked.sources.text(file);
    let number = place.line.saturating_sub(1) as usize;
    let begin: usize = text.split_inclusive('\n').take(number).map(str::len).sum();
    let rest = text
        .get(begin..)
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default();
    let column = place.column.saturating_sub(1) as usize;
    let indent: usize = rest.chars().take(column).map(char::len_utf8).sum();
    Span::new(
        file,
        begin + indent,
        begin + rest.trim_end().len().max(indent),
    )
}

fn data(checked: &Checked, test: &Block, engine: &str, fault: Option<Fault>) -> Value {
    let fault = fault.map(|fault| {
        let frames = fault.frames.map(|frames| {
            json!({
                "came": hex(&frames.came),
                "expected": frames.expected.as_deref().map(hex),
                "actual": hex(&frames.actual),
            })
        });
        json!({ "line": fault.place.line, "what": fault.what, "frames": frames })
    });
    json!({
        "policy": checked.text.path,
        "test": test.name,
        "line": test.place.line,
        "engine": engine,
        "ok": fault.is_none(),
        "fault": fault,
    })
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}
