//! `greenroom check`

use std::process::ExitCode;

use super::error::{CliError, failed};
use crate::{
    config::Database,
    storage::{Access, maintenance::check, snapshot},
};

/// Runs the command. The exit code is 1 if there is a difference.
pub(super) fn check(database: &Database) -> ExitCode {
    match report(database) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// Prints every difference. Returns their number.
fn report(database: &Database) -> Result<usize, CliError> {
    database.database_url.expect_exists()?;
    let mut conn = database.database_url.open(Access::Read)?;
    let report = snapshot(&mut conn, check::check)?;
    for difference in &report.differences {
        say!("{difference}")?;
    }
    let (chats, messages, differences) = (report.chats, report.messages, report.differences.len());
    say!("{chats} chats with {messages} messages checked, {differences} differences found")?;
    Ok(differences)
}
