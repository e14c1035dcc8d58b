//! Pages of all users, for staff.

use std::collections::HashMap;

use crate::{
    core::model::UserId,
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            external_users,
            users::{self, User},
        },
    },
};

/// A user and the external id.
pub type ListedUser = (User, Option<String>);

/// Loads a page of all users, by id, each with its external id, and their total number. `external_id`: only the user
/// with this one.
pub fn page(
    conn: &mut AnyConn,
    external_id: Option<&str>,
    skip: i64,
    size: i64,
) -> Result<(i64, Vec<ListedUser>), StorageError> {
    let (count, ids) = match external_id {
        Some(id) => {
            let found = external_users::find(conn, id)?.map(|user| user.user_id);
            (i64::from(found.is_some()), found.into_iter().skip(skip.max(0) as usize).collect())
        }
        None => (
            sql!("SELECT count(*) FROM users").one::<i64>(conn)?,
            sql!("SELECT id FROM users ORDER BY id LIMIT ? OFFSET ?", size, skip).rows::<UserId>(conn)?,
        ),
    };
    let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let external =
        sql!("SELECT user_id, external_id FROM external_users WHERE user_id IN ?", numbers.as_slice());
    let mut external: HashMap<UserId, String> =
        external.rows::<(UserId, String)>(conn)?.into_iter().collect();
    let mut found = Vec::with_capacity(ids.len());
    for user in users::by_ids(conn, &ids)? {
        let external_id = external.remove(&user.id());
        found.push((user, external_id));
    }
    Ok((count, found))
}
