//! What actions and computed fields expand to: where it came from, and that it ends.
//!
//! A text of a kilobyte can ask for 2^30 statements, and a chain of calls can be as long as the text. Both are limited
//! here, and counted where they grow.

use lvsc_pipeline::pipeline::HeaderId;

use super::Checker;
use crate::diagnostics::{Code, Diagnostic, Label, LabelStyle};
use crate::source::Span;

/// Most statements and expressions that expansion may add: some ten thousand uses of an action of ten lines.
const ADDED_MAX: usize = 1 << 18;
/// Most blocks and expressions inside one another at a place that is expanded.
const DEPTH_MAX: usize = 100;

/// A use that is being expanded.
#[derive(Clone, Copy)]
pub(super) struct Expansion<'a> {
    /// Of what.
    pub(super) of: Expanded<'a>,
    /// Where it is used.
    pub(super) span: Span,
}

/// What can be expanded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expanded<'a> {
    /// An action.
    Action(&'a str),
    /// A computed field.
    Field(HeaderId, &'a str),
    /// A function, where it is called.
    Function(&'a str),
    /// A function, where it is declared.
    Body(&'a str),
}

/// The expansions at one point, and how much there was so far.
#[derive(Default)]
pub(super) struct Expansions<'a> {
    /// The outermost first.
    open: Vec<Expansion<'a>>,
    /// Statements and expressions so far.
    added: usize,
    /// Blocks and expressions around this point.
    depth: usize,
}

impl<'a> Checker<'a> {
    /// Whether something is being expanded.
    pub(super) fn is_expanding(&self) -> bool {
        !self.expansions.open.is_empty()
    }

    /// Whether this is being expanded already.
    pub(super) fn expands(&self, what: Expanded<'a>) -> bool {
        self.expansions.open.iter().any(|open| open.of == what)
    }

    /// Does it inside an expansion.
    pub(super) fn expand<T>(
        &mut self,
        expansion: Expansion<'a>,
        inside: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.within_depth(expansion.span)?;
        self.expansions.open.push(expansion);
        let done = inside(self);
        self.expansions.open.pop();
        done
    }

    /// A chain of uses is as long as the text; the stack is not.
    pub(super) fn within_depth(&mut self, span: Span) -> Option<()> {
        if self.expansions.depth < DEPTH_MAX {
            return Some(());
        }
        let message = "actions, functions and computed fields use each other too deeply here";
        self.error(Code::NestingTooDeep, message, span)
    }

    /// An expression of so many levels at this point: what comes behind walks them, too.
    pub(super) fn within_levels(&mut self, levels: usize, span: Span) -> Option<()> {
        if self.expansions.depth + levels < DEPTH_MAX {
            return Some(());
        }
        let message = "functions make an expression of too many levels here";
        self.error(Code::NestingTooDeep, message, span)
    }

    /// Does it one level deeper.
    pub(super) fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.expansions.depth += 1;
        let done = inside(self);
        self.expansions.depth -= 1;
        done
    }

    /// Counts a statement or an expression; `None` once expansion made too many of them.
    pub(super) fn count_added(&mut self, span: Span) -> Option<()> {
        if self.expansions.open.is_empty() {
            return Some(()); // it stands in the text as often
        }
        self.count_copied(1, span)
    }

    /// Counts so many expressions that were checked before and stand here once more.
    pub(super) fn count_copied(&mut self, count: usize, span: Span) -> Option<()> {
        let fine = self.expansions.added < ADDED_MAX;
        self.expansions.added += count;
        if fine && self.expansions.added >= ADDED_MAX {
            let message = "actions, functions and computed fields expand to too much here";
            self.report(
                Diagnostic::error(Code::PolicyTooLarge, message, span).note(format!(
                    "each use is expanded in its place, {ADDED_MAX} statements and expressions in all"
                )),
            );
        }
        (self.expansions.added < ADDED_MAX).then_some(())
    }

    /// A mark at the use that is being expanded.
    pub(super) fn use_label(&self) -> Option<Label> {
        let outermost = self.expansions.open.first()?;
        let (Expanded::Action(name) | Expanded::Field(_, name) | Expanded::Function(name)) =
            outermost.of
        else {
            return None;
        };
        Some(Label {
            span: outermost.span,
            text: format!("in this use of `{name}`"),
            style: LabelStyle::Secondary,
        })
    }
}
