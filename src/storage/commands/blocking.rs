//! Blocking a user.

use crate::{
    core::model::{FieldErrors, Refusal, Timestamp, UserCard, UserId},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        db::sql::sql,
        queries::contact_policy,
        tables::{chats, locks, merged_guests, users},
    },
};

/// Blocks a user; idempotent. Once this is committed, the user can neither write in the dm of the two nor
/// start one. Both actions take the locks that are taken here, and check for a block only afterwards.
pub fn block(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    blocker: UserId,
    blocked: UserId,
) -> Result<UserCard, StorageError> {
    // A guest that became a user with an account is that user.
    let blocked = merged_guests::user_of(conn, blocked)?.unwrap_or(blocked);
    if blocker == blocked {
        return Err(FieldErrors::whole("You cannot block yourself.").into());
    }
    // The user is locked before the dm, against the usual order. This cannot deadlock. The members of a dm do
    // not change, so no transaction that has locked a dm waits for a user.
    locks::user(conn, blocker)?;
    contact_policy::expect_known(conn, policy, blocker, blocked)?;
    let user = users::find(conn, blocked)?.ok_or(Refusal::NotFound)?;
    if let Some(dm) = chats::dm_of(conn, blocker, blocked)? {
        locks::chat(conn, dm)?;
    }
    sql!(
        "INSERT INTO blocks (blocker_id, blocked_id, created_at) VALUES (?, ?, ?) \
         ON CONFLICT (blocker_id, blocked_id) DO NOTHING",
        blocker,
        blocked,
        Timestamp::now()
    )
    .run(conn)?;
    Ok(user.card())
}
