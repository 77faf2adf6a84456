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
const BUILT_IN: &str = include_str!("../policies/dr.lvs");

/// What `lvsc.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The policy, relative to the configuration's folder.
    policy: Option<PathBuf>,
}

/// A policy's text, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What people call it.
    pub path: String,
    /// The text.
    pub source: String,
    /// Why it is this one, where nobody named it: `named by lvsc.toml`.
    pub because: Option<String>,
}

impl Text {
    /// The file's name without its extension: `dr`.
    pub fn stem(&self) -> String {
        let stem = Path::new(&self.path).file_stem();
        let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
        stem.filter(|stem| !stem.starts_with('<'))
            .unwrap_or_else(|| "policy".to_owned())
    }
}

/// The policy of a command.
pub fn policy(named: Option<&Path>, configured: bool) -> Result<Text, Failure> {
    if let Some(path) = named {
        return read(path);
    }
    if configured && let Some((path, config)) = from_config()? {
        return Ok(because(
            read(&path)?,
            format!("named by {}", config.display()),
        ));
    }
    match here()?.as_slice() {
        [only] => Ok(because(read(only)?, "the only .lvs file here")),
        _ if Path::new(USUAL).is_file() => Ok(because(read(Path::new(USUAL))?, "the usual place")),
        _ => Ok(Text {
            path: "<built-in>/dr.lvs".to_owned(),
            source: BUILT_IN.to_owned(),
            because: Some("built in, for there is none here".to_owned()),
        }),
    }
}

/// The policies of `lvsc test`.
pub fn policies(named: &[PathBuf], configured: bool) -> Result<Vec<Text>, Failure> {
    if !named.is_empty() {
        return named.iter().map(|path| read(path)).collect();
    }
    if !(configured && from_config()?.is_some()) {
        for folder in [".", "policies"] {
            let found = inside(Path::new(folder))?;
            if !found.is_empty() {
                return found.iter().map(|path| read(path)).collect();
            }
        }
    }
    Ok(vec![policy(None, configured)?])
}

fn because(text: Text, reason: impl Into<String>) -> Text {
    Text {
        because: Some(reason.into()),
        ..text
    }
}

/// The policy that a configuration names, and the configuration.
fn from_config() -> Result<Option<(PathBuf, PathBuf)>, Failure> {
    let here = std::env::current_dir().map_err(|source| Failure::Read {
        path: ".".into(),
        source,
    })?;
    let Some(path) = here
        .ancestors()
        .map(|folder| folder.join(NAME))
        .find(|path| path.is_file())
    else {
        return Ok(None);
    };
    let text = read(&path)?.source;
    let config: Config = toml::from_str(&text).map_err(|error| Failure::Config {
        path: path.clone(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let found = config.policy.map(|policy| folder.join(policy));
    let found = found.map(|policy| {
        policy
            .strip_prefix(&here)
            .map_or(policy.clone(), Path::to_owned)
    });
    Ok(found.map(|policy| (policy, path)))
}

fn here() -> Result<Vec<PathBuf>, Failure> {
    inside(Path::new("."))
}

/// The `.lvs` files of a folder, sorted; none where there is no such folder.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source| Failure::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
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

fn read(path: &Path) -> Result<Text, Failure> {
    let stdin = path.as_os_str() == "-";
    let mut bytes = Vec::new();
    let done = if stdin {
        io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(path).map(|read| bytes = read)
    };
    done.map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::NotText {
        path: path.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })?;
    let name = if stdin {
        "<stdin>".to_owned()
    } else {
        path.display().to_string()
    };
    Ok(Text {
        path: name,
        source: text,
        because: None,
    })
}
