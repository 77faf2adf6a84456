//! `lvsc bench`: measures what a packet costs on each engine.

#[cfg(target_os = "linux")]
mod chain;

use std::ops::ControlFlow;
use std::path::Path;

use crate::args::{Bench, Format, Global};
use crate::bench::machine::{self, Eviction, Machine};
use crate::bench::{self, Came, Wanted, report};
use crate::failure::{Failure, Status};
use crate::only;
use crate::policy::{self, Checked};
use crate::ui::progress::Progress;
use crate::ui::{Ui, file, svg};

/// Measures policies, one after the other.
pub fn run(args: &Bench, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let format = args.output.format;
    let wanted = Wanted::of(args)?;
    let chosen = policy::choose_some(&args.policies, global, ui)?;
    let read: Vec<file::Named<'_>> = chosen
        .iter()
        .map(|policy| ("the policy", policy.file()))
        .chain((args.against.iter()).map(|against| ("what is measured", Some(&*against.path))))
        .collect();
    file::apart(&read, &[("--svg", args.svg.as_deref())])?;
    let mut policies = Vec::new();
    for chosen in &chosen {
        let mut checked = policy::open(chosen, format, ui)?;
        for target in wanted.engines.targets() {
            checked = checked.and_then(|checked| only::check(checked, target, format, ui));
        }
        let Some(checked) = checked else {
            return Ok(Status::Findings);
        };
        match given(args, &checked, ui)? {
            ControlFlow::Continue(given) => policies.push((checked, given)),
            ControlFlow::Break(status) => return Ok(status),
        }
    }
    if args.on_wire() {
        return chain::run(args, &policies, &wanted, ui);
    }
    let machine = Machine::here();
    let mut eviction = Eviction::new(&machine);
    let on_one = machine::stay(&machine);
    let mut outcomes = Vec::new();
    for (checked, given) in &policies {
        let mut progress = Progress::new(ui, "rounds");
        let outcome = bench::policy(
            checked,
            given.clone(),
            &wanted,
            &mut eviction,
            &mut progress,
        );
        drop(progress);
        outcomes.push(outcome?);
    }
    drop(on_one);
    if let Some(path) = &args.svg {
        draw(path, &machine, &outcomes)?;
    }
    match format {
        Format::Json => ui.json(&report::data(&machine, wanted.rounds, &outcomes)),
        Format::Text => say(&machine, wanted.rounds, &outcomes, ui),
    }
    Ok(Status::Fine)
}

/// The packet that `--packet` says, if it says one. Where that is none it was told, and nothing is measured.
fn given(
    args: &Bench,
    checked: &Checked,
    ui: &mut Ui,
) -> Result<ControlFlow<Status, Option<Came>>, Failure> {
    let Some(sentence) = &args.packet else {
        return Ok(ControlFlow::Continue(None));
    };
    let ingress = checked.interface(args.on.as_deref())?;
    let world = bench::world(&checked.pipeline.manifest, ingress);
    let frame = checked.packet(sentence, (&world, ingress), args.output.format, ui)?;
    Ok(match frame {
        Some(frame) => ControlFlow::Continue(Some(bench::padded(frame, ingress))),
        None => ControlFlow::Break(Status::Findings),
    })
}

#[cfg(not(target_os = "linux"))]
mod chain {
    use super::{Bench, Came, Checked, Failure, Status, Ui, Wanted};

    pub(super) fn run(
        _: &Bench,
        _: &[(Checked, Option<Came>)],
        _: &Wanted<'_>,
        _: &mut Ui,
    ) -> Result<Status, Failure> {
        Err(Failure::told("network namespaces need Linux"))
    }
}

fn draw(path: &Path, machine: &Machine, outcomes: &[bench::Outcome]) -> Result<(), Failure> {
    let charts: Vec<_> = outcomes.iter().flat_map(report::charts).collect();
    file::write(path, svg::draw(&charts, &machine.words()).as_bytes())
}

fn say(machine: &Machine, rounds: u32, outcomes: &[bench::Outcome], ui: &mut Ui) {
    let width = Ui::width();
    for outcome in outcomes {
        for chart in report::charts(outcome) {
            for line in chart.lines(width) {
                ui.print(line);
            }
            ui.print("");
        }
        for line in report::words(outcome) {
            ui.print(line);
        }
    }
    let noun = if rounds == 1 { "round" } else { "rounds" };
    ui.print(format_args!("machine {}; {rounds} {noun}", machine.words()));
}
