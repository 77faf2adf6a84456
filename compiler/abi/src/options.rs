//! What a policy asks of a target: `target NAME { .. }`. It travels in the manifest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The option of every target that keeps a policy from the targets that do not have it.
pub const ONLY: &str = "only";

/// The targets that a policy may name, and what each can be asked.
pub const TARGETS: [(&str, &[&str]); 3] = [
    ("wasm", &[ONLY]),
    ("native", &[ONLY]),
    ("xdp", &["kernel", "mode", ONLY]),
];

/// Where an XDP program can be put: the words behind `mode` of the target `xdp`.
pub const MODES: [&str; 3] = ["native", "generic", "offload"];

/// What is asked of the target `xdp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Xdp {
    /// The oldest kernel that must take the object; newer ones do.
    pub kernel: Kernel,
    /// Where the program runs.
    pub mode: Mode,
}

impl Xdp {
    /// Whether nothing is asked.
    pub fn is_default(&self) -> bool {
        *self == Xdp::default()
    }
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Wherever the device lets it: in its driver, else before the kernel's own path.
    #[default]
    Driver,
    /// On the network card.
    Offload,
}

/// A version of Linux: `6.6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kernel {
    /// The number before the point.
    pub major: u16,
    /// The number behind it.
    pub minor: u16,
}

impl Kernel {
    /// The oldest for which objects are made.
    pub const OLDEST: Kernel = Kernel {
        major: 5,
        minor: 15,
    };
    /// The oldest with version 4 of the instruction set: long jumps, bytes turned whatever the host's order.
    pub const V4: Kernel = Kernel { major: 6, minor: 6 };

    /// Reads `6.6`.
    pub fn parse(text: &str) -> Option<Kernel> {
        let (major, minor) = text.split_once('.')?;
        let number = |digits: &str| {
            let plain = digits == "0" || !digits.starts_with(['0', '+']);
            digits.parse().ok().filter(|_| plain)
        };
        Some(Kernel {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel::OLDEST
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl From<Kernel> for String {
    fn from(kernel: Kernel) -> String {
        kernel.to_string()
    }
}

impl TryFrom<String> for Kernel {
    type Error = String;

    fn try_from(text: String) -> Result<Kernel, String> {
        Kernel::parse(&text).ok_or_else(|| format!("`{text}` is no version of Linux"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        let kernel = |major, minor| Some(Kernel { major, minor });
        assert_eq!(Kernel::parse("6.6"), kernel(6, 6));
        assert_eq!(Kernel::parse("5.0"), kernel(5, 0));
        assert!(kernel(6, 10) > kernel(6, 6));
        assert!(Some(Kernel::OLDEST) > kernel(5, 4));
        for wrong in [
            "", "6", "6.", ".6", "6.6.1", "6.06", "+6.6", "6.6 ", "6.x", "6.99999",
        ] {
            assert_eq!(Kernel::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_asked_is_kept_and_the_rest_is_as_usual() {
        let asked = Xdp {
            kernel: Kernel::V4,
            mode: Mode::Offload,
        };
        let text = serde_json::to_string(&asked).expect("plain data");
        assert_eq!(text, r#"{"kernel":"6.6","mode":"offload"}"#);
        assert_eq!(serde_json::from_str::<Xdp>(&text).ok(), Some(asked));
        let nothing: Xdp = serde_json::from_str("{}").expect("nothing is asked");
        assert!(nothing.is_default());
        assert!(serde_json::from_str::<Xdp>(r#"{"kernel":"6"}"#).is_err());
    }
}
