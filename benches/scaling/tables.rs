//! Figures as Markdown: for each family what a packet costs, what its policies become, and what was refused.

use serde_json::Value;

use crate::measure::{Asked, Built, ENGINES, Failure, TARGETS, Times};
use crate::policies::{Family, Policy};

/// Measures a family up to a size. The text ends with an empty line.
pub fn of(family: &Family, most: u32, asked: &Asked) -> Result<String, Failure> {
    let unit = family.unit;
    let mut packets = head(&[unit, "packet"], &ENGINES.map(str::to_owned));
    let mut builds = head(
        &[unit, "tables, entries"],
        &[
            TARGETS.map(|target| format!("{target}, ms")).to_vec(),
            TARGETS.map(|target| format!("{target}, size")).to_vec(),
            ["image", "XDP instructions", "of one sent", "at most"]
                .map(str::to_owned)
                .to_vec(),
        ]
        .concat(),
    );
    let mut refused = String::new();
    for size in family.sizes.iter().filter(|size| **size <= most) {
        let policy = (family.policy)(*size);
        let number = grouped(u64::from(*size));
        asked.write(&policy)?;
        let mut here: Vec<Refused> = Vec::new();
        packets += &costs(&policy, &number, asked, &mut here)?;
        builds += &made(family, &number, asked, &mut here)?;
        refused.extend(here.iter().map(|one| {
            let who = one.who.join(", ");
            format!("- {number} {unit}, {who}: {}\n", one.why)
        }));
    }
    if !refused.is_empty() {
        refused.insert(0, '\n');
    }
    Ok(format!(
        "### {}\n\n{packets}\n{builds}{refused}\n",
        family.title
    ))
}

/// Why there are no figures, and of whom.
struct Refused {
    why: String,
    who: Vec<String>,
}

/// Notes a reason, once for all whose reason it is.
fn note(refused: &mut Vec<Refused>, who: &str, why: &str) {
    let why = why.strip_prefix("error: ").unwrap_or(why);
    let known = refused.iter().position(|one| one.why == why);
    match known.and_then(|at| refused.get_mut(at)) {
        Some(one) if one.who.iter().any(|one| one == who) => {}
        Some(one) => one.who.push(who.to_owned()),
        None => refused.push(Refused {
            why: why.to_owned(),
            who: vec![who.to_owned()],
        }),
    }
}

/// A row for each packet.
fn costs(
    policy: &Policy,
    number: &str,
    asked: &Asked,
    refused: &mut Vec<Refused>,
) -> Result<String, Failure> {
    let mut rows = String::new();
    for (meets, packet) in &policy.packets {
        let times = match asked.bench(packet) {
            Ok(times) => times,
            Err(Failure::Refused(why)) => {
                note(refused, "bench", &why);
                Times {
                    least: [None; 4],
                    missing: Vec::new(),
                }
            }
            Err(broken) => return Err(broken),
        };
        for (who, why) in &times.missing {
            note(refused, who, why);
        }
        let least = times.least.map(|least| match least {
            Some(least) => format!("{least:.1}"),
            None => "-".to_owned(),
        });
        rows += &row([number.to_owned(), (*meets).to_owned()]
            .into_iter()
            .chain(least));
    }
    Ok(rows)
}

/// The row of what a policy becomes.
fn made(
    family: &Family,
    number: &str,
    asked: &Asked,
    refused: &mut Vec<Refused>,
) -> Result<String, Failure> {
    let mut built: Vec<Option<Built>> = Vec::new();
    for target in TARGETS {
        built.push(match asked.build(target) {
            Ok(built) => Some(built),
            Err(Failure::Refused(why)) => {
                note(refused, target, &why);
                None
            }
            Err(broken) => return Err(broken),
        });
    }
    let [wasm, xdp, _] = built.as_slice() else {
        return Err(Failure::Broken("three targets are built".to_owned()));
    };
    let of = |built: &Option<Built>, cell: &dyn Fn(&Built) -> Option<String>| {
        let cell = built.as_ref().and_then(cell);
        cell.unwrap_or_else(|| "-".to_owned())
    };
    let bytes = |key| move |built: &Built| built.data.get(key)?.as_u64().map(size);
    let times = built.iter().map(|built| {
        of(built, &|built| {
            Some(format!("{:.0}", built.taken.as_secs_f64() * 1000.0))
        })
    });
    let sizes = built.iter().map(|built| of(built, &bytes("bytes")));
    let rest = [
        of(wasm, &bytes("image_bytes")),
        of(xdp, &|built| {
            built.data.get("instructions")?.as_u64().map(grouped)
        }),
        of(xdp, &|built| ways(&built.data, "by_").min().map(grouped)),
        of(xdp, &|built| ways(&built.data, "").max().map(grouped)),
    ];
    let first = [
        number.to_owned(),
        of(wasm, &|built| tables(family, &built.data)),
    ];
    Ok(row(first.into_iter().chain(times).chain(sizes).chain(rest)))
}

/// The instructions of a packet on the ways that the object tells of: `instructions_by_ring`.
fn ways<'a>(data: &'a Value, kind: &'a str) -> impl Iterator<Item = u64> + 'a {
    let fields = data.as_object().into_iter().flatten();
    let ways = fields.filter(move |(name, _)| {
        let way = name.strip_prefix("instructions_");
        way.is_some_and(|way| way.starts_with(kind))
    });
    ways.filter_map(|(_, count)| count.as_u64())
}

/// The tables that grow, with their lengths, and how a set is searched.
fn tables(family: &Family, data: &Value) -> Option<String> {
    let all = data.get("tables")?.as_array()?.iter();
    let found = all.filter_map(|table| {
        let kind = table.get("name")?.as_str()?.split('.').next()?;
        let length = table.get("length")?.as_u64()?;
        let grows = family.tables.contains(&kind);
        grows.then(|| format!("{kind} {}", grouped(length)))
    });
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// The first lines of a table: words to the left, figures to the right.
/// The head of a table: columns of words, then those of figures.
pub fn head(words: &[&str], figures: &[String]) -> String {
    let words = words.iter().map(|word| (*word).to_owned());
    let aligned = words.clone().map(|_| "---".to_owned());
    let lines = [
        row(words.chain(figures.iter().cloned())),
        row(aligned.chain(figures.iter().map(|_| "---:".to_owned()))),
    ];
    lines.concat()
}

/// A row of a table.
pub fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |\n", cells.join(" | "))
}

/// `100,000`
pub fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

/// In KiB.
fn size(bytes: u64) -> String {
    format!("{} KiB", grouped(bytes.div_ceil(1024)))
}
