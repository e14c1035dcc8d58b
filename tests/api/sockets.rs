//! Sockets: opening, the events they receive from the start, closing.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Server, User,
    raw_socket::{FIN, PING, PONG, RawSocket, TEXT},
};

#[actix_rt::test(system = "crate::System")]
async fn hello_says_where_the_callers_chats_are() {
    let server = Server::start().await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let first = ann.group("First", &[&bob]).await;
    ann.group("Not theirs", &[&eve]).await;
    ann.posts(first, "hi").await;
    let bob_socket = bob.listens().await;
    assert_eq!(bob_socket.hello["user_id"], bob.id);
    assert_eq!(bob_socket.hello["heartbeat_seconds"], 25);
    assert_eq!(bob_socket.hello["chats"], json!({first.to_string(): 2}));
    assert!(bob_socket.hello["server_version"].is_string());
}

#[actix_rt::test(system = "crate::System")]
async fn hello_comes_first_whatever_is_sent_at_once() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let resume = json!({"type": "resume", "id": "r", "chats": {chat.to_string(): 0}});
    for _ in 0..30 {
        let mut socket = RawSocket::open(&ann, 65_536).await;
        socket.sends(FIN | PING, b"control").await;
        socket.sends(FIN | TEXT, br#"{"type": "ping", "id": 1}"#).await;
        socket.sends(FIN | TEXT, br#"{"type": "unheard of", "id": 2}"#).await;
        socket.sends(FIN | TEXT, b"no JSON").await;
        socket.sends(FIN | TEXT, resume.to_string().as_bytes()).await;
        assert_eq!(socket.next().await.1["type"], "hello");
        assert_eq!(socket.next().await.0, PONG);
        let mut answers: Vec<_> = Vec::new();
        for _ in 0..5 {
            answers.push(socket.next().await.1["type"].clone());
        }
        answers.sort_by_key(Value::to_string);
        assert_eq!(answers, ["ack", "chat_created", "error", "error", "pong"]);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn hello_comes_first_where_a_resume_is_sent_at_once() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Notes", &[]).await;
    for _ in 0..30 {
        let mut ann_socket = ann.connects_with("?resume=1").await.unwrap();
        ann_socket.says(r#"{"type": "ping"}"#).await;
        ann_socket.says(&json!({"type": "resume", "chats": {chat.to_string(): 1}}).to_string()).await;
        for kind in ["hello", "pong", "ack"] {
            assert_eq!(ann_socket.next_of_all().await.unwrap()["type"], kind);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn every_member_hears_everything_once_and_in_order() {
    let server = Server::start_with(|config| config.workers = Some(2)).await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let (mut one, mut other) = (bob.listens().await, ann.listens().await);
    let texts: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    join_all(texts.iter().map(|text| ann.posts(chat, text))).await;
    for seq in 2..302 {
        let event = one.receives("new_message").await;
        assert_eq!(event["seq"], seq);
        assert_eq!(event, other.receives("new_message").await);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_that_opens_in_mid_traffic_misses_nothing() {
    let server = Server::start_with(|config| config.workers = Some(2)).await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let posting = async {
        for number in 0..200 {
            ann.posts(chat, &number.to_string()).await;
        }
    };
    let listening = async {
        for _ in 0..8 {
            let mut bob_socket = bob.listens().await;
            let mut seq = bob_socket.hello["chats"][chat.to_string()].as_i64().unwrap();
            while seq < 201 {
                let event = bob_socket.receives("new_message").await;
                seq += 1;
                assert_eq!(event["seq"], seq);
            }
        }
    };
    futures_util::future::join(posting, listening).await;
}

#[actix_rt::test(system = "crate::System")]
async fn members_who_come_and_go_while_sockets_open_hear_what_is_theirs() {
    let server = Server::start_with(|config| config.workers = Some(2)).await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[]).await;
    let coming_and_going = async {
        for _ in 0..30 {
            ann.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": [bob.id]})).await.expect(200);
            ann.posts(chat, "for bob").await;
            ann.delete(&format!("chats/{chat}/members/{}/remove/", bob.id)).await.expect(204);
            ann.posts(chat, "not for bob").await;
        }
    };
    let listening = async {
        for _ in 0..30 {
            let mut bob_socket = bob.listens().await;
            bob_socket.says(r#"{"type": "ping"}"#).await;
            loop {
                let event = bob_socket.next().await;
                assert_ne!(event["message"]["content"], "not for bob");
                if event["type"] == "pong" {
                    break;
                }
            }
        }
    };
    futures_util::future::join(coming_and_going, listening).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_ends_when_its_token_does() {
    let server = Server::start().await;
    let (host, ann) = (server.staff("host").await, server.user("ann").await);
    let made = host.post(&format!("users/{}/tokens/", ann.id), json!({"expires_in": 1})).await.expect(201);
    let key = made.json["key"].as_str().unwrap().to_owned();
    let mut socket = server.anonymous().with("Authorization", &format!("Token {key}")).listens().await;
    assert_eq!(socket.is_closed().await, 4401);
}

#[actix_rt::test(system = "crate::System")]
async fn frames_that_are_no_json_objects_are_answered_twice_and_then_end_the_socket() {
    let server = Server::start().await;
    let mut socket = server.user("ann").await.listens().await;
    socket.says(r#"{"type": "dance", "id": 7}"#).await;
    let error = socket.receives("error").await;
    assert_eq!((&error["status"], &error["id"]), (&json!(400), &json!(7)));
    socket.says("{}").await;
    assert_eq!(socket.receives("error").await["status"], 400);
    for malformed in ["not json", "[1]"] {
        socket.says(malformed).await;
        assert_eq!(socket.receives("error").await["id"], Value::Null);
    }
    socket.says("7").await;
    assert_eq!(socket.is_closed().await, 1008);
}

#[actix_rt::test(system = "crate::System")]
async fn other_peoples_chats_are_silent() {
    let server = Server::start().await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let secret = ann.group("Secret", &[&bob]).await;
    let mut eve_socket = eve.listens().await;
    ann.posts(secret, "psst").await;
    ann.post(&format!("chats/{secret}/typing/"), json!({"is_typing": true})).await.expect(200);
    let own = eve.dm(&eve).await;
    assert_eq!(eve_socket.receives("chat_created").await["chat_id"], own);
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_has_no_more_sockets_than_one_may() {
    let server = Server::start_with(|config| config.max_sockets_per_user = 2).await;
    let ann = server.user("ann").await;
    let (first, _second) = (ann.listens().await, ann.listens().await);
    assert_eq!(refusal(&ann).await, 429);
    drop(first);
    // The server notices the lost connection without a close frame.
    while refusal(&ann).await == 429 {}
}

/// Returns the status of a rejected handshake, or 101.
async fn refusal(user: &User) -> u16 {
    user.connects().await.map_or_else(|status| status.as_u16(), |_| 101)
}
