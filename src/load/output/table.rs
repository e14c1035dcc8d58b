//! The results of a run as a text table.

use std::fmt::Write;

use crate::load::measure::{latency::format_micros, results::Results, sample::Usage};

/// Renders the table, with a trailing line break.
pub(crate) fn table(results: &Results) -> String {
    let mut text = String::new();
    let whose = if results.spawned { "a spawned server" } else { &results.target };
    let _ = writeln!(text, "{} against {whose}, {:.1} s measured\n", results.scenario, results.seconds);
    operations(results, &mut text);
    let _ = writeln!(text);
    match &results.server {
        Some(server) => usage("server", server, &mut text),
        None => drop(writeln!(text, "{:<10}not measured: give --pid", "server")),
    }
    usage("client", &results.client, &mut text);
    for (name, value) in &results.figures {
        let _ = writeln!(text, "{:<34}{:>14}", name.replace('_', " "), number(*value));
    }
    let _ =
        writeln!(text, "{:<10}{} may be open at a time", "files", number(results.machine.open_files as f64));
    checks(results, &mut text);
    text
}

fn operations(results: &Results, text: &mut String) {
    let heads = ["count", "a second", "p50", "p90", "p99", "p99.9", "max"];
    let _ = writeln!(text, "{:<16}{}", "", heads.map(|head| format!("{head:>11}")).concat());
    for operation in results.operations.iter().filter(|operation| operation.count > 0) {
        let latency = &operation.latency;
        let times = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        let times = times.map(|time| format!("{:>11}", format_micros(time))).concat();
        let count = number(operation.count as f64);
        let rate = if operation.per_second > 0.0 { number(operation.per_second) } else { String::new() };
        let _ = writeln!(text, "{:<16}{count:>11}{rate:>11}{times}", operation.name);
    }
}

fn usage(name: &str, usage: &Usage, text: &mut String) {
    let _ = write!(text, "{name:<10}{:.2} s CPU, {:.0} % of a core", usage.cpu_seconds, usage.cpu_percent);
    if let Some(each) = usage.cpu_us_per_operation {
        let _ = write!(text, "; {each:.1} us an operation");
    }
    if let Some(each) = usage.cpu_us_per_delivery {
        let _ = write!(text, ", {each:.2} us a delivery");
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (now, before, peak) = (mib(usage.rss_bytes), mib(usage.rss_bytes_before), mib(usage.peak_rss_bytes));
    let _ = writeln!(text, "; {now:.1} MiB, {before:.1} before, {peak:.1} at most");
}

fn checks(results: &Results, text: &mut String) {
    let checks = &results.checks;
    let faults = &checks.faults;
    if checks.behind_schedule > 0 {
        let _ = writeln!(text, "{:<10}{} were due but not started", "behind", checks.behind_schedule);
    }
    for (why, count) in &results.errors {
        let _ = writeln!(text, "{:<10}{count} x {why}", "failed");
    }
    for (code, count) in &faults.closed {
        let _ = writeln!(text, "{:<10}{count} sockets: {code}", "closed");
    }
    let _ = writeln!(
        text,
        "{:<10}{} messages acknowledged, {} deliveries on {} sockets: {} lost, {} twice, {} out of order, {} strange",
        "checked",
        checks.messages_acknowledged,
        checks.deliveries,
        checks.sockets,
        faults.lost,
        faults.twice,
        faults.out_of_order,
        faults.strange
    );
}

/// Formats a number with thousands separators. A fraction below 100 keeps one decimal.
fn number(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0.0, 7.25, 999.0, 1_000.0, 1_234_567.4].map(number),
            ["0", "7.2", "999", "1,000", "1,234,567"]
        );
    }
}
