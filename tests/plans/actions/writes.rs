//! Write operations.

use std::{sync::Arc, time::Duration};

use diesel::connection::SimpleConnection;
use greenroom::{
    core::{
        model::{
            ChatId, ChatKind, Command, Contacts, Custom, CustomChange, GuestAccess, HostObject, NewDraft,
            NewMessage, Role, Timestamp, UserCard, UserId,
            command::{Action as Asked, MeChange, MessageEdit, NewChat, NewRoom, ReactIntent, UnreadMark},
            credential::{Credential, Origin},
            emoji::Emoji,
            mentions::{Mention, Mentions, NewMentions},
            text::{ClientId, DraftText, MessageBody, Title, Username},
        },
        text_index::Words,
    },
    storage::{
        AnyConn, StorageError,
        commands::{
            self, Batched, Made, Times, apply, apply_together, blocking, create_chat, create_room,
            external_users::{ProvidedProfile, take_profile},
            succession,
            user_import::{self, ImportedHash, UserLine},
        },
        maintenance::{purge, sweeping},
        message_search::{
            horizon::Horizon,
            indexer::{self, Indexer, Progress},
            pages::{RequestedPage as Where, SearchRequest, page},
        },
        tables::{
            blocks, chats, dm_partners, event_cursors, external_users, foreign_hashes, guests, join_counts,
            locks::{self, LockedRows},
            members, messages, reactions, revocations, sessions, settings,
            sightings::{self, Sighting},
            tokens, user_custom,
            users::{self, NO_PASSWORD, NewUser},
        },
    },
};

use super::{Action, policy, policy_of_contacts, threads, writes};
use crate::world::*;

pub(super) fn all() -> Vec<Action> {
    let mut all = of_messages();
    all.extend(of_chats());
    all.extend(of_members());
    all.extend(of_users());
    all.extend(of_upkeep());
    all
}

fn ask(conn: &mut AnyConn, chat: ChatId, by: UserId, action: Asked) -> Result<(), StorageError> {
    apply(conn, &policy(), &Command { chat, by, action }).map(drop)
}

pub(super) fn post_by(user: UserId, client_id: Option<&str>) -> Asked {
    let sender = UserCard {
        id: user,
        username: format!("user{user}"),
        display_name: format!("User {user}"),
        avatar_url: None,
        is_guest: false,
    };
    Asked::PostMessage {
        sender: Arc::new(sender),
        new: NewMessage {
            client_id: client_id.map(|id| ClientId::parse(id).unwrap()),
            ..MessageBody::parse("hello").unwrap().into()
        },
    }
}

/// Replies in the long thread, and mentions the sender of all messages.
fn reply_by(user: UserId) -> Asked {
    let mut action = post_by(user, None);
    if let Asked::PostMessage { new, .. } = &mut action {
        new.thread = Some(ROOT);
        let users = vec![Mention { id: TALKER, at: None }];
        let mentions = Mentions { users, ..Mentions::default() };
        new.mentions = Some(Box::new(NewMentions { mentions, connected: Vec::new() }));
    }
    action
}

fn change() -> CustomChange {
    CustomChange::parse(r#"{"order": 17, "open": true}"#).unwrap()
}

fn data() -> Custom {
    Custom::default().merge(&change()).unwrap()
}

fn of_messages() -> Vec<Action> {
    vec![
        writes("post, for the first time", |conn, _| {
            ask(conn, HISTORY, SILENT, post_by(SILENT, Some("new")))
        }),
        writes("post again", |conn, _| ask(conn, HISTORY, TALKER, post_by(TALKER, None))),
        writes("post in a room", |conn, _| ask(conn, SQUARE, SILENT, post_by(SILENT, Some("new")))),
        writes("post in a group that many left", |conn, _| ask(conn, EMPTIED, SILENT, post_by(SILENT, None))),
        writes("post in a dm", |conn, _| ask(conn, FIRST_DM, POPULAR, post_by(POPULAR, None))),
        writes("post until a block of counted messages is complete", |conn, _| {
            (0..16).try_for_each(|_| ask(conn, HISTORY, TALKER, post_by(TALKER, None)))
        }),
        writes("post together", |conn, _| {
            let commands: Vec<Command> = [HISTORY, DELETED, CHANGED, SQUARE, EMPTIED]
                .map(|chat| Command { chat, by: SILENT, action: post_by(SILENT, Some("x")) })
                .into();
            let undecided = |command| Batched { command, decided_at: None };
            let commands: Vec<Batched> = commands.iter().map(undecided).collect();
            apply_together(conn, &policy(), &commands, LockedRows::Wait, &mut Times::default())?;
            let nowhere = Command { chat: ChatId(999), by: SILENT, action: post_by(SILENT, None) };
            let commands = [commands[0], commands[1], undecided(&nowhere)];
            apply_together(conn, &policy(), &commands, LockedRows::SkipLocked, &mut Times::default())
                .map(drop)
        }),
        writes("edit an old message", |conn, world| {
            let edit = MessageEdit {
                body: MessageBody::parse("better").ok(),
                custom: Some(change()),
                ..MessageEdit::default()
            };
            ask(conn, HISTORY, TALKER, Asked::EditMessage { message: world.message(HISTORY, 5), edit })
        }),
        writes("forward and quote a message", |conn, world| {
            let mut action = post_by(SILENT, Some("copy"));
            if let Asked::PostMessage { new, .. } = &mut action {
                new.forward = Some(world.message(HISTORY, 7));
                new.reply_to = Some(world.message(HISTORY, 8));
            }
            ask(conn, HISTORY, SILENT, action)
        }),
        writes("pin and unpin a message", |conn, world| {
            for is_pinned in [true, false] {
                let message = world.message(HISTORY, 50);
                ask(conn, HISTORY, TALKER, Asked::Pin { message, is_pinned })?;
            }
            Ok(())
        }),
        writes("save and remove a draft", |conn, world| {
            let thread = Some(world.message(HISTORY, 50));
            for text in ["one", "two", ""] {
                let draft = NewDraft {
                    content: DraftText::parse(text).unwrap(),
                    reply_to: thread,
                    mentions: Mentions::default(),
                };
                ask(conn, HISTORY, SILENT, Asked::SaveDraft { thread, draft })?;
            }
            ask(conn, HISTORY, SILENT, Asked::RemoveDraft { thread })
        }),
        writes("send a draft", |conn, _| {
            let draft = NewDraft {
                content: DraftText::parse("one").unwrap(),
                reply_to: None,
                mentions: Mentions::default(),
            };
            ask(conn, HISTORY, SILENT, Asked::SaveDraft { thread: None, draft })?;
            ask(conn, HISTORY, SILENT, post_by(SILENT, None))
        }),
        writes("delete a pinned message", |conn, world| {
            ask(conn, HISTORY, TALKER, Asked::DeleteMessage { message: world.message(HISTORY, 10) })
        }),
        writes("delete the newest message", |conn, world| {
            let message = world.message(HISTORY, world.messages);
            ask(conn, HISTORY, TALKER, Asked::DeleteMessage { message })
        }),
        writes("delete the last message that is left", |conn, world| {
            ask(conn, DELETED, TALKER, Asked::DeleteMessage { message: world.message(DELETED, 1) })
        }),
        writes("delete a message with many reactions", |conn, world| {
            ask(conn, REACTED, TALKER, Asked::DeleteMessage { message: world.message(REACTED, 1) })
        }),
        writes("react to a message with many reactions", |conn, world| {
            react(conn, REACTED, SILENT, world, "👍")?;
            react(conn, REACTED, SILENT, world, "👍")?;
            react(conn, REACTED, SILENT, world, "🎉")
        }),
        writes("mark everything as read without own messages", |conn, _| {
            ask(conn, HISTORY, SILENT, Asked::MarkAsRead { up_to: None })
        }),
        writes("mark up to a message as read", |conn, world| {
            let up_to = Some(world.message(HISTORY, world.messages / 2));
            ask(conn, HISTORY, SILENT, Asked::MarkAsRead { up_to })
        }),
        writes("mark deleted messages as read", |conn, world| {
            let up_to = Some(world.message(DELETED, world.messages / 2));
            ask(conn, DELETED, SILENT, Asked::MarkAsRead { up_to })
        }),
        writes("mark a room as read", |conn, _| ask(conn, SQUARE, SILENT, Asked::MarkAsRead { up_to: None })),
        writes("mark as unread", |conn, world| {
            let change = MeChange {
                unread_mark: Some(UnreadMark::From(world.message(HISTORY, 5))),
                ..MeChange::default()
            };
            ask(conn, HISTORY, SILENT, Asked::ChangeMe(change))
        }),
    ]
}

fn react(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    world: &World,
    emoji: &str,
) -> Result<(), StorageError> {
    let (message, emoji) = (world.message(chat, 1), Emoji::parse(emoji).unwrap());
    ask(conn, chat, by, Asked::React { message, emoji, intent: ReactIntent::Toggle })
}

fn of_chats() -> Vec<Action> {
    vec![
        writes("rename a chat", |conn, _| {
            ask(conn, HISTORY, TALKER, Asked::Rename { title: Some(Title::parse("New").unwrap().unwrap()) })
        }),
        writes("rename a room", |conn, _| {
            ask(conn, SQUARE, TALKER, Asked::Rename { title: Some(Title::parse("New").unwrap().unwrap()) })
        }),
        writes("make a dm", |conn, _| make(conn, ChatKind::Dm, SILENT, &[STRANGER])),
        writes("make a group", |conn, _| make(conn, ChatKind::Group, CROWDED, &[TALKER, SILENT, POPULAR])),
        writes("make a dm by a user whom many block", |conn, _| {
            make(conn, ChatKind::Dm, BLOCKED, &[STRANGER])
        }),
        writes("make a group by a user who blocks many", |conn, _| {
            make(conn, ChatKind::Group, BLOCKER, &[TALKER, SILENT])
        }),
        writes("make a room", |conn, _| {
            let object = Some(HostObject { kind: "page".to_owned(), id: "new".to_owned() });
            let title = Title::parse("Room").unwrap().unwrap();
            create_room(
                conn,
                &policy(),
                &NewRoom {
                    title,
                    is_public: true,
                    object,
                    creator: SILENT,
                    guest_access: Default::default(),
                    custom: data(),
                },
            )
            .map(drop)
        }),
        writes("open a room", |conn, _| {
            let title = Title::parse("Room").unwrap().unwrap();
            let room = NewRoom {
                title,
                is_public: false,
                object: None,
                creator: STAFF,
                guest_access: Default::default(),
                custom: data(),
            };
            match create_room(conn, &policy(), &room)? {
                Made::New { snapshot, .. } => {
                    ask(conn, snapshot.chat.id, STAFF, Asked::Open { is_public: true })
                }
                Made::Existing(_) => unreachable!("it is on no object"),
            }
        }),
        writes("change a chat's custom data", |conn, _| {
            ask(conn, HISTORY, TALKER, Asked::ChangeCustom(change()))?;
            ask(conn, HISTORY, TALKER, Asked::ChangeCustom(CustomChange::parse("null").unwrap()))
        }),
        writes("delete a group", |conn, _| ask(conn, HISTORY, TALKER, Asked::DeleteChat)),
        writes("delete a room", |conn, _| ask(conn, SQUARE, TALKER, Asked::DeleteChat)),
        writes("delete a dm", |conn, _| ask(conn, FIRST_DM, UserId(ALIKE + 1), Asked::DeleteChat)),
        writes("leave one of many chats", |conn, _| ask(conn, FIRST_OF_CROWDED, CROWDED, Asked::Leave)),
    ]
}

fn make(conn: &mut AnyConn, kind: ChatKind, creator: UserId, members: &[UserId]) -> Result<(), StorageError> {
    let members = members.to_vec();
    create_chat(conn, &policy(), &NewChat { kind, title: None, creator, members, custom: data() }).map(drop)
}

fn of_members() -> Vec<Action> {
    vec![
        writes("join a room", |conn, _| ask(conn, SQUARE, STRANGER, Asked::Join)),
        writes("join a room again", |conn, _| ask(conn, SQUARE, UserId(ALIKE + 1), Asked::Join)),
        writes("add members who were there", |conn, _| {
            let users: Vec<UserId> = (1..60).map(|number| UserId(ALIKE + number)).collect();
            ask(conn, SQUARE, TALKER, Asked::AddMembers { users })
        })
        .at_most(25_000, "the added members"),
        writes("add members to a group that many left", |conn, _| {
            let users: Vec<UserId> = (1..60).map(|number| UserId(ALIKE + number)).collect();
            ask(conn, EMPTIED, TALKER, Asked::AddMembers { users })
        })
        .at_most(25_000, "the added members"),
        writes("add members where contacts count", |conn, _| {
            let command = Command {
                chat: FIRST_OF_CROWDED,
                by: TALKER,
                action: Asked::AddMembers { users: vec![SILENT, POPULAR] },
            };
            apply(conn, &policy_of_contacts(Contacts::SharedChat), &command).map(drop)
        })
        .grows_with("the chats that the caller is in"),
        writes("remove a member", |conn, _| ask(conn, SQUARE, TALKER, Asked::RemoveMember { user: SILENT })),
        writes("leave, as the only admin", |conn, _| ask(conn, EMPTIED, TALKER, Asked::Leave)),
        writes("leave a room, as the only admin", |conn, _| ask(conn, SQUARE, TALKER, Asked::Leave)),
        writes("make an admin, and a member", |conn, _| {
            ask(conn, EMPTIED, TALKER, Asked::ChangeRole { user: SILENT, role: Role::Admin })?;
            ask(conn, EMPTIED, TALKER, Asked::ChangeRole { user: SILENT, role: Role::Member })?;
            ask(conn, SQUARE, TALKER, Asked::ChangeRole { user: SILENT, role: Role::Admin })
        }),
        writes("raise join counts", |conn, _| join_counts::raise(conn, &[TALKER, SILENT]).map(drop)),
    ]
}

fn of_users() -> Vec<Action> {
    vec![
        writes("make a user", |conn, _| users::create(conn, &new_user("zoe")).map(drop)),
        writes("find a user or make one", |conn, _| {
            users::find_or_create(conn, &new_user("alex17"))?;
            users::find_or_create(conn, &new_user("zoe")).map(drop)
        }),
        writes("change a user", |conn, _| {
            let mut user = users::find_for_update(conn, TALKER)?.unwrap();
            user.first_name = "Other".to_owned();
            users::update(conn, &user)?;
            users::rehash(conn, TALKER, "!", "?")
        }),
        writes("change a user's custom data", |conn, _| {
            user_custom::set(conn, TALKER, &data())?;
            user_custom::set(conn, TALKER, &Custom::default())
        }),
        writes("make a guest, and prolong the key", |conn, _| {
            commands::guests::create(conn, "Vera", "guest-key")?;
            guests::record_visit(conn, "guest-key", Timestamp::now().plus(1)).map(drop)
        }),
        writes("take over a guest", |conn, _| {
            let guest = commands::guests::create(conn, "Vera", "claimed-key")?.id();
            ask(conn, HISTORY, TALKER, Asked::AddMembers { users: vec![guest] })?;
            threads::mention(conn, &[guest])?;
            threads::mention(conn, &[guest, SILENT])?;
            (0..20).try_for_each(|_| ask(conn, HISTORY, guest, post_by(guest, None)))?;
            (0..20).try_for_each(|_| ask(conn, HISTORY, guest, reply_by(guest)))?;
            let chat = chats::find(conn, HISTORY)?.unwrap();
            let message = messages::last_id(conn, &chat)?.unwrap();
            ask(conn, HISTORY, guest, Asked::DeleteMessage { message })?;
            make(conn, ChatKind::Group, TALKER, &[guest])?;
            make(conn, ChatKind::Dm, guest, &[STAFF])?;
            make(conn, ChatKind::Dm, SILENT, &[STAFF])?;
            blocking::block(conn, &policy(), STAFF, guest)?;
            assert_eq!(commands::guests::claim(conn, "claimed-key", SILENT)?, guest);
            while let Some(chat) = commands::guests::next_chat(conn, guest)? {
                ask(conn, chat, SILENT, Asked::TakeOver { guest })?;
            }
            Ok(())
        })
        .at_most(42_000, "the statements of twenty posts, of twenty replies and of all steps"),
        writes("remove a guest", |conn, _| commands::guests::remove_outdated(conn).map(drop)),
        writes("open a room to guests", |conn, _| {
            ask(conn, SQUARE, TALKER, Asked::ChangeGuestAccess(GuestAccess::Write))
        }),
        writes("take the profile of a token", |conn, _| {
            let mut profile = ProvidedProfile {
                external_id: "external-2".to_owned(),
                issued_at: Some(Timestamp(9)),
                first_name: Some("Other".to_owned()),
                ..ProvidedProfile::default()
            };
            take_profile(conn, &profile)?;
            profile.external_id = "new-external".to_owned();
            take_profile(conn, &profile).map(drop)
        }),
        writes("revoke tokens of a user", |conn, _| {
            external_users::revoke_tokens(conn, TALKER, Timestamp(9))
        }),
        writes("import users", |conn, _| {
            let hash = ImportedHash { hash: "scrypt$".to_owned(), cost: Duration::from_millis(600) };
            let line = |name: &str, id: &str| UserLine {
                username: Some(Username::parse(name).unwrap()),
                password: Some(hash.clone()),
                external_id: Some(id.to_owned()),
                ..UserLine::default()
            };
            let lines = [line("zoe", "1"), line("alex17", "2"), line("zoe", "1")];
            assert_eq!(user_import::import(conn, &lines)?.len(), lines.len());
            let deactivated = UserLine { is_active: Some(false), ..lines[1].clone() };
            user_import::import(conn, &[deactivated]).map(drop)
        }),
        writes("record the slowest hash", |conn, _| {
            foreign_hashes::raise(conn, Duration::from_secs(1))?;
            let recorded = foreign_hashes::recorded(conn)?.unwrap();
            foreign_hashes::replace(conn, &recorded, Duration::ZERO)
        }),
        writes("deactivate a user", |conn, _| deactivate(conn, SILENT)),
        writes("deactivate a user in many chats", |conn, _| deactivate(conn, CROWDED)),
        writes("hand over chats of a deactivated user", |conn, _| {
            deactivate(conn, CROWDED)?;
            succession::step(conn, None)?;
            succession::step(conn, Some(CROWDED))?;
            deactivate(conn, SILENT)?;
            succession::left(conn)?;
            succession::step(conn, Some(SILENT)).map(drop)
        }),
        writes("chats still to be handed over", |conn, _| {
            deactivate(conn, CROWDED)?;
            succession::pending(conn).map(drop)
        })
        .grows_with("the chats of deactivated users, for the check"),
        writes("deactivate staff", |conn, _| deactivate(conn, STAFF)).grows_with("staff"),
        writes("chats without admins", |conn, _| {
            let ids = succession::unattended(conn)?;
            succession::settle(conn, &ids)
        })
        .grows_with("chats, once at the start"),
        writes("block and unblock", |conn, _| {
            blocking::block(conn, &policy(), SILENT, TALKER)?;
            blocks::unblock(conn, SILENT, TALKER)?;
            blocking::block(conn, &policy(), BLOCKER, POPULAR)?;
            blocking::block(conn, &policy(), POPULAR, UserId(ALIKE + 1)).map(drop)
        }),
        writes("whether one is blocked", |conn, _| {
            blocks::expect_no_block(conn, BLOCKED, TALKER)?;
            blocks::expect_none(conn, BLOCKED, &[TALKER, SILENT, POPULAR])?;
            blocks::expect_none(conn, BLOCKER, &[TALKER, SILENT, POPULAR])
        }),
        writes("begin and end a session", |conn, _| {
            let origin = Origin { address: String::new(), user_agent: String::new() };
            sessions::create(conn, "fresh", SILENT, "!", &origin, 1_000_000)?;
            sessions::renew(conn, "fresh")?;
            sessions::end(conn, "fresh").map(drop)
        })
        .grows_with("own sessions, of which there are few"),
        writes("end a session by its id", |conn, _| {
            let id = greenroom::core::model::SessionId::of("new17");
            sessions::end_one(conn, SILENT, id).map(drop)
        })
        .grows_with("own sessions"),
        writes("end all sessions", |conn, _| sessions::end_all(conn, SILENT, None))
            .grows_with("own sessions"),
        writes("begin one session too many", |conn, _| {
            let origin = Origin { address: String::new(), user_agent: String::new() };
            sessions::create(conn, "fresh", SILENT, "!", &origin, 100).map(drop)
        })
        .grows_with("own sessions, of which there are few"),
        writes("make and revoke a token", |conn, _| {
            let token = tokens::create(conn, SILENT, "fresh", None)?;
            tokens::revoke(conn, SILENT, token).map(drop)
        }),
        writes("revoke all tokens", |conn, _| {
            tokens::revoke_others(conn, SILENT, Some("new17"))?;
            tokens::revoke_all(conn, SILENT)
        })
        .grows_with("own tokens"),
        writes("note credentials in use", |conn, _| {
            let origin = || Origin { address: "x".to_owned(), user_agent: "y".to_owned() };
            let sighting = |is_of_guest| Sighting { at: Timestamp(5), origin: Some(origin()), is_of_guest };
            let seen = [
                (Credential::Session("new17".to_owned()), sighting(false)),
                (Credential::Token("new17".to_owned()), sighting(true)),
            ];
            sightings::store(conn, &seen)
        }),
        writes("note users seen", |conn, _| {
            dm_partners::seen(conn, &[(TALKER, Timestamp(9)), (SILENT, Timestamp(9))])
        }),
        writes("save a cursor", |conn, _| event_cursors::save(conn, "fresh", SILENT, "1.1", Timestamp(9))),
        writes("note an ended credential", |conn, _| {
            revocations::record(conn, SILENT)?;
            revocations::record_cli_change(conn, SILENT, "deed")
        }),
        writes("settings of a server", |conn, _| {
            settings::get_or_create(conn, "new", || "value".to_owned())?;
            settings::note_write(conn)
        }),
    ]
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        username: Username::parse(name).unwrap(),
        password: NO_PASSWORD.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        avatar_url: String::new(),
        is_staff: false,
        is_registered: false,
    }
}

fn deactivate(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    let mut held = succession::lock_for_status_change(conn, user)?.unwrap();
    succession::change_standing(conn, &mut held, false)
}

fn of_upkeep() -> Vec<Action> {
    vec![
        writes("sweep", |conn, _| sweeping::step(conn).map(drop)),
        writes("sweep each kind", |conn, _| {
            sessions::sweep(conn)?;
            tokens::sweep(conn)?;
            event_cursors::sweep(conn)?;
            revocations::sweep(conn).map(drop)
        }),
        writes("clear out reactions of a deleted message", |conn, world| {
            ask(conn, REACTED, TALKER, Asked::DeleteMessage { message: world.message(REACTED, 1) })?;
            purge::step(conn).map(drop)
        }),
        writes("clear out all reactions of a deleted message", |conn, world| {
            ask(conn, REACTED, TALKER, Asked::DeleteMessage { message: world.message(REACTED, 1) })?;
            while reactions::clear_left(conn)? {}
            Ok(())
        })
        .grows_with("the reactions, in steps"),
        writes("clear out some of a deleted chat", |conn, _| purge::step(conn).map(drop)),
        writes("clear out a deleted chat", |conn, _| {
            ask(conn, FIRST_OF_CROWDED, TALKER, Asked::DeleteChat)?;
            purge::step(conn)?;
            purge::step(conn).map(drop)
        }),
        writes("clear out all deleted chats", |conn, _| {
            while purge::step(conn)? {}
            Ok(())
        })
        .at_most(
            3_000_000,
            "their rows, in steps: in one transaction each finds what the earlier ones deleted",
        ),
        writes("lock what others may need", |conn, _| {
            locks::users(conn, &[TALKER, SILENT])?;
            locks::search_index(conn)?;
            locks::try_lock_search_index(conn).map(drop)
        }),
        writes("whether a user is in a chat", |conn, _| members::is_in(conn, SQUARE, SILENT).map(drop)),
        writes("store a segment of the index", |conn, _| {
            let settled = Horizon::default().advance(conn)?;
            let mut indexer = Indexer::begin(conn)?;
            let segment = match indexer.read(conn, settled)? {
                Progress::Full(segment) => Some(segment),
                _ => indexer::rebuild_changed(conn, true)?,
            };
            if let Some(segment) = segment {
                let mut begin = Some(0);
                while let Some(next) = begin {
                    begin = segment.store(conn, next)?;
                }
                segment.publish(conn)?;
                segment.delete_changes(conn, 0)?;
            }
            Ok(())
        })
        .at_most(1_500_000, "one segment, and ten thousand changes"),
        writes("search messages while nothing is indexed", |conn, _| {
            conn.batch_execute("DELETE FROM search_segments")?;
            let question = SearchRequest {
                words: Words::of("about word7").unwrap(),
                has_file: false,
                chat: None,
                after: 0,
                page: Where::From { skip: 0, size: 20 },
            };
            page(conn, &policy(), STRANGER, &question).map(drop)
        })
        .at_most(1_700_000, "what one search may cost"),
        writes("purge a segment of the index", |conn, _| indexer::clear(conn, 1).map(drop)),
    ]
}
