//! `greenroom migrate`

use super::CliError;
use crate::{
    config::Database,
    storage::{Access, AnyConn, migrations, search},
};

pub(super) fn migrate(database: &Database) -> Result<(), CliError> {
    let url = &database.database_url;
    let ran = migrations::migrate(url)?;
    for name in &ran {
        say!("{name}");
    }
    if ran.is_empty() {
        say!("{} is up to date", url.name());
    }
    index(&mut url.open(Access::Write)?)
}

/// After how many messages it says how far it has come.
const SAY_EVERY: usize = 100_000;

/// A server would do it while it runs.
fn index(conn: &mut AnyConn) -> Result<(), CliError> {
    let (mut indexed, mut said) = (0, 0);
    let say = |messages| say!("{messages} messages indexed for searching");
    search::catch_up(conn, |messages| {
        indexed = messages;
        if indexed - said >= SAY_EVERY {
            say(indexed);
            said = indexed;
        }
    })?;
    if indexed > said {
        say(indexed);
    }
    Ok(())
}
