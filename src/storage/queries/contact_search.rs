//! User search limited to people with whom the caller shares a chat. It starts from the caller's chats, so
//! that its cost depends on their members and not on the number of users.

use super::user_search::{FoundRow, FoundUser, MAX_FOUND};
use crate::{
    core::{
        model::{UserId, text::fold},
        text_index::Matching,
    },
    storage::{
        AnyConn, StorageError,
        db::{
            like_pattern::{different_words, like_pattern},
            row::row,
            sql::sql,
        },
    },
};

row! {
    /// A user and the texts that a search compares.
    struct ContactRow from users u {
        found: FoundRow,
        name_key: String,
        email_key: String,
    }
}

/// Finds active users who share a chat with `caller` and in whose names or e-mail every word of `query`
/// matches. Exact matches are first, then prefixes, then the rest.
pub fn search(
    conn: &mut AnyConn,
    caller: UserId,
    query: &str,
    matching: Matching,
) -> Result<Vec<FoundUser>, StorageError> {
    let query = fold(query);
    let words = different_words(&query);
    let Some(longest) = words.iter().max_by_key(|word| word.len()) else { return Ok(Vec::new()) };
    let phrase = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let pattern = like_pattern(longest);
    let rows = sql!(
        "WITH people (id) AS MATERIALIZED (SELECT DISTINCT o.user_id FROM members m \
            JOIN chats c ON c.id = m.chat_id \
            JOIN members o ON o.chat_id = m.chat_id AND o.left_seq IS NULL AND o.joined_seq > 0 \
            WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL) \
         SELECT {} FROM people p JOIN users u ON u.id = p.id WHERE u.is_active AND u.id <> ? \
         AND (u.name_key LIKE ? ESCAPE '\\' OR u.email_key LIKE ? ESCAPE '\\')",
        caller,
        caller,
        &pattern,
        &pattern
    )
    .rows::<ContactRow>(conn)?;
    let mut found: Vec<((u8, String), FoundUser)> = rows
        .into_iter()
        .filter(|row| {
            let keys = [&row.name_key, &row.email_key];
            words.iter().all(|word| keys.iter().any(|key| matching.finds(key, word)))
        })
        .map(|row| {
            let rank = rank(&phrase, &row.name_key, &row.email_key);
            ((rank, row.name_key), FoundUser::from(row.found))
        })
        .collect();
    found.sort_by(|a, b| (&a.0, a.1.card.id).cmp(&(&b.0, b.1.card.id)));
    found.truncate(MAX_FOUND);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// Ranks a match: exact names first, then prefixes, then the rest. Within each, a display name ranks before a
/// username, and that before an e-mail address.
fn rank(phrase: &str, name_key: &str, email_key: &str) -> u8 {
    let (display_name, username) = name_key.split_once('\n').unwrap_or((name_key, ""));
    let keys = [display_name, username, email_key];
    let place = |fits: &dyn Fn(&str) -> bool| keys.iter().position(|key| fits(key));
    match (place(&|key| key == phrase), place(&|key| key.starts_with(phrase))) {
        (Some(place), _) => place as u8,
        (None, Some(place)) => 3 + place as u8,
        (None, None) => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_names_come_first_and_addresses_last() {
        let rank = |name: &str, email: &str| rank("bob", name, email);
        let ranks = [
            rank("bob\nx", ""),
            rank("x\nbob", ""),
            rank("x\ny", "bob"),
            rank("bob brown\nx", ""),
            rank("x\nbobby", ""),
            rank("x\ny", "bob@example.com"),
            rank("x bob\ny", ""),
        ];
        assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6]);
    }
}
