//! `greenroom migrate`

use super::{database::bring_up_to_date, error::CliError};
use crate::{
    config::Database,
    storage::{Access, AnyConn, message_search},
};

pub(super) fn migrate(database: &Database) -> Result<(), CliError> {
    let url = &database.database_url;
    let ran = bring_up_to_date(url)?;
    let said = match ran.as_slice() {
        [] => say!("{} is up to date", url.name()),
        names => say!("{}", names.join("\n")),
    };
    // The index is built even if nothing more can be printed.
    let indexed = index(&mut url.open(Access::Write)?);
    said?;
    indexed
}

/// Progress is printed after this many messages.
const SAY_EVERY: usize = 100_000;

/// Builds the search index. A running server would build it in the background.
fn index(conn: &mut AnyConn) -> Result<(), CliError> {
    let (mut indexed, mut said, mut result) = (0, 0, Ok(()));
    let mut say = |messages| {
        if result.is_ok() {
            result = say!("{messages} messages indexed for searching");
        }
    };
    message_search::catch_up(conn, |messages| {
        indexed = messages;
        if indexed - said >= SAY_EVERY {
            say(indexed);
            said = indexed;
        }
    })?;
    if indexed > said {
        say(indexed);
    }
    Ok(result?)
}
