//! Read operations.

use greenroom::{
    core::{
        model::{
            ChatKind, Contacts, HostObject, Pos, Timestamp, UserId, permission::Ability, text::Username,
        },
        text_index::{Matching, Words},
    },
    storage::{
        AnyConn, ChatCache, StorageError,
        message_search::{
            horizon::Horizon,
            indexer::{self, Indexer},
            pages::{RequestedPage, SearchRequest, page},
        },
        queries::{
            changes_since,
            chat_list::{self, ChatFilter},
            chat_snapshot, contact_policy, member_search, membership, pinned_messages,
            rooms::{self, RoomFilter},
            unread,
            user_list::{self, UserFilter},
            user_search,
        },
        tables::{
            blocks, chats, custom_values::CustomFilter, dm_partners, drafts, event_cursors, external_users,
            foreign_hashes, join_counts, members, message_versions, messages, positions, quotes, revocations,
            sessions, settings, tokens, user_custom, users,
        },
    },
};

use super::{Action, policy, policy_of_contacts, reads};
use crate::world::*;

const PAGE: i64 = 50;

pub(super) fn all() -> Vec<Action> {
    let mut all = of_chats();
    all.extend(of_messages());
    all.extend(of_members());
    all.extend(of_people());
    all.extend(of_searches());
    all
}

fn list(conn: &mut AnyConn, user: UserId, filter: &ChatFilter, skip: i64) -> Result<(), StorageError> {
    chat_list::page(conn, &ChatCache::new(policy()), user, filter, skip, PAGE).map(drop)
}

fn searched(search: &str, matching: Matching) -> ChatFilter {
    ChatFilter { search: search.to_owned(), matching, kind: None, custom: Vec::new() }
}

/// The limit for a search. It reads some thousands of texts: for up to a thousand hits, and for one more
/// page.
const MAX_OF_A_SEARCH: i64 = 200_000;
const OWN_CHATS: &str = "the chats that the caller is in";
const OWN_DMS: &str = "the direct messages that the caller has";

fn of_chats() -> Vec<Action> {
    vec![
        reads("own chats by custom data", |conn, _| {
            let filter =
                ChatFilter { custom: vec![CustomFilter::new("open", "true")], ..ChatFilter::default() };
            list(conn, CROWDED, &filter, 0)
        })
        .grows_with(OWN_CHATS),
        reads("list chats", |conn, _| list(conn, SILENT, &ChatFilter::default(), 0)),
        reads("list chats of a user in many", |conn, _| list(conn, CROWDED, &ChatFilter::default(), 0))
            .grows_with(OWN_CHATS),
        reads("list the last chats of a user in many", |conn, world| {
            list(conn, CROWDED, &ChatFilter::default(), world.people - 10)
        })
        .grows_with(OWN_CHATS),
        reads("list direct messages", |conn, _| {
            list(conn, POPULAR, &ChatFilter { kind: Some(ChatKind::Dm), ..ChatFilter::default() }, 0)
        })
        .grows_with(OWN_CHATS),
        reads("search one's chats by title", |conn, _| {
            list(conn, CROWDED, &searched("plaza 17", Matching::Substring), 0)
        })
        .grows_with(OWN_CHATS),
        reads("search one's chats by a beginning", |conn, _| {
            list(conn, CROWDED, &searched("plaza 17", Matching::Prefix), 0)
        })
        .grows_with(OWN_CHATS),
        reads("search one's chats by many words", |conn, _| {
            let words: String = (0..32).map(|number| format!("aza{} ", number % 2)).collect();
            list(
                conn,
                CROWDED,
                &searched(&format!("plaza 1 z a pl la az za {words}"), Matching::Substring),
                0,
            )
        })
        .grows_with(OWN_CHATS),
        reads("search one's direct messages by name", |conn, _| {
            list(conn, POPULAR, &searched("alex", Matching::Prefix), 0)
        })
        .grows_with(OWN_CHATS),
        reads("search the chats of a user in a large room", |conn, _| {
            list(conn, SILENT, &searched("smith", Matching::Substring), 0)
        })
        .grows_with("users of a name, up to a thousand"),
        reads("search by a rare name the chats of a user in a large room", |conn, _| {
            list(conn, SILENT, &searched("smith 717", Matching::Substring), 0)?;
            list(conn, SILENT, &searched("717", Matching::Prefix), 0)
        })
        .grows_with("users, by an index alone"),
        reads("view a chat", |conn, _| chat_snapshot::view(conn, &policy(), HISTORY, SILENT).map(drop)),
        reads("view a chat of deleted messages", |conn, _| {
            chat_snapshot::view(conn, &policy(), DELETED, SILENT).map(drop)
        }),
        reads("view a room", |conn, _| chat_snapshot::view(conn, &policy(), SQUARE, SILENT).map(drop)),
        reads("view a room from outside", |conn, _| {
            chat_snapshot::view(conn, &policy(), SQUARE, STRANGER).map(drop)
        }),
        reads("view a group that many left", |conn, _| {
            chat_snapshot::view(conn, &policy(), EMPTIED, SILENT).map(drop)
        }),
        reads("manage as staff", |conn, _| {
            membership::authorized(conn, SQUARE, STAFF, Ability::DeleteChat).map(drop)
        }),
        reads("manage as staff a group that many left", |conn, _| {
            membership::authorized(conn, EMPTIED, STAFF, Ability::DeleteChat).map(drop)
        }),
        reads("see a dm with a user who blocks", |conn, _| {
            membership::authorized(conn, FIRST_DM, POPULAR, Ability::TakePart).map(drop)
        }),
        reads("heads", |conn, _| chats::heads(conn, SILENT).map(drop)),
        reads("heads of a user in many", |conn, _| chats::heads(conn, CROWDED).map(drop))
            .grows_with(OWN_CHATS),
        reads("heads of some chats", |conn, _| chats::heads_of(conn, &[HISTORY, SQUARE, DOOMED]).map(drop)),
        reads("unread counts", |conn, _| chat_list::unread_by_chat(conn, SILENT).map(drop)),
        reads("unread counts of a user in many", |conn, _| {
            chat_list::unread_by_chat(conn, CROWDED).map(drop)
        })
        .grows_with(OWN_CHATS),
        reads("list rooms", |conn, _| rooms_of(conn, STRANGER, &RoomFilter::default(), 0))
            .grows_with("rooms, which are counted in the index alone"),
        reads("list rooms deep down", |conn, world| {
            rooms_of(conn, STRANGER, &RoomFilter::default(), world.people - 10)
        })
        .grows_with("rooms before the page, by the index alone"),
        reads("search the chats of a user in a group that many left", |conn, _| {
            list(conn, LONELY, &searched("smith", Matching::Substring), 0)
        }),
        reads("list rooms of a type", |conn, _| rooms_of(conn, STRANGER, &of_type("page"), 0))
            .grows_with("rooms, which are counted in the index alone"),
        reads("list all rooms", |conn, _| rooms_of(conn, STAFF, &of_type("page"), 0))
            .grows_with("rooms, which are counted in the index alone"),
        reads("list every room as staff", |conn, _| rooms_of(conn, STAFF, &RoomFilter::default(), 0))
            .grows_with("rooms, which are counted in the index alone"),
        reads("list rooms as a guest", |conn, _| rooms_of(conn, GUEST, &RoomFilter::default(), 0))
            .grows_with("rooms, which are counted in the index alone"),
        reads("list rooms of a type as a guest", |conn, _| rooms_of(conn, GUEST, &of_type("page"), 0))
            .grows_with("rooms, which are counted in the index alone"),
        reads("the room of an object", |conn, _| {
            let object = HostObject { kind: "page".to_owned(), id: "17".to_owned() };
            rooms::of_object(conn, &object).map(drop)
        }),
        reads("rooms on an object", |conn, _| {
            rooms_of(
                conn,
                STRANGER,
                &RoomFilter { object_id: Some("17".to_owned()), ..RoomFilter::default() },
                0,
            )
        }),
        reads("search rooms", |conn, _| {
            rooms_of(conn, STRANGER, &RoomFilter { search: "laza 17".to_owned(), ..RoomFilter::default() }, 0)
        })
        .grows_with("rooms, up to a quarter of a million, by the index alone"),
        reads("search rooms of a type as staff", |conn, _| {
            rooms_of(conn, STAFF, &RoomFilter { search: "nowhere".to_owned(), ..of_type("page") }, 0)
        })
        .grows_with("rooms, up to a quarter of a million, by the index alone"),
        reads("changes since, of messages changed later", |conn, world| {
            since(conn, CHANGED, 2 * world.messages - 20)
        }),
        reads("changes since, of nearly all", |conn, world| since(conn, CHANGED, world.messages)),
        reads("changes since, of deleted messages", |conn, world| {
            since(conn, DELETED, 2 * world.messages - 20)
        }),
        reads("changes since, of a history", |conn, world| since(conn, HISTORY, world.messages - 20)),
        reads("changes since, of an old head", |conn, _| since(conn, HISTORY, 2)),
        reads("changes since, of people who left", |conn, world| since(conn, EMPTIED, 2 * world.people - 20)),
        reads("changes since, of a room", |conn, world| since(conn, SQUARE, 2 * world.people - 20)),
        reads("changes since, of a stranger", |conn, _| {
            changes_since::since(conn, &policy(), STRANGER, HISTORY, Some(5)).map(drop)
        }),
        reads("changes missed", |conn, world| missed(conn, CHANGED, 2 * world.messages - 20)),
        reads("changes missed of a history", |conn, world| missed(conn, HISTORY, world.messages - 20)),
        reads("changes missed of a group that many left", |conn, world| {
            missed(conn, EMPTIED, 2 * world.people - 20)
        }),
        reads("changes missed of a room", |conn, world| missed(conn, SQUARE, 2 * world.people - 20)),
    ]
}

fn rooms_of(conn: &mut AnyConn, user: UserId, filter: &RoomFilter, skip: i64) -> Result<(), StorageError> {
    rooms::page(conn, &ChatCache::new(policy()), user, filter, skip, PAGE).map(drop)
}

fn of_type(kind: &str) -> RoomFilter {
    RoomFilter { object_type: Some(kind.to_owned()), ..RoomFilter::default() }
}

fn since(conn: &mut AnyConn, chat: greenroom::core::model::ChatId, seq: i64) -> Result<(), StorageError> {
    changes_since::since(conn, &policy(), SILENT, chat, Some(seq)).map(drop)
}

fn missed(conn: &mut AnyConn, chat: greenroom::core::model::ChatId, seq: i64) -> Result<(), StorageError> {
    changes_since::backfill(conn, &policy(), chat, seq, &[TALKER, SILENT, STRANGER]).map(drop)
}

fn of_messages() -> Vec<Action> {
    vec![
        reads("a page of messages", |conn, world| {
            let last: Pos = world.messages;
            messages::range(conn, HISTORY, last - PAGE..=last).map(drop)
        })
        .at_most(1_600, "a page, and the sender of each message"),
        reads("a page of messages with readers", |conn, world| {
            let known = ChatCache::new(policy());
            let chat = membership::authorized(conn, HISTORY, SILENT, Ability::TakePart)?.chat;
            let chats = known.at_snapshot(conn)?;
            chats.messages(conn, chat, world.messages - PAGE..=world.messages).map(drop)
        }),
        reads("a page of messages of a user who left", |conn, _| {
            let known = ChatCache::new(policy());
            let chat = membership::authorized(conn, EMPTIED, SILENT, Ability::TakePart)?.chat;
            known.at_snapshot(conn)?.messages(conn, chat, 1..=5).map(drop)
        }),
        reads("the position of a message", |conn, world| {
            let chat = membership::authorized(conn, HISTORY, SILENT, Ability::TakePart)?.chat;
            positions::count_before(conn, &chat, world.message(HISTORY, 3).0)?;
            // A message of another chat.
            positions::count_before(conn, &chat, world.message(CHANGED, 3).0).map(drop)
        }),
        reads("earlier texts of a message", |conn, world| {
            message_versions::of(conn, HISTORY, world.message(HISTORY, 60)).map(drop)
        }),
        reads("drafts", |conn, _| drafts::of_user(conn, TALKER).map(drop)),
        reads("pinned messages", |conn, _| {
            let chat = membership::authorized(conn, HISTORY, SILENT, Ability::TakePart)?.chat;
            pinned_messages::of_chat(conn, &policy(), &chat).map(drop)
        }),
        reads("the position of a moment", |conn, _| {
            let chat = membership::authorized(conn, HISTORY, SILENT, Ability::TakePart)?.chat;
            positions::posted_before(conn, &chat, Timestamp::now()).map(drop)
        }),
        reads("what messages of a page quote", |conn, world| {
            quotes::load(conn, (1..=5).map(|number| world.message(HISTORY, number))).map(drop)
        }),
        reads("one message", |conn, world| {
            membership::visible(conn, &policy(), SILENT, world.message(HISTORY, 7)).map(drop)
        }),
        reads("the newest message's id", |conn, _| {
            let chat = membership::authorized(conn, DELETED, SILENT, Ability::TakePart)?.chat;
            messages::last_id(conn, &chat).map(drop)
        }),
        reads("unread messages of a user without own messages", |conn, _| {
            let chat = membership::authorized(conn, HISTORY, SILENT, Ability::TakePart)?.chat;
            unread::count(conn, &chat, SILENT, 0).map(drop)
        }),
        reads("unread messages of a user without own messages, from the middle", |conn, world| {
            let chat = membership::authorized(conn, HISTORY, SILENT, Ability::TakePart)?.chat;
            unread::count(conn, &chat, SILENT, world.messages / 2).map(drop)
        }),
        reads("unread messages, all deleted", |conn, world| {
            let chat = membership::authorized(conn, DELETED, SILENT, Ability::TakePart)?.chat;
            unread::count_without(conn, unread::Counted::from(&chat), SILENT, world.messages / 2, 0)?;
            unread::count(conn, &chat, SILENT, 0).map(drop)
        }),
    ]
}

fn of_members() -> Vec<Action> {
    vec![
        reads("members of a room", |conn, _| members::page(conn, SQUARE, 0, PAGE).map(drop)),
        reads("members of a room deep down", |conn, world| {
            members::page(conn, SQUARE, world.people / 10 - 5, 5).map(drop)
        })
        .grows_with("members before the page, by the index alone"),
        reads("members of a group that many left", |conn, _| members::page(conn, EMPTIED, 0, PAGE).map(drop)),
        reads("search members", |conn, _| {
            member_search::search(conn, SQUARE, ("alex 1", Matching::Prefix), 0, PAGE).map(drop)
        })
        .grows_with("members"),
        reads("search members of a group that many left", |conn, _| {
            member_search::search(conn, EMPTIED, ("user", Matching::Substring), 0, PAGE).map(drop)
        }),
        reads("some members of a room", |conn, _| {
            let asked: Vec<UserId> = (1..60).map(|number| UserId(ALIKE + number)).collect();
            members::among(conn, SQUARE, &asked).map(drop)
        }),
        reads("readers", |conn, _| {
            members::readers_of(conn, &[HISTORY, EMPTIED, SQUARE, CHANGED], 100).map(drop)
        }),
        reads("when a member joined and left", |conn, _| {
            members::joined_seq(conn, SQUARE, SILENT)?;
            members::left_seq(conn, SQUARE, UserId(ALIKE + 1)).map(drop)
        }),
        reads("whether it has admins", |conn, _| {
            members::has_admin(conn, EMPTIED)?;
            members::has_active_admin(conn, EMPTIED)?;
            members::admins(conn, EMPTIED).map(drop)
        }),
        reads("chats of a user", |conn, _| members::chats_of(conn, SILENT).map(drop)),
        reads("some chats of a user in many", |conn, _| {
            members::chats_of_after(conn, CROWDED, FIRST_OF_CROWDED, 64).map(drop)
        }),
    ]
}

fn of_people() -> Vec<Action> {
    vec![
        reads("one user", |conn, _| {
            users::find(conn, TALKER)?;
            users::by_username(conn, "alex17")?;
            users::is_staff(conn, TALKER)?;
            users::is_taken(conn, &Username::parse("alex17").unwrap())?;
            users::any(conn).map(drop)
        }),
        reads("some users", |conn, _| {
            users::active_cards(conn, &[TALKER, SILENT, UserId(ALIKE + 3)]).map(drop)
        }),
        reads("the last of the staff", |conn, _| {
            let staff = users::find(conn, STAFF)?.unwrap();
            users::is_last_staff(conn, &staff).map(drop)
        })
        .grows_with("users, asked for by staff alone"),
        reads("password hashes that are not ours", |conn, _| {
            foreign_hashes::recorded(conn)?;
            foreign_hashes::page(conn, UserId(0), "$argon2id$").map(drop)
        })
        .grows_with("users, once at the start"),
        reads("a page of users", |conn, _| user_list::page(conn, &UserFilter::default(), 20, PAGE).map(drop))
            .grows_with("users, counted for staff in an index alone"),
        reads("an external user", |conn, _| {
            let filter = UserFilter { external_id: Some("external-3".to_owned()), custom: Vec::new() };
            user_list::page(conn, &filter, 0, PAGE)?;
            external_users::external_id(conn, SILENT)?;
            external_users::has_claimed_name(conn, SILENT).map(drop)
        }),
        reads("a search of a guest", |conn, _| {
            users::is_guest(conn, GUEST)?;
            user_search::search_staff(conn, "user1", Matching::Substring).map(drop)
        }),
        reads("custom data of users", |conn, _| {
            user_custom::find(conn, SILENT)?;
            user_custom::of_users(conn, &[TALKER, SILENT, UserId(ALIKE + 3)]).map(drop)
        }),
        reads("users of one tenant", |conn, _| {
            let tenant = CustomFilter::new("tenant", "acme");
            let filter = UserFilter { external_id: None, custom: vec![tenant] };
            user_list::page(conn, &filter, 20, PAGE).map(drop)
        })
        .grows_with("users of the tenant, counted for staff in an index alone"),
        reads("users by two values", |conn, _| {
            let custom = vec![CustomFilter::new("number", "1003"), CustomFilter::new("tenant", "acme")];
            user_list::page(conn, &UserFilter { external_id: None, custom }, 0, PAGE).map(drop)
        }),
        reads("all users", |conn, _| users::all(conn).map(drop)).grows_with("users, for the command line"),
        reads("a live session and token", |conn, _| {
            sessions::find(conn, "new17")?;
            tokens::find(conn, "new17").map(drop)
        }),
        reads("one's sessions", |conn, _| sessions::page(conn, SILENT, 0, PAGE).map(drop))
            .grows_with("own sessions"),
        reads("one's tokens", |conn, _| tokens::page(conn, SILENT, 0, PAGE).map(drop))
            .grows_with("own tokens"),
        reads("all of one's tokens", |conn, _| tokens::of_user(conn, SILENT).map(drop))
            .grows_with("own tokens"),
        reads("who is blocked", |conn, _| blocks::page(conn, BLOCKER, 0, PAGE).map(drop))
            .grows_with("own blocks"),
        reads("who is blocked deep down", |conn, world| {
            blocks::page(conn, BLOCKER, world.people - 10, PAGE).map(drop)
        })
        .grows_with("own blocks"),
        reads("whether one shares a chat", |conn, _| {
            let policy = policy_of_contacts(Contacts::SharedChat);
            contact_policy::expect_may_contact(conn, &policy, SILENT, &[TALKER, POPULAR])?;
            contact_policy::expect_known(conn, &policy, SILENT, BLOCKER)
        }),
        reads("whether a user in many shares a chat", |conn, _| {
            let policy = policy_of_contacts(Contacts::SharedChat);
            let strangers: Vec<UserId> = (1..60).map(|number| UserId(ALIKE + number)).collect();
            // They share none, so all chats are read.
            let _ = contact_policy::expect_may_contact(conn, &policy, CROWDED, &strangers);
            Ok(())
        })
        .grows_with(OWN_CHATS),
        reads("partners", |conn, _| {
            dm_partners::of(conn, &[TALKER, SILENT])?;
            dm_partners::last_seen(conn, SILENT).map(drop)
        }),
        reads("partners of a user with many", |conn, _| dm_partners::last_seen(conn, POPULAR).map(drop))
            .grows_with(OWN_DMS),
        reads("join counts", |conn, _| join_counts::of(conn, &[TALKER, SILENT]).map(drop)),
        reads("cursors", |conn, _| {
            event_cursors::find(conn, "new17", SILENT)?;
            event_cursors::latest(conn, SILENT, Timestamp(0)).map(drop)
        }),
        reads("revoked credentials", |conn, _| {
            let followed = revocations::Followed::from_now(conn)?;
            followed.poll(conn).map(drop)
        })
        .grows_with("revocations, up to a thousand"),
        reads("settings", |conn, _| {
            settings::get_or_create(conn, "profile_changes", String::new).map(drop).or(Ok(()))
        }),
    ]
}

fn of_searches() -> Vec<Action> {
    vec![
        reads("search users", |conn, _| {
            user_search::search(conn, TALKER, "smith 17", Matching::Substring).map(drop)
        })
        .grows_with("users, by an index alone"),
        reads("search users by a beginning", |conn, _| {
            user_search::search(conn, TALKER, "alex", Matching::Prefix).map(drop)
        }),
        reads("search users by many words", |conn, _| {
            let words: String = (0..32).map(|number| format!("sm{number} ")).collect();
            user_search::search(conn, TALKER, &words, Matching::Substring).map(drop)
        })
        .grows_with("users, by an index alone"),
        reads("search users without a hit", |conn, _| {
            user_search::search(conn, TALKER, "nobody", Matching::Substring).map(drop)
        })
        .grows_with("users, by an index alone"),
        reads("search contacts", |conn, _| {
            greenroom::storage::queries::contact_search::search(conn, POPULAR, "smith 17", Matching::Prefix)
                .map(drop)
        })
        .grows_with("people with whom the caller shares a chat"),
        reads("search contacts of a member of a group that many left", |conn, _| {
            greenroom::storage::queries::contact_search::search(conn, LONELY, "nobody", Matching::Prefix)
                .map(drop)
        }),
        reads("search messages", |conn, _| search(conn, SILENT, None, "about word7"))
            .at_most(MAX_OF_A_SEARCH, "what one search may cost"),
        reads("search messages of a user in many", |conn, _| search(conn, CROWDED, None, "short note"))
            .grows_with(OWN_CHATS),
        reads("search messages of a chat", |conn, _| search(conn, SILENT, Some(HISTORY), "nothing word3"))
            .at_most(MAX_OF_A_SEARCH, "what one search may cost"),
        reads("search messages without a hit", |conn, _| search(conn, SILENT, None, "xylophone"))
            .at_most(MAX_OF_A_SEARCH, "what one search may cost"),
        reads("search messages of a user in no chat", |conn, _| search(conn, STRANGER, None, "about word7"))
            .at_most(MAX_OF_A_SEARCH, "what one search may cost"),
        reads("search messages beyond the counted ones", |conn, world| {
            let question = SearchRequest {
                words: Words::of("nothing").unwrap(),
                has_file: false,
                chat: Some(HISTORY),
                after: 0,
                page: RequestedPage::Before { id: world.message(HISTORY, world.messages / 2).0, size: 20 },
            };
            page(conn, &policy(), SILENT, &question).map(drop)
        })
        .at_most(MAX_OF_A_SEARCH, "what one search may cost"),
        reads("index", |conn, _| {
            let settled = Horizon::default().advance(conn)?;
            let mut indexer = Indexer::begin(conn)?;
            indexer.read(conn, settled).map(drop)
        }),
        reads("rebuild a changed segment", |conn, _| indexer::rebuild_changed(conn, true).map(drop))
            .at_most(1_000_000, "one segment, and ten thousand changes"),
        reads("merge segments", |conn, _| indexer::merge_small(conn).map(drop))
            .grows_with("segments of the index"),
        reads("orphaned segments", |conn, _| {
            greenroom::storage::message_search::orphaned_segments(conn).map(drop)
        })
        .grows_with("segments of the index"),
    ]
}

fn search(
    conn: &mut AnyConn,
    user: UserId,
    chat: Option<greenroom::core::model::ChatId>,
    words: &str,
) -> Result<(), StorageError> {
    let words = Words::of(words).unwrap();
    let question = SearchRequest {
        words,
        has_file: false,
        chat,
        after: 0,
        page: RequestedPage::From { skip: 0, size: 20 },
    };
    page(conn, &policy(), user, &question).map(drop)
}
