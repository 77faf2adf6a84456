//! Can the lab's client be served by the policy at all? Its packets are plain: TCP, without a VLAN tag.

use lvsc_abi::engine::Engine;
use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::interp::Interpreter;
use lvsc_runtime::lab::Plan;
use lvsc_runtime::publish::publish;
use lvsc_runtime::world::World;

use crate::failure::Failure;
use crate::policy::Checked;
use crate::testing;

/// An error where the policy, with all its backends there, does not send the client's first packet on.
pub(super) fn check(checked: &Checked, plan: &Plan) -> Result<(), Failure> {
    let manifest = &checked.pipeline.manifest;
    let world = World::for_tests(manifest);
    let mut engine = Interpreter::new(checked.pipeline.clone());
    publish(manifest, &world, engine.image_mut());
    let (client, vip, port) = (plan.client.ip, plan.vip, plan.port);
    let sentence = format!("eth / ip {client} -> {vip} / tcp 40000 -> {port} S");
    let text = &checked.text;
    let layers = lvsc_front::packet((&text.path, &text.source), &checked.sources, &sentence);
    let frame = layers
        .ok()
        .and_then(|layers| testing::frame(&layers, &world, 0).ok());
    let passage = frame.and_then(|frame| testing::pass(manifest, &mut engine, frame, 0).ok());
    let Some(passage) = passage else {
        return Ok(()); // the lab itself will say what is wrong
    };
    let fate = match (passage.verdict, passage.reason) {
        (Verdict::Send, _) => return Ok(()),
        (Verdict::Drop, Some(reason)) => format!("dropped ({reason})"),
        (Verdict::Drop, None) => "dropped".to_owned(),
        (Verdict::Pass, _) => "passed to the kernel".to_owned(),
    };
    let path = &text.path;
    Err(Failure::Told {
        what: format!(
            "the lab cannot try this policy: its client asks {vip} at port {port}, over TCP and without a VLAN tag, and \
             that would be {fate}"
        ),
        remedy: Some(format!(
            "lvsc trace {path} --packet \"{sentence}\" shows why; `lvsc test {path}` needs no lab"
        )),
    })
}
