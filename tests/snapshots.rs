//! What the compiler makes of each policy, stage by stage: `snapshots/<policy>/{1.graph,2.ir,3.wasm}.snap`.

mod support;

use support::{files, reviewed, say, short};

#[test]
fn every_stage_of_every_policy_is_as_reviewed() {
    for path in files("policies", "lvs") {
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        reviewed(&format!("snapshots/{name}"), || {
            for (stage, emit) in [("1.graph", "graph"), ("2.ir", "ir"), ("3.wasm", "wat")] {
                let said = say(&["build", &short(&path), "--emit", emit, "-o", "-"]);
                assert_eq!(said.code, 0, "{name} {stage}: {}", said.err);
                insta::assert_snapshot!(stage, said.out);
            }
        });
    }
}

#[test]
fn equal_policies_give_equal_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = ["a.wasm", "b.wasm"].map(|name| {
        let path = folder.path().join(name);
        let said = say(&[
            "build",
            "policies/dr.lvs",
            "-o",
            path.to_str().expect("a plain name"),
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        std::fs::read(path).expect("it was written")
    });
    assert!(!bytes[0].is_empty() && bytes[0] == bytes[1]);
}
