//! What a packet is predicted to cost.

use crate::support::say;

/// The rows of `--emit cost`: the way, then numbers.
fn ways(policy: &str, target: &str) -> Vec<(String, Vec<f64>)> {
    let args = [
        "build", policy, "--target", target, "--emit", "cost", "-o", "-",
    ];
    let said = say(&args);
    assert_eq!(said.code, 0, "{}", said.err);
    let mut lines = said.out.lines();
    let title = format!("ns per packet on {target}, predicted");
    assert_eq!(lines.next(), Some(title.as_str()));
    let row = |line: &str| {
        let mut cells = line.split("  ").filter(|cell| !cell.is_empty());
        let name = cells.next().expect("a row has a name").to_owned();
        let number = |cell: &str| cell.trim().parse().expect("a number");
        (name, cells.map(number).collect())
    };
    lines.skip(2).map(row).collect()
}

#[test]
fn each_way_has_its_steps_its_lines_and_its_time() {
    for target in ["wasm", "native", "xdp"] {
        let ways = ways("policies/two-services.lvs", target);
        let names: Vec<&str> = ways.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "sent by ring",
            "sent by table",
            "sent, a new flow",
            "to the kernel",
        ] {
            assert!(names.contains(&name), "{target}: {names:?}");
        }
        for (name, numbers) in &ways {
            let [steps, _, one, many, most] = numbers[..] else {
                panic!("{target}: {name}: {numbers:?}");
            };
            assert!(steps > 0.0 && one > 0.0, "{name}: {numbers:?}");
            assert!(one <= many && many <= most, "{name}: {numbers:?}");
        }
    }
}

#[test]
fn a_graph_has_costs_beside_its_lines() {
    let plain = say(&["graph", "policies/dr.lvs"]).out;
    for flag in ["--costs", "--costs=xdp"] {
        let said = say(&["graph", "policies/dr.lvs", flag]);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let without = |line: &str| match line.rsplit_once("  ") {
            Some((line, cost)) if cost.ends_with(" ns") => line.to_owned(),
            _ => line.to_owned(),
        };
        let lines: Vec<String> = said.out.lines().map(without).collect();
        assert_eq!(lines.join("\n"), plain.trim_end(), "{flag}");
        let select = said.out.lines().find(|line| line.contains("select rs"));
        assert!(
            select.is_some_and(|line| line.ends_with(" ns")),
            "{}",
            said.out
        );
    }
}

#[test]
fn costs_of_what_is_no_target_or_no_text_are_refused() {
    let said = say(&["graph", "policies/dr.lvs", "--costs=interp"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    assert!(
        said.err.contains("help: targets: wasm, native, xdp"),
        "{}",
        said.err
    );
    let said = say(&["graph", "policies/dr.lvs", "--costs", "--format", "dot"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    assert!(
        said.err.contains("`--costs` is for the graph as text"),
        "{}",
        said.err
    );
}
