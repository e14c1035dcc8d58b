//! Database access of commands.

use super::error::CliError;
use crate::{
    config::Database,
    core::model::Refusal,
    output::{self, OutputError},
    storage::{
        Access, AnyConn, DatabaseUrl, OpenError, StorageError, commands::succession, db::migrations,
        transaction,
    },
};

/// Migrates the schema, and prints what it waits for. Returns the names of the migrations that ran.
pub(super) fn bring_up_to_date(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    migrations::migrate_reporting(url, &|what| note!("greenroom: waiting for {what}"))
}

/// Migrates the database, runs `work` in a transaction, and prints the text that it returns.
pub(super) fn with_database(
    database: &Database,
    work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<(), CliError> {
    bring_up_to_date(&database.database_url)?;
    let mut conn = database.database_url.open(Access::Write)?;
    Ok(say_and_commit(&mut conn, work)??)
}

/// Runs `work` in a transaction, and prints its text before the commit. If the text cannot be printed, the
/// transaction is rolled back. `work` may be called again on a retry.
pub(super) fn say_and_commit(
    conn: &mut AnyConn,
    mut work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<Result<(), OutputError>, StorageError> {
    let (mut said, mut unsaid) = (None, None);
    let done = transaction(conn, |conn| {
        let text = work(conn)?;
        // On a retry of the transaction the text was already printed.
        if said.as_ref() != Some(&text) {
            output::say(&text).map_err(|error| {
                unsaid = Some(error);
                Refusal::Internal
            })?;
            said = Some(text);
        }
        Ok(())
    });
    match unsaid {
        Some(error) => Ok(Err(error)),
        None => done.map(Ok),
    }
}

/// Hands over the chats of users that were activated or deactivated, in small transactions.
pub(super) fn hand_over_chats(database: &Database) -> Result<(), CliError> {
    let mut conn = database.database_url.open(Access::Write)?;
    while transaction(&mut conn, |conn| succession::step(conn, None))? {}
    Ok(())
}

/// Runs [`with_database`] on a database that must exist, so that a mistyped name creates no new one.
pub(super) fn with_existing(
    database: &Database,
    work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<(), CliError> {
    database.database_url.expect_exists()?;
    with_database(database, work)
}

/// Runs a query on a database that must exist. The caller prints the result after the transaction, so that a
/// slow reader, such as a pager, does not block writers.
pub(super) fn ask_existing<T>(
    database: &Database,
    question: impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, CliError> {
    database.database_url.expect_exists()?;
    bring_up_to_date(&database.database_url)?;
    let mut conn = database.database_url.open(Access::Write)?;
    Ok(transaction(&mut conn, question)?)
}
