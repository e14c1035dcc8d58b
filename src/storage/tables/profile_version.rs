//! Version of all public profiles, counted by database triggers. Cached profiles are stale once the version
//! differs.

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// Returns the number of the latest change of any public profile.
pub(crate) fn number(conn: &mut AnyConn) -> Result<i64, StorageError> {
    let row = sql!("SELECT CAST(value AS BIGINT) FROM settings WHERE name = 'profile_changes'");
    Ok(row.first::<i64>(conn)?.unwrap_or(0))
}
