//! `greenroom migrate`

use super::CliError;
use crate::{config::Database, storage::migrations};

pub(super) fn migrate(database: &Database) -> Result<(), CliError> {
    let ran = migrations::migrate(&database.database_url)?;
    for name in &ran {
        say!("{name}");
    }
    if ran.is_empty() {
        say!("{} is up to date", database.database_url.name());
    }
    Ok(())
}
