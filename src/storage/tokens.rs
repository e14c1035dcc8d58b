//! Access tokens, for programs. A row is found by the SHA-256 of the key, which is shown once and not kept.

use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::{AnyConn, StorageError, revocations, sql::sql, sweeping::STEP};
use crate::{
    model::{Timestamp, TokenId, UserId, time::DAY},
    schema::tokens,
};

/// A token's row.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub id: TokenId,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// Stores a token that works until `expires_at`, or for ever.
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

/// Whose token this is and until when, if it still works.
pub fn find(conn: &mut AnyConn, key_hash: &str) -> Result<Option<(UserId, Option<Timestamp>)>, StorageError> {
    let works = tokens::expires_at.is_null().or(tokens::expires_at.gt(Timestamp::now().0));
    let row = tokens::table
        .filter(tokens::key_hash.eq(key_hash))
        .filter(works)
        .select((tokens::user_id, tokens::expires_at))
        .first::<(i64, Option<i64>)>(conn)
        .optional()?;
    Ok(row.map(|(user, expires)| (UserId(user), expires.map(Timestamp))))
}

/// A user's tokens, oldest first, those that have expired of late too.
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

/// Ends one token of a user. Returns whether there was one.
pub fn revoke(conn: &mut AnyConn, user: UserId, token: TokenId) -> Result<bool, StorageError> {
    let own = tokens::table.find(token.0).filter(tokens::user_id.eq(user.0));
    let deleted = diesel::delete(own).execute(conn)?;
    revocations::record(conn, user)?;
    Ok(deleted > 0)
}

/// Ends all tokens of a user.
pub fn revoke_all(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    diesel::delete(tokens::table.filter(tokens::user_id.eq(user.0))).execute(conn)?;
    revocations::record(conn, user)
}

/// A token that has expired is listed for so long, in microseconds.
const LISTED: i64 = 30 * DAY;

/// Deletes some tokens that expired long ago. Returns whether there may be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let deleted = sql!(
        "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE expires_at < ? LIMIT ?)",
        Timestamp::now().plus(-LISTED),
        STEP
    )
    .run(conn)?;
    Ok(deleted as i64 == STEP)
}
