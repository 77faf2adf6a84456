//! How many instructions a packet takes: over all ways through the code, by what becomes of the packet.

use lvsc_abi::layout::{Element, Layout};

use crate::assemble::Code;
use crate::insn::{CALL, EXIT, Insn, JMP, JMP32, R0};
use crate::machine::Symbol;
use crate::verdict;

/// The bits of an instruction's opcode that are its class.
const CLASS: u8 = 7;
const OPERATION: u8 = 0xf0;

/// What a way has passed: it has looked into a ring, into a connection table, it has written an entry there, it has read a
/// backend's record.
type Passed = usize;
const RING: Passed = 1;
const TABLE: Passed = 2;
const ENTRY: Passed = 4;
const RECORD: Passed = 8;
const KINDS: usize = 16;

/// The shortest and the longest way (instructions that are executed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    least: u64,
    most: u64,
}

type Spans = [Option<Span>; KINDS];

/// Figures of the code: the shortest way of a packet that is sent, by how its backend is found, and the longest of one
/// that is passed to the kernel. A kind of way that does not occur has none.
pub(crate) fn figures(code: &Code, layout: &Layout) -> Vec<(&'static str, u64)> {
    let (sent, passed) = ends(code, layout);
    let least = |fits: fn(Passed) -> bool| {
        let kinds = sent.iter().enumerate().filter(|(kind, _)| fits(*kind));
        kinds
            .filter_map(|(_, span)| span.map(|span| span.least))
            .min()
    };
    let most = passed.iter().flatten().map(|span| span.most).max();
    let found = [
        ("instructions without a pool", least(|kind| kind == 0)),
        ("instructions by id", least(|kind| kind == RECORD)),
        ("instructions by ring", least(|kind| kind & !RECORD == RING)),
        (
            "instructions by table",
            least(|kind| kind & (RING | TABLE) == TABLE),
        ),
        (
            "instructions of a new flow",
            least(|kind| kind & !RECORD == RING | TABLE | ENTRY),
        ),
        ("instructions to pass, at most", most),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The ways that end in a frame sent, and those that end with the kernel.
fn ends(code: &Code, layout: &Layout) -> (Spans, Spans) {
    let looks = code.relocations.iter().filter_map(|(index, symbol)| {
        let Symbol::Section(id) = symbol else {
            return None;
        };
        let passed = match layout[*id].element {
            // Where a new flow goes: to a slot of the ring, or to whom the loads say.
            Element::Slot | Element::Load => RING,
            Element::Backend => RECORD,
            Element::Flow | Element::Noted | Element::Datagram | Element::Client => TABLE,
            Element::Header
            | Element::Clock
            | Element::Interface
            | Element::Change
            | Element::Cursor
            | Element::Counter
            | Element::Word
            | Element::Cell
            | Element::Key => return None,
        };
        Some((*index, passed))
    });
    let mut looks = looks.peekable();
    let mut reached: Vec<Spans> = vec![Spans::default(); code.insns.len() + 1];
    reached[0][0] = Some(Span { least: 0, most: 0 });
    let (mut sent, mut passed) = (Spans::default(), Spans::default());
    let mut index = 0;
    while let Some(insn) = code.insns.get(index) {
        let look = looks.next_if(|(at, _)| *at == index);
        let entry = if insn.is_exchange() { ENTRY } else { 0 };
        let here = after(
            &reached[index],
            look.map_or(0, |(_, passed)| passed) | entry,
        );
        let size = if insn.opcode == 0x18 { 2 } else { 1 };
        if is_exit(*insn) {
            match ends_with(code, index) {
                verdict::PASS => join(&mut passed, &here),
                verdict::DROP => {}
                _ => join(&mut sent, &here),
            }
        }
        for next in successors(*insn, index, size) {
            join(&mut reached[next], &here);
        }
        index += size;
    }
    (sent, passed)
}

fn after(before: &Spans, passed: Passed) -> Spans {
    let mut spans = Spans::default();
    for (kind, span) in before.iter().enumerate() {
        let kind = kind | passed;
        let longer = span.map(|span| Span {
            least: span.least + 1,
            most: span.most + 1,
        });
        merge(&mut spans[kind], longer);
    }
    spans
}

fn join(spans: &mut Spans, others: &Spans) {
    for (span, other) in spans.iter_mut().zip(others) {
        merge(span, *other);
    }
}

fn merge(span: &mut Option<Span>, other: Option<Span>) {
    *span = match (*span, other) {
        (Some(a), Some(b)) => Some(Span {
            least: a.least.min(b.least),
            most: a.most.max(b.most),
        }),
        (a, b) => a.or(b),
    };
}

fn is_exit(insn: Insn) -> bool {
    insn.opcode == EXIT | JMP
}

/// The verdict that is put into its register right before the exit; what a call gives is a frame sent on.
fn ends_with(code: &Code, exit: usize) -> i32 {
    let before = exit
        .checked_sub(1)
        .and_then(|before| code.insns.get(before));
    match before {
        Some(insn) if *insn == Insn::set(crate::insn::Width::Half, R0, insn.immediate) => {
            insn.immediate
        }
        Some(_) | None => verdict::BACK,
    }
}

/// Where an instruction goes on; jumps go forward only.
fn successors(insn: Insn, index: usize, size: usize) -> impl Iterator<Item = usize> {
    let class = insn.opcode & CLASS;
    let jumps = class == JMP || class == JMP32;
    let operation = insn.opcode & OPERATION;
    let calls = jumps && operation == CALL;
    let to = index + 1 + insn.offset.unsigned_abs() as usize;
    let next = (!is_exit(insn) && (calls || insn.opcode != JMP)).then_some(index + size);
    let to = (jumps && !calls && !is_exit(insn)).then_some(to);
    [next, to].into_iter().flatten()
}
