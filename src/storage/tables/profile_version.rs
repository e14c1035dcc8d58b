//! How often what everybody may see of users was changed, which triggers count: what has been kept of it is out of date once
//! the number differs.

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// The number of the latest change of any profile.
pub fn number(conn: &mut AnyConn) -> Result<i64, StorageError> {
    let row = sql!("SELECT CAST(value AS BIGINT) FROM settings WHERE name = 'profile_changes'");
    Ok(row.first::<(i64,)>(conn)?.map_or(0, |(number,)| number))
}
