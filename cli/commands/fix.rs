//! `lvsc fix`: mends what leaves no doubt of what was meant, and says what is left.

use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::mend::{self, Mended};

use crate::args::{Fix, Global};
use crate::config::{Chosen, Text};
use crate::failure::{Failure, Status};
use crate::library::Disk;
use crate::policy;
use crate::ui::{Ui, diff, file, number};

/// Mends policies. Findings are errors that are left.
pub fn run(args: &Fix, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let mut status = Status::Fine;
    for chosen in policy::choose_all(&args.policies, global, ui)? {
        let text = chosen.read()?;
        let mended = mend::mend(&text.path, &text.source, &Disk);
        if args.dry_run {
            ui.bytes(diff::unified(&text.path, &text.source, &mended.text).as_bytes());
        } else {
            keep(&chosen, &text, &mended, ui)?;
        }
        let left = &mended.compilation;
        if left.diagnostics.iter().any(Diagnostic::is_error) {
            ui.diagnostics(&text.path, &left.diagnostics, &left.sources);
            status = Status::Findings;
        } else {
            ui.warnings(&text.path, &left.diagnostics, &left.sources);
        }
    }
    Ok(status)
}

/// Writes the mended text where the policy came from, and says what was done.
fn keep(chosen: &Chosen, text: &Text, mended: &Mended, ui: &mut Ui) -> Result<(), Failure> {
    let Some(path) = chosen.file() else {
        if chosen.is_input() {
            ui.bytes(mended.text.as_bytes());
        }
        return Ok(());
    };
    if mended.text != text.source {
        file::write(path, mended.text.as_bytes())?;
    }
    let name = &text.path;
    for done in &mended.done {
        let (line, column) = (done.at.line, done.at.column);
        ui.confirm(format_args!(
            "{name}:{line}:{column}: {} ({})",
            done.message, done.code
        ));
    }
    let count = number(mended.done.len(), "place");
    ui.confirm(format_args!("{name}: {count} mended"));
    Ok(())
}
