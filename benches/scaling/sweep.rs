//! What the control plane pays for keeping a connection table clean: a round of the sweep over the memory of the WebAssembly
//! engine. A round takes fifteen seconds, a part of it each second.

use lvsc_abi::engine::Engine;
use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::Section;
use lvsc_abi::manifest::Manifest;
use lvsc_runtime::engine::wasm::WasmEngine;
use lvsc_runtime::sweep::Sweeper;
use lvsc_target_wasm::Wasm;

use crate::compile;
use crate::rings::fastest;
use crate::tables::{grouped, head, row};

/// Numbers of entries.
const SIZES: [u32; 3] = [1 << 16, 1 << 20, 1 << 22];
const BACKENDS: u32 = 8;
/// Seconds of a round.
const ROUND: u64 = 15;
/// When the round begins (seconds).
const NOW: u64 = 1000;

/// The table, for numbers of entries up to one. The text ends with an empty line.
pub fn table(most: u32, rounds: u32) -> String {
    let columns = ["empty, ms", "all live, ms", "all expired, ms"];
    let mut text = head(&["entries"], &columns.map(str::to_owned));
    for entries in SIZES.into_iter().filter(|entries| *entries <= most) {
        let mut swept = Swept::of(entries);
        let times = [None, Some(NOW), Some(10)].map(|seen| swept.round(rounds, seen));
        let times = times.map(|time| format!("{time:.2}"));
        text += &row([grouped(entries.into())].into_iter().chain(times));
    }
    format!("### A round of the sweep\n\n{text}\n")
}

/// A table of every flow, which lives for 900 s, and nobody counts.
struct Swept {
    engine: WasmEngine,
    manifest: Manifest,
    table: Section,
}

impl Swept {
    fn of(entries: u32) -> Swept {
        let backends = (0..BACKENDS).map(|id| format!("backend rs{id} 192.0.2.{}\n", id + 1));
        let policy = format!(
            "pool web {{\nscheduler wrr\n{}flows {entries} idle 15m\n}}\n\
             match ip.dst == 192.0.2.200 {{ select rs from web; dr(rs) }}\n",
            backends.collect::<String>()
        );
        let compiled = lvsc_front::compile("sweep.lvs", &policy).pipeline;
        let pipeline = compiled.expect("the policy is right");
        let made = compile::program(&pipeline).and_then(|compiled| compiled.emit(&Wasm));
        let code = made.expect("it is compiled").code;
        let engine = WasmEngine::load(&code).expect("it runs");
        let found = engine.image().layout().of_pool("flows", "web");
        let table = found.cloned().expect("the pool has a table");
        Swept {
            manifest: pipeline.manifest,
            engine,
            table,
        }
    }

    /// Milliseconds of the fastest round where all entries were seen at one second, or there are none.
    fn round(&mut self, rounds: u32, seen: Option<u64>) -> f64 {
        let fastest = (0..rounds).map(|_| {
            self.fill(seen);
            let mut sweeper = Sweeper::default();
            fastest(1, |_| {
                sweeper.advance(&self.manifest, (NOW, NOW + ROUND), self.engine.image_mut());
            })
        });
        fastest.min().unwrap_or_default().as_secs_f64() * 1e3
    }

    fn fill(&mut self, seen: Option<u64>) {
        let [pool] = self.manifest.pools.as_slice() else {
            return;
        };
        let rest = pool.flows.map_or(0, |flows| flows.rest(flows.idle));
        for index in 0..u64::from(self.table.length) {
            let entry = seen.map(|seen| Entry {
                tag: index as u32,
                backend: index as u16 % BACKENDS as u16,
                seconds: seen.wrapping_sub(rest.into()) as u16,
                flags: 0,
            });
            let word = entry.map_or(0, Entry::to_bits);
            let image: &mut dyn Image = self.engine.image_mut();
            image.store(self.table.at(index, 0), Width::B8, word);
        }
    }
}
