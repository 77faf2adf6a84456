//! What the compiler makes of each policy, stage by stage:
//! `snapshots/<policy>/{1.graph,2.ir,3.wasm,4.xdp,5.native}.snap`, and the figures of its eBPF object, `6.figures.snap`. Of
//! machine code it is what Cranelift gets: the same for every processor.

mod support;

use support::{files, reviewed, root, say, short};

/// A stage's name, the target that passes through it, and what it is called there.
const STAGES: &[(&str, &str, &str)] = &[
    ("1.graph", "wasm", "graph"),
    ("2.ir", "wasm", "ir"),
    ("3.wasm", "wasm", "wat"),
    ("4.xdp", "xdp", "asm"),
    #[cfg(feature = "native")]
    ("5.native", "native", "clif"),
];

#[test]
fn every_stage_of_every_policy_is_as_reviewed() {
    for path in files("policies", "lvs") {
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        reviewed(&format!("snapshots/{name}"), || {
            for (stage, target, emit) in STAGES {
                let policy = short(&path);
                let args = ["--target", target, "--emit", emit, "-o", "-"];
                let said = say(&[&["build", &policy][..], &args].concat());
                assert_eq!(said.code, 0, "{name} {stage}: {}", said.err);
                insta::assert_snapshot!(*stage, said.out);
            }
            insta::assert_snapshot!("6.figures", figures(&short(&path)));
        });
    }
}

/// What `build` says of a policy's object, without the file and the size of it.
fn figures(policy: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let object = folder.path().join("policy.o");
    let object = object.to_str().expect("a plain name");
    let said = say(&["build", policy, "--target", "xdp", "-o", object]);
    assert_eq!(said.code, 0, "{policy}: {}", said.err);
    let (_, figures) = said.out.split_once('\n').expect("figures follow");
    figures.to_owned()
}

/// What is asked of `build`.
const BUILDS: &[&[&str]] = &[
    &["--emit", "graph"],
    &["--emit", "ir"],
    &["--emit", "wat"],
    &["--target", "wasm"],
    &["--target", "xdp"],
    #[cfg(feature = "native")]
    &["--target", "native"],
    #[cfg(feature = "native")]
    &["--target", "native", "--emit", "asm"],
    #[cfg(feature = "native")]
    &["--target", "native", "--emit", "header"],
];

#[test]
fn equal_policies_give_equal_bytes_wherever_they_lie() {
    let made = ["one", "another/deeper"].map(|place| {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join(place);
        std::fs::create_dir_all(&place).expect("a folder in it");
        let policy = place.join("dr.lvs");
        std::fs::copy(root().join("policies/dr.lvs"), &policy).expect("a copy");
        let policy = policy.to_str().expect("a plain name");
        let each = BUILDS.iter().map(|asked| {
            let to = place.join("made");
            let to = to.to_str().expect("a plain name");
            let said = say(&[&["build", policy, "-o", to], *asked].concat());
            assert_eq!(said.code, 0, "{asked:?}: {}", said.err);
            let bytes = std::fs::read(to).expect("it was written");
            assert!(!bytes.is_empty(), "{asked:?}");
            bytes
        });
        each.collect::<Vec<_>>()
    });
    for ((one, another), asked) in made[0].iter().zip(&made[1]).zip(BUILDS) {
        assert!(one == another, "{asked:?}");
    }
}
