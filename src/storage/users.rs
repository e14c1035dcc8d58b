//! Users: their rows, their cards, the search for them.

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
};

use super::{AnyConn, StorageError, locks, sql::sql};
use crate::{
    model::{
        FieldErrors, Timestamp, UserCard, UserId,
        text::{Username, fold},
    },
    schema::users,
};

/// A user's own row.
#[derive(Debug, Clone, Queryable, Selectable)]
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
}

/// Stands for the password of users who cannot sign in with one.
pub const NO_PASSWORD: &str = "!";

impl User {
    pub fn id(&self) -> UserId {
        UserId(self.id)
    }

    /// What everybody may know of this user.
    pub fn card(&self) -> UserCard {
        card(self.id, self.username.clone(), &self.first_name, &self.last_name, self.avatar_url.clone())
    }

    fn name_key(&self) -> String {
        fold(&format!("{}\n{}", self.card().display_name, self.username))
    }
}

/// A user to be made.
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
}

/// The columns of a card in the order in which [`card`] takes them; `u` is the users table.
macro_rules! card_columns {
    () => {
        "u.id, u.username, u.first_name, u.last_name, u.avatar_url"
    };
}
pub(super) use card_columns;

/// Makes a card of its columns.
pub(super) fn card(id: i64, username: String, first: &str, last: &str, avatar_url: String) -> UserCard {
    let full_name = [first, last].join(" ");
    let full_name = full_name.trim();
    UserCard {
        id: UserId(id),
        display_name: if full_name.is_empty() { username.clone() } else { full_name.to_owned() },
        username,
        avatar_url: Some(avatar_url).filter(|url| !url.is_empty()),
    }
}

/// Said of a username that is taken, or that looks like one that is.
pub const USERNAME_TAKEN: &str = "A user with that username already exists.";

/// Makes a user. A name that is taken, or looks like one that is, is refused.
pub fn create(conn: &mut AnyConn, new: &NewUser) -> Result<User, StorageError> {
    let username_key = new.username.key();
    let taken = users::table
        .filter(users::username_key.eq(&username_key))
        .select(users::id)
        .first::<i64>(conn)
        .optional()?;
    if taken.is_some() {
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
    };
    user.id = diesel::insert_into(users::table)
        .values((
            users::username.eq(&user.username),
            users::username_key.eq(&username_key),
            users::password.eq(&user.password),
            users::email.eq(&user.email),
            users::first_name.eq(&user.first_name),
            users::last_name.eq(&user.last_name),
            users::avatar_url.eq(&user.avatar_url),
            users::name_key.eq(user.name_key()),
            users::email_key.eq(fold(&user.email)),
            users::is_active.eq(true),
            users::is_staff.eq(user.is_staff),
            users::created_at.eq(Timestamp::now().0),
        ))
        .returning(users::id)
        .get_result(conn)?;
    Ok(user)
}

/// The user who has the name, or a new one, and whether it is.
pub fn find_or_create(conn: &mut AnyConn, new: &NewUser) -> Result<(User, bool), StorageError> {
    let name = new.username.as_str();
    if let Some(user) = by_username(conn, name)? {
        return Ok((user, false));
    }
    match create(conn, new) {
        // Somebody was faster, or the name only looks like one that is taken.
        Err(StorageError::Refused(refusal)) => {
            by_username(conn, name)?.map(|user| (user, false)).ok_or_else(|| refusal.into())
        }
        created => Ok((created?, true)),
    }
}

/// Stores what can change of a user, all but the id and the username.
pub fn update(conn: &mut AnyConn, user: &User) -> Result<(), StorageError> {
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
        ))
        .execute(conn)?;
    Ok(())
}

/// Replaces a password's hash, unless the password was changed meanwhile.
pub fn rehash(conn: &mut AnyConn, id: UserId, old: &str, new: &str) -> Result<(), StorageError> {
    diesel::update(users::table.find(id.0).filter(users::password.eq(old)))
        .set(users::password.eq(new))
        .execute(conn)?;
    Ok(())
}

/// The user with an id.
pub fn find(conn: &mut AnyConn, id: UserId) -> Result<Option<User>, StorageError> {
    Ok(users::table.find(id.0).select(User::as_select()).first(conn).optional()?)
}

/// The same, who stays as they are until the transaction's end: for what depends on it, or changes it.
pub fn hold(conn: &mut AnyConn, id: UserId) -> Result<Option<User>, StorageError> {
    locks::user(conn, id)?;
    find(conn, id)
}

/// The user with exactly this name.
pub fn by_username(conn: &mut AnyConn, username: &str) -> Result<Option<User>, StorageError> {
    // PostgreSQL takes no text with a NUL in it, and no name has one.
    if username.contains('\0') {
        return Ok(None);
    }
    Ok(users::table.filter(users::username.eq(username)).select(User::as_select()).first(conn).optional()?)
}

/// Whether somebody may manage what is nobody's own.
pub fn is_staff(conn: &mut AnyConn, id: UserId) -> Result<bool, StorageError> {
    Ok(users::table.find(id.0).select(users::is_staff).first(conn).optional()?.unwrap_or(false))
}

/// All users, by id.
pub fn all(conn: &mut AnyConn) -> Result<Vec<User>, StorageError> {
    Ok(users::table.order(users::id).select(User::as_select()).load(conn)?)
}

/// Whether there is any user.
pub fn any(conn: &mut AnyConn) -> Result<bool, StorageError> {
    Ok(users::table.select(users::id).first::<i64>(conn).optional()?.is_some())
}

/// The active users among `ids`, by id.
pub fn active_cards(conn: &mut AnyConn, ids: &[UserId]) -> Result<Vec<UserCard>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = sql!(
        concat!("SELECT ", card_columns!(), " FROM users u WHERE u.id IN ? AND u.is_active ORDER BY u.id"),
        ids.as_slice()
    )
    .rows::<(i64, String, String, String, String)>(conn)?;
    Ok(rows.into_iter().map(|(id, name, first, last, url)| card(id, name, &first, &last, url)).collect())
}

/// Most users that a search returns.
const MOST_FOUND: usize = 20;

/// A user found by a search.
#[derive(Debug, Clone)]
pub struct Found {
    pub card: UserCard,
    pub email: String,
}

/// Active users but `caller` in whose names or e-mail every word of `query` is found: exact hits first, then
/// beginnings, then the rest, each by name.
pub fn search(conn: &mut AnyConn, caller: UserId, query: &str) -> Result<Vec<Found>, StorageError> {
    let query = fold(query);
    let words = different_words(&query);
    let Some(longest) = words.iter().max_by_key(|word| word.len()) else { return Ok(Vec::new()) };
    let pattern = like_pattern(longest);
    // The database narrows by the longest word; the other words and the ranking look at what is left.
    let rows = sql!(
        concat!(
            "SELECT ",
            card_columns!(),
            ", u.email, u.name_key, u.email_key FROM users u ",
            "WHERE (u.name_key LIKE ? ESCAPE '\\' OR u.email_key LIKE ? ESCAPE '\\') ",
            "AND u.is_active AND u.id <> ?"
        ),
        &pattern,
        &pattern,
        caller
    )
    .rows::<(i64, String, String, String, String, String, String, String)>(conn)?;

    let mut found: Vec<(u8, String, Found)> = rows
        .into_iter()
        .filter(|row| words.iter().all(|word| row.6.contains(word) || row.7.contains(word)))
        .map(|(id, name, first, last, url, email, name_key, email_key)| {
            let rank = rank(&query, &name_key, &email_key);
            (rank, name_key, Found { card: card(id, name, &first, &last, url), email })
        })
        .collect();
    found.sort_by(|a, b| (a.0, &a.1, a.2.card.id).cmp(&(b.0, &b.1, b.2.card.id)));
    found.truncate(MOST_FOUND);
    Ok(found.into_iter().map(|(_, _, found)| found).collect())
}

/// 0: a name or the e-mail is the query; 1: one begins with it; 2: it is within.
fn rank(query: &str, name_key: &str, email_key: &str) -> u8 {
    let keys = || name_key.split('\n').chain([email_key]);
    if keys().any(|key| key == query) {
        0
    } else if keys().any(|key| key.starts_with(query)) {
        1
    } else {
        2
    }
}

/// The words of a search, each once: one that is said a thousand times is looked for once.
pub(super) fn different_words(search: &str) -> Vec<&str> {
    let mut words: Vec<&str> = search.split_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Longest word, in bytes, that is looked for: no name or title is longer, and the databases take no pattern of any length.
const LONGEST_WORD: usize = 16_000;

/// A pattern that no text fits, since none is a control character.
const NOWHERE: &str = "\u{1}";

/// A LIKE pattern for texts that contain `word`, whose wildcards are plain characters.
pub(super) fn like_pattern(word: &str) -> String {
    // No text has a NUL in it, which would end the pattern.
    if word.len() > LONGEST_WORD || word.contains('\0') {
        return NOWHERE.to_owned();
    }
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_said_often_is_looked_for_once() {
        assert_eq!(different_words(" b a  b a b"), ["a", "b"]);
        assert!(different_words(" ").is_empty());
    }
}
