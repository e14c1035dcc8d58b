//! Access tokens for programs. A row is found by the SHA-256 of the key. The key is shown once and not
//! stored.

use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::revocations;
use crate::{
    core::model::{FieldErrors, Origin, Timestamp, TokenId, UserId, time::DAY},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::SWEEP_STEP},
        schema::tokens,
    },
};

/// A token's row.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub id: TokenId,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// Refuses if a user already has `most` valid tokens. The caller has locked the user, so the count cannot
/// change.
pub fn expect_below_token_limit(conn: &mut AnyConn, user: UserId, most: u32) -> Result<(), StorageError> {
    let works = tokens::expires_at.is_null().or(tokens::expires_at.gt(Timestamp::now().0));
    let own = tokens::table.filter(tokens::user_id.eq(user.0)).filter(works);
    if own.count().get_result::<i64>(conn)? < i64::from(most) {
        return Ok(());
    }
    let sentence = format!(
        "{most} tokens work for this user, and there may be no more. End some of them, or make them expire sooner."
    );
    Err(FieldErrors::whole(sentence).into())
}

/// Stores a token that is valid until `expires_at`, or for ever.
pub fn create(
    conn: &mut AnyConn,
    user: UserId,
    key_hash: &str,
    expires_at: Option<Timestamp>,
) -> Result<TokenId, StorageError> {
    let id = diesel::insert_into(tokens::table)
        .values((
            tokens::user_id.eq(user.0),
            tokens::key_hash.eq(key_hash),
            tokens::created_at.eq(Timestamp::now().0),
            tokens::expires_at.eq(expires_at.map(|moment| moment.0)),
        ))
        .returning(tokens::id)
        .get_result(conn)?;
    Ok(TokenId(id))
}

/// A valid token.
#[derive(Debug, Clone, Copy)]
pub struct LiveToken {
    pub user: UserId,
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as far as that is stored.
    pub seen_at: Option<Timestamp>,
}

/// Finds the token with this key hash, if it is still valid.
pub fn find(conn: &mut AnyConn, key_hash: &str) -> Result<Option<LiveToken>, StorageError> {
    let works = tokens::expires_at.is_null().or(tokens::expires_at.gt(Timestamp::now().0));
    let row = tokens::table
        .filter(tokens::key_hash.eq(key_hash))
        .filter(works)
        .select((tokens::user_id, tokens::expires_at, tokens::seen_at))
        .first::<(i64, Option<i64>, Option<i64>)>(conn)
        .optional()?;
    Ok(row.map(|(user, expires, seen)| LiveToken {
        user: UserId(user),
        expires_at: expires.map(Timestamp),
        seen_at: seen.map(Timestamp),
    }))
}

/// A token as shown to its user.
#[derive(Debug, Clone)]
pub struct KnownToken {
    pub id: TokenId,
    pub key_hash: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub seen_at: Option<Timestamp>,
    pub origin: Origin,
}

/// Loads a page of a user's valid tokens, latest first, and their total number.
pub fn page(
    conn: &mut AnyConn,
    user: UserId,
    skip: i64,
    size: i64,
) -> Result<(i64, Vec<KnownToken>), StorageError> {
    let works = tokens::expires_at.is_null().or(tokens::expires_at.gt(Timestamp::now().0));
    let own = tokens::user_id.eq(user.0);
    let count = tokens::table.filter(own).filter(works).count().get_result(conn)?;
    let rows = tokens::table
        .filter(own)
        .filter(works)
        .order(tokens::id.desc())
        .offset(skip)
        .limit(size)
        .select((
            tokens::id,
            tokens::key_hash,
            tokens::created_at,
            tokens::expires_at,
            tokens::seen_at,
            tokens::address,
            tokens::user_agent,
        ))
        .load::<(i64, String, i64, Option<i64>, Option<i64>, String, String)>(conn)?;
    let token = |(id, key_hash, created, expires, seen, address, user_agent): (
        _,
        _,
        _,
        Option<i64>,
        Option<i64>,
        _,
        _,
    )| KnownToken {
        id: TokenId(id),
        key_hash,
        created_at: Timestamp(created),
        expires_at: expires.map(Timestamp),
        seen_at: seen.map(Timestamp),
        origin: Origin { address, user_agent },
    };
    Ok((count, rows.into_iter().map(token).collect()))
}

/// Loads all stored tokens of a user, oldest first, including recently expired ones.
pub fn of_user(conn: &mut AnyConn, user: UserId) -> Result<Vec<Token>, StorageError> {
    let rows = tokens::table
        .filter(tokens::user_id.eq(user.0))
        .order(tokens::id)
        .select((tokens::id, tokens::created_at, tokens::expires_at))
        .load::<(i64, i64, Option<i64>)>(conn)?;
    let token = |(id, created, expires): (i64, i64, Option<i64>)| Token {
        id: TokenId(id),
        created_at: Timestamp(created),
        expires_at: expires.map(Timestamp),
    };
    Ok(rows.into_iter().map(token).collect())
}

/// Revokes a token, if it is the user's. Returns whether there was one.
pub fn revoke(conn: &mut AnyConn, user: UserId, token: TokenId) -> Result<bool, StorageError> {
    let own = tokens::table.find(token.0).filter(tokens::user_id.eq(user.0));
    let deleted = diesel::delete(own).execute(conn)?;
    revocations::record(conn, user)?;
    Ok(deleted > 0)
}

/// Revokes all tokens of a user, except the one with the key hash `spared`.
pub fn revoke_others(conn: &mut AnyConn, user: UserId, spared: Option<&str>) -> Result<(), StorageError> {
    let all = tokens::table.filter(tokens::user_id.eq(user.0));
    let ended = diesel::delete(all.filter(tokens::key_hash.ne(spared.unwrap_or_default()))).execute(conn)?;
    if ended > 0 { revocations::record(conn, user) } else { Ok(()) }
}

/// Revokes all tokens of a user.
pub fn revoke_all(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    revoke_others(conn, user, None)
}

/// How long an expired token stays listed, in microseconds.
const LISTED: i64 = 30 * DAY;

/// Deletes up to `SWEEP_STEP` tokens that expired more than `LISTED` ago. Returns whether there may be
/// more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let deleted = sql!(
        "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE expires_at < ? LIMIT ?)",
        Timestamp::now().plus(-LISTED),
        SWEEP_STEP
    )
    .run(conn)?;
    Ok(deleted as i64 == SWEEP_STEP)
}
