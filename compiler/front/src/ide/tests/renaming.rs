//! New names, and why not.

use super::{SMALL, index};
use crate::compile;

fn renamed(text: &str, word: &str, new: &str) -> Result<String, String> {
    let index = index(text);
    let at = text.find(word).unwrap() + word.len();
    let places = index
        .rename(index.policy(), at, new)
        .map_err(|refusal| refusal.to_string())?;
    let mut renamed = text.to_owned();
    for place in places.iter().rev() {
        renamed.replace_range(place.range(), new);
    }
    Ok(renamed)
}

#[test]
fn a_renamed_policy_means_the_same() {
    for (word, new) in [
        ("const VIP", "SERVICE"),
        ("pool web", "farm"),
        ("select rs", "chosen"),
        ("drop closed", "shut"),
        ("interface lan", "wan"),
        ("counter hits", "seen"),
        ("action away", "off"),
        ("let port", "p"),
    ] {
        let text = renamed(SMALL, word, new).unwrap();
        assert!(compile("web.lvs", &text).policy.is_some(), "{text}");
        let old = word.split(' ').nth(1).unwrap();
        let back = format!("{} {new}", word.split(' ').next().unwrap());
        assert_ne!(text, SMALL);
        assert_eq!(renamed(&text, &back, old).unwrap(), SMALL);
    }
}

#[test]
fn what_cannot_be_renamed_says_why() {
    let refused = |word: &str, new: &str| renamed(SMALL, word, new).unwrap_err();
    assert!(refused("match ip", "x").contains("belongs to the prelude"));
    assert!(refused("tcp.dst", "x").contains("belongs to the prelude"));
    assert!(refused("const VIP", "9x").contains("is no name"));
    assert!(refused("const VIP", "").contains("is no name"));
    assert!(refused("const VIP", "web").contains("already the name of a pool"));
    assert!(refused("const VIP", "tcp").contains("already the name of a header"));
    assert!(refused("pool web", "ingress").contains("word of the language"));
    assert!(refused("scheduler wrr", "x").contains("word of the language"));
    assert!(refused("match", "x").contains("no name here"));
    // An action cannot be called like a statement, and a local name must not hide what is named here.
    assert!(refused("action away", "drop").contains("cannot stand here"));
    let text = "const A = 1\nmatch tcp { let b = tcp.dst; match b == A { pass } }\n";
    assert!(renamed(text, "let b", "A").is_err());
}
