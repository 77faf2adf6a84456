//! What `lvsc bench` may be told.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use lvsc_abi::train::FLOWS_MAX;

use super::Output;

/// `lvsc bench`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc bench [OPTIONS] [POLICIES]...",
    after_help = "\
The packets are made of the first packet in the policy's `test` blocks that is sent, else of the
first. Nothing is attached to a device of this host. docs/performance.md says how it is measured,
and what the JSON document holds.

Examples:
  lvsc bench policies/dr.lvs
  lvsc bench --target native,wasm --flows 64K --rounds 31
  sudo lvsc bench --against other.o --svg bench.svg
  sudo lvsc bench --chain policies/dr.lvs       with devices, sockets and the kernel's own rules
  sudo lvsc bench --swap policies/dr.lvs        what is lost while one engine replaces another
  sudo lvsc bench --swap old.lvs new.lvs        while one policy replaces another"
)]
pub struct Bench {
    /// The policies; `-` is standard input. Without any: what `lvsc.toml` names, else the only
    /// `.lvs` file here, else `policies/dr.lvs`, else the built-in one; several here are an error
    pub policies: Vec<PathBuf>,
    /// The engines, by their names; `all` are those that this machine lets run
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "all"
    )]
    pub target: Vec<String>,
    /// Measure the whole way of a packet: from a generator to the director and back, in network namespaces
    /// of its own (root)
    #[arg(long, conflicts_with_all = ["swap", "against", "svg"])]
    pub chain: bool,
    /// Replace each engine by a new one under load, again and again, and count what is lost: none may
    /// be (root). Of several policies each replaces the one before
    #[arg(long, conflicts_with_all = ["against", "svg"])]
    pub swap: bool,
    /// With `--swap`, packets that are sent each second
    #[arg(
        long,
        value_name = "N",
        requires = "swap",
        default_value = "100000",
        value_parser = clap::value_parser!(u64).range(1_000..=10_000_000),
    )]
    pub rate: u64,
    /// Numbers of flows that the packets are of, powers of two up to 16M; without it 1,64K,1M, with
    /// `--chain` and `--swap` one, 64K
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub flows: Vec<Flows>,
    /// The backends have just changed, so that about so many percent of each ring's slots have moved: what a packet costs with
    /// `flows auto` in the meantime
    #[arg(
        long,
        value_name = "PERCENT",
        default_value = "0",
        conflicts_with_all = ["chain", "swap"],
        value_parser = clap::value_parser!(u8).range(0..=50),
    )]
    pub changed: u8,
    /// Each engine is measured once in each round, without it 11; with `--swap` it is replaced so
    /// often, without it 50
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000),
    )]
    pub rounds: Option<u32>,
    /// The packet, in notation, as in `test` blocks; it may be dropped or passed, too
    #[arg(long, value_name = "SENTENCE")]
    pub packet: Option<String>,
    /// The interface by which it comes, by the policy's name for it
    #[arg(long, value_name = "INTERFACE", requires = "packet")]
    pub on: Option<String>,
    /// Also measure this: what `lvsc build` made, an XDP object of others, or a program that is pinned in
    /// a BPF file system (may be given several times)
    #[arg(long, value_name = "OBJECT[:PROGRAM]")]
    pub against: Vec<Against>,
    /// Also draw the bars into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

impl Bench {
    /// Whether packets go over a wire.
    pub fn on_wire(&self) -> bool {
        self.chain || self.swap
    }
}

/// A number of flows: `1`, `64K`, `1M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flows(pub u32);

impl FromStr for Flows {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Flows, &'static str> {
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let unit = match text.get(digits.len()..) {
            Some("") => Some(1),
            Some("K" | "k") => Some(1 << 10),
            Some("M" | "m") => Some(1 << 20),
            Some(_) | None => None,
        };
        let number = digits.parse().ok().zip(unit);
        let number = number.and_then(|(number, unit): (u32, u32)| number.checked_mul(unit));
        number
            .filter(|number| number.is_power_of_two() && *number <= FLOWS_MAX)
            .map(Flows)
            .ok_or("flows are a power of two from 1 to 16M: `1`, `64K`, `1M`")
    }
}

impl fmt::Display for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            number @ 0..1024 => write!(f, "{number}"),
            number @ 1024..1_048_576 => write!(f, "{}K", number >> 10),
            number => write!(f, "{}M", number >> 20),
        }
    }
}

/// What is measured beside: a file, and the program of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// As it was typed.
    pub text: String,
    /// The file.
    pub path: PathBuf,
    /// The program, where one is named.
    pub program: Option<String>,
}

impl FromStr for Against {
    type Err = &'static str;

    /// A file's name may have a colon itself, what follows the last one then has a slash or a dot.
    fn from_str(text: &str) -> Result<Against, &'static str> {
        let named = text
            .rsplit_once(':')
            .filter(|(path, program)| !path.is_empty() && !program.contains(['/', '.']));
        let (path, program) = match named {
            Some((path, program)) => (path, Some(program)),
            None => (text, None),
        };
        if path.is_empty() || program == Some("") {
            return Err("an object is given as `other.o` or `other.o:PROGRAM`");
        }
        Ok(Against {
            text: text.to_owned(),
            path: path.into(),
            program: program.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn flows_are_said_with_units() {
        for (text, number) in [("1", 1), ("64K", 65_536), ("1M", 1 << 20), ("512", 512)] {
            let flows: Flows = text.parse().unwrap();
            assert_eq!((flows.0, flows.to_string().as_str()), (number, text));
        }
        for text in ["", "0", "3", "K", "32M", "64KK", "64 K", "4294967296", "-1"] {
            assert!(text.parse::<Flows>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_object_may_name_its_program() {
        let read = |text: &str| {
            let against: Against = text.parse().unwrap();
            (against.path.display().to_string(), against.program)
        };
        assert_eq!(read("a.o"), ("a.o".to_owned(), None));
        assert_eq!(
            read("a.o:send"),
            ("a.o".to_owned(), Some("send".to_owned()))
        );
        assert_eq!(read("a:b/c.o"), ("a:b/c.o".to_owned(), None));
        assert!("a.o:".parse::<Against>().is_err());
        assert!("".parse::<Against>().is_err());
    }
}
