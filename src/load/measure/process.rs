//! What a process takes: CPU and memory.

use std::{fs, sync::LazyLock};

use serde::Serialize;

/// Ticks of the kernel's clock of CPU time in a second.
static TICKS: LazyLock<f64> = LazyLock::new(|| rustix::param::clock_ticks_per_second() as f64);

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) pid: u32,
}

/// What it has taken so far, and holds now.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Reading {
    /// In all its threads, in user and kernel mode.
    pub(crate) cpu_seconds: f64,
    /// Memory that is in use, and the most that was.
    pub(crate) rss_bytes: u64,
    pub(crate) peak_rss_bytes: u64,
}

impl Process {
    /// This one.
    pub(crate) fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// Looks at it; `None` where it is gone.
    pub(crate) fn read(self) -> Option<Reading> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        Some(Reading {
            cpu_seconds: ticks(&stat)? as f64 / *TICKS,
            rss_bytes: kib(&status, "VmRSS:") << 10,
            peak_rss_bytes: kib(&status, "VmHWM:") << 10,
        })
    }
}

/// User and kernel time together. The name, which comes second, may have spaces in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |number: usize| rest.split_whitespace().nth(number)?.parse::<u64>().ok();
    Some(field(11)? + field(12)?)
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
