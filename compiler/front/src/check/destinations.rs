//! What can be said of a policy once its selects are known: its VIPs, and ports that direct routing would change.

use super::known::Range;
use super::{Checker, vips};
use crate::diagnostics::{Code, Diagnostic};

impl Checker<'_> {
    /// Fills the manifest's VIPs. A policy that selects, and whose VIPs are not known, gets a warning.
    pub(super) fn destinations(&mut self) {
        let selects = vips::selects(&self.policy);
        self.ports(&selects);
        let derived = vips::vips(&selects);
        let declared = std::mem::take(&mut self.policy.manifest.vips);
        self.backends_are_no_vips(&selects, &declared);
        let known = |vip: &lvsc_abi::manifest::Vip| {
            derived
                .iter()
                .any(|d| (d.address, d.prefix) == (vip.address, vip.prefix))
        };
        let extra: Vec<_> = declared.into_iter().filter(|vip| !known(vip)).collect();
        self.policy.manifest.vips = derived.iter().copied().chain(extra).collect();
        let open = selects.iter().find(|reached| reached.destination.is_open());
        if let (true, Some(open)) = (self.policy.manifest.vips.is_empty(), open) {
            self.report(
                Diagnostic::warning(Code::NoVip, "the address that clients use is not known here", open.span)
                    .label("packets for any address come here")
                    .note("compare `ip.dst` or `flow.dst` with a constant, or say `interface lan { vip 192.0.2.10 }`"),
            );
        }
    }

    /// Nothing rewrites ports, so a backend's port is the one that the client used. Packets without ports have port 0.
    fn ports(&mut self, selects: &[vips::Reached]) {
        for (pool, port, span) in std::mem::take(&mut self.ports) {
            let fine = |range: &Range| [(0, 0), (port.into(), port.into())].contains(range);
            let wrong = selects.iter().find_map(|reached| {
                let ports = reached.destination.port.ranges();
                let keeps = ports.is_some_and(|ports| ports.iter().all(fine));
                (reached.pool == pool && !keeps).then_some((reached.span, ports))
            });
            let Some((select, ports)) = wrong else {
                continue;
            };
            let clients = match ports {
                Some([(low, high)]) if low == high => format!("clients come to {low}"),
                Some(_) => "clients come to other ports, too".to_owned(),
                None => "clients may come to any port".to_owned(),
            };
            self.report(
                Diagnostic::error(
                    Code::PortChangesInDr,
                    "direct routing cannot change the port",
                    span,
                )
                .label(format!("the real server would listen on {port}, {clients}"))
                .secondary(select, "the packet keeps its port")
                .note("in DR the real server itself owns the VIP and answers on the port the client used")
                .note(format!(
                    "leave `:{port}` out, or match the port before the `select`: `flow.dport == {port}`"
                )),
            );
        }
    }
}
