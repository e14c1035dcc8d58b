//! Resuming after a lost connection: missed events are delivered first, once, and then live events.

use serde_json::{Value, json};

use crate::support::Server;

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn what_changed_comes_once_in_its_latest_state() {
    let server = Server::start().await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let chat = ann.group("Team", &[&bob]).await;
    let old = ann.posts(chat, "old").await["id"].clone();
    let seq = bob.sees(chat).await["seq"].clone();
    ann.patch(&format!("messages/{old}/"), json!({"content": "newer"})).await.expect(200);
    ann.patch(&format!("messages/{old}/"), json!({"content": "newest"})).await.expect(200);
    let gone = ann.posts(chat, "gone").await["id"].clone();
    let kept = ann.posts(chat, "kept").await["id"].clone();
    ann.delete(&format!("messages/{gone}/")).await.expect(204);
    ann.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": [eve.id]})).await.expect(200);
    ann.patch(&format!("chats/{chat}/"), json!({"title": "Crew"})).await.expect(200);
    bob.marks_as_read(chat).await;
    let (mut bob_socket, missed, ack) = bob.resumes(json!({chat.to_string(): seq})).await;
    let expected =
        ["message_updated", "new_message", "message_deleted", "members_changed", "chat_updated", "read"];
    assert_eq!(kinds(&missed), expected);
    assert_eq!(missed[0]["message"], bob.get(&format!("messages/{old}/")).await.json);
    assert_eq!(missed[1]["message"]["id"], kept);
    assert_eq!((&missed[2]["message_id"], &missed[2]["message"]["content"]), (&gone, &json!("")));
    assert_eq!(missed[3]["added"][0]["id"], eve.id);
    assert_eq!((&missed[4]["chat"]["title"], &missed[5]["unread_count"]), (&json!("Crew"), &json!(0)));
    assert_eq!(ack["heads"], json!({chat.to_string(): bob.sees(chat).await["seq"]}));
    assert_eq!((&ack["id"], &ack["unread"]), (&json!("r"), &json!({})));
    let next = ann.posts(chat, "live").await;
    assert_eq!(bob_socket.receives("new_message").await["message"], next);
}

#[actix_rt::test(system = "crate::System")]
async fn chats_that_came_and_went_are_told_of() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (left, again, deleted) = (
        ann.group("Left", &[&bob]).await,
        ann.group("Again", &[&bob]).await,
        ann.group("Deleted", &[&bob]).await,
    );
    let known = json!({left.to_string(): 1, again.to_string(): 1, deleted.to_string(): 1, "999": 3});
    ann.delete(&format!("chats/{left}/members/{}/remove/", bob.id)).await.expect(204);
    ann.delete(&format!("chats/{again}/members/{}/remove/", bob.id)).await.expect(204);
    ann.post(&format!("chats/{again}/members/add/"), json!({"user_ids": [bob.id]})).await.expect(200);
    ann.delete(&format!("chats/{deleted}/")).await.expect(204);
    let new = ann.group("New", &[&bob]).await;
    let (_, missed, ack) = bob.resumes(known).await;
    for chat in [left, deleted, 999] {
        assert!(missed.contains(&json!({"type": "chat_deleted", "chat_id": chat})), "{missed:?}");
    }
    let created: Vec<&Value> = missed.iter().filter(|event| event["type"] == "chat_created").collect();
    assert_eq!(
        created.iter().map(|event| &event["chat_id"]).collect::<Vec<_>>(),
        [&json!(again), &json!(new)]
    );
    assert_eq!(created[0]["chat"], bob.sees(again).await);
    assert_eq!(ack["heads"], json!({again.to_string(): 3, new.to_string(): 1}));
}

#[actix_rt::test(system = "crate::System")]
async fn too_much_and_too_far_are_to_be_loaded_again() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (busy, quiet) = (ann.group("Busy", &[]).await, ann.group("Quiet", &[]).await);
    for number in 0..501 {
        ann.posts(busy, &number.to_string()).await;
    }
    let known = json!({busy.to_string(): 1, quiet.to_string(): 77});
    let (mut ann_socket, missed, ack) = ann.resumes(known).await;
    let resync = |chat, seq| json!({"type": "resync", "chat_id": chat, "seq": seq});
    assert_eq!(missed, [resync(busy, 502), resync(quiet, 1)]);
    assert_eq!(ack["heads"], json!({busy.to_string(): 502, quiet.to_string(): 1}));
    let (missed, _) = ann_socket.catches_up(json!({busy.to_string(): 2, quiet.to_string(): 1})).await;
    assert_eq!(missed.len(), 500);
}

#[actix_rt::test(system = "crate::System")]
async fn a_resume_may_come_in_parts_and_on_a_live_socket() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (one, two) = (ann.group("One", &[]).await, ann.group("Two", &[]).await);
    let mut ann_socket = ann.listens().await;
    let part = json!({"type": "resume", "id": 1, "more": true, "chats": {one.to_string(): 1}});
    ann_socket.says(&part.to_string()).await;
    let (missed, ack) = ann_socket.catches_up(json!({two.to_string(): 1})).await;
    assert_eq!((missed.len(), &ack["id"]), (0, &json!("r")));
    ann_socket.says(r#"{"type": "resume", "id": 2}"#).await;
    assert_eq!(ann_socket.receives("error").await["details"], json!({"chats": ["This field is required."]}));
    ann.posts(two, "live").await;
    assert_eq!(ann_socket.receives("new_message").await["chat_id"], two);
}

#[actix_rt::test(system = "crate::System")]
async fn a_resume_that_cannot_be_read_is_told_why() {
    let server = Server::start().await;
    let mut ann_socket = server.user("ann").await.listens().await;
    for chats in [json!(null), json!([]), json!("x"), json!({"x": 1}), json!({"1": -1}), json!({"1": 1.5})] {
        ann_socket.says(&json!({"type": "resume", "id": 7, "chats": chats}).to_string()).await;
        let error = ann_socket.receives("error").await;
        assert_eq!((&error["id"], &error["status"]), (&json!(7), &json!(400)));
        assert!(error["details"]["chats"][0].is_string(), "{error}");
    }
    ann_socket.says(&json!({"type": "resume", "chats": {}, "more": "perhaps"}).to_string()).await;
    assert_eq!(ann_socket.receives("error").await["details"], json!({"more": ["Must be a valid boolean."]}));
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_may_be_narrowed_to_some_chats() {
    let server = Server::start().await;
    let (ann, eve) = (server.user("ann").await, server.user("eve").await);
    let (one, two, foreign) =
        (ann.group("One", &[]).await, ann.group("Two", &[]).await, eve.group("Eve's", &[]).await);
    let mut ann_socket = ann.connects_with(&format!("?chats={one},{foreign},x")).await.unwrap();
    let hello = ann_socket.receives("hello").await;
    assert_eq!(hello["chats"], json!({one.to_string(): 1}));
    ann.posts(two, "elsewhere").await;
    ann.group("Three", &[]).await;
    eve.posts(foreign, "secret").await;
    ann.posts(one, "here").await;
    assert_eq!(ann_socket.receives("new_message").await["message"]["content"], "here");
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_that_wants_to_resume_and_does_not_is_closed() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let mut ann_socket = ann.connects_with("?resume=1").await.unwrap();
    assert_eq!(ann_socket.is_closed().await, 1008);
}

#[actix_rt::test(system = "crate::System")]
async fn unread_counts_are_as_of_the_heads_that_they_come_with() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let posting = async {
        for number in 0..300 {
            ann.posts(chat, &number.to_string()).await;
        }
    };
    let mut bob_socket = bob.listens().await;
    let resuming = async {
        for _ in 0..30 {
            let (_, ack) = bob_socket.catches_up(json!({chat.to_string(): 1})).await;
            // The chat's first number is its creation; each further one is a message that bob has not read.
            let head = ack["heads"][chat.to_string()].as_i64().unwrap();
            assert_eq!(ack["unread"][chat.to_string()].as_i64().unwrap_or_default(), head - 1);
        }
    };
    futures_util::future::join(posting, resuming).await;
}
