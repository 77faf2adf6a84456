//! Policies of several files: what `use` and the `file` of a set take in.

use std::collections::BTreeMap;

use lvsc_front::compile_with;
use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::library::Library;

/// Texts by their paths.
struct Shelf(BTreeMap<&'static str, String>);

impl Library for Shelf {
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| "there is none".to_owned())
    }
}

/// Compiles the first of these files; what it says as `CODE FILE:LINE marked text`, errors and warnings.
fn say(files: &[(&'static str, &str)]) -> Vec<String> {
    let shelf = files.iter().map(|(path, text)| (*path, (*text).to_owned()));
    let shelf = Shelf(shelf.collect());
    let (path, text) = files.first().expect("a policy");
    let compiled = compile_with(path, text, &shelf);
    let said = compiled.diagnostics.iter().map(|diagnostic| {
        let span = diagnostic.span().expect("a place");
        let sources = &compiled.sources;
        let (file, line) = (sources.path(span.file), sources.line_col(span).line);
        format!(
            "{} {file}:{line} {}",
            diagnostic.code,
            sources.snippet(span)
        )
    });
    let said: Vec<String> = said.collect();
    let broken = compiled.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(compiled.pipeline.is_none(), broken, "{said:?}");
    said
}

/// A policy for one VIP from `head`.
fn policy(head: &str) -> String {
    format!(
        "{head}\npool web {{\n  backend 192.0.2.21\n}}\n\
         match ip.dst == VIP {{\n  select rs from web\n  dr(rs)\n}}\n"
    )
}

const VIP: &str = "const VIP = 198.51.100.7\n";

#[test]
fn what_a_file_declares_may_be_used_by_who_takes_it_in() {
    let web = policy("use \"common/vip.lvs\"");
    let none: [&str; 0] = [];
    assert_eq!(say(&[("web.lvs", &web), ("common/vip.lvs", VIP)]), none);
    // Seen from the file that names it, once however often it is named.
    let files = [
        (
            "policies/web.lvs",
            &*policy("use \"a/a.lvs\"\nuse \"b.lvs\""),
        ),
        ("policies/a/a.lvs", "use \"../b.lvs\"\n"),
        ("policies/b.lvs", "use \"c.lvs\"\n"),
        ("policies/c.lvs", VIP),
    ];
    assert_eq!(say(&files), none);
    // Statements run where the `use` stands.
    let files = [
        ("web.lvs", &*policy(&format!("{VIP}use \"deny.lvs\""))),
        ("deny.lvs", "match ip.dst == VIP { drop closed }\n"),
    ];
    assert_eq!(say(&files), ["taken-earlier web.lvs:6 ip.dst == VIP"]);
}

#[test]
fn what_cannot_be_taken_in_is_said_at_its_place() {
    let web = policy(&format!("{VIP}use \"gone.lvs\"\nuse \"gone.lvs\""));
    let twice = [
        "unreadable-file web.lvs:2 \"gone.lvs\"",
        "unreadable-file web.lvs:3 \"gone.lvs\"",
    ];
    assert_eq!(say(&[("web.lvs", &web)]), twice);
    let web = policy(&format!("{VIP}use arpp\nuse whatever"));
    let unknown = [
        "unknown-module web.lvs:2 arpp",
        "unknown-module web.lvs:3 whatever",
    ];
    assert_eq!(say(&[("web.lvs", &web)]), unknown);
    let web = policy("use \"vip.lvs\"");
    let wrong = say(&[
        ("web.lvs", &web),
        ("vip.lvs", "const VIP = 198.51.100.700\n"),
    ]);
    assert_eq!(wrong, ["bad-address vip.lvs:1 700"]);
}

#[test]
fn a_circle_is_shown() {
    let web = policy(&format!("{VIP}use \"a.lvs\""));
    let files = [
        ("web.lvs", &*web),
        ("a.lvs", "use \"b.lvs\"\n"),
        ("b.lvs", "use \"a.lvs\"\n"),
    ];
    assert_eq!(say(&files), ["use-cycle b.lvs:1 use \"a.lvs\""]);
    let shelf = Shelf(
        files
            .iter()
            .map(|(path, text)| (*path, (*text).to_owned()))
            .collect(),
    );
    let compiled = compile_with("web.lvs", &web, &shelf);
    let notes = &compiled.diagnostics.first().expect("a circle").notes;
    assert_eq!(*notes, ["a.lvs -> b.lvs -> a.lvs"]);
    let itself = policy(&format!("{VIP}use \"web.lvs\""));
    assert_eq!(
        say(&[("web.lvs", &itself)]),
        ["use-cycle web.lvs:2 use \"web.lvs\""]
    );
}

#[test]
fn a_long_chain_of_files_ends() {
    let paths: Vec<&'static str> = (0..100)
        .map(|n| &*Box::leak(format!("{n}.lvs").into_boxed_str()))
        .collect();
    let texts: Vec<String> = (1..=100).map(|n| format!("use \"{n}.lvs\"\n")).collect();
    let files: Vec<(&str, &str)> = paths
        .iter()
        .copied()
        .zip(texts.iter().map(|t| &**t))
        .collect();
    let said = say(&files);
    assert_eq!(said, ["nesting-too-deep 64.lvs:1 use \"65.lvs\""]);
}

#[test]
fn modules_of_the_language_are_taken_in_by_name() {
    let none: [&str; 0] = [];
    let web = policy(&format!(
        "{VIP}use arp\nuse net\nuse vxlan\nuse gre\n\
         match arp.request and arp.target == VIP {{ pass }}\n\
         match vxlan.vni == 7 {{ drop overlay }}\nmatch gre.has_key {{ drop keyed }}"
    ));
    assert_eq!(say(&[("web.lvs", &web)]), none);
    // A file of the policy's author is another one, whatever it is called.
    let web = policy("use \"prelude/net.lvs\"");
    assert_eq!(say(&[("web.lvs", &web), ("prelude/net.lvs", VIP)]), none);
}

#[test]
fn a_file_is_one_however_its_path_is_written() {
    let none: [&str; 0] = [];
    let web = policy("use \"a/../vip.lvs\"\nuse \"./vip.lvs\"");
    assert_eq!(say(&[("./web.lvs", &web), ("vip.lvs", VIP)]), none);
    let circle = policy("use \"vip.lvs\"");
    let vip = format!("{VIP}use \"web.lvs\"\n");
    let said = say(&[("./web.lvs", &circle), ("vip.lvs", &vip)]);
    assert_eq!(said, ["use-cycle vip.lvs:2 use \"web.lvs\""]);
}

#[test]
fn what_was_asked_for_is_known_whether_it_was_there_or_not() {
    let web = policy(&format!(
        "{VIP}use \"gone.lvs\"\nset s: net {{ file \"x.txt\" }}"
    ));
    let compiled = compile_with("web.lvs", &web, &Shelf(BTreeMap::new()));
    let asked: Vec<&str> = compiled.asked.iter().map(String::as_str).collect();
    assert_eq!(asked, ["gone.lvs", "x.txt"]);
}

#[test]
fn tests_of_other_files_are_not_run() {
    let web = policy("use \"vip.lvs\"");
    let vip = format!("{VIP}test \"of the other file\" {{\n  send eth\n  expect pass\n}}\n");
    let shelf = Shelf([("vip.lvs", vip)].into());
    let compiled = compile_with("web.lvs", &web, &shelf);
    assert_eq!(compiled.policy.expect("fine").tests, []);
}

#[test]
fn sets_hold_what_stands_in_files() {
    let none: [&str; 0] = [];
    let head = format!(
        "{VIP}const OFFICE = {{ 203.0.113.0/24, 2001:db8:5::/48 }}\n\
         set blocked : net {{\n  file \"blocked.txt\"\n  OFFICE, 192.0.2.99\n  capacity 64K\n}}\n\
         match ip.src in blocked {{ drop blocked }}"
    );
    let blocked = "# by hand\n198.18.0.0/15, 2001:db8::/48  # two\r\n\n10.0.0.1\n";
    let web = policy(&head);
    let compiled = |blocked: &str| {
        let shelf = Shelf([("blocked.txt", blocked.to_owned())].into());
        compile_with("web.lvs", &web, &shelf)
    };
    let pipeline = compiled(blocked).pipeline.expect("fine");
    let sizes: Vec<usize> = pipeline.sets.iter().map(|set| set.ranges.len()).collect();
    assert!(sizes.ends_with(&[4, 2]), "of IPv4 and of IPv6: {sizes:?}");
    // The members do not travel in what is built.
    assert!(!format!("{:?}", pipeline.sources).contains("by hand"));
    assert_eq!(say(&[("web.lvs", &web), ("blocked.txt", "")]), none);
    let wrong = "10.0.0.300\nten\n02:00:00:00:00:01\n10.0.0.1\n80\n";
    let said = say(&[("web.lvs", &web), ("blocked.txt", wrong)]);
    let expected = [
        "bad-address blocked.txt:1 300",
        "bad-member blocked.txt:2 ten",
        "bad-member blocked.txt:3 02:00:00:00:00:01",
        "bad-member blocked.txt:5 80",
    ];
    assert_eq!(said, expected);
    let noise = "x\n".repeat(5000);
    assert_eq!(say(&[("web.lvs", &web), ("blocked.txt", &noise)]).len(), 5);
    let gone = say(&[("web.lvs", &web)]);
    assert_eq!(gone, ["unreadable-file web.lvs:4 \"blocked.txt\""]);
}

#[test]
fn a_set_is_of_one_type() {
    let wrong = [
        ("set s : net { 80 }", "bad-member web.lvs:2 80"),
        (
            "set s : ip4addr { 2001:db8::1 }",
            "bad-member web.lvs:2 2001:db8::1",
        ),
        ("set s : u8 { 1, 256 }", "bad-member web.lvs:2 256"),
        ("set s : mac { 10.0.0.1 }", "bad-member web.lvs:2 10.0.0.1"),
        ("set s : whatever { 1 }", "unknown-type web.lvs:2 whatever"),
        (
            "set s : u16 { 1, 2, 3; capacity 2 }",
            "bad-value web.lvs:2 2",
        ),
        (
            "set s : u16 { later }\nset later : u16 { 1 }",
            "unknown-name web.lvs:2 later",
        ),
        ("set s : u16 { s }", "unknown-name web.lvs:2 s"),
    ];
    for (head, said) in wrong {
        let web = policy(&format!("{VIP}{head}"));
        assert_eq!(say(&[("web.lvs", &web)]), [said], "{head}");
    }
    let none: [&str; 0] = [];
    let web = policy(&format!(
        "{VIP}set ports : u16 {{ 80, 443, 8000..8099 }}\nset more : u16 {{ ports, 22 }}\n\
         match tcp.dst in more {{ drop closed }}"
    ));
    assert_eq!(say(&[("web.lvs", &web)]), none);
}
