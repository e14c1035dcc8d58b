//! CPU time and memory of a process, from `/proc`.

use std::{fs, sync::LazyLock};

use serde::Serialize;

/// Clock ticks a second, the unit of CPU time in `/proc`.
static TICKS: LazyLock<f64> = LazyLock::new(|| rustix::param::clock_ticks_per_second() as f64);

/// A process on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) pid: u32,
}

/// CPU time so far and current memory of a process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Reading {
    /// User and kernel time of all threads.
    pub(crate) cpu_seconds: f64,
    /// Current and highest resident memory.
    pub(crate) rss_bytes: u64,
    pub(crate) peak_rss_bytes: u64,
}

impl Process {
    /// Returns this process.
    pub(crate) fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// Reads the process's figures; `None` if it has ended.
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

/// Parses user plus kernel time. The process name, the second field, may contain spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |number: usize| rest.split_whitespace().nth(number)?.parse::<u64>().ok();
    Some(field(11)? + field(12)?)
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
