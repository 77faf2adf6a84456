//! `lvsc fmt`: gives policies their one shape.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::{Fmt, Format};
use crate::config::{Chosen, Text};
use crate::failure::{Failure, Status};
use crate::policy::Broken;
use crate::ui::{ERROR, FINE, HEAD, HELP, Ui, diff, file, number, styled};

/// Formats policies, or shows what would change. Nothing is written before all of them are read.
pub fn run(args: &Fmt, ui: &mut Ui) -> Result<Status, Failure> {
    let mut found = Vec::new();
    for chosen in chosen(&args.files)? {
        let text = chosen.read()?;
        let formatted = match lvsc_front::format(&text.path, &text.source) {
            Ok(formatted) => Ok(formatted),
            Err((diagnostics, sources)) => Err(Broken {
                asked: BTreeSet::new(),
                path: text.path.clone(),
                diagnostics,
                sources,
            }),
        };
        found.push(Found {
            chosen,
            text,
            formatted,
        });
    }
    if !args.check {
        found.iter().try_for_each(Found::write)?;
    }
    match args.output.format {
        Format::Text => found.iter().for_each(|found| found.say(args.check, ui)),
        Format::Json => ui.json(&json!({
            "version": 1,
            "files": found.iter().map(|found| found.data(args.check)).collect::<Vec<_>>(),
        })),
    }
    let changed = found.iter().filter(|found| found.changed()).count();
    if args.check && changed > 0 && args.output.format == Format::Text {
        ui.say(format_args!("{} would change", number(changed, "file")));
    }
    let broken = found.iter().any(|found| found.formatted.is_err());
    Ok(if broken || args.check && changed > 0 {
        Status::Findings
    } else {
        Status::Fine
    })
}

/// A policy and its shape.
struct Found {
    chosen: Chosen,
    text: Text,
    formatted: Result<String, Broken>,
}

impl Found {
    fn changed(&self) -> bool {
        self.formatted
            .as_ref()
            .is_ok_and(|formatted| *formatted != self.text.source)
    }

    /// Writes the file, if it is one and changes.
    fn write(&self) -> Result<(), Failure> {
        match (&self.formatted, self.chosen.file()) {
            (Ok(formatted), Some(path)) if self.changed() => {
                file::write(path, formatted.as_bytes())
            }
            _ => Ok(()),
        }
    }

    fn say(&self, check: bool, ui: &mut Ui) {
        match &self.formatted {
            Err(broken) => broken.say(ui),
            Ok(formatted) if check && self.changed() => difference(&self.text, formatted, ui),
            Ok(_) if check => {}
            Ok(formatted) if self.chosen.file().is_none() => ui.bytes(formatted.as_bytes()),
            Ok(_) if self.changed() => {
                ui.confirm(format_args!(
                    "{}: {}",
                    self.text.path,
                    styled(FINE, "formatted")
                ));
            }
            Ok(_) => {}
        }
    }

    fn data(&self, check: bool) -> Value {
        let policy = &self.text.path;
        match &self.formatted {
            Err(broken) => json!({ "policy": policy, "ok": false, "diagnostics": broken.data() }),
            Ok(formatted) => {
                let mut data = json!({ "policy": policy, "ok": true, "changed": self.changed() });
                if !check
                    && self.chosen.file().is_none()
                    && let Some(fields) = data.as_object_mut()
                {
                    fields.insert("text".to_owned(), formatted.as_str().into());
                }
                data
            }
        }
    }
}

/// Shows what would change.
fn difference(text: &Text, formatted: &str, ui: &mut Ui) {
    let diff = diff::unified(&text.path, &text.source, formatted);
    // Not `lines`: a line may differ by its carriage return alone.
    for (index, line) in diff.split_terminator('\n').enumerate() {
        let style = match line.as_bytes().first() {
            _ if index < 2 => HEAD,
            Some(b'-') => ERROR,
            Some(b'+') => FINE,
            Some(b'@') => HELP,
            _ => {
                ui.print(line);
                continue;
            }
        };
        ui.print(styled(style, line));
    }
}

/// The policies that are named, and those in folders that are.
fn chosen(named: &[PathBuf]) -> Result<Vec<Chosen>, Failure> {
    let mut found = Vec::new();
    for path in named {
        if path.is_dir() {
            let mut inside = Vec::new();
            below(path, &mut inside)?;
            if inside.is_empty() {
                let folder = path.display();
                return Err(Failure::told(format_args!(
                    "there is no .lvs file below {folder}"
                )));
            }
            inside.sort();
            found.extend(inside.iter().map(|path| Chosen::named(path)));
        } else {
            found.push(Chosen::named(path));
        }
    }
    Ok(found)
}

/// The `.lvs` files of a folder and of the folders in it; what is hidden is left alone, and links to folders are not followed.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |source| Failure::Read {
        path: folder.to_owned(),
        because: None,
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            below(&path, found)?;
        } else if path.extension().is_some_and(|own| own == "lvs") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}
