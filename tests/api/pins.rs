//! Pinned messages.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn pin(user: &User, message: &Value) -> Reply {
    user.call("PUT", &format!("chats/{}/pins/{}/", message["chat"], message["id"]), None).await
}

async fn unpin(user: &User, message: &Value) -> Reply {
    user.delete(&format!("chats/{}/pins/{}/", message["chat"], message["id"])).await
}

/// Returns the texts of the pinned messages.
async fn pinned(user: &User, chat: i64) -> Vec<String> {
    let list = user.get(&format!("chats/{chat}/pins/")).await.expect(200).json;
    let results = list["results"].as_array().unwrap();
    results.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn pins_are_listed_latest_first_and_known_to_all_members() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (one, two) = (ann.posts(chat, "one").await, bob.posts(chat, "two").await);
    let mut socket = bob.listens().await;
    let head = bob.sees(chat).await["seq"].as_i64().unwrap();
    assert_eq!(pinned(&bob, chat).await, Vec::<String>::new());
    assert_eq!(pin(&bob, &two).await.expect(200).json, two);
    pin(&ann, &one).await.expect(200);
    // Again, which changes nothing.
    pin(&ann, &two).await.expect(200);
    assert_eq!(pinned(&ann, chat).await, ["one", "two"]);
    for (message, count) in [(&two, 1), (&one, 2)] {
        let event = socket.receives("pins_changed").await;
        let expected = json!({"type": "pins_changed", "chat_id": chat, "seq": head + count, "added": [message], "removed": [], "count": count});
        assert_eq!(event, expected);
    }
    unpin(&bob, &one).await.expect(204);
    unpin(&ann, &one).await.expect(204);
    let expected = json!({"type": "pins_changed", "chat_id": chat, "seq": head + 3, "added": [], "removed": [one["id"]], "count": 1});
    assert_eq!(socket.receives("pins_changed").await, expected);
    assert_eq!(bob.sees(chat).await["seq"], head + 3);
    // An edit shows in the list.
    bob.edits(&two, "too").await;
    assert_eq!(pinned(&ann, chat).await, ["too"]);
    // Missed events are replayed as they are now.
    let missed = bob.post("sync/", json!({"chats": {chat.to_string(): head}})).await.expect(200).json;
    let events: Vec<(&Value, &Value, &Value)> = missed["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "pins_changed")
        .map(|event| (&event["seq"], &event["added"][0]["content"], &event["removed"][0]))
        .collect();
    assert_eq!(
        events,
        [(&json!(head + 1), &json!("too"), &Value::Null), (&json!(head + 3), &Value::Null, &one["id"])]
    );
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn deleting_a_message_unpins_it_in_the_same_change() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (one, two) = (ann.posts(chat, "one").await, ann.posts(chat, "two").await);
    for message in [&one, &two] {
        pin(&ann, message).await.expect(200);
    }
    let head = bob.sees(chat).await["seq"].as_i64().unwrap();
    let (mut socket, mut stream) = (bob.listens().await, bob.streams().await);
    ann.deletes(&one).await;
    ann.posts(chat, "three").await;
    let unpinned = json!({"type": "pins_changed", "chat_id": chat, "seq": head + 1, "added": [], "removed": [one["id"]], "count": 1});
    let deleted = socket.receives("message_deleted").await;
    assert_eq!((&deleted["seq"], &deleted["message_id"]), (&json!(head + 1), &one["id"]));
    assert_eq!(socket.next().await, unpinned);
    assert_eq!(socket.next().await["seq"], head + 2);
    let same = stream.receives("message_deleted").await;
    assert_eq!((&same["seq"], &same["message_id"]), (&deleted["seq"], &deleted["message_id"]));
    // A client that breaks off here gets both again.
    let cursor = stream.last_id.clone();
    let mut again = bob.streams_from("", &cursor).await.unwrap();
    assert_eq!(again.receives("message_deleted").await["message_id"], one["id"]);
    for stream in [&mut stream, &mut again] {
        assert_eq!(stream.receives("pins_changed").await, unpinned);
        assert_eq!(stream.receives("new_message").await["seq"], head + 2);
    }
    let known = json!({chat.to_string(): head});
    let missed = bob.post("sync/", json!({"chats": known})).await.expect(200).json;
    let kinds: Vec<(&Value, &Value)> =
        missed["events"].as_array().unwrap().iter().map(|event| (&event["type"], &event["seq"])).collect();
    let (first, then) = (json!(head + 1), json!(head + 2));
    let names = [json!("message_deleted"), json!("pins_changed"), json!("new_message")];
    assert_eq!(kinds, [(&names[0], &first), (&names[1], &first), (&names[2], &then)]);
    let (_socket, events, _) = bob.resumes(known).await;
    assert_eq!(events, *missed["events"].as_array().unwrap());
    assert_eq!(pinned(&bob, chat).await, ["two"]);
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn who_may_pin_depends_on_the_chat() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let dm = ann.dm(&bob).await;
    let message = ann.posts(dm, "hi").await;
    pin(&bob, &message).await.expect(200);
    ann.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    unpin(&bob, &message).await.expect(403);
    unpin(&ann, &message).await.expect(204);
    // In rooms only admins do.
    let room = ann.room("Lobby").await;
    bob.joins(room).await;
    let message = bob.posts(room, "hi").await;
    pin(&bob, &message).await.expect(403);
    pin(&ann, &message).await.expect(200);
    // Outsiders learn nothing, and see nothing of what is pinned in a public room.
    pin(&eve, &message).await.expect(404);
    eve.get(&format!("chats/{room}/pins/")).await.expect(404);
    assert_eq!(pinned(&bob, room).await, ["hi"]);
    // In large groups only admins do.
    let crowd = server.crowd(24).await;
    let others: Vec<&User> = std::iter::once(&bob).chain(&crowd).collect();
    let group = ann.group("Large", &others).await;
    let message = bob.posts(group, "hello").await;
    pin(&bob, &message).await.expect(403);
    pin(&ann, &message).await.expect(200);
    ann.removes(group, &crowd[0]).await;
    unpin(&bob, &message).await.expect(204);
}

#[actix_rt::test(system = "crate::System")]
async fn fifty_messages_that_are_there_can_be_pinned() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (chat, other) = (ann.group("Team", &[]).await, ann.group("Other", &[]).await);
    let mut sent = Vec::new();
    for number in 0..51 {
        sent.push(ann.posts(chat, &number.to_string()).await);
    }
    for message in &sent[..50] {
        pin(&ann, message).await.expect(200);
    }
    let refused = pin(&ann, &sent[50]).await.expect(400);
    assert_eq!(
        refused.json["details"],
        json!({"non_field_errors": ["A chat has no more than 50 pinned messages."]})
    );
    pin(&ann, &sent[0]).await.expect(200);
    ann.deletes(&sent[0]).await;
    pin(&ann, &sent[50]).await.expect(200);
    assert_eq!(pinned(&ann, chat).await.len(), 50);
    // Deleted, of another chat, unknown.
    for id in [&sent[0]["id"], &ann.posts(other, "x").await["id"], &json!(999_999)] {
        pin(&ann, &json!({"chat": chat, "id": id})).await.expect(404);
        unpin(&ann, &json!({"chat": chat, "id": id})).await.expect(404);
    }
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    ann.get(&format!("chats/{chat}/pins/")).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn staff_get_the_private_names_of_what_they_pin() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("boss").await, server.user("ann").await);
    let chat = staff.group("Team", &[&ann]).await;
    let body = json!({"content": "hi", "custom": {"a": 1, "_b": 2}});
    let message = staff.post(&format!("chats/{chat}/messages/"), body).await.expect(201).json;
    assert_eq!(pin(&ann, &message).await.expect(200).json["custom"], json!({"a": 1}));
    assert_eq!(pin(&staff, &message).await.expect(200).json["custom"], json!({"a": 1, "_b": 2}));
    for (user, custom) in [(&ann, json!({"a": 1})), (&staff, json!({"a": 1, "_b": 2}))] {
        let list = user.get(&format!("chats/{chat}/pins/")).await.expect(200).json;
        assert_eq!(list["results"][0]["custom"], custom);
    }
}
