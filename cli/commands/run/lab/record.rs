//! What came of a lab: for people, and as a record.

use lvsc_runtime::lab::{Host, NEGATIVE, Report, Step};
use serde_json::{Value, json};

use super::{Order, Outcome};
use crate::args::LabKind;
use crate::ui::{FINE, HEAD, number, styled, table};

impl LabKind {
    /// As the record names it.
    fn name(self) -> &'static str {
        match self {
            LabKind::Namespaces => "namespaces",
            LabKind::Memory => "memory",
        }
    }

    /// Whose hosts they are.
    fn words(self) -> &'static str {
        match self {
            LabKind::Namespaces => "network namespaces, the kernel's own TCP",
            LabKind::Memory => "simulated hosts in this process",
        }
    }
}

/// What happened, for people.
pub(super) fn words(order: &Order<'_>, outcome: &Outcome) -> String {
    let mut lines = head(order, outcome);
    lines.push(String::new());
    lines.extend(requests(&outcome.report));
    lines.push(String::new());
    lines.extend(steps(outcome));
    lines.push(String::new());
    lines.extend(shares(outcome));
    if let Some(nanoseconds) = outcome.summary.nanoseconds_per_packet() {
        lines.push(format!(
            "  {nanoseconds:.0} ns per packet inside {}",
            order.kind.name
        ));
    }
    if outcome.faults().is_empty() {
        lines.push(String::new());
        lines.push(styled(FINE, "direct routing holds"));
    }
    lines.join("\n")
}

fn head(order: &Order<'_>, outcome: &Outcome) -> Vec<String> {
    let plan = &outcome.plan;
    let host = |host: &Host| {
        let ip = host.ip.to_string();
        let name = if host.name == ip {
            "real server".to_owned()
        } else {
            host.name.clone()
        };
        vec![name, ip, host.mac.to_string()]
    };
    let vip = vec![
        "VIP".to_owned(),
        plan.vip.to_string(),
        format!("port {}", plan.port),
    ];
    let mut rows = vec![vip];
    rows.extend(plan.hosts().map(host));
    let path = &order.checked.text.path;
    let moved = outcome.moved.as_ref();
    let moved = moved.map_or_else(String::new, |moved| format!(" by {moved}"));
    let title = format!(
        "{path} on {}{moved}, {}",
        order.kind.name,
        outcome.lab.words()
    );
    let mut lines = vec![styled(HEAD, title)];
    lines.extend(indented(&rows));
    lines
}

fn requests(report: &Report) -> Vec<String> {
    let large = |whole| if whole { "whole" } else { "not whole" };
    vec![
        format!(
            "datapath off  {} of {NEGATIVE} requests answered: the network alone forwards {}",
            report.negative_answered,
            if report.negative_answered == 0 {
                "nothing"
            } else {
                "by itself"
            },
        ),
        format!(
            "datapath on   {} of {} requests answered, upload {}, download {} (1 MiB each)",
            report.answered,
            report.requests,
            large(report.upload),
            large(report.download),
        ),
    ]
}

fn steps(outcome: &Outcome) -> Vec<String> {
    let cell = |text: &str| text.to_owned();
    let head = ["step", "at", "Ethernet", "IP", ""].map(cell).to_vec();
    let row = |step: &Step| {
        vec![
            step.number.to_string(),
            step.at.clone(),
            format!("{} -> {}", step.eth.0, step.eth.1),
            format!("{} -> {}", step.ip.0, step.ip.1),
            cell(meaning(step.number)),
        ]
    };
    let proof = &outcome.report.proof;
    let mut rows = vec![head];
    rows.extend(proof.steps.iter().map(row));
    let mut lines = table::align(&rows);
    if let Some(first) = lines.first_mut() {
        *first = styled(HEAD, &first);
    }
    lines.push(format!(
        "{} of {} packets left the director with the same IP bytes; {} replies passed it",
        proof.unchanged, proof.requests, proof.replies_through_director
    ));
    lines
}

fn meaning(step: u8) -> &'static str {
    match step {
        1 => "the client asks the VIP",
        2 => "only the MACs are new",
        3 => "the real server gets it",
        4 => "the VIP answers, past the director",
        _ => "",
    }
}

fn shares(outcome: &Outcome) -> Vec<String> {
    let servers = &outcome.plan.servers;
    let counts = servers.iter().map(|host| answers(&outcome.report, host));
    let counts: Vec<usize> = counts.collect();
    let each = servers.iter().zip(counts.iter().zip(percentages(&counts)));
    let rows = each.map(|(host, (count, share))| {
        vec![
            host.name.clone(),
            number(*count, "answer"),
            format!("{share} %"),
        ]
    });
    indented(&rows.collect::<Vec<_>>())
}

/// Shares in whole per cent that sum up to 100: those that lose most by rounding down are rounded up.
fn percentages(counts: &[usize]) -> Vec<usize> {
    let all: usize = counts.iter().sum();
    if all == 0 {
        return vec![0; counts.len()];
    }
    let mut shares: Vec<usize> = counts.iter().map(|count| count * 100 / all).collect();
    let missing = 100 - shares.iter().sum::<usize>();
    let mut losses: Vec<(usize, &mut usize)> = counts
        .iter()
        .map(|count| count * 100 % all)
        .zip(&mut shares)
        .collect();
    losses.sort_by_key(|(loss, _)| std::cmp::Reverse(*loss));
    for (_, share) in losses.into_iter().take(missing) {
        *share += 1;
    }
    shares
}

fn answers(report: &Report, host: &Host) -> usize {
    report.servers.get(&host.name).copied().unwrap_or(0)
}

fn indented(rows: &[Vec<String>]) -> Vec<String> {
    table::align(rows)
        .into_iter()
        .map(|line| format!("  {line}"))
        .collect()
}

/// What happened, as a record.
pub(super) fn data(order: &Order<'_>, outcome: &Outcome) -> Value {
    let report = &outcome.report;
    let backends = outcome.plan.servers.iter().map(|host| {
        json!({
            "name": host.name,
            "address": host.ip,
            "mac": host.mac,
            "requests": answers(report, host),
        })
    });
    let steps = report.proof.steps.iter().map(|step| {
        json!({
            "step": step.number,
            "at": step.at,
            "eth": { "src": step.eth.0, "dst": step.eth.1 },
            "ip": { "src": step.ip.0, "dst": step.ip.1 },
        })
    });
    let nanoseconds = outcome.summary.nanoseconds_per_packet();
    json!({
        "version": 1,
        "engine": order.kind.name,
        "policy": order.checked.text.path,
        "requests": report.requests,
        "answered": report.answered,
        "backends": backends.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
        "replies_through_director": report.proof.replies_through_director,
        "negative_control": { "requests": NEGATIVE, "answered": report.negative_answered },
        "lab": outcome.lab.name(),
        "io": outcome.io,
        "ns_per_packet": nanoseconds.map(|value| (value * 10.0).round() / 10.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_up_to_a_hundred() {
        assert_eq!(percentages(&[1, 1, 1]), [34, 33, 33]);
        assert_eq!(percentages(&[2, 1]), [67, 33]);
        assert_eq!(percentages(&[1, 0]), [100, 0]);
        assert_eq!(percentages(&[0, 0]), [0, 0]);
        for counts in [[7, 5, 3, 2, 1], [1, 1, 1, 1, 3], [99, 1, 1, 1, 0]] {
            assert_eq!(percentages(&counts).iter().sum::<usize>(), 100);
        }
    }
}
