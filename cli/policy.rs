//! A policy read, checked, and its findings said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lvsc_front::compile_with;
use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::policy::Policy;
use lvsc_front::source::SourceMap;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::world::World;
use serde_json::{Value, json};

use crate::args::{Format, Global, Source};
use crate::config::{self, Chosen, Config, Text};
use crate::failure::Failure;
use crate::library::Disk;
use crate::offload;
use crate::testing;
use crate::ui::Ui;
use crate::ui::diagnostics::json;
use crate::watch::{Files, Known};

/// A policy without errors.
pub struct Checked {
    /// Its text.
    pub text: Text,
    /// What it says.
    pub policy: Policy,
    /// What it means.
    pub pipeline: Pipeline,
    /// The warnings.
    pub warnings: Vec<Diagnostic>,
    /// Its text, the prelude's, and those that it takes in.
    pub sources: SourceMap,
    /// The paths of what it takes in.
    pub asked: BTreeSet<String>,
}

/// A policy with errors.
pub struct Broken {
    /// What people call it.
    pub path: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Its text, the prelude's, and those that it takes in.
    pub sources: SourceMap,
    /// The paths of what it takes in, or would.
    pub asked: BTreeSet<String>,
}

/// The policy of a command, not read yet. Where nobody named one, says which it is.
pub fn choose(source: &Source, global: &Global, ui: &mut Ui) -> Result<Chosen, Failure> {
    choose_one(source.policy.as_deref(), global, ui)
}

/// The policies that were named, else the one that [`choose`] finds.
pub fn choose_some(
    named: &[PathBuf],
    global: &Global,
    ui: &mut Ui,
) -> Result<Vec<Chosen>, Failure> {
    if named.is_empty() {
        Ok(vec![choose_one(None, global, ui)?])
    } else {
        config::policies(named, None)
    }
}

fn choose_one(named: Option<&Path>, global: &Global, ui: &mut Ui) -> Result<Chosen, Failure> {
    let config = match named {
        Some(_) => None,
        None => configuration(global, ui)?,
    };
    let chosen = config::policy(named, config.as_ref())?;
    if let Some(because) = &chosen.because {
        ui.say(format_args!("policy: {} ({because})", chosen.name()));
    }
    Ok(chosen)
}

/// The policies of `lvsc test`, said likewise.
pub fn choose_all(named: &[PathBuf], global: &Global, ui: &mut Ui) -> Result<Vec<Chosen>, Failure> {
    let config = match named {
        [_, ..] => None,
        [] => configuration(global, ui)?,
    };
    let chosen = config::policies(named, config.as_ref())?;
    if let Some(because) = chosen.first().and_then(|first| first.because.as_ref()) {
        let names: Vec<String> = chosen.iter().map(Chosen::name).collect();
        let noun = if names.len() == 1 {
            "policy"
        } else {
            "policies"
        };
        ui.say(format_args!("{noun}: {} ({because})", names.join(", ")));
    }
    Ok(chosen)
}

fn configuration(global: &Global, ui: &mut Ui) -> Result<Option<Config>, Failure> {
    if global.no_config {
        return Ok(None);
    }
    let config = Config::find()?;
    if let Some(config) = &config {
        ui.detail(format_args!("configuration: {}", config.path.display()));
    }
    Ok(config)
}

/// Reads and checks a policy. Errors and warnings are said; `None` where there are errors.
pub fn open(chosen: &Chosen, format: Format, ui: &mut Ui) -> Result<Option<Checked>, Failure> {
    Ok(open_text(chosen.read()?, format, ui).ok())
}

/// The same of a policy that was read.
pub fn open_text(text: Text, format: Format, ui: &mut Ui) -> Result<Checked, Broken> {
    let checked = check(text);
    match &checked {
        Ok(checked) => checked.warn(format, ui),
        Err(broken) => broken.tell(format, ui),
    }
    checked
}

/// What was read of the files that were asked for.
fn read(asked: &BTreeSet<String>, sources: &SourceMap) -> Files {
    let texts = sources.files().filter(|file| !sources.is_prelude(*file));
    let texts: BTreeMap<&str, &str> = texts
        .map(|file| (sources.path(file), sources.text(file)))
        .collect();
    let read = asked.iter().map(|path| {
        let text = texts.get(path.as_str());
        let known = text.map_or(Known::Nothing, |text| Known::Content((*text).into()));
        (PathBuf::from(path), known)
    });
    read.collect()
}

/// Checks a policy.
pub fn check(text: Text) -> Result<Checked, Broken> {
    let compilation = compile_with(&text.path, &text.source, &Disk);
    let (mut diagnostics, sources) = (compilation.diagnostics, compilation.sources);
    let asked = compilation.asked;
    let compiled = compilation.policy.zip(compilation.pipeline);
    if let Some((policy, pipeline)) = &compiled {
        diagnostics.extend(offload::check(policy, pipeline));
    }
    let fine = !diagnostics.iter().any(Diagnostic::is_error);
    match compiled.filter(|_| fine) {
        Some((policy, pipeline)) => Ok(Checked {
            text,
            policy,
            pipeline,
            warnings: diagnostics,
            sources,
            asked,
        }),
        None => Err(Broken {
            path: text.path,
            diagnostics,
            sources,
            asked,
        }),
    }
}

impl Checked {
    /// The index of the interface by which packets come: the first, where none is named.
    pub fn interface(&self, name: Option<&str>) -> Result<u8, Failure> {
        let Some(name) = name else { return Ok(0) };
        let known = &self.pipeline.manifest.interfaces;
        let found = known.iter().position(|interface| interface.name == name);
        found
            .map(|index| index as u8)
            .ok_or_else(|| Failure::NoInterface {
                name: name.to_owned(),
                known: known
                    .iter()
                    .map(|interface| interface.name.clone())
                    .collect(),
            })
    }

    /// The frame of a packet in notation that comes by an interface; `None` where the sentence is no packet, which is said.
    pub fn packet(
        &self,
        sentence: &str,
        (world, ingress): (&World, u8),
        format: Format,
        ui: &mut Ui,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let text = (self.text.path.as_str(), self.text.source.as_str());
        match lvsc_front::packet(text, &self.sources, sentence) {
            Ok(layers) => {
                let frame = testing::frame(&layers, world, ingress);
                frame.map(Some).map_err(Failure::told)
            }
            Err((found, sources)) => {
                match format {
                    Format::Text => ui.diagnostics("--packet", &found, &sources),
                    Format::Json => ui.json(&json!({
                        "version": 1,
                        "ok": false,
                        "diagnostics": json::data(&found, &sources),
                    })),
                }
                Ok(None)
            }
        }
    }

    /// What it takes in.
    pub fn files(&self) -> Files {
        read(&self.asked, &self.sources)
    }

    /// Says the warnings, to people.
    pub fn warn(&self, format: Format, ui: &mut Ui) {
        if format == Format::Text {
            ui.warnings(&self.text.path, &self.warnings, &self.sources);
        }
    }
}

impl Broken {
    /// What it takes in, or would.
    pub fn files(&self) -> Files {
        read(&self.asked, &self.sources)
    }

    /// Says what is wrong, to people or as all that a command prints.
    pub fn tell(&self, format: Format, ui: &mut Ui) {
        match format {
            Format::Text => self.say(ui),
            Format::Json => ui.json(&json!({
                "version": 1,
                "policy": self.path,
                "ok": false,
                "diagnostics": self.data(),
            })),
        }
    }

    /// Says what is wrong.
    pub fn say(&self, ui: &mut Ui) {
        ui.diagnostics(&self.path, &self.diagnostics, &self.sources);
    }

    /// The same as data.
    pub fn data(&self) -> Value {
        json::data(&self.diagnostics, &self.sources)
    }
}
