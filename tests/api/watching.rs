//! Watching public rooms as a non-member, over real sockets.

use std::time::Duration;

use actix_web::rt::time::timeout;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{DEADLINE, Listener, Server, nodes};

impl Listener {
    /// Sends a command about a room and returns its answer. No other frame may arrive before it.
    async fn commands(&mut self, kind: &str, room: impl Into<Value>) -> Value {
        let room: Value = room.into();
        self.says(&json!({"type": kind, "id": kind, "chat_id": room}).to_string()).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], kind, "{answer}");
        answer
    }

    /// Watches a room. Returns the `seq` after which its events are delivered.
    async fn watches(&mut self, room: i64) -> i64 {
        let ack = self.commands("watch", room).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack["seq"].as_i64().unwrap()
    }

    async fn unwatches(&mut self, room: i64) {
        assert_eq!(self.commands("unwatch", room).await, json!({"type": "ack", "id": "unwatch"}));
    }

    /// Asserts that no event is pending.
    async fn receives_nothing(&mut self) {
        self.says(r#"{"type": "ping"}"#).await;
        self.receives("pong").await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn who_watches_hears_what_a_room_is_called_and_who_is_in_it_and_no_more() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let room = ann.room("Lobby").await;
    let mut eve_socket = eve.listens().await;
    assert_eq!(eve_socket.watches(room).await, 1);
    assert_eq!(eve_socket.watches(room).await, 1, "twice is once");
    let message = ann.posts(room, "for members").await;
    ann.edits(&message, "for members only").await;
    bob.joins(room).await;
    bob.marks_as_read(room).await;
    let reacted = bob.post(&format!("messages/{}/reactions/", message["id"]), json!({"emoji": "👍"})).await;
    reacted.expect(200);
    bob.post(&format!("chats/{room}/typing/"), json!({"is_typing": true})).await.expect(200);
    ann.deletes(&message).await;
    ann.posts(room, "secret").await;
    ann.patch(&format!("chats/{room}/"), json!({"title": "Hall"})).await.expect(200);
    ann.patch(&format!("chats/{room}/members/{}/", bob.id), json!({"role": "admin"})).await.expect(200);
    bob.leaves(room).await;
    let joined = eve_socket.receives("members_changed").await;
    assert_eq!((&joined["added"][0]["id"], &joined["member_count"]), (&json!(bob.id), &json!(2)));
    assert_eq!(joined["seq"], 4, "numbers skip events that are not delivered");
    let renamed = eve_socket.receives("chat_updated").await;
    assert_eq!((&renamed["chat"]["title"], &renamed["seq"]), (&json!("Hall"), &json!(8)));
    assert_eq!(
        (&renamed["chat"]["last_message"], &renamed["chat"]["member_count"]),
        (&Value::Null, &json!(2))
    );
    for own in ["is_member", "my_role", "unread_count", "last_read_message_id"] {
        assert!(renamed["chat"].get(own).is_none(), "{renamed}");
    }
    assert_eq!(eve_socket.receives("members_changed").await["changed"][0]["role"], "admin");
    let left = eve_socket.receives("members_changed").await;
    assert_eq!((&left["removed"], &left["seq"]), (&json!([bob.id]), &eve.sees(room).await["seq"]));
    eve_socket.receives_nothing().await;
}

#[actix_rt::test(system = "crate::System")]
async fn members_hear_the_title_with_the_last_message() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let room = ann.room("Lobby").await;
    let message = ann.posts(room, "hi").await;
    let mut ann_socket = ann.listens().await;
    ann.patch(&format!("chats/{room}/"), json!({"title": "Hall"})).await.expect(200);
    assert_eq!(ann_socket.receives("chat_updated").await["chat"]["last_message"]["id"], message["id"]);
}

#[actix_rt::test(system = "crate::System")]
async fn who_watches_no_more_hears_nothing_more() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (room, other) = (ann.room("Lobby").await, ann.room("Other").await);
    let mut eve_socket = eve.listens().await;
    eve_socket.watches(room).await;
    eve_socket.watches(other).await;
    bob.joins(room).await;
    eve_socket.receives("members_changed").await;
    eve_socket.unwatches(room).await;
    eve_socket.unwatches(room).await;
    bob.leaves(room).await;
    bob.joins(other).await;
    assert_eq!(eve_socket.receives("members_changed").await["chat_id"], other);
    assert_eq!(eve_socket.watches(room).await, 3);
    bob.joins(room).await;
    assert_eq!(eve_socket.receives("members_changed").await["seq"], 4);
}

#[actix_rt::test(system = "crate::System")]
async fn who_joins_hears_everything_from_then_on() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let room = ann.room("Lobby").await;
    let (mut watching, mut listening) = (bob.listens().await, bob.listens().await);
    watching.watches(room).await;
    ann.posts(room, "before").await;
    bob.joins(room).await;
    ann.posts(room, "after").await;
    for socket in [&mut watching, &mut listening] {
        let created = socket.receives("chat_created").await;
        assert_eq!((&created["seq"], &created["chat"]["is_member"]), (&json!(3), &json!(true)));
        assert_eq!(socket.receives("new_message").await["message"]["content"], "after");
    }
    // Watching a room as its member changes nothing, nor does unwatching it.
    assert_eq!(watching.watches(room).await, 4);
    watching.unwatches(room).await;
    ann.posts(room, "still").await;
    assert_eq!(watching.receives("new_message").await["message"]["content"], "still");
    // After leaving, a user receives nothing more, unless it watches again.
    bob.leaves(room).await;
    watching.receives("chat_deleted").await;
    ann.patch(&format!("chats/{room}/"), json!({"title": "Hall"})).await.expect(200);
    watching.receives_nothing().await;
    assert_eq!(watching.watches(room).await, 7);
    ann.patch(&format!("chats/{room}/"), json!({"title": "Lobby"})).await.expect(200);
    assert_eq!(watching.receives("chat_updated").await["seq"], 8);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_added_while_watching_hears_that_first() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let room = ann.room("Lobby").await;
    let (mut bob_socket, mut eve_socket) = (bob.listens().await, eve.listens().await);
    bob_socket.watches(room).await;
    eve_socket.watches(room).await;
    ann.adds(room, &[&bob]).await;
    assert_eq!(bob_socket.receives("chat_created").await["seq"], 2);
    bob_socket.receives_nothing().await;
    assert_eq!(eve_socket.receives("members_changed").await["added"][0]["id"], bob.id);
}

#[actix_rt::test(system = "crate::System")]
async fn a_watched_room_that_is_deleted_is_told_of() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let room = ann.room("Lobby").await;
    let mut bob_socket = bob.listens().await;
    bob_socket.watches(room).await;
    ann.posts(room, "last words").await;
    ann.delete(&format!("chats/{room}/")).await.expect(204);
    let deleted = json!({"type": "chat_deleted", "chat_id": room, "seq": 3});
    assert_eq!(bob_socket.next().await, deleted);
    assert_eq!(bob_socket.commands("watch", room).await["status"], 404);
    bob_socket.unwatches(room).await;
    bob_socket.receives_nothing().await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_one_may_not_see_cannot_be_watched() {
    let server = Server::start().await;
    let [ann, eve] = server.users(["ann", "eve"]).await;
    let private = ann.asks_for_room("Private", json!({"is_public": false})).await.expect(201).id();
    let group = ann.group("Group", &[]).await;
    let mut eve_socket = eve.listens().await;
    for hidden in [json!(private), json!(group), json!(999), json!("x")] {
        let error = json!({"type": "error", "id": "watch", "status": 404, "detail": "Not found."});
        assert_eq!(eve_socket.commands("watch", hidden).await, error);
    }
    eve_socket.says(r#"{"type": "watch"}"#).await;
    assert_eq!(eve_socket.receives("error").await["details"]["chat_id"], json!(["This field is required."]));
    let mut ann_socket = ann.listens().await;
    for own in [private, group] {
        assert_eq!(ann_socket.watches(own).await, 1);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_watches_a_hundred_rooms_and_no_more() {
    let server = Server::start().await;
    let (ann, eve) = (server.staff("ann").await, server.user("eve").await);
    let mut eve_socket = eve.listens().await;
    let mut rooms = Vec::new();
    for number in 0..101 {
        rooms.push(ann.room(&format!("Room {number}")).await);
    }
    for room in &rooms[..100] {
        eve_socket.watches(*room).await;
    }
    let error = eve_socket.commands("watch", rooms[100]).await;
    assert_eq!(error["status"], 400);
    assert_eq!(error["details"]["chat_id"], json!(["A socket watches no more than 100 rooms."]));
    assert_eq!(eve_socket.commands("watch", 999).await["status"], 404);
    eve_socket.watches(rooms[99]).await;
    eve_socket.unwatches(rooms[0]).await;
    eve_socket.watches(rooms[100]).await;
    ann.delete(&format!("chats/{}/", rooms[1])).await.expect(204);
    eve_socket.receives("chat_deleted").await;
    eve_socket.watches(rooms[0]).await;
}

#[actix_rt::test(system = "crate::System")]
async fn watching_goes_on_over_a_resume() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (room, group) = (ann.room("Lobby").await, ann.group("Team", &[&eve]).await);
    let mut eve_socket = eve.listens().await;
    eve_socket.watches(room).await;
    ann.posts(group, "missed?").await;
    eve_socket.receives("new_message").await;
    bob.joins(room).await;
    eve_socket.says(&json!({"type": "resume", "id": "r", "chats": {group.to_string(): 1}}).to_string()).await;
    let mut received = Vec::new();
    while received.last().is_none_or(|event: &Value| event["type"] != "ack") {
        received.push(eve_socket.next().await);
    }
    assert_eq!(received.last().unwrap()["heads"], json!({group.to_string(): 2}));
    assert!(received.iter().any(|event| event["type"] == "new_message"), "{received:?}");
    bob.leaves(room).await;
    // The first event may arrive before or after the ack, but each arrives once.
    received.push(eve_socket.next().await);
    while received.last().unwrap()["seq"] != 3 {
        received.push(eve_socket.next().await);
    }
    let of_room: Vec<&Value> =
        received.iter().filter(|event| event["chat_id"] == room).map(|event| &event["seq"]).collect();
    assert_eq!(of_room, [&json!(2), &json!(3)]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_narrowed_socket_hears_of_the_rooms_that_it_watches() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (one, other) = (bob.group("One", &[]).await, bob.group("Other", &[]).await);
    let room = ann.room("Lobby").await;
    let mut bob_socket = bob.connects_with(&format!("?chats={one}")).await.unwrap();
    bob_socket.receives("hello").await;
    bob_socket.watches(room).await;
    ann.patch(&format!("chats/{room}/"), json!({"title": "Hall"})).await.expect(200);
    bob_socket.receives("chat_updated").await;
    bob.joins(room).await;
    assert_eq!(bob_socket.receives("chat_created").await["chat_id"], room);
    bob.posts(other, "elsewhere").await;
    ann.posts(room, "here").await;
    assert_eq!(bob_socket.receives("new_message").await["message"]["content"], "here");
    bob_socket
        .says(&json!({"type": "resume", "chats": {room.to_string(): 4, one.to_string(): 1}}).to_string())
        .await;
    assert_eq!(bob_socket.receives("ack").await["heads"], json!({room.to_string(): 4, one.to_string(): 1}));
    ann.posts(room, "and here").await;
    assert_eq!(bob_socket.receives("new_message").await["message"]["content"], "and here");
}

#[actix_rt::test(system = "crate::System")]
async fn whoever_watches_in_mid_traffic_misses_nothing_above_the_ack() {
    let server = Server::start_with(|config| config.workers = Some(2)).await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let room = ann.room("Lobby").await;
    let coming_and_going = async {
        for _ in 0..40 {
            bob.joins(room).await;
            bob.leaves(room).await;
        }
    };
    // Every number is a change of members: from the ack on, each arrives once.
    let watching = async {
        let mut eve_socket = eve.listens().await;
        let mut last = 1;
        while last < 81 {
            eve_socket.says(&json!({"type": "watch", "id": 1, "chat_id": room}).to_string()).await;
            let mut received = Vec::new();
            let known = loop {
                let frame = eve_socket.next().await;
                match frame["type"].as_str().unwrap() {
                    "ack" => break frame["seq"].as_i64().unwrap(),
                    "members_changed" => received.push(frame["seq"].as_i64().unwrap()),
                    other => panic!("{other}"),
                }
            };
            last = received.last().copied().unwrap_or(0).max(known);
            let mut more = 0;
            while more < 5 && last < 81 {
                let seq = eve_socket.receives("members_changed").await["seq"].as_i64().unwrap();
                // Events up to the ack's `seq` may arrive after it.
                if seq > known {
                    received.push(seq);
                    more += 1;
                    last = last.max(seq);
                }
            }
            let above: Vec<i64> = received.into_iter().filter(|seq| *seq > known).collect();
            if nodes() == 1 {
                assert_eq!(above, (known + 1..known + 1 + above.len() as i64).collect::<Vec<_>>());
            } else {
                // What another node published before the subscription is read from storage, as it is by then.
                assert!(above.is_sorted_by(|one, next| one < next), "{above:?}");
            }
            eve_socket.says(&json!({"type": "unwatch", "id": 2, "chat_id": room}).to_string()).await;
            while eve_socket.next().await["type"] != "ack" {}
        }
    };
    join(coming_and_going, watching).await;
}

#[actix_rt::test(system = "crate::System")]
async fn joining_while_the_watch_is_on_its_way_ends_in_being_in() {
    let server = Server::start_with(|config| config.workers = Some(2)).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut bob_socket = bob.listens().await;
    for _ in 0..30 {
        let room = ann.room("Lobby").await;
        let watch = json!({"type": "watch", "id": "w", "chat_id": room}).to_string();
        join(bob_socket.says(&watch), bob.joins(room)).await;
        ann.posts(room, "hi").await;
        let mut kinds = Vec::new();
        while kinds.len() < 3 {
            let frame = bob_socket.next().await;
            kinds.push(frame["type"].as_str().unwrap().to_owned());
        }
        kinds.retain(|kind| kind != "ack");
        assert_eq!(kinds, ["chat_created", "new_message"]);
        bob_socket.receives_nothing().await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_room_that_nobody_watches_any_more_leaves_memory() {
    let server = Server::start_with(|config| config.chat_idle = Duration::from_millis(50)).await;
    let [ann, eve] = server.users(["ann", "eve"]).await;
    let room = ann.room("Lobby").await;
    let mut eve_socket = eve.listens().await;
    eve_socket.watches(room).await;
    drop(eve_socket);
    let gone = async {
        while server.active_chats() > 0 {
            crate::support::pause().await;
        }
    };
    timeout(DEADLINE, gone).await.expect("the room leaves memory");
    assert_eq!(eve.sees(room).await["seq"], 1);
}
