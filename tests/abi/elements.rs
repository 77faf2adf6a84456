//! The elements of an image, as the page tells of them.

use std::collections::BTreeMap;

use lvsc_abi::flows;
use lvsc_abi::layout::{change, load};

use crate::page::Page;

/// Pools of every kind, a set and a counter that have tables.
const ALL: &str = "\
pool least {
  scheduler wlc
  backend 192.0.2.1
  fragments follow
  persist 5m
}
pool turns {
  scheduler rr
  backend 192.0.2.2
}
pool hashed {
  scheduler maglev
  backend 192.0.2.3
}
counter clients by ip.src
match ip.src in { 192.0.2.21, 192.0.2.33, 192.0.2.47, 192.0.2.50, 192.0.2.76, 192.0.2.98, 192.0.2.111, 192.0.2.130, 192.0.2.157 } {
  count clients
  select rs from least
  dr(rs)
}
match ip.dst == 192.0.2.201 { select rs from turns; dr(rs) }
match ip.dst == 192.0.2.202 { select rs from hashed; dr(rs) }
";

#[test]
fn the_page_has_every_element_and_what_stands_in_it() {
    let page = Page::read();
    let pipeline = lvsc_front::compile("all.lvs", ALL).pipeline;
    let layout = lvsc_pipeline::layout::layout(&pipeline.expect("the policy is right"));
    let mut elements = BTreeMap::new();
    for (_, section) in layout.sections() {
        let section = serde_json::to_value(section).expect("it is written");
        let element = section["element"].as_str().expect("a name").to_owned();
        let stride = section["stride"].as_u64().expect("a number") as usize;
        assert_eq!(
            stride,
            page.number(&format!("element {element} stride")),
            "{element}"
        );
        elements.insert(element, stride);
    }
    assert_eq!(elements.len(), 16, "{elements:?}");
    for (element, stride) in elements {
        let begins = format!("{element}.");
        let fields = page.0.keys().filter_map(|name| name.strip_suffix(" at"));
        let fields = fields.filter(|name| name.starts_with(&begins));
        let fields: Vec<(usize, usize)> = fields.map(|name| page.field(name)).collect();
        assert!(!fields.is_empty(), "no field of {element}");
        assert!(fields.iter().all(|(at, bytes)| at + bytes <= stride));
    }
    let flags = [
        ("valid", flows::VALID),
        ("opening", flows::OPENING),
        ("closing", flows::CLOSING),
        ("new", flows::NEW),
    ];
    for (name, flag) in flags {
        assert_eq!(page.bits(name, flag), 1, "{name}");
    }
    let known = [
        ("change.since", change::SINCE, 4),
        ("change.elsewhere", change::ELSEWHERE, 4),
        ("load.counts", load::COUNTS, 8),
        ("load.weight", load::WEIGHT, 4),
        ("load.limit", load::LIMIT, 4),
        ("load.id", load::ID, 4),
    ];
    for (name, at, bytes) in known {
        assert_eq!(page.field(name), (usize::from(at), bytes), "{name}");
    }
}
