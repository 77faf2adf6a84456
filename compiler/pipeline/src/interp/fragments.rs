//! Datagrams that are in fragments: the steps of the crate's documentation, one by one. The numbers here are the numbers there.

use lvsc_abi::flows;
use lvsc_abi::hash;

use super::Remembered;
use super::flows::Bucket;
use super::packet::Running;
use crate::pipeline::{ChoiceId, PoolId, VariableId};

impl Running<'_> {
    /// What the key was absorbed into; 0 where no alternative is taken.
    pub(super) fn hash(&self, key: ChoiceId) -> u64 {
        let alternative = self.alternative(key);
        alternative.map_or(0, |_| hash::state(&self.key(key, alternative)))
    }

    /// The backend that is remembered of a datagram, which is counted; `None` where there is none that is usable.
    pub(super) fn follow(&mut self, pool: PoolId, datagram: VariableId) -> Option<Remembered> {
        // 1.
        let bucket = self.datagrams(pool, datagram)?;
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found)?;
        let lives = known.is_live(bucket.now, self.life(pool)?);
        if !lives || !self.is_usable(pool, known.backend) {
            return None;
        }
        self.count_for(pool, known.backend);
        Some(Remembered {
            pool,
            entry: bucket.first + found,
            backend: known.backend,
        })
    }

    /// Remembers the backend of a datagram; `None` where it is none, or there is no place.
    pub(super) fn remember(
        &mut self,
        pool: PoolId,
        variable: VariableId,
        datagram: VariableId,
    ) -> Option<Remembered> {
        // 2.
        let bucket = self.datagrams(pool, datagram)?;
        let place = bucket.place(self.life(pool)?);
        if place == flows::ABSENT {
            return None;
        }
        let backend = self.bound(variable) as u16;
        self.keep(&bucket, place, backend);
        Some(Remembered {
            pool,
            entry: bucket.first + place,
            backend,
        })
    }

    /// The bucket of the datagram whose key was absorbed into this variable; `None` where it is none.
    fn datagrams(&self, pool: PoolId, datagram: VariableId) -> Option<Bucket> {
        let state = self.bound(datagram) as u64;
        let section = self.sections.pool(pool).fragments;
        (state != 0).then(|| self.bucket_of(section, state))
    }

    /// Seconds in which a datagram is known.
    fn life(&self, pool: PoolId) -> Option<u64> {
        let fragments = self.pipeline.pool(pool).fragments?;
        Some(fragments.life.into())
    }
}
