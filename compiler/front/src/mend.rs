//! Applying the sure remedies of a policy until none is left.

use crate::diagnostics::{Applicability, Code, Diagnostic, Edit, Fix};
use crate::library::Library;
use crate::source::LineColumn;
use crate::{Compilation, compile_with};

/// So often is a policy compiled: a remedy may uncover a fault that was not seen before it.
const ROUNDS: usize = 32;

/// What came of a policy.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The text with all that was done to it.
    pub text: String,
    /// What was done, in its order.
    pub done: Vec<Done>,
    /// What is said of the text now.
    pub compilation: Compilation,
}

/// A remedy that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Of what.
    pub code: Code,
    /// What it does: "write `and`".
    pub message: String,
    /// Where it began, in the text as it was then.
    pub at: LineColumn,
}

/// Applies the sure remedies of a policy. Those that overlap are applied one after the other, as far as they are still
/// wanted then.
pub fn mend(path: &str, text: &str, library: &dyn Library) -> Mended {
    let mut text = text.to_owned();
    let mut done = Vec::new();
    let mut compilation = compile_with(path, &text, library);
    for _ in 0..ROUNDS {
        let fixes = apart(&compilation);
        if fixes.is_empty() {
            break;
        }
        for (found, fix) in &fixes {
            let first = fix.edits.iter().map(|edit| edit.span).min();
            done.extend(first.map(|first| Done {
                code: found.code,
                message: fix.message.clone(),
                at: compilation.sources.line_col(first),
            }));
        }
        text = edited(&text, &fixes);
        compilation = compile_with(path, &text, library);
    }
    Mended {
        text,
        done,
        compilation,
    }
}

/// The sure remedies in the policy's own text, in order; none reaches into another.
fn apart(compilation: &Compilation) -> Vec<(&Diagnostic, &Fix)> {
    let sure = |found| move |fix| sure(fix).map(|fix| (found, fix));
    let all = compilation.diagnostics.iter();
    let all = all.flat_map(|found| found.fixes.iter().filter_map(sure(found)));
    let mut placed: Vec<_> = all
        .filter(|(_, fix)| {
            fix.edits
                .iter()
                .all(|edit| edit.span.file == compilation.file)
        })
        .filter_map(|(found, fix)| {
            let whole = fix.edits.iter().map(|edit| edit.span);
            Some((whole.reduce(crate::source::Span::join)?, found, fix))
        })
        .collect();
    placed.sort_by_key(|(whole, ..)| *whole);
    let mut free = 0;
    placed.retain(|(whole, ..)| {
        let fits = whole.start >= free;
        if fits {
            // What is inserted takes its place too: two would be written in no certain order.
            free = whole.end.max(whole.start + 1);
        }
        fits
    });
    placed
        .into_iter()
        .map(|(_, found, fix)| (found, fix))
        .collect()
}

fn sure(fix: &Fix) -> Option<&Fix> {
    (fix.applicability == Applicability::Sure).then_some(fix)
}

/// The text with these edits, which lie apart.
fn edited(text: &str, fixes: &[(&Diagnostic, &Fix)]) -> String {
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|(_, fix)| &fix.edits).collect();
    edits.sort_by_key(|edit| edit.span);
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let range = edit.span.range();
        edited.push_str(text.get(at..range.start).unwrap_or(""));
        edited.push_str(&edit.replacement);
        at = range.end;
    }
    edited.push_str(text.get(at..).unwrap_or(""));
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) -> Mended {
        let mended = mend("policy.lvs", text, &crate::library::Empty);
        assert_eq!(mended.text, expected);
        assert!(
            apart(&mended.compilation).is_empty(),
            "something sure is left"
        );
        mended
    }

    #[test]
    fn remedies_are_applied_until_none_is_left() {
        let mended = check(
            "match ip.dst = 192.0.2.1 && tcp { pass }",
            "match ip.dst == 192.0.2.1 and tcp { pass }",
        );
        assert!(mended.compilation.policy.is_some());
        let messages: Vec<_> = mended
            .done
            .iter()
            .map(|done| done.message.as_str())
            .collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
    }

    #[test]
    fn guesses_are_left_to_the_author() {
        let text = "macth ip { drop }\nmatch ip.dest == 192.0.2.1 { pass }\nmatch !ip { pass }\n";
        let mended = check(text, text);
        assert!(mended.done.is_empty() && mended.compilation.policy.is_none());
    }

    #[test]
    fn a_wrong_case_is_no_guess() {
        check(
            "MATCH ip { Drop x }\nconst VIP = 192.0.2.1\nmatch ip.dst == vip { pass }",
            "match ip { drop x }\nconst VIP = 192.0.2.1\nmatch ip.dst == VIP { pass }",
        );
    }

    #[test]
    fn a_thousand_faults_are_mended_and_more_too() {
        let wrong = "match ip && tcp { pass }\n".repeat(2500);
        let mended = check(&wrong, &wrong.replace("&&", "and"));
        assert_eq!(mended.done.len(), 2500);
    }
}
