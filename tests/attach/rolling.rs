//! Connections that live while backends come, drain and go: `flows auto`, with real TCP.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use lvsc_abi::mac::Mac;
use lvsc_runtime::director::Notice;
use lvsc_runtime::director::interface::Io;
use lvsc_runtime::engine::wasm::WasmEngine;
use lvsc_runtime::engine::xdp::XdpEngine;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::lab::{Host, Plan};
use lvsc_runtime::sys::namespace::Namespace;

use crate::child::{self, Running, file, settled};
use crate::directed::{Directed, Load};
use crate::reload::built;

const PORT: u16 = 82;
const DOWNLOADS: usize = 8;
const UPLOADS: usize = 3;
/// Between two policies.
const GAP: Duration = Duration::from_millis(250);
/// A connection that is silent for so long is broken.
const SILENT: Duration = Duration::from_mins(1);
/// What a short connection brings (bytes).
pub const SHORT: usize = 3000;
const DOWN: u8 = b'd';
pub const UP: u8 = b'u';
pub const BRIEF: u8 = b's';

const RS1: &str = "rs1 192.0.2.130";
const RS2: &str = "rs2 192.0.2.134";
const RS3: &str = "rs3 192.0.2.138";

pub const ENGINES: [(&str, Load); 2] = [
    ("wasm", |bytes| {
        let engine = WasmEngine::load(bytes).unwrap();
        let manifest = engine.manifest().clone();
        (Box::new(engine), manifest)
    }),
    ("xdp", |object| {
        let engine = XdpEngine::load(object).unwrap();
        let manifest = engine.manifest().clone();
        (Box::new(engine), manifest)
    }),
];

/// A lab with a third real server, in a namespace of its own, and all of them serve.
pub fn served() -> (Namespace, Lab) {
    let place = Namespace::new().unwrap();
    let lab = place.run(|| {
        let mut lab = Lab::up(plan()).unwrap();
        lab.plain_frames().unwrap();
        lab
    });
    let lab = lab.unwrap();
    (0..3).for_each(|number| serve(&lab, number));
    (place, lab)
}

/// What it is made of.
pub fn plan() -> Plan {
    let mut plan = child::plan();
    plan.servers.push(Host {
        name: "rs3".to_owned(),
        ip: [192, 0, 2, 138].into(),
        mac: Mac([2, 0, 192, 0, 2, 138]),
    });
    plan
}

fn policy(more: &str, backends: &[&str]) -> String {
    let lines = backends.iter().map(|known| format!("  backend {known}\n"));
    format!(
        "{more}\npool web {{ scheduler maglev\n capacity 4\n{}  flows auto 64K idle 1m }}\n\
         match ip.dst == 192.0.2.200 {{ select rs from web\n dr(rs) }}\n",
        lines.collect::<String>()
    )
}

/// The policies one after the other, 50 of them. Who goes has drained before, for longer than openings stay with him.
fn policies() -> Vec<String> {
    let heavy = format!("{RS1} weight 3");
    let (drained, idle) = (format!("{RS3} drain"), format!("{RS2} drain"));
    let turns = |number: usize, one: &[&[&str]; 2]| -> Vec<String> {
        (0..number).map(|turn| policy("", one[turn % 2])).collect()
    };
    let mut each = turns(10, &[&[&heavy, RS2], &[RS1, RS2]]);
    each.extend(turns(16, &[&[RS1, RS2, RS3], &[&heavy, RS2, RS3]]));
    // Another image: more counters than there is room for.
    let counters = "counter a\ncounter b\ncounter c\ncounter d\ncounter e\ncounter f";
    let more = |turn: usize| if turn.is_multiple_of(2) { counters } else { "" };
    each.extend((0..18).map(|turn| policy(more(turn), &[&heavy, RS2, &drained])));
    each.extend(turns(6, &[&[&heavy, RS2], &[RS1, &idle]]));
    each
}

fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

/// The bytes from this place on.
pub fn bytes(from: usize, many: usize) -> Vec<u8> {
    (from..from + many).map(byte).collect()
}

/// Answers with its number, then with what is asked for.
fn serve(lab: &Lab, number: usize) {
    let bind = || TcpListener::bind(("0.0.0.0", PORT));
    let listener = lab.server(number).unwrap().run(bind).unwrap().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever asks sees what goes wrong.
            std::thread::spawn(move || answer(stream, number as u8));
        }
    });
}

fn answer(mut stream: TcpStream, number: u8) -> Result<()> {
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    stream.write_all(&[number])?;
    let mut at = 0;
    match kind[0] {
        DOWN => loop {
            stream.write_all(&bytes(at, 4000))?;
            at += 4000;
            sleep(Duration::from_millis(5));
        },
        UP => {
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer)?;
                if read == 0 {
                    return stream.write_all(&(at as u64).to_be_bytes());
                }
                if buffer[..read] != bytes(at, read) {
                    return Ok(()); // ends without having said how many are right
                }
                at += read;
            }
        }
        _ => stream.write_all(&bytes(0, SHORT)),
    }
}

/// A connection through the VIP, and who serves it.
pub fn open(client: &Namespace, kind: u8) -> Result<(TcpStream, u8)> {
    let vip = SocketAddr::from((plan().vip, PORT));
    let stream = client.run(move || TcpStream::connect_timeout(&vip, SILENT));
    let mut stream = stream??;
    stream.set_read_timeout(Some(SILENT))?;
    stream.set_write_timeout(Some(SILENT))?;
    stream.write_all(&[kind])?;
    let mut server = [0];
    stream.read_exact(&mut server)?;
    Ok((stream, server[0]))
}

type Ended<T> = JoinHandle<Result<T>>;

/// Reads until it is enough: so many bytes, all right.
fn download(mut stream: TcpStream, enough: Arc<AtomicBool>) -> Ended<usize> {
    std::thread::spawn(move || {
        let (mut at, mut buffer) = (0, [0; 4096]);
        while !enough.load(Ordering::Relaxed) {
            let read = stream.read(&mut buffer)?;
            if read == 0 || buffer[..read] != bytes(at, read) {
                return Err(ErrorKind::InvalidData.into());
            }
            at += read;
        }
        Ok(at)
    })
}

/// Writes until it is enough; the server has got as many bytes, all right.
fn upload(mut stream: TcpStream, enough: Arc<AtomicBool>) -> Ended<usize> {
    std::thread::spawn(move || {
        let mut at = 0;
        while !enough.load(Ordering::Relaxed) {
            stream.write_all(&bytes(at, 4000))?;
            at += 4000;
            sleep(Duration::from_millis(5));
        }
        stream.shutdown(Shutdown::Write)?;
        let mut right = [0; 8];
        stream.read_exact(&mut right)?;
        if u64::from_be_bytes(right) != at as u64 {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(at)
    })
}

/// One short connection after the other until it is enough: how many each server had.
fn brief(client: &Namespace, enough: &AtomicBool) -> Result<BTreeMap<u8, usize>> {
    let mut served = BTreeMap::new();
    while !enough.load(Ordering::Relaxed) {
        let (mut stream, server) = open(client, BRIEF)?;
        let mut came = Vec::new();
        stream.read_to_end(&mut came)?;
        if came != bytes(0, SHORT) {
            return Err(ErrorKind::InvalidData.into());
        }
        *served.entry(server).or_default() += 1;
        sleep(Duration::from_millis(3));
    }
    Ok(served)
}

pub fn no_connection_breaks_while_backends_come_drain_and_go(_: &Lab) {
    let (_place, lab) = served();
    for (target, load) in ENGINES {
        follow(&lab, target, load);
        left(&lab, target);
    }
}

/// All the policies, one after the other, while connections live.
fn follow(lab: &Lab, target: &str, load: Load) {
    let mut known: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut artifact = |text: String| {
        let artifact = known.entry(text);
        artifact
            .or_insert_with_key(|text| built(target, text))
            .clone()
    };
    let first = artifact(policy("", &[RS1, RS2]));
    let each: Vec<Vec<u8>> = policies().into_iter().map(artifact).collect();
    assert_eq!(each.len(), 50);
    let (director, client) = (lab.director().unwrap(), lab.client().unwrap());
    let directed = Directed::start(director, (load, &first), (Io::Packets, "eth0"), |_| {});
    let learnt = |notice: &Notice| matches!(notice, Notice::Neighbour { .. });
    assert!(directed.tells(2, learnt), "{:?}", directed.told);
    sleep(Duration::from_millis(200));

    let enough = Arc::new(AtomicBool::new(false));
    let long = |number: usize, kind, start: fn(TcpStream, Arc<AtomicBool>) -> Ended<usize>| {
        let each = (0..number).map(|_| open(client, kind).unwrap().0);
        let each = each.map(|stream| start(stream, Arc::clone(&enough)));
        each.collect::<Vec<_>>()
    };
    let downloads = long(DOWNLOADS, DOWN, download);
    let uploads = long(UPLOADS, UP, upload);
    let served = std::thread::scope(|scope| {
        let short = scope.spawn(|| brief(client, &enough));
        // Where this panics the others must end, for it waits for them.
        let last = Last(&enough);
        for (number, artifact) in each.iter().enumerate() {
            directed.replace(artifact);
            directed.replaced(number + 1);
            sleep(GAP);
        }
        drop(last);
        short.join().unwrap()
    });
    for (what, ended) in [("download", downloads), ("upload", uploads)] {
        for ended in ended {
            let bytes = ended.join().unwrap();
            let bytes = bytes.unwrap_or_else(|error| panic!("{target}: a {what} broke: {error}"));
            assert!(bytes > 0, "{target}: {what}");
        }
    }
    let served = served.unwrap_or_else(|error| panic!("{target}: a short one broke: {error}"));
    assert!(
        (0..3).all(|server| served.contains_key(&server)),
        "{target}: {served:?}"
    );
    let told = directed.told.lock().unwrap().clone();
    let anew = told.iter().flat_map(|notice| {
        if let Notice::Replaced(carried) = notice {
            carried.fresh.clone()
        } else {
            Vec::new()
        }
    });
    assert_eq!(anew.collect::<Vec<_>>(), [""; 0], "{target}");
    settled(lab, 3);
    // The last one has given slots of rs2 to rs1.
    let summary = directed.end();
    let [pool] = &summary.pools[..] else {
        panic!("{target}: {:?}", summary.pools);
    };
    assert!(
        (1..16_384).contains(&pool.changing) && pool.slots == 16_384,
        "{pool:?}"
    );
}

/// Says that it is enough when it goes.
struct Last<'a>(&'a AtomicBool);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A director that ends while a real server drains says so, and how many of its connections are left.
fn left(lab: &Lab, target: &str) {
    const CONNECTIONS: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let save = |backends: &[&str]| file(folder.path(), "web.lvs", policy("", backends));
    let path = save(&[RS1, RS2]);
    let args = [&*path, "-i", "eth0", "--target", target];
    let mut running = Running::start(lab.director().unwrap(), &args);
    let client = lab.client().unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let each: Vec<_> = (0..CONNECTIONS)
        .map(|_| open(client, DOWN).unwrap())
        .collect();
    let on_rs2 = each.iter().filter(|(_, server)| *server == 1).count();
    let each = each
        .into_iter()
        .map(|(stream, _)| download(stream, Arc::clone(&enough)));
    let each: Vec<_> = each.collect();
    save(&[RS1, &format!("{RS2} drain")]);
    running.signal("-HUP");
    running.hears_anew("it took ");
    sleep(Duration::from_millis(500));
    enough.store(true, Ordering::Relaxed);
    for ended in each {
        ended.join().unwrap().unwrap();
    }
    settled(lab, 3);
    // Who has closed is known for a while yet.
    let record = running.end();
    let pool = &record["pools"][0];
    assert_eq!(
        (&pool["name"], &pool["slots"]),
        (&"web".into(), &16_384.into())
    );
    let changing = pool["changing"].as_u64().unwrap();
    assert!((8000..8400).contains(&changing), "those of rs2: {pool}");
    let flows = [0, 1].map(|backend: usize| record["backends"][backend]["flows"].as_u64());
    assert_eq!(flows, [Some(0), Some(on_rs2 as u64)], "{target}: {record}");
}
