//! Saving and removing drafts. They take no sequence number, since only their writers see them.

use std::collections::{HashMap, HashSet};

use super::{
    messages::Post,
    outcome::{Outcome, no_such},
};
use crate::{
    core::model::{
        Chat, ChatId, Draft, DraftChanged, FieldErrors, MessageId, NewDraft, Timestamp, UserId,
        event::{Answer, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError,
        queries::{membership, threads},
        tables::{
            drafts::{self, Place},
            messages,
        },
    },
};

/// Most drafts of a user, in all chats. Clients read all of them at once.
const MAX_DRAFTS: i64 = 500;

/// Saves the caller's draft of a thread; `None`: of the chat's timeline. An empty one removes it.
pub(crate) fn save(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    thread: Option<MessageId>,
    new: &NewDraft,
) -> Result<Done, StorageError> {
    membership::authorized(conn, chat, by, Ability::Write)?;
    expect_places(conn, chat, thread, new.reply_to)?;
    if new.is_empty() {
        return clear(conn, Place { chat, user: by, thread });
    }
    let existing = drafts::find(conn, chat, by, thread)?;
    let earliest = existing.as_ref().map_or(Timestamp(0), |draft| draft.updated_at);
    let draft = Draft {
        chat,
        thread,
        content: new.content.as_str().to_owned(),
        reply_to: new.reply_to,
        mentions: new.mentions.clone(),
        updated_at: Timestamp::now().max(earliest),
    };
    match existing {
        Some(known) if (Draft { updated_at: draft.updated_at, ..known.clone() }) == draft => {
            return Ok(Done::unchanged(Answer::Draft(Some(Box::new(known)))));
        }
        Some(_) => drafts::update(conn, by, &draft)?,
        None => {
            if drafts::count(conn, by)? >= MAX_DRAFTS {
                let sentence = format!("A user has no more than {MAX_DRAFTS} drafts.");
                return Err(FieldErrors::whole(sentence).into());
            }
            drafts::insert(conn, by, &draft)?;
        }
    }
    let answer = Answer::Draft(Some(Box::new(draft.clone())));
    let changed = DraftChanged { user: by, chat, thread, draft: Some(draft) };
    Ok(Done { drafts: vec![changed], ..Done::unchanged(answer) })
}

/// Removes the caller's draft of a thread. Also for members that may not write any more.
pub(crate) fn remove(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    thread: Option<MessageId>,
) -> Result<Done, StorageError> {
    membership::authorized(conn, chat, by, Ability::TakePart)?;
    expect_places(conn, chat, thread, None)?;
    clear(conn, Place { chat, user: by, thread })
}

fn clear(conn: &mut AnyConn, place: Place) -> Result<Done, StorageError> {
    let removed = drafts::remove(conn, &[place])?;
    let drafts = removed.into_iter().map(gone).collect();
    Ok(Done { drafts, ..Done::unchanged(Answer::Draft(None)) })
}

fn gone(Place { chat, user, thread }: Place) -> DraftChanged {
    DraftChanged { user, chat, thread, draft: None }
}

/// Checks that a thread and a quoted message are of the chat. The quoted one must not be deleted.
fn expect_places(
    conn: &mut AnyConn,
    chat: ChatId,
    thread: Option<MessageId>,
    reply_to: Option<MessageId>,
) -> Result<(), StorageError> {
    if let Some(thread) = thread
        && threads::root_in(conn, chat, thread)?.is_none()
    {
        return Err(no_such("thread", thread).into());
    }
    let Some(id) = reply_to else { return Ok(()) };
    match messages::in_chat(conn, chat, id)? {
        Some(message) if !message.is_deleted => Ok(()),
        _ => Err(no_such("reply_to", id).into()),
    }
}

/// Removes the drafts from which these messages were sent. `chats`: as they are in this transaction. Where their chats
/// have no drafts, it takes no statement.
pub(super) fn remove_sent(
    conn: &mut AnyConn,
    chats: &mut HashMap<ChatId, Chat>,
    posts: &[Post],
    outcomes: &mut [Outcome],
) -> Result<(), StorageError> {
    let has_drafts = |chat: ChatId| chats.get(&chat).is_some_and(|chat| chat.draft_count > 0);
    let is_new = |outcome: &Outcome| outcome.as_ref().is_ok_and(|done| done.event.is_some());
    let sent = posts.iter().zip(outcomes.iter());
    let sent = sent.filter(|(post, outcome)| has_drafts(post.chat) && is_new(outcome));
    let mut seen = HashSet::new();
    let places: Vec<Place> =
        sent.map(|(post, _)| place_of(post)).filter(|place| seen.insert(*place)).collect();
    if places.is_empty() {
        return Ok(());
    }
    for place in drafts::remove(conn, &places)? {
        if let Some(chat) = chats.get_mut(&place.chat) {
            chat.draft_count -= 1;
        }
        let mut sent = posts.iter().zip(outcomes.iter_mut());
        let first = sent.find(|(post, outcome)| place_of(post) == place && is_new(outcome));
        if let Some((_, Ok(done))) = first {
            done.drafts.push(gone(place));
        }
    }
    Ok(())
}

/// Returns the place of the draft from which a message is sent.
fn place_of(post: &Post) -> Place {
    Place { chat: post.chat, user: post.sender.id, thread: post.new.thread }
}
