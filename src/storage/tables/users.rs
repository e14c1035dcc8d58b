//! Users: their rows, and the public cards made of them.

use super::{locks, rows::CardRow};
use crate::{
    core::model::{
        FieldErrors, Timestamp, UserCard, UserId,
        text::{Username, fold},
    },
    storage::{AnyConn, StorageError, db::sql::sql, schema::users},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};

/// A user's own row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct User {
    pub id: i64,
    pub username: String,
    /// A hash, or [`NO_PASSWORD`].
    pub password: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub avatar_url: String,
    pub is_active: bool,
    pub is_staff: bool,
    /// Whether the user created the account themselves (self-registration).
    pub is_registered: bool,
    /// Whether the user is a guest, without an account.
    pub is_guest: bool,
}

/// Stored instead of a hash for users without a password, which cannot sign in with one.
pub const NO_PASSWORD: &str = "!";

impl User {
    pub fn id(&self) -> UserId {
        UserId(self.id)
    }

    /// Returns the public card of this user.
    pub fn card(&self) -> UserCard {
        let row = CardRow {
            id: self.id(),
            username: self.username.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            avatar_url: self.avatar_url.clone(),
            is_guest: self.is_guest,
        };
        row.into()
    }

    /// Returns texts that others know about this user. A password must not be one of them.
    pub fn known(&self) -> Vec<String> {
        let texts = [&self.username, &self.email, &self.first_name, &self.last_name];
        texts.into_iter().cloned().chain([self.card().display_name]).collect()
    }

    fn name_key(&self) -> String {
        fold(&format!("{}\n{}", self.card().display_name, self.username))
    }
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub username: Username,
    /// A hash, or [`NO_PASSWORD`].
    pub password: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub avatar_url: String,
    pub is_staff: bool,
    /// Whether the user creates the account themselves (self-registration).
    pub is_registered: bool,
}

impl NewUser {
    /// Returns texts that others will know about this user. A password must not be one of them.
    pub fn known(&self) -> Vec<String> {
        let full_name = format!("{} {}", self.first_name, self.last_name);
        let texts = [self.username.as_str(), &self.email, &self.first_name, &self.last_name, &full_name];
        texts.map(|text| text.trim().to_owned()).into()
    }
}

/// Error text for a username that is taken, or that looks like one that is.
pub const USERNAME_TAKEN: &str = "A user with that username already exists.";

/// Returns whether a username is taken, or looks like one that is.
pub fn is_taken(conn: &mut AnyConn, name: &Username) -> Result<bool, StorageError> {
    let keys = name.keys();
    let taken = sql!(
        "SELECT id FROM users WHERE username_key IN (?, ?) \
         UNION ALL SELECT user_id FROM user_looks WHERE look_key IN (?, ?) LIMIT 1",
        &keys.read,
        &keys.look,
        &keys.read,
        &keys.look
    );
    Ok(taken.first::<i64>(conn)?.is_some())
}

/// Creates a user. Refuses a username that is taken, or that looks like one that is.
pub fn create(conn: &mut AnyConn, new: &NewUser) -> Result<User, StorageError> {
    let keys = new.username.keys();
    if is_taken(conn, &new.username)? {
        return Err(FieldErrors::of("username", USERNAME_TAKEN).into());
    }
    let mut user = User {
        id: 0,
        username: new.username.as_str().to_owned(),
        password: new.password.clone(),
        email: new.email.clone(),
        first_name: new.first_name.clone(),
        last_name: new.last_name.clone(),
        avatar_url: new.avatar_url.clone(),
        is_active: true,
        is_staff: new.is_staff,
        is_registered: new.is_registered,
        is_guest: false,
    };
    user.id = diesel::insert_into(users::table)
        .values((
            users::username.eq(&user.username),
            users::username_key.eq(&keys.read),
            users::password.eq(&user.password),
            users::email.eq(&user.email),
            users::first_name.eq(&user.first_name),
            users::last_name.eq(&user.last_name),
            users::avatar_url.eq(&user.avatar_url),
            users::name_key.eq(user.name_key()),
            users::email_key.eq(fold(&user.email)),
            users::is_active.eq(true),
            users::is_staff.eq(user.is_staff),
            users::is_registered.eq(user.is_registered),
            users::created_at.eq(Timestamp::now().0),
        ))
        .returning(users::id)
        .get_result(conn)?;
    sql!("INSERT INTO user_looks (look_key, user_id) VALUES (?, ?)", &keys.look, user.id).run(conn)?;
    Ok(user)
}

/// Makes a user that was created in this transaction a guest.
pub fn make_guest(conn: &mut AnyConn, user: &mut User) -> Result<(), StorageError> {
    user.is_guest = true;
    diesel::update(users::table.find(user.id)).set(users::is_guest.eq(true)).execute(conn)?;
    Ok(())
}

/// Returns whether a user is a guest; `false` for an unknown user.
pub fn is_guest(conn: &mut AnyConn, id: UserId) -> Result<bool, StorageError> {
    Ok(users::table.find(id.0).select(users::is_guest).first(conn).optional()?.unwrap_or(false))
}

/// Finds the user with the username, or creates one. Returns the user, and whether it is new.
pub fn find_or_create(conn: &mut AnyConn, new: &NewUser) -> Result<(User, bool), StorageError> {
    let name = new.username.as_str();
    if let Some(user) = by_username(conn, name)? {
        return Ok((user, false));
    }
    match create(conn, new) {
        // A concurrent transaction created the user, or the name only looks like one that is taken.
        Err(StorageError::Refused(refusal)) => {
            by_username(conn, name)?.map(|user| (user, false)).ok_or_else(|| refusal.into())
        }
        created => Ok((created?, true)),
    }
}

/// Stores a user's row, except the id and the username, which never change. With a new password, the next
/// import leaves the password alone.
pub fn update(conn: &mut AnyConn, user: &User) -> Result<(), StorageError> {
    sql!(
        "DELETE FROM imported_passwords WHERE user_id = ? \
         AND (SELECT password FROM users WHERE id = ?) <> ?",
        user.id,
        user.id,
        &user.password
    )
    .run(conn)?;
    diesel::update(users::table.find(user.id))
        .set((
            users::password.eq(&user.password),
            users::email.eq(&user.email),
            users::first_name.eq(&user.first_name),
            users::last_name.eq(&user.last_name),
            users::avatar_url.eq(&user.avatar_url),
            users::name_key.eq(user.name_key()),
            users::email_key.eq(fold(&user.email)),
            users::is_active.eq(user.is_active),
            users::is_staff.eq(user.is_staff),
            users::is_registered.eq(user.is_registered),
        ))
        .execute(conn)?;
    Ok(())
}

/// Gives a user that was created in this transaction another username.
pub fn rename(conn: &mut AnyConn, user: &mut User, name: &Username) -> Result<(), StorageError> {
    let keys = name.keys();
    name.as_str().clone_into(&mut user.username);
    diesel::update(users::table.find(user.id))
        .set((
            users::username.eq(&user.username),
            users::username_key.eq(&keys.read),
            users::name_key.eq(user.name_key()),
        ))
        .execute(conn)?;
    sql!("UPDATE user_looks SET look_key = ? WHERE user_id = ?", &keys.look, user.id).run(conn)?;
    Ok(())
}

/// Replaces the hash of a password, unless the stored hash is no longer `old`: the password has changed
/// since.
pub fn rehash(conn: &mut AnyConn, id: UserId, old: &str, new: &str) -> Result<(), StorageError> {
    diesel::update(users::table.find(id.0).filter(users::password.eq(old)))
        .set(users::password.eq(new))
        .execute(conn)?;
    Ok(())
}

/// Loads the user with an id.
pub fn find(conn: &mut AnyConn, id: UserId) -> Result<Option<User>, StorageError> {
    Ok(users::table.find(id.0).select(User::as_select()).first(conn).optional()?)
}

/// Loads the user with an id and locks the row until the transaction ends. For transactions that depend on
/// the user's state, or change it.
pub fn find_for_update(conn: &mut AnyConn, id: UserId) -> Result<Option<User>, StorageError> {
    locks::user(conn, id)?;
    find(conn, id)
}

/// Loads the user with exactly this username.
pub fn by_username(conn: &mut AnyConn, username: &str) -> Result<Option<User>, StorageError> {
    // PostgreSQL rejects text with a NUL, and no username has one.
    if username.contains('\0') {
        return Ok(None);
    }
    Ok(users::table.filter(users::username.eq(username)).select(User::as_select()).first(conn).optional()?)
}

/// Returns whether a user is staff; `false` for an unknown user.
pub fn is_staff(conn: &mut AnyConn, id: UserId) -> Result<bool, StorageError> {
    Ok(users::table.find(id.0).select(users::is_staff).first(conn).optional()?.unwrap_or(false))
}

/// Returns whether a user is the only active staff member.
pub fn is_last_staff(conn: &mut AnyConn, user: &User) -> Result<bool, StorageError> {
    let others = users::table.filter(users::is_staff.and(users::is_active).and(users::id.ne(user.id)));
    let is_staff = user.is_staff && user.is_active;
    Ok(is_staff && others.select(users::id).first::<i64>(conn).optional()?.is_none())
}

/// Loads all users, by id.
pub fn all(conn: &mut AnyConn) -> Result<Vec<User>, StorageError> {
    Ok(users::table.order(users::id).select(User::as_select()).load(conn)?)
}

/// Loads the users with these ids, by id.
pub fn by_ids(conn: &mut AnyConn, ids: &[UserId]) -> Result<Vec<User>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    Ok(users::table.filter(users::id.eq_any(ids)).order(users::id).select(User::as_select()).load(conn)?)
}

/// Returns whether there is any user.
pub fn any(conn: &mut AnyConn) -> Result<bool, StorageError> {
    Ok(users::table.select(users::id).first::<i64>(conn).optional()?.is_some())
}

/// Loads the cards of the active users among `ids`, by id.
pub fn active_cards(conn: &mut AnyConn, ids: &[UserId]) -> Result<Vec<UserCard>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = sql!("SELECT {} FROM users u WHERE u.id IN ? AND u.is_active ORDER BY u.id", ids.as_slice());
    Ok(rows.rows::<CardRow>(conn)?.into_iter().map(UserCard::from).collect())
}

/// Loads the cards of the users with these ids, active or not.
pub(crate) fn cards(conn: &mut AnyConn, ids: &[UserId]) -> Result<Vec<UserCard>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = sql!("SELECT {} FROM users u WHERE u.id IN ?", ids.as_slice());
    Ok(rows.rows::<CardRow>(conn)?.into_iter().map(UserCard::from).collect())
}

/// Refuses if a user that a request names does not exist or is not active. The field error lists each of
/// these users.
pub fn expect_users(conn: &mut AnyConn, field: &'static str, ids: &[UserId]) -> Result<(), StorageError> {
    let known: Vec<UserId> = active_cards(conn, ids)?.into_iter().map(|card| card.id).collect();
    let mut errors = FieldErrors::default();
    for id in ids.iter().filter(|id| known.binary_search(id).is_err()) {
        errors.add(field, format!("Invalid pk \"{id}\" - object does not exist."));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}
