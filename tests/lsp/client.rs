//! A client: speaks the protocol with a process, and waits for nothing longer than some seconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{code, ended, lvsc, root};

const PATIENCE: Duration = Duration::from_secs(20);
/// The document of the tests.
pub const URI: &str = "file:///work/web.lvs";

pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What came while something else was waited for.
    notes: Vec<Value>,
    talk: Receiver<String>,
    requests: i64,
    cache: tempfile::TempDir,
}

impl Client {
    /// Starts a server.
    pub fn start() -> Client {
        let cache = tempfile::tempdir().expect("a folder");
        let mut child = lvsc(root())
            .args(["lsp", "--stdio"])
            .env("XDG_CACHE_HOME", cache.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let output = BufReader::new(child.stdout.take().expect("an output"));
        let mut error = child.stderr.take().expect("an output");
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            let mut output = output;
            while let Some(message) = message(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let (sender, talk) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = error.read_to_string(&mut text);
            let _ = sender.send(text);
        });
        Client {
            input: child.stdin.take(),
            child,
            messages,
            notes: Vec::new(),
            talk,
            requests: 0,
            cache,
        }
    }

    /// Starts one and says hello, as a client that counts UTF-16.
    pub fn begin() -> Client {
        let mut client = Client::start();
        client.hello(&json!({}));
        client
    }

    /// Says hello; the server's answer.
    pub fn hello(&mut self, capabilities: &Value) -> Value {
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        let answer = self.ask("initialize", params);
        self.tell("initialized", json!({}));
        answer
    }

    /// The folder that the server takes for the user's cache.
    pub fn cache(&self) -> &std::path::Path {
        self.cache.path()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).expect("the server reads");
        input.flush().expect("the server reads");
    }

    fn message(&mut self, message: &Value) {
        self.send(framed(message).as_bytes());
    }

    /// Says something that has no answer.
    pub fn tell(&mut self, method: &str, params: Value) {
        self.message(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks without waiting; the request's number.
    pub fn begin_asking(&mut self, method: &str, params: Value) -> i64 {
        self.requests += 1;
        let id = self.requests;
        self.message(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The whole response to a request.
    pub fn response(&mut self, id: i64) -> Value {
        let known = self.notes.iter().position(|message| message["id"] == id);
        if let Some(known) = known {
            return self.notes.remove(known);
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|_| panic!("no answer to request {id}"));
            if message["id"] == id {
                return message;
            }
            self.notes.push(message);
        }
    }

    /// Asks, and waits for the result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin_asking(method, params);
        let response = self.response(id);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].clone()
    }

    /// Asks, and waits for an error: its number and words.
    pub fn refused(&mut self, method: &str, params: Value) -> (i64, String) {
        let id = self.begin_asking(method, params);
        let response = self.response(id);
        let error = &response["error"];
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        let number = error["code"].as_i64();
        (
            number.unwrap_or_else(|| panic!("{method}: {response}")),
            message,
        )
    }

    /// Opens the document with this text.
    pub fn open(&mut self, text: &str) {
        let document = json!({ "uri": URI, "languageId": "lvs", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Changes the document.
    pub fn change(&mut self, version: i32, changes: Value) {
        let document = json!({ "uri": URI, "version": version });
        self.tell(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    /// What is published next of the document in this state or a later one.
    pub fn diagnostics(&mut self, version: i64) -> Vec<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let note = if self.notes.is_empty() {
                let left = end.saturating_duration_since(Instant::now());
                let message = self.messages.recv_timeout(left);
                message.unwrap_or_else(|_| panic!("nothing is published of version {version}"))
            } else {
                self.notes.remove(0)
            };
            let params = &note["params"];
            let fresh = params["version"]
                .as_i64()
                .is_none_or(|known| known >= version);
            if note["method"] == "textDocument/publishDiagnostics" && params["uri"] == URI && fresh
            {
                return params["diagnostics"].as_array().expect("a list").clone();
            }
        }
    }

    /// Asks about a position of the document.
    pub fn ask_at(&mut self, method: &str, position: &Value) -> Value {
        self.ask(method, at(position))
    }

    /// Closes the input and waits for the end: the exit code, and what was said on standard error.
    pub fn ended(mut self) -> (i32, String) {
        self.input.take();
        let status = ended(&mut self.child, PATIENCE);
        let talk = self
            .talk
            .recv_timeout(PATIENCE)
            .expect("standard error ends");
        (code(status), talk)
    }

    /// Ends as the protocol wants.
    pub fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.ended(), (0, String::new()));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill(); // where a test has failed
        let _ = self.child.wait();
    }
}

/// A message as it is sent.
pub fn framed(message: &Value) -> String {
    let text = message.to_string();
    format!("Content-Length: {}\r\n\r\n{text}", text.len())
}

/// The parameters of a request about a position.
pub fn at(position: &Value) -> Value {
    json!({ "textDocument": { "uri": URI }, "position": position })
}

/// The next message of a stream.
fn message(stream: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
