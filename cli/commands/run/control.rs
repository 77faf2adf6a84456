//! Where a running director is asked for something. Whoever asks talks to a thread of his own; packets wait for nobody.

use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use lvsc_runtime::sys::listen::{ListenError, Listening};

use crate::args::Door;
use crate::config::Chosen;
use crate::control::{Answer, FOLDER, LONGEST, PATIENCE, Refused, Request, is_same, line, places};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::watch::GLANCE;

/// The most who are talked to at the same time.
const GUESTS: usize = 16;

/// Those who want the policy to be read again.
pub struct Asked {
    /// Somebody does.
    again: Arc<AtomicBool>,
    by: Mutex<Vec<Sender<Answer>>>,
}

impl Asked {
    /// A flag that others may raise, too.
    pub fn new(again: Arc<AtomicBool>) -> Asked {
        Asked {
            again,
            by: Mutex::default(),
        }
    }

    /// Whether somebody asks.
    pub fn is_somebody(&self) -> bool {
        self.again.load(Ordering::Relaxed)
    }

    /// All who ask until now. Nobody does after that.
    pub fn take(&self) -> Vec<Sender<Answer>> {
        let mut by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        self.again.store(false, Ordering::Relaxed);
        std::mem::take(&mut by)
    }

    fn ask(&self) -> Receiver<Answer> {
        let (by, answer) = mpsc::channel();
        let mut all = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(by);
        self.again.store(true, Ordering::Relaxed);
        answer
    }
}

/// The socket of a director.
pub struct Control {
    socket: Listening,
    /// The file of its policy.
    policy: Option<PathBuf>,
    /// Its name, for people.
    name: String,
}

impl Control {
    /// Listens where that was asked for, else where it can, which is said; `None` where it is to be off or cannot be.
    pub fn open(
        door: Option<&Door>,
        chosen: &Chosen,
        ui: &mut Ui,
    ) -> Result<Option<Control>, Failure> {
        let socket = match door {
            Some(Door::Off) => return Ok(None),
            Some(Door::At(path)) => Listening::open(path).map_err(|error| shut(path, &error))?,
            None => match somewhere(&chosen.stem()) {
                Ok(socket) => socket,
                Err(failure) => {
                    let help = failure.remedy();
                    let help = help.map_or(String::new(), |help| format!("\nhelp: {help}"));
                    ui.say(format_args!("warning: {failure}{help}"));
                    return Ok(None);
                }
            },
        };
        ui.say(format_args!(
            "`lvsc reload` is listened for at {}",
            socket.path().display()
        ));
        Ok(Some(Control {
            socket,
            policy: chosen.file().map(Path::to_owned),
            name: chosen.name(),
        }))
    }

    /// Answers those who connect, until `over`.
    pub fn serve(&self, asked: &Asked, over: impl Fn() -> bool + Sync) {
        let guests = AtomicUsize::new(0);
        thread::scope(|scope| {
            while !over() {
                let Ok(stream) = self.socket.accept(GLANCE) else {
                    thread::sleep(GLANCE); // as when there are no descriptors left
                    continue;
                };
                let Some(stream) = stream else { continue };
                if guests.load(Ordering::Relaxed) >= GUESTS {
                    let many = Refused::because("too many ask at the same time");
                    let _ = send(stream, &Err(many)); // who does not listen has gone
                    continue;
                }
                guests.fetch_add(1, Ordering::Relaxed);
                let (guests, over) = (&guests, &over);
                scope.spawn(move || {
                    let answer = self.answer(&stream, asked, over);
                    let _ = answer.map_or(Ok(()), |answer| send(stream, &answer)); // who does not listen has gone
                    guests.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }

    /// What is to be said to who has connected; `None` where he has gone.
    fn answer(
        &self,
        stream: &UnixStream,
        asked: &Asked,
        over: impl Fn() -> bool,
    ) -> Option<Answer> {
        let request = match request(stream, &over) {
            Ok(Some(request)) => request,
            Ok(None) => return None,
            Err(refused) => return Some(Err(refused)),
        };
        let Request::Reload { policy: wanted } = request;
        if let (Some(own), Some(wanted)) = (&self.policy, &wanted)
            && !is_same(own, wanted)
        {
            return Some(Err(Refused {
                help: Some(format!(
                    "`lvsc reload {}`; another policy takes a director of its own",
                    self.name
                )),
                ..Refused::because(format_args!(
                    "the director that listens here runs {}, not {}",
                    self.name,
                    wanted.display()
                ))
            }));
        }
        let answer = asked.ask();
        loop {
            match answer.recv_timeout(GLANCE) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) if !over() => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Some(Err(Refused::because("the director ends")));
                }
            }
        }
    }
}

/// At the first of the usual places where it can be.
fn somewhere(stem: &str) -> Result<Listening, Failure> {
    let mut refused = None;
    for path in places(stem) {
        let opened = prepared(&path).map_err(ListenError::System);
        match opened.and_then(|()| Listening::open(&path)) {
            Ok(socket) => return Ok(socket),
            // Who asks by the policy's name is to find one and the same.
            Err(error @ (ListenError::Taken | ListenError::NoSocket)) => {
                return Err(shut(&path, &error));
            }
            Err(error) => {
                refused.get_or_insert_with(|| shut(&path, &error));
            }
        }
    }
    Err(refused.unwrap_or_else(|| Failure::told("there is no place for a socket")))
}

/// Makes the folder of a socket: everybody's to look into where it is the machine's, else nobody else's.
fn prepared(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mode = if folder == Path::new(FOLDER) {
        0o755
    } else {
        0o700
    };
    match DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn shut(path: &Path, error: &ListenError) -> Failure {
    Failure::Told {
        what: format!("cannot listen for `lvsc reload` at {}: {error}", path.display()),
        remedy: Some(
            "`--control PATH` names another place, `--control off` none; the hangup signal does the same"
                .to_owned(),
        ),
    }
}

/// What is asked for; `None` where nothing comes any more.
fn request(mut stream: &UnixStream, over: impl Fn() -> bool) -> Result<Option<Request>, Refused> {
    const WANTED: &str = "a request is one line with a JSON object, such as {\"do\":\"reload\"}";
    let begin = Instant::now();
    let mut bytes: Vec<u8> = Vec::new();
    let mut part = [0; 512];
    let end = loop {
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            break end;
        }
        if bytes.len() > LONGEST {
            let what = format!("the request is longer than {LONGEST} bytes");
            return Err(Refused::because(what));
        }
        if over() {
            return Err(Refused::because("the director ends"));
        }
        if begin.elapsed() >= PATIENCE {
            let what = format!("no request within {} s: {WANTED}", PATIENCE.as_secs());
            return Err(Refused::because(what));
        }
        let read = stream
            .set_read_timeout(Some(GLANCE))
            .and_then(|()| stream.read(&mut part));
        match read {
            Ok(0) if bytes.is_empty() => return Ok(None),
            // Who says no more has said all.
            Ok(0) => break bytes.len(),
            Ok(read) => bytes.extend(part.iter().take(read)),
            Err(error)
                if [
                    io::ErrorKind::WouldBlock,
                    io::ErrorKind::TimedOut,
                    io::ErrorKind::Interrupted,
                ]
                .contains(&error.kind()) => {}
            Err(_) => return Ok(None),
        }
    };
    let line = bytes.get(..end).unwrap_or_default();
    let request = serde_json::from_slice(line);
    request
        .map(Some)
        .map_err(|error| Refused::because(format_args!("{error}: {WANTED}")))
}

/// Sends an answer; who takes it too slowly does not get the rest.
fn send(mut stream: UnixStream, answer: &Answer) -> io::Result<()> {
    let (begin, line) = (Instant::now(), line(answer)?);
    let mut left = line.as_bytes();
    while !left.is_empty() {
        let time = PATIENCE.saturating_sub(begin.elapsed());
        if time.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(time))?;
        match stream.write(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => left = left.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
