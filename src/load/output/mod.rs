//! Presentation of results and progress.

pub(crate) mod html_report;
pub(crate) mod progress;
pub(crate) mod table;
