//! The backend that a packet names.

use super::Named;
use super::packet::Running;
use crate::pipeline::{Edge, Expr, PoolId, VariableId};

impl Running<'_> {
    pub(super) fn named(&mut self, pool: PoolId, id: &Expr) -> Named {
        let id = self.value(id);
        let ids = u128::from(self.pipeline.pool(pool).ids());
        let backend = id.filter(|id| *id < ids).map(|id| id as u16);
        let backend = backend.filter(|id| self.is_usable(pool, *id));
        if let Some(backend) = backend {
            self.count_for(pool, backend);
        }
        Named { pool, id, backend }
    }

    /// Counts a packet for a backend that it was given.
    pub(super) fn count_for(&mut self, pool: PoolId, backend: u16) {
        let first = u64::from(self.pipeline.pool(pool).counters);
        self.count(first + u64::from(backend));
    }

    /// Binds the backend that was chosen, if one was.
    pub(super) fn chosen(&mut self, variable: VariableId, backend: Option<u16>) -> Edge {
        let Some(backend) = backend else {
            return Edge::No;
        };
        self.bind(variable, u128::from(backend));
        Edge::Yes
    }
}
