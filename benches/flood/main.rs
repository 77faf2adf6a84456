//! A flood of openings, millions of them, against each engine: `cargo bench --bench flood`. It fails where an established flow
//! is lost. README.md beside this file tells what is asked.

#![allow(clippy::indexing_slicing, reason = "a bench that panics has failed")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is for people"
)]

#[allow(dead_code, reason = "the bench uses a part")]
#[path = "../../cli/compile.rs"]
mod compile;
#[allow(dead_code, reason = "the bench uses a part")]
#[path = "../../cli/engines.rs"]
mod engines;
#[allow(dead_code, reason = "the bench uses a part")]
#[path = "../../cli/failure.rs"]
mod failure;
#[allow(dead_code, reason = "the bench uses a part")]
#[path = "../../cli/remedy.rs"]
mod remedy;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use engines::Kind;
use run::{Flood, Outcome};

/// Floods tables that are full with openings, and asks whether the flows that are established keep their backends
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench flood --")]
struct Args {
    /// How many openings come, each of another flow
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(1..1 << 24))]
    openings: u32,
    /// How many entries the tables have
    #[arg(long, value_name = "N", default_values_t = [1 << 16, 1 << 20])]
    entries: Vec<u32>,
    /// Engines; all but the reference, which takes minutes, unless given
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<String>,
    /// As cargo starts it
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match flood(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => told("a flow was lost, or something was miscounted"),
        Err(error) => told(&error.to_string()),
    }
}

fn told(error: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error}"); // nobody may listen
    ExitCode::FAILURE
}

/// Prints a row for each engine, table and scheduler; whether nothing went wrong.
fn flood(args: &Args) -> io::Result<bool> {
    let mut out = io::stdout();
    writeln!(
        out,
        "| engine | scheduler | entries | established | lost | openings | refused | strayed | miscounted | ns an opening |"
    )?;
    writeln!(out, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    let mut is_right = true;
    for kind in engines::ENGINES.iter().filter(|kind| args.asks(kind)) {
        if let Err(failure) = (kind.present)() {
            writeln!(io::stderr(), "{}: {failure}", kind.name)?;
            continue;
        }
        let each = args.entries.iter();
        for (entries, scheduler) in each.flat_map(|entries| [(*entries, "rr"), (*entries, "wlc")]) {
            let flood = Flood {
                scheduler,
                entries,
                openings: args.openings,
            };
            let outcome = run::run(kind, flood).map_err(io::Error::other)?;
            writeln!(out, "{}", row(kind.name, flood, &outcome))?;
            is_right &= !outcome.is_wrong();
        }
    }
    Ok(is_right)
}

impl Args {
    fn asks(&self, kind: &Kind) -> bool {
        if self.engine.is_empty() {
            kind.target().is_some()
        } else {
            self.engine.iter().any(|name| name == kind.name)
        }
    }
}

fn row(name: &str, flood: Flood, outcome: &Outcome) -> String {
    let nanoseconds = outcome.taken.as_nanos() / u128::from(flood.openings);
    format!(
        "| {name} | `{}` | {} | {} | {} | {} | {} | {} | {} | {nanoseconds} |",
        flood.scheduler,
        flood.entries,
        outcome.established,
        outcome.lost,
        flood.openings,
        outcome.refused,
        outcome.strayed,
        outcome.miscounted,
    )
}
