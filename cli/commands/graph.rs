//! `lvsc graph`: draws what a policy means, simplified.

use lvsc_pipeline::simplify::simplify;
use lvsc_pipeline::{drawing, text};

use crate::args::{Drawing, Format, Global, Graph};
use crate::failure::{Failure, Status};
use crate::policy::Checked;
use crate::ui::Ui;
use crate::{compile, cost, policy};

/// Draws a policy's pipeline.
pub fn run(args: &Graph, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let format = if args.format == Drawing::Json {
        Format::Json
    } else {
        Format::Text
    };
    let chosen = policy::choose(&args.source, global, ui)?;
    let Some(checked) = policy::open(&chosen, format, ui)? else {
        return Ok(Status::Findings);
    };
    if let Some(target) = &args.costs {
        return costs(&checked, target, args.format, ui);
    }
    let pipeline = simplify(checked.pipeline);
    match args.format {
        Drawing::Text => ui.bytes(text::graph(&pipeline).as_bytes()),
        Drawing::Dot => ui.bytes(drawing::dot(&pipeline).as_bytes()),
        Drawing::Mermaid => ui.bytes(drawing::mermaid(&pipeline).as_bytes()),
        Drawing::Json => ui.json(&drawing::json(&pipeline)),
    }
    Ok(Status::Fine)
}

/// The graph as text, each line with what it is predicted to cost.
fn costs(checked: &Checked, target: &str, format: Drawing, ui: &mut Ui) -> Result<Status, Failure> {
    if format != Drawing::Text {
        return Err(Failure::Told {
            what: "`--costs` is for the graph as text".to_owned(),
            remedy: Some("leave `--format` out".to_owned()),
        });
    }
    let model = cost::model(target)?;
    let compiled = compile::program(&checked.pipeline)?;
    let places = cost::places(&compiled, model);
    let beside = |place| {
        let cost = places.get(&place).filter(|cost| **cost > 0.0);
        cost.map_or(String::new(), |cost| format!("  {cost:.1} ns"))
    };
    ui.bytes(text::graph_with(&compiled.pipeline, beside).as_bytes());
    Ok(Status::Fine)
}
