//! `lvsc` in the director's namespace, and what is tried around it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::mac::Mac;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::lab::{Host, Plan};
use lvsc_runtime::netlink::{Link, Netlink};
use lvsc_runtime::sys::bpf;
use lvsc_runtime::sys::namespace::Namespace;
use serde_json::Value;

use crate::support::{Said, lvsc, root, said};

/// Index of `eth0` in every station.
pub const ETH0: u32 = 2;
/// The port of the servers that hold connections.
const PORT: u16 = 81;
/// The longest wait for what is to come. It tells what never comes and says nothing of speed: a machine with more to do than
/// it has processors for takes its time.
const PATIENCE: Duration = Duration::from_mins(1);

fn host(name: &str, last: u8) -> Host {
    Host {
        name: name.to_owned(),
        ip: [192, 0, 2, last].into(),
        mac: Mac([2, 0, 192, 0, 2, last]),
    }
}

pub fn plan() -> Plan {
    Plan {
        vip: [192, 0, 2, 200].into(),
        port: 80,
        prefix: 24,
        client: host("client", 135),
        director: host("director", 131),
        servers: vec![host("rs1", 130), host("rs2", 134)],
    }
}

/// Direct routing to these backends, in this order.
pub fn policy(backends: &[&str], more: &str) -> String {
    let lines: Vec<String> = backends
        .iter()
        .map(|b| format!("  backend {b}\n"))
        .collect();
    format!(
        "{more}\npool web {{ scheduler wrr\n{}  flows 1K idle 15m }}\n\
         match ip.dst == 192.0.2.200 {{ select rs from web\n dr(rs) }}\n",
        lines.concat()
    )
}

pub const RS1: &str = "rs1 192.0.2.130";
pub const RS2: &str = "rs2 192.0.2.134";

/// A folder with a file in it, saved in one step: who watches it sees no half of it.
pub fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let (path, whole) = (folder.join(name), folder.join(format!(".{name}")));
    std::fs::write(&whole, text).unwrap();
    std::fs::rename(whole, &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The object of a policy.
pub fn build(policy: &str) -> String {
    let object = PathBuf::from(policy).with_extension("o");
    let object = object.to_str().unwrap().to_owned();
    let said = said(lvsc(root()).args(["build", policy, "--target", "xdp", "-o", &object]));
    assert_eq!(said.code, 0, "{}", said.err);
    object
}

/// Runs `lvsc` in a namespace to its end.
pub fn run(place: &Namespace, args: &[&str]) -> Said {
    let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
    place.run(move || said(lvsc(root()).args(args))).unwrap()
}

/// As [`run`]; it could not, and says all of these words.
pub fn could_not(place: &Namespace, args: &[&str], words: &[&str]) -> String {
    let said = run(place, args);
    assert_eq!(said.code, 2, "{args:?}: {}{}", said.out, said.err);
    for word in words {
        assert!(
            said.err.contains(word),
            "{args:?}: no `{word}` in\n{}",
            said.err
        );
    }
    said.err
}

/// The longest wait for a line.
const SILENCE: Duration = Duration::from_mins(1);

/// A director that forwards.
pub struct Running {
    child: Child,
    /// Its lines, as they come.
    talk: Receiver<String>,
    /// What it said until it forwarded.
    pub told: String,
}

impl Running {
    /// Starts one and waits until it forwards.
    pub fn start(place: &Namespace, args: &[&str]) -> Running {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        let spawn = move || {
            let mut command = lvsc(root());
            command.arg("run").args(args).args(["--format", "json"]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        };
        let mut child = place.run(spawn).unwrap().unwrap();
        let (line, talk) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|text| line.send(text + "\n"))
        });
        let mut running = Running {
            child,
            talk,
            told: String::new(),
        };
        running.hears("forwarding on");
        running
    }

    /// Forgets what it said, and reads on until it says this.
    pub fn hears_anew(&mut self, words: &str) {
        self.told.clear();
        self.hears(words);
    }

    /// Reads on until it says this.
    pub fn hears(&mut self, words: &str) {
        while !self.told.contains(words) {
            let Ok(line) = self.talk.recv_timeout(SILENCE) else {
                panic!("it ended or is silent, no `{words}`: {}", self.told);
            };
            self.told += &line;
        }
    }

    /// How often it has said this until now.
    pub fn times(&mut self, words: &str) -> usize {
        self.told.extend(self.talk.try_iter());
        self.told.matches(words).count()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it as Ctrl-C does: its record.
    pub fn end(mut self) -> Value {
        self.signal("-INT");
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut out).unwrap();
        let status = self.child.wait().unwrap();
        self.told.extend(self.talk.iter());
        assert!(status.success(), "{}", self.told);
        serde_json::from_str(&out).unwrap()
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
    }
}

/// Packets that each backend was given.
pub fn packets(record: &Value) -> Vec<(String, u64)> {
    let backends = record["backends"].as_array().unwrap().iter();
    backends
        .map(|backend| {
            let name = backend["name"].as_str().unwrap().to_owned();
            (name, backend["packets"].as_u64().unwrap())
        })
        .collect()
}

/// A device of a namespace.
pub fn link(place: &Namespace, index: u32) -> Link {
    let links = place.run(|| Netlink::open()?.links()).unwrap().unwrap();
    links.into_iter().find(|link| link.index == index).unwrap()
}

/// Somebody else's program: every packet goes to the kernel.
pub fn foreign() -> OwnedFd {
    let program = bpf::Program {
        name: "somebody",
        code: &[0x0000_0002_0000_00b4, 0x95],
        license: c"GPL",
        types: None,
        functions: &[],
        lines: &[],
    };
    bpf::load(program, &mut []).unwrap()
}

/// Waits until `done`, for as long as there is [`PATIENCE`].
pub fn wait(mut done: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Servers that hold connections: each says its name and repeats every line.
pub fn serve(lab: &Lab) {
    for (number, host) in plan().servers.into_iter().enumerate() {
        let listener = lab
            .server(number)
            .unwrap()
            .run(|| TcpListener::bind(("0.0.0.0", PORT)));
        let listener = listener.unwrap().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let name = host.name.clone();
                std::thread::spawn(move || repeat(&stream.unwrap(), &name));
            }
        });
    }
}

fn repeat(stream: &TcpStream, name: &str) {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while matches!(lines.read_line(&mut line), Ok(1..)) {
        if (&mut &*stream)
            .write_all(format!("{name} {line}").as_bytes())
            .is_err()
        {
            return;
        }
        line.clear();
    }
}

/// The peers of a place's TCP connections that are not over, as the kernel writes them (`proc_pid_net(5)`).
pub fn connections(place: &Namespace) -> Vec<String> {
    /// States: `TIME_WAIT` and `LISTEN`.
    const OVER: [&str; 2] = ["06", "0A"];
    let known = place.run(|| std::fs::read_to_string("/proc/thread-self/net/tcp"));
    let known = known.unwrap().unwrap();
    let each = known.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace().skip(2);
        [words.next().unwrap(), words.next().unwrap()]
    });
    each.filter(|[_, state]| !OVER.contains(state))
        .map(|[peer, _]| peer.to_owned())
        .collect()
}

/// Waits until both ends know of every connection that it is over. Who does not sends again, long after, and it is the next
/// director's then.
pub fn settled(lab: &Lab, servers: usize) {
    let servers = (0..servers).map(|number| lab.server(number).unwrap());
    for place in servers.chain([lab.client().unwrap()]) {
        assert!(
            wait(|| connections(place).is_empty()),
            "{:?}",
            connections(place)
        );
    }
}

/// A connection through the VIP.
pub struct Connection<'a> {
    lab: &'a Lab,
    stream: BufReader<TcpStream>,
    server: String,
}

impl Connection<'_> {
    pub fn open(lab: &Lab) -> Connection<'_> {
        let vip = SocketAddr::from((plan().vip, PORT));
        let client = lab.client().unwrap();
        let stream = client.run(move || TcpStream::connect_timeout(&vip, PATIENCE));
        let stream = stream.unwrap().expect("the VIP answers");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connection = Connection {
            lab,
            stream: BufReader::new(stream),
            server: String::new(),
        };
        connection.server = connection.ask().expect("a server answers");
        connection
    }

    fn ask(&mut self) -> std::io::Result<String> {
        self.stream.get_mut().write_all(b"hello\n")?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let (server, hello) = line.split_once(' ').unwrap_or_default();
        assert_eq!(hello, "hello\n");
        Ok(server.to_owned())
    }

    /// Ends it on both sides, and waits until its server has heard so: one that has not asks again, long after, and what it is
    /// answered comes by the VIP when somebody else counts.
    pub fn end(mut self) {
        let from = self.stream.get_ref().local_addr().unwrap();
        let mut servers = plan().servers.into_iter();
        let number = servers.position(|host| host.name == self.server).unwrap();
        let server = self.lab.server(number).unwrap();
        let peer = format!(":{:04X}", from.port());
        let is_over = || !connections(server).iter().any(|one| one.ends_with(&peer));
        assert!(!is_over(), "{} knows nothing of {from}", self.server);
        self.stream.get_mut().shutdown(Shutdown::Write).unwrap();
        self.stream.read_to_end(&mut Vec::new()).unwrap();
        assert!(wait(is_over), "{} still knows {from}", self.server);
    }

    /// It still lives, and speaks with the same server.
    pub fn lives(&mut self, when: &str) {
        let server = self.ask().unwrap_or_else(|error| panic!("{when}: {error}"));
        assert_eq!(server, self.server, "{when}");
    }
}
