//! The tree of arguments: the one source of `--help` and of usage errors.
//!
//! Knows what may be said, not what is done with it.

mod bench;
mod environment;
mod run;
mod tools;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use self::bench::{Against, Bench, Flows};
pub use self::run::{
    Binding, Door, LabKind, Modes, Moves, Plan, Reload, Run, Unpin, Way, default_engine,
};
pub use self::tools::{Completions, Lsp, Man};

/// What `lvsc` alone prints.
pub const OVERVIEW: &str = "\
lvsc compiles load-balancer policies to XDP programs, WebAssembly and machine code, and runs them

write     check, fmt, fix, explain, graph, trace
make      build, test, bench
operate   plan, run, reload, unpin
tools     lsp, completions, man

try       lvsc run            (four hosts, real TCP, direct routing: about a second)
more      lvsc --help, lvsc COMMAND --help
";

const AFTER: &str = "\
Environment: LVSC_COLOR, LVSC_FORMAT, LVSC_QUIET and LVSC_NO_CONFIG stand for the flags of these
names (LVSC_FORMAT=json, LVSC_QUIET=1); a flag that is typed wins, an empty variable says nothing.
Exit status: 0 fine; 1 findings (an error in a policy, a failed test or proof); 2 could not
(usage, a file, the kernel refused); 130 interrupted.";

/// Compiles load-balancer policies to XDP programs, WebAssembly and machine code, and runs them
#[derive(Debug, Parser)]
#[command(name = "lvsc", version, disable_help_subcommand = true, after_help = AFTER)]
pub struct Cli {
    /// Flags of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing prints the overview.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Why there is nothing to do: a usage error, or the help that was asked for.
pub struct Refusal {
    /// What is to be said.
    pub error: clap::Error,
    /// How.
    pub global: Global,
}

impl Cli {
    /// Reads the arguments and the environment of the process.
    pub fn read() -> Result<Cli, Refusal> {
        let words: Vec<OsString> = std::env::args_os().collect();
        let (command, unusable) = environment::defaults(Cli::command());
        let matches = command.try_get_matches_from(&words);
        let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        let cli = cli.and_then(|cli| unusable.map_or(Ok(cli), Err));
        cli.map_err(|error| Refusal {
            error,
            global: Global {
                color: typed_color(&words),
                quiet: false,
                verbose: false,
                no_config: false,
            },
        })
    }
}

/// What `--color` says among arguments that may not make sense otherwise.
fn typed_color(words: &[OsString]) -> Color {
    let words = words.iter().map(|word| word.to_str().unwrap_or_default());
    let words: Vec<&str> = words.take_while(|word| *word != "--").collect();
    let joined = words
        .iter()
        .filter_map(|word| word.strip_prefix("--color="));
    let apart = words.windows(2).filter_map(|pair| match pair {
        ["--color", when] => Some(*when),
        _ => None,
    });
    let when = joined.chain(apart).next_back();
    when.and_then(|when| Color::from_str(when, false).ok())
        .unwrap_or(Color::Auto)
}

/// A capture's place.
fn capture() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            Err("a capture is a file; standard input and output are not supported")
        } else {
            Ok(path)
        }
    })
}

/// Flags of all commands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Color::Auto,
        value_name = "WHEN",
    )]
    pub color: Color,
    /// Print results and errors alone: no progress, no notes, nothing that only confirms (`check`'s ok,
    /// `test`'s count, what `build` has written)
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Do not read `lvsc.toml`
    #[arg(long, global = true)]
    pub no_config: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal; `NO_COLOR` and `CLICOLOR_FORCE` are obeyed.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one document, with `version`.
    Json,
}

/// How the findings of a check are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Findings {
    /// For people.
    Text,
    /// For programs: one document, with `version`.
    Json,
    /// For forges and editors: SARIF 2.1.0.
    Sarif,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is wrong with a policy
    Check(Check),
    /// Give policies their one shape
    Fmt(Fmt),
    /// Mend what leaves no doubt of what was meant
    Fix(Fix),
    /// Explain a diagnostic: what it means, why the rule exists, what to do
    Explain(Explain),
    /// Draw what a policy means
    Graph(Graph),
    /// Follow packets through a policy
    Trace(Trace),
    /// Run the `test` blocks of policies on every engine
    Test(Test),
    /// Compile a policy to a datapath
    Build(Build),
    /// Measure what a packet costs on each engine
    Bench(Bench),
    /// Say what another policy would do to the flows of this one
    Plan(Plan),
    /// Forward packets: in a lab, over a capture, on an interface
    Run(Run),
    /// Have a running director read its policy again
    Reload(Reload),
    /// Take off what `run --pin` left on an interface
    Unpin(Unpin),
    /// Serve an editor: the language server, over standard input and output
    Lsp(Lsp),
    /// Print what makes a shell complete `lvsc`
    Completions(Completions),
    /// Print the manual page, or write the pages of all commands
    Man(Man),
}

/// The policy of a command.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// The policy; `-` is standard input. Without one: what `lvsc.toml` names, else the only
    /// `.lvs` file here, else `policies/dr.lvs`, else the built-in one; several here are an error
    pub policy: Option<PathBuf>,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// How the result is printed
    #[arg(
        long,
        value_enum,
        default_value_t = Format::Text,
    )]
    pub format: Format,
}

/// `lvsc check`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc check [OPTIONS] [POLICIES]...",
    after_help = "\
Examples:
  lvsc check policies/dr.lvs
  lvsc check --watch web.lvs           again after each save, until Ctrl-C
  lvsc check --format json web.lvs     the findings as data, one object a policy
  generate | lvsc check -"
)]
pub struct Check {
    /// The policies; `-` is standard input. Without any: what `lvsc.toml` names, else the only
    /// `.lvs` file here, else `policies/dr.lvs`, else the built-in one; several here are an error
    pub policies: Vec<PathBuf>,
    /// Check again whenever a file is saved, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t = Findings::Text)]
    pub format: Findings,
}

/// `lvsc fmt`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc fmt [OPTIONS] <FILES>...",
    after_help = "\
Examples:
  lvsc fmt policies/dr.lvs
  lvsc fmt --check .             what would change, for CI
  lvsc fmt - < dr.lvs            for editors: standard input to standard output"
)]
pub struct Fmt {
    /// The policies; a folder is all `.lvs` files below it, `-` is standard input, formatted to
    /// standard output
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing: show the difference, and exit with 1 if there is one
    #[arg(long)]
    pub check: bool,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// `lvsc fix`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc fix [OPTIONS] [POLICIES]...",
    after_help = "\
Only remedies are applied that leave no doubt of what was meant: a look-alike character, `&&` for `and`.
`lvsc check` shows the others.

Examples:
  lvsc fix web.lvs
  lvsc fix --dry-run web.lvs     what it would do, as a diff
  generate | lvsc fix - > web.lvs"
)]
pub struct Fix {
    /// The policies; `-` is standard input, and the mended text goes to standard output. Without any: what
    /// `lvsc.toml` names, else the `.lvs` files here, else `policies/*.lvs`
    pub policies: Vec<PathBuf>,
    /// Write nothing: show what would change, as a unified diff
    #[arg(long)]
    pub dry_run: bool,
}

/// `lvsc explain`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc explain [OPTIONS] [CODE]",
    after_help = "\
Examples:
  lvsc explain                         all codes, a line for each
  lvsc explain header-may-be-absent"
)]
pub struct Explain {
    /// The code, as it stands in brackets behind `error` or `warning`
    pub code: Option<String>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// Indented lines.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid, for Markdown.
    Mermaid,
    /// Nodes and edges as data.
    Json,
}

/// `lvsc graph`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc graph [OPTIONS] [POLICY]",
    after_help = "\
Examples:
  lvsc graph policies/dr.lvs
  lvsc graph policies/dr.lvs --format dot | dot -Tsvg > dr.svg"
)]
pub struct Graph {
    /// The policy.
    #[command(flatten)]
    pub source: Source,
    /// How the graph is drawn
    #[arg(long, value_enum, default_value_t = Drawing::Text)]
    pub format: Drawing,
    /// Show beside each line what it is predicted to cost a packet on this target
    #[arg(long, value_name = "TARGET", num_args = 0..=1, default_missing_value = "wasm", require_equals = true)]
    pub costs: Option<String>,
}

/// `lvsc trace`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc trace [OPTIONS] <--packet <SENTENCE>|--pcap <FILE>> [POLICY]",
    after_help = "\
Examples:
  lvsc trace policies/dr.lvs --packet \"eth / ip 192.168.46.135 -> VIP / tcp 40000 -> 80 S\"
  lvsc trace policies/dr.lvs --pcap day.pcap --format json"
)]
pub struct Trace {
    /// The policy.
    #[command(flatten)]
    pub source: Source,
    /// The packets.
    #[command(flatten)]
    pub packets: Packets,
    /// The interface by which they come, by the policy's name for it
    #[arg(long, value_name = "INTERFACE")]
    pub on: Option<String>,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Where traced packets come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Packets {
    /// A packet in notation, as in `test` blocks; the policy's constants may be used
    #[arg(long, value_name = "SENTENCE")]
    pub packet: Vec<String>,
    /// The frames of a capture (pcap or pcapng), each with its number and its time in seconds since 1970
    #[arg(long, value_name = "FILE", value_parser = capture())]
    pub pcap: Option<PathBuf>,
}

/// `lvsc test`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc test [OPTIONS] [POLICIES]...",
    after_help = "\
Examples:
  lvsc test                      the policies of this folder
  lvsc test policies/*.lvs --engine interp"
)]
pub struct Test {
    /// The policies. Without any: what `lvsc.toml` names, else the `.lvs` files here, else
    /// `policies/*.lvs`, else the built-in policy
    pub policies: Vec<PathBuf>,
    /// Only on this engine (may be given several times)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub engine: Vec<String>,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// What `build` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// The pipeline graph.
    Graph,
    /// The program, textual.
    Ir,
    /// The WebAssembly module, textual.
    Wat,
    /// The WebAssembly module.
    Wasm,
    /// The instructions, textual: of the eBPF object, or of the machine code.
    Asm,
    /// The machine code's function as Cranelift gets it, textual.
    Clif,
    /// What a program in C includes that links the native object.
    Header,
    /// What a packet is predicted to cost, by what becomes of it.
    Cost,
}

/// `lvsc build`
#[derive(Debug, Args)]
#[command(
    override_usage = "lvsc build [OPTIONS] [POLICY]",
    after_help = "\
Examples:
  lvsc build policies/dr.lvs                     writes dr.wasm
  lvsc build policies/dr.lvs --emit ir -o -      the program, to standard output"
)]
pub struct Build {
    /// The policy.
    #[command(flatten)]
    pub source: Source,
    /// For what to compile
    #[arg(long, default_value = "wasm")]
    pub target: String,
    /// What to write: an earlier stage, or a text of the target [default: the target's artifact]
    #[arg(long, value_enum)]
    pub emit: Option<Emit>,
    /// Where to write it; `-` is standard output [default: the policy's name, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How the report is printed.
    #[command(flatten)]
    pub report: Output,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_colour_is_known_of_arguments_that_make_no_sense() {
        let color = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            typed_color(&words)
        };
        assert_eq!(color(&["lvsc", "chekc", "--color", "never"]), Color::Never);
        assert_eq!(color(&["lvsc", "--color=always", "chekc"]), Color::Always);
        assert_eq!(
            color(&["lvsc", "chekc", "--", "--color=never"]),
            Color::Auto
        );
        assert_eq!(color(&["lvsc", "--color"]), Color::Auto);
    }

    #[test]
    fn the_overview_names_every_command() {
        let words: Vec<&str> = OVERVIEW.split([' ', ',', '\n']).collect();
        for command in Cli::command().get_subcommands() {
            assert!(
                words.contains(&command.get_name()),
                "{}",
                command.get_name()
            );
        }
        assert!(OVERVIEW.lines().count() <= 10);
    }
}
