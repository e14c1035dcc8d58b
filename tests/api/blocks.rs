//! Blocking: a blocked user cannot write to the blocker, and sees no other difference.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::{Reply, Server, User, encoded};

const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;

impl User {
    async fn blocks(&self, other: &User) -> Value {
        self.post(&format!("users/{}/block/", other.id), json!({})).await.expect(200).json
    }

    async fn unblocks(&self, other: &User) {
        self.delete(&format!("users/{}/block/", other.id)).await.expect(204);
    }

    async fn opens_dm(&self, other: &User) -> Reply {
        self.post("chats/", json!({"chat_type": "dm", "member_ids": [other.id]})).await
    }
}

fn assert_forbidden(reply: &Reply) {
    assert_eq!((reply.status, String::from_utf8_lossy(&reply.body).as_ref()), (403, FORBIDDEN));
}

#[actix_rt::test(system = "crate::System")]
async fn one_lists_whom_one_has_blocked_the_latest_first() {
    let server = Server::start().await;
    let [ann, bob, cat, eve] = server.users(["ann", "bob", "cat", "eve"]).await;
    for other in [&bob, &cat, &eve, &bob] {
        let mut card = ann.get(&format!("users/{}/", other.id)).await.json;
        card.as_object_mut().unwrap().remove("custom");
        assert_eq!(ann.blocks(other).await, card);
    }
    let page = ann.get("users/blocked/?page_size=2").await.expect(200);
    assert_eq!((page.ids(), &page.json["count"]), (vec![eve.id, cat.id], &json!(3)));
    assert_eq!(ann.follows(&page.json["next"]).await.ids(), [bob.id]);
    ann.get("users/blocked/?page=2").await.expect(404);
    ann.unblocks(&cat).await;
    ann.unblocks(&cat).await;
    assert_eq!(ann.get("users/blocked/").await.ids(), [eve.id, bob.id]);
    // Other users do not see the list.
    assert!(bob.get("users/blocked/").await.ids().is_empty());
    let anonymous = server.anonymous();
    anonymous.get("users/blocked/").await.expect(401);
    for method in ["POST", "DELETE"] {
        anonymous.call(method, &format!("users/{}/block/", bob.id), None).await.expect(401);
        for id in ["0", "99", "x"] {
            ann.call(method, &format!("users/{id}/block/"), None).await.expect(404);
        }
    }
    let own = ann.post(&format!("users/{}/block/", ann.id), json!({})).await;
    assert_eq!(own.invalid("non_field_errors"), json!(["You cannot block yourself."]));
}

/// Sends everything that would reach the blocker, over REST and as a command.
async fn tries_everything(user: &User, chat: i64, own: &Value, others: &Value) -> Vec<Reply> {
    let (own, others, emoji) = (&own["id"], &others["id"], encoded("🎉"));
    vec![
        user.post(&format!("chats/{chat}/messages/"), json!({"content": "hi"})).await,
        user.post(&format!("chats/{chat}/messages/"), json!({"content": ""})).await,
        user.patch(&format!("messages/{own}/"), json!({"content": "edited"})).await,
        user.put(&format!("messages/{own}/"), json!({})).await,
        user.post(&format!("messages/{others}/reactions/"), json!({"emoji": "👍"})).await,
        user.post(&format!("messages/{others}/reactions/"), json!({"emoji": "x"})).await,
        user.put(&format!("messages/{others}/reactions/{emoji}/"), json!({})).await,
        user.delete(&format!("messages/{others}/reactions/{emoji}/")).await,
        user.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await,
        user.patch(&format!("chats/{chat}/"), json!({"title": "read this"})).await,
    ]
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_blocked_gets_nothing_through_in_the_dm() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = bob.dm(&ann).await;
    let (own, ann_message) = (bob.posts(chat, "hi").await, ann.posts(chat, "ho").await);
    let mut socket = ann.listens().await;
    let mut commands = bob.listens().await;
    // Typing caches bob's membership; the block must take effect all the same.
    bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(200);
    socket.receives("typing").await;
    bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": false})).await.expect(200);
    socket.receives("typing").await;
    ann.blocks(&bob).await;
    let before = ann.sees(chat).await;
    for reply in tries_everything(&bob, chat, &own, &ann_message).await {
        assert_forbidden(&reply);
    }
    let (own_id, anns_id) = (&own["id"], &ann_message["id"]);
    for command in [
        json!({"type": "send_message", "chat_id": chat, "content": "hi"}),
        json!({"type": "edit_message", "message_id": own_id, "content": "edited"}),
        json!({"type": "react", "message_id": anns_id, "emoji": "👍"}),
        json!({"type": "react", "message_id": anns_id, "emoji": "👍", "action": "perhaps"}),
        json!({"type": "typing", "chat_id": chat, "is_typing": true}),
    ] {
        commands.says(&command.to_string()).await;
        let error = commands.receives("error").await;
        assert_eq!(
            (&error["status"], &error["detail"]),
            (&json!(403), &serde_json::from_str::<Value>(FORBIDDEN).unwrap()["detail"]),
            "{command}"
        );
    }
    assert_eq!(ann.sees(chat).await, before);
    // The blocked user can still read and delete; the blocker can still write.
    assert_eq!(bob.reads(chat).await, ["hi", "ho"]);
    let next = ann.posts(chat, "bye").await;
    assert_eq!(commands.receives("new_message").await["message"], next);
    assert_eq!(bob.marks_as_read(chat).await, 2);
    bob.patch(&format!("chats/{chat}/me/"), json!({"is_pinned": true})).await.expect(200);
    bob.deletes(&own).await;
    for kind in ["new_message", "read", "message_deleted"] {
        socket.receives(kind).await;
    }
    ann.unblocks(&bob).await;
    let message = bob.posts(chat, "again").await;
    assert_eq!(socket.receives("new_message").await["message"], message);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_blocked_begins_no_dm_but_has_the_one_there_is() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    ann.blocks(&bob).await;
    ann.blocks(&cat).await;
    assert_forbidden(&bob.opens_dm(&ann).await);
    // A blocker may open a chat with the blocked user.
    let chat = ann.opens_dm(&bob).await.expect(201).id();
    assert_eq!(bob.opens_dm(&ann).await.expect(200).id(), chat);
    bob.post(&format!("chats/{chat}/messages/"), json!({"content": "hi"})).await.expect(403);
    bob.delete(&format!("chats/{chat}/")).await.expect(403);
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    assert_forbidden(&bob.opens_dm(&ann).await);
    // A block works in one direction, and for two users only.
    ann.unblocks(&bob).await;
    bob.opens_dm(&ann).await.expect(201);
    assert_forbidden(&cat.opens_dm(&ann).await);
    cat.opens_dm(&bob).await.expect(201);
    cat.post("chats/", json!({"chat_type": "dm"})).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_blocked_brings_nobody_together_with_who_blocked_them() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let staff = server.staff("root").await;
    let (group, room) = (bob.group("Team", &[&cat]).await, bob.room("Hall").await);
    ann.blocks(&bob).await;
    ann.blocks(&staff).await;
    let mut socket = ann.listens().await;
    let others = json!({"chat_type": "group", "member_ids": [cat.id, ann.id]});
    assert_forbidden(&bob.post("chats/", others.clone()).await);
    for chat in [group, room] {
        let path = format!("chats/{chat}/members/add/");
        assert_forbidden(&bob.post(&path, json!({"user_ids": [ann.id]})).await);
        assert_forbidden(&bob.post(&path, json!({"user_ids": [ann.id, staff.id]})).await);
        bob.post(&path, json!({"user_ids": [staff.id]})).await.expect(200);
    }
    assert_eq!(bob.sees(group).await["member_count"], 3);
    // Other users, the blocker herself and staff may add both.
    let by_cat = cat.group("Ours", &[&bob, &ann]).await;
    assert_eq!(socket.receives("chat_created").await["chat_id"], by_cat);
    let by_ann = ann.group("Mine", &[&bob]).await;
    assert_eq!(socket.receives("chat_created").await["chat_id"], by_ann);
    let by_staff = staff.post("chats/", others.clone()).await.expect(201).id();
    assert_eq!(socket.receives("chat_created").await["chat_id"], by_staff);
    ann.unblocks(&bob).await;
    bob.post("chats/", others).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_is_brought_into_a_group_after_the_answer_to_the_block() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    for _ in 0..20 {
        // On several nodes, if the environment asks for them.
        let makers = [bob.clone(), server.anonymous().with("Authorization", &bob.headers[0].1)];
        let body = json!({"chat_type": "group", "member_ids": [ann.id]});
        let making = join_all((0..6).map(|number| makers[number % 2].post("chats/", body.clone())));
        let block = async {
            ann.blocks(&bob).await;
            ann.get("chats/").await.expect(200).json["count"].clone()
        };
        let (replies, at_block) = join(making, block).await;
        assert!(replies.iter().all(|reply| [201, 403].contains(&reply.status)));
        assert_eq!(ann.get("chats/").await.json["count"], at_block);
        ann.unblocks(&bob).await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn elsewhere_a_block_makes_no_difference() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (old, room) = (ann.group("Team", &[&bob]).await, ann.room("Hall").await);
    let new = bob.group("Other", &[&ann]).await;
    ann.blocks(&bob).await;
    bob.joins(room).await;
    for chat in [old, room, new] {
        let (own, others) = (bob.posts(chat, "hi").await, ann.posts(chat, "ho").await);
        bob.edits(&own, "hello").await;
        let reaction = json!({"emoji": "👍"});
        bob.post(&format!("messages/{}/reactions/", others["id"]), reaction).await.expect(200);
        bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(200);
        assert_eq!(ann.reads(chat).await, ["hello", "ho"]);
    }
    let found = bob.get("users/search/?q=ann").await.expect(200);
    assert_eq!(found.ids(), [ann.id]);
    assert_eq!(bob.get(&format!("users/{}/", ann.id)).await.expect(200).id(), ann.id);
    assert_eq!(bob.sees(new).await["members"].as_array().unwrap().len(), 2);
}

#[actix_rt::test(system = "crate::System")]
async fn what_was_sent_before_is_answered_as_ever() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = bob.dm(&ann).await;
    let path = format!("chats/{chat}/messages/");
    let sent = json!({"content": "hi", "client_id": "k"});
    let first = bob.post(&path, sent.clone()).await.expect(201).json;
    ann.blocks(&bob).await;
    assert_eq!(bob.post(&path, sent).await.expect(200).json, first);
    bob.post(&path, json!({"content": "other", "client_id": "k"})).await.expect(409);
    bob.post(&path, json!({"content": "hi", "client_id": "l"})).await.expect(403);
    assert_eq!(ann.reads(chat).await, ["hi"]);
}

#[actix_rt::test(system = "crate::System")]
async fn no_message_is_taken_after_the_answer_to_the_block() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = bob.dm(&ann).await;
    for round in 0..20 {
        // On several nodes, if the environment asks for them.
        let senders = [bob.clone(), server.anonymous().with("Authorization", &bob.headers[0].1)];
        let body = json!({"content": format!("round {round}")});
        let path = format!("chats/{chat}/messages/");
        let posts = join_all((0..6).map(|number| senders[number % 2].post(&path, body.clone())));
        let block = async {
            ann.blocks(&bob).await;
            ann.sees(chat).await["seq"].clone()
        };
        let (replies, at_block) = join(posts, block).await;
        assert!(replies.iter().all(|reply| [201, 403].contains(&reply.status)));
        let taken = replies.iter().filter(|reply| reply.status == 201);
        let newest = taken.map(|reply| reply.json["seq"].as_i64().unwrap()).max().unwrap_or(0);
        assert!(newest <= at_block.as_i64().unwrap(), "{newest} after the block at {at_block}");
        bob.post(&path, body).await.expect(403);
        assert_eq!(ann.sees(chat).await["seq"], at_block);
        ann.unblocks(&bob).await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn no_dm_is_begun_after_the_answer_to_the_block() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for other in server.crowd(12).await {
        let block = async {
            ann.blocks(&other).await;
            ann.get("chats/?page_size=100").await.expect(200).json["count"].clone()
        };
        let (opened, at_block) = join(other.opens_dm(&ann), block).await;
        let now = ann.get("chats/?page_size=100").await.expect(200).json["count"].clone();
        assert_eq!(at_block, now, "{}", opened.status);
        match opened.status {
            201 => other.post(&format!("chats/{}/messages/", opened.id()), json!({"content": "hi"})).await,
            _ => opened,
        }
        .expect(403);
    }
}
