//! What can be said of a policy once its selects are known: its VIPs, and ports that direct routing would change.

use super::{Checker, vips};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::{FileId, Span};
use lvsc_abi::place::Place;

impl Checker<'_> {
    /// Fills the manifest's VIPs. A policy that selects, and whose VIPs are not known, gets a warning.
    pub(super) fn destinations(&mut self) {
        let selects = vips::selects(&self.policy);
        for reached in &selects {
            self.ports(reached);
        }
        let derived = vips::vips(&selects);
        let declared = std::mem::take(&mut self.policy.manifest.vips);
        let known = |vip: &lvsc_abi::manifest::Vip| {
            derived
                .iter()
                .any(|d| (d.address, d.prefix) == (vip.address, vip.prefix))
        };
        let extra: Vec<_> = declared.into_iter().filter(|vip| !known(vip)).collect();
        self.policy.manifest.vips = derived.iter().copied().chain(extra).collect();
        if let (true, Some(first)) = (self.policy.manifest.vips.is_empty(), selects.first()) {
            let span = self.span_at(first.place);
            self.report(
                Diagnostic::warning(Code::NoVip, "the address that clients use is not known here", span)
                    .label("packets for any address come here")
                    .note("compare `ip.dst` or `flow.dst` with a constant, or say `interface lan { vip 192.0.2.10 }`"),
            );
        }
    }

    /// Nothing rewrites ports, so a backend's port is the one that the client used.
    fn ports(&mut self, reached: &vips::Reached) {
        let Some(pool) = self.policy.manifest.pools.get(reached.pool) else {
            return;
        };
        let ports = reached.destination.ports.clone();
        let wrong = pool.backends.iter().find_map(|backend| {
            let port = backend.port?;
            let same = ports.as_ref().is_some_and(|ports| ports.iter().eq([&port]));
            (!same).then(|| (backend.name.clone(), port))
        });
        let Some((name, port)) = wrong else { return };
        let span = self.span_at(reached.place);
        self.report(
            Diagnostic::error(
                Code::PortChangesInDr,
                "direct routing cannot change the port",
                span,
            )
            .label(format!(
                "packets for other ports than {port} come here, and `{name}` is given port {port}"
            ))
            .note(
                "in DR the real server itself owns the VIP and answers on the port the client used",
            )
            .note(format!(
                "leave `:{port}` out, or match the port before this `select`"
            )),
        );
    }

    /// The first character of a place: enough to point at a line.
    fn span_at(&self, place: Place) -> Span {
        let file = FileId(u32::from(place.file));
        let text = self.sources.text(file);
        let line = text
            .split_inclusive('\n')
            .take(place.line.saturating_sub(1) as usize);
        let start: usize = line.map(str::len).sum();
        let rest = text
            .get(start..)
            .unwrap_or("")
            .trim_end_matches(['\n', '\r']);
        let line = rest.split('\n').next().unwrap_or("");
        let indent = line.len() - line.trim_start().len();
        Span::new(file, start + indent, start + line.trim_end().len())
    }
}
