//! Pages of all users, for staff.

use std::collections::HashMap;

use crate::{
    core::model::{Custom, UserId},
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            custom_values::{self, CustomFilter},
            external_users, user_custom,
            users::{self, User},
        },
    },
};

/// A user with the external id and the custom data.
#[derive(Debug)]
pub struct ListedUser {
    pub user: User,
    pub external_id: Option<String>,
    pub custom: Custom,
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only the user with this one.
    pub external_id: Option<String>,
    /// Each must be met by the custom data.
    pub custom: Vec<CustomFilter>,
}

/// Returns the number of users that pass the filter, and a page of them, by id.
pub fn page(
    conn: &mut AnyConn,
    filter: &UserFilter,
    skip: i64,
    size: i64,
) -> Result<(i64, Vec<ListedUser>), StorageError> {
    let (count, ids) = match (&filter.external_id, filter.custom.as_slice()) {
        (None, []) => (
            sql!("SELECT count(*) FROM users").one::<i64>(conn)?,
            sql!("SELECT id FROM users ORDER BY id LIMIT ? OFFSET ?", size, skip).rows::<UserId>(conn)?,
        ),
        (None, [custom]) => {
            (custom_values::count_users(conn, custom)?, custom_values::find_users(conn, custom, skip, size)?)
        }
        (None, [first, others @ ..]) => {
            let found = custom_values::find_users(conn, first, 0, i64::MAX)?;
            part_of(matching(conn, found, others)?, skip, size)
        }
        (Some(id), custom) => {
            let found = external_users::find(conn, id)?.map(|user| user.user_id);
            part_of(matching(conn, found.into_iter().collect(), custom)?, skip, size)
        }
    };
    let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let external =
        sql!("SELECT user_id, external_id FROM external_users WHERE user_id IN ?", numbers.as_slice());
    let mut external: HashMap<UserId, String> =
        external.rows::<(UserId, String)>(conn)?.into_iter().collect();
    let mut custom = user_custom::of_users(conn, &ids)?;
    let mut found = Vec::with_capacity(ids.len());
    for user in users::by_ids(conn, &ids)? {
        let (external_id, custom) = (external.remove(&user.id()), custom.remove(&user.id()));
        found.push(ListedUser { user, external_id, custom: custom.unwrap_or_default() });
    }
    Ok((count, found))
}

/// Most users that one statement looks up.
const LOOKED_UP: usize = 1_000;

/// Returns those of these users that meet all conditions.
fn matching(
    conn: &mut AnyConn,
    mut users: Vec<UserId>,
    filters: &[CustomFilter],
) -> Result<Vec<UserId>, StorageError> {
    for filter in filters {
        if users.is_empty() {
            break;
        }
        let mut found = Vec::new();
        for some in users.chunks(LOOKED_UP) {
            let ids: Vec<i64> = some.iter().map(|user| user.0).collect();
            found.extend(custom_values::matching_users(conn, &ids, filter)?);
        }
        users = found;
    }
    Ok(users)
}

/// Returns the number of users, and a page of them.
fn part_of(users: Vec<UserId>, skip: i64, size: i64) -> (i64, Vec<UserId>) {
    let count = users.len() as i64;
    (count, users.into_iter().skip(skip.max(0) as usize).take(size.max(0) as usize).collect())
}
