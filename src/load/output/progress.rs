//! Progress bars. They are hidden unless standard error is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Creates a progress bar that counts steps.
pub(crate) fn progress_bar(title: &'static str, steps: u64) -> ProgressBar {
    bar(title, steps, "{prefix} {wide_bar} {human_pos}/{human_len} {eta}")
}

pub(crate) fn bar(title: &'static str, length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_prefix(title)
}
