//! Names in the BPF file system: how they go, and what is not ours.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::sys::bpf;
use serde_json::Value;

use crate::child::{ETH0, RS1, RS2, Running, build, could_not, file, foreign, link, policy, run};
use crate::devices::of_version;
use crate::support::said;

const PINS: &str = "/sys/fs/bpf/lvsc";

fn object(folder: &tempfile::TempDir) -> String {
    build(&file(folder.path(), "web.lvs", policy(&[RS1, RS2], "")))
}

pub fn what_is_pinned_comes_off(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let pinned = || {
        let running = Running::start(place, &[&object, "-i", "eth0", "--pin", "edge-1"]);
        assert!(link(place, ETH0).programs.len() == 1);
        running.end();
        assert_eq!(link(place, ETH0).programs.len(), 1, "it stays");
    };
    pinned();
    let stays = ["run", &object, "-i", "eth0"];
    could_not(
        place,
        &stays,
        &["`--pin edge-1` goes on with it, `lvsc unpin edge-1` takes it off"],
    );
    assert_eq!(run(place, &["unpin", "edge-1"]).code, 0);
    assert_eq!(link(place, ETH0).programs, []);
    assert!(!Path::new(PINS).exists(), "nothing is left");
    // Without us.
    pinned();
    fs::remove_dir_all(Path::new(PINS).join("edge-1")).unwrap();
    assert!(crate::child::wait(|| link(place, ETH0).programs.is_empty()));
    could_not(
        place,
        &["unpin", "edge-1"],
        &["nothing is pinned as `edge-1`"],
    );
    pinned();
    could_not(
        place,
        &["unpin", "egde-1"],
        &["nothing is pinned as `egde-1`", "names: edge-1"],
    );
    let generic = [
        "run", &object, "-i", "eth0", "--pin", "edge-1", "--mode", "generic",
    ];
    could_not(place, &generic, &["in native mode already", "unpin"]);
    assert_eq!(run(place, &["unpin", "edge-1"]).code, 0);
    for name in ["", "..", "a/b", "/sys", "a.b"] {
        let args = ["run", &object, "-i", "eth0", "--pin", name];
        could_not(place, &args, &["a name is 1 to 32 letters"]);
        could_not(place, &["unpin", name], &["a name is 1 to 32 letters"]);
    }
    assert!(!Path::new(PINS).exists(), "nothing is left");
}

/// All names below a folder, sorted.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            found.extend(below(&path));
        }
    }
    found.sort();
    found
}

/// A map with one value.
fn map(value: &[u8]) -> OwnedFd {
    let map = bpf::create(bpf::Map {
        kind: bpf::ARRAY,
        name: "object",
        value: value.len() as u32,
        entries: 1,
        flags: 0,
        types: None,
    });
    let map = map.unwrap();
    bpf::fill(&map, value).unwrap();
    map
}

pub fn what_is_foreign_is_left_alone(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let pinned = ["run", &object, "-i", "eth0", "--pin", "web"];
    let home = Path::new(PINS).join("web");
    let refused = |words: &[&str]| {
        let before = below(&home);
        could_not(
            place,
            &pinned,
            &[words, &["sudo rm -r /sys/fs/bpf/lvsc/web"]].concat(),
        );
        assert_eq!(below(&home), before, "nothing is changed");
        assert_eq!(link(place, ETH0).programs, []);
        fs::remove_dir_all(&home).unwrap();
    };
    fs::create_dir_all(&home).unwrap();
    bpf::pin(&map(&[0; 8]), &home.join("stranger")).unwrap();
    refused(&["web/stranger is not what lvsc keeps there"]);

    let bytes = std::fs::read(&object).unwrap();
    for (bytes, words) in [
        (of_version(&bytes, 9), "ABI version 9"),
        (bytes[..bytes.len() / 2].to_vec(), "no eBPF object"),
        (vec![0; 64], "no eBPF object"),
    ] {
        fs::create_dir_all(home.join("run_7")).unwrap();
        bpf::pin(&map(&bytes), &home.join("run_7/object")).unwrap();
        refused(&[words]);
    }

    // A program has a number of the same kind as a link of a device, and is none.
    fs::create_dir_all(&home).unwrap();
    bpf::pin(&foreign(), &home.join("link_2")).unwrap();
    could_not(place, &["unpin", "web"], &["it is no link of a device"]);
    refused(&["web/link_2 is not what lvsc keeps there: it is no link of a device"]);

    // Its maps are of another shape.
    Running::start(place, &pinned[1..]).end();
    let run_folder = below(&home)
        .into_iter()
        .find(|path| path.contains("/run_"))
        .unwrap();
    let data = Path::new(&run_folder).join("data");
    fs::remove_file(&data).unwrap();
    bpf::pin(&map(&[0; 8]), &data).unwrap();
    could_not(place, &pinned, &["the maps are not those of its object"]);
    assert_eq!(link(place, ETH0).programs.len(), 1, "it goes on");
    assert_eq!(run(place, &["unpin", "web"]).code, 0);
}

pub fn what_others_have_pinned_is_measured(lab: &Lab) {
    const SYN: &str = "eth / ip 192.0.2.7 -> 192.0.2.200 / tcp 40000 -> 80 S";
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let policy = file(folder.path(), "web.lvs", policy(&[RS1, RS2], ""));
    let [theirs, other] = ["theirs", "other"].map(|name| format!("/sys/fs/bpf/{name}"));
    bpf::pin(&foreign(), Path::new(&theirs)).unwrap();
    bpf::pin(&map(&[0; 8]), Path::new(&other)).unwrap();
    let bench = |against: &str| {
        let all = format!(
            "bench {policy} --rounds 1 --flows 4 --target interp --format json --against {against}"
        );
        let words: Vec<&str> = all.split(' ').chain(["--packet", SYN]).collect();
        run(place, &words)
    };
    let said = bench(&theirs);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let data: Value = serde_json::from_str(&said.out).unwrap();
    let results = data["policies"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["name"] == theirs);
    let result = result.unwrap();
    assert_eq!(result["verdict"], "pass", "{result}");
    assert!(
        result["floor"].is_number(),
        "measured in the kernel: {result}"
    );
    for (path, words) in [
        (other.clone(), "it is no program for XDP"),
        (
            "/sys/fs/bpf/nobody".to_owned(),
            "cannot read /sys/fs/bpf/nobody",
        ),
    ] {
        let said = bench(&path);
        assert_eq!(said.code, 2, "{}{}", said.out, said.err);
        assert!(said.err.contains(words), "{}", said.err);
    }
    for path in [theirs, other] {
        fs::remove_file(path).unwrap();
    }
}

pub fn without_a_bpf_file_system_it_is_said_how_to_get_one(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let without = move || {
        let script = "while umount /sys/fs/bpf 2> /dev/null; do :; done; exec \"$@\"";
        let mut shell = Command::new("unshare");
        shell.args([
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            env!("CARGO_BIN_EXE_lvsc"),
        ]);
        said(shell.args(["run", &object, "-i", "eth0", "--pin", "web"]))
    };
    let said = place.run(without).unwrap();
    assert_eq!(said.code, 2, "{}", said.err);
    for word in [
        "no BPF file system at /sys/fs/bpf",
        "mount -t bpf bpf /sys/fs/bpf",
    ] {
        assert!(said.err.contains(word), "{}", said.err);
    }
}
