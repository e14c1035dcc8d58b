//! How often any user's profile was changed: what has been kept of profiles is out of date once that differs.

use super::{AnyConn, StorageError, sql::sql};

/// The number of the latest change of a profile.
pub fn number(conn: &mut AnyConn) -> Result<i64, StorageError> {
    let row = sql!("SELECT CAST(value AS BIGINT) FROM settings WHERE name = 'profile_changes'");
    Ok(row.first::<(i64,)>(conn)?.map_or(0, |(number,)| number))
}

/// Counts a change of a profile. Who else changes one at the same time waits until this transaction ends, so that each
/// number stands for one state of all profiles.
pub(super) fn count_change(conn: &mut AnyConn) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO settings (name, value) VALUES ('profile_changes', '1') ON CONFLICT (name) \
         DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)"
    )
    .run(conn)?;
    Ok(())
}
