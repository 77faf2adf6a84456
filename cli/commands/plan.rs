//! `lvsc plan`: says what happens to flows when one policy takes over from another.

use serde::Serialize;

use crate::args::{Format, Plan as Args};
use crate::config::Chosen;
use crate::failure::{Failure, Status};
use crate::plan::{Change, Connections, Life, Plan, PoolPlan, Side, Slots, plan, words};
use crate::ui::{HEAD, Ui, styled, table};
use crate::{compile, policy};

#[derive(Serialize)]
struct Record<'a> {
    version: u32,
    old: &'a str,
    new: &'a str,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Compares two policies.
pub fn run(args: &Args, ui: &mut Ui) -> Result<Status, Failure> {
    let format = args.output.format;
    let chosen = [&args.old, &args.new].map(|path| Chosen::named(path));
    if chosen.iter().all(Chosen::is_input) {
        return Err(Failure::Told {
            what: "standard input is one policy, and two are compared".to_owned(),
            remedy: Some("give a file for one of them: lvsc plan - web.lvs".to_owned()),
        });
    }
    let [old, new] = &chosen;
    let (Some(old), Some(new)) = (
        policy::open(old, format, ui)?,
        policy::open(new, format, ui)?,
    ) else {
        return Ok(Status::Findings);
    };
    let [before, after] = [
        compile::program(&old.pipeline)?,
        compile::program(&new.pipeline)?,
    ];
    let sides = [(&old, &before), (&new, &after)].map(|(checked, compiled)| Side {
        pipeline: &checked.pipeline,
        compiled,
    });
    let [before, after] = &sides;
    let plan = plan(before, after);
    match format {
        Format::Text => say(&plan, ui),
        Format::Json => ui.json(&Record {
            version: 1,
            old: &old.text.path,
            new: &new.text.path,
            plan: &plan,
        }),
    }
    Ok(Status::Fine)
}

fn say(plan: &Plan, ui: &mut Ui) {
    let program = words(plan.same_program, plan.same_image);
    ui.print(format_args!("program: {program}"));
    if let Some(why) = plan.restart {
        ui.print(format_args!(
            "a director that runs refuses it: {why}; it takes a restart"
        ));
    }
    for pool in &plan.pools {
        ui.print("");
        say_pool(pool, ui);
    }
    ui.print("");
    ui.print(format_args!("carried over: {}", plan.carried.join(", ")));
    for anew in &plan.anew {
        ui.print(format_args!("begins anew: {} ({})", anew.section, anew.why));
    }
    if !plan.gone.is_empty() {
        ui.print(format_args!("gone: {}", plan.gone.join(", ")));
    }
}

fn say_pool(pool: &PoolPlan, ui: &mut Ui) {
    let name = styled(HEAD, format_args!("pool {}", pool.name));
    match pool.life {
        Life::Added => return ui.print(format_args!("{name} is new ({})", pool.kind)),
        Life::Removed => {
            return ui.print(format_args!("{name} is gone, and so are its connections"));
        }
        Life::Kept => ui.print(format_args!("{name} ({})", pool.kind)),
    }
    for line in &pool.lines {
        ui.print(format_args!("  {line}"));
    }
    let head = ["backend", "before", "after", ""]
        .map(str::to_owned)
        .to_vec();
    let rows = pool.backends.iter().map(row);
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    for line in table::align(&rows) {
        ui.print(format_args!("  {line}"));
    }
    for sentence in [pool.shares, pool.named].into_iter().flatten() {
        ui.print(format_args!("  {sentence}"));
    }
    if let Some(slots) = &pool.slots {
        say_slots(slots, ui);
    }
    if let Some(connections) = &pool.connections {
        for line in fate(connections) {
            ui.print(line);
        }
    }
}

fn row(change: &Change) -> Vec<String> {
    let what: Vec<String> = change.what.iter().map(ToString::to_string).collect();
    vec![
        change.name.clone(),
        change.before.map_or("-".to_owned(), percent),
        change.after.map_or("-".to_owned(), percent),
        what.join(", "),
    ]
}

fn say_slots(slots: &Slots, ui: &mut Ui) {
    let of = |count: usize| {
        let share = u32::try_from(count).map_or(1.0, f64::from);
        percent(share / u32::try_from(slots.all.max(1)).map_or(1.0, f64::from))
    };
    let Slots { all, moved, moves } = slots;
    if moves.is_empty() {
        return ui.print("  no slot moves");
    }
    let share = of(*moved);
    ui.print(format_args!(
        "  {share} of the slots move ({moved} of {all})"
    ));
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "nobody".to_owned());
    let rows: Vec<Vec<String>> = moves
        .iter()
        .map(|one| {
            let way = format!("{} -> {}", name(&one.from), name(&one.to));
            vec![way, of(one.slots)]
        })
        .collect();
    for line in table::align_right(&rows) {
        ui.print(format_args!("    {line}"));
    }
}

fn fate(connections: &Connections) -> Vec<String> {
    let Connections {
        stay,
        held,
        breaks,
        why,
        forgets,
    } = connections;
    let mut lines = Vec::new();
    if *breaks == 0.0 {
        lines.push("  every connection stays".to_owned());
    } else {
        let why: Vec<&str> = why.iter().map(String::as_str).collect();
        let (share, why) = (percent(*breaks), why.join("; "));
        lines.push(format!("  {share} of the connections break: {why}"));
    }
    if *held > 0.0 {
        let shares = (percent(*held), percent(*stay));
        lines.push(format!(
            "  {} stay because the table knows them, {} without it",
            shares.0, shares.1
        ));
    }
    if *forgets {
        lines.push("  what an earlier change has noted is forgotten".to_owned());
    }
    lines
}

/// `33.3 %`; a little is not nothing.
fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 {
        return "< 0.1 %".to_owned();
    }
    format!("{:.1} %", share * 100.0)
}
