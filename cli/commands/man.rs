//! `lvsc man`: manual pages, from the tree of arguments.

use std::path::Path;

use clap::{Command, CommandFactory};

use crate::args::{Cli, Man};
use crate::failure::{Failure, Status};
use crate::ui::{Ui, file, number};

/// Prints `lvsc(1)`, or writes a page for each command.
pub fn run(args: &Man, ui: &mut Ui) -> Result<Status, Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = args.folder.as_deref() else {
        ui.bytes(&page(&command)?);
        return Ok(Status::Fine);
    };
    write(&command, folder)?;
    let mut count = 1;
    for command in command.get_subcommands() {
        write(command, folder)?;
        count += 1;
    }
    ui.confirm(format_args!(
        "{}: {}",
        folder.display(),
        number(count, "page")
    ));
    Ok(Status::Fine)
}

fn write(command: &Command, folder: &Path) -> Result<(), Failure> {
    let name = clap_mangen::Man::new(command.clone()).get_filename();
    file::write(&folder.join(name), &page(command)?)
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let version = concat!("lvsc ", env!("CARGO_PKG_VERSION"));
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command.clone())
        .source(version)
        .manual("lvsc manual")
        .render(&mut bytes)
        .map_err(|error| Failure::told(format_args!("cannot make the page: {error}")))?;
    Ok(bytes)
}
