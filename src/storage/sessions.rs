//! Signed-in browsers. A row is found by the SHA-256 of the key that the cookie holds, never by the key itself.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::{AnyConn, StorageError, revocations, sql::sql, sweeping::STEP, users};
use crate::{
    model::{Refusal, Timestamp, UserId, time::DAY},
    schema::sessions,
};

/// A session unused for so long is over, in microseconds.
pub const IDLE: i64 = 14 * DAY;
/// A session is over after so long, however much it is used, in microseconds.
pub const ABSOLUTE: i64 = 30 * DAY;

/// Starts a session, unless the password that was given for it was changed meanwhile, or the user was shut out.
pub fn create(
    conn: &mut AnyConn,
    key_hash: &str,
    user: UserId,
    password_hash: &str,
) -> Result<(), StorageError> {
    let is_current =
        users::hold(conn, user)?.is_some_and(|user| user.is_active && user.password == password_hash);
    if !is_current {
        return Err(Refusal::Busy.into());
    }
    let now = Timestamp::now().0;
    diesel::insert_into(sessions::table)
        .values((
            sessions::key_hash.eq(key_hash),
            sessions::user_id.eq(user.0),
            sessions::created_at.eq(now),
            sessions::renewed_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// A session that is not over.
#[derive(Debug, Clone, Copy)]
pub struct LiveSession {
    pub user: UserId,
    pub renewed_at: Timestamp,
    /// When it is over, if it is not used meanwhile.
    pub ends_at: Timestamp,
}

/// The session with this key, if it is not over.
pub fn find(conn: &mut AnyConn, key_hash: &str) -> Result<Option<LiveSession>, StorageError> {
    let now = Timestamp::now().0;
    let row = sessions::table
        .find(key_hash)
        .filter(sessions::renewed_at.gt(now - IDLE))
        .filter(sessions::created_at.gt(now - ABSOLUTE))
        .select((sessions::user_id, sessions::created_at, sessions::renewed_at))
        .first::<(i64, i64, i64)>(conn)
        .optional()?;
    Ok(row.map(|(user, created, renewed)| LiveSession {
        user: UserId(user),
        renewed_at: Timestamp(renewed),
        ends_at: Timestamp((renewed + IDLE).min(created + ABSOLUTE)),
    }))
}

/// Counts the idle time from now again. Returns whose session it is, if there is such a one.
pub fn renew(conn: &mut AnyConn, key_hash: &str) -> Result<Option<UserId>, StorageError> {
    let owner = diesel::update(sessions::table.find(key_hash))
        .set(sessions::renewed_at.eq(Timestamp::now().0))
        .returning(sessions::user_id)
        .get_result::<i64>(conn)
        .optional()?;
    Ok(owner.map(UserId))
}

/// Ends one session. Returns whose it was.
pub fn end(conn: &mut AnyConn, key_hash: &str) -> Result<Option<UserId>, StorageError> {
    let owner = diesel::delete(sessions::table.find(key_hash))
        .returning(sessions::user_id)
        .get_result::<i64>(conn)
        .optional()?
        .map(UserId);
    if let Some(owner) = owner {
        revocations::record(conn, owner)?;
    }
    Ok(owner)
}

/// Ends all sessions of a user but the one with the key `spared`.
pub fn end_all(conn: &mut AnyConn, user: UserId, spared: Option<&str>) -> Result<(), StorageError> {
    let all = sessions::table.filter(sessions::user_id.eq(user.0));
    diesel::delete(all.filter(sessions::key_hash.ne(spared.unwrap_or_default()))).execute(conn)?;
    revocations::record(conn, user)
}

/// Deletes some sessions that are over. Returns whether there may be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let now = Timestamp::now();
    let idle = sql!(
        "DELETE FROM sessions WHERE key_hash IN (SELECT key_hash FROM sessions WHERE renewed_at <= ? LIMIT ?)",
        now.plus(-IDLE),
        STEP
    )
    .run(conn)?;
    let old = sql!(
        "DELETE FROM sessions WHERE key_hash IN (SELECT key_hash FROM sessions WHERE created_at <= ? LIMIT ?)",
        now.plus(-ABSOLUTE),
        STEP
    )
    .run(conn)?;
    Ok(idle.max(old) as i64 == STEP)
}
