//! The policy once more, while packets flow: it is read again at a hangup signal, when somebody asks, or when it is saved.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use lvsc_abi::manifest::Manifest;
use lvsc_runtime::director::{AnyEngine, Event};
use lvsc_runtime::engine::carry::Carried;

use super::change::reloaded;
use super::control::Asked;
use super::notice::{KEPT, otherwise, reason};
use crate::args::{Format, Run};
use crate::config::Chosen;
use crate::control::Refused;
use crate::engines::{Kind, Loaded};
use crate::failure::Failure;
use crate::subject::Subject;
use crate::ui::Ui;
use crate::watch::{Files, GLANCE, Watch};

/// A policy that forwards, or is to.
pub struct Side {
    /// What was read.
    pub subject: Subject,
    /// What its engine is told.
    pub manifest: Manifest,
}

/// Reads a policy again, and has a director go on with it.
pub struct Reload<'a> {
    chosen: &'a Chosen,
    args: &'a Run,
    in_force: Side,
    /// The files that say what forwards, or would.
    files: Files,
    watch: Option<Watch>,
}

impl<'a> Reload<'a> {
    /// Of what was read just now of these files.
    pub fn new(
        chosen: &'a Chosen,
        args: &'a Run,
        in_force: Side,
        files: Files,
    ) -> Result<Reload<'a>, Failure> {
        Ok(Reload {
            chosen,
            args,
            in_force,
            files,
            watch: args.watch.then(Watch::begin).transpose()?,
        })
    }

    /// The engine that forwards.
    pub fn kind(&self) -> &'static Kind {
        self.in_force.subject.kind
    }

    /// Reads it whenever somebody asks or a file is saved, until `over`. What is wrong with it is said.
    pub fn serve(
        mut self,
        asked: &Asked,
        events: &Sender<Event>,
        ui: &mut Ui,
        over: impl Fn() -> bool,
    ) {
        while !over() {
            let read = self.wait(|| over() || asked.is_somebody());
            if let Err(failure) = read {
                ui.failure(&failure);
                self.watch = None;
                continue;
            }
            if over() {
                return;
            }
            // Before it is read: whoever asks later wants what is there later.
            let by = asked.take();
            let done = self.again(events, ui, &over);
            let answer = done.map(|(before, carried)| reloaded(&before, &self.in_force, &carried));
            let told = answer.iter().flat_map(|reloaded| &reloaded.pools);
            told.flat_map(otherwise).for_each(|line| ui.say(line));
            for who in by {
                let _ = who.send(answer.clone()); // he may have gone
            }
        }
    }

    /// Reads it and has the director go on with it: what was in force before, and what of it was taken over.
    fn again(
        &mut self,
        events: &Sender<Event>,
        ui: &mut Ui,
        over: impl Fn() -> bool,
    ) -> Result<(Side, Carried), Refused> {
        ui.record();
        let read = self.read(ui);
        let found = ui.recorded();
        ui.leave();
        let refused = match read {
            Ok(Some((engine, next))) => {
                let carried = take_over(engine, &next.manifest, events, over)?;
                return Ok((std::mem::replace(&mut self.in_force, next), carried));
            }
            Ok(None) => Refused {
                found: Some(found),
                ..Refused::because(format_args!("{} has errors", self.chosen.name()))
            },
            Err(failure) => {
                ui.failure(&failure);
                Refused {
                    help: failure.remedy(),
                    ..Refused::because(&failure)
                }
            }
        };
        ui.say(KEPT);
        Err(refused)
    }

    /// Waits until a watched file is saved, or until it is `enough`.
    fn wait(&mut self, enough: impl Fn() -> bool) -> Result<(), Failure> {
        if let Some(watch) = &mut self.watch {
            watch.set(self.files.clone())?;
            return watch.next(enough).map(drop);
        }
        while !enough() {
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// What takes over; `None` where the policy has errors. They are for people: the result is printed at the end.
    fn read(&mut self, ui: &mut Ui) -> Result<Option<(AnyEngine, Side)>, Failure> {
        if self.chosen.is_input() {
            return Err(Failure::Told {
                what: "standard input cannot be read again".to_owned(),
                remedy: Some("give the policy as a file".to_owned()),
            });
        }
        let target = self.args.target.as_deref();
        let reading = Subject::open(self.chosen, target, Format::Text, ui)?;
        self.files = reading.files;
        let Some(subject) = reading.subject else {
            return Ok(None);
        };
        let (now, before) = (subject.kind.name, self.kind().name);
        if now != before {
            return Err(Failure::Told {
                what: format!(
                    "{} is for `{now}` now, and `{before}` forwards",
                    subject.path
                ),
                remedy: Some("start it again".to_owned()),
            });
        }
        // What it takes over from is in hand already, with its name where it has one.
        let Loaded {
            engine, manifest, ..
        } = subject.load(None)?;
        Ok(Some((engine, Side { subject, manifest })))
    }
}

/// Has the director go on with it, and waits until it does, or has said why it does not.
fn take_over(
    engine: AnyEngine,
    manifest: &Manifest,
    events: &Sender<Event>,
    over: impl Fn() -> bool,
) -> Result<Carried, Refused> {
    let (asked, outcome) = mpsc::channel();
    let replace = Event::Replace {
        engine,
        manifest: Box::new(manifest.clone()),
        asked: Some(asked),
    };
    let ended = || Refused::because("the director ends");
    events.send(replace).map_err(|_| ended())?;
    loop {
        match outcome.recv_timeout(GLANCE) {
            Ok(outcome) => return outcome.map_err(|error| reason(&error)),
            Err(RecvTimeoutError::Timeout) if !over() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(ended()),
        }
    }
}
