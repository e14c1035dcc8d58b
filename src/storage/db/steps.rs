//! Deleting many rows in small steps that never block writers for long.

/// Most members or reactions deleted per step.
pub(crate) const STEP: i64 = 200;

/// Most expired rows of one table deleted per step.
pub(crate) const SWEEP_STEP: i64 = 500;

/// Deletes some rows of a table with a composite key, and returns their number. On PostgreSQL it selects them
/// by `ctid`. With the key, the planner may compare each row of the table with each selected row.
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
