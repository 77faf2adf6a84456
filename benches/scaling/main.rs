//! How cost grows with a policy: `cargo bench --bench scaling` prints the tables of docs/performance.md. README.md beside
//! this file tells how they are made.

#[allow(dead_code, reason = "the bench uses a part")]
#[path = "../../cli/compile.rs"]
mod compile;
mod measure;
mod policies;
mod rings;
mod sweep;
mod tables;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use measure::{Asked, Failure};
use policies::FAMILIES;

/// As `--only` names the rings.
const RINGS: &str = "rings";
/// What the control plane does with time.
const SWEEP: &str = "sweep";

/// Measures policies that are alike but for one number, and prints Markdown
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench scaling --")]
struct Args {
    /// What grows; all of them unless given
    #[arg(long, value_name = "FAMILY", value_parser = PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// Leaves larger policies out
    #[arg(long, value_name = "N", default_value_t = u32::MAX, hide_default_value = true)]
    most: u32,
    /// Rounds of `lvsc bench`, and of filling a ring
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Starts of `lvsc build`, of which the median is taken
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// The compiler to measure, instead of the one that cargo builds
    #[arg(long, value_name = "PATH", env = "LVSC", default_value = env!("CARGO_BIN_EXE_lvsc"), hide_default_value = true)]
    lvsc: PathBuf,
    /// As cargo starts it
    #[arg(long, hide = true)]
    bench: bool,
}

fn names() -> Vec<&'static str> {
    let families = FAMILIES.iter().map(|family| family.name);
    families.chain([RINGS, SWEEP]).collect()
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(why) | Failure::Broken(why)) => {
            let _ = writeln!(io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let asked = Asked {
        lvsc: args.lvsc,
        folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scaling"),
        rounds: args.rounds,
        flows: 1 << 16,
        starts: args.starts,
    };
    let wanted = |name| args.only.is_empty() || args.only.iter().any(|only| only == name);
    for family in FAMILIES.iter().filter(|family| wanted(family.name)) {
        io::stdout().write_all(tables::of(family, args.most, &asked)?.as_bytes())?;
    }
    if wanted(RINGS) {
        io::stdout().write_all(rings::table(args.most, args.rounds).as_bytes())?;
    }
    if wanted(SWEEP) {
        io::stdout().write_all(sweep::table(args.most, args.rounds).as_bytes())?;
    }
    Ok(())
}
