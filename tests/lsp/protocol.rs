//! The protocol itself: hello, documents and their diagnostics, errors, the end.

use serde_json::{Value, json};

use crate::client::{Client, URI, at, framed};
use crate::{POLICY, edited, marked, opened, position};

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const INVALID_REQUEST: i64 = -32600;
const NOT_INITIALIZED: i64 = -32002;
const CANCELLED: i64 = -32800;

#[test]
fn a_wrong_policy_gets_its_diagnostic_and_a_mended_one_none() {
    let wrong = POLICY.replace("ip.dst", "ip.dest");
    let mut client = opened(&wrong);
    let found = client.diagnostics(1);
    assert_eq!(found.len(), 1, "{found:?}");
    let one = &found[0];
    assert_eq!(
        (&one["code"], &one["severity"]),
        (&json!("unknown-field"), &json!(1))
    );
    assert_eq!(one["source"], "lvsc");
    assert!(
        one["message"]
            .as_str()
            .expect("words")
            .contains("`ip` has no field `dest`")
    );
    let start = position(&wrong, wrong.find("dest").expect("it is there"));
    assert_eq!(one["range"]["start"], start);

    let end =
        json!({ "line": start["line"], "character": start["character"].as_u64().unwrap_or(0) + 4 });
    client.change(
        2,
        json!([{ "range": { "start": start, "end": end }, "text": "dst" }]),
    );
    assert_eq!(client.diagnostics(2), Vec::<Value>::new());

    // Several changes build on one another; the last one is the whole text.
    let zero = json!({ "line": 0, "character": 0 });
    let begin = json!({ "start": zero, "end": zero });
    client.change(
        3,
        json!([{ "range": begin, "text": "x\n" }, { "text": wrong }]),
    );
    assert_eq!(client.diagnostics(3).len(), 1);
    client.tell(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": URI } }),
    );
    assert_eq!(
        client.diagnostics(4),
        Vec::<Value>::new(),
        "of a closed document nothing is wrong"
    );
    let (number, why) = client.refused("textDocument/hover", at(&zero));
    assert_eq!(number, INVALID_PARAMS);
    assert!(why.contains("is not open"), "{why}");
    client.end();
}

#[test]
fn a_fix_can_be_applied() {
    let wrong = POLICY.replace("ip.dst", "ip.dest");
    let mut client = opened(&wrong);
    let found = client.diagnostics(1);
    let range = &found[0]["range"];
    let ask = |range: &Value, only: &Value| {
        let context = json!({ "diagnostics": found, "only": only });
        json!({ "textDocument": { "uri": URI }, "range": range, "context": context })
    };
    let actions = client.ask("textDocument/codeAction", ask(range, &Value::Null));
    let action = &actions[0];
    assert_eq!(action["title"], "a similar name exists: dst");
    assert_eq!(
        (&action["kind"], &action["isPreferred"]),
        (&json!("quickfix"), &json!(true))
    );
    assert_eq!(edited(&wrong, &action["edit"]["changes"][URI]), POLICY);
    let refactor = client.ask("textDocument/codeAction", ask(range, &json!(["refactor"])));
    assert_eq!(refactor, json!([]));
    let zero = json!({ "line": 0, "character": 0 });
    let elsewhere = json!({ "start": zero, "end": zero });
    let nothing = client.ask("textDocument/codeAction", ask(&elsewhere, &Value::Null));
    assert_eq!(nothing, json!([]));
    client.end();
}

#[test]
fn what_it_can_is_announced_and_no_more() {
    let mut client = Client::start();
    let zero = json!({ "line": 0, "character": 0 });
    assert_eq!(
        client.refused("textDocument/hover", at(&zero)).0,
        NOT_INITIALIZED
    );
    let answer = client.hello(&json!({}));
    let can = &answer["capabilities"];
    assert_eq!(can["positionEncoding"], "utf-16");
    assert_eq!(answer["serverInfo"]["name"], "lvsc");
    for (provider, method) in [
        ("hoverProvider", "hover"),
        ("completionProvider", "completion"),
        ("definitionProvider", "definition"),
        ("referencesProvider", "references"),
        ("documentHighlightProvider", "documentHighlight"),
        ("renameProvider", "rename"),
        ("documentSymbolProvider", "documentSymbol"),
        ("foldingRangeProvider", "foldingRange"),
        ("codeActionProvider", "codeAction"),
        ("documentFormattingProvider", "formatting"),
        ("inlayHintProvider", "inlayHint"),
    ] {
        let announced = can.get(provider).is_some();
        let (number, why) = client.refused(&format!("textDocument/{method}"), json!({ "odd": 1 }));
        let known = number == INVALID_PARAMS;
        assert_eq!(announced, known, "{method}: {number} {why}");
        assert!(known || number == METHOD_NOT_FOUND);
    }
    let (number, why) = client.refused("lvsc/nonsense", Value::Null);
    assert_eq!(number, METHOD_NOT_FOUND);
    assert!(why.contains("lvsc/nonsense"), "{why}");
    assert_eq!(
        client
            .refused("initialize", json!({ "capabilities": {} }))
            .0,
        INVALID_REQUEST
    );
    client.tell("lvsc/nonsense", json!({}));
    client.tell("textDocument/didOpen", json!({ "odd": 1 }));
    client.ask("shutdown", Value::Null);
    assert_eq!(
        client.refused("textDocument/hover", at(&zero)).0,
        INVALID_REQUEST
    );
    client.tell("exit", Value::Null);
    let (code, talk) = client.ended();
    assert_eq!(code, 0);
    assert!(
        talk.contains("textDocument/didOpen"),
        "what cannot be used is logged: {talk}"
    );
}

#[test]
fn positions_are_counted_as_agreed() {
    let text = "# \u{1f4a7}\u{e9}\nlog \"\u{1f4a7}\"; match ip.dest == 192.0.2.1 { pass }\n";
    for (encodings, agreed, wide) in [
        (json!(["utf-16"]), "utf-16", 2),
        (json!(["utf-16", "utf-8"]), "utf-8", 4),
    ] {
        let mut client = Client::start();
        let answer = client.hello(&json!({ "general": { "positionEncodings": encodings } }));
        assert_eq!(answer["capabilities"]["positionEncoding"], agreed);
        client.open(text);
        let found = client.diagnostics(1);
        let field = found.iter().find(|one| one["code"] == "unknown-field");
        let start = &field.expect("it is found")["range"]["start"];
        assert_eq!(
            *start,
            json!({ "line": 1, "character": 5 + wide + 12 }),
            "{agreed}"
        );
        client.end();
    }
}

#[test]
fn a_request_that_is_cancelled_in_time_is_not_answered_with_a_result() {
    let mut client = opened(POLICY);
    let document = json!({ "textDocument": { "uri": URI } });
    // They come at once: while one is answered the others wait, and those can be cancelled.
    let mut cancelled = 0;
    for round in 0..20 {
        let ids: Vec<i64> = (0..20).map(|number| 100 + round * 20 + number).collect();
        let request = |id: &i64| {
            let method = "textDocument/semanticTokens/full";
            json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": document })
        };
        let mut messages: Vec<Value> = ids.iter().map(request).collect();
        let params = json!({ "id": ids[19] });
        messages.push(json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": params }));
        let bytes: String = messages.iter().map(framed).collect();
        client.send(bytes.as_bytes());
        for id in ids {
            let response = client.response(id);
            let number = response["error"]["code"].as_i64();
            assert!(
                number.is_none_or(|number| number == CANCELLED),
                "{response}"
            );
            cancelled += u32::from(number.is_some());
        }
    }
    assert!(cancelled > 0, "not one of twenty came in time");
    client.end();
}

#[test]
fn an_end_that_was_not_announced_is_not_fine() {
    let mut client = Client::begin();
    client.tell("exit", Value::Null);
    assert_eq!(client.ended().0, 1);
    let (code, talk) = Client::begin().ended();
    assert_eq!(code, 2);
    assert!(talk.contains("the client is gone"), "{talk}");
}

#[test]
fn what_is_no_message_ends_it_with_an_error() {
    for bytes in [
        "Content-Length: 9\r\n\r\n{ \"odd\": ".to_owned(),
        "Content-Length: 4\r\n\r\nnull".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        "Content-Length: many\r\n\r\n".to_owned(),
        format!("Content-Length: 600\r\n\r\n{}", "x".repeat(600)),
    ] {
        let mut client = Client::begin();
        client.send(bytes.as_bytes());
        let (code, talk) = client.ended();
        assert_eq!(code, 2, "{bytes}");
        assert!(
            talk.contains("no message of the protocol"),
            "{bytes}: {talk}"
        );
        assert!(talk.len() < 400, "{talk}");
    }
}

#[test]
fn any_half_written_policy_is_answered() {
    let mut client = opened("");
    client.diagnostics(1);
    let mut version = 1;
    for end in (0..POLICY.len()).step_by(23) {
        version += 1;
        client.change(version, json!([{ "text": POLICY[..end] }]));
        let here = position(POLICY, end);
        for method in ["completion", "hover", "definition", "documentHighlight"] {
            client.ask_at(&format!("textDocument/{method}"), &here);
        }
        let (_, place) = marked(&format!("{}$", &POLICY[..end]));
        assert_eq!(place, here);
    }
    client.diagnostics(i64::from(version));
    client.end();
}
