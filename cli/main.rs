//! The `lvsc` binary: reads the arguments, calls the command, says how it ended.

mod args;
mod bench;
mod commands;
mod compile;
mod config;
#[cfg(target_os = "linux")]
mod control;
mod cost;
mod engines;
mod failure;
mod interrupt;
mod library;
mod lsp;
mod offload;
mod only;
mod percent;
mod plan;
mod policy;
mod remedy;
mod subject;
mod targets;
mod testing;
mod ui;
mod watch;

use std::process::ExitCode;

use crate::args::{Cli, Command, Refusal};
use crate::failure::{Failure, Status};
use crate::ui::Ui;

fn main() -> ExitCode {
    let (mut ui, ended) = match Cli::read() {
        Ok(cli) => {
            let mut ui = Ui::new(&cli.global);
            let ended = command(&cli, &mut ui);
            (ui, ended)
        }
        Err(Refusal { error, global }) => {
            let mut ui = Ui::new(&global);
            let ended = ui.usage(&error);
            (ui, Ok(ended))
        }
    };
    ui.leave();
    let ended = ended.and_then(|status| ui.lost().map_or(Ok(status), |lost| Err(unsaid(lost))));
    match ended {
        Ok(Status::Fine) => ExitCode::SUCCESS,
        Ok(Status::Findings) => ExitCode::from(1),
        Ok(Status::Refused) => ExitCode::from(2),
        Ok(Status::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            ui.failure(&failure);
            ExitCode::from(failure.status())
        }
    }
}

fn command(cli: &Cli, ui: &mut Ui) -> Result<Status, Failure> {
    let global = &cli.global;
    match &cli.command {
        None => {
            ui.bytes(args::OVERVIEW.as_bytes());
            Ok(Status::Fine)
        }
        Some(Command::Check(args)) => commands::check::run(args, global, ui),
        Some(Command::Fmt(args)) => commands::fmt::run(args, ui),
        Some(Command::Graph(args)) => commands::graph::run(args, global, ui),
        Some(Command::Trace(args)) => commands::trace::run(args, global, ui),
        Some(Command::Test(args)) => commands::test::run(args, global, ui),
        Some(Command::Build(args)) => commands::build::run(args, global, ui),
        Some(Command::Bench(args)) => commands::bench::run(args, global, ui),
        Some(Command::Fix(args)) => commands::fix::run(args, global, ui),
        Some(Command::Explain(args)) => commands::explain::run(args, ui),
        Some(Command::Run(args)) => commands::run::run(args, global, ui),
        Some(Command::Plan(args)) => commands::plan::run(args, ui),
        Some(Command::Reload(args)) => commands::reload::run(args, global, ui),
        Some(Command::Unpin(args)) => commands::unpin::run(args, ui),
        Some(Command::Lsp(_)) => commands::lsp::run(ui),
        Some(Command::Completions(args)) => {
            commands::completions::run(args, ui);
            Ok(Status::Fine)
        }
        Some(Command::Man(args)) => commands::man::run(args, ui),
    }
}

fn unsaid(source: std::io::Error) -> Failure {
    Failure::Write {
        path: "standard output".into(),
        source,
    }
}
