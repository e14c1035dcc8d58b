//! Deleting many rows in small steps, so that no writer waits for long.

/// Most members or reactions removed in one step.
pub(crate) const STEP: i64 = 200;

/// Most outdated rows of a kind that one step deletes.
pub(crate) const SWEEP_STEP: i64 = 500;

/// Deletes some rows of a table whose key has several columns, and tells how many. PostgreSQL finds them by their places: it
/// may compare each row of the table with each of those that are meant.
macro_rules! delete_some {
    ($conn:expr, $table:literal, $key:literal, $which:literal, $($value:expr),+) => {
        match $conn {
            $crate::storage::AnyConn::Sqlite(_) => $crate::storage::db::sql::sql!(
                concat!(
                    "DELETE FROM ", $table, " WHERE ", $which, " AND (", $key, ") IN (SELECT ", $key, " FROM ", $table,
                    " WHERE ", $which, " LIMIT ?)"
                ),
                $($value,)+
                $($value,)+
                $crate::storage::db::steps::STEP
            )
            .run($conn),
            $crate::storage::AnyConn::Postgres(_) => $crate::storage::db::sql::sql!(
                concat!(
                    "DELETE FROM ", $table, " WHERE ctid = ANY (ARRAY (SELECT ctid FROM ", $table, " WHERE ", $which,
                    " LIMIT ?))"
                ),
                $($value,)+
                $crate::storage::db::steps::STEP
            )
            .run($conn),
        }
    };
}
pub(crate) use delete_some;
