//! `lvsc reload`: asks a running director to read its policy again, and says what came of it.

use crate::args::{Global, Reload};
use crate::failure::{Failure, Status};
use crate::ui::Ui;

/// Asks, waits, and says it.
#[cfg(target_os = "linux")]
pub fn run(args: &Reload, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    linux::run(args, global, ui)
}

/// No director runs here.
#[cfg(not(target_os = "linux"))]
pub fn run(_: &Reload, _: &Global, _: &mut Ui) -> Result<Status, Failure> {
    Err(Failure::told(
        "no director runs where there are no interfaces to forward on: that needs Linux",
    ))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use anstream::adapter::strip_str;
    use lvsc_runtime::engine::carry::Carried;
    use lvsc_runtime::sys::listen;

    use crate::args::{Format, Global, Reload, Source};
    use crate::commands::run::notice::{KEPT, otherwise, words};
    use crate::control::{Answer, Refused, Reloaded, Request, answer, line, places, whole};
    use crate::failure::{Failure, Status};
    use crate::policy;
    use crate::ui::{FINE, Ui, styled};

    /// The longest answer (bytes).
    const LONGEST: usize = 1 << 20;

    pub(super) fn run(args: &Reload, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
        let chosen = match (&args.policy, &args.control) {
            (None, Some(_)) => None,
            (named, _) => {
                let source = Source {
                    policy: named.clone(),
                };
                Some(policy::choose(&source, global, ui)?)
            }
        };
        let places = match (&args.control, &chosen) {
            (Some(path), _) => vec![path.clone()],
            (None, Some(chosen)) => places(&chosen.stem()),
            (None, None) => Vec::new(),
        };
        let file = chosen.as_ref().and_then(|chosen| chosen.file());
        let request = Request::Reload {
            // What is no text cannot be said.
            policy: file.map(whole).filter(|path| path.to_str().is_some()),
        };
        let begin = Instant::now();
        let limit = Duration::from_secs(args.timeout.into());
        let (stream, place) = connect(&places, (begin, limit))?;
        let answer = ask(&stream, &request, (begin, limit), place)?;
        let status = match &answer {
            Ok(_) => Status::Fine,
            Err(_) => Status::Findings,
        };
        match (args.output.format, &answer) {
            (Format::Json, _) => ui.bytes(line(&answer).map_err(Failure::told)?.as_bytes()),
            (Format::Text, Ok(reloaded)) => say(reloaded, ui),
            (Format::Text, Err(refused)) => say_refused(refused, ui),
        }
        Ok(status)
    }

    /// A director that listens at one of these places.
    fn connect(
        places: &[PathBuf],
        (begin, limit): (Instant, Duration),
    ) -> Result<(UnixStream, &Path), Failure> {
        let (mut left, mut refused) = (None, None);
        for place in places {
            let error = match listen::connect(place, limit.saturating_sub(begin.elapsed())) {
                Ok(stream) => return Ok((stream, place)),
                Err(error) => error,
            };
            let told = || format!("cannot ask the director at {}: {error}", place.display());
            let is = |kind| error.kind() == kind;
            if is(io::ErrorKind::ConnectionRefused) {
                left.get_or_insert(place);
            } else if is(io::ErrorKind::WouldBlock) {
                return Err(slow(place, limit));
            } else if is(io::ErrorKind::PermissionDenied) {
                // Another user's; one's own may listen elsewhere.
                let remedy = "ask as the user who has started it: `sudo lvsc reload`";
                refused.get_or_insert_with(|| Failure::Told {
                    what: told(),
                    remedy: Some(remedy.to_owned()),
                });
            } else if !is(io::ErrorKind::NotFound) && !is(io::ErrorKind::NotADirectory) {
                return Err(Failure::told(told()));
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let what = if let Some(place) = left {
            format!(
                "no director listens at {} any more: the one that did has ended",
                place.display()
            )
        } else {
            let names = places.iter().map(|place| place.display().to_string());
            let names = names.collect::<Vec<_>>().join(" or ");
            format!("no director listens at {names}")
        };
        let start = "start one: `lvsc run POLICY -i DEVICE`; one that was told `--control PATH` is asked by the same";
        let others = others(places);
        let remedy = if others.is_empty() {
            start.to_owned()
        } else {
            format!("{start}; sockets of others: {}", others.join(", "))
        };
        Err(Failure::Told {
            what,
            remedy: Some(remedy),
        })
    }

    /// What lies in the folders of these places besides, and may be a director's.
    fn others(places: &[PathBuf]) -> Vec<String> {
        let folders = places.iter().filter_map(|place| place.parent());
        let folders = folders.filter(|folder| folder.ends_with("lvsc"));
        let entries = folders.filter_map(|folder| fs::read_dir(folder).ok());
        let paths = entries.flatten().flatten().map(|entry| entry.path());
        let sockets = paths.filter(|path| {
            path.extension().is_some_and(|end| end == "sock") && !places.contains(path)
        });
        let mut names: Vec<String> = sockets.map(|path| path.display().to_string()).collect();
        names.sort();
        names
    }

    /// Sends a request and waits for its answer.
    fn ask(
        mut stream: &UnixStream,
        request: &Request,
        (begin, limit): (Instant, Duration),
        at: &Path,
    ) -> Result<Answer, Failure> {
        let place = at.display();
        let broken =
            |error: io::Error| Failure::told(format_args!("the director at {place}: {error}"));
        let mut text = serde_json::to_string(request).map_err(Failure::told)?;
        text.push('\n');
        stream.set_write_timeout(Some(limit)).map_err(broken)?;
        match stream.write_all(text.as_bytes()) {
            // Who has refused without having heard it says why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(broken(error)),
            Ok(()) | Err(_) => {}
        }
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        while !bytes.contains(&b'\n') && bytes.len() < LONGEST {
            let left = limit.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(slow(at, limit));
            }
            stream.set_read_timeout(Some(left)).map_err(broken)?;
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(read) => bytes.extend(part.iter().take(read)),
                Err(error)
                    if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]
                        .contains(&error.kind()) =>
                {
                    return Err(slow(at, limit));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(broken(error)),
            }
        }
        if bytes.is_empty() {
            return Err(Failure::told(format_args!(
                "the director at {place} has ended before it answered"
            )));
        }
        let told = String::from_utf8_lossy(&bytes);
        answer(&told).ok_or_else(|| Failure::Told {
            what: format!(
                "what listens at {place} does not answer as a director of this lvsc does"
            ),
            remedy: Some("name the director's socket: `--control PATH`".to_owned()),
        })
    }

    fn slow(place: &Path, limit: Duration) -> Failure {
        Failure::Told {
            what: format!(
                "the director at {} has not answered within {} s",
                place.display(),
                limit.as_secs()
            ),
            remedy: Some(
                "it may still go on with the policy, and says so itself; `--timeout SECONDS` waits longer"
                    .to_owned(),
            ),
        }
    }

    fn say(reloaded: &Reloaded, ui: &mut Ui) {
        let Reloaded { what, policy, .. } = reloaded;
        let policy = plain(policy);
        ui.confirm(format_args!("{}: {policy} is in force", styled(FINE, "ok")));
        ui.confirm(format_args!("program: {}", plain(what)));
        for line in reloaded.pools.iter().flat_map(otherwise) {
            ui.confirm(plain(&line));
        }
        let took = Duration::try_from_secs_f64(reloaded.took_ms / 1000.0);
        let carried = words(&Carried {
            kept: reloaded.carried.clone(),
            fresh: reloaded.anew.clone(),
            lost: reloaded.lost,
            took: took.unwrap_or_default(),
            ..Carried::default()
        });
        ui.confirm(plain(&carried));
    }

    fn say_refused(refused: &Refused, ui: &mut Ui) {
        match &refused.found {
            Some(found) => ui.talk(plain(found.trim_end())),
            None => ui.failure(&Failure::Told {
                what: plain(&refused.error),
                remedy: refused.help.as_deref().map(plain),
            }),
        }
        ui.say(KEPT);
    }

    /// What somebody else says, without what would move a terminal's pen.
    fn plain(text: &str) -> String {
        strip_str(text).to_string()
    }
}
