//! One engine replaces another while packets come: what is lost, and how long it takes.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::manifest::Manifest;
use lvsc_runtime::director::AnyEngine;

use super::super::entrants::engine;
use super::super::measure::Wanted;
use super::ways::{self, Plan};
use super::{Outcome, Spread, Subject};
use crate::compile;
use crate::engines::{Code, Kind, Runs};
use crate::failure::Failure;
use crate::policy::{self, Checked};
use crate::ui::progress::Progress;

/// Packets that come before anything is counted, and the longest wait for them.
const FIRST: (u64, Duration) = (1 << 16, Duration::from_millis(500));
/// Between two swaps.
const PAUSE: Duration = Duration::from_millis(10);

/// The figures of a way.
pub struct Figure {
    /// What people call it.
    pub name: String,
    /// Engines that have taken over.
    pub swaps: u32,
    /// Packets that were sent meanwhile.
    pub sent: u64,
    /// Those that came back.
    pub came: u64,
    /// Packets sent in a second.
    pub rate: f64,
    /// Those that were lost before the director saw them.
    pub overrun: u64,
    /// From the policy's text to what an engine runs (milliseconds); `None` for one that runs the policy itself.
    pub compile: Option<Spread>,
    /// From that to an engine.
    pub load: Option<Spread>,
    /// From one engine to the other.
    pub exchange: Option<Spread>,
}

impl Figure {
    /// Packets that did not come back.
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.came)
    }
}

/// An engine that was built anew, and the milliseconds that it took.
struct Built {
    engine: AnyEngine,
    manifest: Manifest,
    compile: Option<f64>,
    load: f64,
}

fn since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

fn build(kind: &Kind, checked: &Checked) -> Result<Built, Failure> {
    let begin = Instant::now();
    let Runs::Artifacts(artifacts) = &kind.runs else {
        return Ok(Built {
            engine: engine(kind, checked)?,
            manifest: checked.pipeline.manifest.clone(),
            compile: None,
            load: since(begin),
        });
    };
    let changed = |_| Failure::told(format_args!("{} has changed meanwhile", checked.text.path));
    let again = policy::check(checked.text.clone()).map_err(changed)?;
    let made = compile::program(&again.pipeline)?.emit(artifacts.target)?;
    let (compile, begin) = (since(begin), Instant::now());
    let code = Code::Artifact {
        path: &checked.text.path,
        bytes: &made.code,
    };
    let loaded = kind.load(&code, None)?;
    Ok(Built {
        engine: loaded.engine,
        manifest: loaded.manifest,
        compile: Some(compile),
        load: since(begin),
    })
}

/// Swaps the engine of each way; `None` where a signal asks to end.
pub fn measure(
    subject: &Subject<'_>,
    wanted: &Wanted<'_>,
    progress: &mut Progress,
) -> Result<Option<Outcome<Figure>>, Failure> {
    let (mut figures, mut stand, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let plans = Plan::all(&wanted.engines);
    let all = plans.len() * wanted.rounds as usize;
    for (number, plan) in plans.into_iter().enumerate() {
        let mut at = |swap: u32| progress.at(number * wanted.rounds as usize + swap as usize, all);
        let done = way(subject, plan, (wanted.rounds, wanted.rate), &mut at);
        if subject.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match done? {
            Ok(figure) => {
                stand.push(plan);
                figures.push(figure);
            }
            Err(failure) => failed.push((plan, failure)),
        }
    }
    let missing = ways::missing(&wanted.engines, &stand, failed)?;
    Ok(Some(Outcome::new(subject, figures, missing)))
}

/// Swaps the engine of one way, as often as is said. The inner error: there is no such way, or one of the policies does not
/// go on it.
fn way(
    subject: &Subject<'_>,
    plan: Plan,
    (swaps, rate): (u32, u64),
    at: &mut dyn FnMut(u32),
) -> Result<Result<Figure, Failure>, Failure> {
    let broken = |error| Failure::told(format_args!("{}: nothing is sent: {error}", plan.name()));
    let refused = |swap: u32, failure| {
        // Once each policy had its turn, the next ones are no other.
        if swap as usize > subject.next.len() {
            Err(failure)
        } else {
            Ok(Err(failure))
        }
    };
    let (_wire, load, directed) = match ways::directed(subject, plan) {
        Ok(stands) => stands,
        Err(failure) => return Ok(Err(failure)),
    };
    load.flood(FIRST.0, FIRST.1, &subject.stop)
        .map_err(broken)?;
    let steady = load.steady(rate);
    let (mut compile, mut loading, mut exchange) = (Vec::new(), Vec::new(), Vec::new());
    for swap in 0..swaps {
        at(swap);
        if subject.stop.load(Ordering::Relaxed) || steady.is_over() {
            break;
        }
        let built = match build(plan.kind, subject.swapped(swap)) {
            Ok(built) => built,
            Err(failure) => return refused(swap, failure),
        };
        match directed.replace(built.engine, built.manifest) {
            Ok(Ok(taken)) => exchange.push(taken.as_secs_f64() * 1000.0),
            Ok(Err(why)) => return refused(swap, Failure::told(why)),
            // One that has stopped says why.
            Err(silent) => return directed.end().and(Err(silent)),
        }
        compile.extend(built.compile);
        loading.push(built.load);
        thread::sleep(PAUSE);
    }
    let sent = steady.end().map_err(broken)?;
    Ok(Ok(Figure {
        name: plan.name(),
        swaps: exchange.len() as u32,
        sent: sent.sent,
        came: sent.came,
        rate: sent.sent as f64 / sent.elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
        overrun: directed.end()?,
        compile: Spread::of(&compile),
        load: Spread::of(&loading),
        exchange: Spread::of(&exchange),
    }))
}
