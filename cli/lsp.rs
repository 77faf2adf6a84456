//! The language server: what an editor asks, over standard input and output.
//!
//! Knows the protocol (Language Server Protocol 3.17) and its positions; what a policy's names mean is asked of
//! `lvsc_front::ide`. One message after the other, in the order of their arrival: each is answered in milliseconds. What is
//! published of a document waits until nothing else does, so that whoever types is not told of every letter.

mod actions;
mod announce;
mod completion;
mod diagnostics;
mod dispatch;
mod document;
mod format;
mod hover;
mod navigate;
mod position;
mod prelude;
mod rename;
mod session;
mod symbols;
mod tokens;
mod uri;

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};

use self::dispatch::Fault;
use self::session::Session;
use crate::failure::{Failure, Status};
use crate::ui::Talk;

/// Serves until the client says `exit`: fine after a `shutdown`, as the protocol wants.
pub fn serve(talk: Talk) -> Result<Status, Failure> {
    let (Connection { sender, receiver }, threads) = Connection::stdio();
    // The transport holds one message; here they wait, so that a cancellation finds what it is for.
    let (inlet, inbox) = mpsc::channel();
    std::thread::spawn(move || {
        for message in receiver {
            if inlet.send(message).is_err() {
                break;
            }
        }
    });
    let mut server = Server {
        talk,
        session: None,
        shut_down: false,
    };
    let send = |message| sender.send(message).map_err(|_| gone());
    let ended = server.run(&inbox, send)?;
    drop(sender);
    drop(inbox);
    threads.join().map_err(|error| broken(&error))?;
    match ended {
        Ended::Exit if server.shut_down => Ok(Status::Fine),
        Ended::Exit => Ok(Status::Findings),
        Ended::Gone => Err(gone()),
    }
}

fn gone() -> Failure {
    Failure::told("the client is gone, and has not said `exit`")
}

fn broken(error: &io::Error) -> Failure {
    let mut what = error.to_string();
    if let Some((at, _)) = what.char_indices().nth(200) {
        what.truncate(at);
        what.push_str("...");
    }
    Failure::told(format_args!(
        "what came is no message of the protocol: {what}"
    ))
}

enum Ended {
    /// The client said so.
    Exit,
    /// Nothing more can come.
    Gone,
}

struct Server {
    talk: Talk,
    /// From `initialize` on.
    session: Option<Session>,
    shut_down: bool,
}

impl Server {
    fn run(
        &mut self,
        inbox: &Receiver<Message>,
        send: impl Fn(Message) -> Result<(), Failure>,
    ) -> Result<Ended, Failure> {
        let mut waiting: VecDeque<Message> = VecDeque::new();
        loop {
            waiting.extend(inbox.try_iter());
            if waiting.is_empty() {
                for message in self.publish() {
                    send(message)?;
                }
                let Ok(message) = inbox.recv() else {
                    return Ok(Ended::Gone);
                };
                waiting.push_back(message);
                continue;
            }
            for response in cancelled(&mut waiting) {
                send(response.into())?;
            }
            match waiting.pop_front() {
                Some(Message::Request(request)) => send(self.answer(request).into())?,
                Some(Message::Notification(note)) if note.method == "exit" => {
                    return Ok(Ended::Exit);
                }
                Some(Message::Notification(note)) => self.hear(note),
                // Nothing is asked of the client.
                Some(Message::Response(_)) | None => {}
            }
        }
    }

    fn answer(&mut self, request: Request) -> Response {
        let id = request.id.clone();
        let answered = if self.shut_down {
            Err(Fault::new(ErrorCode::InvalidRequest, "`shutdown` was said"))
        } else {
            match (request.method.as_str(), &self.session) {
                ("initialize", None) => guarded(|| {
                    let (session, answer) = announce::begin(request.params, self.talk)?;
                    self.session = Some(session);
                    Ok(answer)
                }),
                ("initialize", Some(_)) => Err(Fault::new(
                    ErrorCode::InvalidRequest,
                    "`initialize` was said",
                )),
                (_, None) => {
                    let what = "`initialize` comes first";
                    Err(Fault::new(ErrorCode::ServerNotInitialized, what))
                }
                ("shutdown", Some(_)) => {
                    self.shut_down = true;
                    Ok(serde_json::Value::Null)
                }
                (_, Some(session)) => guarded(|| dispatch::answer(session, request)),
            }
        };
        match answered {
            Ok(result) => Response::new_ok(id, result),
            Err(fault) => Response::new_err(id, fault.code as i32, fault.message),
        }
    }

    fn hear(&mut self, note: Notification) {
        let Some(session) = &mut self.session else {
            return;
        };
        let method = note.method.clone();
        let heard = guarded(AssertUnwindSafe(|| session.hear(note)));
        if let Err(fault) = heard {
            self.talk.say(format_args!("{method}: {}", fault.message));
        }
    }

    /// What is new to say of the documents.
    fn publish(&mut self) -> Vec<Message> {
        let session = self.session.iter_mut();
        let news = session.flat_map(|session| {
            let changed = session.changed();
            let told = changed.filter_map(|uri| {
                let told = guarded(|| session.publish(&uri));
                told.map_err(|fault| self.talk.say(fault.message)).ok()
            });
            told.collect::<Vec<_>>()
        });
        news.map(Message::from).collect()
    }
}

/// Takes out the requests that are cancelled before anything was done for them.
fn cancelled(waiting: &mut VecDeque<Message>) -> Vec<Response> {
    let ids: Vec<serde_json::Value> = waiting
        .iter()
        .filter_map(|message| match message {
            Message::Notification(note) if note.method == "$/cancelRequest" => {
                note.params.get("id").cloned()
            }
            Message::Notification(_) | Message::Request(_) | Message::Response(_) => None,
        })
        .collect();
    let mut responses = Vec::new();
    waiting.retain(|message| {
        let Message::Request(request) = message else {
            return true;
        };
        let asked = serde_json::to_value(&request.id).unwrap_or_default();
        let cancelled = ids.contains(&asked);
        if cancelled {
            let code = ErrorCode::RequestCanceled as i32;
            let what = "cancelled".to_owned();
            responses.push(Response::new_err(request.id.clone(), code, what));
        }
        !cancelled
    });
    responses
}

/// Does something for the client. A panic is a fault of ours, told like any other: the server goes on.
fn guarded<T>(what: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().map(String::as_str);
        let told = told.or_else(|| panic.downcast_ref::<&str>().copied());
        let what = format!(
            "this is a fault of lvsc, please report it: {}",
            told.unwrap_or("a panic")
        );
        Err(Fault::new(ErrorCode::InternalError, what))
    })
}

#[cfg(test)]
mod tests {
    use lsp_server::RequestId;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_panic_is_told_and_the_next_request_is_answered() {
        let told = guarded::<()>(|| panic!("index {} is wrong", 7));
        let fault = told.expect_err("it has panicked");
        assert!(
            fault.message.contains("index 7 is wrong"),
            "{}",
            fault.message
        );
        assert_eq!(fault.code as i32, ErrorCode::InternalError as i32);
        assert_eq!(guarded(|| Ok(1)).ok(), Some(1));
    }

    #[test]
    fn what_is_cancelled_in_time_is_not_done() {
        let request = |id: i32| Request::new(id.into(), "x".to_owned(), json!({}));
        let cancel = Notification::new("$/cancelRequest".to_owned(), json!({ "id": 2 }));
        let mut waiting: VecDeque<Message> =
            [request(1).into(), request(2).into(), cancel.into()].into();
        let responses = cancelled(&mut waiting);
        let [response] = responses.as_slice() else {
            panic!("{responses:?}");
        };
        assert_eq!(response.id, RequestId::from(2));
        assert_eq!(waiting.len(), 2);
    }
}
