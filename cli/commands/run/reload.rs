//! The policy once more, while packets flow: it is read again at a hangup signal, or when it is saved.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use lvsc_runtime::director::Event;

use super::notice::KEPT;
use crate::args::{Format, Run};
use crate::config::Chosen;
use crate::engines::{Kind, Loaded};
use crate::failure::Failure;
use crate::subject::Subject;
use crate::ui::Ui;
use crate::watch::{Files, GLANCE, Watch};

/// Reads a policy again, and has a director go on with it.
pub struct Reload<'a> {
    chosen: &'a Chosen,
    args: &'a Run,
    /// The engine that forwards.
    kind: &'static Kind,
    /// The files that say what forwards, or would.
    files: Files,
    watch: Option<Watch>,
}

impl<'a> Reload<'a> {
    /// Of what was read just now of these files.
    pub fn new(
        chosen: &'a Chosen,
        args: &'a Run,
        kind: &'static Kind,
        files: Files,
    ) -> Result<Reload<'a>, Failure> {
        Ok(Reload {
            chosen,
            args,
            kind,
            files,
            watch: args.watch.then(Watch::begin).transpose()?,
        })
    }

    /// The engine that forwards.
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// Reads it whenever `again` says so or a file is saved, until `over`. What is wrong with it is said.
    pub fn serve(
        mut self,
        again: &AtomicBool,
        events: &Sender<Event>,
        ui: &mut Ui,
        over: impl Fn() -> bool,
    ) {
        while !over() {
            let read = self.wait(|| over() || again.load(Ordering::Relaxed));
            if let Err(failure) = read {
                ui.failure(&failure);
                self.watch = None;
                continue;
            }
            if over() {
                return;
            }
            again.store(false, Ordering::Relaxed);
            match self.read(ui) {
                Ok(Some(next)) => {
                    let _ = events.send(next); // one that has ended wants no other policy
                    continue;
                }
                Ok(None) => {}
                Err(failure) => ui.failure(&failure),
            }
            ui.say(KEPT);
        }
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
    fn read(&mut self, ui: &mut Ui) -> Result<Option<Event>, Failure> {
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
        if subject.kind.name != self.kind.name {
            return Err(Failure::Told {
                what: format!(
                    "{} is for `{}` now, and `{}` forwards",
                    subject.path, subject.kind.name, self.kind.name
                ),
                remedy: Some("start it again".to_owned()),
            });
        }
        // What it takes over from is in hand already, with its name where it has one.
        let Loaded {
            engine, manifest, ..
        } = subject.load(None)?;
        let manifest = Box::new(manifest);
        Ok(Some(Event::Replace { engine, manifest }))
    }
}
