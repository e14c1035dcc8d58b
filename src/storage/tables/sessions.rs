//! Sessions of signed-in browsers. A row is found by the SHA-256 of the key in the cookie, never by the key
//! itself.

use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::{
    revocations,
    users::{self, User},
};
use crate::{
    core::model::{Origin, Refusal, SessionId, Timestamp, UserId, time::DAY},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::SWEEP_STEP},
        schema::sessions,
    },
};

/// Idle timeout of a session, in microseconds.
pub const IDLE: i64 = 14 * DAY;
/// Longest lifetime of a session, however much it is used, in microseconds.
pub const ABSOLUTE: i64 = 30 * DAY;

/// Result of starting a session.
#[derive(Debug)]
pub struct Started {
    pub user: User,
    /// Number of other sessions of the user that it ended, to keep within the limit.
    pub ended: usize,
}

/// Starts a session. `Busy` if the password has changed since it was checked, or the user was deactivated. If
/// the user then has more than `most` sessions, the least recently used ones end.
pub fn create(
    conn: &mut AnyConn,
    key_hash: &str,
    user: UserId,
    password_hash: &str,
    origin: &Origin,
    most: u32,
) -> Result<Started, StorageError> {
    let locked = users::find_for_update(conn, user)?;
    let Some(locked) = locked.filter(|user| user.is_active && user.password == password_hash) else {
        return Err(Refusal::Busy.into());
    };
    let now = Timestamp::now().0;
    diesel::insert_into(sessions::table)
        .values((
            sessions::key_hash.eq(key_hash),
            sessions::user_id.eq(user.0),
            sessions::created_at.eq(now),
            sessions::renewed_at.eq(now),
            sessions::seen_at.eq(now),
            sessions::address.eq(&origin.address),
            sessions::user_agent.eq(&origin.user_agent),
        ))
        .execute(conn)?;
    let ended = sql!(
        "DELETE FROM sessions WHERE key_hash IN (SELECT key_hash FROM sessions WHERE user_id = ? AND key_hash <> ? \
         ORDER BY coalesce(seen_at, created_at) DESC, key_hash LIMIT ? OFFSET ?)",
        user,
        key_hash,
        SWEEP_STEP,
        i64::from(most) - 1
    )
    .run(conn)?;
    if ended > 0 {
        revocations::record(conn, user)?;
    }
    Ok(Started { user: locked, ended })
}

/// A session that has not expired.
#[derive(Debug, Clone, Copy)]
pub struct LiveSession {
    pub user: UserId,
    pub renewed_at: Timestamp,
    /// When it expires, unless it is used before.
    pub ends_at: Timestamp,
    /// When it was last used, as far as that is stored.
    pub seen_at: Option<Timestamp>,
}

/// Finds the session with this key hash, if it has not expired.
pub fn find(conn: &mut AnyConn, key_hash: &str) -> Result<Option<LiveSession>, StorageError> {
    let now = Timestamp::now().0;
    let row = sessions::table
        .find(key_hash)
        .filter(sessions::renewed_at.gt(now - IDLE))
        .filter(sessions::created_at.gt(now - ABSOLUTE))
        .select((sessions::user_id, sessions::created_at, sessions::renewed_at, sessions::seen_at))
        .first::<(i64, i64, i64, Option<i64>)>(conn)
        .optional()?;
    Ok(row.map(|(user, created, renewed, seen)| LiveSession {
        user: UserId(user),
        renewed_at: Timestamp(renewed),
        ends_at: ends_at(created, renewed),
        seen_at: seen.map(Timestamp),
    }))
}

fn ends_at(created: i64, renewed: i64) -> Timestamp {
    Timestamp((renewed + IDLE).min(created + ABSOLUTE))
}

/// A session as shown to its user.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub key_hash: String,
    pub created_at: Timestamp,
    pub ends_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    pub origin: Origin,
}

/// Loads a page of a user's sessions that have not expired, latest sign-in first, and their total number.
pub fn page(
    conn: &mut AnyConn,
    user: UserId,
    skip: i64,
    size: i64,
) -> Result<(i64, Vec<Session>), StorageError> {
    let now = Timestamp::now().0;
    let is_live = sessions::user_id
        .eq(user.0)
        .and(sessions::renewed_at.gt(now - IDLE))
        .and(sessions::created_at.gt(now - ABSOLUTE));
    let count = sessions::table.filter(is_live).count().get_result(conn)?;
    let rows = sessions::table
        .filter(is_live)
        .order((sessions::created_at.desc(), sessions::key_hash))
        .offset(skip)
        .limit(size)
        .select((
            sessions::key_hash,
            sessions::created_at,
            sessions::renewed_at,
            sessions::seen_at,
            sessions::address,
            sessions::user_agent,
        ))
        .load::<(String, i64, i64, Option<i64>, String, String)>(conn)?;
    let session =
        |(key_hash, created, renewed, seen, address, user_agent): (String, _, _, Option<i64>, _, _)| {
            Session {
                id: SessionId::of(&key_hash),
                key_hash,
                created_at: Timestamp(created),
                ends_at: ends_at(created, renewed),
                seen_at: seen.map(Timestamp),
                origin: Origin { address, user_agent },
            }
        };
    Ok((count, rows.into_iter().map(session).collect()))
}

/// Ends the session with this id, if it is the user's. Returns whether there was one.
pub fn end_one(conn: &mut AnyConn, user: UserId, id: SessionId) -> Result<bool, StorageError> {
    let own = sessions::table.filter(sessions::user_id.eq(user.0)).select(sessions::key_hash);
    let found = own.load::<String>(conn)?.into_iter().find(|hash| SessionId::of(hash) == id);
    match found {
        Some(hash) => Ok(end(conn, &hash)?.is_some()),
        None => Ok(false),
    }
}

/// Restarts the idle timeout of a session. Returns its user, or `None` if there is no such session.
pub fn renew(conn: &mut AnyConn, key_hash: &str) -> Result<Option<UserId>, StorageError> {
    let owner = diesel::update(sessions::table.find(key_hash))
        .set(sessions::renewed_at.eq(Timestamp::now().0))
        .returning(sessions::user_id)
        .get_result::<i64>(conn)
        .optional()?;
    Ok(owner.map(UserId))
}

/// Ends one session. Returns its user, or `None` if there was no such session.
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

/// Ends all sessions of a user, except the one with the key hash `spared`.
pub fn end_all(conn: &mut AnyConn, user: UserId, spared: Option<&str>) -> Result<(), StorageError> {
    let all = sessions::table.filter(sessions::user_id.eq(user.0));
    let ended =
        diesel::delete(all.filter(sessions::key_hash.ne(spared.unwrap_or_default()))).execute(conn)?;
    if ended > 0 { revocations::record(conn, user) } else { Ok(()) }
}

/// Deletes expired sessions: up to `SWEEP_STEP` idle ones and as many old ones. Returns whether there may
/// be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let now = Timestamp::now();
    let idle = sql!(
        "DELETE FROM sessions WHERE key_hash IN (SELECT key_hash FROM sessions WHERE renewed_at <= ? LIMIT ?)",
        now.plus(-IDLE),
        SWEEP_STEP
    )
    .run(conn)?;
    let old = sql!(
        "DELETE FROM sessions WHERE key_hash IN (SELECT key_hash FROM sessions WHERE created_at <= ? LIMIT ?)",
        now.plus(-ABSOLUTE),
        SWEEP_STEP
    )
    .run(conn)?;
    Ok(idle.max(old) as i64 == SWEEP_STEP)
}
