//! The lab in this process.

use lvsc_runtime::director::Director;
use lvsc_runtime::lab::Node;
use lvsc_runtime::lab::memory::{Directed, Lab};
use lvsc_runtime::world::{World, draw_seed};

use super::{Order, Outcome};
use crate::args::LabKind;
use crate::failure::Failure;
use crate::ui::Ui;

/// Runs it.
pub(super) fn run(order: &Order<'_>, ui: &Ui) -> Result<Outcome, Failure> {
    let engine = order.kind.make(&order.checked.pipeline)?;
    let manifest = order.manifest();
    let world = World {
        seconds: 1,
        seed: draw_seed(),
        ..World::of(&manifest)
    };
    let mut lab = Lab::new(order.plan.clone())?;
    let mut director = Directed::new(Director::new(engine, manifest, world), order.plan);
    for question in director.questions() {
        lab.transmit(Node::Director, &question, &mut director);
    }
    let report = lab.run(&mut director, order.requests(), &mut order.progress(ui));
    Ok(Outcome {
        lab: LabKind::Memory,
        plan: order.plan.clone(),
        report,
        summary: director.director().summary(),
        io: None,
        moved: None,
    })
}
