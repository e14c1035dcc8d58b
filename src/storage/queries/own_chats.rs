//! The limit on chats that one user has created or joined.
//!
//! Chats to which others added the user do not count, so that no one can use up another user's limit.

use crate::{
    core::model::{FieldErrors, UserId},
    storage::{AnyConn, StorageError, StoragePolicy, db::sql::sql, tables::users},
};

/// Checks that a user may have another chat. Staff have no limit. On PostgreSQL concurrent requests may
/// exceed it together, by at most the number of writers.
pub fn expect_below_chat_limit(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    user: UserId,
) -> Result<(), StorageError> {
    let most = i64::from(policy.max_chats_per_user);
    let count = sql!(
        "SELECT count(*) FROM (SELECT user_id FROM members WHERE user_id = ? AND is_own AND left_seq IS NULL LIMIT ?) own",
        user,
        most
    )
    .one::<i64>(conn)?;
    if count < most || users::is_staff(conn, user)? {
        return Ok(());
    }
    let sentence = format!(
        "You have made or joined {most} chats, and nobody may have more. Leave or delete some of them first."
    );
    Err(FieldErrors::whole(sentence).into())
}
