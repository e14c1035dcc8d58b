//! Operations on threads and mentions.

use greenroom::{
    core::model::{
        Command, MessageId, UserId,
        command::{Action as Asked, MessageEdit},
        mentions::{Mention, Mentions, NewMentions},
    },
    storage::{
        AnyConn, ChatCache, StorageError,
        commands::apply,
        queries::{
            changes_since, mentions,
            threads::{self, Split},
            unread_overview,
        },
        tables::{chats, positions, threads as heads},
    },
};

use super::{Action, policy, reads, writes, writes::post_by};
use crate::world::*;

const OWN_THREADS: &str = "the threads that the caller follows";
const OWN_MENTIONS: &str = "the messages that mention the caller";

pub(super) fn all() -> Vec<Action> {
    let mut all = of_readers();
    all.extend(of_writers());
    all
}

fn of_readers() -> Vec<Action> {
    vec![
        reads("a page of a long thread", |conn, world| {
            let (chat, thread) = (chats::find(conn, HISTORY)?.unwrap(), heads::find(conn, ROOT)?.unwrap());
            let pos = heads::count_before(conn, &thread, world.reply(500).0)?;
            let cache = ChatCache::new(policy());
            let cache = cache.at_snapshot(conn)?;
            cache.replies(conn, &chat, ROOT, pos..=pos + 49).map(drop)
        }),
        reads("a page of all messages", |conn, world| {
            let chat = chats::find(conn, HISTORY)?.unwrap();
            let end = Split::before(conn, &chat, world.message(HISTORY, 500).0)?;
            threads::split_at(conn, &chat, end, end.total() - 50)?;
            positions::count_replies_before(conn, &chat, world.reply(500).0).map(drop)
        }),
        reads("one thread", |conn, _| threads::one(conn, SILENT, ROOT).map(drop)),
        reads("threads of a user", |conn, _| {
            let (_, rows) = threads::page(conn, CROWDED, false, 0, 50)?;
            ChatCache::new(policy()).threads(conn, CROWDED, rows).map(drop)
        })
        .grows_with(OWN_THREADS),
        reads("unread threads of a user", |conn, _| threads::page(conn, CROWDED, true, 0, 50).map(drop))
            .grows_with(OWN_THREADS),
        reads("all that is unread", |conn, _| unread_overview::of_user(conn, CROWDED).map(drop))
            .grows_with(OWN_THREADS),
        reads("what is unread in one chat", |conn, _| {
            threads::unread_in_chat(conn, SILENT, HISTORY).map(drop)
        }),
        reads("mentions of a user", |conn, _| {
            mentions::page(conn, &policy(), SILENT, false, 0, 50).map(drop)
        })
        .grows_with(OWN_MENTIONS),
        reads("unread mentions of a user", |conn, _| {
            mentions::page(conn, &policy(), SILENT, true, 0, 50).map(drop)
        })
        .grows_with(OWN_MENTIONS),
        reads("unread mentions of connected members", |conn, _| {
            let chat = chats::find(conn, HISTORY)?.unwrap();
            mentions::unread_of_members(conn, HISTORY, chat.seq, &[SILENT.0, TALKER.0]).map(drop)
        }),
    ]
}

fn named(users: &[UserId]) -> Mentions {
    let users = users.iter().map(|id| Mention { id: *id, at: None }).collect();
    Mentions { users, ..Mentions::default() }
}

fn post(
    conn: &mut AnyConn,
    by: UserId,
    (thread, also_in_chat): (Option<MessageId>, bool),
    mentions: Option<Mentions>,
) -> Result<(), StorageError> {
    let mut action = post_by(by, None);
    if let Asked::PostMessage { new, .. } = &mut action {
        (new.thread, new.also_in_chat) = (thread, also_in_chat);
        let connected = vec![SILENT, TALKER];
        new.mentions = mentions.map(|mentions| Box::new(NewMentions { mentions, connected }));
    }
    ask(conn, by, action)
}

/// Posts a message that mentions users.
pub(super) fn mention(conn: &mut AnyConn, users: &[UserId]) -> Result<(), StorageError> {
    post(conn, TALKER, (None, false), Some(named(users)))
}

fn ask(conn: &mut AnyConn, by: UserId, action: Asked) -> Result<(), StorageError> {
    apply(conn, &policy(), &Command { chat: HISTORY, by, action }).map(drop)
}

fn mentioning(message: MessageId, mentions: Mentions) -> Asked {
    let new = NewMentions { mentions, connected: Vec::new() };
    Asked::EditMessage {
        message,
        edit: MessageEdit { mentions: Some(Box::new(new)), ..MessageEdit::default() },
    }
}

fn of_writers() -> Vec<Action> {
    vec![
        writes("reply in a long thread", |conn, _| {
            (0..16).try_for_each(|_| post(conn, SILENT, (Some(ROOT), false), None))
        }),
        writes("reply in a new thread, mentioning a member", |conn, world| {
            post(conn, SILENT, (Some(world.message(HISTORY, 60)), true), Some(named(&[TALKER])))
        }),
        writes("mention everyone, then nobody", |conn, world| {
            let everyone = Mentions { everyone: true, ..Mentions::default() };
            post(conn, TALKER, (None, false), Some(everyone.clone()))?;
            let message = world.message(HISTORY, 70);
            ask(conn, TALKER, mentioning(message, everyone))?;
            ask(conn, TALKER, mentioning(message, Mentions::default()))
        }),
        writes("a backfill after an edit", |conn, world| {
            let since = chats::find(conn, HISTORY)?.unwrap().seq;
            ask(conn, TALKER, mentioning(world.message(HISTORY, 70), named(&[SILENT])))?;
            changes_since::backfill(conn, &policy(), HISTORY, since, &[TALKER, SILENT]).map(drop)
        }),
        writes("mention who is connected", |conn, _| {
            post(conn, TALKER, (None, false), Some(Mentions { here: true, ..Mentions::default() }))
        }),
        writes("mention a member in an old reply", |conn, world| {
            ask(conn, TALKER, mentioning(world.reply(500), named(&[SILENT])))?;
            ask(conn, TALKER, Asked::DeleteMessage { message: world.reply(500) })
        }),
        writes("mention a member in a reply from before the member joined", |conn, world| {
            ask(conn, TALKER, Asked::AddMembers { users: vec![STRANGER] })?;
            ask(conn, TALKER, mentioning(world.reply(500), named(&[STRANGER])))
        }),
        writes("delete the first of two replies, which are far apart", |conn, _| {
            let newcomer = UserId(ALIKE + 1);
            ask(conn, TALKER, Asked::AddMembers { users: vec![newcomer] })?;
            post(conn, newcomer, (Some(ROOT), false), None)?;
            let message = heads::find(conn, ROOT)?.unwrap().last_reply;
            (0..32).try_for_each(|_| post(conn, TALKER, (Some(ROOT), false), None))?;
            post(conn, newcomer, (Some(ROOT), false), None)?;
            ask(conn, newcomer, Asked::DeleteMessage { message })
        }),
        writes("delete the first reply", |conn, world| {
            ask(conn, TALKER, Asked::DeleteMessage { message: world.reply(1) })
        }),
        writes("delete the last reply", |conn, world| {
            let last = heads::find(conn, ROOT)?.map_or(1, |thread| thread.last_pos);
            ask(conn, TALKER, Asked::DeleteMessage { message: world.reply(last) })
        }),
        writes("follow and stop following", |conn, world| {
            let root = world.message(HISTORY, 80);
            for is_followed in [true, false] {
                ask(conn, SILENT, Asked::FollowThread { root, is_followed })?;
                ask(conn, SILENT, Asked::FollowThread { root: ROOT, is_followed: !is_followed })?;
            }
            Ok(())
        }),
        writes("mark a thread as read", |conn, world| {
            ask(conn, SILENT, Asked::MarkThreadAsRead { root: ROOT, up_to: Some(world.reply(500)) })?;
            ask(conn, SILENT, Asked::MarkThreadAsRead { root: ROOT, up_to: None })
        }),
    ]
}
