//! Benchmarks of the hottest paths: `cargo bench --bench inner_loops`.
//!
//! A chat of ten members and a thousand messages in SQLite, each with a reaction. Half of the members have
//! read all.

use std::sync::Arc;

use divan::Bencher;
use greenroom::{
    core::model::{
        ChatId, ChatKind, Command, Event, UserCard, UserId,
        command::{Action, NewChat, ReactIntent},
        emoji::Emoji,
        event::Change,
        permission::Ability,
        text::{MessageBody, Title, Username},
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StoragePolicy,
        commands::{Made, apply, create_chat},
        db::migrations,
        queries::{
            changes_since::{self, Since},
            membership,
        },
        snapshot,
        tables::{
            chats, members, messages,
            users::{self, NO_PASSWORD, NewUser},
        },
        transaction,
    },
    view::{Links, MessageView, frames, render},
};
use tempfile::TempDir;

const MEMBERS: usize = 10;
const MESSAGES: usize = 1_000;
const PAGE: i64 = 50;

struct Chat {
    conn: AnyConn,
    policy: StoragePolicy,
    links: Links,
    id: ChatId,
    users: Vec<Arc<UserCard>>,
    /// The event of the last message.
    posted: Arc<Event>,
    _folder: TempDir,
}

impl Chat {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url =
            DatabaseUrl::parse(&format!("sqlite://{}", folder.path().join("bench.db").display())).unwrap();
        migrations::migrate(&url).unwrap();
        let mut conn = url.open(Access::Write).unwrap();
        let policy = StoragePolicy::for_tools();
        let (id, users, posted) = transaction(&mut conn, |conn| {
            let ids: Vec<UserId> = (0..MEMBERS).map(|number| user(conn, number)).collect();
            let title = Title::parse("Hall").unwrap();
            let new = NewChat {
                kind: ChatKind::Group,
                title,
                creator: ids[0],
                members: ids.clone(),
                custom: Default::default(),
            };
            let Made::New { snapshot, .. } = create_chat(conn, &policy, &new)? else { panic!("it is new") };
            let id = snapshot.chat.id;
            let users: Vec<_> = users::active_cards(conn, &ids)?.into_iter().map(Arc::new).collect();
            let mut posted = None;
            for number in 0..MESSAGES {
                posted = Some(post(conn, &policy, id, &users, number));
            }
            for user in users.iter().step_by(2) {
                apply(conn, &policy, &command(id, user.id, Action::MarkAsRead { up_to: None }))?;
            }
            Ok((id, users, posted.unwrap()))
        })
        .unwrap();
        Self { conn, policy, links: Links::default(), id, users, posted, _folder: folder }
    }
}

fn user(conn: &mut AnyConn, number: usize) -> UserId {
    let new = NewUser {
        username: Username::parse(&format!("user-{number}")).unwrap(),
        password: NO_PASSWORD.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        avatar_url: String::new(),
        is_staff: false,
        is_registered: false,
    };
    users::create(conn, &new).unwrap().id()
}

fn command(chat: ChatId, by: UserId, action: Action) -> Command {
    Command { chat, by, action }
}

fn post(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    users: &[Arc<UserCard>],
    number: usize,
) -> Arc<Event> {
    let sender = users[number % users.len()].clone();
    let body =
        MessageBody::parse(&format!("Message number {number}, and a few words to make it a usual one"))
            .unwrap();
    let by = sender.id;
    let posted = apply(conn, policy, &command(chat, by, Action::PostMessage { sender, new: body.into() }));
    let event = posted.unwrap().event.unwrap();
    let Change::MessagePosted { message, .. } = &event.change else { panic!("it was posted") };
    let emoji = Emoji::parse("👍").unwrap();
    let react = Action::React { message: message.id, emoji, intent: ReactIntent::Add };
    apply(conn, policy, &command(chat, users[(number + 1) % users.len()].id, react)).unwrap();
    event
}

/// Renders the JSON of a posted message and the frame around it, which all sockets share.
#[divan::bench]
fn rendering_an_event(bencher: Bencher) {
    let Chat { links, posted, .. } = Chat::make();
    let Change::MessagePosted { message, .. } = &posted.change else { panic!("it was posted") };
    bencher.bench_local(|| frames::shared(&posted, Some(&frames::message(message, &links)), &links));
}

/// Reads the newest messages with senders, reactions and readers, and renders them as JSON.
#[divan::bench]
fn a_page_of_50(bencher: Bencher) {
    let Chat { mut conn, policy, links, id, users, .. } = Chat::make();
    bencher.bench_local(|| {
        let page = snapshot(&mut conn, |conn| {
            let chat = membership::authorized(conn, id, users[0].id, Ability::TakePart)?.chat;
            let mut page = messages::range(conn, id, chat.last_pos - PAGE + 1..=chat.last_pos)?;
            let readers = members::readers(conn, &chat, policy.receipts_max_members)?;
            page.iter_mut().for_each(|message| message.note_readers(&readers));
            Ok(page)
        });
        let page = page.unwrap();
        assert_eq!(page.len(), PAGE as usize);
        render(&page.iter().map(|message| MessageView::new(message, &links)).collect::<Vec<_>>())
    });
}

/// Reads the changes that a reconnecting client has missed: none, and the last 20.
#[divan::bench(args = [0, 20])]
fn changes_since_a_cursor(bencher: Bencher, missed: i64) {
    let Chat { mut conn, policy, id, users, .. } = Chat::make();
    let (user, head) = (users[1].id, chats::find(&mut conn, id).unwrap().unwrap().seq);
    bencher.bench_local(|| {
        let since =
            snapshot(&mut conn, |conn| changes_since::since(conn, &policy, user, id, Some(head - missed)));
        let Since::Changes { events, .. } = since.unwrap() else { panic!("they can be told") };
        assert_eq!(events.is_empty(), missed == 0);
        events
    });
}

fn main() {
    divan::main();
}
