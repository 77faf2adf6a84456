//! Every scheduler under real TCP: each connection is served, shares are what the scheduler says, and what counts flows has
//! counted what the table has.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::load;
use lvsc_abi::loads::{self, Load as Work, Measure, UNLIMITED};
use lvsc_runtime::director::interface::Io;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::sys::namespace::Namespace;

use crate::child::settled;
use crate::directed::{Directed, Load};
use crate::reload::built;
use crate::rolling::{BRIEF, ENGINES, SHORT, UP, bytes, open, plan, served};

/// Together they are more than are open at the same time: with `ovf` a weight is what a backend bears.
const WEIGHTS: [u32; 3] = [2, 4, 6];
/// Connections one after the other, and those that are open at the same time after that.
const TURNS: usize = 12;
const HELD: usize = 12;

/// What is known of who serves.
#[derive(Clone, Copy)]
enum Says {
    /// In turn, as often as these numbers say.
    Turns([usize; 3]),
    /// Each new connection's server follows from how many each has.
    Least(Measure),
    /// One server for all of them.
    One,
    /// The heaviest one.
    Heaviest,
    /// One server until it has too much to do.
    Home,
    /// One of two.
    Homes,
    /// It is drawn.
    Drawn,
}

const SCHEDULERS: [(&str, Says); 15] = [
    ("rr", Says::Turns([1, 1, 1])),
    ("wrr", Says::Turns([1, 2, 3])),
    ("lc", Says::Least(Measure::Connections)),
    ("wlc", Says::Least(Measure::Connections)),
    ("sed", Says::Least(Measure::Delay)),
    ("nq", Says::Least(Measure::Idle)),
    ("ovf", Says::Least(Measure::Overflow)),
    ("sh", Says::One),
    ("dh", Says::One),
    ("fo", Says::Heaviest),
    ("lblc", Says::Home),
    ("lblcr", Says::Homes),
    ("twos", Says::Drawn),
    ("maglev", Says::Drawn),
    ("rendezvous", Says::Drawn),
];

fn policy(scheduler: &str) -> String {
    let servers = plan().servers.into_iter().zip(WEIGHTS);
    let lines = servers.map(|(host, weight)| {
        format!(
            "  backend {} {} mac {} weight {weight}\n",
            host.name, host.ip, host.mac
        )
    });
    format!(
        "pool web {{ scheduler {scheduler}\n{}  flows 1K\n}}\n\
         match ip.dst == 192.0.2.200 {{ select rs from web\n dr(rs) }}\n",
        lines.collect::<String>()
    )
}

/// A connection from its opening to its end: who has served it.
fn brief(client: &Namespace) -> u8 {
    let (mut stream, server) = open(client, BRIEF).unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    assert!(came == bytes(0, SHORT), "what came is right");
    server
}

/// Ends a connection on both sides.
fn close(mut stream: TcpStream) {
    stream.write_all(&bytes(0, 10)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut right = Vec::new();
    stream.read_to_end(&mut right).unwrap();
    assert_eq!(right, 10_u64.to_be_bytes());
}

pub fn every_scheduler_serves_every_connection_and_counts_it(_: &Lab) {
    let (_place, lab) = served();
    for (target, load) in ENGINES {
        for (scheduler, says) in SCHEDULERS {
            try_one(&lab, (target, load), (scheduler, says));
        }
    }
}

fn try_one(lab: &Lab, (target, load): (&str, Load), (scheduler, says): (&str, Says)) {
    let what = format!("{target}, {scheduler}");
    let artifact = built(target, &policy(scheduler));
    let (director, client) = (lab.director().unwrap(), lab.client().unwrap());
    let directed = Directed::start(director, (load, &artifact), (Io::Packets, "eth0"), |_| {});
    let turns: Vec<u8> = (0..TURNS).map(|_| brief(client)).collect();
    let held: Vec<(TcpStream, u8)> = (0..HELD).map(|_| open(client, UP).unwrap()).collect();
    let (held, servers): (Vec<TcpStream>, Vec<u8>) = held.into_iter().unzip();
    held.into_iter().for_each(close);
    settled(lab, 3);
    let all = [&turns[..], &servers].concat();
    judge(&what, says, target, scheduler, &turns, &servers);

    let (summary, attached) = directed.ended();
    let mut served: BTreeMap<u8, u64> = (0..3).map(|server| (server, 0)).collect();
    for server in all {
        let flows = served.entry(server).or_default();
        // What goes by an address is one flow to the table, too.
        *flows = if matches!(says, Says::One) {
            1
        } else {
            *flows + 1
        };
    }
    let flows = summary.backends.iter().map(|backend| backend.flows);
    let wanted = served.values().copied().map(Some);
    assert!(flows.eq(wanted.clone()), "{what}: {summary:?}");
    assert_eq!(summary.drop, 0, "{what}: {:?}", summary.reasons);
    let image = attached.director().engine().image();
    let counted = counted(image);
    assert!(
        counted.is_none_or(|counted| counted == in_table(image)),
        "{what}: {counted:?}"
    );
    if !matches!(says, Says::One) {
        // All are closed, and known for a while.
        let closed = in_table(image).map(|(active, inactive)| (active == 0).then_some(inactive));
        assert!(closed.into_iter().eq(wanted), "{what}: {closed:?}");
    }
}

/// Active and inactive flows of each backend, where they are counted.
fn counted(image: &dyn Image) -> Option<[(u64, u64); 3]> {
    let (_, section) = image.layout().named("loads.web")?;
    Some([0, 1, 2].map(|id| {
        let counts = image.load(section.at(id, load::COUNTS), Width::B8);
        (counts & loads::ACTIVE_MASK, counts >> loads::INACTIVE_SHIFT)
    }))
}

/// The same as the table has it.
fn in_table(image: &dyn Image) -> [(u64, u64); 3] {
    let (_, table) = image.layout().named("flows.web").unwrap();
    let mut found = [(0, 0); 3];
    for index in 0..u64::from(table.length) {
        let Some(entry) = Entry::from_bits(image.load(table.at(index, 0), Width::B8)) else {
            continue;
        };
        let of = &mut found[usize::from(entry.backend)];
        if loads::unit(entry) == loads::ACTIVE {
            of.0 += 1;
        } else {
            of.1 += 1;
        }
    }
    found
}

/// Whether connections one after the other, and those that were held after that, went where the scheduler says.
fn judge(what: &str, says: Says, target: &str, scheduler: &str, turns: &[u8], held: &[u8]) {
    let all = [turns, held].concat();
    let has = |served: &[u8]| {
        let mut has = [0_usize; 3];
        for server in served {
            has[usize::from(*server)] += 1;
        }
        has
    };
    let told = format!("{what}: {turns:?}, {held:?}");
    match says {
        Says::Turns(often) => {
            // Each processor that runs the kernel's program has turns of its own.
            let near = if target == "xdp" { 8 } else { 0 };
            let rounds = (TURNS + HELD) / often.iter().sum::<usize>();
            for (has, often) in has(&all).into_iter().zip(often) {
                assert!(has.abs_diff(often * rounds) <= near, "{told}");
            }
        }
        Says::Least(measure) => {
            let weights = if scheduler == "lc" { [1; 3] } else { WEIGHTS };
            let next = |works: &[Work; 3]| loads::least(measure, works.iter().copied()).unwrap();
            assert_eq!(all, model(weights, next), "{told}");
        }
        Says::One => assert!(all.iter().all(|server| *server == all[0]), "{told}"),
        Says::Heaviest => assert!(all.iter().all(|server| *server == 2), "{told}"),
        Says::Home => {
            let home = usize::from(turns[0]);
            let next = |works: &[Work; 3]| {
                if loads::stays(works[home], works.iter().copied()) {
                    home
                } else {
                    loads::least(Measure::Connections, works.iter().copied()).unwrap()
                }
            };
            assert_eq!(all, model(WEIGHTS, next), "{told}");
        }
        Says::Homes => assert!(has(turns).contains(&0), "{told}"),
        // With one chance in a million all go to one of them.
        Says::Drawn => assert!(
            has(&all).iter().filter(|has| **has > 0).count() > 1,
            "{told}"
        ),
    }
}

/// Who serves each connection where `next` says it of how many each has.
fn model(weights: [u32; 3], next: impl Fn(&[Work; 3]) -> usize) -> Vec<u8> {
    let mut works = weights.map(|weight| Work {
        active: 0,
        inactive: 0,
        weight,
        limit: UNLIMITED,
    });
    let mut served = Vec::new();
    for turn in 0..TURNS + HELD {
        let server = next(&works);
        let work = &mut works[server];
        if turn < TURNS {
            work.inactive += 1;
        } else {
            work.active += 1;
        }
        served.push(server as u8);
    }
    served
}
