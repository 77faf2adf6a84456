//! What the compiler says to the author of a policy, as data.
//!
//! A diagnostic knows its places, causes and remedies. It does not know how it is drawn: colours,
//! widths and JSON are the command line's.

mod code;
mod nearest;

pub use code::{Code, Group};
pub use nearest::nearest;

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// It is built, and probably not what was meant.
    Warning,
}

/// What a marked place is to the diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelStyle {
    /// The place itself; makes sense alone.
    Primary,
    /// A cause elsewhere.
    Secondary,
}

/// A marked place with a few words; empty where the message says it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Said beside the mark.
    pub text: String,
    /// The place itself, or a cause.
    pub style: LabelStyle,
}

/// One replacement of a [`Fix`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// What stands there then.
    pub replacement: String,
}

/// Whether a remedy may be applied without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applicability {
    /// It is what was meant, whatever the author thought: `lvsc fix` applies it.
    Sure,
    /// It is a guess; a person decides.
    Maybe,
}

impl Applicability {
    /// The word that data has: `sure` or `maybe`.
    pub fn as_str(self) -> &'static str {
        match self {
            Applicability::Sure => "sure",
            Applicability::Maybe => "maybe",
        }
    }
}

/// A remedy that can be pasted or applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, lower case: "a field with a similar name exists".
    pub message: String,
    /// All to be made together, not overlapping.
    pub edits: Vec<Edit>,
    /// Whether it may be applied without asking.
    pub applicability: Applicability,
}

/// One finding. The first primary label is the place it is sorted and listed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its name, for `lvsc explain` and for tests.
    pub code: Code,
    /// One lower-case sentence without a full stop.
    pub message: String,
    /// Marked places, at least one primary.
    pub labels: Vec<Label>,
    /// Background, one sentence each.
    pub notes: Vec<String>,
    /// Remedies, the likeliest first.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: Code, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message.into(), span)
    }

    /// A warning at `span`.
    pub fn warning(code: Code, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message.into(), span)
    }

    fn new(severity: Severity, code: Code, message: String, span: Span) -> Diagnostic {
        let label = Label {
            span,
            text: String::new(),
            style: LabelStyle::Primary,
        };
        Diagnostic {
            severity,
            code,
            message,
            labels: vec![label],
            notes: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// Says `text` beside the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        if let Some(label) = self.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    /// Marks a cause elsewhere.
    #[must_use]
    pub fn secondary(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
            style: LabelStyle::Secondary,
        });
        self
    }

    /// Adds background.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Adds a remedy that replaces one place, and is a guess.
    #[must_use]
    pub fn suggest(
        self,
        message: impl Into<String>,
        span: Span,
        replacement: impl Into<String>,
    ) -> Diagnostic {
        self.replace(
            message.into(),
            span,
            replacement.into(),
            Applicability::Maybe,
        )
    }

    /// Adds a remedy that replaces one place, and is what was meant.
    #[must_use]
    pub fn mend(
        self,
        message: impl Into<String>,
        span: Span,
        replacement: impl Into<String>,
    ) -> Diagnostic {
        self.replace(
            message.into(),
            span,
            replacement.into(),
            Applicability::Sure,
        )
    }

    /// Adds the word that is nearest to the one at `span`: sure where only the case of letters differs.
    #[must_use]
    pub fn similar(self, message: &str, span: Span, written: &str, near: &str) -> Diagnostic {
        if written.eq_ignore_ascii_case(near) {
            return self.mend(format!("write `{near}`"), span, near);
        }
        self.suggest(message, span, near)
    }

    fn replace(
        self,
        message: String,
        span: Span,
        replacement: String,
        applicability: Applicability,
    ) -> Diagnostic {
        let edits = vec![Edit { span, replacement }];
        self.fix(Fix {
            message,
            edits,
            applicability,
        })
    }

    /// Adds a remedy of several edits.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Diagnostic {
        self.fixes.push(fix);
        self
    }

    /// The primary place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }

    /// Whether nothing may be built.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn a_diagnostic_is_built_in_the_order_it_is_read() {
        let span = |start, end| Span::new(FileId(0), start, end);
        let diagnostic = Diagnostic::error(Code::UnexpectedToken, "expected a name", span(3, 4))
            .label("here")
            .secondary(span(0, 1), "because of this")
            .note("names begin with a letter")
            .suggest("name it", span(3, 4), "web");
        assert!(diagnostic.is_error());
        assert_eq!(diagnostic.span(), Some(span(3, 4)));
        let texts: Vec<_> = diagnostic
            .labels
            .iter()
            .map(|label| label.text.as_str())
            .collect();
        assert_eq!(texts, ["here", "because of this"]);
        assert_eq!(diagnostic.fixes.len(), 1);
    }
}
