//! Counts over long chats, compared with counting one by one.

use std::sync::Arc;

use greenroom::{
    core::model::{
        ChatKind, Command, Lane, UserId,
        command::{Action, NewChat},
        text::{MessageBody, Username},
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StorageError, StoragePolicy,
        commands::{Made, apply, create_chat},
        db::migrations,
        maintenance::check,
        queries::{membership, unread},
        tables::{
            positions, tombstones,
            users::{self, NewUser},
        },
        transaction,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::support::database::Database;

/// Enough messages for more than two levels of blocks.
const MESSAGES: usize = 9_000;

#[test]
fn unread_counts_are_exact_among_many_own_and_many_deleted_messages() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let database = Database::new();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    let mut conn = url.open(Access::Write).unwrap();
    count(&mut conn, &mut StdRng::seed_from_u64(seed)).unwrap();
}

/// Does something for each item, a hundred of them in a transaction. PostgreSQL keeps each version of a row until
/// the transaction ends, so one for all would take minutes.
fn in_steps<T>(
    conn: &mut AnyConn,
    items: &[T],
    mut each: impl FnMut(&mut AnyConn, &T) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut steps = items.chunks(100);
    steps.try_for_each(|step| transaction(conn, |conn| step.iter().try_for_each(|item| each(conn, item))))
}

fn count(conn: &mut AnyConn, random: &mut StdRng) -> Result<(), StorageError> {
    let policy = StoragePolicy::for_tools();
    let people = [user(conn, "ann")?, user(conn, "bob")?];
    let new = NewChat {
        kind: ChatKind::Group,
        title: None,
        creator: people[0].id(),
        members: vec![people[1].id()],
        custom: Default::default(),
    };
    let Made::New { snapshot, .. } = create_chat(conn, &policy, &new)? else { panic!("it is new") };
    let chat = snapshot.chat.id;
    let senders: Vec<&users::User> = (0..MESSAGES).map(|_| &people[random.random_range(0..2)]).collect();
    in_steps(conn, &senders, |conn, sender| {
        let body = MessageBody::parse("x").unwrap();
        let action = Action::PostMessage { sender: Arc::new(sender.card()), new: body.into() };
        apply(conn, &policy, &Command { chat, by: sender.id(), action }).map(drop)
    })?;
    let mut senders: Vec<(UserId, bool)> = senders.iter().map(|sender| (sender.id(), true)).collect();
    // Some random messages, and one long run that covers whole blocks.
    let scattered: Vec<usize> = (0..1_500).map(|_| random.random_range(0..MESSAGES)).collect();
    let mut deleted: Vec<usize> = scattered.into_iter().chain(200..5_200).collect();
    deleted.sort_unstable();
    deleted.dedup();
    in_steps(conn, &deleted, |conn, index| {
        let message = positions::id_at(conn, chat, *index as i64 + 1)?.unwrap();
        let by = senders[*index].0;
        apply(conn, &policy, &Command { chat, by, action: Action::DeleteMessage { message } }).map(drop)
    })?;
    deleted.iter().for_each(|index| senders[*index].1 = false);
    let head = membership::membership(conn, chat, people[0].id())?.unwrap().chat;
    let marks = [0, 1, 63, 64, 65, 199, 200, 4_095, 4_096, 5_199, 5_200, MESSAGES - 1, MESSAGES];
    let random_marks: Vec<usize> = (0..200).map(|_| random.random_range(0..=MESSAGES)).collect();
    for mark in marks.into_iter().chain(random_marks) {
        for reader in &people {
            let counted =
                senders[mark..].iter().filter(|(by, is_live)| *is_live && *by != reader.id()).count();
            assert_eq!(unread::count(conn, &head, reader.id(), mark as i64)?, counted as i64, "after {mark}");
        }
        let live =
            senders[..mark].iter().rposition(|(_, is_live)| *is_live).map_or(0, |index| index as i64 + 1);
        assert_eq!(
            tombstones::last_live_before(conn, Lane::Chat(chat), mark as i64 + 1)?,
            live,
            "before {}",
            mark + 1
        );
    }
    assert_eq!(check::check(conn)?.differences, Vec::<String>::new());
    assert_eq!(senders.len() as i64, head.last_pos);
    Ok(())
}

fn user(conn: &mut AnyConn, name: &str) -> Result<users::User, StorageError> {
    let new = NewUser {
        username: Username::parse(name).unwrap(),
        password: users::NO_PASSWORD.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        avatar_url: String::new(),
        is_staff: false,
        is_registered: false,
    };
    let user = users::create(conn, &new)?;
    assert!(user.id() > UserId(0));
    Ok(user)
}
