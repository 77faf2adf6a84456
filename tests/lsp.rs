//! The language server as an editor meets it: the real binary, over its standard input and output.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]
#![allow(clippy::needless_pass_by_value, reason = "what is sent is made for it")]

#[path = "lsp/client.rs"]
mod client;
#[path = "lsp/navigation.rs"]
mod navigation;
#[path = "lsp/protocol.rs"]
mod protocol;
mod support;
#[path = "lsp/words.rs"]
mod words;

use serde_json::{Value, json};

use client::Client;

/// A policy of which everything is asked.
const POLICY: &str = "\
# The address of the service.
const VIP = 192.0.2.200

pool web { # the real servers
  scheduler wrr
  backend rs1 192.0.2.130
  backend rs2 192.0.2.134
}

match ip.dst == VIP {
  select rs from web
  dr(rs)
}

test \"to the VIP\" {
  send   eth / ip 198.51.100.7 -> VIP / tcp 40000 -> 80 S
  expect send ingress { eth.dst in web.macs }
}
";

/// The position of `$` in a text, and the text without it.
fn marked(text: &str) -> (String, Value) {
    let at = text.find('$').expect("the text has its mark");
    (text.replacen('$', "", 1), position(text, at))
}

/// Line and character of a byte; the texts here are ASCII.
fn position(text: &str, at: usize) -> Value {
    let before = &text[..at];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    json!({ "line": line, "character": at - start })
}

/// The position right behind the beginning of the first such words.
fn inside(text: &str, words: &str) -> Value {
    position(
        text,
        text.find(words).expect("the words are there") + words.len() - 1,
    )
}

/// The byte of a position.
fn offset(text: &str, position: &Value) -> usize {
    let number = |key: &str| position[key].as_u64().expect("a number") as usize;
    let lines = text.split_inclusive('\n').take(number("line"));
    lines.map(str::len).sum::<usize>() + number("character")
}

/// A text with edits made.
fn edited(text: &str, edits: &Value) -> String {
    let mut edits: Vec<Value> = edits.as_array().expect("a list").clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(offset(text, &edit["range"]["start"])));
    let mut text = text.to_owned();
    for edit in edits {
        let start = offset(&text, &edit["range"]["start"]);
        let end = offset(&text, &edit["range"]["end"]);
        text.replace_range(start..end, edit["newText"].as_str().expect("a text"));
    }
    text
}

/// A client that has opened this text.
fn opened(text: &str) -> Client {
    let mut client = Client::begin();
    client.open(text);
    client
}
