//! `target NAME { .. }`: what a policy asks of a target. Checked whatever target it is built for.

use std::collections::BTreeMap;

use lvsc_abi::options::{Kernel, MODES, Mode, ONLY, TARGETS};

use super::Checker;
use super::once::Said;
use super::pools::word_of;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Item, Prop};
use crate::syntax::literal::LitKind;

impl<'a> Checker<'a> {
    /// All `target` blocks; several for one target are as one.
    pub(super) fn target_blocks(&mut self, items: &[&'a Item]) {
        let mut said: BTreeMap<&str, Said<'a>> = BTreeMap::new();
        for item in items {
            let Item::Target(item) = item else { continue };
            let mut targets = TARGETS.iter();
            let Some((target, options)) = targets.find(|(name, _)| item.name.text == *name) else {
                let known = TARGETS.map(|(name, _)| name.to_owned());
                let message = format!("there is no target `{}`", item.name.text);
                let _: Option<()> = self.unknown(&item.name, Code::UnknownName, &message, &known);
                continue;
            };
            let said = said.entry(target).or_default();
            for prop in &item.props {
                self.property_once(said, &prop.name.text, prop.span);
                let _ = self.target_option(target, options, prop);
            }
        }
        self.targets_that_are_not_meant(items);
    }

    /// Blocks of targets that the policy is not for.
    fn targets_that_are_not_meant(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Target(item) = item else { continue };
            let known = TARGETS.iter().any(|(name, _)| item.name.text == *name);
            if known && let Some((message, only)) = self.policy.other_target(&item.name.text) {
                self.report(
                    Diagnostic::error(Code::OtherTarget, message, item.name.span)
                        .label("never used")
                        .secondary(only, "said here"),
                );
            }
        }
    }

    fn target_option(
        &mut self,
        target: &'static str,
        options: &[&str],
        prop: &'a Prop,
    ) -> Option<()> {
        let name = prop.name.text.as_str();
        if !options.contains(&name) {
            let known: Vec<String> = options.iter().map(|name| (*name).to_owned()).collect();
            let message = format!("the target `{target}` has no option `{name}`");
            return self.unknown(&prop.name, Code::UnknownProperty, &message, &known);
        }
        if name == ONLY {
            if let [value, ..] = prop.values.as_slice() {
                return self.bad_value("`only` takes no value", value.span);
            }
            self.policy.only.insert(target, prop.span);
            return Some(());
        }
        let [value] = prop.values.as_slice() else {
            return self.bad_value(&format!("`{name}` takes one value"), prop.name.span);
        };
        if name == "kernel" {
            self.policy.manifest.xdp.kernel = self.kernel(value)?;
            return Some(());
        }
        self.mode(value, prop.span)
    }

    fn kernel(&mut self, value: &Expr) -> Option<Kernel> {
        let text = match &value.kind {
            ExprKind::Lit(lit) => match &lit.kind {
                LitKind::Bad => return None,
                LitKind::Str(text) => text.as_str(),
                _ => "",
            },
            _ => "",
        };
        let oldest = Kernel::OLDEST;
        match Kernel::parse(text) {
            Some(kernel) if kernel >= oldest => Some(kernel),
            Some(kernel) => {
                let message = format!("objects need Linux {oldest} or newer, not {kernel}");
                self.report(
                    Diagnostic::error(Code::BadValue, message, value.span)
                        .label(format!("older than {oldest}"))
                        .suggest("the oldest is", value.span, format!("\"{oldest}\"")),
                );
                None
            }
            None => self.bad_value(
                "`kernel` is a version of Linux, as text: `kernel \"6.6\"`",
                value.span,
            ),
        }
    }

    fn mode(&mut self, value: &Expr, span: Span) -> Option<()> {
        let Some(word) = word_of(value) else {
            return self.bad_value(
                &format!("`mode` is one of {}", MODES.join(", ")),
                value.span,
            );
        };
        match word.text.as_str() {
            "offload" => {
                self.policy.manifest.xdp.mode = Mode::Offload;
                self.policy.offload = Some(span);
                Some(())
            }
            mode if MODES.contains(&mode) => self.later(&format!("`mode {mode}`"), span),
            mode => {
                let message = format!("there is no mode `{mode}`");
                self.unknown(word, Code::BadValue, &message, &MODES.map(str::to_owned))
            }
        }
    }
}
