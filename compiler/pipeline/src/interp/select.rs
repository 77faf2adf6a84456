//! Choosing a backend: the steps of the crate's documentation, one by one. The numbers here are the numbers there.

use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{Section, SectionId, backend, slot};
use lvsc_abi::manifest::Tracking;

use super::packet::Running;
use super::{Known, Selected, Table};
use crate::pipeline::{Alternative, ChoiceId, Client, Expr, PoolId, VariableId};

impl Running<'_> {
    pub(super) fn select(
        &mut self,
        pool: PoolId,
        key: ChoiceId,
        (home, client): (Option<VariableId>, Option<Client>),
    ) -> Selected {
        let alternative = self.alternative(key);
        let state = hash::state(&self.key(key, alternative));
        let home = home.map(|home| self.value_or_zero(&Expr::Variable(home)) as u64);
        let mut selected = Selected {
            pool,
            key,
            alternative,
            hash: hash::ring(home.unwrap_or(state)),
            table: Table::None,
            known: Known::Unasked,
            entry: None,
            slot: None,
            picked: slot::NONE,
            backend: None,
        };
        let flows = self.pipeline.pool(pool).flows;
        selected.picked = match flows.map(|flows| (flows.tracking, flows)) {
            None => self.kept_or_slot(client, &mut selected),
            Some((Tracking::Every, flows)) => self.tracked((flows, client), state, &mut selected),
            Some((Tracking::Changed, flows)) => self.changed(flows, state, &mut selected),
        };
        if self.is_usable(pool, selected.picked) {
            self.count_for(pool, selected.picked);
            selected.backend = Some(selected.picked);
        }
        selected
    }

    /// The key's values in network byte order, one after the other, each in as many bytes as its width needs.
    pub(super) fn key(&self, key: ChoiceId, alternative: Option<usize>) -> Vec<u8> {
        let alternatives = &self.pipeline.choice(key).alternatives;
        let taken = alternative.and_then(|taken| alternatives.get(taken));
        let values = taken.into_iter().flat_map(|taken| &taken.key);
        let bytes = values.flat_map(|value| {
            let needed = usize::from(self.pipeline.width(value).div_ceil(8));
            self.value_or_zero(value)
                .to_be_bytes()
                .into_iter()
                .skip(16 - needed)
        });
        bytes.collect()
    }

    /// The alternative that was taken.
    pub(super) fn taken(&self, selected: &Selected) -> Option<&Alternative> {
        let alternatives = &self.pipeline.choice(selected.key).alternatives;
        alternatives.get(selected.alternative?)
    }

    /// The backend in the slot of a ring hash.
    pub(super) fn hashed(&self, hash: u64, selected: &mut Selected) -> u16 {
        let ring = self.section(self.sections.pool(selected.pool).ring);
        self.slot(hash::slot(hash, ring.length), selected)
    }

    /// The backend in a ring slot.
    pub(super) fn slot(&self, index: u64, selected: &mut Selected) -> u16 {
        let ring = self.section(self.sections.pool(selected.pool).ring);
        selected.slot = Some((index & u64::from(ring.length - 1)) as u32);
        (self.image.load(ring.at(index, 0), Width::B4) & slot::BACKEND) as u16
    }

    pub(super) fn is_usable(&self, pool: PoolId, id: u16) -> bool {
        self.backend(pool, u64::from(id)) >> backend::FLAGS_SHIFT & backend::USABLE != 0
    }

    pub(super) fn section(&self, id: SectionId) -> Section {
        let found = self.image.layout().get(id).cloned();
        found.expect("a pipeline's sections are in its layout")
    }
}
