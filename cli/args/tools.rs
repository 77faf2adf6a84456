//! What the commands for editors, shells and manuals may be told.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// `lvsc completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lvsc completions bash > ~/.local/share/bash-completion/completions/lvsc
  lvsc completions zsh  > ~/.zfunc/_lvsc                  with ~/.zfunc in fpath
  lvsc completions fish > ~/.config/fish/completions/lvsc.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `lvsc man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lvsc man | man -l -
  lvsc man ~/.local/share/man/man1     lvsc.1, lvsc-check.1 and so on")]
pub struct Man {
    /// Write a page for each command into this folder
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// `lvsc lsp`
#[derive(Debug, Args)]
#[command(after_help = "\
An editor starts this; how to tell yours is in editors/README.md. The log goes to standard error.")]
pub struct Lsp {
    /// Over standard input and output: the only way there is, and what editors say
    #[arg(long, hide = true)]
    pub stdio: bool,
}
