//! How old entries are under another policy.

use lvsc_abi::flows::{CLOSING, Entry};
use lvsc_abi::manifest::{Flows, Pool};

/// Seconds by which an entry with these flags is younger where the one policy's times become the other's. In a table of every
/// flow none is.
fn younger(before: &Pool, now: &Pool, flags: u64) -> u16 {
    let closing = |flows: Flows| flows.rest(flows.lives.closing);
    let changed = |pool: &Pool| pool.changed().filter(|_| flags & CLOSING != 0);
    let rest = |pool| changed(pool).map_or(0, closing);
    rest(before).wrapping_sub(rest(now)) as u16
}

/// Whether an entry is as old under the other policy.
pub(super) fn ages_alike(before: &Pool, now: &Pool) -> bool {
    younger(before, now, CLOSING) == 0
}

/// The entry under the other policy: what is to live shorter than others does so, whatever the time of these is now.
pub(super) fn aged(before: &Pool, now: &Pool, entry: Entry) -> Entry {
    let younger = younger(before, now, entry.flags);
    Entry {
        seconds: entry.seconds.wrapping_add(younger),
        ..entry
    }
}
