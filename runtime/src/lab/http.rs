//! Real requests over the kernel's TCP: servers that say who they are, a client that counts. HTTP/1.0 (RFC 1945), one
//! connection a request.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sys::namespace::Namespace;

/// Size of an upload and of a download (bytes).
pub(super) const LARGE: usize = 1 << 20;
/// A transfer of [`LARGE`] bytes takes milliseconds; this is for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// Byte `at` of an upload or a download: no short period, so that a lost or repeated part shows.
fn pattern(at: usize) -> u8 {
    ((at as u32 / 7).wrapping_mul(2_654_435_761) >> 24) as u8
}

/// Serves in a namespace until `stop`; `fail` is told why it cannot any more.
pub(super) fn serve(
    station: &Namespace,
    name: String,
    port: u16,
    stop: Arc<AtomicBool>,
    fail: impl FnOnce(Error) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let listener = station.run(move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))??;
    listener.set_nonblocking(true)?;
    Ok(std::thread::spawn(move || {
        accept(&listener, &name, &stop).unwrap_or_else(fail);
    }))
}

fn accept(listener: &TcpListener, name: &str, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            // A client that goes away in mid-request is no fault of the server.
            Ok((stream, peer)) => drop(answer(stream, &peer, name)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream, peer: &SocketAddr, name: &str) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (head, body) = message(&mut stream)?;
    let reply = if head.starts_with("GET /large ") {
        (0..LARGE).map(pattern).collect()
    } else {
        let intact = body
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == pattern(at));
        let intact = if intact { "intact" } else { "damaged" };
        format!("{name} {} {} {intact}\n", peer.ip(), body.len()).into_bytes()
    };
    let head = format!(
        "HTTP/1.0 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&reply)
}

/// Head and body of an HTTP message.
fn message(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 16_384];
    let mut wanted = None;
    loop {
        if wanted.is_none() {
            let end = bytes.windows(END.len()).position(|window| window == END);
            wanted = end.map(|end| {
                let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("Content-Length: "));
                let length: usize = length
                    .and_then(|length| length.trim().parse().ok())
                    .unwrap_or(0);
                (head.into_owned(), end + END.len(), length)
            });
        }
        if let Some((head, begin, length)) = &wanted
            && bytes.len() >= begin + length
        {
            let body = bytes.get(*begin..begin + length).unwrap_or_default();
            return Ok((head.clone(), body.to_vec()));
        }
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        bytes.extend_from_slice(buffer.get(..got).unwrap_or_default());
    }
}

/// Who answered, and what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) server: String,
    pub(super) client: String,
    received: usize,
    intact: bool,
}

fn exchange(to: SocketAddr, patience: Duration, head: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let head = format!(
        "{head} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        to.ip(),
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    message(&mut stream).map(|(_, body)| body)
}

fn told(body: &[u8]) -> Result<Answer> {
    let text = String::from_utf8_lossy(body);
    let mut words = text.split_whitespace();
    let mut word = || {
        words
            .next()
            .ok_or_else(|| Error::from(ErrorKind::InvalidData))
    };
    Ok(Answer {
        server: word()?.to_owned(),
        client: word()?.to_owned(),
        received: word()?
            .parse()
            .map_err(|_| Error::from(ErrorKind::InvalidData))?,
        intact: word()? == "intact",
    })
}

/// One small request.
pub(super) fn get(to: SocketAddr, patience: Duration) -> Result<Answer> {
    told(&exchange(to, patience, "GET /", &[])?)
}

/// Uploads [`LARGE`] bytes; whether they arrived whole.
pub(super) fn upload(to: SocketAddr) -> Result<bool> {
    let body: Vec<u8> = (0..LARGE).map(pattern).collect();
    let answer = told(&exchange(to, PATIENCE, "POST /", &body)?)?;
    Ok(answer.intact && answer.received == LARGE)
}

/// Downloads [`LARGE`] bytes; whether they arrived whole.
pub(super) fn download(to: SocketAddr) -> Result<bool> {
    let body = exchange(to, PATIENCE, "GET /large", &[])?;
    Ok(body.len() == LARGE
        && body
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == pattern(at)))
}
