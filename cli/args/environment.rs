//! The environment: a variable is a flag's default, so nothing that is typed can clash with it.
//!
//! Only flags have one that a person may want wherever they work. What a command does to which file is said to the
//! command.

use std::env;

use clap::Command;
use clap::error::ErrorKind;

/// A flag's long name, its variable, and what that may say.
const VARIABLES: [(&str, &str, Kind); 4] = [
    (
        "color",
        "LVSC_COLOR",
        Kind::Word(&["auto", "always", "never"]),
    ),
    ("format", "LVSC_FORMAT", Kind::Word(&["text", "json"])),
    ("quiet", "LVSC_QUIET", Kind::Switch),
    ("no-config", "LVSC_NO_CONFIG", Kind::Switch),
];
const ON: [&str; 4] = ["1", "true", "yes", "on"];
const OFF: [&str; 4] = ["0", "false", "no", "off"];

enum Kind {
    /// One of these.
    Word(&'static [&'static str]),
    /// Set or not.
    Switch,
}

/// The command with the environment's defaults, and what is wrong with the first variable that cannot be used.
pub(super) fn defaults(mut command: Command) -> (Command, Option<clap::Error>) {
    let mut unusable = None;
    for (long, name, kind) in VARIABLES {
        let text = env::var_os(name).unwrap_or_default();
        match kind.read(&text.to_string_lossy()) {
            Ok(None) => {}
            Ok(Some(value)) => command = with_default(command, long, value),
            Err(takes) => {
                let text = text.to_string_lossy();
                let message = format!("the variable {name} is `{text}`, it takes {takes}\n");
                unusable.get_or_insert(clap::Error::raw(ErrorKind::InvalidValue, message));
            }
        }
    }
    (command, unusable)
}

fn with_default(command: Command, long: &'static str, value: &'static str) -> Command {
    let command = command.mut_args(|arg| {
        if arg.get_long() == Some(long) {
            arg.default_value(value)
        } else {
            arg
        }
    });
    command.mut_subcommands(|command| with_default(command, long, value))
}

impl Kind {
    /// The default that a variable stands for, if it says something; else what it may say.
    fn read(&self, text: &str) -> Result<Option<&'static str>, String> {
        let is = |word: &&&str| word.eq_ignore_ascii_case(text);
        if text.is_empty() {
            return Ok(None);
        }
        match self {
            Kind::Word(words) => match words.iter().find(is) {
                Some(word) => Ok(Some(word)),
                None => Err(words.join(", ")),
            },
            Kind::Switch if ON.iter().any(|word| is(&word)) => Ok(Some("true")),
            Kind::Switch if OFF.iter().any(|word| is(&word)) => Ok(None),
            Kind::Switch => Err("1 or 0".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_false_variable_says_nothing() {
        assert_eq!(Kind::Switch.read(""), Ok(None));
        assert_eq!(Kind::Switch.read("0"), Ok(None));
        assert_eq!(Kind::Switch.read("TRUE"), Ok(Some("true")));
        assert!(Kind::Switch.read("maybe").is_err());
        let word = Kind::Word(&["text", "json"]);
        assert_eq!(word.read("json"), Ok(Some("json")));
        assert_eq!(word.read("dot"), Err("text, json".to_owned()));
    }
}
