//! The only door to standard output and standard error.
//!
//! Standard output is the result, standard error is talk. A reader who goes away early (`lvsc ... | head`) is no
//! error; any other loss of output is one.

pub mod chart;
pub mod diagnostics;
pub mod diff;
pub mod file;
pub mod markdown;
pub mod progress;
pub mod svg;
pub mod table;

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use lvsc_front::diagnostics::Code;
use serde::Serialize;

use crate::args::{Color, Global};
use crate::failure::{Failure, Status};

/// What is wrong.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What is right.
pub const FINE: Style = AnsiColor::Green.on_default().bold();
/// What to do.
pub const HELP: Style = AnsiColor::Cyan.on_default().bold();
/// What heads something.
pub const HEAD: Style = Style::new().bold();

/// `text` in `style`.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// `1 test`, `2 tests`: a number with its noun.
pub fn number(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The door.
pub struct Ui {
    colour: ColorChoice,
    quiet: bool,
    verbose: bool,
    /// The first code of what was drawn, until it was said how to learn more.
    unexplained: Option<Code>,
    lost: Option<io::Error>,
    /// What was talked since it was to be recorded.
    record: Option<String>,
}

impl Ui {
    /// A door as the flags want it.
    pub fn new(global: &Global) -> Ui {
        let colour = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Ui {
            colour,
            quiet: global.quiet && !global.verbose, // the one by a variable, the other typed
            verbose: global.verbose,
            unexplained: None,
            lost: None,
            record: None,
        }
    }

    /// Keeps what is talked from now on, too.
    pub fn record(&mut self) {
        self.record = Some(String::new());
    }

    /// What was talked since then, without colours.
    pub fn recorded(&mut self) -> String {
        self.record.take().unwrap_or_default()
    }

    /// A line of the result.
    pub fn print(&mut self, line: impl Display) {
        let mut out = AutoStream::new(io::stdout(), self.colour);
        let done = writeln!(out, "{line}").and_then(|()| out.flush());
        self.note(done);
    }

    /// A line of the result that only confirms: not with `--quiet`.
    pub fn confirm(&mut self, line: impl Display) {
        if !self.quiet {
            self.print(line);
        }
    }

    /// The result as one JSON document.
    pub fn json(&mut self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(text) => self.bytes(format!("{text}\n").as_bytes()),
            Err(error) => self.note(Err(error.into())),
        }
    }

    /// The result as it is.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        let done = out.write_all(bytes).and_then(|()| out.flush());
        self.note(done);
    }

    /// A line of talk; not with `--quiet`.
    pub fn say(&mut self, line: impl Display) {
        self.talker().say(line);
    }

    /// Something that can talk from other threads.
    pub fn talker(&self) -> Talk {
        Talk {
            colour: self.colour,
            quiet: self.quiet,
        }
    }

    /// A line of talk that only `--verbose` wants.
    pub fn detail(&mut self, line: impl Display) {
        if self.verbose {
            self.talk(line);
        }
    }

    /// A line of talk in any case.
    pub fn talk(&mut self, line: impl Display) {
        if let Some(record) = &mut self.record {
            let line = line.to_string();
            let _ = writeln!(record, "{}", strip_str(&line)); // memory takes all
        }
        let mut err = AutoStream::new(io::stderr(), self.colour);
        let _ = writeln!(err, "{line}"); // nowhere is left to complain
    }

    /// Something that does not hold.
    pub fn fault(&mut self, what: impl Display) {
        self.talk(format_args!("{}: {what}", styled(ERROR, "error")));
    }

    /// Says why nothing came of it.
    pub fn failure(&mut self, failure: &Failure) {
        self.fault(failure);
        if let Some(detail) = failure.detail() {
            self.detail(detail);
        }
        if let Some(remedy) = failure.remedy() {
            self.talk(format_args!("{}: {remedy}", styled(HELP, "help")));
        }
    }

    /// Help, version and usage errors, which clap words.
    pub fn usage(&mut self, error: &clap::Error) -> Status {
        let text = error.render();
        if error.use_stderr() {
            let mut err = AutoStream::new(io::stderr(), self.colour);
            let _ = write!(err, "{}", text.ansi()); // nowhere is left to complain
            return Status::Refused;
        }
        let mut out = AutoStream::new(io::stdout(), self.colour);
        let done = write!(out, "{}", text.ansi()).and_then(|()| out.flush());
        self.note(done);
        Status::Fine
    }

    /// Whether progress may be drawn.
    pub fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Columns that the result may take: what `COLUMNS` says, else the terminal, else 100.
    pub fn width() -> usize {
        const ELSE: usize = 100;
        let told = std::env::var("COLUMNS").ok();
        let told = told.and_then(|told| told.parse().ok());
        #[cfg(target_os = "linux")]
        let told = told.or_else(|| lvsc_runtime::sys::columns().map(usize::from));
        told.unwrap_or(ELSE)
    }

    /// What of the result was lost, if it was.
    pub fn lost(&mut self) -> Option<io::Error> {
        self.lost.take()
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.lost.get_or_insert(error);
        }
    }
}

/// A voice on standard error that may be given away.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    colour: ColorChoice,
    quiet: bool,
}

impl Talk {
    /// A line of talk; not with `--quiet`.
    pub fn say(self, line: impl Display) {
        if !self.quiet {
            let mut err = AutoStream::new(io::stderr(), self.colour);
            let _ = writeln!(err, "{line}"); // nowhere is left to complain
        }
    }
}
