//! `lvsc trace`: follows packets through a policy, with the interpreter's eyes.

use std::path::Path;
use std::time::Duration;

use lvsc_abi::engine::{Engine, FRAME_MAX};
use lvsc_abi::notation::{Header, decode, describe};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_front::source::FileId;
use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::trace::{Happened, Trace as Record};
use lvsc_runtime::io::Loss;
use lvsc_runtime::io::pcap::Reader;
use lvsc_runtime::publish::{publish, publish_time};
use lvsc_runtime::sweep::Sweeper;
use lvsc_runtime::world::World;
use serde_json::{Value, json};

use crate::args::{Format, Global, Trace};
use crate::failure::{Failure, Status};
use crate::policy::{self, Checked};
use crate::testing::sides;
use crate::ui::{HEAD, Ui, styled, table};

/// Follows packets.
pub fn run(args: &Trace, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let format = args.output.format;
    let chosen = policy::choose(&args.source, global, ui)?;
    let Some(checked) = policy::open(&chosen, format, ui)? else {
        return Ok(Status::Findings);
    };
    let ingress = checked.interface(args.on.as_deref())?;
    let manifest = &checked.pipeline.manifest;
    let mut world = match args.packets.pcap {
        Some(_) => World::for_captures(manifest),
        None => World::for_tests(manifest),
    };
    let Some(frames) = frames(args, &checked, &world, ingress, ui)? else {
        return Ok(Status::Findings);
    };
    let mut engine = Interpreter::new(checked.pipeline.clone());
    publish(manifest, &world, engine.image_mut());
    let mut sweeper = Sweeper::default();
    for (index, (origin, frame)) in frames.into_iter().enumerate() {
        let second = origin.as_ref().map_or(0, |origin| origin.time.as_secs());
        if second > world.seconds {
            sweeper.advance(manifest, (world.seconds, second), engine.image_mut());
            world.seconds = second;
            publish_time(&world, engine.image_mut());
        }
        let followed = Followed {
            origin,
            ..follow(&checked, &mut engine, frame, ingress)
        };
        match format {
            Format::Text if index > 0 => ui.print(format_args!("\n{}", words(&checked, &followed))),
            Format::Text => ui.print(words(&checked, &followed)),
            Format::Json => ui.json(&data(&checked, &followed)),
        }
    }
    Ok(Status::Fine)
}

/// Where a frame stands in a capture.
struct Origin {
    /// Its number, from 1.
    number: u64,
    /// Its time since 1970.
    time: Duration,
}

impl Origin {
    /// The time as `tcpdump -tt` shows it, to the nanosecond.
    fn time(&self) -> String {
        format!("{}.{:09}", self.time.as_secs(), self.time.subsec_nanos())
    }
}

/// A frame, and where it stands; a packet in notation stands nowhere, and comes at once.
type Came = (Option<Origin>, Vec<u8>);

/// The frames that were asked for; `None` where a sentence is no packet, which was said.
fn frames(
    args: &Trace,
    checked: &Checked,
    world: &World,
    ingress: u8,
    ui: &mut Ui,
) -> Result<Option<Vec<Came>>, Failure> {
    if let Some(path) = &args.packets.pcap {
        return captured(path, ui).map(Some);
    }
    let mut frames = Vec::new();
    let format = args.output.format;
    for sentence in &args.packets.packet {
        let Some(frame) = checked.packet(sentence, (world, ingress), format, ui)? else {
            return Ok(None);
        };
        frames.push((None, frame));
    }
    Ok(Some(frames))
}

/// The frames of a capture; those of which only the begin was captured are left out.
fn captured(path: &Path, ui: &mut Ui) -> Result<Vec<Came>, Failure> {
    let mut frames = Vec::new();
    for (captured, number) in Reader::open(path)?.zip(1_u64..) {
        let captured = captured?;
        if captured.is_truncated() {
            ui.say(format_args!(
                "packet {number} is left out: only its begin was captured"
            ));
        } else {
            let time = captured.time;
            frames.push((Some(Origin { number, time }), captured.frame));
        }
    }
    Ok(frames)
}

/// A packet and what happened to it.
struct Followed {
    origin: Option<Origin>,
    came: Vec<u8>,
    left: Vec<u8>,
    ingress: u8,
    verdict: Verdict,
    egress: u8,
    steps: Vec<Happened>,
    /// Headers that the bytes look like, and that the policy's rules do not find there.
    absent: Vec<&'static str>,
}

/// The headers of a frame, as its bytes look, that are no headers to the policy though it declares such.
fn absent(checked: &Checked, frame: &[u8], steps: &[Happened]) -> Vec<&'static str> {
    let declared = &checked.pipeline.headers;
    let found = decode(frame).into_iter().filter(|header| {
        let text = format!("{} at byte {}", header.name, header.offset);
        declared.iter().any(|known| known.name == header.name)
            && !steps
                .iter()
                .any(|step| step.kind == "header" && step.text == text)
    });
    found.map(|header| header.name).collect()
}

fn follow(checked: &Checked, engine: &mut Interpreter, came: Vec<u8>, ingress: u8) -> Followed {
    if came.len() > FRAME_MAX as usize {
        return oversize(came, ingress);
    }
    let mut record = Record::new(&checked.pipeline);
    let mut left = came.clone();
    let (verdict, egress) = engine.observe(&mut left, ingress, &mut record);
    Followed {
        origin: None,
        absent: absent(checked, &came, &record.steps),
        came,
        left,
        ingress,
        verdict,
        egress,
        steps: record.steps,
    }
}

/// What becomes of a frame that no engine is given.
fn oversize(came: Vec<u8>, ingress: u8) -> Followed {
    let reason = Loss::Oversize.name();
    Followed {
        origin: None,
        absent: Vec::new(),
        left: came.clone(),
        came,
        ingress,
        verdict: Verdict::Drop,
        egress: ingress,
        steps: vec![Happened {
            place: Place::default(),
            kind: "verdict",
            text: format!("drop, reason {reason}"),
        }],
    }
}

/// The packet, the lines that decided with what happened there, the verdict, the headers before and after.
fn words(checked: &Checked, followed: &Followed) -> String {
    let mut lines = Vec::new();
    if let Some(origin) = &followed.origin {
        let (head, time) = (styled(HEAD, "frame"), origin.time());
        lines.push(format!("{head}   {}, captured at {time}", origin.number));
    }
    lines.push(format!(
        "{}  {}",
        styled(HEAD, "packet"),
        describe(&followed.came)
    ));
    let mut file = None;
    let mut rows = Vec::new();
    let mut last = None;
    for step in followed.steps.iter().filter(|step| step.place.line > 0) {
        if file != Some(step.place.file) {
            lines.extend(indented(&std::mem::take(&mut rows)));
            file = Some(step.place.file);
            lines.push(String::new());
            lines.push(styled(HEAD, path(checked, step.place.file)));
        }
        let (number, source) = if last == Some(step.place) {
            (String::new(), String::new())
        } else {
            (step.place.line.to_string(), source(checked, step))
        };
        last = Some(step.place);
        rows.push(vec![number, source, step.text.clone()]);
    }
    lines.extend(indented(&rows));
    lines.push(String::new());
    let verdict = followed.steps.last().map_or("", |step| step.text.as_str());
    lines.push(format!("{}  {verdict}", styled(HEAD, "verdict")));
    lines.push(String::new());
    if !followed.absent.is_empty() {
        lines.push(format!(
            "{}: shown as the bytes stand, absent by the policy's rules",
            followed.absent.join(", ")
        ));
    }
    lines.extend(sides("before", &followed.came, "after", &followed.left));
    lines.join("\n")
}

fn indented(rows: &[Vec<String>]) -> Vec<String> {
    table::align(rows)
        .into_iter()
        .map(|line| format!("  {line}"))
        .collect()
}

fn path(checked: &Checked, file: u16) -> &str {
    checked.sources.path(FileId(u32::from(file)))
}

/// The policy's line at which something happened.
fn source(checked: &Checked, step: &Happened) -> String {
    let text = checked.sources.text(FileId(u32::from(step.place.file)));
    let line = text.lines().nth(step.place.line.saturating_sub(1) as usize);
    line.unwrap_or_default()
        .trim()
        .trim_end_matches('{')
        .trim_end()
        .to_owned()
}

fn data(checked: &Checked, followed: &Followed) -> Value {
    let name = |index: u8| {
        let found = checked.pipeline.manifest.interfaces.get(usize::from(index));
        found.map(|interface| interface.name.clone())
    };
    let steps = followed.steps.iter().map(|step| {
        // A header is found by the packet, not by a line.
        let place = Some(step.place).filter(|place| place.line > 0);
        json!({
            "file": place.map(|place| path(checked, place.file)),
            "line": place.map(|place| place.line),
            "kind": step.kind,
            "text": step.text,
        })
    });
    json!({
        "version": 1,
        "policy": checked.text.path,
        "frame": followed.origin.as_ref().map(|origin| origin.number),
        "time": followed.origin.as_ref().map(Origin::time),
        "packet": describe(&followed.came),
        "ingress": name(followed.ingress),
        "verdict": followed.verdict,
        "egress": (followed.verdict == Verdict::Send).then(|| name(followed.egress)).flatten(),
        "steps": steps.collect::<Vec<_>>(),
        "absent": followed.absent,
        "before": headers(&followed.came),
        "after": headers(&followed.left),
    })
}

fn headers(frame: &[u8]) -> Value {
    let header = |header: Header| {
        let fields = header
            .fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)));
        json!({
            "name": header.name,
            "offset": header.offset,
            "size": header.size,
            "fields": Value::Object(fields.collect()),
        })
    };
    decode(frame).into_iter().map(header).collect()
}
