//! `lvsc explain`: the page of a diagnostic.

use lvsc_front::diagnostics::{Code, Group};

use crate::args::Explain;
use crate::failure::{Failure, Status};
use crate::ui::{HEAD, Ui, markdown, styled};

/// Prints the page of a code; without one, all codes with what they say.
pub fn run(args: &Explain, ui: &mut Ui) -> Result<Status, Failure> {
    match &args.code {
        Some(name) => ui.print(markdown::plain(known(name)?.page()).trim_end()),
        None => ui.print(list().trim_end()),
    }
    Ok(Status::Fine)
}

/// The code of this name, as it stands in a diagnostic or alone.
fn known(name: &str) -> Result<Code, Failure> {
    let word = name.rsplit('[').next().unwrap_or(name);
    let word = word.trim_end_matches([']', ':']);
    let found = Code::ALL.iter().find(|code| code.as_str() == word);
    found.copied().ok_or_else(|| Failure::NoCode {
        name: name.to_owned(),
    })
}

fn list() -> String {
    let width = Code::ALL.iter().map(|code| code.as_str().len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for group in Group::ALL {
        text.push_str(&styled(HEAD, title(group)));
        text.push('\n');
        let codes = Code::ALL.iter().filter(|code| code.group() == group);
        text.extend(codes.map(|code| {
            let (name, summary) = (code.as_str(), code.summary().trim_end_matches('.'));
            format!("  {name:width$}  {summary}\n")
        }));
        text.push('\n');
    }
    text
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Text => "errors: the text cannot be read",
        Group::Meaning => "errors: what it says cannot be",
        Group::Doubt => "warnings: it can be built, and is probably not what was meant",
    }
}
