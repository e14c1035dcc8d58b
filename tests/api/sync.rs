//! `sync/`: the data of the first screen, and the changes since, at once or by long polling.

use std::cell::Cell;

use futures_util::future::{join, join3};
use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

impl User {
    async fn syncs(&self, known: Value, wait: i64) -> Reply {
        self.post("sync/", json!({"chats": known, "wait": wait})).await
    }
}

fn kinds(reply: &Reply) -> Vec<&str> {
    let events = reply.json["events"].as_array().unwrap_or_else(|| panic!("{reply:?}"));
    events.iter().map(|event| event["type"].as_str().unwrap()).filter(|kind| *kind != "presence").collect()
}

#[actix_rt::test(system = "crate::System")]
async fn the_start_has_everything_for_the_first_screen() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    for number in 0..12 {
        ann.group(&number.to_string(), &[&bob]).await;
    }
    let chat = ann.dm(&bob).await;
    ann.posts(chat, "hi").await;
    let start = bob.get("sync/").await.expect(200).json;
    assert_eq!(start["chats"], bob.get("chats/").await.json["results"]);
    assert_eq!(start["chats"].as_array().unwrap().len(), 10);
    assert_eq!(start["heads"].as_object().unwrap().len(), 13);
    assert_eq!(start["heads"][chat.to_string()], 2);
    assert_eq!(start["unread"], json!({chat.to_string(): 1}));
    let then = bob.syncs(start["heads"].clone(), 0).await.expect(200);
    assert!(kinds(&then).is_empty());
    assert_eq!(then.json["heads"], start["heads"]);
}

#[actix_rt::test(system = "crate::System")]
async fn what_changed_since_comes_as_over_a_socket() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (kept, left, deleted) = (
        ann.group("Kept", &[&bob]).await,
        ann.group("Left", &[&bob]).await,
        ann.group("Gone", &[&bob]).await,
    );
    let known = bob.get("sync/").await.json["heads"].clone();
    let mut bob_socket = bob.listens().await;
    let message = ann.posts(kept, "one").await;
    ann.edits(&message, "two").await;
    ann.removes(left, &bob).await;
    ann.delete(&format!("chats/{deleted}/")).await.expect(204);
    let new = ann.group("New", &[&bob]).await;
    let since = bob.syncs(known, 0).await.expect(200);
    assert_eq!(kinds(&since), ["chat_deleted", "chat_deleted", "new_message", "chat_created"]);
    assert_eq!(since.json["removed"], json!([left, deleted]));
    assert_eq!(since.json["heads"], json!({kept.to_string(): 3, new.to_string(): 1}));
    assert_eq!(since.json["unread"], json!({kept.to_string(): 1}));
    assert_eq!(since.json["events"][2]["message"]["content"], "two");
    let mut received = Vec::new();
    for _ in 0..5 {
        received.push(bob_socket.next().await);
    }
    // Events are ordered within a chat, but not between chats.
    received.sort_by_key(|event| event["chat_id"].as_i64());
    let kinds: Vec<&str> = received.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["new_message", "message_updated", "chat_deleted", "chat_deleted", "chat_created"]);
    assert_eq!(since.json["events"][3], received[4]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_long_poll_answers_as_soon_as_there_is_something() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    // Other events, such as typing, may end a poll first.
    let polling = async {
        let mut known = json!({chat.to_string(): 1});
        loop {
            let reply = bob.syncs(known, 25).await.expect(200);
            known = reply.json["heads"].clone();
            if !kinds(&reply).is_empty() {
                return reply;
            }
        }
    };
    let posting = async {
        // The result is the same before and after the poll has begun.
        ann.posts(chat, "hi").await;
    };
    let (reply, ()) = join(polling, posting).await;
    assert_eq!(kinds(&reply), ["new_message"]);
    // A poll without events ends with its timeout.
    let nothing = bob.syncs(reply.json["heads"].clone(), 1).await.expect(200);
    assert!(kinds(&nothing).is_empty());
    let known = nothing.json["heads"].clone();
    // The first of them may come before the poll.
    let has_answered = Cell::new(false);
    let polling = async {
        let reply = bob.syncs(known, 25).await;
        has_answered.set(true);
        reply
    };
    let typing = async {
        for is_typing in [true, false].into_iter().cycle() {
            if has_answered.get() {
                return;
            }
            let path = format!("chats/{chat}/typing/");
            let reply = ann.post(&path, json!({"is_typing": is_typing})).await;
            assert!([200, 429].contains(&reply.status), "{}", reply.status);
        }
    };
    let (received, ()) = join(polling, typing).await;
    assert_eq!(received.json["events"][0]["type"], "typing");
}

#[actix_rt::test(system = "crate::System")]
async fn a_poll_that_cannot_be_read_is_told_why() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let reply = ann.post("sync/", json!({"wait": 1})).await;
    assert_eq!(reply.invalid("chats"), json!(["This field is required."]));
    for wait in [json!(-1), json!(26), json!("x"), json!([])] {
        let reply = ann.post("sync/", json!({"chats": {}, "wait": wait})).await;
        assert!(reply.invalid("wait").is_array(), "{wait}");
    }
    let reply = ann.post("sync/", json!({"chats": {"1": "x"}})).await;
    assert_eq!(reply.invalid("chats"), json!(["A valid integer is required."]));
    let not_a_dictionary = |kind| format!("Expected a dictionary of items but got type \"{kind}\".");
    for (chats, sentence) in [
        (json!(null), "This field may not be null.".to_owned()),
        (json!([]), not_a_dictionary("list")),
        (json!([{"1": 1}]), not_a_dictionary("list")),
        (json!("x"), not_a_dictionary("str")),
        (json!(1), not_a_dictionary("int")),
        (json!(1.5), not_a_dictionary("float")),
        (json!(true), not_a_dictionary("bool")),
    ] {
        assert_eq!(ann.syncs(chats, 0).await.invalid("chats"), json!([sentence]));
    }
    for key in ["x", "", "-1", "0", "1.0", " 1", "9007199254740992", "99999999999999999999"] {
        let reply = ann.syncs(json!({"1": 1, key: 1}), 0).await;
        assert_eq!(reply.invalid("chats"), json!(["Each key must be the id of a chat."]), "{key:?}");
    }
    for seq in [json!(null), json!(1.5), json!(1e300), json!([]), json!({}), json!(true), json!("x")] {
        let reply = ann.syncs(json!({"1": seq}), 0).await;
        assert_eq!(reply.invalid("chats"), json!(["A valid integer is required."]), "{seq}");
    }
    let reply = ann.syncs(json!({"1": -1}), 0).await;
    assert_eq!(reply.invalid("chats"), json!(["Ensure this value is greater than or equal to 0."]));
    // Both fields are invalid.
    let reply = ann.post("sync/", json!({"chats": [], "wait": "x"})).await;
    assert!(reply.invalid("chats").is_array() && reply.invalid("wait").is_array(), "{reply:?}");
    server.anonymous().post("sync/", json!({"chats": {}})).await.expect(401);
    // Many chats, none of them the caller's.
    let known: serde_json::Map<String, Value> = (1..=40_000).map(|id| (id.to_string(), json!(1))).collect();
    let reply = ann.syncs(Value::Object(known.clone()), 0).await.expect(200);
    assert_eq!(reply.json["removed"].as_array().unwrap().len(), 40_000);
    let padding = "x".repeat(1 << 20);
    ann.post("sync/", json!({"chats": known, "padding": padding})).await.expect(413);
}

#[actix_rt::test(system = "crate::System")]
async fn a_poll_of_whom_is_signed_out_ends_with_401() {
    let server = Server::start().await;
    server.user("ann").await;
    let ann = server.signed_in("ann").await;
    let polling = ann.syncs(json!({}), 25);
    let ending = async {
        while server.listeners_of(&ann) == 0 {
            crate::support::pause().await;
        }
        ann.send("POST", "/logout/", None).await.expect(204);
    };
    let (reply, ()) = join(polling, ending).await;
    reply.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_poll_ends_when_its_token_does() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let made =
        staff.post(&format!("users/{}/tokens/", ann.id), json!({"expires_in": 2})).await.expect(201).json;
    let header = format!("Token {}", made["key"].as_str().unwrap());
    let program = server.anonymous().with("Authorization", &header);
    // No event occurs, and the poll outlasts the token.
    let polling = program.syncs(json!({}), 25);
    let (reply, began) = (polling.await, server.listeners_of(&ann));
    assert_eq!((reply.status, began), (401, 0));
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_removed_in_mid_burst_gets_nothing_after() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let posting = async {
        for number in 0..1_000 {
            ann.posts(chat, &number.to_string()).await;
        }
    };
    let removing = async {
        while server.listeners_of(&bob) == 0 {
            crate::support::pause().await;
        }
        ann.posts(chat, "soon").await;
        ann.removes(chat, &bob).await;
    };
    let polling = async {
        let (mut known, mut events) = (json!({chat.to_string(): 1}), Vec::new());
        loop {
            let reply = bob.syncs(known, 25).await.expect(200);
            events.extend(reply.json["events"].as_array().unwrap().clone());
            known = reply.json["heads"].clone();
            if reply.json["removed"] == json!([chat]) {
                break;
            }
        }
        assert!(kinds(&bob.syncs(known, 1).await.expect(200)).is_empty());
        events.retain(|event| event["type"] != "presence");
        events
    };
    let (events, (), ()) = join3(polling, removing, posting).await;
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last["type"], "chat_deleted");
    let removed_at = ann.sees(chat).await["seq"].as_i64().unwrap();
    assert!(removed_at > 1_000);
    let mut seq = 1;
    for event in before {
        assert_eq!(event["type"], "new_message", "{event}");
        assert!(event["seq"].as_i64().unwrap() > seq);
        seq = event["seq"].as_i64().unwrap();
    }
    assert!(last["seq"].as_i64().is_none_or(|left| left > seq), "{last} after {seq}");
}
