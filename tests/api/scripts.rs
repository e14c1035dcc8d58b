//! Stored scripts: kept as they were typed, and never served in an executable form.

use serde_json::{Value, json};

use crate::support::{Reply, Server, encoded};

/// Returns the payloads, which the browser tests use too.
fn payloads() -> Vec<String> {
    let payloads: Vec<String> = serde_json::from_str(include_str!("../support/payloads.json")).unwrap();
    assert_eq!(payloads.len(), 40);
    payloads
}

/// Returns whether a payload is a valid title or name: it must not contain bidirectional controls.
fn may_name(payload: &str) -> bool {
    !payload.contains('\u{202E}')
}

/// Asserts that a reply is JSON that a browser neither sniffs as another type nor could execute.
#[track_caller]
fn is_inert(reply: &Reply) {
    assert_eq!(reply.header("content-type"), "application/json", "{reply:?}");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(reply.json.is_object(), "{reply:?}");
}

#[actix_rt::test(system = "crate::System")]
async fn messages_are_kept_as_typed() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let mut bob_socket = bob.listens().await;
    for payload in payloads() {
        let posted =
            ann.post(&format!("chats/{chat}/messages/"), json!({"content": payload})).await.expect(201);
        is_inert(&posted);
        assert_eq!(posted.json["content"], payload);
        assert_eq!(bob_socket.receives("new_message").await["message"]["content"], payload);
        let message = format!("messages/{}/", posted.id());
        let edited = ann.patch(&message, json!({"content": format!("{payload}!")})).await.expect(200);
        is_inert(&edited);
        assert_eq!(bob_socket.receives("message_updated").await["message"]["content"], format!("{payload}!"));
        let seen = bob.get(&message).await.expect(200);
        is_inert(&seen);
        assert_eq!(seen.json["content"], format!("{payload}!"));
    }
    let page = bob.get(&format!("chats/{chat}/messages/?page_size=100")).await.expect(200);
    is_inert(&page);
    let texts: Vec<String> = payloads().iter().map(|payload| format!("{payload}!")).collect();
    assert_eq!(bob.reads(chat).await, texts);
}

#[actix_rt::test(system = "crate::System")]
async fn titles_and_objects_are_kept_as_typed_or_refused() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut bob_socket = bob.listens().await;
    for payload in payloads() {
        let group = json!({"chat_type": "group", "title": payload, "member_ids": [bob.id]});
        let made = ann.post("chats/", group).await;
        is_inert(&made);
        if may_name(&payload) {
            assert_eq!(made.expect(201).json["title"], payload);
            assert_eq!(bob_socket.receives("chat_created").await["chat"]["title"], payload);
            let found = ann.get(&format!("chats/?search={}", encoded(&payload))).await.expect(200);
            is_inert(&found);
            assert!(found.results().iter().any(|chat| chat["title"] == payload), "{payload}");
        } else {
            assert_ne!(made.invalid("title"), Value::Null);
        }
        let room =
            json!({"chat_type": "room", "title": "room", "object_type": payload, "object_id": payload});
        let room = ann.post("chats/", room).await.expect(201);
        is_inert(&room);
        assert_eq!(room.json["object"], json!({"type": payload, "id": payload}));
        let query = format!("rooms/?object_type={0}&object_id={0}", encoded(&payload));
        let found = bob.get(&query).await.expect(200);
        is_inert(&found);
        assert_eq!(found.ids(), [room.id()], "{payload}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn names_are_kept_as_typed_or_refused() {
    let server = Server::start().await;
    let (bob, root) = (server.user("bob").await, server.staff("root").await);
    for payload in payloads() {
        let changed = root.patch(&format!("users/{}/", bob.id), json!({"last_name": payload})).await;
        is_inert(&changed);
        if may_name(&payload) {
            assert_eq!(changed.expect(200).json["display_name"], payload);
            let found = root.get(&format!("users/search/?q={}", encoded(&payload))).await.expect(200);
            is_inert(&found);
            assert_eq!(found.results()[0]["display_name"], payload);
        } else {
            assert_ne!(changed.invalid("last_name"), Value::Null);
        }
        let avatar = server.anonymous().send("GET", &format!("/messages/avatars/{}.svg", bob.id), None).await;
        assert_eq!(avatar.header("content-type"), "image/svg+xml");
        assert!(avatar.header("content-security-policy").starts_with("default-src 'none'"));
        let svg = String::from_utf8(avatar.expect(200).body).unwrap();
        let tags: Vec<&str> =
            svg.split('<').skip(1).map(|tag| tag.split([' ', '>']).next().unwrap()).collect();
        assert_eq!(tags, ["svg", "rect", "text", "/text", "/svg"], "{svg}");
        assert!(!svg.contains("ran"), "{svg}");

        let named = root.post("users/", json!({"username": payload})).await;
        is_inert(&named);
        assert_ne!(named.invalid("username"), Value::Null, "{payload}");
        let pictured = root.patch(&format!("users/{}/", bob.id), json!({"avatar_url": payload})).await;
        is_inert(&pictured);
        match pictured.status {
            200 => assert!(pictured.json["avatar_url"].as_str().unwrap().starts_with("http"), "{payload}"),
            _ => assert_ne!(pictured.invalid("avatar_url"), Value::Null),
        }
        root.patch(&format!("users/{}/", bob.id), json!({"avatar_url": ""})).await.expect(200);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_refused_is_not_served_as_anything_that_runs_either() {
    let server = Server::start().await;
    let (ann, nobody) = (server.user("ann").await, server.anonymous());
    let chat = ann.group("group", &[]).await;
    let message = ann.posts(chat, "hello").await["id"].clone();
    for payload in payloads() {
        let emoji = ann.post(&format!("messages/{message}/reactions/"), json!({"emoji": payload})).await;
        is_inert(&emoji);
        assert_ne!(emoji.invalid("emoji"), Value::Null, "{payload}");
        let in_path = format!("messages/{message}/reactions/{}/", encoded(&payload));
        let in_path = ann.put(&in_path, json!({})).await;
        is_inert(&in_path);
        assert!([400, 404].contains(&in_path.status), "{payload}: {}", in_path.status);
        let kind = ann.post("chats/", json!({"chat_type": payload})).await;
        is_inert(&kind);
        assert_ne!(kind.invalid("chat_type"), Value::Null);
        let nowhere = nobody.send("GET", &format!("/{}", encoded(&payload)), None).await.expect(404);
        is_inert(&nowhere);
        let sign_in = json!({"username": payload, "password": payload});
        is_inert(&nobody.send("POST", "/register/", Some(sign_in)).await.expect(403));
        let page =
            nobody.send("GET", &format!("/login/?next=/{}", encoded(&payload)), None).await.expect(200);
        let page = String::from_utf8(page.body).unwrap();
        assert!(!page.contains(&payload), "{payload}");
    }
    let known: Vec<Value> =
        ann.get(&format!("messages/{message}/")).await.json["reactions"].as_array().unwrap().clone();
    assert_eq!(known, Vec::<Value>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn an_event_stream_has_no_more_lines_than_its_events() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("group", &[]).await;
    let mut stream = ann.streams().await;
    for text in ["one\n\ndata: {\"type\": \"ran\"}\n\nid: 9\nretry: 1", "two\r\n\r\nevent: ran", "three"] {
        ann.posts(chat, text).await;
        assert_eq!(stream.receives("new_message").await["message"]["content"], text);
    }
}
