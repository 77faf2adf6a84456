use crate::diagnostics::Code;

/// The VIPs of a policy, and the codes of what is said of it.
fn vips(body: &str) -> (Vec<String>, Vec<Code>) {
    let pool = "pool web { scheduler maglev; backend 192.0.2.1 }\n";
    let found = crate::compile("test.lvs", &format!("{pool}{body}"));
    let policy = found.policy.expect("the policy is fine");
    let vips = policy.manifest.vips.iter().map(|vip| {
        let port = vip.port.map_or(String::new(), |port| format!(":{port}"));
        match vip.prefix {
            32 | 128 => format!("{}{port}", vip.address),
            prefix => format!("{}/{prefix}{port}", vip.address),
        }
    });
    let codes = found.diagnostics.iter().map(|found| found.code);
    (vips.collect(), codes.collect())
}

fn check(body: &str, expected: &[&str]) {
    let (vips, codes) = vips(body);
    assert_eq!(vips, expected, "{body}");
    assert!(!codes.contains(&Code::NoVip), "{body}");
}

const SELECT: &str = "select rs from web; dr(rs)";

#[test]
fn single_addresses_are_single_vips_whether_they_touch_or_not() {
    for set in [
        "192.0.2.10, 192.0.2.11, 192.0.2.12",
        "192.0.2.12, 192.0.2.10, 192.0.2.11",
    ] {
        check(
            &format!("match ip.dst in {{ {set} }} {{ {SELECT} }}"),
            &["192.0.2.10", "192.0.2.11", "192.0.2.12"],
        );
    }
    check(
        &format!("match flow.dst in {{ 192.0.2.10, 192.0.2.12, 2001:db8::1 }} {{ {SELECT} }}"),
        &["192.0.2.10", "192.0.2.12", "2001:db8::1"],
    );
}

#[test]
fn a_prefix_is_one_vip_and_what_is_taken_out_of_it_is_not() {
    let prefix = "match ip.dst in 192.0.2.0/29";
    check(&format!("{prefix} {{ {SELECT} }}"), &["192.0.2.0/29"]);
    check(
        &format!("match ip.dst == 192.0.2.0 {{ pass }}\n{prefix} {{ {SELECT} }}"),
        &["192.0.2.1", "192.0.2.2/31", "192.0.2.4/30"],
    );
}

#[test]
fn conditions_in_one_another_meet() {
    let inner = format!("match ip.dst == 192.0.2.10 {{ {SELECT} }}");
    check(
        &format!("match ip.dst in {{ 192.0.2.10, 192.0.2.11 }} {{ {inner} }}"),
        &["192.0.2.10"],
    );
    check(
        &format!("match ip.dst in 192.0.2.0/24 and flow.dport == 80 {{ {inner} }}"),
        &["192.0.2.10:80"],
    );
    check(
        &format!("match ip.dst in 198.51.100.0/24 {{ {inner} }}"),
        &[],
    );
}

#[test]
fn what_ends_earlier_leaves_the_rest() {
    check(
        &format!("match not (ip.dst == 192.0.2.10) {{ pass }}\n{SELECT}"),
        &["192.0.2.10"],
    );
    check(
        &format!("match not ip4 {{ pass }}\nmatch ip4.dst != 192.0.2.10 {{ pass }}\n{SELECT}"),
        &["192.0.2.10"],
    );
    check(
        &format!("match ip.dst != 192.0.2.10 {{ pass }} else match ip4 {{ {SELECT} }}"),
        &["192.0.2.10"],
    );
    check(
        &format!(
            "match ip.dst not in {{ 192.0.2.10, 192.0.2.12 }} {{ pass }}\nmatch ip4 {{ {SELECT} }}"
        ),
        &["192.0.2.10", "192.0.2.12"],
    );
}

#[test]
fn any_address_but_some_is_no_vip() {
    for body in [
        "match ip {".to_owned(),
        "match ip4 and not (ip.dst == 192.0.2.10) {".to_owned(),
        "match ip.dst == 192.0.2.10 { pass }\nmatch ip {".to_owned(),
        "match ip.dst == 192.0.2.10 or ip.src == 192.0.2.10 {".to_owned(),
    ] {
        let (vips, codes) = vips(&format!("{body} {SELECT} }}"));
        assert!(vips.is_empty(), "{body}: {vips:?}");
        assert!(codes.contains(&Code::NoVip), "{body}");
    }
}

#[test]
fn a_set_of_touching_addresses_is_one_range_in_the_pipeline() {
    let text = "match ip.dst in { 192.0.2.10, 192.0.2.11 } { drop }";
    let pipeline = crate::compile("test.lvs", text).pipeline.expect("fine");
    let (low, high) = (0xc000_020a, 0xc000_020b);
    assert!(pipeline.sets.iter().any(|set| set.ranges == [(low, high)]));
}
