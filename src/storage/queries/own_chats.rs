//! The chats that a user has made or joined, of which nobody has more than so many.
//!
//! What others brought them into does not count: nobody uses up what another may have.

use crate::{
    core::model::{FieldErrors, UserId},
    storage::{AnyConn, Rules, StorageError, db::sql::sql, tables::users},
};

/// Expects that a user may have another one. Staff may have any number. On PostgreSQL several that come at once may pass
/// together, as many as there are writers.
pub fn expect_room(conn: &mut AnyConn, rules: &Rules, user: UserId) -> Result<(), StorageError> {
    let most = i64::from(rules.max_chats_per_user);
    let (count,) = sql!(
        "SELECT count(*) FROM (SELECT user_id FROM members WHERE user_id = ? AND is_own AND left_seq IS NULL LIMIT ?) own",
        user,
        most
    )
    .one::<(i64,)>(conn)?;
    if count < most || users::is_staff(conn, user)? {
        return Ok(());
    }
    let sentence = format!(
        "You have made or joined {most} chats, and nobody may have more. Leave or delete some of them first."
    );
    Err(FieldErrors::whole(sentence).into())
}
