//! Forwarded messages: copies of texts from other chats.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn forwards(user: &User, chat: i64, message: &Value, content: Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), json!({"forward": message["id"], "content": content})).await
}

fn copy_of(message: &Value) -> Value {
    json!({"sender": message["sender"], "content": message["content"]})
}

#[actix_rt::test(system = "crate::System")]
async fn a_text_is_copied_without_where_it_came_from() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (from, to) = (ann.group("From", &[&bob]).await, bob.group("To", &[&eve]).await);
    let body = json!({"content": "Lunch at noon", "custom": {"a": 1}});
    let message = ann.post(&format!("chats/{from}/messages/"), body).await.expect(201).json;
    let mut socket = eve.listens().await;
    let copy = forwards(&bob, to, &message, json!("for you")).await.expect(201).json;
    assert_eq!((&copy["content"], &copy["sender"]["id"]), (&json!("for you"), &json!(bob.id)));
    assert_eq!(copy["forwarded_from"], copy_of(&message));
    assert_eq!(copy["custom"], json!({}));
    assert_eq!(socket.receives("new_message").await["message"], copy);
    assert_eq!(eve.get(&format!("messages/{}/", copy["id"])).await.expect(200).json, copy);
    assert_eq!(eve.sees(to).await["last_message"], copy);
    // What comes of the original does not matter, but its sender's name does.
    ann.edits(&message, "Lunch at one").await;
    ann.deletes(&message).await;
    ann.patch("users/me/", json!({"first_name": "Anna"})).await.expect(200);
    let shown = eve.get(&format!("messages/{}/", copy["id"])).await.json["forwarded_from"].clone();
    assert_eq!(
        (&shown["content"], &shown["sender"]["display_name"]),
        (&json!("Lunch at noon"), &json!("Anna"))
    );
    // An edit changes the comment.
    let edited = bob.edits(&copy, "for all").await;
    assert_eq!(edited["forwarded_from"]["content"], "Lunch at noon");
    // The comment may be removed, but not the text of another message.
    let path = format!("messages/{}/", copy["id"]);
    let bare = bob.patch(&path, json!({"content": " "})).await.expect(200).json;
    assert_eq!((&bare["content"], &bare["forwarded_from"]["content"]), (&json!(""), &json!("Lunch at noon")));
    let plain = bob.posts(to, "plain").await;
    let refused = bob.put(&format!("messages/{}/", plain["id"]), json!({"content": ""})).await.expect(400);
    assert_eq!(refused.json["details"], json!({"content": ["This field may not be blank."]}));
    bob.deletes(&plain).await;
    // A tombstone has nothing, and its quotes neither.
    let reply = json!({"content": "yes", "reply_to": copy["id"]});
    let reply = eve.post(&format!("chats/{to}/messages/"), reply).await.expect(201).json;
    assert_eq!(reply["reply_to"]["excerpt"], "Lunch at noon");
    bob.deletes(&copy).await;
    let page = eve.get(&format!("chats/{to}/messages/")).await.expect(200).json;
    assert_eq!(page["results"][2]["forwarded_from"], Value::Null);
    assert_eq!(page["results"][0]["reply_to"]["excerpt"], "");
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn a_comment_is_optional_and_forwarding_again_copies_the_original() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hello").await;
    let path = format!("chats/{chat}/messages/");
    let bare = bob.post(&path, json!({"forward": message["id"]})).await.expect(201).json;
    assert_eq!((&bare["content"], &bare["forwarded_from"]), (&json!(""), &copy_of(&message)));
    for content in [json!(null), json!(""), json!("  ")] {
        assert_eq!(forwards(&bob, chat, &message, content).await.expect(201).json["content"], "");
    }
    let again = forwards(&bob, chat, &bare, json!(null)).await.expect(201).json;
    assert_eq!(again["forwarded_from"], copy_of(&message));
    let commented = forwards(&bob, chat, &message, json!("see")).await.expect(201).json;
    let outer = forwards(&ann, chat, &commented, json!(null)).await.expect(201).json;
    assert_eq!(outer["forwarded_from"], copy_of(&commented));
    // A quote of a copy shows its text.
    let reply = json!({"content": "yes", "reply_to": bare["id"]});
    let reply = ann.post(&path, reply).await.expect(201).json;
    assert_eq!(reply["reply_to"]["excerpt"], "hello");
    // Over a socket, and a text is still required without a message.
    let mut socket = ann.listens().await;
    socket
        .says(
            &json!({"type": "send_message", "id": 1, "chat_id": chat, "forward": message["id"]}).to_string(),
        )
        .await;
    assert_eq!(socket.receives("ack").await["message"]["forwarded_from"], copy_of(&message));
    let refused = ann.post(&path, json!({"forward": null})).await.expect(400);
    assert_eq!(refused.json["details"], json!({"content": ["This field is required."]}));
}

#[actix_rt::test(system = "crate::System")]
async fn only_what_one_may_read_is_forwarded() {
    let server = Server::start().await;
    let [ann, eve] = server.users(["ann", "eve"]).await;
    let (secret, own) = (ann.group("Secret", &[]).await, eve.group("Own", &[]).await);
    let message = ann.posts(secret, "secret").await;
    let gone = eve.posts(own, "oops").await;
    eve.deletes(&gone).await;
    for id in [&message["id"], &gone["id"], &json!(999_999), &json!(0)] {
        let refused = forwards(&eve, own, &json!({"id": id}), json!("x")).await.expect(400);
        let sentence = format!("Invalid pk \"{id}\" - object does not exist.");
        assert_eq!(refused.json["details"], json!({"forward": [sentence]}));
    }
    forwards(&eve, secret, &message, json!("x")).await.expect(404);
    // A room that one has left.
    let room = ann.room("Lobby").await;
    let said = ann.posts(room, "hi").await;
    forwards(&eve, own, &said, json!(null)).await.expect(400);
    eve.joins(room).await;
    forwards(&eve, own, &said, json!(null)).await.expect(201);
    eve.post(&format!("chats/{room}/leave/"), json!({})).await.expect(204);
    forwards(&eve, own, &said, json!(null)).await.expect(400);
}

#[actix_rt::test(system = "crate::System")]
async fn a_retry_forwards_once() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let (one, other) = (ann.posts(chat, "one").await, ann.posts(chat, "other").await);
    let path = format!("chats/{chat}/messages/");
    let body = |id: &Value| json!({"client_id": "c", "forward": id});
    let sent = ann.post(&path, body(&one["id"])).await.expect(201).json;
    assert_eq!(ann.post(&path, body(&one["id"])).await.expect(200).json, sent);
    ann.post(&path, body(&other["id"])).await.expect(409);
    ann.deletes(&one).await;
    assert_eq!(ann.post(&path, body(&one["id"])).await.expect(200).json["id"], sent["id"]);
}
