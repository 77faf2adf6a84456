//! Where the texts come from that a policy takes in: what `use` names, and the `file` of a set.

use crate::source::SourceMap;

/// Gives texts by their paths. The compiler itself opens nothing: a policy may come from a disk, an editor or a test.
pub trait Library {
    /// The text at a path: as the policy writes it, below the folder of the file that names it, `a/../b` resolved.
    ///
    /// # Errors
    ///
    /// Why there is none, for people.
    fn read(&self, path: &str) -> Result<String, String>;

    /// What tells this text apart, however its path is written.
    fn identity(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A library without texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty;

impl Library for Empty {
    fn read(&self, _: &str) -> Result<String, String> {
        Err("there are no files here".to_owned())
    }
}

/// The texts of a compilation, for another one.
impl Library for SourceMap {
    fn read(&self, path: &str) -> Result<String, String> {
        let mut files = self.files();
        let found = files.find(|file| !self.is_prelude(*file) && self.path(*file) == path);
        let found = found.ok_or_else(|| "it was not taken in".to_owned())?;
        Ok(self.text(found).to_owned())
    }
}

/// The path of what a file names, seen from where the file itself is seen.
pub(crate) fn beside(file: &str, named: &str) -> String {
    let absolute = named.starts_with('/');
    let folder = file.rfind('/').map_or("", |end| &file[..=end]);
    let whole = if absolute {
        named.to_owned()
    } else {
        format!("{folder}{named}")
    };
    let mut steps: Vec<&str> = Vec::new();
    for step in whole.split('/') {
        match step {
            "" | "." => {}
            ".." if steps.last().is_some_and(|last| *last != "..") => {
                steps.pop();
            }
            ".." if whole.starts_with('/') => {}
            step => steps.push(step),
        }
    }
    let root = if whole.starts_with('/') { "/" } else { "" };
    format!("{root}{}", steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_the_file_that_names_it() {
        for (file, named, path) in [
            ("dr.lvs", "common.lvs", "common.lvs"),
            ("policies/dr.lvs", "common.lvs", "policies/common.lvs"),
            ("policies/dr.lvs", "./a/../b.lvs", "policies/b.lvs"),
            ("policies/dr.lvs", "../b.lvs", "b.lvs"),
            ("dr.lvs", "../b.lvs", "../b.lvs"),
            ("dr.lvs", "../../b.lvs", "../../b.lvs"),
            ("/etc/lvsc/dr.lvs", "../b.lvs", "/etc/b.lvs"),
            ("/dr.lvs", "../../b.lvs", "/b.lvs"),
            ("policies/dr.lvs", "/etc/b.lvs", "/etc/b.lvs"),
            ("-", "b.lvs", "b.lvs"),
        ] {
            assert_eq!(beside(file, named), path, "{named} in {file}");
        }
    }
}
