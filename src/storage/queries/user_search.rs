//! The search for users: who is called so, whose name begins so, and who has it within their name.

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
            sql::sql,
        },
        tables::rows::{card, card_columns},
    },
};

/// Most users that a search returns.
pub(crate) const MOST_FOUND: usize = 20;

/// A user found by a search.
#[derive(Debug, Clone)]
pub struct Found {
    pub card: UserCard,
    pub email: String,
}

/// Active users but `caller` in whose names or e-mail every word of `query` is found: exact hits first, then
/// beginnings, then the rest. Of each, display names come before usernames and these before e-mail addresses.
pub fn search(
    conn: &mut AnyConn,
    caller: UserId,
    query: &str,
    matching: Matching,
) -> Result<Vec<Found>, StorageError> {
    let query = fold(query);
    // No name has a NUL in it, and PostgreSQL takes no text with one.
    if query.contains('\0') {
        return Ok(Vec::new());
    }
    let phrase = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for way in [exactly, beginning] {
        note(&mut found, way(conn, caller, &phrase)?);
    }
    if found.len() < MOST_FOUND {
        note(&mut found, within(conn, caller, &phrase, matching)?);
    }
    found.truncate(MOST_FOUND);
    shown(conn, &found)
}

/// Adds users that were not found before.
fn note(found: &mut Vec<i64>, more: Vec<i64>) {
    for id in more {
        if !found.contains(&id) {
            found.push(id);
        }
    }
}

/// Users whose display name, username or e-mail is the phrase.
fn exactly(conn: &mut AnyConn, caller: UserId, phrase: &str) -> Result<Vec<i64>, StorageError> {
    // The display name is the first line of the key.
    let mut found = named(conn, caller, &format!("{phrase}\n"), &format!("{phrase}\u{b}"))?;
    found.extend(signing_in_as(conn, caller, phrase, phrase)?);
    found.extend(reached_at(conn, caller, phrase, phrase)?);
    Ok(found)
}

/// Users whose display name, username or e-mail begins with the phrase.
fn beginning(conn: &mut AnyConn, caller: UserId, phrase: &str) -> Result<Vec<i64>, StorageError> {
    let last = format!("{phrase}{}", char::MAX);
    let mut found = named(conn, caller, phrase, &last)?;
    found.extend(signing_in_as(conn, caller, phrase, &last)?);
    found.extend(reached_at(conn, caller, phrase, &last)?);
    Ok(found)
}

/// Users whose names, as they are searched, are from `first` to `last`.
fn named(conn: &mut AnyConn, caller: UserId, first: &str, last: &str) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT id FROM users WHERE name_key >= ? AND name_key <= ? AND is_active AND id <> ? \
         ORDER BY name_key, id LIMIT ?",
        first,
        last,
        caller,
        MOST_FOUND as i64
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| id).collect())
}

fn signing_in_as(
    conn: &mut AnyConn,
    caller: UserId,
    first: &str,
    last: &str,
) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT id FROM users WHERE lower(username) >= ? AND lower(username) <= ? AND is_active AND id <> ? \
         ORDER BY lower(username) LIMIT ?",
        first,
        last,
        caller,
        MOST_FOUND as i64
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| id).collect())
}

fn reached_at(conn: &mut AnyConn, caller: UserId, first: &str, last: &str) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT id FROM users WHERE email_key >= ? AND email_key <= ? AND is_active AND id <> ? \
         ORDER BY email_key, id LIMIT ?",
        first,
        last,
        caller,
        MOST_FOUND as i64
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| id).collect())
}

/// Words that the database looks for. What it does not look for is looked for here.
const WORDS: usize = 3;

/// Users looked at in one go where the database finds too many.
const PART: usize = 1_000;

/// Users in whose names or e-mail each word of the phrase is found, by name.
fn within(
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
    let part = if is_exact { MOST_FOUND } else { PART };
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
        if is_all || found.len() >= MOST_FOUND {
            return Ok(found);
        }
    }
}

/// Users in this order.
fn shown(conn: &mut AnyConn, ids: &[i64]) -> Result<Vec<Found>, StorageError> {
    let rows = sql!(concat!("SELECT ", card_columns!(), ", u.email FROM users u WHERE u.id IN ?"), ids)
        .rows::<(i64, String, String, String, String, String)>(conn)?;
    let found = rows.into_iter().map(|(id, name, first, last, url, email)| {
        (id, Found { card: card(id, name, &first, &last, url), email })
    });
    let mut found: HashMap<i64, Found> = found.collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}
