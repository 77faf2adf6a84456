//! What is otherwise once another policy is in force, for who has asked for it.

use lvsc_abi::manifest::Pool;
use lvsc_runtime::engine::carry::Carried;

use super::reload::Side;
use crate::control::{PoolChange, Reloaded};
use crate::plan;

/// What the second policy has taken over from the first, and what differs.
pub fn reloaded(before: &Side, now: &Side, carried: &Carried) -> Reloaded {
    let programs = before.subject.compiled().zip(now.subject.compiled());
    let same_program = programs.map(|(before, now)| plan::is_same(&before, &now));
    let same_image = carried.same_image;
    let what = match (same_program, same_image) {
        (Some(same), _) => plan::words(same, same_image),
        (None, true) => "what was built goes on with the image",
        (None, false) => "what was built has an image of its own",
    };
    Reloaded {
        what: what.to_owned(),
        policy: now.subject.path.clone(),
        same_program,
        same_image,
        pools: pools(before, now, carried),
        carried: carried.kept.clone(),
        anew: carried.fresh.clone(),
        lost: carried.lost,
        took_ms: carried.took.as_secs_f64() * 1000.0,
    }
}

/// The pools of which something is otherwise.
fn pools(before: &Side, now: &Side, carried: &Carried) -> Vec<PoolChange> {
    let each = now.manifest.pools.iter().map(|pool| {
        let moved = carried.moved.iter().find(|moved| moved.pool == pool.name);
        PoolChange {
            name: pool.name.clone(),
            changes: before
                .manifest
                .pool(&pool.name)
                .map_or_else(|| vec!["new".to_owned()], |was| changes(was, pool)),
            moved: moved.map(|moved| [moved.slots, moved.all]),
        }
    });
    let gone = before.manifest.pools.iter();
    let gone = gone.filter(|pool| now.manifest.pool(&pool.name).is_none());
    let gone = gone.map(|pool| PoolChange {
        name: pool.name.clone(),
        changes: vec!["gone".to_owned()],
        moved: None,
    });
    let moves = |pool: &PoolChange| pool.moved.is_some_and(|[slots, _]| slots > 0);
    each.chain(gone)
        .filter(|pool| moves(pool) || !pool.changes.is_empty())
        .collect()
}

/// `rs3 added`, `rs1 weight 1 -> 2`
fn changes(was: &Pool, pool: &Pool) -> Vec<String> {
    let [before, after] = [was, pool].map(plan::kind);
    let kind = (before != after).then(|| format!("{before} -> {after}"));
    let backends = plan::said(was, pool).into_iter();
    let backends = backends.flat_map(|(name, what)| {
        let each = what.into_iter();
        each.map(|what| format!("{name} {what}"))
            .collect::<Vec<_>>()
    });
    kind.into_iter().chain(backends).collect()
}
