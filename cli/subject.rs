//! What `lvsc run` runs: a policy, or what was built of one. A file's first bytes say which it is.

use crate::args::{Format, default_engine};
use crate::compile::{self, Compiled};
use crate::config::Chosen;
use crate::engines::{self, Code, Kind, Loaded};
use crate::failure::Failure;
use crate::only;
use crate::policy::{self, Checked};
use crate::ui::Ui;
use crate::watch::{Files, Known};

/// What is run, and by which engine.
pub struct Subject {
    /// What people call it.
    pub path: String,
    /// The engine.
    pub kind: &'static Kind,
    text: Text,
}

/// What was read.
pub struct Reading {
    /// What is run; `None` where it has errors.
    pub subject: Option<Subject>,
    /// The files that say what.
    pub files: Files,
}

enum Text {
    Policy(Box<Checked>),
    Artifact(Vec<u8>),
}

impl Subject {
    /// Reads and checks it. Errors and warnings of a policy are said.
    pub fn open(
        chosen: &Chosen,
        target: Option<&str>,
        format: Format,
        ui: &mut Ui,
    ) -> Result<Reading, Failure> {
        let wanted = target.map(engines::find).transpose()?;
        let bytes = chosen.bytes()?;
        let path = chosen.name();
        let own = chosen
            .file()
            .map(|file| (file.to_owned(), Known::Content(bytes.clone())));
        let mut files = Files::from_iter(own);
        if let Some(kind) = engines::of(&bytes) {
            if let Some(other) = wanted.filter(|wanted| wanted.name != kind.name) {
                return Err(Failure::Told {
                    what: format!(
                        "{path} is built for `{}`, not for `{}`",
                        kind.name, other.name
                    ),
                    remedy: Some("leave `--target` out, or give the policy itself".to_owned()),
                });
            }
            (kind.present)()?;
            let text = Text::Artifact(bytes);
            let subject = Some(Subject { path, kind, text });
            return Ok(Reading { subject, files });
        }
        let kind = match wanted {
            Some(kind) => kind,
            None => engines::find(default_engine())?,
        };
        (kind.present)()?;
        let checked = policy::open_text(chosen.text(bytes)?, format, ui);
        files.extend(match &checked {
            Ok(checked) => checked.files(),
            Err(broken) => broken.files(),
        });
        let checked = checked.ok().and_then(|checked| match kind.target() {
            Some(target) => only::check(checked, target, format, ui),
            None => Some(checked),
        });
        let subject = checked.map(|checked| Subject {
            path,
            kind,
            text: Text::Policy(Box::new(checked)),
        });
        Ok(Reading { subject, files })
    }

    /// An engine, and what it must be told; with a name it stays when this process ends.
    pub fn load(&self, pin: Option<&str>) -> Result<Loaded, Failure> {
        let code = match &self.text {
            Text::Policy(checked) => Code::Pipeline(&checked.pipeline),
            Text::Artifact(bytes) => Code::Artifact {
                path: &self.path,
                bytes,
            },
        };
        self.kind.load(&code, pin)
    }

    /// Its program; `None` of what was built before, and where there is none.
    pub fn compiled(&self) -> Option<Compiled> {
        match &self.text {
            Text::Policy(checked) => compile::program(&checked.pipeline).ok(),
            Text::Artifact(_) => None,
        }
    }

    /// The policy itself, which the lab needs.
    pub fn policy(&self) -> Result<&Checked, Failure> {
        match &self.text {
            Text::Policy(checked) => Ok(checked),
            Text::Artifact(_) => Err(Failure::Told {
                what: format!("the lab tries a policy, and {} is what was built of one", self.path),
                remedy: Some(
                    "give the policy; or run it on an interface (`-i`) or over a capture (`--pcap`)"
                        .to_owned(),
                ),
            }),
        }
    }
}
