//! News of ended credentials, so that every running server, and not only the process that ended them, checks again.

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, dsl::max};

use super::{AnyConn, StorageError};
use crate::{
    model::{Timestamp, UserId, time::DAY},
    schema::revocations,
};

/// Notes that some credential of a user ended, or that what a server remembers of the user is out of date.
pub fn record(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    diesel::insert_into(revocations::table)
        .values((revocations::user_id.eq(user.0), revocations::created_at.eq(Timestamp::now().0)))
        .execute(conn)?;
    Ok(())
}

/// The number of the latest news, 0 for none.
pub fn latest(conn: &mut AnyConn) -> Result<i64, StorageError> {
    Ok(revocations::table.select(max(revocations::id)).first::<Option<i64>>(conn)?.unwrap_or(0))
}

/// The news after number `seen`: their numbers and users, oldest first.
pub fn since(conn: &mut AnyConn, seen: i64) -> Result<Vec<(i64, UserId)>, StorageError> {
    let rows = revocations::table
        .filter(revocations::id.gt(seen))
        .order(revocations::id)
        .select((revocations::id, revocations::user_id))
        .load::<(i64, i64)>(conn)?;
    Ok(rows.into_iter().map(|(id, user)| (id, UserId(user))).collect())
}

/// Deletes what every server has long seen.
pub fn sweep(conn: &mut AnyConn) -> Result<(), StorageError> {
    let old = revocations::created_at.lt(Timestamp::now().0 - DAY);
    diesel::delete(revocations::table.filter(old)).execute(conn)?;
    Ok(())
}
