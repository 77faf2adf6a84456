//! Text to a tree, as a policy and as a packet: every place lies in the text, and every remedy can be applied.

use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::source::FileId;
use lvsc_front::syntax::ast::Item;
use lvsc_front::syntax::parse::keywords;
use lvsc_front::syntax::{parse, parse_packet};

use crate::hunt::{Judged, Target};
use crate::lexer::inside;
use crate::{change, corpus, grammar};

/// Random policies of all productions.
const GRAMMAR: u64 = 60;

pub fn target() -> Target {
    let texts = texts();
    let words = corpus::words(&texts, &keywords());
    Target {
        name: "parser",
        cases: 2000,
        make: Box::new(move |chance| change::text(&texts, &words, chance)),
        judge,
    }
}

/// Policies, and others that mean nothing but have everything in them.
pub fn texts() -> Vec<Vec<u8>> {
    let mut texts = corpus::policies();
    texts.extend((0..GRAMMAR).map(|seed| grammar::policy(seed).into_bytes()));
    texts
}

fn judge(input: &[u8]) -> Judged {
    let text = String::from_utf8_lossy(input);
    let (file, diagnostics) = parse(FileId(0), &text);
    let mut items = file.items.iter().map(Item::span);
    items.try_for_each(|span| inside(&text, span))?;
    applicable(&text, &diagnostics)?;
    let (_, diagnostics) = parse_packet(FileId(0), &text);
    applicable(&text, &diagnostics)
}

fn applicable(text: &str, diagnostics: &[Diagnostic]) -> Judged {
    for found in diagnostics {
        let edits = found.fixes.iter().flat_map(|fix| &fix.edits);
        let edits = edits.map(|edit| edit.span);
        let mut places = found.labels.iter().map(|label| label.span).chain(edits);
        places.try_for_each(|span| inside(text, span))?;
        for fix in &found.fixes {
            let mut spans: Vec<_> = fix.edits.iter().map(|edit| edit.span).collect();
            spans.sort_unstable();
            if spans.windows(2).any(|pair| pair[0].end > pair[1].start) {
                return Err(format!("edits of one remedy overlap: {found:?}"));
            }
        }
    }
    Ok(())
}
