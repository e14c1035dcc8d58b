//! `greenroom check`

use std::process::ExitCode;

use clap::Args;

use super::{
    attachments,
    error::{CliError, failed},
};
use crate::{
    config::{Database, FileSettings},
    storage::{Access, maintenance::check, snapshot},
};

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    files: FileSettings,
}

impl Check {
    /// Runs the command. The exit code is 1 if there is a difference.
    pub(super) fn run(self) -> ExitCode {
        match report(&self) {
            Ok(0) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        }
    }
}

/// Prints every difference. Returns their number.
fn report(Check { database, files }: &Check) -> Result<usize, CliError> {
    database.database_url.expect_exists()?;
    let mut conn = database.database_url.open(Access::Read)?;
    let mut report = snapshot(&mut conn, check::check)?;
    if let Some(folder) = attachments::folder_of(&mut conn, &database.database_url, files)? {
        report.differences.extend(attachments::differences(&mut conn, &folder)?);
    }
    for difference in &report.differences {
        say!("{difference}")?;
    }
    let (chats, messages, differences) = (report.chats, report.messages, report.differences.len());
    say!("{chats} chats with {messages} messages checked, {differences} differences found")?;
    Ok(differences)
}
