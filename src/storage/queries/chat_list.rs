//! The list of a user's chats, and their unread counts.

use super::{
    chat_search,
    membership::{Membership, MembershipRow},
    unread::{self, Counted},
};
use crate::{
    core::{
        model::{ChatForViewer, ChatId, ChatKind, UserId, text::fold},
        text_index::Matching,
    },
    storage::{
        AnyConn, ChatCache, StorageError,
        db::{like_pattern::different_words, sql::sql},
        tables::{
            custom_values::{self, CustomFilter},
            mentions::mentions_after,
            sent_counts::sent_between,
        },
    },
};

/// Which of a user's chats to list.
#[derive(Debug, Clone, Default)]
pub struct ChatFilter {
    /// Every word must match in the title or in a member's name.
    pub search: String,
    pub matching: Matching,
    pub kind: Option<ChatKind>,
    /// Each must be met by the custom data.
    pub custom: Vec<CustomFilter>,
}

/// Returns the number of `user`'s chats that pass the filter, and one page of them. Pinned chats are first,
/// then those with the latest activity.
pub fn page(
    conn: &mut AnyConn,
    cache: &ChatCache,
    user: UserId,
    filter: &ChatFilter,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<ChatForViewer>), StorageError> {
    let mut listed = listed(conn, user, filter.kind)?;
    let search = fold(&filter.search);
    let words = different_words(&search);
    if !words.is_empty() {
        let found = chat_search::with_every_word(conn, user, &words, filter.matching)?;
        listed.retain(|chat| found.binary_search(chat).is_ok());
    }
    for filter in &filter.custom {
        if listed.is_empty() {
            break;
        }
        let found = custom_values::matching_chats(conn, &listed, filter)?;
        listed.retain(|chat| found.binary_search(chat).is_ok());
    }
    let page: Vec<i64> = listed.iter().skip(skip as usize).take(limit as usize).copied().collect();
    let chats = cache.at_snapshot(conn)?;
    let page = places(conn, user, &page)?.into_iter().map(|membership| chats.shown(conn, membership));
    Ok((listed.len() as i64, page.collect::<Result<_, _>>()?))
}

/// Returns the ids of the user's chats in the order of the list. Databases sort whole rows, and a page shows
/// few of them. So this reads only the columns that the order depends on.
fn listed(conn: &mut AnyConn, user: UserId, kind: Option<ChatKind>) -> Result<Vec<i64>, StorageError> {
    let mut rows = sql!(
        "SELECT m.is_pinned, c.updated_at, m.chat_id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL AND (? OR c.chat_type = ?)",
        user,
        kind.is_none(),
        kind.map_or("", ChatKind::as_str)
    )
    .rows::<(bool, i64, i64)>(conn)?;
    rows.sort_unstable_by(|one, other| other.cmp(one));
    Ok(rows.into_iter().map(|(_, _, chat)| chat).collect())
}

/// Loads these chats in the order given. The user must be a member of all.
fn places(conn: &mut AnyConn, user: UserId, chats: &[i64]) -> Result<Vec<Membership>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM chats c JOIN members m ON m.chat_id = c.id \
         WHERE c.id IN ? AND m.user_id = ? AND m.left_seq IS NULL",
        chats,
        user
    )
    .rows::<MembershipRow>(conn)?;
    let mut places: Vec<_> = rows.into_iter().map(|row| row.of(user)).collect();
    places.sort_by_cached_key(|place| chats.iter().position(|chat| *chat == place.chat.id.0));
    Ok(places)
}

/// Returns unread counts by chat, and the numbers of unread mentions, in order of chat id. Chats without unread messages are
/// omitted.
pub fn unread_by_chat(conn: &mut AnyConn, user: UserId) -> Result<Vec<(ChatId, i64, i64)>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL \
         AND (m.read_pos < c.last_pos OR m.unread_pos IS NOT NULL) ORDER BY c.id",
        user
    )
    .rows::<MembershipRow>(conn)?;
    let memberships: Vec<Membership> = rows.into_iter().map(|row| row.of(user)).collect();
    let counts = own_counts(conn, user, &memberships)?;
    let mut unread = Vec::new();
    for (membership, (_, own, mentions)) in memberships.into_iter().zip(counts) {
        let after = unread::counted_after(membership.read_pos, membership.unread_pos);
        let count = unread::count_without(conn, Counted::from(&membership.chat), user, after, own)?;
        if count > 0 {
            unread.push((membership.chat.id, count, mentions));
        }
    }
    Ok(unread)
}

/// Counts the user's own messages among the unread ones of these chats, and those that mention the user, in order of chat
/// id. It takes one statement for any number of chats.
fn own_counts(
    conn: &mut AnyConn,
    user: UserId,
    memberships: &[Membership],
) -> Result<Vec<(i64, i64, i64)>, StorageError> {
    let ids: Vec<i64> = memberships.iter().map(|membership| membership.chat.id.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql!(
        concat!(
            "SELECT p.chat_id, ",
            sent_between!(
                "messages o WHERE o.chat_id = p.chat_id",
                "p.chat_id",
                "p.user_id",
                "p.after_pos",
                "p.last_pos"
            ),
            ", ",
            mentions_after!("p.user_id", "p.chat_id", "p.after_pos"),
            " FROM (SELECT m.chat_id, m.user_id, c.last_pos, \
                CASE WHEN m.unread_pos <= m.read_pos THEN m.unread_pos - 1 ELSE m.read_pos END AS after_pos \
                FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.chat_id IN ? AND m.user_id = ?) AS p \
             ORDER BY p.chat_id"
        ),
        ids.as_slice(),
        user
    );
    Ok(rows.rows(conn)?)
}
