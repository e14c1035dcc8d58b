//! The cost of a long history for members who never wrote in it, in steps of SQLite's virtual machine.

use std::sync::Arc;

use greenroom::{
    core::model::{
        ChatId, Command, UserCard, UserId,
        command::{Action, NewChat},
        text::MessageBody,
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StorageError, StoragePolicy,
        commands::{Made, apply, create_chat},
        db::migrations,
        queries::membership,
        transaction,
    },
};

use crate::{
    crowds::make_users,
    support::{
        database::Database,
        steps::{count_steps, steps},
    },
};

const WRITER: UserId = UserId(1);
const READER: UserId = UserId(2);
const NEWCOMER: UserId = UserId(3);

fn post(conn: &mut AnyConn, policy: &StoragePolicy, chat: ChatId, by: UserId) -> Result<(), StorageError> {
    let sender = Arc::new(UserCard {
        id: by,
        username: String::new(),
        display_name: String::new(),
        avatar_url: None,
        is_guest: false,
    });
    let action = Action::PostMessage { sender, new: MessageBody::parse("hello").unwrap().into() };
    apply(conn, policy, &Command { chat, by, action }).map(drop)
}

/// Returns the steps of each operation of a member who never wrote, in a group with `count` messages of one
/// member.
fn costs(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    count: usize,
) -> Result<[(&'static str, u64); 3], StorageError> {
    let new = NewChat {
        kind: greenroom::core::model::ChatKind::Group,
        title: None,
        creator: WRITER,
        members: vec![READER, NEWCOMER],
        custom: Default::default(),
    };
    let Made::New { snapshot, .. } = create_chat(conn, policy, &new)? else { panic!("it is new") };
    let chat = snapshot.chat.id;
    for _ in 0..count {
        post(conn, policy, chat, WRITER)?;
    }
    let begun = steps();
    let unread = membership::membership(conn, chat, READER)?.unwrap().unread_count(conn)?;
    assert_eq!(unread, count as i64);
    let counted = steps();
    apply(conn, policy, &Command { chat, by: READER, action: Action::MarkAsRead { up_to: None } })?;
    let read = steps();
    post(conn, policy, chat, NEWCOMER)?;
    let posted = steps();
    Ok([
        ("counting the unread", counted - begun),
        ("marking as read", read - counted),
        ("the first message", posted - read),
    ])
}

#[test]
fn a_member_who_never_wrote_pays_nothing_for_a_long_history() {
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let mut conn = url.open(Access::Write).unwrap();
    let policy = StoragePolicy::for_tools();
    let [short, long] = transaction(&mut conn, |conn| {
        make_users(conn, 1, 3)?;
        Ok([costs(conn, &policy, 100)?, costs(conn, &policy, 4_000)?])
    })
    .unwrap();
    for ((what, short), (_, long)) in short.into_iter().zip(long) {
        println!("{what}: {short} steps after 100 messages, {long} after 4,000");
        assert!(
            long <= short + short / 10 + 50,
            "{what}: {short} steps after 100 messages, {long} after 4,000"
        );
    }
}
