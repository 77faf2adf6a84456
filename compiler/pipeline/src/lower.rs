//! A pipeline as a program.
//!
//! Every way that a packet can take is followed, with what is known on it: which headers stand where, and which
//! alternatives were taken. So the code is specialised by what a packet is: behind an untagged Ethernet header all
//! offsets are constants. Ways meet again as soon as what they know differs only in things that nobody asks for any
//! more. Headers are looked for when they are first asked for, and before a field is changed that decides where they
//! stand, for presence is that of the frame as it arrived.
//!
//! Knows the pipeline and the program, no source text and no target. Shares no code with the interpreter, which is its
//! judge.

mod cells;
mod changed;
mod code;
mod conditions;
mod every;
mod fields;
mod flows;
mod fragments;
mod headers;
mod interfaces;
mod join;
mod key;
mod likely;
mod loads;
mod members;
mod named;
mod needs;
mod persist;
mod select;
mod state;
#[cfg(test)]
mod tests;
mod values;
mod written;

use std::collections::BTreeMap;
use std::rc::Rc;

use lvsc_abi::layout::{Layout, SectionId};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_ir::program::{Op, Program, SectionAccess, Terminator, Value};
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;

use self::code::Code;
use self::likely::Guess;
use self::needs::Needs;
use self::state::{Binding, Path, State};
use self::written::Written;
use crate::layout::{Sections, SetSections};
use crate::overlap::Overlap;
use crate::pipeline::{Edge, Expr, FieldId, HeaderId, Outcome, Pipeline, Step};
use crate::simplify::shared;

/// The most blocks that a program may have.
pub const BLOCKS_MAX: usize = 200_000;

/// Why a pipeline cannot be a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// The ways that a packet can take are too many.
    #[error("the program has more than {BLOCKS_MAX} blocks at line {}", place.line)]
    Blocks {
        /// The construct at which the limit was passed.
        place: Place,
    },
}

/// Makes the program of a pipeline. `layout` is the pipeline's own.
///
/// # Panics
///
/// For what is no pipeline: a graph with a cycle, an id of another pipeline.
pub fn lower(pipeline: &Pipeline, layout: &Layout) -> Result<Program, LowerError> {
    let pipeline = &shared(pipeline.clone());
    let order = toposort(&pipeline.graph, None).expect("a pipeline has no cycle");
    let overlap = Overlap::of(pipeline);
    let needs = needs::of_nodes(pipeline, &overlap, &order);
    let mut code = Code::new();
    let entry = Path {
        block: code.open(Vec::new()),
        state: State::default(),
    };
    let mut lowering = Lowering {
        pipeline,
        overlap,
        sections: Sections::of(pipeline, layout),
        sets: SetSections::all(pipeline, layout).into(),
        code,
        needs: Needs::default(),
        behind: Needs::default(),
        searched: Vec::new(),
        arriving: BTreeMap::from([(pipeline.entry, vec![entry])]),
    };
    for node in order {
        let Some(paths) = lowering.arriving.remove(&node) else {
            continue;
        };
        lowering.code.place = pipeline.step(node).place;
        lowering.behind = needs::after(pipeline, node, &needs);
        lowering.needs = needs.get(&node).cloned().unwrap_or_default();
        let paths = lowering.join(paths);
        lowering.step(node, paths);
        if lowering.code.len() > BLOCKS_MAX {
            return Err(LowerError::Blocks {
                place: pipeline.step(node).place,
            });
        }
    }
    Ok(lowering.code.finish())
}

struct Lowering<'a> {
    pipeline: &'a Pipeline,
    overlap: Overlap,
    sections: Sections,
    /// Of each set that has a table.
    sets: Rc<[Option<SetSections>]>,
    code: Code,
    /// What may be asked from here on.
    needs: Needs,
    /// What may be asked behind the node that is lowered.
    behind: Needs,
    /// Headers that are being looked for.
    searched: Vec<HeaderId>,
    /// Paths that lead to nodes not yet lowered.
    arriving: BTreeMap<NodeIndex, Vec<Path>>,
}

impl Lowering<'_> {
    /// Lowers one node for all paths that arrive at it.
    fn step(&mut self, node: NodeIndex, paths: Vec<Path>) {
        let pipeline = self.pipeline;
        match &pipeline.step(node).step {
            Step::Parse(_) => self.go(node, Edge::Next, paths),
            Step::Match(condition) => {
                let split = self.branch_each(condition, paths);
                self.go(node, Edge::Yes, split.yes);
                self.go(node, Edge::No, split.no);
            }
            Step::Let(variable, value) => {
                let mut paths = self.value_or_zero(value, paths);
                for path in &mut paths {
                    let value = path.pop();
                    path.state
                        .variables
                        .insert(*variable, Binding::Value(value));
                }
                self.go(node, Edge::Next, paths);
            }
            Step::Named { pool, variable, id } => {
                let split = self.named(*pool, *variable, id, paths);
                self.go(node, Edge::Yes, split.yes);
                self.go(node, Edge::No, split.no);
            }
            Step::Select {
                pool,
                variable,
                key,
                home,
                client,
            } => {
                let split = self.select((*pool, *variable), *key, (*home, *client), paths);
                self.go(node, Edge::Yes, split.yes);
                self.go(node, Edge::No, split.no);
            }
            Step::Rewrite(header, field, value) => {
                let paths = self.rewrite(*header, *field, value, paths);
                self.go(node, Edge::Next, paths);
            }
            Step::Count(counter) => {
                let mut paths = paths;
                for path in &mut paths {
                    self.count(counter.0, path);
                    path.state.guess = Guess::General;
                }
                self.go(node, Edge::Next, paths);
            }
            Step::CountCell(keyed, cell) => {
                let counts = self.sections.keyed(*keyed).counts;
                let mut paths = self.value_or_zero(&Expr::Variable(*cell), paths);
                for path in &mut paths {
                    let cell = path.pop().low;
                    self.code.effect(path.block, Op::Count(counts, cell));
                    path.state.guess = Guess::General;
                }
                self.go(node, Edge::Next, paths);
            }
            Step::CountKey(keyed, key) => {
                let paths = self.count_key(*keyed, *key, paths);
                self.go(node, Edge::Next, paths);
            }
            Step::Hash(variable, key) => {
                let paths = self.hash(*variable, *key, paths);
                self.go(node, Edge::Next, paths);
            }
            Step::Follow {
                pool,
                variable,
                datagram,
            } => {
                let split = self.follow(*pool, *variable, *datagram, paths);
                self.go(node, Edge::Yes, split.yes);
                self.go(node, Edge::No, split.no);
            }
            Step::Remember {
                pool,
                variable,
                datagram,
            } => {
                let paths = self.remember(*pool, *variable, *datagram, paths);
                self.go(node, Edge::Next, paths);
            }
            Step::Verdict(outcome) => paths.into_iter().for_each(|path| self.end(*outcome, &path)),
        }
    }

    fn go(&mut self, node: NodeIndex, edge: Edge, paths: Vec<Path>) {
        let next = self.pipeline.follow(node, edge);
        self.arriving.entry(next).or_default().extend(paths);
    }

    /// Writes a field. What must be known of the frame as it arrived is found out before: where the headers stand that
    /// are asked for behind it, if the field decides that.
    fn rewrite(
        &mut self,
        header: HeaderId,
        field: FieldId,
        value: &Expr,
        paths: Vec<Path>,
    ) -> Vec<Path> {
        let mut paths = self.value_or_zero(value, paths);
        let written = Written::by(self.pipeline, &self.overlap, header, field);
        for path in &mut paths {
            path.state
                .choices
                .retain(|choice, _| !written.turns(*choice));
        }
        let moves = written.moves_headers();
        self.needs = self.behind.clone().with_header(header);
        let mut settled = if moves {
            self.settle(paths)
        } else {
            let each = paths.into_iter();
            each.flat_map(|path| self.resolve(header, path).all())
                .collect()
        };
        if self.behind.arrival {
            settled = settled
                .into_iter()
                .flat_map(|path| self.arrival(path))
                .collect();
            for path in &mut settled {
                path.state.arrival = Some(path.pop().low);
            }
        }
        for path in &mut settled {
            path.state.guess = Guess::General;
        }
        let mut written = self.join(settled);
        for path in &mut written {
            match path.state.standing(header) {
                Some(_) => self.write(header, field, path),
                None => drop(path.pop()),
            }
        }
        written
    }

    /// Finds out where every header stands that may be asked for.
    fn settle(&mut self, paths: Vec<Path>) -> Vec<Path> {
        let ids = (0..self.pipeline.headers.len()).map(|index| HeaderId(index as u16));
        ids.fold(paths, |paths, id| {
            let mut found = Vec::new();
            for path in paths {
                if self.needs.headers(&path.state).contains(id) {
                    found.extend(self.resolve(id, path).all());
                } else {
                    found.push(path);
                }
            }
            self.join(found)
        })
    }

    fn count(&mut self, counter: u16, path: &Path) {
        let counter = self.code.constant(path.block, u64::from(counter));
        self.code
            .effect(path.block, Op::Count(self.sections.counters, counter));
    }

    fn end(&mut self, outcome: Outcome, path: &Path) {
        let (verdict, interface) = match outcome {
            Outcome::Drop(reason) => {
                self.count(reason.0, path);
                (Verdict::Drop, None)
            }
            Outcome::Pass => (Verdict::Pass, None),
            Outcome::Send(interface) => (Verdict::Send, Some(self.interface(interface, path))),
        };
        self.code
            .end(path.block, Terminator::Return { verdict, interface });
    }
}

/// Bytes of an element of a section.
fn element(section: SectionId, index: Value, offset: u16, bytes: u8) -> SectionAccess {
    SectionAccess {
        section,
        index,
        offset,
        bytes,
    }
}
