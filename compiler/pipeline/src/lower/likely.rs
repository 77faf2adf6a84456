//! The likely path: most frames have no tags, no IP options, and are not short. Where the first header is looked for
//! whose place that decides, a packet is taken for one of these: offsets are constants, and its length is checked once.
//! Where it turns out to be another one it begins anew on the general path, which can be done as long as nothing has been
//! changed.

use lvsc_ir::program::{BlockId, Jump, Terminator};

use super::Lowering;
use super::code::Spot;
use super::needs::Headers;
use super::state::Path;
use crate::pipeline::{Header, HeaderId, Pipeline};

/// No Ethernet frame is shorter, its checksum not counted (bytes; IEEE 802.3, clause 4.2.3.3).
const ETHERNET_MIN: u16 = 60;

/// What a path takes a packet for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Guess {
    /// Nothing yet; nothing has been changed.
    #[default]
    Open,
    /// A likely one. Others begin anew at this block; nothing has been changed since.
    Likely(BlockId),
    /// Any.
    General,
}

impl Guess {
    /// As a number; different ones differ.
    pub(super) fn word(self) -> u64 {
        match self {
            Guess::Open => 0,
            Guess::General => 1,
            Guess::Likely(block) => 2 + u64::from(block.0),
        }
    }
}

impl Lowering<'_> {
    /// Both ways on before a header is looked for: the likely one for frames that are long enough, and the general one.
    /// The path itself where the likely one would be no better.
    pub(super) fn guess(&mut self, header: HeaderId, mut path: Path) -> Vec<Path> {
        if path.state.guess != Guess::Open || !self.is_better(header) {
            return vec![path];
        }
        let asked = self.needs.headers(&path.state);
        let end = Spot {
            offset: prefix(self.pipeline, &asked),
            ..Spot::BEGIN
        };
        let block = self.code.open(Vec::new());
        let mut general = Path {
            block,
            state: path.state.clone(),
        };
        general.state.guess = Guess::General;
        path.block = self.code.bounds_or(path.block, end, block);
        path.state.guess = Guess::Likely(block);
        path.state
            .proven
            .learn(end.base, end.offset, |a, b| *a.max(&b));
        vec![path, general]
    }

    /// A packet that is not a likely one begins anew.
    pub(super) fn give_up(&mut self, path: &Path, general: BlockId) {
        let to = Jump::to(general);
        self.code.end(path.block, Terminator::Jump(to));
    }

    /// Whether the likely path knows better where this header stands, or what stands behind it.
    fn is_better(&self, id: HeaderId) -> bool {
        self.has_likely_size(id)
            || self
                .pipeline
                .header(id)
                .after
                .iter()
                .any(|after| is_tag(self.pipeline, after.header))
    }

    /// Whether a header that others may stand behind has a size of its own: it is likely to be the smallest.
    pub(super) fn has_likely_size(&self, id: HeaderId) -> bool {
        self.pipeline.header(id).size.is_some() && followers(self.pipeline, id).next().is_some()
    }
}

/// Whether a header is one that may come in between: what stands behind it may also stand before it.
pub(super) fn is_tag(pipeline: &Pipeline, id: HeaderId) -> bool {
    let before = &pipeline.header(id).after;
    followers(pipeline, id).any(|follower| {
        let mut before = before.iter();
        before.any(|before| stands_behind(follower, before.header))
    })
}

fn followers(pipeline: &Pipeline, id: HeaderId) -> impl Iterator<Item = &Header> {
    let headers = pipeline.headers.iter();
    headers.filter(move |header| stands_behind(header, id))
}

fn stands_behind(header: &Header, id: HeaderId) -> bool {
    header.after.iter().any(|after| after.header == id)
}

/// The most bytes that headers of their smallest size have in the shortest frame, as far as they are asked for.
fn prefix(pipeline: &Pipeline, asked: &Headers) -> u16 {
    let mut ends: Vec<Option<u16>> = Vec::with_capacity(pipeline.headers.len());
    for (index, header) in pipeline.headers.iter().enumerate() {
        let before = header.after.iter();
        let before = before.map(|after| ends.get(usize::from(after.header.0)).copied().flatten());
        let begin = if header.after.is_empty() {
            Some(0)
        } else {
            before.flatten().min()
        };
        let end = begin.and_then(|begin: u16| begin.checked_add(header.fixed));
        let fits =
            end.filter(|end| *end <= ETHERNET_MIN && !is_tag(pipeline, HeaderId(index as u16)));
        ends.push(fits);
    }
    let ends = ends.into_iter().zip(0..);
    let asked = ends.filter(|(_, index)| asked.contains(HeaderId(*index)));
    asked.filter_map(|(end, _)| end).max().unwrap_or(0)
}
