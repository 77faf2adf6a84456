//! `lvsc fmt`: files in place, standard input through, and what `--check` shows.

use std::fs;

use crate::support::{fed, lvsc, root, said};
use crate::{could_not, folder, names};

const ODD: &str = "const   VIP=192.0.2.1\nmatch ip.dst==VIP{pass}\n";
const EVEN: &str = "const VIP = 192.0.2.1\nmatch ip.dst == VIP { pass }\n";
const WRONG: &str = "match ip.dst == {\n";

#[test]
fn a_file_is_formatted_in_place_and_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.lvs");
    fs::write(&path, ODD).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    let first = said(lvsc(folder.path()).args(["fmt", "odd.lvs"]));
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    assert_eq!(first.out, "odd.lvs: formatted\n");
    assert_eq!(fs::read_to_string(&path).expect("the file"), EVEN);
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(names(folder.path()), ["odd.lvs"]);
    let again = said(lvsc(folder.path()).args(["fmt", "odd.lvs"]));
    assert_eq!(
        (again.code, again.out.as_str(), again.err.as_str()),
        (0, "", "")
    );
}

#[test]
fn a_check_changes_nothing_and_shows_what_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.lvs");
    let text = format!("# one\n# two\n# three\n# four\n{ODD}");
    fs::write(&path, &text).expect("a file");
    let said = said(lvsc(folder.path()).args(["fmt", "--check", "odd.lvs"]));
    assert_eq!((said.code, said.err.as_str()), (1, "1 file would change\n"));
    let expected = "--- odd.lvs\n+++ odd.lvs\n@@ -2,5 +2,5 @@\n # two\n # three\n # four\n-const   VIP=192.0.2.1\n\
        -match ip.dst==VIP{pass}\n+const VIP = 192.0.2.1\n+match ip.dst == VIP { pass }\n";
    assert_eq!(said.out, expected);
    assert_eq!(fs::read_to_string(&path).expect("the file"), text);
}

#[test]
fn line_ends_and_a_byte_order_mark_are_a_difference() {
    let text = ["\u{feff}", &EVEN.replace('\n', "\r\n")].concat();
    let through = fed(lvsc(root()).args(["fmt", "-"]), &text);
    assert_eq!((through.code, through.out.as_str()), (0, EVEN));
    let check = fed(lvsc(root()).args(["fmt", "--check", "-"]), &text);
    assert_eq!(check.code, 1);
    assert!(
        check.out.contains("\n-match ip.dst == VIP { pass }\r\n"),
        "{}",
        check.out
    );
    let cut = fed(lvsc(root()).args(["fmt", "--check", "-"]), EVEN.trim_end());
    assert!(
        cut.out.contains("\n\\ No newline at end of file\n"),
        "{}",
        cut.out
    );
}

#[test]
fn standard_input_goes_to_standard_output() {
    let through = fed(lvsc(root()).args(["fmt", "-"]), ODD);
    assert_eq!(
        (through.code, through.out.as_str(), through.err.as_str()),
        (0, EVEN, "")
    );
    let same = fed(lvsc(root()).args(["fmt", "-"]), EVEN);
    assert_eq!((same.code, same.out.as_str()), (0, EVEN));
    let wrong = fed(lvsc(root()).args(["fmt", "-"]), WRONG);
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    assert!(wrong.err.contains("<stdin>:1:"), "{}", wrong.err);
    let check = fed(lvsc(root()).args(["fmt", "--check", "-"]), ODD);
    assert_eq!(check.code, 1);
    assert!(
        check.out.starts_with("--- <stdin>\n+++ <stdin>\n"),
        "{}",
        check.out
    );
}

#[test]
fn a_file_with_errors_stays_as_it_is_and_the_others_are_formatted() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("odd.lvs"), ODD).expect("a file");
    fs::write(at("wrong.lvs"), WRONG).expect("a file");
    let said = said(lvsc(folder.path()).args(["fmt", "wrong.lvs", "odd.lvs"]));
    assert_eq!((said.code, said.out.as_str()), (1, "odd.lvs: formatted\n"));
    assert!(said.err.contains("wrong.lvs: 1 error"), "{}", said.err);
    assert_eq!(
        fs::read_to_string(at("wrong.lvs")).expect("the file"),
        WRONG
    );
    assert_eq!(fs::read_to_string(at("odd.lvs")).expect("the file"), EVEN);
}

#[test]
fn a_folder_is_all_policies_below_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for inner in ["one/two", ".hidden", "empty"] {
        fs::create_dir_all(at(inner)).expect("a folder");
    }
    let inside = ["odd.lvs", "one/odd.lvs", "one/two/odd.lvs"];
    let outside = ["one/odd.txt", ".hidden/odd.lvs"];
    for file in inside.iter().chain(&outside) {
        fs::write(at(file), ODD).expect("a file");
    }
    std::os::unix::fs::symlink(folder.path(), at("one/circle")).expect("a link");
    let said = said(lvsc(folder.path()).args(["fmt", "."]));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let told = inside.map(|file| format!("./{file}: formatted\n")).concat();
    assert_eq!(said.out, told);
    for file in inside {
        assert_eq!(fs::read_to_string(at(file)).expect("the file"), EVEN);
    }
    for file in outside {
        assert_eq!(fs::read_to_string(at(file)).expect("the file"), ODD);
    }
    could_not(
        folder.path(),
        &["fmt", "empty"],
        &["there is no .lvs file below empty"],
    );
}

#[test]
fn what_became_of_each_file_is_given_as_data_too() {
    let folder = folder();
    fs::write(folder.path().join("odd.lvs"), ODD).expect("a file");
    fs::write(folder.path().join("wrong.lvs"), WRONG).expect("a file");
    let args = [
        "fmt",
        "--format",
        "json",
        "policies/dr.lvs",
        "odd.lvs",
        "wrong.lvs",
    ];
    for (check, text) in [(true, ODD), (false, EVEN)] {
        let mut command = lvsc(folder.path());
        command.args(args).args(check.then_some("--check"));
        let said = said(&mut command);
        assert_eq!((said.code, said.err.as_str()), (1, ""));
        let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
        assert_eq!(data["version"], 1);
        let files = &data["files"];
        assert_eq!(files[0]["policy"], "policies/dr.lvs");
        assert_eq!(
            (&files[0]["ok"], &files[0]["changed"]),
            (&true.into(), &false.into())
        );
        assert_eq!(
            (&files[1]["ok"], &files[1]["changed"]),
            (&true.into(), &true.into())
        );
        assert_eq!(files[2]["ok"], false);
        assert_eq!(files[2]["diagnostics"][0]["code"], "unexpected-token");
        let now = fs::read_to_string(folder.path().join("odd.lvs")).expect("the file");
        assert_eq!(now, text);
    }
    let said = fed(lvsc(root()).args(["fmt", "-", "--format", "json"]), ODD);
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(data["files"][0]["text"], EVEN);
}

#[test]
fn files_are_named_and_all_read_before_one_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    could_not(folder.path(), &["fmt"], &["<FILES>...", "lvsc fmt"]);
    fs::write(folder.path().join("odd.lvs"), ODD).expect("a file");
    could_not(
        folder.path(),
        &["fmt", "odd.lvs", "none.lvs"],
        &["cannot read none.lvs"],
    );
    let text = fs::read_to_string(folder.path().join("odd.lvs"));
    assert_eq!(text.expect("the file"), ODD);
}
