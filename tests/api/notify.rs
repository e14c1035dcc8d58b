//! A member's level of notifications in a chat.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn sets(user: &User, chat: i64, notify: Value) -> Reply {
    user.patch(&format!("chats/{chat}/me/"), json!({"notify": notify})).await
}

async fn level(user: &User, chat: i64) -> String {
    user.sees(chat).await["me"]["notify"].as_str().unwrap().to_owned()
}

#[actix_rt::test(system = "crate::System")]
async fn all_messages_notify_and_in_rooms_those_that_mention_one() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut socket = bob.listens().await;
    let (dm, group) = (ann.dm(&bob).await, ann.group("Team", &[&bob]).await);
    let room = ann.room("Lobby").await;
    for chat in [dm, group] {
        assert_eq!(socket.receives("chat_created").await["chat"]["me"]["notify"], "all");
        assert_eq!((level(&ann, chat).await, level(&bob, chat).await), ("all".to_owned(), "all".to_owned()));
    }
    assert_eq!(bob.sees(room).await["me"], Value::Null);
    bob.joins(room).await;
    assert_eq!(socket.receives("chat_created").await["chat"]["me"]["notify"], "mentions");
    assert_eq!(
        (level(&ann, room).await, level(&bob, room).await),
        ("mentions".to_owned(), "mentions".to_owned())
    );
    // The level changes no counts.
    ann.posts(room, "hi").await;
    let counts = bob.get("unread/").await.expect(200).json;
    assert_eq!((&counts["total"], &counts["chats"]), (&json!(1), &json!({room.to_string(): 1})));
}

#[actix_rt::test(system = "crate::System")]
async fn a_level_is_kept_until_one_leaves() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let room = ann.room("Lobby").await;
    bob.joins(room).await;
    let mut socket = bob.listens().await;
    let head = bob.sees(room).await["seq"].as_i64().unwrap();
    for (number, name) in (1..).zip(["none", "all", "mentions", "none"]) {
        let shown = sets(&bob, room, json!(name)).await.expect(200).json;
        assert_eq!((&shown["me"]["notify"], &shown["seq"]), (&json!(name), &json!(head + number)));
        // Again, which changes nothing.
        assert_eq!(sets(&bob, room, json!(name)).await.expect(200).json["seq"], head + number);
        let event = socket.receives("me_updated").await;
        assert_eq!((&event["me"], &event["seq"]), (&shown["me"], &shown["seq"]));
    }
    assert_eq!(level(&ann, room).await, "mentions");
    // Other settings leave it, and so does reading.
    let message = ann.posts(room, "hi").await;
    let me = json!({"is_pinned": true, "unread_from": message["id"]});
    bob.patch(&format!("chats/{room}/me/"), me).await.expect(200);
    bob.marks_as_read(room).await;
    let me = json!({"muted_until": null, "is_pinned": true, "unread_from": null, "notify": "none"});
    assert_eq!(bob.sees(room).await["me"], me);
    // A client that reconnects gets it.
    let missed = bob.post("sync/", json!({"chats": {room.to_string(): head}})).await.expect(200).json;
    let told = missed["events"].as_array().unwrap().iter().rfind(|event| event["me"].is_object());
    assert_eq!(told.unwrap()["me"], me);
    bob.post(&format!("chats/{room}/leave/"), json!({})).await.expect(204);
    bob.joins(room).await;
    let me = json!({"muted_until": null, "is_pinned": false, "unread_from": null, "notify": "mentions"});
    assert_eq!(bob.sees(room).await["me"], me);
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn other_levels_are_refused() {
    let server = Server::start().await;
    let [ann, eve] = server.users(["ann", "eve"]).await;
    let chat = ann.group("Team", &[]).await;
    let sentence = |reply: &Reply| reply.invalid("notify")[0].as_str().unwrap().to_owned();
    assert_eq!(sentence(&sets(&ann, chat, json!("some")).await), "\"some\" is not a valid choice.");
    for level in [json!(null), json!("All"), json!(""), json!(true), json!([])] {
        sets(&ann, chat, level).await.invalid("notify");
    }
    assert_eq!(level(&ann, chat).await, "all");
    sets(&eve, chat, json!("none")).await.expect(404);
    sets(&eve, chat, json!("some")).await.expect(404);
}
