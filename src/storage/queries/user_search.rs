//! User search: exact matches, then prefixes, then matches within names.

use std::collections::HashMap;

use crate::{
    core::{
        model::{UserCard, UserId, text::fold},
        text_index::Matching,
    },
    storage::{
        AnyConn, StorageError,
        db::{
            like_pattern::{different_words, like_pattern},
            row::row,
            sql::sql,
        },
        tables::rows::CardRow,
    },
};

/// Most users that a search returns.
pub(crate) const MAX_FOUND: usize = 20;

/// A user found by a search.
#[derive(Debug, Clone)]
pub struct FoundUser {
    pub card: UserCard,
    pub email: String,
}

row! {
    /// A user found by a search.
    pub(super) struct FoundRow from users u {
        card: CardRow,
        email: String,
    }
}

impl From<FoundRow> for FoundUser {
    fn from(row: FoundRow) -> Self {
        Self { card: row.card.into(), email: row.email }
    }
}

/// Finds active users other than `caller` in whose names or e-mail every word of `query` matches. Exact
/// matches are first, then prefixes, then the rest. Within each, display names rank before usernames, and
/// these before e-mail addresses.
pub fn search(
    conn: &mut AnyConn,
    caller: UserId,
    query: &str,
    matching: Matching,
) -> Result<Vec<FoundUser>, StorageError> {
    let query = fold(query);
    // No name contains a NUL, and PostgreSQL rejects text with one.
    if query.contains('\0') {
        return Ok(Vec::new());
    }
    let phrase = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for way in [exact_matches, prefix_matches] {
        append_new(&mut found, way(conn, caller, &phrase)?);
    }
    if found.len() < MAX_FOUND {
        append_new(&mut found, substring_matches(conn, caller, &phrase, matching)?);
    }
    found.truncate(MAX_FOUND);
    load(conn, &found)
}

/// Finds active staff in whose names every word of `query` matches, by id: for guests, who find nobody else.
pub fn search_staff(
    conn: &mut AnyConn,
    query: &str,
    matching: Matching,
) -> Result<Vec<FoundUser>, StorageError> {
    let query = fold(query);
    let words = different_words(&query);
    let staff = sql!("SELECT id, name_key FROM users WHERE is_staff AND is_active ORDER BY id");
    let is_found = |name: &str| !words.is_empty() && words.iter().all(|word| matching.finds(name, word));
    let found = staff.rows::<(i64, String)>(conn)?.into_iter().filter(|(_, name)| is_found(name));
    let ids: Vec<i64> = found.map(|(id, _)| id).take(MAX_FOUND).collect();
    let mut found = load(conn, &ids)?;
    // Their addresses are not for guests.
    found.iter_mut().for_each(|user| user.email.clear());
    Ok(found)
}

/// Appends users that are not in the list yet.
fn append_new(found: &mut Vec<i64>, more: Vec<i64>) {
    for id in more {
        if !found.contains(&id) {
            found.push(id);
        }
    }
}

/// Returns users whose display name, username or e-mail equals the phrase.
fn exact_matches(conn: &mut AnyConn, caller: UserId, phrase: &str) -> Result<Vec<i64>, StorageError> {
    // The display name is the first line of the key.
    let (first, last) = (format!("{phrase}\n"), format!("{phrase}\u{b}"));
    let mut found = in_range(conn, caller, SearchKey::Names, &first, &last)?;
    found.extend(in_range(conn, caller, SearchKey::Username, phrase, phrase)?);
    found.extend(in_range(conn, caller, SearchKey::Email, phrase, phrase)?);
    Ok(found)
}

/// Returns users whose display name, username or e-mail begins with the phrase.
fn prefix_matches(conn: &mut AnyConn, caller: UserId, phrase: &str) -> Result<Vec<i64>, StorageError> {
    let last = format!("{phrase}{}", char::MAX);
    let mut found = Vec::new();
    for key in [SearchKey::Names, SearchKey::Username, SearchKey::Email] {
        found.extend(in_range(conn, caller, key, phrase, &last)?);
    }
    Ok(found)
}

/// An indexed key of users.
#[derive(Clone, Copy)]
enum SearchKey {
    /// The display name and the username, in two lines.
    Names,
    Username,
    Email,
}

/// The statement that finds users by the range of a key.
macro_rules! select_by {
    ($key:literal, $order:literal) => {
        concat!(
            "SELECT id FROM users WHERE ",
            $key,
            " >= ? AND ",
            $key,
            " <= ? AND is_active AND id <> ? ORDER BY ",
            $order,
            " LIMIT ?"
        )
    };
}

/// Returns users whose key is between `first` and `last`, in the order of the key.
fn in_range(
    conn: &mut AnyConn,
    caller: UserId,
    key: SearchKey,
    first: &str,
    last: &str,
) -> Result<Vec<i64>, StorageError> {
    let limit = MAX_FOUND as i64;
    Ok(match key {
        SearchKey::Names => {
            sql!(select_by!("name_key", "name_key, id"), first, last, caller, limit).rows(conn)?
        }
        SearchKey::Username => {
            sql!(select_by!("lower(username)", "lower(username)"), first, last, caller, limit).rows(conn)?
        }
        SearchKey::Email => {
            sql!(select_by!("email_key", "email_key, id"), first, last, caller, limit).rows(conn)?
        }
    })
}

/// Words that the database searches for. Further ones are checked here.
const WORDS: usize = 3;

/// Rows per query where the database returns more than match.
const BATCH: usize = 1_000;

/// Returns users in whose names or e-mail every word of the phrase matches, in order of name.
fn substring_matches(
    conn: &mut AnyConn,
    caller: UserId,
    phrase: &str,
    matching: Matching,
) -> Result<Vec<i64>, StorageError> {
    let mut words = different_words(phrase);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let pattern = |number: usize| words.get(number).map_or_else(|| "%".to_owned(), |word| like_pattern(word));
    let [first, second, third] = [0, 1, 2].map(pattern);
    let is_exact = matching == Matching::Substring && words.len() <= WORDS;
    let part = if is_exact { MAX_FOUND } else { BATCH };
    let (mut found, mut after) = (Vec::new(), (String::new(), 0));
    loop {
        let rows = sql!(
            "SELECT id, name_key, email_key FROM users WHERE (name_key, id) > (?, ?) AND is_active AND id <> ? \
             AND (name_key LIKE ? ESCAPE '\\' OR email_key LIKE ? ESCAPE '\\') \
             AND (name_key LIKE ? ESCAPE '\\' OR email_key LIKE ? ESCAPE '\\') \
             AND (name_key LIKE ? ESCAPE '\\' OR email_key LIKE ? ESCAPE '\\') ORDER BY name_key, id LIMIT ?",
            &after.0,
            after.1,
            caller,
            &first,
            &first,
            &second,
            &second,
            &third,
            &third,
            part as i64
        )
        .rows::<(i64, String, String)>(conn)?;
        let is_all = rows.len() < part;
        for (id, name, email) in rows {
            if words.iter().all(|word| matching.finds(&name, word) || matching.finds(&email, word)) {
                found.push(id);
            }
            after = (name, id);
        }
        if is_all || found.len() >= MAX_FOUND {
            return Ok(found);
        }
    }
}

/// Loads users, in the order of `ids`.
fn load(conn: &mut AnyConn, ids: &[i64]) -> Result<Vec<FoundUser>, StorageError> {
    let rows = sql!("SELECT {} FROM users u WHERE u.id IN ?", ids).rows::<FoundRow>(conn)?;
    let mut found: HashMap<i64, FoundUser> =
        rows.into_iter().map(|row| (row.card.id.0, FoundUser::from(row))).collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}
