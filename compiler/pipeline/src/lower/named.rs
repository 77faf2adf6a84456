//! Taking the backend that the packet names.

use lvsc_ir::program::Compare;

use super::Lowering;
use super::likely::Guess;
use super::state::{Path, Split};
use crate::pipeline::{Expr, PoolId, VariableId};

impl Lowering<'_> {
    /// Splits by whether `id` is that of a usable backend; on the yes side the packet is counted and the variable bound.
    pub(super) fn named(
        &mut self,
        pool: PoolId,
        variable: VariableId,
        id: &Expr,
        paths: Vec<Path>,
    ) -> Split {
        let ids = u64::from(self.pipeline.pool(pool).ids());
        let mut split = Split::default();
        for path in paths {
            let Split { yes, no } = self.value(id, path);
            split.no.extend(no);
            for mut path in yes {
                let id = path.pop().low;
                // An index is masked: a larger id would be that of another backend.
                let ids = self.code.constant(path.block, ids);
                let is_id = self.code.compare(path.block, Compare::Lt, id, ids);
                let Split { yes, no } = self.test(is_id, path);
                split.no.extend(no);
                for mut path in yes {
                    self.push_candidate(pool, id, &mut path);
                    split.extend(self.usable(path));
                }
            }
        }
        self.needs = self.behind.clone();
        let Split { mut yes, no } = self.join_split(split);
        for path in &mut yes {
            path.state.guess = Guess::General;
            self.give(pool, variable, path);
        }
        Split { yes, no }
    }
}
