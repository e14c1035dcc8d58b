//! Rooms with ten thousand members: the cost of each operation, and their JSON.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use greenroom::{
    core::model::{
        ChatId, Command, Contacts, MessageId, Role, UserCard, UserId,
        command::{Action, MessageEdit, NewRoom, ReactIntent},
        emoji::Emoji,
        event::Change,
        permission::Ability,
        text::{MessageBody, Title},
    },
    storage::{
        Access, AnyConn, ChatCache, DatabaseUrl, StorageError, StoragePolicy,
        commands::{Made, apply, create_room},
        db::migrations,
        queries::{
            changes_since,
            chat_list::{self, ChatFilter},
            chat_snapshot, contact_policy, membership, own_chats,
        },
        tables::{chats, members},
        transaction,
    },
};
use serde_json::json;

use crate::support::{
    Server,
    database::Database,
    steps::{count_steps, steps},
};

const CROWD: i64 = 10_000;

/// Creates `count` users with ids from `first` on.
pub(crate) fn make_users(conn: &mut AnyConn, first: i64, count: i64) -> Result<(), StorageError> {
    let last = first + count - 1;
    conn.batch_execute(&format!(
        "INSERT INTO users (id, username, username_key, password, email, first_name, last_name, avatar_url, name_key, \
         email_key, is_active, is_staff, created_at) WITH RECURSIVE n(id) AS (SELECT {first} UNION ALL \
         SELECT id + 1 FROM n WHERE id < {last}) \
         SELECT id, 'crowd' || id, 'crowd' || id, '!', '', '', '', '', 'crowd' || id, '', TRUE, FALSE, 0 FROM n"
    ))?;
    Ok(())
}

/// Creates a public room with `creator` as its admin and the users of these ids as members.
pub(crate) fn make_room(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    creator: UserId,
    members: std::ops::Range<i64>,
) -> Result<ChatId, StorageError> {
    let title = Title::parse("Hall").unwrap().unwrap();
    let new = NewRoom {
        title,
        is_public: true,
        object: None,
        creator,
        guest_access: Default::default(),
        custom: Default::default(),
    };
    let Made::New { snapshot, .. } = create_room(conn, policy, &new)? else { panic!("it is new") };
    let chat = snapshot.chat.id;
    let ids: Vec<UserId> = members.map(UserId).collect();
    for users in ids.chunks(1_000) {
        let action = Action::AddMembers { users: users.to_vec() };
        apply(conn, policy, &Command { chat, by: creator, action })?;
    }
    Ok(chat)
}

/// The cost of each operation in a room, in steps of SQLite's virtual machine.
struct Costs<'a> {
    conn: &'a mut AnyConn,
    policy: StoragePolicy,
    room: ChatId,
    found: Vec<(&'static str, u64)>,
}

impl Costs<'_> {
    fn measure<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&mut AnyConn, &StoragePolicy, ChatId) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let before = steps();
        let result = work(self.conn, &self.policy, self.room)?;
        self.found.push((what, steps() - before));
        Ok(result)
    }

    fn does(&mut self, what: &'static str, by: UserId, action: Action) -> Result<Change, StorageError> {
        let done =
            self.measure(what, |conn, policy, chat| apply(conn, policy, &Command { chat, by, action }))?;
        let quiet = done.quiet_marker.map(Change::MarkerMoved);
        Ok(done.event.map(|event| event.change.clone()).or(quiet).expect("it changes something"))
    }

    fn posts(&mut self, what: &'static str, by: UserId) -> Result<MessageId, StorageError> {
        let card = UserCard {
            id: by,
            username: String::new(),
            display_name: String::new(),
            avatar_url: None,
            is_guest: false,
        };
        let body = MessageBody::parse("hello").unwrap();
        let action = Action::PostMessage { sender: Arc::new(card), new: body.into() };
        match self.does(what, by, action)? {
            Change::MessagePosted { message, .. } => Ok(message.id),
            other => panic!("{other:?}"),
        }
    }

    /// Measures all operations. `admin` is the room's first admin; `member` joins and leaves.
    fn find(mut self, admin: UserId, member: UserId) -> Result<Vec<(&'static str, u64)>, StorageError> {
        let reads = Action::MarkAsRead { up_to: None };
        let renamed = |title: &str| Action::Rename { title: Title::parse(title).unwrap() };
        let promoted = |role| Action::ChangeRole { user: member, role };
        self.posts("the first message", admin)?;
        self.measure("looking from outside", |conn, policy, chat| {
            chat_snapshot::view(conn, policy, chat, member)
        })?;
        self.does("joining", member, Action::Join)?;
        let message = self.posts("posting", member)?;
        self.does("reading", admin, reads)?;
        let emoji = Emoji::parse("👍").unwrap();
        self.does("reacting", admin, Action::React { message, emoji, intent: ReactIntent::Add })?;
        let body = MessageBody::parse("hello again").unwrap();
        self.does(
            "editing",
            member,
            Action::EditMessage { message, edit: MessageEdit { body: Some(body), ..MessageEdit::default() } },
        )?;
        self.does("deleting", member, Action::DeleteMessage { message })?;
        self.does("renaming", admin, renamed("Great Hall"))?;
        self.does("promoting", admin, promoted(Role::Admin))?;
        self.does("demoting", admin, promoted(Role::Member))?;
        self.measure("looking", |conn, policy, chat| chat_snapshot::view(conn, policy, chat, member))?;
        self.measure("typing", |conn, _, chat| members::is_in(conn, chat, member))?;
        self.measure("searching one's chats", |conn, policy, _| {
            let filter = ChatFilter { search: "nobody".to_owned(), ..ChatFilter::default() };
            chat_list::page(conn, &ChatCache::new(policy.clone()), member, &filter, 0, 10)
        })?;
        self.measure("listing members", |conn, _, chat| members::page(conn, chat, 0, 100))?;
        let head = membership::authorized(self.conn, self.room, member, Ability::See)?.chat.seq;
        self.measure("coming back", |conn, policy, chat| {
            changes_since::since(conn, policy, admin, chat, Some(head - 2))
        })?;
        self.does("leaving", member, Action::Leave)?;
        self.does("joining again", member, Action::Join)?;
        self.does("removing", admin, Action::RemoveMember { user: member })?;
        self.does("adding", admin, Action::AddMembers { users: vec![member] })?;
        self.does("the admin's leaving", admin, Action::Leave)?;
        Ok(self.found)
    }
}

#[test]
fn nothing_costs_more_where_there_are_ten_thousand_members() {
    // Only SQLite's steps can be counted.
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let mut conn = url.open(Access::Write).unwrap();
    // Both rooms are above the limit for receipts, as every room with more than a hundred members is.
    let policy = StoragePolicy { receipts_max_members: 50, ..StoragePolicy::for_tools() };
    let (admin, member) = (UserId(CROWD + 1), UserId(CROWD + 2));
    let costs = transaction(&mut conn, |conn| {
        make_users(conn, 1, CROWD + 2)?;
        let mut costs = Vec::new();
        for size in [200, CROWD] {
            let room = make_room(conn, &policy, admin, 1..size + 1)?;
            let costing = Costs { conn, policy: policy.clone(), room, found: Vec::new() };
            costs.push(costing.find(admin, member)?);
        }
        Ok(costs)
    });
    let costs = costs.unwrap();
    for ((what, small), (_, large)) in costs[0].iter().zip(&costs[1]) {
        println!("{what}: {small} steps among 200, {large} among {CROWD}");
        assert!(*small > 0, "{what} is counted");
        // The shape of a B-tree makes a small difference, a scan of all members a large one.
        assert!(*large <= small + small / 10 + 50, "{what}: {small} steps among 200, {large} among {CROWD}");
    }
}

/// Measures a resume of a user in `chats` chats of which three have changed. Returns the steps of the query
/// over all chats, and of reading the three.
fn coming_back(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    (user, other): (UserId, UserId),
    chats: usize,
) -> Result<(u64, u64), StorageError> {
    for _ in 0..chats {
        make_room(conn, policy, other, user.0..user.0 + 1)?;
    }
    let known: Vec<_> = chats::heads(conn, user)?;
    assert_eq!(known.len(), chats);
    for (room, _) in &known[..3] {
        Costs { conn, policy: policy.clone(), room: *room, found: Vec::new() }.posts("posting", other)?;
    }
    let before = steps();
    let heads = chats::heads(conn, user)?;
    let unread = chat_list::unread_by_chat(conn, user)?;
    let look = steps() - before;
    assert_eq!(unread.len(), 3);
    let changed = known.iter().zip(&heads).filter(|(known, head)| known != head);
    let mut found = 0;
    for ((chat, seq), _) in changed {
        changes_since::since(conn, policy, user, *chat, Some(*seq))?;
        found += 1;
    }
    assert_eq!(found, 3);
    Ok((look, steps() - before - look))
}

#[test]
fn coming_back_to_a_thousand_chats_costs_what_changed_and_one_look_at_them() {
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let mut conn = url.open(Access::Write).unwrap();
    let policy = StoragePolicy { receipts_max_members: 50, ..StoragePolicy::for_tools() };
    let costs = transaction(&mut conn, |conn| {
        make_users(conn, 1, 4)?;
        let few = coming_back(conn, &policy, (UserId(1), UserId(2)), 10)?;
        Ok((few, coming_back(conn, &policy, (UserId(3), UserId(4)), 1_000)?))
    });
    let ((few_look, few_reads), (many_look, many_reads)) = costs.unwrap();
    println!(
        "among 10 chats: {few_look} steps to look, {few_reads} to read; among 1,000: {many_look}, {many_reads}"
    );
    assert!(many_reads <= few_reads + few_reads / 10 + 50);
    // Reading a chat takes hundreds of steps, checking its head some tens.
    assert!(many_look <= few_look + 1_000 * 30);
}

#[test]
fn counting_ones_own_chats_costs_nothing_for_those_that_others_brought_one_into() {
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let mut conn = url.open(Access::Write).unwrap();
    let policy =
        StoragePolicy { receipts_max_members: 50, max_chats_per_user: 20, ..StoragePolicy::for_tools() };
    let (host, user, popular) = (UserId(1), UserId(2), UserId(3));
    let costs = transaction(&mut conn, |conn| {
        make_users(conn, 1, 3)?;
        for _ in 0..1_000 {
            make_room(conn, &StoragePolicy { max_chats_per_user: u32::MAX, ..policy.clone() }, host, 3..4)?;
        }
        [user, popular]
            .into_iter()
            .map(|by| {
                make_room(conn, &policy, by, 1..1)?;
                let before = steps();
                own_chats::expect_below_chat_limit(conn, &policy, by)?;
                Ok(steps() - before)
            })
            .collect::<Result<Vec<u64>, StorageError>>()
    })
    .unwrap();
    assert!(costs[0] > 0);
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn meeting_people_costs_one_look_at_ones_own_chats() {
    const PEOPLE: i64 = 100;
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let mut conn = url.open(Access::Write).unwrap();
    let policy = StoragePolicy { receipts_max_members: 50, ..StoragePolicy::for_tools() };
    let limited = StoragePolicy { contacts: Contacts::SharedChat, ..policy.clone() };
    let (user, busy) = (UserId(1), UserId(2));
    let costs = transaction(&mut conn, |conn| {
        make_users(conn, 1, PEOPLE + 3)?;
        let others: Vec<UserId> = (4..PEOPLE + 4).map(UserId).collect();
        for _ in 0..1_000 {
            make_room(conn, &policy, busy, 3..4)?;
        }
        make_room(conn, &policy, user, 4..PEOPLE + 4)?;
        make_room(conn, &policy, busy, 4..PEOPLE + 4)?;
        [user, busy]
            .into_iter()
            .map(|by| {
                let before = steps();
                contact_policy::expect_may_contact(conn, &limited, by, &others)?;
                Ok(steps() - before)
            })
            .collect::<Result<Vec<u64>, StorageError>>()
    })
    .unwrap();
    println!("{} steps for who is in one chat, {} for who is in 1,001", costs[0], costs[1]);
    assert!(costs[1] <= costs[0] + 1_000 * 30);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_in_hundreds_of_chats_hears_of_all_of_them_whenever_they_come() {
    const CHATS: usize = 600;
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    let made = transaction(&mut conn, |conn| {
        (0..CHATS)
            .map(|_| make_room(conn, server.policy(), UserId(bob.id), ann.id..ann.id + 1))
            .collect::<Result<Vec<ChatId>, StorageError>>()
    });
    let rooms = made.unwrap();
    let places = [0, 255, 256, 511, 512, CHATS - 1];
    for _ in 0..2 {
        let (mut socket, mut stream) = (ann.listens().await, ann.streams().await);
        assert_eq!(socket.hello["chats"].as_object().unwrap().len(), CHATS);
        for place in places {
            let message = bob.posts(rooms[place].0, "hello").await;
            assert_eq!(socket.receives("new_message").await["message"], message);
            assert_eq!(stream.receives("new_message").await["message"], message);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_room_of_ten_thousand_is_joined_used_and_left() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (first, creator) = (eve.id + 1, UserId(ann.id));
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    let made = transaction(&mut conn, |conn| {
        make_users(conn, first, CROWD)?;
        make_room(conn, server.policy(), creator, first..first + CROWD)
    });
    let room = made.unwrap().0;
    let (mut ann_socket, mut eve_socket) = (ann.listens().await, eve.listens().await);
    eve_socket.says(&json!({"type": "watch", "chat_id": room}).to_string()).await;
    eve_socket.receives("ack").await;

    let joined = bob.joins(room).await;
    assert_eq!(joined["member_count"], CROWD + 2);
    assert_eq!((joined["members"].as_array().unwrap().len(), &joined["admins"]), (100, &json!([ann.id])));
    assert_eq!(ann_socket.receives("members_changed").await["member_count"], CROWD + 2);
    assert_eq!(eve_socket.receives("members_changed").await["added"][0]["id"], bob.id);
    let page = bob.get(&format!("chats/{room}/members/?page=101")).await.expect(200);
    assert_eq!((page.results()[1]["id"].as_i64(), &page.json["count"]), (Some(bob.id), &json!(CROWD + 2)));

    let mut bob_socket = bob.listens().await;
    let message = bob.posts(room, "hello, everybody").await;
    assert_eq!((&message["read_by"], &message["read_count"]), (&json!([bob.id]), &json!(1)));
    assert_eq!(ann_socket.receives("new_message").await["message"], message);
    bob_socket.receives("new_message").await;
    assert_eq!(ann.marks_as_read(room).await, 1);
    let read = ann_socket.receives("read").await;
    assert_eq!((read.get("seq"), &read["unread_count"]), (None, &json!(0)));
    ann.post(&format!("chats/{room}/typing/"), json!({"is_typing": true})).await.expect(200);
    assert_eq!(
        bob_socket.receives("typing").await["user_id"],
        ann.id,
        "other members did not receive the marker"
    );

    bob.leaves(room).await;
    assert_eq!(bob_socket.receives("chat_deleted").await["chat_id"], room);
    assert_eq!(eve_socket.receives("members_changed").await["removed"], json!([bob.id]));
    assert_eq!(ann_socket.receives("members_changed").await["member_count"], CROWD + 1);
    let listed = eve.get("rooms/").await.expect(200);
    assert_eq!((&listed.results()[0]["member_count"], &listed.json["count"]), (&json!(CROWD + 1), &json!(1)));
    ann.delete(&format!("chats/{room}/")).await.expect(204);
    assert_eq!(eve_socket.receives("chat_deleted").await["chat_id"], room);
}
