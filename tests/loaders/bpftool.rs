//! bpftool: what a person sees of a loaded program.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::root;
use crate::{has_tool, is_allowed, objects};

#[test]
fn bpftool_loads_the_objects_and_shows_their_variables_and_lines() {
    if !is_allowed() || !has_tool("bpftool", &["version"], "bpftool") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("bpffs");
    std::fs::create_dir(&place).expect("a folder");
    // A mount namespace of its own: what is mounted goes with the shell.
    let script = "set -e; mount -t bpf bpf \"$1\"; bpftool prog load \"$2\" \"$1/p\"; \
                  bpftool prog dump xlated pinned \"$1/p\" linum; \
                  bpftool prog show pinned \"$1/p\"; \
                  id=$(bpftool -j prog show pinned \"$1/p\" | grep -o '\"map_ids\":\\[[0-9]*' | grep -o '[0-9]*$'); \
                  bpftool map dump id $id | head -c 4000";
    for (name, object) in objects(folder.path()) {
        let place = place.to_str().expect("a plain name");
        let args = ["--mount", "sh", "-c", script, "sh", place, &object];
        let said = Command::new("unshare").args(args).output();
        let said = said.expect("util-linux is everywhere");
        let (out, err) = (
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr),
        );
        assert!(said.status.success(), "{name}: {err}");
        assert!(out.contains("btf_id "), "{name}: without its types: {out}");
        assert!(out.contains("\"interfaces\""), "{name}: {out}");
        let shown: BTreeSet<&str> = out
            .lines()
            .filter_map(|line| line.strip_prefix("; "))
            .collect();
        let policy = format!("{}.lvs", name.replace('_', "-"));
        let own = shown.iter().filter(|line| said_of(line) == policy).count();
        assert!(own > 0, "{name}: no line of the policy in {out}");
    }
}

/// The file of a line like `match ip.dst == VIP { [file:dr.lvs line_num:14 line_col:7]`, whose text must be that line's.
fn said_of(shown: &str) -> String {
    let parts = shown.rsplit_once(" [file:").and_then(|(text, rest)| {
        let (file, rest) = rest.split_once(" line_num:")?;
        let (number, _) = rest.split_once(' ')?;
        Some((text, file, number.parse::<usize>().ok()?))
    });
    let (text, file, number) = parts.unwrap_or_else(|| panic!("no place in `{shown}`"));
    let folder = if file.starts_with("prelude/") {
        "compiler/front/src"
    } else {
        "policies"
    };
    let source = std::fs::read_to_string(root().join(folder).join(file)).expect("it was compiled");
    let line = source.lines().nth(number - 1).expect("it has this line");
    assert_eq!(text, line.trim(), "{file}:{number}");
    file.to_owned()
}
