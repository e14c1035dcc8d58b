//! Posting on SQLite, where a statement is a function call: each post takes a few key lookups.

use std::collections::{HashMap, HashSet};

use super::{
    decided::{is_decided, posted},
    messages::{Post, repeated},
    outcome::{Outcome, unless_failed},
    references::References,
};
use crate::{
    core::model::{
        Chat, ChatId, MessageId, Refusal, Role, UserId,
        event::Done,
        permission::{Ability, Subject, authorize},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        db::sql::sql,
        tables::{chats, messages, sent_counts},
    },
};

/// Posts messages one after the other, and stores the rows of their chats once.
pub(super) fn post_each(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chats: &mut HashMap<ChatId, Chat>,
    posts: &[Post],
) -> Result<Vec<Outcome>, StorageError> {
    let mut outcomes = Vec::with_capacity(posts.len());
    let (mut changed, mut stored) = (HashSet::new(), Vec::with_capacity(posts.len()));
    let mut next_id = next_id(conn)?;
    let mut references = References::of(conn, posts)?;
    for post in posts {
        let Some(chat) = chats.get_mut(&post.chat) else {
            outcomes.push(Err(Refusal::NotFound.into()));
            continue;
        };
        let outcome = unless_failed(post_one(conn, policy, chat, (post, &mut references), next_id))?;
        if outcome.as_ref().is_ok_and(|done| done.event.is_some()) {
            next_id.0 += 1;
            changed.insert(chat.id);
            if posts_to_timeline(post) {
                stored.push((chat.id, chat.last_pos));
            }
        }
        outcomes.push(outcome);
    }
    changed.iter().filter_map(|chat| chats.get(chat)).try_for_each(|chat| chats::update(conn, chat))?;
    sent_counts::record(conn, stored.into_iter())?;
    references.roots.store(conn)?;
    Ok(outcomes)
}

/// Stores a message as the chat's next one, under the id `next_id`.
fn post_one(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &mut Chat,
    (post, references): (&Post, &mut References),
    next_id: MessageId,
) -> Result<Done, StorageError> {
    let mut looked_up = None;
    if !is_decided(conn, post, chat)? {
        let (role, is_blocked) = standing(conn, chat, post.sender.id)?;
        let is_guest = post.sender.is_guest;
        let subject = Subject { role, is_blocked, is_guest, ..Subject::default() };
        authorize(chat, subject, Ability::TakePart)?;
        if let Err(refusal) = authorize(chat, subject, Ability::Write) {
            // A retry of what was posted before the block is answered.
            return repeated(conn, policy, chat, post)?.ok_or_else(|| refusal.into());
        }
        if post.new.concerns_all()
            && let Err(refusal) = authorize(chat, subject, Ability::MentionAll)
        {
            return repeated(conn, policy, chat, post)?.ok_or_else(|| refusal.into());
        }
        looked_up = role;
    }
    let referred = match references.find(conn, policy, post) {
        // A retry of what was posted before the deletion is answered.
        Err(StorageError::Refused(refusal)) => {
            return repeated(conn, policy, chat, post)?.ok_or_else(|| refusal.into());
        }
        referred => referred?,
    };
    let before = chat.clone();
    let mut new = post.take_place(policy, chat, referred);
    new.message.id = next_id;
    if !messages::insert(conn, &new)? {
        *chat = before;
        return repeated(conn, policy, chat, post)?.ok_or_else(|| Refusal::Internal.into());
    }
    let (message, linked) = references.link(conn, new)?;
    Ok(posted(message, linked, chat, looked_up))
}

/// Returns whether a post has a place in the chat's timeline.
fn posts_to_timeline(post: &Post) -> bool {
    post.new.thread.is_none() || post.new.also_in_chat
}

/// Loads the role of a user in a chat, and whether the other member of a dm has blocked the user.
fn standing(conn: &mut AnyConn, chat: &Chat, user: UserId) -> Result<(Option<Role>, bool), StorageError> {
    let row = sql!(
        "SELECT (SELECT role FROM members WHERE chat_id = ? AND user_id = ? AND left_seq IS NULL), \
         CASE WHEN ? THEN EXISTS (SELECT 1 FROM members o JOIN blocks b \
            ON b.blocker_id = o.user_id AND b.blocked_id = ? WHERE o.chat_id = ?) ELSE FALSE END",
        chat.id,
        user,
        chat.is_dm(),
        user,
        chat.id
    );
    Ok(row.one(conn)?)
}

/// Returns the id of the next message. SQLite has a single writer, and `RETURNING` costs a temporary table for
/// each statement.
fn next_id(conn: &mut AnyConn) -> Result<MessageId, StorageError> {
    let drawn = sql!("SELECT seq FROM sqlite_sequence WHERE name = 'message_ids'").first::<i64>(conn)?;
    Ok(MessageId(drawn.unwrap_or(0) + 1))
}
