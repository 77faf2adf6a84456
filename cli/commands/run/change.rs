//! What is otherwise once another policy is in force, for who has asked for it.

use lvsc_abi::manifest::Pool;
use lvsc_runtime::engine::carry::Carried;

use super::reload::Side;
use crate::control::{PoolChange, Reloaded};
use crate::plan::{self, Asked, Otherwise};

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
        let Otherwise { lines, backends } = match before.manifest.pool(&pool.name) {
            Some(was) => {
                let asked = [before, now].map(|side| asked(side, &pool.name));
                plan::otherwise(was, pool, &asked, carried)
            }
            None => return of_one(pool, "new"),
        };
        let backends = backends.into_iter();
        let changes = backends.flat_map(|(name, what)| {
            let each = what.into_iter().map(|what| format!("{name} {what}"));
            each.collect::<Vec<_>>()
        });
        PoolChange {
            name: pool.name.clone(),
            changes: changes.collect(),
            lines,
            moved: moved.map(|moved| [moved.slots, moved.all]),
        }
    });
    let gone = before.manifest.pools.iter();
    let gone = gone.filter(|pool| now.manifest.pool(&pool.name).is_none());
    let gone = gone.map(|pool| of_one(pool, "gone"));
    let moves = |pool: &PoolChange| pool.moved.is_some_and(|[slots, _]| slots > 0);
    each.chain(gone)
        .filter(|pool| moves(pool) || !(pool.changes.is_empty() && pool.lines.is_empty()))
        .collect()
}

/// How a policy asks a pool; of what was built nobody knows.
fn asked(side: &Side, pool: &str) -> Asked {
    let policy = side.subject.policy();
    policy.map_or_else(
        |_| Asked::default(),
        |checked| Asked::of(&checked.pipeline, pool),
    )
}

fn of_one(pool: &Pool, what: &str) -> PoolChange {
    PoolChange {
        name: pool.name.clone(),
        changes: vec![what.to_owned()],
        lines: Vec::new(),
        moved: None,
    }
}
