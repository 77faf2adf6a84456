//! A policy for some targets, asked to be built for or run by another one: said at the policy's own place.

use lvsc_front::diagnostics::{Code, Diagnostic};

use crate::args::Format;
use crate::policy::{Broken, Checked};
use crate::ui::Ui;

/// The policy, where it is for this target. Else it is said that it is not.
pub fn check(checked: Checked, target: &str, format: Format, ui: &mut Ui) -> Option<Checked> {
    let Some((message, span)) = checked.policy.other_target(target) else {
        return Some(checked);
    };
    let error = Diagnostic::error(Code::OtherTarget, message, span).label("said here");
    Broken {
        path: checked.text.path,
        diagnostics: vec![error],
        sources: checked.sources,
        asked: checked.asked,
    }
    .tell(format, ui);
    None
}
