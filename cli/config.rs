//! Which policy a command is about: the one it was given, else what `lvsc.toml` names, else what lies here.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;

/// Name of the configuration; found in the current folder or above it.
const NAME: &str = "lvsc.toml";
/// Where a project's policy lies.
const USUAL: &str = "policies/dr.lvs";
const ONLY: &str = "the only .lvs file here";
/// Most files that are named where there are several.
const SHOWN: usize = 3;
const BUILT_IN: &str = include_str!("../policies/dr.lvs");

/// What `lvsc.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// The policy, relative to the configuration's folder.
    policy: Option<PathBuf>,
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// The policy that it names.
    policy: Option<PathBuf>,
}

/// A policy that was chosen, and not read yet.
#[derive(Clone, Debug)]
pub struct Chosen {
    origin: Origin,
    /// Why it is this one, where nobody named it: `named by lvsc.toml`.
    pub because: Option<String>,
}

#[derive(Clone, Debug)]
enum Origin {
    Input,
    File(PathBuf),
    BuiltIn,
}

/// A policy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What people call it.
    pub path: String,
    /// The text.
    pub source: String,
}

impl Chosen {
    /// What a person named.
    pub fn named(path: &Path) -> Chosen {
        let origin = if path.as_os_str() == "-" {
            Origin::Input
        } else {
            Origin::File(path.to_owned())
        };
        Chosen {
            origin,
            because: None,
        }
    }

    fn file_because(path: &Path, reason: impl Into<String>) -> Chosen {
        Chosen {
            origin: Origin::File(path.to_owned()),
            because: Some(reason.into()),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Input | Origin::BuiltIn => None,
        }
    }

    /// Whether it is standard input.
    pub fn is_input(&self) -> bool {
        match self.origin {
            Origin::Input => true,
            Origin::File(_) | Origin::BuiltIn => false,
        }
    }

    /// What people call it.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::Input => "<stdin>".to_owned(),
            Origin::File(path) => path.display().to_string(),
            Origin::BuiltIn => "<built-in>/dr.lvs".to_owned(),
        }
    }

    /// The file's name without its extension: `dr`.
    pub fn stem(&self) -> String {
        let stem = match &self.origin {
            Origin::Input => None,
            Origin::File(path) => path.file_stem(),
            Origin::BuiltIn => Path::new(USUAL).file_stem(),
        };
        let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
        stem.unwrap_or_else(|| "policy".to_owned())
    }

    /// Reads it.
    pub fn read(&self) -> Result<Text, Failure> {
        self.text(self.bytes()?)
    }

    /// What is in it.
    pub fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let read = match &self.origin {
            Origin::Input => {
                let mut bytes = Vec::new();
                io::stdin().read_to_end(&mut bytes).map(|_| bytes)
            }
            Origin::File(path) => fs::read(path),
            Origin::BuiltIn => Ok(BUILT_IN.as_bytes().to_vec()),
        };
        read.map_err(|source| Failure::Read {
            path: self.name().into(),
            because: self.because.clone(),
            source,
        })
    }

    /// What is in it, as text.
    pub fn text(&self, bytes: Vec<u8>) -> Result<Text, Failure> {
        let path = self.name();
        let source = text(Path::new(&path), bytes)?;
        Ok(Text { path, source })
    }
}

/// The policy of a command.
pub fn policy(named: Option<&Path>, config: Option<&Config>) -> Result<Chosen, Failure> {
    if let Some(path) = named {
        return Ok(Chosen::named(path));
    }
    if let Some((path, reason)) = config.and_then(Config::names) {
        return Ok(Chosen::file_because(path, reason));
    }
    let here = inside(Path::new("."))?;
    let reason = match here.as_slice() {
        [only] => return Ok(Chosen::file_because(only, ONLY)),
        _ if Path::new(USUAL).is_file() => {
            return Ok(Chosen::file_because(Path::new(USUAL), "the usual place"));
        }
        [] => "built in, for there is none here".to_owned(),
        // None of them is meant more than another, and the built-in one is none of them.
        several => {
            return Err(Failure::Told {
                what: format!("here are several policies, {}", list(several)),
                remedy: Some("name one".to_owned()),
            });
        }
    };
    Ok(Chosen {
        origin: Origin::BuiltIn,
        because: Some(reason),
    })
}

/// The policies of `lvsc test`.
pub fn policies(named: &[PathBuf], config: Option<&Config>) -> Result<Vec<Chosen>, Failure> {
    if !named.is_empty() {
        return Ok(named.iter().map(|path| Chosen::named(path)).collect());
    }
    if config.and_then(Config::names).is_none() {
        for (folder, reason) in [
            (".", "the .lvs files here"),
            ("policies", "the usual place"),
        ] {
            let found = inside(Path::new(folder))?;
            if let [only] = found.as_slice()
                && folder == "."
            {
                return Ok(vec![Chosen::file_because(only, ONLY)]);
            }
            if !found.is_empty() {
                let each = found.iter();
                return Ok(each
                    .map(|path| Chosen::file_because(path, reason))
                    .collect());
            }
        }
    }
    Ok(vec![policy(None, config)?])
}

/// `a.lvs, b.lvs, c.lvs, ...`
fn list(paths: &[PathBuf]) -> String {
    let names = paths.iter().map(|path| path.display().to_string());
    let mut names: Vec<String> = names.take(SHOWN).collect();
    if paths.len() > SHOWN {
        names.push("...".to_owned());
    }
    names.join(", ")
}

impl Config {
    /// Finds and reads the configuration: in this folder, else above it.
    pub fn find() -> Result<Option<Config>, Failure> {
        let here = std::env::current_dir().map_err(|source| Failure::Read {
            path: ".".into(),
            because: None,
            source,
        })?;
        let mut above = here.ancestors().map(|folder| folder.join(NAME));
        let Some(path) = above.find(|path| path.is_file()) else {
            return Ok(None);
        };
        let bytes = fs::read(&path).map_err(|source| Failure::Read {
            path: path.clone(),
            because: None,
            source,
        })?;
        let said = text(&path, bytes)?;
        let wrong = |message: String| Failure::Config {
            path: near(&here, &path),
            message,
        };
        let said: Said = toml::from_str(&said)
            .map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        if let Some(policy) = &said.policy
            && (policy.as_os_str().is_empty() || policy.as_os_str() == "-")
        {
            let policy = policy.display();
            return Err(wrong(format!(
                "`policy` must name a file, and is \"{policy}\""
            )));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        Ok(Some(Config {
            policy: said.policy.map(|policy| near(&here, &folder.join(policy))),
            path: near(&here, &path),
        }))
    }

    /// The policy that it names, and that it does.
    fn names(&self) -> Option<(&Path, String)> {
        let policy = self.policy.as_deref()?;
        Some((policy, format!("named by {}", self.path.display())))
    }
}

/// A path as people here would write it.
fn near(here: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// The `.lvs` files of a folder, sorted; none where there is no such folder.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source| Failure::Read {
        path: folder.to_owned(),
        because: None,
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            return Ok(Vec::new());
        }
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "lvs") && path.is_file() {
            found.push(path.strip_prefix(".").map_or(path.clone(), Path::to_owned));
        }
    }
    found.sort();
    Ok(found)
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Failure> {
    let wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let no_text = |bytes: &[u8], at: usize| {
        let before = bytes.get(..at).unwrap_or_default();
        let line = before.iter().rposition(|byte| *byte == b'\n');
        Failure::NotText {
            path: path.to_owned(),
            byte: bytes.get(at).copied().unwrap_or(0),
            at,
            line: before.split(|byte| *byte == b'\n').count(),
            column: at - line.map_or(0, |line| line + 1) + 1,
            wide,
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            Some(at) => Err(no_text(text.as_bytes(), at)),
            None => Ok(text),
        },
        Err(error) => Err(no_text(error.as_bytes(), error.utf8_error().valid_up_to())),
    }
}
