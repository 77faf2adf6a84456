//! What the compiler makes of each policy, stage by stage: `snapshots/<policy>/{1.graph,2.ir,3.wasm}.snap`.

mod support;

use support::{files, reviewed, root, say, short};

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
fn equal_policies_give_equal_bytes_wherever_they_lie() {
    let artifacts = ["one", "another/deeper"].map(|place| {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join(place);
        std::fs::create_dir_all(&place).expect("a folder in it");
        let policy = place.join("dr.lvs");
        std::fs::copy(root().join("policies/dr.lvs"), &policy).expect("a copy");
        let policy = policy.to_str().expect("a plain name");
        let module = place.join("dr.wasm");
        let said = say(&[
            "build",
            policy,
            "-o",
            module.to_str().expect("a plain name"),
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        let module = std::fs::read(module).expect("it was written");
        assert!(!module.is_empty());
        let stages = ["graph", "ir", "wat"]
            .map(|stage| say(&["build", policy, "--emit", stage, "-o", "-"]).out);
        (module, stages)
    });
    assert!(artifacts[0] == artifacts[1]);
}
