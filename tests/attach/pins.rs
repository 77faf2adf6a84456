//! A program that stays on its device, and what its connections notice of who comes and goes.

use lvsc_runtime::lab::namespaces::Lab;

use crate::child::{Connection, ETH0, RS1, RS2, Running, could_not, file, link, packets, policy};
use crate::devices::refused;

/// Connections that are held; the ring alone would not find the servers of all of them again.
const HELD: usize = 8;

pub fn connections_live_through_a_crash_and_another_policy(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let write =
        |name: &str, backends: &[&str], more| file(folder.path(), name, policy(backends, more));
    let policy = write("web.lvs", &[RS1, RS2], "");
    let pinned = |policy: &str| {
        let args = [policy, "--target", "xdp", "-i", "eth0", "--pin", "web"];
        Running::start(place, &args)
    };
    let mut running = pinned(&policy);
    running.hears("rs1 is at");
    running.hears("rs2 is at");
    let mut held: Vec<Connection> = (0..HELD).map(|_| Connection::open(lab)).collect();
    let mut live = |when| {
        for connection in &mut held {
            connection.lives(when);
        }
    };
    live("while the first director runs");
    running.kill();
    live("while nobody runs");
    let mut late = Connection::open(lab);
    late.lives("begun while nobody runs");
    late.end();
    assert_eq!(link(place, ETH0).programs.len(), 1);

    // The same policy: all is taken up as it is.
    let running = pinned(&policy);
    assert!(
        running.told.contains("going on with the flows"),
        "{}",
        running.told
    );
    live("under the second director");
    let args = [
        "run", &policy, "--target", "xdp", "-i", "eth0", "--pin", "web",
    ];
    could_not(place, &args, &["`web` is in use by another process"]);
    could_not(place, &["unpin", "web"], &["`web` is in use"]);
    let before = packets(&running.end());
    // Each connection is four packets to begin with, and the second director has seen three of each at most.
    let seen: u64 = before.iter().map(|(_, count)| count).sum();
    assert!(seen > 7 * HELD as u64, "{before:?}");
    let running = pinned(&policy);
    assert_eq!(packets(&running.end()), before, "counters are taken up");

    // Another weight is the same image to another program; its number is new.
    let first = link(place, ETH0).programs;
    let heavy = write("heavy.lvs", &[&format!("{RS1} weight 3"), RS2], "");
    let running = pinned(&heavy);
    live("under another weight");
    assert_ne!(link(place, ETH0).programs, first);
    let after = packets(&running.end());
    assert!(
        after.iter().zip(&before).all(|(now, then)| now > then),
        "{after:?} {before:?}"
    );

    // Other backends, another order, a counter: another image, to which all is carried.
    let other = write(
        "other.lvs",
        &["rs3 192.0.2.140", RS2, RS1],
        "counter seen\nmatch ip.dst == 192.0.2.200 { count seen }",
    );
    let running = pinned(&other);
    assert!(
        running.told.contains("taken over: clock, flows.web"),
        "{}",
        running.told
    );
    live("under another policy");
    let record = running.end();
    let last = packets(&record);
    let of =
        |packets: &[(String, u64)], name: &str| packets.iter().find(|(n, _)| n == name).unwrap().1;
    for name in ["rs1", "rs2"] {
        assert!(of(&last, name) > of(&after, name), "{last:?} {after:?}");
    }
    assert_eq!(record["counters"][0]["name"], "seen");

    // One that the kernel refuses changes nothing.
    let program = link(place, ETH0).programs;
    let object = crate::child::build(&policy);
    let bytes = refused(&std::fs::read(object).unwrap());
    let object = file(folder.path(), "refused.o", bytes);
    let args = ["run", &object, "-i", "eth0", "--pin", "web"];
    could_not(place, &args, &["verifier refuses"]);
    assert_eq!(link(place, ETH0).programs, program);
    // Nor does another policy in a mode in which the device is not.
    let args = [
        "run", &heavy, "--target", "xdp", "-i", "eth0", "--pin", "web", "--mode", "generic",
    ];
    could_not(place, &args, &["native mode already"]);
    assert_eq!(link(place, ETH0).programs, program);
    live("after what was refused");
    live("after a policy that was refused");
    // As long as they are forwarded.
    held.into_iter().for_each(Connection::end);
    let taken_off = crate::child::run(place, &["unpin", "web"]);
    assert_eq!(taken_off.out, "web: off 1 device\n", "{}", taken_off.err);
    assert_eq!(link(place, ETH0).programs, []);
}
