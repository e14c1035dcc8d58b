//! Rules of threads beside the usual course: roots that were deleted, members that left, and changes that do nothing.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn replies(user: &User, chat: i64, text: &str, root: &Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), json!({"content": text, "thread": root["id"]})).await
}

async fn reply(user: &User, chat: i64, text: &str, root: &Value) -> Value {
    replies(user, chat, text, root).await.expect(201).json
}

async fn follows(user: &User, root: &Value) -> bool {
    let row = user.get(&format!("threads/{}/", root["id"])).await.expect(200).json;
    row["is_followed"].as_bool().unwrap()
}

async fn threads(user: &User) -> usize {
    user.get("threads/").await.expect(200).json["results"].as_array().unwrap().len()
}

async fn is_consistent(server: &Server) {
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn an_author_does_not_follow_a_thread_under_a_deleted_root() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    ann.deletes(&root).await;
    reply(&bob, chat, "under a tombstone", &root).await;
    assert_eq!((follows(&ann, &root).await, follows(&bob, &root).await), (false, true));
    assert_eq!(ann.get("unread/").await.json["threads_total"], 0);
    let page = ann.get(&format!("messages/{}/replies/", root["id"])).await.expect(200).json;
    assert_eq!(page["results"][0]["content"], "under a tombstone");
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn an_author_that_is_away_does_not_follow_and_returns_without_the_thread() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = bob.posts(chat, "Where?").await;
    bob.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    reply(&ann, chat, "You are gone", &root).await;
    ann.adds(chat, &[&bob]).await;
    reply(&ann, chat, "You are back", &root).await;
    assert!(!follows(&bob, &root).await);
    assert_eq!((threads(&bob).await, threads(&ann).await), (0, 1));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_removed_member_begins_anew() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let [kept, stopped] = [bob.posts(chat, "kept").await, ann.posts(chat, "stopped").await];
    reply(&ann, chat, "1", &kept).await;
    reply(&bob, chat, "2", &stopped).await;
    bob.delete(&format!("messages/{}/follow/", stopped["id"])).await.expect(204);
    assert_eq!((follows(&bob, &kept).await, follows(&bob, &stopped).await), (true, false));
    ann.removes(chat, &bob).await;
    assert_eq!(threads(&bob).await, 0);
    assert_eq!(bob.get("unread/").await.json["threads_total"], 0);
    ann.adds(chat, &[&bob]).await;
    assert!(!follows(&bob, &kept).await);
    // The mark that the member had stopped has ended as well: a mention begins it.
    let named = json!({"content": "bob?", "thread": stopped["id"], "mentions": {"users": [{"id": bob.id}]}});
    ann.post(&format!("chats/{chat}/messages/"), named).await.expect(201);
    let row = bob.get(&format!("threads/{}/", stopped["id"])).await.expect(200).json;
    assert_eq!((&row["is_followed"], &row["unread"], &row["mentions"]), (&json!(true), &json!(1), &json!(1)));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn the_first_five_participants_are_named_and_all_counted() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let crowd = server.crowd(7).await;
    let chat = ann.group("Team", &crowd.iter().collect::<Vec<_>>()).await;
    let root = ann.posts(chat, "Where?").await;
    let mut first = Vec::new();
    for user in crowd.iter().rev() {
        first.push(reply(user, chat, "Here", &root).await);
        reply(&crowd[0], chat, "Again", &root).await;
    }
    // By the first reply of each.
    let by_first = [&crowd[6], &crowd[0], &crowd[5], &crowd[4], &crowd[3]].map(|user| user.id);
    let info = &ann.get(&format!("messages/{}/", root["id"])).await.expect(200).json["thread_info"];
    assert_eq!((&info["participants"], &info["participant_count"]), (&json!(by_first), &json!(7)));
    // A participant without a reply is none; the next one takes the place.
    crowd[6].deletes(&first[0]).await;
    let by_first = [&crowd[0], &crowd[5], &crowd[4], &crowd[3], &crowd[2]].map(|user| user.id);
    let info = &ann.get(&format!("messages/{}/", root["id"])).await.expect(200).json["thread_info"];
    assert_eq!((&info["participants"], &info["participant_count"]), (&json!(by_first), &json!(6)));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_reply_that_is_only_in_its_thread_is_read_by_its_sender() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    let hidden = reply(&bob, chat, "only here", &root).await;
    let shown = json!({"content": "both", "thread": root["id"], "also_in_chat": true});
    let shown = bob.post(&format!("chats/{chat}/messages/"), shown).await.expect(201).json;
    ann.post(&format!("messages/{}/mark-as-read/", root["id"]), json!({})).await.expect(200);
    // A reply in both places is read in each by itself.
    assert_eq!(ann.sees(chat).await["unread_count"], 1);
    ann.marks_as_read(chat).await;
    assert_eq!(ann.sees(chat).await["unread_count"], 0);
    for (message, expected) in [(&hidden, vec![bob.id]), (&shown, vec![bob.id, ann.id])] {
        let message = bob.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
        assert_eq!(message["read_by"], json!(expected), "{message}");
        assert_eq!(message["read_count"], expected.len());
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_edit_does_not_move_a_message() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let [root, other] = [ann.posts(chat, "root").await, ann.posts(chat, "other").await];
    let sent = json!({"content": "1", "thread": root["id"], "reply_to": other["id"], "also_in_chat": true});
    let sent = bob.post(&format!("chats/{chat}/messages/"), sent).await.expect(201).json;
    let path = format!("messages/{}/", sent["id"]);
    let edit =
        json!({"content": "2", "thread": other["id"], "reply_to": null, "also_in_chat": false, "forward": 1});
    for edited in [bob.patch(&path, edit.clone()).await, bob.put(&path, edit).await] {
        let edited = edited.expect(200).json;
        assert_eq!(edited["content"], "2");
        for field in ["thread", "reply_to", "also_in_chat", "forwarded_from"] {
            assert_eq!(edited[field], sent[field], "{field}");
        }
    }
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_client_without_threads_sees_a_deleted_root_deleted_once() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    reply(&bob, chat, "1", &root).await;
    let heads = ann.get("sync/").await.expect(200).json["heads"].clone();
    let mut old = ann.listens().await;
    ann.deletes(&root).await;
    assert_eq!(old.receives("message_deleted").await["message_id"], root["id"]);
    // The tombstone changes with each reply under it.
    let second = reply(&bob, chat, "2", &root).await;
    for count in [2, 1] {
        let event = old.receives("message_updated").await;
        let message = &event["message"];
        assert_eq!(
            (&message["id"], &message["is_deleted"], &message["thread_info"]["reply_count"]),
            (&root["id"], &json!(true), &json!(count))
        );
        assert_eq!(event["seq"], message["seq"]);
        if count == 2 {
            bob.deletes(&second).await;
        }
    }
    // A client that was away does not know of the deletion.
    let missed = ann.post("sync/", json!({"chats": heads})).await.expect(200).json;
    let kinds: Vec<_> = missed["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["message_deleted"]);
}
