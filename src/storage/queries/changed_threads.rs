//! What catch-up returns of threads: roots with their replies, and what changed for users who follow threads.

use std::collections::{BTreeMap, HashMap};

use super::threads;
use crate::{
    core::model::{
        Change, Chat, Event, Message, MessageId, Seq, UserId,
        event::{ChangedRoot, ThreadChange},
        threads::{OwnChange, OwnKind},
    },
    storage::{
        AnyConn, StorageError,
        tables::{follows, members, messages},
    },
};

/// Most changed threads that are returned. Above it the client reloads the chat.
const MAX_THREADS: i64 = 500;

/// Finds the roots of changed replies. A root that changed last by one of these replies becomes a part of that change,
/// since both have the same number. Returns the other messages, and the thread of each that is a reply, by its index.
pub(super) fn split_roots(
    conn: &mut AnyConn,
    chat: &Chat,
    (found, last_message): (Vec<Message>, &Option<Message>),
    is_new: &impl Fn(&Message) -> bool,
) -> Result<(Vec<Message>, HashMap<usize, ThreadChange>), StorageError> {
    let mut threads = HashMap::new();
    if found.iter().all(|message| message.thread.is_none()) {
        return Ok((found, threads));
    }
    // A reply and its root have the same number only if the root changed last by the reply.
    let by_reply: HashMap<(MessageId, Seq), ()> =
        found.iter().filter_map(|reply| Some(((reply.thread?, reply.seq), ()))).collect();
    let (roots, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|message| by_reply.contains_key(&(message.id, message.seq)));
    let mut roots: HashMap<MessageId, Message> = roots.into_iter().map(|root| (root.id, root)).collect();
    let mut infos: HashMap<MessageId, Option<String>> =
        roots.values().chain(&found).map(|root| (root.id, root.thread_info.clone())).collect();
    let missing = found.iter().filter_map(|reply| reply.thread).filter(|root| !infos.contains_key(root));
    let missing: Vec<i64> = missing.map(|root| root.0).collect();
    if !missing.is_empty() {
        let others = messages::with_ids(conn, &missing)?.into_iter().filter(|root| root.chat == chat.id);
        infos.extend(others.map(|root| (root.id, root.thread_info)));
    }
    for (number, reply) in found.iter().enumerate() {
        let Some(id) = reply.thread else { continue };
        let root = match roots.get(&id) {
            Some(root) if root.seq == reply.seq => roots.remove(&id),
            _ => None,
        };
        let root = root.map(|message| {
            let last_message = last_message.clone().filter(|_| message.is_deleted);
            Box::new(ChangedRoot { is_new: is_new(&message), message, last_message })
        });
        threads.insert(number, ThreadChange { info: infos.get(&id).cloned().flatten(), root });
    }
    Ok((found, threads))
}

/// Adds what changed for the listeners in the threads of a chat, with the number of the chat: their counts are those of
/// now, which all events before have led to. Returns false if that is too much.
pub(super) fn add(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
    listeners: &[UserId],
    events: &mut Vec<Event>,
) -> Result<bool, StorageError> {
    let changed = follows::changed(conn, chat.id, listeners, since, MAX_THREADS + 1)?;
    if changed.len() as i64 > MAX_THREADS {
        return Ok(false);
    }
    let mut own = Vec::new();
    for (user, root) in &changed {
        let joined_seq = members::joined_seq(conn, chat.id, *user)?;
        let Some(thread) = threads::root_in(conn, chat.id, *root)? else { continue };
        let Some(follow) = follows::find(conn, *root, *user, joined_seq)? else { continue };
        let kind = OwnKind::ThreadFollowed(threads::own_thread(conn, &thread, *user, &follow)?);
        own.push(OwnChange { user: *user, kind });
    }
    match events.last_mut() {
        _ if own.is_empty() => {}
        Some(last) if last.seq == chat.seq => last.own.extend(own),
        // The follows may have changed after the last event.
        _ => events.push(Event { own, ..Event::new(chat.id, chat.seq, Change::OwnOnly) }),
    }
    Ok(true)
}

/// Adds the posting of a root that has got replies since.
pub(super) fn split_root(
    created: &HashMap<MessageId, Seq>,
    thread: &mut ThreadChange,
    additions: &mut BTreeMap<Seq, Change>,
) {
    if let Some(root) = &mut thread.root
        && let Some(seq) = created.get(&root.message.id)
        && !root.message.is_deleted
    {
        root.is_new = false;
        let message = root.message.clone();
        additions.insert(*seq, Change::MessagePosted { message, thread: ThreadChange::default() });
    }
}

/// Returns whether an event is the change of the root of a reply whose posting has the same number.
pub(super) fn is_of_root(existing: &Change, addition: &Change) -> bool {
    match (existing, addition) {
        (Change::MessageEdited { message: root, .. }, Change::MessagePosted { message, .. }) => {
            message.thread == Some(root.id)
        }
        _ => false,
    }
}

/// Makes the change of a root a part of the posting of its reply.
pub(super) fn with_root(existing: &Change, mut addition: Change) -> Change {
    if let (Change::MessageEdited { message: root, .. }, Change::MessagePosted { thread, .. }) =
        (existing, &mut addition)
    {
        let root = ChangedRoot { message: root.clone(), is_new: false, last_message: None };
        thread.root = Some(Box::new(root));
    }
    addition
}
