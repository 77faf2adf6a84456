//! From name to name: declarations, places, new names, the outline.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::{Client, URI, at};
use crate::support::{fed, lvsc, root};
use crate::{POLICY, edited, inside, opened, position};

#[test]
fn a_name_leads_to_its_declaration() {
    let mut client = opened(POLICY);
    let found = client.ask_at("textDocument/definition", &inside(POLICY, "== V"));
    let declared = position(POLICY, POLICY.find("VIP").expect("it is there"));
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&found[0]["uri"], &found[0]["range"]["start"]),
        (&json!(URI), &declared)
    );
    let nothing = client.ask_at("textDocument/definition", &inside(POLICY, "matc"));
    assert_eq!(nothing, json!([]));
    client.end();
}

#[test]
fn the_prelude_can_be_gone_to_and_be_looked_at() {
    let mut client = opened(POLICY);
    let found = client.ask_at("textDocument/definition", &inside(POLICY, "  d"));
    let uri = found[0]["uri"].as_str().expect("a place").to_owned();
    let path = PathBuf::from(uri.strip_prefix("file://").expect("a file"));
    assert!(path.starts_with(client.cache()), "{uri}");
    let text = fs::read_to_string(&path).expect("it is written");
    let prelude = root().join("compiler/front/src/prelude/dr.lvs");
    assert_eq!(text, fs::read_to_string(prelude).expect("the prelude"));
    assert!(
        fs::metadata(&path)
            .expect("a file")
            .permissions()
            .readonly()
    );
    let start = &found[0]["range"]["start"];
    assert_eq!(
        *start,
        position(&text, text.find("dr(b").expect("the action"))
    );

    // An editor opens it: it is no policy, so nothing is wrong with it, and its names have meanings.
    let document = json!({ "uri": uri, "languageId": "lvs", "version": 1, "text": text });
    client.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let here = inside(&text, "eth.sr");
    let params = json!({ "textDocument": { "uri": uri }, "position": here });
    let hover = client.ask("textDocument/hover", params.clone());
    assert!(
        hover["contents"]["value"]
            .as_str()
            .expect("words")
            .contains("eth.src: mac")
    );
    let elsewhere = client.ask("textDocument/definition", params.clone());
    assert!(
        elsewhere[0]["uri"]
            .as_str()
            .expect("a place")
            .ends_with("/net.lvs")
    );
    let (_, why) = client.refused("textDocument/prepareRename", params);
    assert!(why.contains("belongs to the prelude"), "{why}");
    let symbols = client.ask(
        "textDocument/documentSymbol",
        json!({ "textDocument": { "uri": uri } }),
    );
    assert_eq!(symbols[0]["name"], "dr");
    let again = client.ask_at("textDocument/definition", &inside(POLICY, "match i"));
    assert_eq!(again.as_array().map(Vec::len), Some(1));
    client.end();
}

#[test]
fn all_places_of_a_name_are_found() {
    let mut client = opened(POLICY);
    let mut places = |declarations: bool| {
        let mut params = at(&inside(POLICY, "== V"));
        params["context"] = json!({ "includeDeclaration": declarations });
        let found = client.ask("textDocument/references", params);
        let start = |place: &Value| place["range"]["start"].clone();
        found
            .as_array()
            .expect("a list")
            .iter()
            .map(start)
            .collect::<Vec<_>>()
    };
    let expected: Vec<Value> = POLICY
        .match_indices("VIP")
        .filter(|(at, _)| !POLICY[..*at].ends_with("the "))
        .map(|(at, _)| position(POLICY, at))
        .collect();
    assert_eq!(places(true), expected);
    assert_eq!(places(false), expected[1..]);
    let marks = client.ask_at("textDocument/documentHighlight", &inside(POLICY, "== V"));
    assert_eq!(marks.as_array().map(Vec::len), Some(expected.len()));
    client.end();
}

#[test]
fn a_new_name_is_given_everywhere_and_the_policy_stays_fine() {
    let mut client = opened(POLICY);
    let mut text = POLICY.to_owned();
    for (words, new) in [
        ("const V", "SERVICE"),
        ("select r", "chosen"),
        ("pool w", "farm"),
    ] {
        let place = inside(&text, words);
        let range = client.ask_at("textDocument/prepareRename", &place);
        assert_eq!(range["end"]["line"], place["line"]);
        let mut params = at(&place);
        params["newName"] = json!(new);
        let edit = client.ask("textDocument/rename", params);
        text = edited(&text, &edit["changes"][URI]);
        client.change(2, json!([{ "text": text }]));
    }
    assert!(
        !text.contains("web") && text.contains("eth.dst in farm.macs"),
        "{text}"
    );
    assert!(
        text.contains("dr(chosen)") && text.contains("ip.dst == SERVICE"),
        "{text}"
    );
    let said = fed(lvsc(root()).args(["check", "-"]), &text);
    assert_eq!(said.code, 0, "{}", said.err);
    client.end();
}

#[test]
fn what_cannot_have_a_new_name_says_why() {
    let mut client = opened(POLICY);
    for (words, new, reason) in [
        ("match ip.ds", "x", "belongs to the prelude"),
        ("  d", "x", "belongs to the prelude"),
        ("const V", "8080", "is no name"),
        ("const V", "a b", "is no name"),
        ("const V", "web", "already the name of a pool"),
        ("pool w", "tcp", "already the name of a header"),
        ("send ing", "x", "word of the language"),
        ("matc", "x", "no name here"),
    ] {
        let mut params = at(&inside(POLICY, words));
        params["newName"] = json!(new);
        let (number, why) = client.refused("textDocument/rename", params);
        assert_eq!(number, -32803, "{why}");
        assert!(why.contains(reason), "{words}, {new}: {why}");
    }
    client.end();
}

#[test]
fn the_outline_and_what_folds() {
    let mut client = opened(POLICY);
    let document = json!({ "textDocument": { "uri": URI } });
    let symbols = client.ask("textDocument/documentSymbol", document.clone());
    let names = |list: &Value| {
        let list = list.as_array().expect("a list").iter();
        list.map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let expected = ["VIP", "web", "match ip.dst == VIP", "test \"to the VIP\""];
    assert_eq!(names(&symbols), expected);
    assert_eq!(names(&symbols[1]["children"]), ["rs1", "rs2"]);
    let folds = client.ask("textDocument/foldingRange", document);
    let begins: BTreeSet<u64> = folds
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|fold| fold["startLine"].as_u64())
        .collect();
    let line = |words: &str| inside(POLICY, words)["line"].as_u64().expect("a number");
    assert_eq!(begins, ["pool", "match", "test"].map(line).into());
    client.end();
}

#[test]
fn names_lead_into_the_files_that_are_taken_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let vip = folder.path().join("vip.lvs");
    fs::write(&vip, "# the address of clients\nconst VIP = 198.51.100.7\n").expect("written");
    let text = "use \"vip.lvs\"\nmatch ip.dst == VIP { drop closed }\n";
    let uri = format!("file://{}", folder.path().join("web.lvs").display());
    let mut client = Client::begin();
    let document = json!({ "uri": uri, "languageId": "lvs", "version": 1, "text": text });
    client.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let params = json!({ "textDocument": { "uri": uri }, "position": inside(text, "== V") });
    let found = client.ask("textDocument/definition", params.clone());
    let place = format!("file://{}", vip.display());
    assert_eq!(found[0]["uri"], json!(place));
    assert_eq!(
        found[0]["range"]["start"],
        json!({ "line": 1, "character": 6 })
    );
    let hover = client.ask("textDocument/hover", params.clone());
    let words = hover["contents"]["value"].as_str().expect("words");
    assert!(words.contains("the address of clients"), "{words}");
    let mut renamed = params;
    renamed["newName"] = json!("ADDRESS");
    let (_, refused) = client.refused("textDocument/rename", renamed);
    assert!(refused.contains("is declared in"), "{refused}");
    client.end();
}
