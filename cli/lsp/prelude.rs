//! The prelude as files that an editor can open: written, to be read only, into the user's cache when first somebody goes
//! there.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lsp_types::Uri;

use super::uri;
use crate::ui::{Talk, file};

/// The folder below the cache; each version has its own.
const FOLDER: &str = concat!("lvsc/prelude-", env!("CARGO_PKG_VERSION"));
/// How the compiler calls the prelude's files.
const PREFIX: &str = "prelude/";

/// The prelude's files.
pub struct Prelude {
    talk: Talk,
}

impl Prelude {
    /// Nothing is written yet; `talk` hears what cannot be.
    pub fn new(talk: Talk) -> Prelude {
        Prelude { talk }
    }

    /// What the compiler calls a document that is one of the prelude's: `prelude/net.lvs`.
    pub fn name(uri: &Uri) -> Option<String> {
        let path = uri::path(uri)?;
        let name = path.strip_prefix(cache()?.join(FOLDER)).ok()?.to_str()?;
        Some(format!("{PREFIX}{name}"))
    }

    /// Where a file of the prelude lies, with just this text; `None` where it cannot be written.
    pub fn written(&self, name: &str, text: &str) -> Option<Uri> {
        let folder = cache()?.join(FOLDER);
        let path = folder.join(name.strip_prefix(PREFIX)?);
        if let Err(error) = write(&folder, &path, text) {
            let path = path.display();
            self.talk
                .say(format_args!("{path} cannot be written: {error}"));
            return None;
        }
        uri::of_file(&path)
    }
}

fn write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    file::write(path, text.as_bytes()).map_err(io::Error::other)?;
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions)
}

/// The user's cache.
fn cache() -> Option<PathBuf> {
    let folder = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
}
