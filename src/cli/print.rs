//! Output of lists.

use super::error::CliError;
use crate::output;

/// Prints lines on standard output, if there are any.
pub(super) fn list(lines: impl Iterator<Item = String>) -> Result<(), CliError> {
    Ok(output::say(&lines.collect::<Vec<_>>().join("\n"))?)
}
