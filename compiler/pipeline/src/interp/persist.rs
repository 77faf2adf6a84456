//! Clients that keep their backends: the steps of the crate's documentation, one by one. The numbers here are the numbers there.

use lvsc_abi::flows;

use super::flows::Bucket;
use super::packet::Running;
use super::{Known, Selected};
use crate::pipeline::{Client, PoolId};

impl Running<'_> {
    /// The client's backend, else `slot(h)`.
    pub(super) fn kept_or_slot(&mut self, client: Option<Client>, selected: &mut Selected) -> u16 {
        self.kept_or(client, selected, |running, selected| {
            running.hashed(selected.hash, selected)
        })
    }

    /// The client's backend, else the one that is chosen, which the client has from then on.
    pub(super) fn kept_or(
        &mut self,
        client: Option<Client>,
        selected: &mut Selected,
        choose: impl FnOnce(&mut Self, &mut Selected) -> u16,
    ) -> u16 {
        let pool = selected.pool;
        let Some((bucket, is_own)) = client.and_then(|client| self.client(pool, client)) else {
            return choose(self, selected);
        };
        selected.known = Known::Not;
        // 1.
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found);
        let live = known.filter(|known| known.is_live(bucket.now, self.client_life(pool)));
        if let Some(known) = live.filter(|known| self.takes(pool, known.backend)) {
            selected.known = Known::Kept(bucket.first + found);
            if is_own {
                self.keep(&bucket, found, known.backend);
            }
            return known.backend;
        }
        // 2.
        let id = choose(self, selected);
        let place = bucket.place(self.client_life(pool));
        if is_own && place != flows::ABSENT && self.is_usable(pool, id) {
            selected.known = Known::New(bucket.first + place);
            self.keep(&bucket, place, id);
        }
        id
    }

    /// Whether a backend is usable and not full.
    fn takes(&self, pool: PoolId, id: u16) -> bool {
        let has_limits = self.pipeline.pool(pool).has_limits();
        self.is_usable(pool, id) && !(has_limits && self.load(pool, id).is_full())
    }

    /// The client's bucket, and whether it has sent the packet; `None` where the packet has no client.
    fn client(&self, pool: PoolId, client: Client) -> Option<(Bucket, bool)> {
        let [own, quoted] = client.variables().map(|id| self.bound(id) as u64);
        let state = own | quoted;
        let section = self.sections.pool(pool).persist;
        (state != 0).then(|| (self.bucket_of(section, state), own != 0))
    }

    /// Seconds in which a client is known.
    fn client_life(&self, pool: PoolId) -> u64 {
        let persist = self.pipeline.pool(pool).persist;
        persist.map_or(0, |persist| persist.life.into())
    }
}
