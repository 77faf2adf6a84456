//! Diagnostics, drawn for people in rustc's shape. As data: `json`, `sarif`.

pub mod json;
pub mod sarif;

use std::collections::BTreeMap;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet, renderer::DecorStyle,
};
use lvsc_front::diagnostics::{Code, Diagnostic, Fix, Label, LabelStyle, Severity};
use lvsc_front::source::{FileId, SourceMap, Span};

use super::{HELP, Ui, number, styled};

/// The most that are drawn; more only hides the first.
const MOST: usize = 20;
/// The most lines that are named where one fault is met again.
const LINES: usize = 8;

impl Ui {
    /// Draws the findings and, if there is one, says how many there are. `name` is what they are of.
    pub fn diagnostics(&mut self, name: &str, diagnostics: &[Diagnostic], sources: &SourceMap) {
        let renderer = renderer();
        let once = once(diagnostics, sources);
        for (diagnostic, again) in once.iter().take(MOST) {
            let also = also(again, sources);
            let report = report(diagnostic, also.as_deref(), sources);
            self.talk(format_args!("{}\n", renderer.render(&report)));
        }
        if once.len() > MOST {
            self.talk(format_args!("... and {} more\n", once.len() - MOST));
        }
        if let Some(count) = count(diagnostics) {
            self.talk(format_args!("{name}: {count}"));
        }
        let first = diagnostics.iter().find(|one| one.is_error());
        if let Some(first) = first.or(diagnostics.first()) {
            self.unexplained.get_or_insert(first.code);
        }
    }

    /// Says, once for all that was drawn, where there is more to read.
    pub fn leave(&mut self) {
        if let Some(code) = self.unexplained.take() {
            let help = styled(HELP, "help");
            self.say(format_args!("{help}: `lvsc explain {code}` tells more"));
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

/// Each finding, with those that say the same of the same words elsewhere: one misspelled name is one fault. What has a
/// cause of its own stands alone.
fn once<'a>(
    diagnostics: &'a [Diagnostic],
    sources: &SourceMap,
) -> Vec<(&'a Diagnostic, Vec<&'a Diagnostic>)> {
    let mut once: Vec<(&Diagnostic, Vec<&Diagnostic>)> = Vec::new();
    let mut known = BTreeMap::new();
    for one in diagnostics {
        let words = one.span().map_or("", |span| sources.snippet(span)).trim();
        let file = one.span().map(|span| span.file);
        let key = (file, one.code, one.message.as_str(), words.to_owned());
        let slip = one.code == Code::UnexpectedToken; // each is one of its own
        let alone = slip || one.labels.len() > 1 || words.is_empty();
        let at: Option<usize> = known.get(&key).copied().filter(|_| !alone);
        if let Some((_, again)) = at.and_then(|at| once.get_mut(at)) {
            again.push(one);
            continue;
        }
        if !alone {
            known.insert(key, once.len());
        }
        once.push((one, Vec::new()));
    }
    once
}

/// `and 7 more places: lines 3, 4, 9, ...`
fn also(again: &[&Diagnostic], sources: &SourceMap) -> Option<String> {
    let places = again.iter().filter_map(|one| one.span());
    let mut lines: Vec<usize> = places.map(|span| sources.line_col(span).line).collect();
    lines.dedup();
    let shown: Vec<String> = lines.iter().take(LINES).map(ToString::to_string).collect();
    let noun = if lines.len() == 1 { "line" } else { "lines" };
    let dots = if lines.len() > LINES { ", ..." } else { "" };
    let count = number(again.len(), "more place");
    (!again.is_empty()).then(|| format!("and {count}: {noun} {}{dots}", shown.join(", ")))
}

fn report<'a>(
    diagnostic: &'a Diagnostic,
    also: Option<&'a str>,
    sources: &'a SourceMap,
) -> Vec<Group<'a>> {
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
    let notes = diagnostic.notes.iter().map(String::as_str).chain(also);
    let notes = notes.map(|note| Level::NOTE.message(note));
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
