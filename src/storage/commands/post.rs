//! Posting many messages at once. Each message follows the rules of a single post; rows are loaded and stored
//! together.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    bulk_insert::{self, Poster},
    messages::{Post, posted, repeated},
    outcome::{Outcome, unless_failed},
};
use crate::{
    core::model::{
        Chat, ChatId, ChatKind, Message, Refusal,
        event::Done,
        permission::{Ability, Subject, authorize},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{
            locks::{self, LockedRows},
            messages::NewMessage,
        },
    },
};

/// Posts one message.
pub(crate) fn post(conn: &mut AnyConn, policy: &StoragePolicy, post: Post) -> Result<Done, StorageError> {
    let mut chats = locks::chats(conn, &BTreeSet::from([post.chat]), LockedRows::Wait)?;
    let outcome = post_together(conn, policy, &mut chats, &[post])?.pop();
    outcome.unwrap_or(Err(Refusal::Internal.into()))
}

/// Posts messages in locked chats, and updates `chats` to their new state. No two posts have the same chat,
/// sender and client id.
pub(crate) fn post_together(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chats: &mut HashMap<ChatId, Chat>,
    posts: &[Post],
) -> Result<Vec<Outcome>, StorageError> {
    if posts.is_empty() {
        return Ok(Vec::new());
    }
    let posters: Vec<Poster> = posts.iter().map(Post::poster).collect();
    let is_dm = |post: &Post| chats.get(&post.chat).is_some_and(|chat| chat.kind == ChatKind::Dm);
    let senders = bulk_insert::sender_states(conn, &posters, &posts.iter().map(is_dm).collect::<Vec<_>>())?;
    let mut new = Vec::with_capacity(posts.len());
    let mut outcomes = Vec::with_capacity(posts.len());
    for (post, sender) in posts.iter().zip(senders) {
        let Some(chat) = chats.get_mut(&post.chat) else {
            outcomes.push(Some(Err(Refusal::NotFound.into())));
            continue;
        };
        let subject = Subject { role: sender.role, is_blocked: sender.is_blocked, ..Subject::default() };
        if let Err(refusal) = authorize(chat, subject, Ability::TakePart) {
            outcomes.push(Some(Err(refusal.into())));
        } else if let Some(earlier) = &sender.earlier {
            outcomes.push(Some(unless_failed(repeated(conn, policy, chat, earlier, post))?));
        } else if let Err(refusal) = authorize(chat, subject, Ability::Write) {
            outcomes.push(Some(Err(refusal.into())));
        } else {
            new.push(post.take_place(policy, chat));
            outcomes.push(None);
        }
    }
    let mut messages = store(conn, chats, new)?.into_iter();
    let mut stored = || messages.next().map(posted).ok_or_else(|| Refusal::Internal.into());
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(&mut stored)).collect())
}

/// Stores messages, and the rows of the chats that they changed. Returns the messages with their ids.
fn store(
    conn: &mut AnyConn,
    chats: &HashMap<ChatId, Chat>,
    mut new: Vec<NewMessage>,
) -> Result<Vec<Message>, StorageError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let changed: HashSet<ChatId> = new.iter().map(|new| new.message.chat).collect();
    let changed: Vec<&Chat> = changed.iter().filter_map(|chat| chats.get(chat)).collect();
    let ids = bulk_insert::store(conn, &new, &changed)?;
    for (new, id) in new.iter_mut().zip(ids) {
        new.message.id = id;
    }
    Ok(new.into_iter().map(|new| new.message).collect())
}
