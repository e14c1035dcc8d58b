//! Posting on PostgreSQL, where a statement is a round trip: one looks up all senders, and one stores all
//! messages with their chats.

use std::collections::{HashMap, HashSet};

use super::{
    decided::{is_decided, posted},
    messages::{Post, Poster, repeat_of},
    outcome::{Outcome, unless_failed},
    references::References,
    roots::Linked,
};
use crate::{
    core::model::{
        Attachment, Chat, ChatId, MessageId, Pos, Refusal, Role,
        event::Done,
        permission::{Ability, Subject, authorize},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        db::sql::sql,
        tables::{client_ids::Posted, messages::UnstoredMessage, sent_counts},
    },
};

/// Posts messages whose chats are locked and loaded.
pub(super) fn post_all(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chats: &mut HashMap<ChatId, Chat>,
    posts: &[Post],
) -> Result<Vec<Outcome>, StorageError> {
    let mut references = References::of(conn, posts)?;
    if let Some(outcomes) = post_decided(conn, policy, chats, posts, &mut references)? {
        return Ok(outcomes);
    }
    let is_dm = |post: &Post| chats.get(&post.chat).is_some_and(Chat::is_dm);
    let senders = sender_states(conn, posts, &posts.iter().map(is_dm).collect::<Vec<_>>())?;
    let (mut new, mut roles) = (Vec::with_capacity(posts.len()), Vec::with_capacity(posts.len()));
    let mut outcomes = Vec::with_capacity(posts.len());
    for (post, sender) in posts.iter().zip(senders) {
        let Some(chat) = chats.get_mut(&post.chat) else {
            outcomes.push(Some(Err(Refusal::NotFound.into())));
            continue;
        };
        let (role, is_blocked) = (sender.role, sender.is_blocked);
        let subject = Subject { role, is_blocked, is_guest: post.sender.is_guest, ..Subject::default() };
        if let Err(refusal) = authorize(chat, subject, Ability::TakePart) {
            outcomes.push(Some(Err(refusal.into())));
        } else if let Some(earlier) = &sender.earlier {
            outcomes.push(Some(unless_failed(repeat_of(conn, policy, chat, earlier, post))?));
        } else if let Err(refusal) = authorize(chat, subject, Ability::Write) {
            outcomes.push(Some(Err(refusal.into())));
        } else if post.new.concerns_all()
            && let Err(refusal) = authorize(chat, subject, Ability::MentionAll)
        {
            outcomes.push(Some(Err(refusal.into())));
        } else {
            let referred = match references.find(conn, policy, post) {
                Err(StorageError::Refused(refusal)) => {
                    outcomes.push(Some(Err(refusal.into())));
                    continue;
                }
                referred => referred?,
            };
            new.push(post.take_place(policy, chat, referred));
            roles.push(sender.role);
            outcomes.push(None);
        }
    }
    let mut stored = Vec::with_capacity(new.len());
    for (new, role) in store(conn, new, chats)?.into_iter().zip(roles) {
        let (message, linked) = references.link(conn, new)?;
        stored.push(chats.get(&message.chat).map(|chat| posted(message, linked, chat, role)));
    }
    references.roots.store(conn)?;
    let mut stored = stored.into_iter();
    let mut next = || stored.next().flatten().ok_or_else(|| Refusal::Internal.into());
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(&mut next)).collect())
}

/// Posts messages whose senders the chats' actors have permitted, without looking the senders up. `None` if a
/// decision does not hold any more, or if a message is a retry: nothing is stored then.
fn post_decided(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chats: &mut HashMap<ChatId, Chat>,
    posts: &[Post],
    references: &mut References,
) -> Result<Option<Vec<Outcome>>, StorageError> {
    let mut changed = HashMap::new();
    let mut new = Vec::with_capacity(posts.len());
    let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(posts.len());
    for post in posts {
        let Some(chat) = chats.get(&post.chat) else { return Ok(None) };
        if !is_decided(conn, post, chat)? {
            return Ok(None);
        }
        let referred = match references.find(conn, policy, post) {
            // It may be a retry of what was posted before the quoted message was deleted.
            Err(StorageError::Refused(_)) if post.new.client_id.is_some() => return Ok(None),
            Err(StorageError::Refused(refusal)) => {
                outcomes.push(Some(Err(refusal.into())));
                continue;
            }
            referred => referred?,
        };
        let chat = changed.entry(post.chat).or_insert_with(|| chat.clone());
        new.push(post.take_place(policy, chat, referred));
        outcomes.push(None);
    }
    let expected = new.len();
    let messages = store(conn, new, &changed)?;
    if messages.len() < expected {
        return Ok(None);
    }
    let mut stored = Vec::with_capacity(expected);
    for new in messages {
        let (message, Linked { thread, own, mentions_ignored }) = references.link(conn, new)?;
        stored.push(Ok(Done { mentions_ignored, ..Done::posted(message, thread, own) }));
    }
    references.roots.store(conn)?;
    let mut stored = stored.into_iter();
    let mut next = || stored.next().unwrap_or_else(|| Err(Refusal::Internal.into()));
    let outcomes = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(&mut next)).collect();
    chats.extend(changed);
    Ok(Some(outcomes))
}

/// What is stored about a sender and a chat before the post.
struct SenderState {
    /// `None` if the user is not in the chat.
    role: Option<Role>,
    /// Whether the chat is a dm and its other member has blocked the user.
    is_blocked: bool,
    /// The message already posted under the same client id.
    earlier: Option<Posted>,
}

type StandingRow = (Option<Role>, bool, Option<Pos>, Option<Vec<u8>>);

impl From<StandingRow> for SenderState {
    fn from((role, is_blocked, pos, content_hash): StandingRow) -> Self {
        Self { role, is_blocked, earlier: pos.map(|pos| Posted { pos, content_hash }) }
    }
}

/// Loads what is stored about each sender and its chat, in the given order. `are_dms`: whether each chat is a
/// dm.
fn sender_states(
    conn: &mut AnyConn,
    posts: &[Post],
    are_dms: &[bool],
) -> Result<Vec<SenderState>, StorageError> {
    let posters: Vec<Poster> = posts.iter().map(Post::poster).collect();
    let rows = sql!(
        // Each subquery is a key lookup, whatever the planner's statistics say.
        "SELECT (SELECT role FROM members m \
            WHERE m.chat_id = p.chat_id AND m.user_id = p.user_id AND m.left_seq IS NULL), \
         CASE WHEN p.is_dm = 1 THEN EXISTS (SELECT 1 FROM members o JOIN blocks b \
            ON b.blocker_id = o.user_id AND b.blocked_id = p.user_id WHERE o.chat_id = p.chat_id) ELSE FALSE END, \
         e.pos, e.content_hash \
         FROM unnest(?, ?, ?, ?) WITH ORDINALITY AS p (chat_id, user_id, client_id, is_dm, number) \
         LEFT JOIN LATERAL (SELECT pos, content_hash FROM messages \
            WHERE chat_id = p.chat_id AND sender_id = p.user_id AND client_id = p.client_id LIMIT 1) e ON TRUE \
         ORDER BY p.number",
        ids(posters.iter().map(|poster| poster.chat.0)),
        ids(posters.iter().map(|poster| poster.user.0)),
        posters.iter().map(|poster| poster.client_id).collect::<Vec<_>>(),
        ids(are_dms.iter().map(|is_dm| i64::from(*is_dm)))
    )
    .rows::<StandingRow>(conn)?;
    Ok(rows.into_iter().map(SenderState::from).collect())
}

/// Stores messages, and the chats that they changed. Returns the messages with their ids, which rise in the
/// given order. Stores nothing and returns none if one of them is a retry.
fn store(
    conn: &mut AnyConn,
    mut new: Vec<UnstoredMessage>,
    chats: &HashMap<ChatId, Chat>,
) -> Result<Vec<UnstoredMessage>, StorageError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let changed: HashSet<ChatId> = new.iter().map(|new| new.message.chat).collect();
    let changed: Vec<&Chat> = changed.iter().filter_map(|chat| chats.get(chat)).collect();
    let ids = insert(conn, &new, &changed)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let in_timeline = new.iter().map(|new| &new.message).filter(|message| message.is_in_timeline());
    sent_counts::record(conn, in_timeline.map(|message| (message.chat, message.pos)))?;
    for (new, id) in new.iter_mut().zip(ids) {
        new.message.id = id;
    }
    Ok(new)
}

fn insert(
    conn: &mut AnyConn,
    new: &[UnstoredMessage],
    chats: &[&Chat],
) -> Result<Vec<MessageId>, StorageError> {
    let messages = || new.iter().map(|new| &new.message);
    let forwarded = || messages().map(|message| message.forwarded_from.as_ref());
    let attachments: Vec<Option<String>> =
        messages().map(|message| Attachment::stored_list(&message.attachments)).collect();
    let stored = sql!(
        // The subquery with LIMIT is a key lookup, whatever the planner's statistics say.
        "WITH asked AS ( \
            SELECT n.* FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WITH ORDINALITY \
            AS n (chat_id, pos, sender_id, content, created_at, seq, client_id, content_hash, custom, reply_to, forwarded_sender_id, \
            forwarded_content, thread_id, mentions, attachments, number) \
         ), new AS ( \
            SELECT nextval('message_ids_id_seq') AS id, a.* FROM asked a WHERE NOT EXISTS ( \
                SELECT 1 FROM asked r CROSS JOIN LATERAL (SELECT 1 FROM messages m WHERE m.chat_id = r.chat_id \
                AND m.sender_id = r.sender_id AND m.client_id = r.client_id LIMIT 1) e) \
         ), placed AS ( \
            INSERT INTO message_ids (id, chat_id, pos) SELECT id, chat_id, pos FROM new \
         ), stored AS ( \
            INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
            is_deleted, created_seq, seq, client_id, content_hash, reactions, custom, reply_to, \
            forwarded_sender_id, forwarded_content, thread_id, mentions, attachments) \
            SELECT chat_id, pos, id, sender_id, content, created_at, created_at, FALSE, \
            FALSE, seq, seq, client_id, content_hash, '[]', custom, reply_to, \
            forwarded_sender_id, forwarded_content, thread_id, mentions, attachments FROM new \
         ), moved AS ( \
            UPDATE chats c SET updated_at = n.updated_at, seq = n.seq, last_pos = n.pos, last_live_pos = n.live_pos, \
            reply_count = n.replies FROM unnest(?, ?, ?, ?, ?, ?) AS n (id, updated_at, seq, pos, live_pos, replies) \
            WHERE c.id = n.id AND EXISTS (SELECT 1 FROM new) \
         ) SELECT id FROM new ORDER BY number",
        ids(messages().map(|message| message.chat.0)),
        ids(messages().map(|message| message.pos)),
        ids(messages().map(|message| message.sender.id.0)),
        messages().map(|message| Some(message.content.as_str())).collect::<Vec<_>>(),
        ids(messages().map(|message| message.created_at.0)),
        ids(messages().map(|message| message.seq)),
        messages().map(|message| message.client_id.as_deref()).collect::<Vec<_>>(),
        new.iter().map(|new| new.content_hash.as_deref()).collect::<Vec<_>>(),
        messages().map(|message| message.custom.stored()).collect::<Vec<_>>(),
        messages().map(|message| message.reply_to.as_ref().map(|quote| quote.id.0)).collect::<Vec<_>>(),
        forwarded().map(|forwarded| forwarded.map(|forwarded| forwarded.sender.id.0)).collect::<Vec<_>>(),
        forwarded().map(|forwarded| forwarded.map(|forwarded| forwarded.content.as_str())).collect::<Vec<_>>(),
        messages().map(|message| message.thread.map(|root| root.0)).collect::<Vec<_>>(),
        messages().map(|message| message.mentions.as_deref()).collect::<Vec<_>>(),
        attachments.iter().map(Option::as_deref).collect::<Vec<_>>(),
        ids(chats.iter().map(|chat| chat.id.0)),
        ids(chats.iter().map(|chat| chat.updated_at.0)),
        ids(chats.iter().map(|chat| chat.seq)),
        ids(chats.iter().map(|chat| chat.last_pos)),
        ids(chats.iter().map(|chat| chat.last_live_pos)),
        ids(chats.iter().map(|chat| chat.reply_count))
    )
    .rows::<MessageId>(conn)?;
    Ok(stored)
}

fn ids(values: impl Iterator<Item = i64>) -> Vec<i64> {
    values.collect()
}
