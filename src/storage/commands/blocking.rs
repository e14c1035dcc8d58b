//! Blocking a user.

use crate::{
    core::model::{FieldErrors, Refusal, Timestamp, UserCard, UserId},
    storage::{
        AnyConn, Rules, StorageError,
        db::sql::sql,
        queries::contact_policy,
        tables::{chats, locks, users},
    },
};

/// Has `blocker` block a user; who is blocked stays so. Nothing that the user writes in the dm of the two is taken once
/// this is committed, and no dm is begun: whoever does that has locked what is locked here, and looks afterwards.
pub fn block(
    conn: &mut AnyConn,
    rules: &Rules,
    blocker: UserId,
    blocked: UserId,
) -> Result<UserCard, StorageError> {
    if blocker == blocked {
        return Err(FieldErrors::whole("You cannot block yourself.").into());
    }
    // A dm's members do not change: nobody who has locked one waits for a user.
    locks::user(conn, blocker)?;
    contact_policy::expect_known(conn, rules, blocker, blocked)?;
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
