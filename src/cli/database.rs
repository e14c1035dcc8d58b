//! What commands do with a database.

use super::error::CliError;
use crate::{
    config::Database,
    core::model::Refusal,
    output::{self, Unsaid},
    storage::{Access, AnyConn, DatabaseUrl, OpenError, StorageError, db::migrations, transaction},
};

/// Brings the schema up to date, and says what it has to wait for. Returns the names of the migrations that ran.
pub(super) fn bring_up_to_date(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    migrations::migrate_telling(url, &|what| note!("greenroom: waiting for {what}"))
}

/// Opens the database, brought up to date, to do one thing in a transaction, and prints what `work` returns of it.
pub(super) fn with_database(
    database: &Database,
    work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<(), CliError> {
    bring_up_to_date(&database.database_url)?;
    let mut conn = database.database_url.open(Access::Write)?;
    Ok(say_and_commit(&mut conn, work)??)
}

/// Does `work` in a transaction, and prints what it returns before that is durable: what could not be said is not done
/// either. `work` may be called again.
pub(super) fn say_and_commit(
    conn: &mut AnyConn,
    mut work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<Result<(), Unsaid>, StorageError> {
    let (mut said, mut unsaid) = (None, None);
    let done = transaction(conn, |conn| {
        let text = work(conn)?;
        // It was said already where the transaction has to be tried again.
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

/// The same for a database that must be there already: a mistyped name makes no new one.
pub(super) fn with_existing(
    database: &Database,
    work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<(), CliError> {
    database.database_url.expect_there()?;
    with_database(database, work)
}

/// Asks a database that must be there already. What comes of it is printed afterwards: who reads that slowly, as a pager
/// does, keeps nobody from writing.
pub(super) fn ask_existing<T>(
    database: &Database,
    question: impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, CliError> {
    database.database_url.expect_there()?;
    bring_up_to_date(&database.database_url)?;
    let mut conn = database.database_url.open(Access::Write)?;
    Ok(transaction(&mut conn, question)?)
}
