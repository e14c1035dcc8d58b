use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

/// Posts with a client id.
async fn sends(user: &User, chat: i64, text: &str, client_id: Value) -> Reply {
    let body = json!({"content": text, "client_id": client_id});
    user.post(&format!("chats/{chat}/messages/"), body).await
}

/// Posts numbered messages and returns their ids, newest first.
async fn fills(user: &User, chat: i64, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in 1..=count {
        ids.insert(0, user.posts(chat, &number.to_string()).await["id"].as_i64().unwrap());
    }
    ids
}

/// Returns a page of a chat's messages.
async fn page(user: &User, chat: i64, query: &str) -> Reply {
    user.get(&format!("chats/{chat}/messages/?{query}")).await.expect(200)
}

/// Returns the ids of all pages from one on, following `next` or `previous`.
async fn walk(user: &User, from: Reply, direction: &str) -> Vec<Vec<i64>> {
    let mut pages = vec![from.ids()];
    let mut link = from.json[direction].clone();
    while !link.is_null() {
        let page = user.follows(&link).await;
        assert!(!page.ids().is_empty(), "{link} leads to nothing");
        pages.push(page.ids());
        link = page.json[direction].clone();
    }
    pages
}

// Posting.

#[actix_rt::test(system = "crate::System")]
async fn a_message_is_answered_told_and_shown_alike() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let message = ann.posts(chat, "hi").await;
    assert_eq!(bob_socket.receives("new_message").await["message"], message);
    assert_eq!(bob.get(&format!("messages/{}/", message["id"])).await.expect(200).json, message);
    assert_eq!(*page(&bob, chat, "").await.results(), std::slice::from_ref(&message));
    assert_eq!(bob.sees(chat).await["last_message"], message);
}

#[actix_rt::test(system = "crate::System")]
async fn a_new_message_has_all_its_fields() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let mut message = ann.posts(chat, "hi").await;
    assert_eq!(message["created_at"], message["updated_at"]);
    assert_eq!(ann.sees(chat).await["updated_at"], message["created_at"]);
    let fields = message.as_object_mut().unwrap();
    fields.retain(|name, _| !["id", "created_at", "updated_at"].contains(&name.as_str()));
    let avatar = format!("/messages/avatars/{}.svg", ann.id);
    let sender = json!({"id": ann.id, "username": "ann", "display_name": "ann", "avatar_url": avatar, "is_guest": false});
    let rest = json!({
        "chat": chat, "content": "hi", "is_edited": false, "is_deleted": false, "sender": sender, "reactions": [],
        "read_by": [ann.id], "read_count": 1, "client_id": null, "custom": {}, "reply_to": null, "forwarded_from": null,
        "mentions": {"users": [], "everyone": false, "here": false}, "attachments": [], "previews": [], "thread": null,
        "also_in_chat": false, "thread_info": null, "seq": 2
    });
    assert_eq!(message, rest);
}

#[actix_rt::test(system = "crate::System")]
async fn the_edges_of_a_text_are_trimmed_and_nothing_else() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, " \n\t\u{a0}\u{3000} a \r\n\tb  c \u{2003}\n").await;
    assert_eq!(message["content"], "a \r\n\tb  c");
}

#[actix_rt::test(system = "crate::System")]
async fn texts_come_back_exactly() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let texts = [
        "<script>alert(1)</script> &amp; <b>\"bold\"</b> 'x' \\ / {{7*7}} %s ${x}",
        "\u{202e}abc\u{202c} \u{2067}def\u{2069} \u{200b}\u{feff}x",
        "caf\u{e9}",
        "cafe\u{301}",
        "x\u{2028}\u{2029}x\u{fffd}\u{10ffff}",
        "👩🏽‍🚀 👨‍👩‍👧‍👦 🇱🇹",
        "中文 العربية हिन्दी",
        "null",
        "Robert'); DROP TABLE messages;--",
    ];
    for text in texts {
        let message = ann.posts(chat, text).await;
        assert_eq!(message["content"], text);
        let again = ann.get(&format!("messages/{}/", message["id"])).await.expect(200);
        assert_eq!(again.json["content"], text);
    }
    assert_eq!(ann.reads(chat).await, texts);
}

#[actix_rt::test(system = "crate::System")]
async fn a_text_has_up_to_five_thousand_characters_of_any_kind() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    for character in ["a", "ž", "😀", "\u{301}"] {
        let longest = character.repeat(5_000);
        assert_eq!(ann.posts(chat, &format!("  {longest}  ")).await["content"], longest);
        let body = json!({"content": format!("{longest}{character}")});
        let reply = ann.post(&format!("chats/{chat}/messages/"), body).await;
        let sentence = "Ensure this field has no more than 5000 characters.";
        assert_eq!(reply.invalid("content"), json!([sentence]));
    }
    let escaped = format!("{{\"content\": \"{}\"}}", "\\ud83d\\ude00".repeat(5_000));
    let (path, kind) = (format!("/messages/api/chats/{chat}/messages/"), Some("application/json"));
    let reply = ann.send_raw("POST", &path, kind, escaped.into_bytes()).await.expect(201);
    assert_eq!(reply.json["content"], "😀".repeat(5_000));
}

#[actix_rt::test(system = "crate::System")]
async fn control_characters_are_refused() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, "fine").await;
    for bad in ['\0', '\u{1}', '\u{8}', '\u{b}', '\u{c}', '\u{1b}', '\u{7f}', '\u{80}', '\u{85}', '\u{9f}'] {
        let body = json!({"content": format!("a{bad}b")});
        let posted = ann.post(&format!("chats/{chat}/messages/"), body.clone()).await;
        assert!(posted.invalid("content").is_array(), "{bad:?}");
        let edited = ann.patch(&format!("messages/{}/", message["id"]), body).await;
        assert!(edited.invalid("content").is_array(), "{bad:?}");
    }
    assert_eq!(ann.reads(chat).await, ["fine"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_text_must_be_there_and_be_one() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let cases = [
        (json!({}), "This field is required."),
        (json!({"content": null}), "This field may not be null."),
        (json!({"content": ""}), "This field may not be blank."),
        (json!({"content": " \n\u{a0}"}), "This field may not be blank."),
        (json!({"content": ["hi"]}), "Not a valid string."),
        (json!({"content": true}), "Not a valid string."),
    ];
    for (body, sentence) in cases {
        let reply = ann.post(&format!("chats/{chat}/messages/"), body).await;
        assert_eq!(reply.invalid("content"), json!([sentence]));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_body_that_is_no_json_object_is_refused() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let path = format!("/messages/api/chats/{chat}/messages/");
    for body in ["", "{", "[]", "\"hi\"", "null", "{\"content\": \"\\ud800\"}", "{\"content\": \"\u{1}\"}"] {
        let reply = ann.send_raw("POST", &path, Some("application/json"), body.into()).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.json["error"], "Invalid request", "{body}");
    }
    assert!(ann.reads(chat).await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_not_the_senders_to_set_is_ignored() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[]).await);
    let extra = json!({
        "content": "hi", "sender": bob.id, "chat": other, "id": 77, "seq": 99, "is_edited": true, "is_deleted": true,
        "created_at": "2001-01-01T00:00:00Z", "reactions": [{"emoji": "👍"}], "read_by": [bob.id]
    });
    let message = ann.post(&format!("chats/{chat}/messages/"), extra.clone()).await.expect(201).json;
    assert_eq!((&message["sender"]["id"], &message["chat"]), (&json!(ann.id), &json!(chat)));
    assert_eq!((&message["is_edited"], &message["reactions"]), (&json!(false), &json!([])));
    let path = format!("messages/{}/", message["id"]);
    assert_eq!(ann.put(&path, extra).await.expect(200).json, message);
    assert!(ann.reads(other).await.is_empty());
}

// Client ids.

#[actix_rt::test(system = "crate::System")]
async fn twenty_sends_at_once_with_one_client_id_are_one_message() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let replies = join_all((0..20).map(|_| sends(&ann, chat, "hi", json!("k1")))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 19);
    assert!(replies.iter().all(|reply| reply.json == replies[0].json));
    assert_eq!(bob_socket.receives("new_message").await["message"], replies[0].json);
    let next = ann.posts(chat, "next").await;
    assert_eq!(bob_socket.receives("new_message").await["message"], next);
    assert_eq!(bob.reads(chat).await, ["hi", "next"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_client_id_used_again_with_other_content_is_a_conflict() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let first = sends(&ann, chat, "hi", json!("k1")).await.expect(201);
    assert_eq!(first.json["client_id"], "k1");
    let conflict = sends(&ann, chat, "ho", json!("k1")).await.expect(409);
    assert!(conflict.json["detail"].is_string());
    assert_eq!(sends(&ann, chat, " hi\n", json!("k1")).await.expect(200).json, first.json);
    assert_eq!(ann.reads(chat).await, ["hi"]);
}

#[actix_rt::test(system = "crate::System")]
async fn no_client_id_repeats_nothing() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    for _ in 0..2 {
        assert_eq!(sends(&ann, chat, "hi", Value::Null).await.expect(201).json["client_id"], Value::Null);
        ann.posts(chat, "hi").await;
    }
    assert_eq!(ann.reads(chat).await.len(), 4);
}

#[actix_rt::test(system = "crate::System")]
async fn a_client_id_is_the_senders_own_in_one_chat() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[]).await);
    sends(&ann, chat, "hi", json!("k1")).await.expect(201);
    sends(&bob, chat, "ho", json!("k1")).await.expect(201);
    sends(&ann, other, "hm", json!("k1")).await.expect(201);
    sends(&ann, chat, "K", json!("K1")).await.expect(201);
    assert_eq!(bob.reads(chat).await, ["hi", "ho", "K"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_client_id_has_one_to_sixty_four_characters() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let longest = "ž".repeat(64);
    assert_eq!(sends(&ann, chat, "hi", json!(longest)).await.expect(201).json["client_id"], longest);
    let cases = [
        (json!("ž".repeat(65)), "Ensure this field has no more than 64 characters."),
        (json!(""), "This field may not be blank."),
        (json!("a\u{0}"), "Null characters are not allowed."),
        (json!([1]), "Not a valid string."),
    ];
    for (client_id, sentence) in cases {
        assert_eq!(sends(&ann, chat, "hi", client_id).await.invalid("client_id"), json!([sentence]));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_repeat_after_an_edit_gets_the_message_as_it_is() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = sends(&ann, chat, "hi", json!("k1")).await.expect(201).json;
    let edited = ann.edits(&message, "hello").await;
    assert_eq!(edited["client_id"], "k1");
    assert_eq!(sends(&ann, chat, "hi", json!("k1")).await.expect(200).json, edited);
    sends(&ann, chat, "hello", json!("k1")).await.expect(409);
}

#[actix_rt::test(system = "crate::System")]
async fn a_repeat_after_the_deletion_gets_the_tombstone() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = sends(&ann, chat, "hi", json!("k1")).await.expect(201).json;
    ann.deletes(&message).await;
    for text in ["hi", "anything"] {
        let tombstone = sends(&ann, chat, text, json!("k1")).await.expect(200).json;
        assert_eq!(tombstone["id"], message["id"]);
        assert_eq!((&tombstone["is_deleted"], &tombstone["content"]), (&json!(true), &json!("")));
    }
    assert_eq!(ann.reads(chat).await, [""]);
}

#[actix_rt::test(system = "crate::System")]
async fn who_has_left_cannot_repeat_what_they_sent() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    sends(&bob, chat, "hi", json!("k1")).await.expect(201);
    ann.removes(chat, &bob).await;
    sends(&bob, chat, "hi", json!("k1")).await.expect(404);
    ann.adds(chat, &[&bob]).await;
    sends(&bob, chat, "hi", json!("k1")).await.expect(200);
}

// Editing.

#[actix_rt::test(system = "crate::System")]
async fn an_edited_message_says_so_to_all() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let mut bob_socket = bob.listens().await;
    let edited = ann.edits(&message, " hello ").await;
    assert_eq!((&edited["content"], &edited["is_edited"]), (&json!("hello"), &json!(true)));
    assert_eq!((&edited["id"], &edited["created_at"]), (&message["id"], &message["created_at"]));
    assert!(edited["updated_at"].as_str() > message["updated_at"].as_str());
    assert_eq!(edited["seq"], 3);
    let event = bob_socket.receives("message_updated").await;
    assert_eq!(event, json!({"type": "message_updated", "chat_id": chat, "seq": 3, "message": edited}));
    assert_eq!(bob.sees(chat).await["last_message"], edited);
    assert_eq!(bob.sees(chat).await["updated_at"], message["created_at"]);
}

#[actix_rt::test(system = "crate::System")]
async fn the_same_text_again_is_no_edit() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let mut bob_socket = bob.listens().await;
    assert_eq!(ann.edits(&message, " hi").await, message);
    let path = format!("messages/{}/", message["id"]);
    assert_eq!(ann.patch(&path, json!({})).await.expect(200).json, message);
    let next = ann.posts(chat, "next").await;
    assert_eq!(bob_socket.receives("new_message").await["message"], next);
}

#[actix_rt::test(system = "crate::System")]
async fn twins_that_look_alike_are_not_the_same_text() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, "caf\u{e9}").await;
    let edited = ann.edits(&message, "cafe\u{301}").await;
    assert_eq!((&edited["content"], &edited["is_edited"]), (&json!("cafe\u{301}"), &json!(true)));
}

#[actix_rt::test(system = "crate::System")]
async fn put_needs_a_text_and_patch_does_not() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let path = format!("messages/{}/", ann.posts(chat, "hi").await["id"]);
    assert_eq!(ann.put(&path, json!({})).await.invalid("content"), json!(["This field is required."]));
    ann.patch(&path, json!({})).await.expect(200);
    let blank = ann.patch(&path, json!({"content": " "})).await;
    assert_eq!(blank.invalid("content"), json!(["This field may not be blank."]));
    assert_eq!(ann.put(&path, json!({"content": "ho"})).await.expect(200).json["content"], "ho");
}

#[actix_rt::test(system = "crate::System")]
async fn only_its_sender_changes_a_message_and_only_as_a_member() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let path = format!("messages/{}/", bob.posts(chat, "hi").await["id"]);
    for (user, status) in [(&ann, 403), (&cat, 404)] {
        for body in [json!({"content": "ho"}), json!({"content": "hi"}), json!({}), json!({"content": ""})] {
            user.put(&path, body.clone()).await.expect(status);
            user.patch(&path, body).await.expect(status);
        }
        user.delete(&path).await.expect(status);
    }
    ann.removes(chat, &bob).await;
    bob.patch(&path, json!({"content": "ho"})).await.expect(404);
    bob.delete(&path).await.expect(404);
    assert_eq!(ann.reads(chat).await, ["hi"]);
}

// Deleting.

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_message_stays_as_a_tombstone() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (kept, gone) = (ann.posts(chat, "kept").await, bob.posts(chat, "gone").await);
    ann.post(&format!("messages/{}/reactions/", gone["id"]), json!({"emoji": "👍"})).await.expect(200);
    ann.marks_as_read(chat).await;
    let mut ann_socket = ann.listens().await;
    bob.deletes(&gone).await;
    let event = ann_socket.receives("message_deleted").await;
    let list = page(&ann, chat, "").await;
    assert_eq!((&list.json["count"], list.ids().len()), (&json!(2), 2));
    let tombstone = &list.results()[0];
    for (name, value) in [("content", json!("")), ("reactions", json!([])), ("read_by", json!([]))] {
        assert_eq!(tombstone[name], value, "{name}");
    }
    assert_eq!((&tombstone["id"], &tombstone["is_deleted"]), (&gone["id"], &json!(true)));
    assert_eq!((&tombstone["read_count"], &tombstone["sender"]), (&json!(0), &gone["sender"]));
    assert_eq!((&event["message_id"], &event["message"]), (&gone["id"], tombstone));
    assert_eq!(event["seq"], tombstone["seq"]);
    assert_eq!(event["last_message"]["id"], kept["id"]);
    assert_eq!(event["last_message"], ann.sees(chat).await["last_message"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_message_is_nowhere_by_its_id() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, "hi").await;
    let path = format!("messages/{}/", message["id"]);
    assert!(ann.delete(&path).await.expect(204).body.is_empty());
    ann.delete(&path).await.expect(404);
    ann.patch(&path, json!({"content": "ho"})).await.expect(404);
    ann.put(&path, json!({})).await.expect(404);
    assert_eq!(ann.get(&path).await.expect(404).json, json!({"detail": "Not found."}));
}

#[actix_rt::test(system = "crate::System")]
async fn the_last_message_is_the_newest_that_is_left() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (one, two, three) =
        (ann.posts(chat, "1").await, ann.posts(chat, "2").await, ann.posts(chat, "3").await);
    let mut bob_socket = bob.listens().await;
    for (gone, left) in [(&two, &three["id"]), (&three, &one["id"]), (&one, &Value::Null)] {
        ann.deletes(gone).await;
        let event = bob_socket.receives("message_deleted").await;
        assert_eq!(event["last_message"]["id"], *left);
        assert_eq!(bob.sees(chat).await["last_message"], event["last_message"]);
        assert_eq!(*bob.get("chats/").await.results(), [bob.sees(chat).await]);
    }
    let four = ann.posts(chat, "4").await;
    assert_eq!(bob.sees(chat).await["last_message"], four);
}

#[actix_rt::test(system = "crate::System")]
async fn editing_and_deleting_may_be_switched_off() {
    let server = Server::start_with(|config| {
        config.allow_editing = false;
        config.allow_deleting = false;
    })
    .await;
    let [ann, cat] = server.users(["ann", "cat"]).await;
    let chat = ann.group("Team", &[]).await;
    let path = format!("messages/{}/", ann.posts(chat, "hi").await["id"]);
    for (user, status) in [(&ann, 403), (&cat, 404)] {
        user.patch(&path, json!({"content": "ho"})).await.expect(status);
        user.put(&path, json!({"content": "ho"})).await.expect(status);
        user.delete(&path).await.expect(status);
    }
    assert_eq!(ann.reads(chat).await, ["hi"]);
}

// Reading by id.

#[actix_rt::test(system = "crate::System")]
async fn a_strangers_message_is_like_one_that_never_was() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let message = ann.posts(ann.group("Private", &[]).await, "secret").await;
    let path = format!("messages/{}/", message["id"]);
    assert_eq!(ann.get(&path).await.expect(200).json, message);
    for missing in
        [path.as_str(), "messages/999/", "messages/0/", "messages/x/", "messages/99999999999999999999/"]
    {
        let reply = bob.get(missing).await.expect(404);
        assert_eq!(reply.json, json!({"detail": "Not found."}), "{missing}");
    }
}

// Pages.

#[actix_rt::test(system = "crate::System")]
async fn messages_come_in_pages_newest_first() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let empty = json!({"count": 0, "next": null, "previous": null, "results": []});
    assert_eq!(page(&ann, chat, "").await.json, empty);
    let ids = fills(&ann, chat, 53).await;
    let first = page(&ann, chat, "").await;
    assert_eq!((first.ids(), &first.json["count"]), (ids[..50].to_vec(), &json!(53)));
    assert_eq!(first.json["previous"], Value::Null);
    let second = ann.follows(&first.json["next"]).await;
    assert_eq!((second.ids(), &second.json["next"]), (ids[50..].to_vec(), &Value::Null));
    assert_eq!(ann.follows(&second.json["previous"]).await.json, first.json);
    assert_eq!(page(&ann, chat, "page_size=20&page=2").await.ids(), ids[20..40]);
    assert_eq!(page(&ann, chat, "page_size=1000").await.ids(), ids);
    assert_eq!(page(&ann, chat, "page_size=no").await.ids().len(), 50);
    for missing in ["page=3", "page=0", "page=x", "page_size=20&page=4"] {
        let reply = ann.get(&format!("chats/{chat}/messages/?{missing}")).await.expect(404);
        assert_eq!(reply.json, json!({"detail": "Invalid page."}), "{missing}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn before_and_after_give_the_nearest_messages_on_that_side() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let ids = fills(&ann, chat, 10).await;
    let near = async |query: String| page(&ann, chat, &query).await;
    assert_eq!(near(format!("page_size=3&before={}", ids[4])).await.ids(), ids[5..8]);
    assert_eq!(near(format!("page_size=3&after={}", ids[4])).await.ids(), ids[1..4]);
    assert_eq!(near(format!("before={}", ids[7])).await.ids(), ids[8..]);
    assert_eq!(near(format!("after={}", ids[2])).await.ids(), ids[..2]);
    assert_eq!(near(format!("after={}&before={}", ids[8], ids[2])).await.ids(), ids[3..8]);
    let window = near(format!("page_size=2&after={}&before={}", ids[8], ids[2])).await;
    assert_eq!((window.ids(), &window.json["count"]), (ids[3..5].to_vec(), &json!(10)));
    assert!(near(format!("before={}", ids[9])).await.ids().is_empty());
    assert!(near(format!("after={}", ids[0])).await.ids().is_empty());
    assert!(near(format!("after={0}&before={0}", ids[4])).await.ids().is_empty());
    assert!(near(format!("after={}&before={}", ids[2], ids[6])).await.ids().is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn any_number_is_a_place_in_the_order_of_ids() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (chat, other) = (ann.group("Team", &[]).await, ann.group("Other", &[]).await);
    let older = fills(&ann, chat, 2).await;
    let stranger = ann.posts(other, "elsewhere").await["id"].clone();
    let newer = fills(&ann, chat, 2).await;
    let all = [newer.clone(), older.clone()].concat();
    assert_eq!(page(&ann, chat, &format!("before={stranger}")).await.ids(), older);
    assert_eq!(page(&ann, chat, &format!("after={stranger}")).await.ids(), newer);
    for big in ["9007199254740991", "9223372036854775807", "99999999999999999999"] {
        assert_eq!(page(&ann, chat, &format!("before={big}")).await.ids(), all, "{big}");
        assert!(page(&ann, chat, &format!("after={big}")).await.ids().is_empty(), "{big}");
    }
    for small in ["0", "-1", "-9223372036854775808", "-99999999999999999999"] {
        assert_eq!(page(&ann, chat, &format!("after={small}")).await.ids(), all, "{small}");
        assert!(page(&ann, chat, &format!("before={small}")).await.ids().is_empty(), "{small}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn before_and_after_must_be_numbers() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[]).await;
    for name in ["before", "after"] {
        for bad in ["x", "1.5", "1e3"] {
            let path = format!("chats/{chat}/messages/?{name}={bad}");
            assert_eq!(ann.get(&path).await.invalid(name), json!(["A valid integer is required."]), "{path}");
            bob.get(&path).await.expect(404);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn links_lead_past_every_message_exactly_once() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (chat, other) = (ann.group("Team", &[]).await, ann.group("Other", &[]).await);
    let mut ids = Vec::new();
    for number in 0..23 {
        let message = ann.posts(chat, &number.to_string()).await;
        ann.posts(other, "elsewhere").await;
        if number % 3 == 0 {
            ann.deletes(&message).await;
        }
        ids.insert(0, message["id"].as_i64().unwrap());
    }
    for size in [1, 5, 22, 23] {
        for start in ["".to_owned(), "before=99999".to_owned(), "after=0&before=99999".to_owned()] {
            let first = page(&ann, chat, &format!("page_size={size}&{start}")).await;
            assert_eq!(walk(&ann, first, "next").await.concat(), ids, "{size} {start}");
        }
        let oldest = page(&ann, chat, &format!("page_size={size}&after=0")).await;
        let mut pages = walk(&ann, oldest, "previous").await;
        pages.reverse();
        assert_eq!(pages.concat(), ids, "{size}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn links_lead_back_the_way_one_came() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let ids = fills(&ann, chat, 9).await;
    let middle = page(&ann, chat, &format!("page_size=3&before={}", ids[2])).await;
    assert_eq!(middle.ids(), ids[3..6]);
    assert_eq!(ann.follows(&middle.json["next"]).await.ids(), ids[6..]);
    assert_eq!(ann.follows(&middle.json["previous"]).await.ids(), ids[..3]);
    let nothing_older = page(&ann, chat, &format!("page_size=3&before={}", ids[8])).await;
    assert_eq!(nothing_older.json["next"], Value::Null);
    assert_eq!(ann.follows(&nothing_older.json["previous"]).await.ids(), ids[6..]);
    let nothing_newer = page(&ann, chat, &format!("page_size=3&after={}", ids[0])).await;
    assert_eq!(nothing_newer.json["previous"], Value::Null);
    assert_eq!(ann.follows(&nothing_newer.json["next"]).await.ids(), ids[..3]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_window_between_two_places_is_walked_within_its_bounds() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let ids = fills(&ann, chat, 12).await;
    let query = format!("page_size=3&after={}&before={}", ids[10], ids[1]);
    let pages = walk(&ann, page(&ann, chat, &query).await, "next").await;
    assert_eq!(pages.concat(), ids[2..10]);
}
