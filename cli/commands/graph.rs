//! `lvsc graph`: draws what a policy means, simplified.

use lvsc_pipeline::simplify::simplify;
use lvsc_pipeline::{drawing, text};

use crate::args::{Drawing, Format, Global, Graph};
use crate::failure::{Failure, Status};
use crate::policy;
use crate::ui::Ui;

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
    let pipeline = simplify(checked.pipeline);
    match args.format {
        Drawing::Text => ui.bytes(text::graph(&pipeline).as_bytes()),
        Drawing::Dot => ui.bytes(drawing::dot(&pipeline).as_bytes()),
        Drawing::Mermaid => ui.bytes(drawing::mermaid(&pipeline).as_bytes()),
        Drawing::Json => ui.json(&drawing::json(&pipeline)),
    }
    Ok(Status::Fine)
}
