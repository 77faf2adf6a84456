//! HTTP/1.0 (RFC 1945) between the lab's hosts, as much as the lab needs: each exchange on a connection of its own.
//!
//! An answer's first line is `NAME CLIENT LENGTH DIGEST`: who answers, the client's address as the server saw it, and what
//! the server received with the request. Behind it comes what was asked for.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::wire::IpAddress;

use super::host::Host;

/// Sockets that wait for clients.
const WAITING: usize = 4;
/// Longest request and answer (bytes).
const LONGEST: usize = 16 << 20;
/// How long a client waits for an answer to anything.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a client does with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Asks who is there.
    Get,
    /// Sends so many bytes, at most 8 MiB.
    Upload(usize),
    /// Has so many bytes sent to it, at most 8 MiB.
    Download(usize),
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name of the server.
    pub server: String,
    /// The client's address, as the server saw it.
    pub client: Ipv4Addr,
    /// Bytes that were sent up or down and arrived unharmed.
    pub bytes: usize,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nobody took the connection up.
    #[error("no connection")]
    NoConnection,
    /// The connection ended before the answer was whole.
    #[error("the connection broke after {received} bytes")]
    Broken {
        /// Bytes received until then.
        received: usize,
    },
    /// The answer is not what was asked for.
    #[error("a wrong answer: {0}")]
    Wrong(String),
}

/// A server's side: its sockets, and what each has received and is to send.
pub(super) struct Serving {
    name: String,
    port: u16,
    connections: Vec<Connection>,
}

/// A connection, of either side.
struct Connection {
    handle: SocketHandle,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of the output that the socket has taken.
    written: usize,
}

impl Serving {
    pub(super) fn new(name: String, port: u16) -> Serving {
        Serving {
            name,
            port,
            connections: Vec::new(),
        }
    }

    /// Goes on with every connection; says whether there was anything to do.
    pub(super) fn advance(&mut self, host: &mut Host) -> bool {
        let mut moved = false;
        for connection in &mut self.connections {
            moved |= connection.transfer(host);
            let socket = host.sockets.get_mut::<Socket<'_>>(connection.handle);
            let client = socket.remote_endpoint().map(|remote| remote.addr);
            if let (true, Some(IpAddress::Ipv4(client)), Some(request)) = (
                connection.output.is_empty(),
                client,
                Request::parse(&connection.input),
            ) {
                connection.output = request.answer(&self.name, client);
                moved = true;
            }
            if connection.is_written() || connection.input.len() > LONGEST {
                socket.close();
            }
        }
        self.connections.retain(|connection| {
            let ended = matches!(connection.state(host), State::Closed | State::TimeWait);
            if ended {
                host.sockets.remove(connection.handle);
            }
            !ended
        });
        let waiting = |connection: &&Connection| connection.state(host) == State::Listen;
        let missing = WAITING.saturating_sub(self.connections.iter().filter(waiting).count());
        for _ in 0..missing {
            let handle = host.socket();
            // The socket is new and the port is not 0: there is no third reason to refuse.
            let _ = host.sockets.get_mut::<Socket<'_>>(handle).listen(self.port);
            self.connections.push(Connection::new(handle, Vec::new()));
        }
        moved
    }
}

impl Connection {
    fn new(handle: SocketHandle, output: Vec<u8>) -> Connection {
        Connection {
            handle,
            input: Vec::new(),
            output,
            written: 0,
        }
    }

    fn state(&self, host: &Host) -> State {
        host.sockets.get::<Socket<'_>>(self.handle).state()
    }

    fn is_written(&self) -> bool {
        !self.output.is_empty() && self.written == self.output.len()
    }

    /// Moves bytes between the socket and the connection; says whether there were any.
    fn transfer(&mut self, host: &mut Host) -> bool {
        let socket = host.sockets.get_mut::<Socket<'_>>(self.handle);
        let before = (self.input.len(), self.written);
        while socket.can_recv() {
            let taken = socket.recv(|bytes| {
                self.input.extend_from_slice(bytes);
                (bytes.len(), bytes.len())
            });
            if !matches!(taken, Ok(1..)) {
                break;
            }
        }
        let rest = self.output.get(self.written..).unwrap_or_default();
        if socket.can_send() && !rest.is_empty() {
            self.written += socket.send_slice(rest).unwrap_or(0);
        }
        before != (self.input.len(), self.written)
    }
}

/// A whole request.
struct Request<'a> {
    /// Bytes to be sent with the answer.
    wanted: usize,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The request in these bytes, once it is there as a whole.
    fn parse(bytes: &'a [u8]) -> Option<Request<'a>> {
        let (head, rest) = split(bytes)?;
        let length = header(&head, "Content-Length").and_then(|text| text.parse().ok());
        let path = head.split(' ').nth(1).unwrap_or_default();
        let wanted = path
            .strip_prefix("/download/")
            .and_then(|text| text.parse().ok());
        let body = rest.get(..length.unwrap_or(0))?;
        Some(Request {
            wanted: wanted.unwrap_or(0).min(LONGEST),
            body,
        })
    }

    fn answer(&self, name: &str, client: Ipv4Addr) -> Vec<u8> {
        let received = self.body.len();
        let line = format!("{name} {client} {received} {:016x}\n", digest(self.body));
        let length = line.len() + self.wanted;
        let mut answer =
            format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{line}").into_bytes();
        answer.extend(pattern(self.wanted));
        answer
    }
}

/// A client's side of one exchange.
pub(super) struct Asking {
    exchange: Exchange,
    /// `None` where the socket could not be made.
    connection: Option<Connection>,
    established: bool,
    ended: bool,
}

impl Asking {
    /// Begins to connect.
    pub(super) fn new(
        host: &mut Host,
        exchange: Exchange,
        from: u16,
        to: (Ipv4Addr, u16),
    ) -> Asking {
        let (line, body) = match exchange {
            Exchange::Get => ("GET /".to_owned(), Vec::new()),
            Exchange::Upload(length) => ("POST /upload".to_owned(), pattern(length).collect()),
            Exchange::Download(length) => (format!("GET /download/{length}"), Vec::new()),
        };
        let head = format!(
            "{line} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
            to.0,
            body.len()
        );
        let handle = host.connect(from, to, TIMEOUT);
        let output = [head.into_bytes(), body].concat();
        Asking {
            exchange,
            connection: handle.map(|handle| Connection::new(handle, output)),
            established: false,
            ended: false,
        }
    }

    /// Goes on with the exchange; says whether there was anything to do.
    pub(super) fn advance(&mut self, host: &mut Host) -> bool {
        let Some(connection) = &mut self.connection else {
            self.ended = true;
            return false;
        };
        let moved = connection.transfer(host);
        let socket = host.sockets.get_mut::<Socket<'_>>(connection.handle);
        self.established |= socket.may_send();
        let heard_out = socket.state() == State::CloseWait && !socket.can_recv();
        self.ended = heard_out || !socket.is_open() || connection.input.len() > 2 * LONGEST;
        moved
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended
    }

    /// Closes the client's side; what it has received is the answer. The socket is left to say goodbye in order.
    pub(super) fn end(self, host: &mut Host) -> Result<Answer, Unanswered> {
        let Some(connection) = self.connection else {
            return Err(Unanswered::NoConnection);
        };
        let socket = host.sockets.get_mut::<Socket<'_>>(connection.handle);
        if self.ended {
            socket.close();
        } else {
            socket.abort();
        }
        host.retire(connection.handle);
        if !self.established {
            return Err(Unanswered::NoConnection);
        }
        self.exchange.judge(&connection.input)
    }
}

impl Exchange {
    /// The answer in the bytes that a server sent.
    fn judge(self, bytes: &[u8]) -> Result<Answer, Unanswered> {
        let broken = || Unanswered::Broken {
            received: bytes.len(),
        };
        let wrong = |what: &str| Unanswered::Wrong(what.to_owned());
        let (head, rest) = split(bytes).ok_or_else(broken)?;
        if !head.starts_with("HTTP/1.0 200 ") {
            return Err(Unanswered::Wrong(head));
        }
        let length = header(&head, "Content-Length").and_then(|text| text.parse().ok());
        let body = rest
            .get(..length.ok_or_else(|| wrong("without a length"))?)
            .ok_or_else(broken)?;
        let end = body
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(broken)?;
        let (line, content) = body.split_at(end);
        let content = content.get(1..).unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let words: Vec<&str> = line.split(' ').collect();
        let [server, client, received, sum] = words[..] else {
            return Err(wrong(&line));
        };
        let client = client.parse().map_err(|_| wrong(&line))?;
        let (up, down) = match self {
            Exchange::Get => (0, 0),
            Exchange::Upload(length) => (length, 0),
            Exchange::Download(length) => (0, length),
        };
        let sent: Vec<u8> = pattern(up).collect();
        if received != up.to_string() || sum != format!("{:016x}", digest(&sent)) {
            return Err(Unanswered::Wrong(format!(
                "the server received {received} bytes, {sum}"
            )));
        }
        if !content.iter().copied().eq(pattern(down)) {
            return Err(Unanswered::Wrong(format!(
                "{} bytes came down",
                content.len()
            )));
        }
        Ok(Answer {
            server: server.to_owned(),
            client,
            bytes: up + down,
        })
    }
}

/// Head and body of a message, once the head is whole.
fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = bytes.split_at(end);
    Some((String::from_utf8_lossy(head).into_owned(), rest.get(4..)?))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// Bytes whose order can be told.
fn pattern(length: usize) -> impl Iterator<Item = u8> {
    (0..length).map(|at| (at ^ at >> 8 ^ at >> 16) as u8)
}

/// FNV-1a, 64 bits: enough to tell an accident.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
