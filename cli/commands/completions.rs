//! `lvsc completions`: what makes a shell complete `lvsc`, from the tree of arguments.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::ui::Ui;

/// Prints it.
pub fn run(args: &Completions, ui: &mut Ui) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lvsc", &mut script);
    ui.bytes(&script);
}
