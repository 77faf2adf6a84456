//! How a running director is asked for something: over a socket, a line of JSON there and one back.

use std::env;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan;

/// The longest request (bytes).
pub const LONGEST: usize = 4096;
/// How long a request may take to come, and an answer to be taken.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// The folder of the sockets, where it can be written in.
pub const FOLDER: &str = "/run/lvsc";

/// What is asked for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The policy is to be read again.
    Reload {
        /// The file that is meant; another one's director refuses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<PathBuf>,
    },
}

/// What came of it.
pub type Answer = Result<Reloaded, Refused>;

/// Another policy is in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What became of the program: `the same goes on: what is new is filled into its image`.
    pub what: String,
    /// What was read.
    pub policy: String,
    /// Both are the same program; `None` of what was built before.
    pub same_program: Option<bool>,
    /// The image goes on; else there is a new one, to which state was carried.
    pub same_image: bool,
    /// Pools of which something is otherwise than before.
    pub pools: Vec<PoolChange>,
    /// Sections that go on.
    pub carried: Vec<String>,
    /// Sections that begin anew.
    pub anew: Vec<String>,
    /// Flow entries left out, because their backends are gone, or a smaller table has no place.
    pub lost: u64,
    /// How long packets of a software datapath waited, at most (milliseconds).
    pub took_ms: f64,
}

/// What is otherwise in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolChange {
    /// Its name.
    pub name: String,
    /// What the policy says otherwise of its backends: `rs3 added`, `rs1 weight 1 -> 2`; of a pool that is not in both, `new` or `gone`.
    pub changes: Vec<String>,
    /// Lines of it as a whole that say something else, and what becomes of what is known.
    #[serde(default)]
    pub lines: Vec<plan::Line>,
    /// Slots of its ring that name another backend, and of how many; `None` where a slot says nothing of a flow.
    pub moved: Option<[usize; 2]>,
}

/// The policy before goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub error: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The errors of the policy, drawn for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl Refused {
    /// For a reason that says all.
    pub fn because(error: impl Display) -> Refused {
        Refused {
            error: error.to_string(),
            help: None,
            found: None,
        }
    }
}

/// An answer as it is sent.
#[derive(Serialize, Deserialize)]
struct Line {
    version: u32,
    ok: bool,
    #[serde(flatten)]
    reloaded: Option<Reloaded>,
    #[serde(flatten)]
    refused: Option<Refused>,
}

/// An answer as a line.
pub fn line(answer: &Answer) -> serde_json::Result<String> {
    let line = Line {
        version: 1,
        ok: answer.is_ok(),
        reloaded: answer.as_ref().ok().cloned(),
        refused: answer.as_ref().err().cloned(),
    };
    serde_json::to_string(&line).map(|line| line + "\n")
}

/// An answer of a line; `None` where it is none.
pub fn answer(line: &str) -> Option<Answer> {
    let line: Line = serde_json::from_str(line).ok()?;
    if line.ok {
        line.reloaded.map(Ok)
    } else {
        line.refused.map(Err)
    }
}

/// Where the director of a policy listens, by the policy's name: at the first of these that it can have.
pub fn places(stem: &str) -> Vec<PathBuf> {
    let own = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.filter(|folder| folder.is_absolute());
    let folders = [Some(FOLDER.into()), own.map(|folder| folder.join("lvsc"))];
    let name = format!("{stem}.sock");
    let folders = folders.into_iter().flatten();
    folders.map(|folder| folder.join(&name)).collect()
}

/// Whether both are one file, or would be.
pub fn is_same(one: &Path, other: &Path) -> bool {
    whole(one) == whole(other)
}

/// The path of a file from the root on.
pub fn whole(path: &Path) -> PathBuf {
    let known = path.canonicalize();
    known
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_request_is_an_object_with_what_is_to_be_done() {
        let request = |text| serde_json::from_str::<Request>(text);
        let plain = request("{\"do\":\"reload\"}").unwrap();
        assert_eq!(plain, Request::Reload { policy: None });
        assert_eq!(
            serde_json::to_string(&plain).unwrap(),
            "{\"do\":\"reload\"}"
        );
        for wrong in ["{\"do\":\"stop\"}", "{}", "[]", "reload", ""] {
            assert!(request(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_a_line_whatever_it_says() {
        let refused = Refused {
            error: "web.lvs has errors".to_owned(),
            help: None,
            found: Some("error: two\nlines".to_owned()),
        };
        let reloaded = Reloaded {
            what: "the same goes on".to_owned(),
            policy: "web.lvs".to_owned(),
            same_program: None,
            same_image: true,
            pools: vec![PoolChange {
                name: "web".to_owned(),
                changes: vec!["rs3 added".to_owned()],
                lines: vec![plan::Line {
                    what: "udp 5m -> 10m".to_owned(),
                    then: "known flows stay".to_owned(),
                }],
                moved: Some([1, 2]),
            }],
            carried: vec!["clock".to_owned()],
            anew: Vec::new(),
            lost: 1,
            took_ms: 0.5,
        };
        for told in [Ok(reloaded), Err(refused)] {
            let line = line(&told).unwrap();
            assert_eq!(line.find('\n'), Some(line.len() - 1));
            assert_eq!(answer(&line), Some(told));
        }
        assert_eq!(answer("{\"version\":1,\"ok\":true}"), None);
        assert_eq!(answer("nonsense"), None);
    }
}
