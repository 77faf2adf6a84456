//! `lvsc bench --chain` and `--swap`: packets go over a wire.

use crate::args::{Bench, Format};
use crate::bench::chain::report::{self, Figure};
use crate::bench::chain::{Outcome, Subject, check, rounds, swap};
use crate::bench::machine::Machine;
use crate::bench::{Came, Wanted};
use crate::failure::{Failure, Status};
use crate::interrupt;
use crate::policy::Checked;
use crate::ui::Ui;
use crate::ui::progress::Progress;

type Measure<T> =
    fn(&Subject<'_>, &Wanted<'_>, &mut Progress) -> Result<Option<Outcome<T>>, Failure>;

/// Measures policies, each with its packet if one is given.
pub fn run<'p>(
    args: &Bench,
    policies: &'p [(Checked, Option<Came>)],
    wanted: &Wanted<'_>,
    ui: &mut Ui,
) -> Result<Status, Failure> {
    let stop = interrupt::flag()?;
    let subject = |(checked, given): &'p (Checked, Option<Came>)| {
        Subject::of(checked, given.clone(), wanted, &stop)
    };
    let subjects = match policies {
        // One wire, and one policy after the other on it.
        [first, next @ ..] if args.swap => {
            let next = next.iter().map(|(checked, _)| checked).collect();
            vec![subject(first)?.replaced_by(next)?]
        }
        each => each.iter().map(subject).collect::<Result<_, _>>()?,
    };
    check()?;
    if !args.swap {
        let outcomes = each(&subjects, wanted, rounds::measure, ui)?;
        return Ok(told(args, wanted, outcomes.as_deref(), ui));
    }
    let outcomes = each(&subjects, wanted, swap::measure, ui)?;
    let status = told(args, wanted, outcomes.as_deref(), ui);
    let mut figures = outcomes.iter().flatten().flat_map(|one| &one.figures);
    Ok(if figures.any(|figure| figure.lost() > 0) {
        Status::Findings
    } else {
        status
    })
}

/// `None` where a signal asks to end.
fn each<T>(
    subjects: &[Subject<'_>],
    wanted: &Wanted<'_>,
    measure: Measure<T>,
    ui: &Ui,
) -> Result<Option<Vec<Outcome<T>>>, Failure> {
    let mut outcomes = Vec::new();
    for subject in subjects {
        let mut progress = Progress::new(ui, "rounds");
        match measure(subject, wanted, &mut progress)? {
            Some(outcome) => outcomes.push(outcome),
            None => return Ok(None),
        }
    }
    Ok(Some(outcomes))
}

fn told<T: Figure>(
    args: &Bench,
    wanted: &Wanted<'_>,
    outcomes: Option<&[Outcome<T>]>,
    ui: &mut Ui,
) -> Status {
    let Some(outcomes) = outcomes else {
        return Status::Interrupted;
    };
    let machine = Machine::here();
    match args.output.format {
        Format::Json => ui.json(&report::data(&machine, wanted.rounds, outcomes)),
        Format::Text => {
            for line in outcomes.iter().flat_map(report::lines) {
                ui.print(line);
            }
            ui.print(format_args!("machine {}", machine.words()));
        }
    }
    Status::Fine
}
