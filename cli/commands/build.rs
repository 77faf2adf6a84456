//! `lvsc build`: compiles a policy to a target's artifact, or to one of the stages before it.

use std::path::{Path, PathBuf};

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Section;
use lvsc_ir::target::{Target, Text};
use lvsc_pipeline::members;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_pipeline::simplify::simplify;
use serde_json::{Value, json};

use crate::args::{Build, Emit, Format, Global};
use crate::failure::{Failure, Status};
use crate::ui::{Ui, file, number, table};
use crate::{compile, cost, only, policy, targets};

/// Compiles a policy and says what was made.
pub fn run(args: &Build, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let target = targets::find(&args.target)?;
    let format = args.report.format;
    let chosen = policy::choose(&args.source, global, ui)?;
    let name = format!("{}.{}", chosen.stem(), extension(target, args.emit));
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(name));
    let piped = path.as_os_str() == "-";
    let written = ("-o", Some(path.as_path()).filter(|_| !piped));
    file::apart(&[("the policy", chosen.file())], &[written])?;
    let checked = policy::open(&chosen, format, ui)?;
    let checked = checked.and_then(|checked| only::check(checked, target.name(), format, ui));
    let Some(checked) = checked else {
        return Ok(Status::Findings);
    };
    let pipeline = &checked.pipeline;
    let made = make(pipeline, target, args.emit)?;
    if piped {
        ui.bytes(&made.bytes);
    } else {
        file::write(&path, &made.bytes)?;
    }
    match (format, piped) {
        (Format::Text, true) => {}
        (Format::Text, false) => ui.confirm(report(&path, &made, pipeline)),
        (Format::Json, true) => ui.talk(data(&path, target, &made, pipeline)),
        (Format::Json, false) => ui.json(&data(&path, target, &made, pipeline)),
    }
    Ok(Status::Fine)
}

/// A set of more than a few ranges, and how its members are found.
struct Looked {
    /// Empty for a literal.
    name: String,
    ranges: usize,
    method: String,
}

fn sets(pipeline: &Pipeline) -> impl Iterator<Item = Looked> {
    let many = pipeline.sets.iter().filter(|set| members::is_large(set));
    many.map(|set| Looked {
        name: set.name.clone(),
        ranges: set.ranges.len(),
        method: members::method(set),
    })
}

/// What a build makes.
struct Made {
    bytes: Vec<u8>,
    /// What the bytes are part of, where they are more than text.
    artifact: Option<Artifact>,
}

fn extension(target: &dyn Target, emit: Option<Emit>) -> &'static str {
    match emit {
        Some(Emit::Graph) => "graph",
        Some(Emit::Ir) => "lvsi",
        Some(Emit::Wat) => "wat",
        Some(Emit::Asm) => "asm",
        Some(Emit::Clif) => "clif",
        Some(Emit::Header) => "h",
        Some(Emit::Cost) => "cost",
        Some(Emit::Wasm) | None => target.extension(),
    }
}

fn make(pipeline: &Pipeline, target: &dyn Target, emit: Option<Emit>) -> Result<Made, Failure> {
    let text = |text: String| Made {
        bytes: text.into_bytes(),
        artifact: None,
    };
    let own = |which: Text, stage: &'static str| {
        let made = compile::program(pipeline)?.text(target, which)?;
        made.map(text).ok_or_else(|| no_stage(target, stage))
    };
    match emit {
        Some(Emit::Graph) => Ok(text(lvsc_pipeline::text::graph(&simplify(
            pipeline.clone(),
        )))),
        Some(Emit::Ir) => {
            let compiled = compile::program(pipeline)?;
            let program = compiled.program.program();
            Ok(text(lvsc_ir::text::print(program, &compiled.layout)))
        }
        Some(Emit::Wat) => {
            of_wasm(target, "wat")?;
            let artifact = compile::program(pipeline)?.plain(target)?;
            let wat = wasmprinter::print_bytes(&artifact.code);
            let wat = wat.map_err(|error| Failure::Bug {
                what: format!("the module cannot be printed: {error}"),
            })?;
            Ok(text(wat))
        }
        Some(Emit::Wasm) => {
            of_wasm(target, "wasm")?;
            Ok(whole(compile::program(pipeline)?.emit(target)?))
        }
        Some(Emit::Asm) => own(Text::Assembly, "asm"),
        Some(Emit::Clif) => own(Text::Clif, "clif"),
        Some(Emit::Header) => own(Text::Header, "header"),
        Some(Emit::Cost) => {
            let compiled = compile::program(pipeline)?;
            Ok(text(cost::table(&compiled, cost::model(target.name())?)))
        }
        None => Ok(whole(compile::program(pipeline)?.emit(target)?)),
    }
}

fn whole(artifact: Artifact) -> Made {
    Made {
        bytes: artifact.code.clone(),
        artifact: Some(artifact),
    }
}

/// An error where the target makes no WebAssembly.
fn of_wasm(target: &dyn Target, stage: &'static str) -> Result<(), Failure> {
    if target.name() == "wasm" {
        Ok(())
    } else {
        Err(no_stage(target, stage))
    }
}

/// That the target does not pass through a stage.
fn no_stage(target: &dyn Target, stage: &'static str) -> Failure {
    Failure::NoStage {
        target: target.name(),
        stage,
    }
}

fn report(path: &Path, made: &Made, pipeline: &Pipeline) -> String {
    let mut lines = vec![format!(
        "{}: {}",
        path.display(),
        size(made.bytes.len() as u64)
    )];
    if let Some(artifact) = &made.artifact {
        lines.extend(figures(artifact));
        let rows: Vec<Vec<String>> = sets(pipeline).map(looked).collect();
        lines.extend((!rows.is_empty()).then(|| "sets".to_owned()));
        lines.extend(indented(&rows));
        lines.push("tables".to_owned());
        let rows: Vec<Vec<String>> = sections(artifact).map(row).collect();
        lines.extend(indented(&rows));
    }
    lines.join("\n")
}

fn indented(rows: &[Vec<String>]) -> impl Iterator<Item = String> {
    let lines = table::align(rows).into_iter();
    lines.map(|line| format!("  {line}"))
}

fn looked(set: Looked) -> Vec<String> {
    let name = match set.name.as_str() {
        "" => "{ .. }",
        name => name,
    };
    vec![name.to_owned(), number(set.ranges, "range"), set.method]
}

fn figures(artifact: &Artifact) -> Vec<String> {
    let row = |(name, value): &(&'static str, u64)| match name.strip_suffix(" bytes") {
        Some(name) => vec![name.to_owned(), size(*value)],
        None => vec![(*name).to_owned(), value.to_string()],
    };
    let needs = artifact.needs.iter();
    let needs = needs.map(|needs| vec!["needs".to_owned(), needs.clone()]);
    let figures = artifact.figures.iter().map(row);
    table::align(&figures.chain(needs).collect::<Vec<_>>())
}

fn sections(artifact: &Artifact) -> impl Iterator<Item = &Section> {
    artifact.layout.sections().map(|(_, section)| section)
}

fn row(section: &Section) -> Vec<String> {
    let shape = format!("{} x {} bytes", section.length, section.element.stride());
    vec![section.name.clone(), shape, size(section.size())]
}

/// `812 bytes`, `4.0 KiB`, `8.4 MiB`
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn data(path: &Path, target: &dyn Target, made: &Made, pipeline: &Pipeline) -> Value {
    let mut data = json!({
        "version": 1,
        "target": target.name(),
        "path": path,
        "bytes": made.bytes.len(),
    });
    if let (Some(artifact), Value::Object(fields)) = (&made.artifact, &mut data) {
        let figures = artifact.figures.iter();
        let figures = figures.map(|(name, value)| (name.replace(' ', "_"), json!(value)));
        fields.extend(figures);
        fields.insert("needs".to_owned(), json!(artifact.needs));
        let tables = sections(artifact).map(|section| {
            json!({ "name": section.name, "length": section.length, "bytes": section.size() })
        });
        fields.insert("tables".to_owned(), tables.collect());
        let sets = sets(pipeline)
            .map(|set| json!({ "name": set.name, "ranges": set.ranges, "method": set.method }));
        fields.insert("sets".to_owned(), sets.collect());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(4096), "4.0 KiB");
        assert_eq!(size(8_650_752), "8.2 MiB");
    }
}
