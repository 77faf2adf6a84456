//! What a test expects of a packet, and the frame that would have met it.

use lvsc_abi::image::Bytes;
use lvsc_abi::mac::Mac;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::{Check, CheckKind};
use lvsc_pipeline::interp::{self, Blind};
use lvsc_pipeline::layout::{Sections, layout};
use lvsc_pipeline::pipeline::{
    Compare, Edge, Expr, FieldId, HeaderId, InterfaceRef, Node, Outcome, Pipeline, PoolId, Step,
};
use lvsc_runtime::publish::publish;
use lvsc_runtime::world::World;

use super::{Frames, Passage, Wrong};

/// What must have become of a packet.
pub(super) struct Expectation<'a> {
    pub(super) verdict: Verdict,
    pub(super) reason: Option<&'a str>,
    pub(super) interface: Option<InterfaceRef>,
    pub(super) checks: &'a [Check],
}

impl Expectation<'_> {
    /// Compares it with what became of the packet.
    pub(super) fn of(
        &self,
        pipeline: &Pipeline,
        world: &World,
        passage: &Passage,
    ) -> Result<(), Wrong> {
        if passage.verdict != self.verdict {
            let reason = passage
                .reason
                .as_ref()
                .map(|reason| format!(", reason {reason}"));
            let reason = reason.unwrap_or_default();
            return Err(Wrong::plain(format!(
                "the verdict is {}{reason}, not {}",
                passage.verdict, self.verdict
            )));
        }
        if let Some(expected) = self.reason
            && passage.reason.as_deref() != Some(expected)
        {
            let found = passage.reason.as_deref().unwrap_or("not counted");
            return Err(Wrong::plain(format!(
                "the reason is {found}, not {expected}"
            )));
        }
        self.egress(pipeline, passage)?;
        self.checks(pipeline, world, passage)
    }

    fn egress(&self, pipeline: &Pipeline, passage: &Passage) -> Result<(), Wrong> {
        let expected = match self.interface {
            None | Some(InterfaceRef::OfBackend(_)) => return Ok(()),
            Some(InterfaceRef::Ingress) => passage.ingress,
            Some(InterfaceRef::Named(id)) => id.0 as u8,
        };
        if expected == passage.egress {
            return Ok(());
        }
        let name = |index: u8| {
            let found = pipeline.manifest.interfaces.get(usize::from(index));
            found.map_or_else(|| format!("interface {index}"), |known| known.name.clone())
        };
        let (found, expected) = (name(passage.egress), name(expected));
        Err(Wrong::plain(format!(
            "it left by {found}, not by {expected}"
        )))
    }

    fn checks(&self, pipeline: &Pipeline, world: &World, passage: &Passage) -> Result<(), Wrong> {
        let judge = Judge {
            pipeline,
            world,
            passage,
        };
        let failed: Vec<&Check> = self
            .checks
            .iter()
            .filter(|check| !judge.holds(&check.kind))
            .collect();
        let Some(first) = failed.first() else {
            return Ok(());
        };
        let texts: Vec<String> = failed
            .iter()
            .map(|check| format!("`{}`", check.text))
            .collect();
        let verb = if failed.len() == 1 { "does" } else { "do" };
        let mut expected = passage.left.clone();
        for check in &failed {
            judge.mend(&check.kind, &mut expected);
        }
        Err(Wrong {
            what: format!(
                "{} {verb} not hold for the frame that left",
                texts.join(" and ")
            ),
            place: Some(first.place),
            frames: Some(Frames {
                came: passage.came.clone(),
                expected,
                actual: passage.left.clone(),
            }),
        })
    }
}

/// Decides checks on one passage.
struct Judge<'a> {
    pipeline: &'a Pipeline,
    world: &'a World,
    passage: &'a Passage,
}

impl Judge<'_> {
    fn holds(&self, check: &CheckKind) -> bool {
        let Passage { came, left, .. } = self.passage;
        match check {
            CheckKind::Holds(condition) => self.condition(condition),
            CheckKind::PoolMac { value, pool } => self
                .macs(*pool)
                .any(|mac| self.condition(&equals(value, mac))),
            CheckKind::HeaderUnchanged(headers) => {
                let before = self.header(came, headers).and_then(|at| came.get(at..));
                let after = self.header(left, headers).and_then(|at| left.get(at..));
                before.is_some() && before == after
            }
            CheckKind::FieldUnchanged(fields) => {
                let before = self.field(came, fields).map(|(_, value)| value);
                let after = self.field(left, fields).map(|(_, value)| value);
                before.is_some() && before == after
            }
        }
    }

    /// Changes the frame so that the check holds, as far as there is one way to do it.
    fn mend(&self, check: &CheckKind, frame: &mut Vec<u8>) {
        let came = &self.passage.came;
        match check {
            CheckKind::Holds(Expr::Compare(Compare::Eq, left, right)) => {
                if let (Expr::Field(header, field), Expr::Constant { value, .. }) =
                    (left.as_ref(), right.as_ref())
                {
                    self.write(frame, *header, *field, *value);
                }
            }
            CheckKind::Holds(_) => {}
            CheckKind::PoolMac { value, pool } => {
                let chosen = self.passage.backend.filter(|(known, _)| known == pool);
                let at = chosen.map_or(0, |(_, id)| usize::from(id));
                if let (Expr::Field(header, field), Some(mac)) = (value, self.macs(*pool).nth(at)) {
                    self.write(frame, *header, *field, u128::from(mac));
                }
            }
            CheckKind::HeaderUnchanged(headers) => {
                let (before, after) = (self.header(came, headers), self.header(frame, headers));
                if let (Some(before), Some(after)) = (before, after) {
                    frame.truncate(after);
                    frame.extend(came.iter().skip(before));
                }
            }
            CheckKind::FieldUnchanged(fields) => {
                if let Some(((header, field), value)) = self.field(came, fields) {
                    self.write(frame, header, field, value);
                }
            }
        }
    }

    fn macs(&self, pool: PoolId) -> impl Iterator<Item = u64> {
        let backends = self.world.pools.get(usize::from(pool.0));
        let macs = backends
            .into_iter()
            .flatten()
            .filter_map(|backend| backend.mac);
        macs.map(Mac::to_bits)
    }

    /// Where the first present one of these headers begins.
    fn header(&self, frame: &[u8], headers: &[HeaderId]) -> Option<usize> {
        let mut each = headers.iter();
        each.find_map(|header| interp::offset(self.pipeline, frame, *header))
    }

    /// The first present one of these fields, and its value.
    fn field(
        &self,
        frame: &[u8],
        fields: &[(HeaderId, FieldId)],
    ) -> Option<((HeaderId, FieldId), u128)> {
        let mut each = fields.iter();
        each.find_map(|(header, field)| {
            let expr = Expr::Field(*header, *field);
            let value = interp::evaluate(self.pipeline, frame, &expr)?;
            Some(((*header, *field), value))
        })
    }

    /// Whether a condition holds for the frame that left. A condition is a pipeline of its own: one question, two ends.
    fn condition(&self, condition: &Expr) -> bool {
        let mut question = self.pipeline.clone();
        let step = question.step(question.entry).step.clone();
        question.graph.clear();
        let mut add = |step| {
            question.graph.add_node(Node {
                step,
                place: Place::default(),
            })
        };
        let entry = add(step);
        let decide = add(Step::Match(condition.clone()));
        let yes = add(Step::Verdict(Outcome::Pass));
        let no = add(Step::Verdict(Outcome::Send(InterfaceRef::Ingress)));
        question.entry = entry;
        for (from, to, edge) in [
            (entry, decide, Edge::Next),
            (decide, yes, Edge::Yes),
            (decide, no, Edge::No),
        ] {
            question.graph.add_edge(from, to, edge);
        }
        let layout = layout(&question);
        let sections = Sections::of(&question, &layout);
        let mut image = Bytes::new(layout);
        publish(&question.manifest, self.world, &mut image);
        let mut frame = self.passage.left.clone();
        let ingress = self.passage.ingress;
        let (verdict, _) = interp::run(
            &question, &sections, &mut image, &mut frame, ingress, &mut Blind,
        );
        verdict == Verdict::Pass
    }

    /// Writes a field, most significant bit first.
    fn write(&self, frame: &mut [u8], header: HeaderId, field: FieldId, value: u128) {
        let Some(at) = interp::offset(self.pipeline, frame, header) else {
            return;
        };
        let field = self.pipeline.field(header, field);
        for bit in 0..u32::from(field.width) {
            let place = at * 8 + (field.offset + bit) as usize;
            let Some(byte) = frame.get_mut(place / 8) else {
                return;
            };
            let mask = 0x80 >> (place % 8);
            if value >> (u32::from(field.width) - 1 - bit) & 1 == 1 {
                *byte |= mask;
            } else {
                *byte &= !mask;
            }
        }
    }
}

fn equals(value: &Expr, mac: u64) -> Expr {
    let mac = Expr::Constant {
        value: u128::from(mac),
        width: 48,
    };
    Expr::Compare(Compare::Eq, Box::new(value.clone()), Box::new(mac))
}
