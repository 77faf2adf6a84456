//! Diagnostics, drawn for people in rustc's shape, and as data.

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet, renderer::DecorStyle,
};
use lvsc_front::diagnostics::{Diagnostic, Fix, Label, LabelStyle, Severity};
use lvsc_front::source::{FileId, SourceMap, Span};
use serde_json::{Value, json};

use super::{Ui, number};

/// The most that are drawn; more only hides the first.
const MOST: usize = 20;

impl Ui {
    /// Draws the findings and, if there is one, says how many there are. `name` is what they are of.
    pub fn diagnostics(&mut self, name: &str, diagnostics: &[Diagnostic], sources: &SourceMap) {
        let renderer = renderer();
        for diagnostic in diagnostics.iter().take(MOST) {
            let report = report(diagnostic, sources);
            self.talk(format_args!("{}\n", renderer.render(&report)));
        }
        if diagnostics.len() > MOST {
            self.talk(format_args!("... and {} more\n", diagnostics.len() - MOST));
        }
        if let Some(count) = count(diagnostics) {
            self.talk(format_args!("{name}: {count}"));
        }
    }

    /// An error that is no diagnostic, drawn like one: a title, and a place with a few words.
    pub fn report(title: &str, words: &str, span: Span, sources: &SourceMap) -> String {
        let snippet = Snippet::source(sources.text(span.file)).path(sources.path(span.file));
        let mark = AnnotationKind::Primary.span(span.range()).label(words);
        let group = Level::ERROR
            .primary_title(title)
            .element(snippet.annotation(mark));
        renderer().render(&[group])
    }

    /// Draws warnings of something that is fine otherwise: not with `--quiet`.
    pub fn warnings(&mut self, name: &str, diagnostics: &[Diagnostic], sources: &SourceMap) {
        if !self.quiet {
            self.diagnostics(name, diagnostics, sources);
        }
    }
}

fn renderer() -> Renderer {
    Renderer::styled().decor_style(DecorStyle::Ascii)
}

/// `2 errors, 1 warning`; `None` where there is neither.
pub fn count(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let warnings = diagnostics.len() - errors;
    match (errors, warnings) {
        (0, 0) => None,
        (errors, 0) => Some(number(errors, "error")),
        (0, warnings) => Some(number(warnings, "warning")),
        (errors, warnings) => Some(format!(
            "{}, {}",
            number(errors, "error"),
            number(warnings, "warning")
        )),
    }
}

fn report<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str());
    let mut group = Group::with_title(title.id(diagnostic.code.as_str()));
    for file in files(&diagnostic.labels) {
        let labels = diagnostic
            .labels
            .iter()
            .filter(|label| label.span.file == file);
        let snippet = Snippet::source(sources.text(file)).path(sources.path(file));
        group = group.element(snippet.annotations(labels.map(|label| annotation(label, sources))));
    }
    let notes = diagnostic
        .notes
        .iter()
        .map(|note| Level::NOTE.message(note.as_str()));
    let mut groups = vec![group.elements(notes)];
    groups.extend(diagnostic.fixes.iter().map(|fix| remedy(fix, sources)));
    groups
}

/// The files of the labels, the primary one's first.
fn files(labels: &[Label]) -> Vec<FileId> {
    let mut files: Vec<FileId> = Vec::new();
    for label in labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn annotation<'a>(label: &'a Label, sources: &SourceMap) -> Annotation<'a> {
    let kind = match label.style {
        LabelStyle::Primary => AnnotationKind::Primary,
        LabelStyle::Secondary => AnnotationKind::Context,
    };
    let mut range = label.span.range();
    if sources.snippet(label.span).trim().is_empty() {
        range.end = range.start; // the end of a line, which is not to be drawn as two lines
    }
    let annotation = kind.span(range);
    if label.text.is_empty() {
        annotation
    } else {
        annotation.label(label.text.as_str())
    }
}

fn remedy<'a>(fix: &'a Fix, sources: &'a SourceMap) -> Group<'a> {
    let mut group = Group::with_title(Level::HELP.secondary_title(fix.message.as_str()));
    let mut files: Vec<FileId> = fix.edits.iter().map(|edit| edit.span.file).collect();
    files.dedup();
    for file in files {
        let edits = fix.edits.iter().filter(|edit| edit.span.file == file);
        let patches = edits.map(|edit| Patch::new(edit.span.range(), edit.replacement.as_str()));
        let snippet = Snippet::source(sources.text(file)).path(sources.path(file));
        group = group.element(snippet.patches(patches));
    }
    group
}

/// The findings as data: all of them.
pub fn data(diagnostics: &[Diagnostic], sources: &SourceMap) -> Value {
    let place = |span: Span| {
        let at = sources.line_col(span);
        json!({
            "file": sources.path(span.file),
            "line": at.line,
            "column": at.column,
            "start": span.start,
            "end": span.end,
        })
    };
    let each = diagnostics.iter().map(|one| {
        let labels = one.labels.iter().map(|label| {
            let primary = label.style == LabelStyle::Primary;
            json!({ "at": place(label.span), "text": label.text, "primary": primary })
        });
        let fixes = one.fixes.iter().map(|fix| {
            let edits = fix.edits.iter();
            let edits = edits
                .map(|edit| json!({ "at": place(edit.span), "replacement": edit.replacement }));
            json!({ "message": fix.message, "edits": edits.collect::<Vec<_>>() })
        });
        json!({
            "severity": match one.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "code": one.code.as_str(),
            "message": one.message,
            "labels": labels.collect::<Vec<_>>(),
            "notes": one.notes,
            "fixes": fixes.collect::<Vec<_>>(),
        })
    });
    Value::Array(each.collect())
}
