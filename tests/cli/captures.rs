//! `lvsc run` over captures and devices.

use std::fs;

use crate::support::{ended, interrupt, lvsc, said};
use crate::{could_not, folder};

#[test]
fn a_capture_that_is_none_is_refused_and_nothing_is_written() {
    let folder = folder();
    let path = folder.path();
    let run = [
        "run",
        "policies/dr.lvs",
        "--pcap",
        "in.pcap",
        "--out",
        "out.pcap",
    ];
    let missing = ["cannot read in.pcap: no such file or directory\n", "help: "];
    could_not(path, &run, &missing);
    fs::write(
        path.join("in.pcap"),
        "this is no capture at all, whatever it is called",
    )
    .expect("a file");
    could_not(path, &run, &["in.pcap is no capture", "help: give a pcap"]);
    let whole = capture(&[frame(1), frame(2), frame(3)]);
    fs::write(path.join("in.pcap"), &whole[..whole.len() - 20]).expect("a file");
    let broken = [
        "in.pcap: packet 3",
        "the file ends inside of it\n",
        "editcap -r in.pcap whole.pcap 1-2",
    ];
    could_not(path, &run, &broken);
    let mut raw = whole;
    raw[20] = 101; // a capture of IP packets
    fs::write(path.join("in.pcap"), &raw).expect("a file");
    could_not(
        path,
        &run,
        &["link type", "help: capture on one Ethernet interface"],
    );
}

#[test]
fn what_is_read_is_never_written_over() {
    let folder = folder();
    let path = folder.path();
    let policy = fs::read(crate::support::root().join("policies/dr.lvs")).expect("the policy");
    let packets = capture(&[frame(1)]);
    fs::write(path.join("dr.lvs"), &policy).expect("a file");
    fs::write(path.join("in.pcap"), &packets).expect("a file");
    std::os::unix::fs::symlink("in.pcap", path.join("link")).expect("a link");
    let run = |args: &[&str], words: &[&str]| {
        let all = [&["run", "--pcap", "in.pcap"], args].concat();
        could_not(path, &all, words);
    };
    let policy_is = "`--out` would overwrite the policy, dr.lvs";
    run(
        &["dr.lvs", "--out", "dr.lvs"],
        &[policy_is, "help: name another file"],
    );
    run(&["--out", "dr.lvs"], &[policy_is]);
    run(
        &["--out", "link"],
        &["`--out` would overwrite what `--pcap` reads, link"],
    );
    let same = "`--out-pass` would overwrite what `--out` writes, ./x";
    run(&["--out", "x", "--out-pass", "./x"], &[same]);
    run(
        &["--out", "-"],
        &["--out", "standard input and output are not supported"],
    );
    let build = ["build", "dr.lvs", "-o", "dr.lvs"];
    could_not(path, &build, &["`-o` would overwrite the policy, dr.lvs"]);
    assert_eq!(fs::read(path.join("dr.lvs")).expect("the policy"), policy);
    assert_eq!(
        fs::read(path.join("in.pcap")).expect("the capture"),
        packets
    );
    let null = ["--out", "/dev/null", "--out-pass", "/dev/null"];
    let said = said(
        lvsc(path)
            .args(["run", "dr.lvs", "--pcap", "in.pcap"])
            .args(null),
    );
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn a_trace_drops_what_no_engine_is_given() {
    let folder = folder();
    let mut long = frame(1);
    long.resize(65_536, 0);
    fs::write(folder.path().join("in.pcap"), capture(&[long])).expect("a file");
    let trace = ["trace", "policies/dr.lvs", "--pcap", "in.pcap"];
    let said = said(lvsc(folder.path()).args(trace));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("verdict  drop, reason oversize"),
        "{}",
        said.out
    );
}

#[test]
fn a_trace_of_a_capture_says_which_frame_and_when() {
    let folder = folder();
    let input = capture(&[frame(1), frame(2)]);
    fs::write(folder.path().join("in.pcap"), input).expect("a file");
    let trace = ["trace", "policies/dr.lvs", "--pcap", "in.pcap"];
    let text = said(lvsc(folder.path()).args(trace)).out;
    assert!(
        text.starts_with("frame   1, captured at 1.000005000\npacket  eth "),
        "{text}"
    );
    assert!(
        text.contains("\nframe   2, captured at 2.000005000\npacket "),
        "{text}"
    );
    let json = said(lvsc(folder.path()).args(trace).args(["--format", "json"])).out;
    let last = json.lines().last().expect("a line");
    let record: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(record["frame"], 2);
    assert_eq!(record["time"], "2.000005000");
}

#[test]
fn a_trace_says_whom_fragments_follow() {
    let folder = folder();
    let policy = "pool web { scheduler maglev; backend rs1 192.0.2.21; fragments follow }\n\
                  match ip { select rs from web; dr(rs) }\n";
    fs::write(folder.path().join("follow.lvs"), policy).expect("a file");
    let [mut first, mut later] = [frame(1), frame(1)];
    first[20] = 0x20; // more fragments
    later[21] = 1; // the next eight bytes
    fs::write(folder.path().join("in.pcap"), capture(&[first, later])).expect("a file");
    let trace = ["trace", "follow.lvs", "--pcap", "in.pcap"];
    let said = said(lvsc(folder.path()).args(trace));
    let frames: Vec<&str> = said.out.split("\nframe ").collect();
    let [first, later] = frames.as_slice() else {
        panic!("{}", said.out)
    };
    assert!(
        first.contains("of fragments.web: for what follows this fragment"),
        "{first}"
    );
    assert!(
        later.contains("of fragments.web: that of the first fragment"),
        "{later}"
    );
    assert!(!later.contains("of ring.web"), "no pool is asked: {later}");
}

#[test]
fn a_trace_says_whose_backend_it_is() {
    let folder = folder();
    let policy = "pool web { scheduler rr; backend rs1 192.0.2.21; persist 5m }\n\
                  match ip { select rs from web; dr(rs) }\n";
    fs::write(folder.path().join("persist.lvs"), policy).expect("a file");
    let [first, mut second] = [frame(1), frame(1)];
    second[34] ^= 1; // another source port
    fs::write(folder.path().join("in.pcap"), capture(&[first, second])).expect("a file");
    let trace = ["trace", "persist.lvs", "--pcap", "in.pcap"];
    let said = said(lvsc(folder.path()).args(trace));
    let frames: Vec<&str> = said.out.split("\nframe ").collect();
    let [first, second] = frames.as_slice() else {
        panic!("{}", said.out)
    };
    assert!(
        first.contains("its client's from here on, entry "),
        "{first}"
    );
    assert!(second.contains("its client's backend, entry "), "{second}");
    assert!(second.contains("a new flow"), "{second}");
    assert!(
        !second.contains("of ring.web"),
        "no turn is taken: {second}"
    );
}

#[test]
fn a_trace_forgets_flows_in_time_and_says_that_nobody_takes_one() {
    let folder = folder();
    let policy = "pool web { scheduler wlc; backend rs1 192.0.2.21 limit 1; flows 64 idle 10s }\n\
                  match ip { select rs from web else { drop busy }; dr(rs) }\n";
    fs::write(folder.path().join("busy.lvs"), policy).expect("a file");
    let frames: Vec<_> = (1..=40).map(frame).collect();
    fs::write(folder.path().join("in.pcap"), capture(&frames)).expect("a file");
    let packets = ["busy.lvs", "--pcap", "in.pcap"];
    let traced = said(lvsc(folder.path()).arg("trace").args(packets));
    assert_eq!(traced.code, 0, "{}", traced.err);
    let text = traced.out;
    let busy = text.matches("verdict  drop, reason busy").count();
    let taken = text.matches("verdict  send").count();
    assert!(taken > 1 && busy + taken == 40, "{text}");
    let nobody = "no backend from web: a new flow, which no backend takes; key";
    assert_eq!(text.matches(nobody).count(), busy, "{text}");
    let out = ["--out", "out.pcap"];
    let ran = said(lvsc(folder.path()).arg("run").args(packets).args(out)).out;
    let sum = format!("40 frames: {taken} sent, {busy} dropped (busy {busy})");
    assert!(ran.contains(&sum), "{ran}");
}

#[test]
fn a_trace_names_what_only_looks_like_a_header() {
    let folder = folder();
    let mut short = frame(1);
    short[16..18].copy_from_slice(&[0, 10]); // a total length below the header's own
    fs::write(folder.path().join("in.pcap"), capture(&[short])).expect("a file");
    let trace = ["trace", "policies/dr.lvs", "--pcap", "in.pcap"];
    let said = said(lvsc(folder.path()).args(trace));
    assert!(said.out.contains("ip is absent"), "{}", said.out);
    assert!(
        said.out
            .contains("\nip4, tcp: shown as the bytes stand, absent by the policy's rules\n"),
        "{}",
        said.out
    );
}

#[test]
fn a_capture_is_forwarded_in_order_and_with_its_times() {
    let folder = folder();
    let path = folder.path();
    let input = capture(&[frame(1), vec![0; 9], frame(2), frame(3)]);
    fs::write(path.join("in.pcap"), &input).expect("a file");
    let engines = [
        ("interp", true),
        ("wasm", cfg!(feature = "wasm")),
        ("native", cfg!(all(feature = "native", target_os = "linux"))),
    ];
    for (engine, _) in engines.into_iter().filter(|(_, here)| *here) {
        let args = [
            "run",
            "policies/dr.lvs",
            "--target",
            engine,
            "--pcap",
            "in.pcap",
            "--out",
            "out.pcap",
            "--out-pass",
            "rest.pcap",
            "--format",
            "json",
        ];
        let said = said(lvsc(path).args(args));
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let expected = format!(
            "{{\"version\":1,\"engine\":\"{engine}\",\"frames\":4,\"send\":3,\"drop\":0,\"pass\":1,\"reasons\":{{}}}}\n"
        );
        assert_eq!(said.out, expected);
        let sent = frames(&fs::read(path.join("out.pcap")).expect("it was written"));
        let times: Vec<u32> = sent.iter().map(|(seconds, _)| *seconds).collect();
        assert_eq!(times, [1, 3, 4], "in order and with their times");
        for (left, came) in sent.iter().zip([frame(1), frame(2), frame(3)]) {
            assert_eq!(left.1[14..], came[14..], "the packet is untouched");
            assert_ne!(left.1[..6], came[..6], "the frame has another destination");
        }
        assert_eq!(
            frames(&fs::read(path.join("rest.pcap")).expect("it, too")).len(),
            1
        );
    }
}

#[test]
fn quiet_prints_a_result_and_nothing_that_only_confirms() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("in.pcap"), capture(&[frame(1)])).expect("a file");
    let quiet = |args: &str| {
        let said = said(lvsc(path).args(args.split(' ')).arg("-q"));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args}");
        said.out
    };
    let counts = quiet("run policies/dr.lvs --pcap in.pcap --out out.pcap");
    assert_eq!(
        counts,
        "1 frame: 1 sent, 0 dropped, 0 passed to the kernel\n"
    );
    let lab = quiet("run policies/dr.lvs --lab memory --requests 3");
    assert!(lab.contains("3 of 3 requests answered"), "{lab}");
    assert!(quiet("trace policies/dr.lvs --pcap in.pcap").contains("verdict"));
    assert_eq!(quiet("check policies/dr.lvs"), "");
    assert_eq!(quiet("test policies/dr.lvs --engine interp"), "");
    if cfg!(feature = "wasm") {
        assert_eq!(quiet("build policies/dr.lvs"), "");
    }
}

/// A SYN for the VIP from this port.
fn frame(port: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x77, 2, 0, 0, 0xff, 0, 1, 8, 0];
    frame.extend([
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0x9b, 0xb8, 192, 168, 46, 135, 192, 168, 46, 200,
    ]);
    frame.extend([
        0x9c, port, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame
}

/// A pcap file of these frames, a second between them.
fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([
        2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
    ]);
    for (frame, seconds) in frames.iter().zip(1_u32..) {
        for word in [seconds, 5, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// The frames of a pcap file with their seconds.
fn frames(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let mut found = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let length = word(at + 8) as usize;
        found.push((word(at), file[at + 16..at + 16 + length].to_vec()));
        at += 16 + length;
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn an_interface_that_is_not_there_is_named_with_those_that_are() {
    let folder = folder();
    let run = ["run", "policies/dr.lvs", "-i", "none0"];
    could_not(folder.path(), &run, &["no interface `none0`", "lo"]);
    let run = ["run", "policies/dr.lvs", "-i", "lo"];
    let words = ["`lo` is no Ethernet interface", "\nhelp: give the device"];
    could_not(folder.path(), &run, &words);
    let two = "interface lan\ninterface wan\nmatch ip { pass }\n";
    fs::write(folder.path().join("two.lvs"), two).expect("a file");
    let run = ["run", "two.lvs", "-i", "lo", "-i", "wan=lo"];
    let words = [
        "`lo` is given to two interfaces",
        "-i lan=DEVICE -i wan=DEVICE",
    ];
    could_not(folder.path(), &run, &words);
    let run = ["run", "policies/two-services.lvs", "-i", "wan=none0"];
    could_not(
        folder.path(),
        &run,
        &["the policy has no interface `wan`", "lan"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_that_says_nothing_can_be_interrupted() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = folder();
    let path = folder.path();
    let made = Command::new("mkfifo").arg(path.join("in.pcap")).status();
    assert!(made.expect("there is a `mkfifo`").success());
    let args = "run policies/dr.lvs --target interp --pcap in.pcap --out out.pcap";
    // Nobody writes; then somebody writes a begin, and no more.
    for begin in [None, Some(&capture(&[frame(1)])[..60])] {
        let mut child = lvsc(path)
            .args(args.split(' '))
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        let writer = begin.map(|bytes| {
            let mut pipe = fs::OpenOptions::new()
                .write(true)
                .open(path.join("in.pcap"))
                .expect("somebody reads");
            std::io::Write::write_all(&mut pipe, bytes).expect("it is written");
            pipe
        });
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(crate::names(path), ["in.pcap"], "no half-written file");
        interrupt(&child);
        let status = ended(&mut child, Duration::from_secs(10));
        assert_eq!(status.code(), Some(130));
        assert_eq!(crate::names(path), ["in.pcap"]);
        drop(writer);
    }
}

#[test]
fn what_was_built_forwards_as_its_policy_does() {
    let folder = folder();
    let path = folder.path();
    let packets: Vec<Vec<u8>> = (1..9).map(frame).collect();
    fs::write(path.join("in.pcap"), capture(&packets)).expect("a file");
    let run = |what: &str, target: &[&str]| {
        let args = [
            "run", what, "--pcap", "in.pcap", "--out", "out.pcap", "--format", "json",
        ];
        let said = said(lvsc(path).args([&args[..], target].concat()));
        assert_eq!(said.code, 0, "{what}: {}", said.err);
        (
            said.out,
            fs::read(path.join("out.pcap")).expect("it was written"),
        )
    };
    let mut targets = Vec::new();
    if cfg!(feature = "wasm") {
        targets.push(("wasm", "built.wasm"));
    }
    if cfg!(all(feature = "native", target_os = "linux")) {
        targets.push(("native", "built.native.o"));
    }
    if cfg!(target_os = "linux") && lvsc_runtime::engine::xdp::allowed() {
        targets.push(("xdp", "built.o"));
    }
    for (target, artifact) in targets {
        let build = [
            "build",
            "policies/dr.lvs",
            "--target",
            target,
            "-o",
            artifact,
        ];
        assert_eq!(said(lvsc(path).args(build)).code, 0);
        let built = run(artifact, &[]);
        assert_eq!(built, run("policies/dr.lvs", &["--target", target]));
        assert!(
            built.0.contains(&format!("\"engine\":\"{target}\"")),
            "{}",
            built.0
        );
        let bytes = fs::read(path.join(artifact)).expect("it was written");
        fs::write(path.join("half"), &bytes[..bytes.len() / 2]).expect("a file");
        let half = ["run", "half", "--pcap", "in.pcap", "--out", "out.pcap"];
        could_not(
            path,
            &half,
            &["half: ", "help: `lvsc build POLICY` makes one"],
        );
    }
}
