//! What a test expects of a packet.

use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::Check;
use lvsc_pipeline::pipeline::{InterfaceRef, Pipeline};
use lvsc_runtime::world::World;

use super::judge::Judge;
use super::{Passage, Wrong};

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
            .filter(|check| !judge.holds(&check.kind, &passage.left))
            .collect();
        let Some(first) = failed.first() else {
            return Ok(());
        };
        let texts: Vec<String> = failed
            .iter()
            .map(|check| format!("`{}`", check.text))
            .collect();
        let verb = if failed.len() == 1 { "does" } else { "do" };
        let what = format!(
            "{} {verb} not hold for the frame that left",
            texts.join(" and ")
        );
        let why = judge.why(&failed);
        Err(Wrong {
            what: if why.is_empty() {
                what
            } else {
                format!("{what}: {why}")
            },
            place: Some(first.place),
            expected: judge.expected(self.checks),
        })
    }
}
