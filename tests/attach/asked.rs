//! `lvsc reload`, and whoever else talks to the socket of a director that runs.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::sys::namespace::Namespace;
use serde_json::Value;

use crate::again::{RS3, WAYS, backends};
use crate::child::{RS1, RS2, Running, could_not, file, packets, plan, policy, run, wait};
use crate::frames::{gather, packet, ring};

const SOCKET: &str = "/run/lvsc/web.sock";

/// A server of the lab, with its MAC: nobody has to be asked for it.
fn server(number: usize) -> String {
    let host = &plan().servers[number];
    format!("{} {} mac {}", host.name, host.ip, host.mac)
}

/// Direct routing by what hashes.
fn hashed(backends: &[&str], more: &str) -> String {
    policy(backends, more).replace("wrr", "maglev")
}

/// Sends what it says, and hears what comes back: the answer, and how long it took.
fn talk(words: &[u8]) -> (Value, Duration) {
    let begin = Instant::now();
    let mut stream = UnixStream::connect(SOCKET).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let _ = stream.write_all(words); // it may have heard enough
    let (mut heard, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut part) {
        heard.extend(&part[..read]);
    }
    let answer = serde_json::from_slice(&heard).expect("a line of JSON");
    (answer, begin.elapsed())
}

pub fn who_asks_is_answered_once_the_policy_is_in_force(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let save = |text: &str| file(folder.path(), "web.lvs", text);
    let mouth = ring(lab.client().unwrap());
    let mut ears = [0, 1].map(|number| ring(lab.server(number).unwrap()));
    let to = plan().director.mac;
    for way in WAYS {
        let path = save(&hashed(&[&server(0)], ""));
        let running = Running::start(place, &[&[&*path, "-i", "eth0"], way].concat());
        assert!(running.told.contains(SOCKET), "{}", running.told);
        assert_eq!(std::fs::metadata(SOCKET).unwrap().mode() & 0o777, 0o600);
        // Each new flow, from the very first packet after the answer on, goes where the new policy says.
        for turn in 1..=6 {
            save(&hashed(&[&server(turn % 2)], ""));
            let asked = run(place, &["reload", &path]);
            for flow in 0..20 {
                let flow = turn as u16 * 20 + flow;
                mouth.send(&[], &packet(to, flow, flow.into())).unwrap();
            }
            assert_eq!((asked.code, &*asked.err), (0, ""), "{}", asked.out);
            let told = format!("{path} is in force\nprogram: ");
            assert!(asked.out.contains(&told), "{}", asked.out);
            let mut came = 0;
            wait(|| {
                came += gather(&mut ears[turn % 2], Duration::from_millis(50)).len();
                came >= 20
            });
            let other = gather(&mut ears[1 - turn % 2], Duration::from_millis(50));
            assert_eq!((came, other.len()), (20, 0), "{way:?}, {turn}");
        }
        // What has changed: in the image alone, and with another program.
        let (rs1, rs2) = (server(0), server(1));
        save(&hashed(&[&rs1, &rs2], ""));
        run(place, &["reload", &path]);
        save(&hashed(&[&format!("{rs1} weight 3"), &rs2], ""));
        let asked = run(place, &["reload", &path]);
        for words in [
            "program: the same goes on: what is new is filled into its image\n",
            "pool web: rs1 weight 1 -> 3; ",
            " slots have moved\n",
            "taken over: clock",
            "it took ",
        ] {
            assert!(asked.out.contains(words), "no `{words}` in\n{}", asked.out);
        }
        save(&hashed(&[RS3, &rs2], "counter seen"));
        let asked = run(place, &["reload", &path, "--format", "json"]);
        let record: Value = serde_json::from_str(&asked.out).unwrap();
        assert_eq!(
            (&record["version"], &record["ok"]),
            (&1.into(), &true.into())
        );
        assert_eq!(record["pools"][0]["changes"][0], "rs3 added");
        assert_eq!(record["pools"][0]["changes"][1], "rs1 removed");
        what_is_otherwise_is_told_as_beforehand(place, &folder, &path);
        // Nothing is otherwise.
        let asked = run(place, &["reload", &path]);
        assert!(
            asked.out.contains("program: the same goes on"),
            "{}",
            asked.out
        );
        assert!(!asked.out.contains("pool web"), "{}", asked.out);
        assert_eq!(backends(running), ["rs3", "rs2"], "{way:?}");
        assert!(!Path::new(SOCKET).exists(), "nothing is left");
    }
}

/// Lines of a pool, and what becomes of what is known: as `lvsc plan` says it.
fn what_is_otherwise_is_told_as_beforehand(
    place: &Namespace,
    folder: &tempfile::TempDir,
    path: &str,
) {
    let pool = |lines: &str| {
        let text = hashed(&[RS3, &server(1)], "counter seen");
        text.replace("flows 1K idle 15m", lines)
    };
    let save = |text: &str| file(folder.path(), "web.lvs", text);
    let old = pool("flows 1K; timeout udp 5m; fragments follow");
    let new = pool("flows 1K; timeout udp 6m; persist 5m; fragments drop; slow_start 30s");
    save(&old);
    assert_eq!(run(place, &["reload", path]).code, 0);
    let before = file(folder.path(), "before.lvs", &old);
    save(&new);
    let json = |args: &[&str]| -> Value {
        let said = run(place, &[args, &["--format", "json"]].concat());
        serde_json::from_str(&said.out).unwrap()
    };
    let planned = json(&["plan", &before, path]);
    let told = json(&["reload", path]);
    let lines = told["pools"][0]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 4, "{told}");
    assert_eq!(told["pools"][0]["lines"], planned["pools"][0]["lines"]);
    // And to people.
    save(&old);
    let asked = run(place, &["reload", path]);
    let line = "\n  udp 6m -> 5m: known flows stay, and live by it from their next packet on\n";
    assert!(asked.out.contains(line), "no `{line}` in\n{}", asked.out);
}

pub fn who_asks_hears_why_the_policy_before_goes_on(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let save = |text: &str| file(folder.path(), "web.lvs", text);
    for way in WAYS {
        let path = save(&policy(&[RS1, RS2], ""));
        let mut running = Running::start(place, &[&[&*path, "-i", "eth0"], way].concat());
        let refused = |words: &[&str]| {
            let asked = run(place, &["reload", &path]);
            assert_eq!((asked.code, &*asked.out), (1, ""), "{}", asked.err);
            for word in words.iter().chain(&["the policy before goes on\n"]) {
                assert!(asked.err.contains(word), "no `{word}` in\n{}", asked.err);
            }
        };
        save("match ip.dest == 192.0.2.1 { pass }\n");
        refused(&["error[", "web.lvs:1:", "web.lvs: 1 error\n"]);
        running.hears_anew("web.lvs: 1 error");
        save(&format!("interface wan\n{}", policy(&[RS1], "")));
        refused(&[
            "error: the policy's interfaces are not those",
            "help: give it the same",
        ]);
        std::fs::remove_file(&path).unwrap();
        refused(&["error: cannot read "]);
        let asked = run(place, &["reload", &path, "--format", "json"]);
        let record: Value = serde_json::from_str(&asked.out).unwrap();
        assert_eq!((asked.code, &record["ok"]), (1, &false.into()));
        assert!(record["error"].as_str().unwrap().starts_with("cannot read"));
        // What the kernel cannot take over is its word, too.
        if way.contains(&"af_xdp") {
            let counts = "counter seen\ncount seen";
            save(&format!(
                "{}match eth.type == 0x1234 {{ pass }}\n",
                policy(&[RS3], counts)
            ));
            refused(&["error: the policy passes packets that it has counted"]);
        }
        // Another policy of this name has no director.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = file(elsewhere.path(), "web.lvs", policy(&[RS1], ""));
        let asked = run(place, &["reload", &other]);
        assert_eq!(asked.code, 1, "{}", asked.err);
        let words = format!("runs {path}, not {other}");
        assert!(asked.err.contains(&words), "{}", asked.err);
        assert_eq!(backends(running), ["rs1", "rs2"], "{way:?}");
    }
}

pub fn who_says_nothing_or_nonsense_keeps_nobody_waiting(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let path = file(folder.path(), "web.lvs", policy(&[RS1, RS2], ""));
    let mut running = Running::start(place, &[&path, "-i", "eth0", "--target", "wasm"]);
    // Of many who ask together the first one may be alone; the others get one answer.
    std::thread::scope(|scope| {
        let ask = || talk(b"{\"do\":\"reload\"}\n").0["ok"].clone();
        let all: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        for one in all {
            assert_eq!(one.join().unwrap(), true);
        }
    });
    let done = running.times("taken over: ");
    assert!((1..=4).contains(&done), "{done} times: {}", running.told);
    let silent: Vec<UnixStream> = (0..12)
        .map(|_| UnixStream::connect(SOCKET).unwrap())
        .collect();
    let begin = Instant::now();
    let asked = run(place, &["reload", &path]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    // Sooner than any of the silent ones is given up.
    assert!(
        begin.elapsed() < Duration::from_millis(1900),
        "{:?}",
        begin.elapsed()
    );
    let wrong = |words: &[u8], error: &str| {
        let (answer, took) = talk(words);
        let told = answer["error"].as_str().unwrap();
        assert_eq!(answer["ok"], false);
        assert!(told.contains(error), "no `{error}` in {told}");
        assert!(took < Duration::from_secs(4), "{took:?}");
    };
    wrong(b"", "no request within 2 s");
    wrong(b"{\"do\":\"reload\"", "no request within 2 s");
    wrong(b"reload\n", "such as {\"do\":\"reload\"}");
    wrong(b"\xff\xfe\n", "such as {\"do\":\"reload\"}");
    wrong(
        b"{\"do\":\"stop\"}\n",
        "unknown variant `stop`, expected `reload`",
    );
    wrong(b"{\"do\":\"reload\",\"now\":1}\n", "unknown field `now`");
    wrong(&vec![b'x'; 100_000], "longer than 4096 bytes");
    drop(silent);
    // As many as there may be, and one more; those before have gone by then.
    std::thread::sleep(Duration::from_millis(500));
    let silent: Vec<UnixStream> = (0..16)
        .map(|_| UnixStream::connect(SOCKET).unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    wrong(b"{\"do\":\"reload\"}\n", "too many ask");
    // They hold up no end, either.
    let begin = Instant::now();
    running.end();
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    drop(silent);
}

pub fn one_director_listens_at_a_place_and_leaves_it(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let path = file(folder.path(), "web.lvs", policy(&[RS1, RS2], ""));
    let plain = [
        &*path,
        "-i",
        "eth0",
        "--target",
        "wasm",
        "--io",
        "af_packet",
    ];
    let first = Running::start(place, &plain);
    // Another one of the same policy forwards, and says that nobody can ask it.
    let second = Running::start(place, &plain);
    let words =
        format!("warning: cannot listen for `lvsc reload` at {SOCKET}: another process listens");
    assert!(second.told.contains(&words), "{}", second.told);
    let taken = [&["run"], &plain[..], &["--control", SOCKET]].concat();
    could_not(place, &taken, &["another process listens there", "help: "]);
    second.end();
    assert_eq!(
        run(place, &["reload", &path]).code,
        0,
        "the first one listens still"
    );
    // A crash leaves the socket, and who comes next takes its place.
    first.kill();
    let asked = could_not(place, &["reload", &path], &["has ended", "help: start one"]);
    assert!(asked.contains(SOCKET), "{asked}");
    let third = Running::start(place, &plain);
    let reloads = |args: &[&str]| {
        let asked = run(place, &[&["reload"], args].concat());
        assert_eq!(asked.code, 0, "{args:?}: {}", asked.err);
    };
    reloads(&["--control", SOCKET]);
    third.end();
    could_not(
        place,
        &["reload", &path],
        &["no director listens at /run/lvsc/web.sock or /run/own/"],
    );

    // Where it is told to, or not at all.
    let own = folder.path().join("own.sock");
    let own = own.to_str().unwrap();
    let told = Running::start(place, &[&plain[..], &["--control", own]].concat());
    assert!(!Path::new(SOCKET).exists());
    reloads(&["--control", own]);
    assert!(!packets(&told.end()).is_empty());
    assert!(!Path::new(own).exists());
    let policy = [&["run"], &plain[..], &["--control", &path]].concat();
    could_not(place, &policy, &["what is there is no socket"]);
    assert!(Path::new(&path).exists(), "the policy is left alone");
    let off = Running::start(place, &[&plain[..], &["--control", "off"]].concat());
    assert!(!Path::new(SOCKET).exists());
    off.end();

    // Where the machine's folder cannot be had, in the user's.
    std::fs::remove_dir("/run/lvsc").unwrap();
    std::fs::write("/run/lvsc", "").unwrap();
    let users = Running::start(place, &plain);
    assert!(
        users.told.contains("/run/own/lvsc/web.sock"),
        "{}",
        users.told
    );
    reloads(&[&path]);
    users.end();
    std::fs::remove_file("/run/lvsc").unwrap();
}
