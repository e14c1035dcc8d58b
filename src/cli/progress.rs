//! Progress of long commands: a bar on a terminal, otherwise a line for every 10 %.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Commands that take no longer than this print no progress lines.
const SHORT: Duration = Duration::from_secs(1);

/// Unit of the progress.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Bytes,
    Rows,
}

/// Progress of a command, printed on standard error.
pub(super) struct Progress {
    title: &'static str,
    unit: Unit,
    total: u64,
    done: u64,
    begun: Instant,
    /// `None`: standard error is not a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(title: &'static str, unit: Unit, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(title, unit, total));
        Self { title, unit, total, done: 0, begun: Instant::now(), bar }
    }

    /// Sets the progress.
    pub(super) fn reach(&mut self, done: u64) {
        let done = done.min(self.total);
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.tenths(done) > self.tenths(self.done) && self.begun.elapsed() > SHORT => {
                let percent = self.tenths(done) * 10;
                note!("{}: {percent} % of {}", self.title, self.unit.written(self.total));
            }
            None => {}
        }
        self.done = done;
    }

    /// Increases the progress.
    pub(super) fn advance(&mut self, by: u64) {
        self.reach(self.done + by);
    }

    /// Runs `print`, which prints lines on standard error, above the bar.
    pub(super) fn above(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar. Returns the duration since the start.
    pub(super) fn end(&self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.begun.elapsed()
    }

    fn tenths(&self, done: u64) -> u64 {
        done * 10 / self.total.max(1)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl Unit {
    /// Formats a number with its unit.
    pub(super) fn written(self, number: u64) -> String {
        match self {
            Self::Bytes => HumanBytes(number).to_string(),
            Self::Rows => format!("{number} rows"),
        }
    }
}

fn bar(title: &'static str, unit: Unit, total: u64) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        Unit::Rows => "{prefix} {wide_bar} {human_pos}/{human_len} rows {per_sec} {eta}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_prefix(title)
}
