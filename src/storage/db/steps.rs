//! Deleting many rows in small steps that never block writers for long.

/// Most members or reactions deleted per step.
pub(crate) const STEP: i64 = 200;

/// Most expired rows of one table deleted per step.
pub(crate) const SWEEP_STEP: i64 = 500;

/// Deletes some rows of a table, and returns their number. `$key`: the primary key. `$order`: the columns of an index that
/// begins with those of the condition, if the primary key does not.
///
/// SQLite finds the rows to delete by the primary key alone: with the condition it would read all rows that meet it at each
/// step. PostgreSQL selects them by `ctid`: with the key, the planner may compare each row of the table with each selected
/// row. The order makes it use the index where it takes the condition to be that of most rows.
macro_rules! delete_some {
    ($conn:expr, $table:literal, $key:literal, $which:literal, $($value:expr),+) => {
        $crate::storage::db::steps::delete_some!($conn, $table, $key, $which, by $key, $($value),+)
    };
    ($conn:expr, $table:literal, $key:literal, $which:literal, by $order:literal, $($value:expr),+) => {
        match $conn {
            $crate::storage::AnyConn::Sqlite(_) => $crate::storage::db::sql::sql!(
                concat!(
                    "DELETE FROM ", $table, " WHERE (", $key, ") IN (SELECT ", $key, " FROM ", $table,
                    " WHERE ", $which, " LIMIT ?)"
                ),
                $($value,)+
                $crate::storage::db::steps::STEP
            )
            .run($conn),
            $crate::storage::AnyConn::Postgres(_) => $crate::storage::db::sql::sql!(
                concat!(
                    "DELETE FROM ", $table, " WHERE ctid = ANY (ARRAY (SELECT ctid FROM ", $table, " WHERE ", $which,
                    " ORDER BY ", $order, " LIMIT ?))"
                ),
                $($value,)+
                $crate::storage::db::steps::STEP
            )
            .run($conn),
        }
    };
}
pub(crate) use delete_some;
