//! How the figures are shown.

pub(crate) mod html_report;
pub(crate) mod progress;
pub(crate) mod table;
