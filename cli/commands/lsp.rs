//! `lvsc lsp`: the language server.

use std::io::{self, IsTerminal};

use crate::failure::{Failure, Status};
use crate::lsp;
use crate::ui::Ui;

/// Serves until the client says that it is enough.
pub fn run(ui: &mut Ui) -> Result<Status, Failure> {
    if io::stdin().is_terminal() {
        ui.say("this is for editors: they speak the language server protocol on standard input and output");
    }
    lsp::serve(ui.talker())
}
