//! `lvsc run -i` that reads its policy again, by a signal and when it is saved.

use std::path::Path;

use lvsc_runtime::lab::namespaces::Lab;

use crate::child::{ETH0, RS1, RS2, Running, could_not, file, link, packets, policy, run};

pub const RS3: &str = "rs3 192.0.2.140 mac 02:00:00:00:00:40";

/// How frames are taken, each by an engine.
pub const WAYS: [&[&str]; 3] = [
    &["--target", "wasm", "--io", "af_packet"],
    &["--target", "wasm", "--io", "af_xdp"],
    &["--target", "xdp"],
];

/// The backends of the policy that was in force when it ended.
pub fn backends(running: Running) -> Vec<String> {
    let backends = packets(&running.end()).into_iter();
    backends.map(|(name, _)| name).collect()
}

pub fn a_signal_has_the_policy_read_again(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    for way in WAYS {
        let save = |text: &str| file(folder.path(), "web.lvs", text);
        let path = save(&policy(&[RS1, RS2], ""));
        let mut running = Running::start(place, &[&[&*path, "-i", "eth0"], way].concat());
        let mut again = |text: &str, words: &[&str]| {
            save(text);
            running.signal("-HUP");
            for (number, word) in words.iter().enumerate() {
                if number == 0 {
                    running.hears_anew(word);
                } else {
                    running.hears(word);
                }
            }
        };
        // The same image, and another one.
        let heavy = format!("{RS1} weight 3");
        again(
            &policy(&[&heavy, RS2], ""),
            &[
                "taken over: ",
                "it took ",
                "\npool web: rs1 weight 1 -> 3\n",
            ],
        );
        let shorter = policy(&[&heavy, RS2], "").replace("idle 15m", "idle 5m");
        let then = "known flows stay, and live by it from their next packet on\n";
        again(
            &shorter,
            &["taken over: ", "\npool web\n  tcp 15m -> 5m", then],
        );
        again(
            &policy(&[RS3, RS2], "counter seen"),
            &["taken over: ", "it took "],
        );
        // What is wrong, in the policy or for this director, changes nothing.
        let kept = "the policy before goes on";
        again(
            "match ip.dest == 192.0.2.1 { pass }\n",
            &["web.lvs:1:", kept],
        );
        let wan = format!("interface wan\n{}", policy(&[RS1], ""));
        again(&wan, &[kept, "interfaces are not those", "help: give it"]);
        std::fs::remove_file(&path).unwrap();
        running.signal("-HUP");
        running.hears_anew(kept);
        assert!(running.told.contains("cannot read"), "{}", running.told);
        assert_eq!(backends(running), ["rs3", "rs2"], "{way:?}");
        assert_eq!(link(place, ETH0).programs, [], "nothing is left");
    }
}

pub fn a_policy_that_is_saved_is_gone_on_with(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let save = |name: &str, text: &str| file(folder.path(), name, text);
    let path = save("web.lvs", &policy(&[RS1, RS2], ""));
    for way in WAYS {
        save("web.lvs", &policy(&[RS1, RS2], ""));
        let args = [&[&*path, "-i", "eth0", "--watch"], way].concat();
        let mut running = Running::start(place, &args);
        // What is missing is waited for, too.
        save(
            "web.lvs",
            &format!("use \"more.lvs\"\n{}", policy(&[RS3], "")),
        );
        running.hears_anew("the policy before goes on");
        let told = &running.told;
        assert!(told.contains("` tells more\n"), "where it is met: {told}");
        save("more.lvs", "counter more\n");
        running.hears_anew("it took ");
        assert!(running.told.contains("taken over"), "{}", running.told);
        std::fs::remove_file(Path::new(&path).with_file_name("more.lvs")).unwrap();
        running.hears_anew("the policy before goes on");
        assert_eq!(backends(running), ["rs3"], "{way:?}");
    }
    could_not(
        place,
        &["run", "-", "-i", "eth0", "--watch"],
        &[
            "<stdin> is no file that could be watched",
            "lvsc run web.lvs",
        ],
    );
    could_not(place, &["run", &path, "--watch"], &["--interface"]);
}

pub fn what_is_pinned_is_gone_on_with_under_its_name(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let save = |backends: &[&str]| file(folder.path(), "web.lvs", policy(backends, ""));
    let path = save(&[RS1, RS2]);
    let args = [&*path, "-i", "eth0", "--target", "xdp", "--pin", "again"];
    let mut running = Running::start(place, &args);
    save(&[RS3, RS2]);
    running.signal("-HUP");
    running.hears_anew("taken over: ");
    running.kill();
    // What is kept is the policy that was in force.
    let running = Running::start(place, &args);
    let told = running.told.clone();
    assert!(told.contains("going on with the flows"), "{told}");
    assert_eq!(backends(running), ["rs3", "rs2"]);
    assert_eq!(run(place, &["unpin", "again"]).code, 0);
}
