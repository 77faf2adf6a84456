//! What shells and manuals get: made from the same tree as the help.

use std::fs;
use std::process::Command;

use crate::help::commands;
use crate::support::{lvsc, root, said, say};
use crate::{could_not, folder, names};

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

#[test]
fn every_shell_completes_every_command() {
    let overview = say(&[]).out;
    for shell in SHELLS {
        let script = say(&["completions", shell]);
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{shell}");
        for word in commands(&overview)
            .into_iter()
            .chain(["watch", "no-config"])
        {
            assert!(script.out.contains(word), "{shell} does not know `{word}`");
        }
    }
}

#[test]
fn a_bash_completes_with_it() {
    let script = tempfile::NamedTempFile::new().expect("a file");
    fs::write(script.path(), say(&["completions", "bash"]).out).expect("it is written");
    let ask = "source \"$1\"; COMP_WORDS=(lvsc che); COMP_CWORD=1; _lvsc lvsc che lvsc; echo \"${COMPREPLY[*]}\"";
    let mut bash = Command::new("bash");
    let said = said(bash.args(["--norc", "-c", ask, "bash"]).arg(script.path()));
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "check\n"),
        "{}",
        said.err
    );
}

#[test]
fn the_manual_is_printed() {
    let page = say(&["man"]);
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    let version = env!("CARGO_PKG_VERSION");
    let title = format!(".TH lvsc 1  \"lvsc {version}\" \"lvsc manual\"");
    assert!(page.out.contains(&title), "{}", page.out);
    for section in ["NAME", "SYNOPSIS", "OPTIONS", "SUBCOMMANDS", "EXTRA"] {
        assert!(page.out.contains(&format!(".SH {section}")), "{section}");
    }
    for command in commands(&say(&[]).out) {
        assert!(
            page.out.contains(&format!("lvsc\\-{command}(1)")),
            "{command}"
        );
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = folder();
    let pages = folder.path().join("man1");
    could_not(
        folder.path(),
        &["man", "man1"],
        &["cannot write man1", "mkdir -p man1"],
    );
    fs::create_dir(&pages).expect("a folder");
    let said = said(lvsc(folder.path()).args(["man", "man1"]));
    let overview = say(&[]).out;
    let mut expected: Vec<String> = commands(&overview)
        .iter()
        .map(|command| format!("lvsc-{command}.1"))
        .collect();
    expected.push("lvsc.1".to_owned());
    expected.sort();
    let count = expected.len();
    assert_eq!((said.code, said.out), (0, format!("man1: {count} pages\n")));
    assert_eq!(names(&pages), expected);
    let page = fs::read_to_string(pages.join("lvsc-check.1")).expect("a page");
    for part in [".TH lvsc-check 1", "\\-\\-watch", "Examples:"] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
    let printed = say(&["man"]).out;
    let written = fs::read_to_string(pages.join("lvsc.1")).expect("a page");
    assert_eq!(written, printed);
    assert!(
        root().join("editors/README.md").exists(),
        "`lvsc lsp --help` names it"
    );
}
