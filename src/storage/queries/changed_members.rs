//! What catch-up returns of members: joins, departures and role changes.

use crate::{
    core::model::{Change, Chat, Member, Seq, UserId, event::MembersChanged},
    storage::{AnyConn, StorageError, db::sql::sql, tables::members},
};

/// Returns joins, departures and role changes, one event per number. `None`: there are too many.
pub(super) fn changes(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
    limit: usize,
) -> Result<Option<Vec<(Seq, Change)>>, StorageError> {
    let rows = sql!(
        "SELECT user_id, member_seq, joined_seq, left_seq FROM members \
         WHERE chat_id = ? AND member_seq > ? ORDER BY member_seq LIMIT ?",
        chat.id,
        since,
        limit as i64 + 1
    )
    .rows::<(UserId, Seq, Seq, Option<Seq>)>(conn)?;
    if rows.len() > limit {
        return Ok(None);
    }
    let ids: Vec<UserId> = rows.iter().map(|(user, ..)| *user).collect();
    let present = members::among(conn, chat.id, &ids)?;
    let find = |user: UserId| -> Option<Member> { present.iter().find(|m| m.user.id == user).cloned() };
    let mut changes: Vec<(Seq, Change)> = Vec::new();
    for (user, seq, joined, left) in rows {
        if changes.last().is_none_or(|(last, _)| *last != seq) {
            changes.push((seq, Change::MembersChanged(MembersChanged::none(chat.member_count))));
        }
        let Some((_, Change::MembersChanged(change))) = changes.last_mut() else { continue };
        match (left, find(user)) {
            (Some(_), _) | (None, None) => change.removed.push(user),
            (None, Some(member)) if joined > since => change.added.push(member),
            (None, Some(member)) => change.changed.push(member),
        }
    }
    Ok(Some(changes))
}
