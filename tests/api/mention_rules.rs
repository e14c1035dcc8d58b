//! Rules of mentions beside the usual course: who counts as connected, who is no member, and what a catch-up brings.

use std::collections::BTreeSet;

use actix_web::rt::time::timeout;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{DEADLINE, Listener, Reply, Server, User, pause};

async fn says(user: &User, chat: i64, body: Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), body).await
}

fn naming(text: &str, others: &[&User]) -> Value {
    let users: Vec<Value> = others.iter().map(|other| json!({"id": other.id})).collect();
    json!({"content": text, "mentions": {"users": users}})
}

async fn unread_mentions(user: &User, chat: i64) -> i64 {
    user.sees(chat).await["unread_mentions"].as_i64().unwrap()
}

async fn is_consistent(server: &Server) {
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

/// Waits until all these users are online for a user who has a dm with each.
async fn waits_for_online(asking: &User, users: &[&User]) {
    let ids: BTreeSet<i64> = users.iter().map(|user| user.id).collect();
    let waiting = async {
        loop {
            let online = asking.get("sync/").await.expect(200).json["users_online"].clone();
            let online: BTreeSet<i64> = serde_json::from_value(online).unwrap();
            if ids.is_subset(&online) {
                return;
            }
            pause().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("they are online in time");
}

#[actix_rt::test(system = "crate::System")]
async fn here_is_who_has_a_socket_a_stream_or_a_long_poll_and_who_had_one_just_now() {
    let server = Server::start().await;
    let [ann, bob, cy, dan, eve, fay] = server.users(["ann", "bob", "cy", "dan", "eve", "fay"]).await;
    let chat = ann.group("Team", &[&bob, &cy, &dan, &eve, &fay]).await;
    let here = json!({"content": "here", "mentions": {"here": true}});
    for other in [&bob, &cy, &dan, &eve] {
        ann.dm(other).await;
    }
    let heads = dan.get("sync/").await.expect(200).json["heads"].clone();
    let (_stream, _socket, left) = (bob.streams().await, cy.listens().await, eve.listens().await);
    let waiting = async { dan.post("sync/", json!({"chats": heads, "wait": 20})).await.expect(200).json };
    let posting = async {
        waits_for_online(&ann, &[&bob, &cy, &dan, &eve]).await;
        drop(left);
        while server.listeners_of(&eve) > 0 {
            pause().await;
        }
        says(&ann, chat, here).await.expect(201).json
    };
    let (brought, sent) = join(waiting, posting).await;
    assert_eq!(brought["events"][0]["message"]["id"], sent["id"]);
    for (user, expected) in [(&ann, 0), (&bob, 1), (&cy, 1), (&dan, 1), (&eve, 1), (&fay, 0)] {
        assert_eq!(unread_mentions(user, chat).await, expected, "{}", user.name);
    }
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn here_is_for_admins_of_large_chats_in_edits_too() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let crowd = server.crowd(24).await;
    let mut others: Vec<&User> = crowd.iter().collect();
    others.push(&bob);
    let large = ann.group("Large", &others).await;
    for all in ["everyone", "here"] {
        for (user, status) in [(&bob, 403), (&ann, 200)] {
            let own = user.posts(large, "mine").await;
            let edit = json!({"content": "mine", "mentions": {all: true}});
            user.patch(&format!("messages/{}/", own["id"]), edit).await.expect(status);
        }
    }
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_block_of_either_side_makes_a_mention_count_nothing() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    // The sender has blocked one, and the other has blocked the sender.
    ann.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    cy.post(&format!("users/{}/block/", ann.id), json!({})).await.expect(200);
    let sent = says(&ann, chat, naming("both", &[&bob, &cy])).await.expect(201).json;
    says(&ann, chat, json!({"content": "all", "mentions": {"everyone": true}})).await.expect(201);
    for user in [&bob, &cy] {
        assert_eq!(unread_mentions(user, chat).await, 0);
        assert_eq!(user.get("mentions/").await.expect(200).json["count"], 0);
    }
    // They are members: the text names them, and they are not ignored.
    assert_eq!(sent["mentions_ignored"], Value::Null);
    assert_eq!(sent["mentions"]["users"].as_array().unwrap().len(), 2);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_no_active_member_is_ignored() {
    let server = Server::start().await;
    let [ann, bob, cy, dan, eve] = server.users(["ann", "bob", "cy", "dan", "eve"]).await;
    let staff = server.staff("root").await;
    let chat = ann.group("Team", &[&bob, &cy, &dan]).await;
    staff.patch(&format!("users/{}/", cy.id), json!({"is_active": false})).await.expect(200);
    dan.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    let sent = says(&ann, chat, naming("all of you", &[&bob, &cy, &dan, &eve])).await.expect(201).json;
    assert_eq!(sent["mentions_ignored"], json!([cy.id, dan.id, eve.id]));
    assert_eq!(sent["mentions"]["users"], json!([{"id": bob.id}]));
    let edit = naming("you two", &[&eve, &bob]);
    let edited = ann.patch(&format!("messages/{}/", sent["id"]), edit).await.expect(200).json;
    assert_eq!(edited["mentions_ignored"], json!([eve.id]));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_retry_with_other_mentions_is_the_same_message() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let with_id = |mut body: Value| {
        body["client_id"] = json!("c-1");
        body
    };
    let first = says(&ann, chat, with_id(naming("you", &[&bob]))).await.expect(201).json;
    let again = says(&ann, chat, with_id(naming("you", &[&cy]))).await.expect(200).json;
    assert_eq!((&again["id"], &again["mentions"]), (&first["id"], &first["mentions"]));
    assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&cy, chat).await), (1, 0));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_forwarded_mention_mentions_nobody() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    let sent = says(&ann, chat, naming("you", &[&bob])).await.expect(201).json;
    let copy = says(&ann, other, json!({"forward": sent["id"]})).await.expect(201).json;
    assert_eq!(copy["mentions"], json!({"users": [], "everyone": false, "here": false}));
    assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&bob, other).await), (1, 0));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_catch_up_brings_the_counts_of_mentions() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, quiet) = (ann.group("Team", &[&bob]).await, ann.group("Quiet", &[&bob]).await);
    let root = bob.posts(chat, "root").await;
    let heads = bob.get("sync/").await.expect(200).json["heads"].clone();
    says(&ann, chat, naming("you", &[&bob])).await.expect(201);
    says(&ann, chat, json!({"content": "all", "mentions": {"everyone": true}})).await.expect(201);
    let mut named = naming("in the thread", &[&bob]);
    named["thread"] = root["id"].clone();
    says(&ann, chat, named).await.expect(201);
    let counts = json!({chat.to_string(): 2});
    let threads = json!({root["id"].to_string(): {"chat": chat, "unread": 1, "mentions": 1}});
    let (_, _, ack) = bob.resumes_with(true, heads.clone()).await;
    let synced = bob.post("sync/", json!({"chats": heads, "threads": true})).await.expect(200).json;
    for answer in [ack, synced] {
        assert_eq!((&answer["chat_mentions"], &answer["threads"]), (&counts, &threads), "{answer}");
    }
    assert_eq!(unread_mentions(&bob, quiet).await, 0);
}

/// Receives the events up to a message with the text "end". Returns the last `mentions_changed`, and the number of unread
/// mentions that the events lead to.
async fn mentions_up_to_the_end(socket: &mut Listener, mut unread: i64) -> (Option<Value>, i64) {
    let mut changed = None;
    loop {
        let event = socket.next().await;
        match event["type"].as_str().unwrap() {
            "new_message" if event["message"]["content"] == "end" => return (changed, unread),
            "new_message" => unread += i64::from(event["message"]["mentions"]["everyone"] == true),
            "read" => unread = event["unread_mentions"].as_i64().unwrap(),
            "mentions_changed" => {
                unread = event["unread_mentions"].as_i64().unwrap();
                changed = Some(event);
            }
            _ => {}
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn in_a_large_chat_an_edit_or_a_deletion_tells_all_who_are_connected() {
    let server = Server::start().await;
    let [ann, bob, cy, dan] = server.users(["ann", "bob", "cy", "dan"]).await;
    let crowd = server.crowd(100).await;
    let mut others: Vec<&User> = crowd.iter().collect();
    others.extend([&bob, &cy, &dan]);
    let large = ann.group("Large", &others).await;
    cy.post(&format!("users/{}/block/", ann.id), json!({})).await.expect(200);
    let all = || json!({"content": "all", "mentions": {"everyone": true}});
    let sent = says(&ann, large, all()).await.expect(201).json;
    let path = format!("messages/{}/", sent["id"]);
    let mut sockets = Vec::new();
    for (user, count) in [(&ann, 0), (&bob, 1), (&cy, 0), (&dan, 1)] {
        assert_eq!(unread_mentions(user, large).await, count, "{}", user.name);
        sockets.push((user, user.listens().await));
    }
    // Edits that take the mention away and name one user, and that bring it back; and the deletion.
    let naming_dan = naming("you", &[&dan]);
    for (edit, of_bob, of_dan) in [
        (Some(naming_dan), Some((false, 0)), None),
        (Some(all()), Some((true, 1)), None),
        (None, Some((false, 0)), Some((false, 0))),
    ] {
        match edit {
            Some(edit) => drop(ann.patch(&path, edit).await.expect(200)),
            None => ann.deletes(&sent).await,
        }
        let seq = ann.sees(large).await["seq"].clone();
        ann.posts(large, "end").await;
        for (user, socket) in &mut sockets {
            let expected = if user.id == bob.id { of_bob } else { of_dan.filter(|_| user.id == dan.id) };
            let expected = expected.map(|(is_mentioned, unread_mentions): (bool, i64)| {
                json!({"type": "mentions_changed", "chat_id": large, "seq": seq, "message_id": sent["id"], "is_mentioned": is_mentioned, "unread_mentions": unread_mentions})
            });
            let (changed, _) = mentions_up_to_the_end(socket, 0).await;
            assert_eq!(changed, expected, "{}", user.name);
        }
    }
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn in_a_large_chat_the_counts_of_those_connected_follow_posts_edits_and_markers_at_once() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let crowd = server.crowd(100).await;
    let mut others: Vec<&User> = crowd.iter().collect();
    others.push(&bob);
    let large = ann.group("Large", &others).await;
    ann.patch(&format!("chats/{large}/members/{}/", crowd[0].id), json!({"role": "admin"})).await.expect(200);
    let all = || json!({"content": "all", "mentions": {"everyone": true}});
    let mut bobs = bob.listens().await;
    let posting = async {
        for _ in 0..30 {
            says(&crowd[0], large, all()).await.expect(201);
        }
    };
    let editing = async {
        for number in 0..15 {
            let sent = says(&ann, large, all()).await.expect(201).json;
            let path = format!("messages/{}/", sent["id"]);
            ann.patch(&path, json!({"content": "none", "mentions": {}})).await.expect(200);
            if number % 2 == 0 {
                ann.patch(&path, all()).await.expect(200);
            } else {
                ann.deletes(&sent).await;
            }
        }
    };
    let reading = async {
        for _ in 0..5 {
            bob.post(&format!("chats/{large}/mark-as-read/"), json!({})).await.expect(200);
        }
    };
    join(join(posting, editing), reading).await;
    ann.posts(large, "end").await;
    let (_, unread) = mentions_up_to_the_end(&mut bobs, 0).await;
    assert_eq!(unread, unread_mentions(&bob, large).await);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn who_was_here_stays_settled_when_an_edit_takes_everyone_away() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let bobs = bob.listens().await;
    let both = json!({"content": "both", "mentions": {"everyone": true, "here": true}});
    let here = json!({"content": "here", "mentions": {"here": true}});
    let sent = says(&ann, chat, both.clone()).await.expect(201).json;
    assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&cy, chat).await), (1, 1));
    // Now the other one is connected.
    drop(bobs);
    let _cys = cy.listens().await;
    let path = format!("messages/{}/", sent["id"]);
    for edit in [here.clone(), both, here] {
        ann.patch(&path, edit.clone()).await.expect(200);
        let cys = i64::from(edit["mentions"]["everyone"] == true);
        assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&cy, chat).await), (1, cys));
        is_consistent(&server).await;
    }
}
