//! Rate limits.

use greenroom::{config::Config, rate_limit::Rates};
use serde_json::json;

use crate::support::{Reply, Server, User};

fn limit(rates: &str) -> impl FnOnce(&mut Config) {
    let rates = Rates::parse(rates).unwrap();
    move |config| config.rate_limit = rates
}

/// Starts a server with limits. All users are clients of its first node, since each node counts separately.
async fn limited<const N: usize>(rates: &str, names: [&str; N]) -> (Server, [User; N]) {
    let server = Server::start_with(limit(rates)).await;
    let people = server.users(names).await.map(|user| user.at(&server));
    (server, people)
}

#[track_caller]
fn is_throttled(reply: &Reply) {
    assert_eq!(reply.status, 429, "{reply:?}");
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!(seconds >= 1);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let sentence = format!("Request was throttled. Expected available in {seconds} {unit}.");
    assert_eq!(reply.json, json!({"detail": sentence}));
    assert!(!reply.header("x-request-id").is_empty());
}

async fn posts(user: &User, chat: i64) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), json!({"content": "hello"})).await
}

#[actix_rt::test(system = "crate::System")]
async fn messages_beyond_the_burst_are_turned_down_and_stored_nowhere() {
    let (_server, [ann, bob]) = limited("send=2/h:3", ["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    for _ in 0..3 {
        posts(&ann, chat).await.expect(201);
    }
    let refused = posts(&ann, chat).await;
    is_throttled(&refused);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1_700..=1_800).contains(&seconds), "{seconds}");
    assert_eq!(ann.reads(chat).await.len(), 3);
    // Other users and other requests are not limited.
    posts(&bob, chat).await.expect(201);
    ann.marks_as_read(chat).await;
    for _ in 0..50 {
        ann.sees(chat).await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn all_sessions_of_a_user_count_together_over_rest_and_sockets() {
    let (server, [ann, bob]) = limited("send=1/h:2", ["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let cookie = server.signed_in("ann").await.at(&server);
    let mut socket = cookie.listens().await;
    posts(&ann, chat).await.expect(201);
    socket.receives("new_message").await;
    let send = json!({"type": "send_message", "id": 1, "chat_id": chat, "content": "over the socket"});
    socket.says(&send.to_string()).await;
    let mut both = [socket.next().await, socket.next().await];
    both.sort_by_key(|frame| frame["type"] != "ack");
    assert_eq!(both[0]["type"], "ack", "{both:?}");
    is_throttled(&posts(&ann, chat).await);
    is_throttled(&posts(&cookie, chat).await);
    socket.says(&send.to_string()).await;
    let error = socket.receives("error").await;
    assert_eq!((&error["status"], &error["id"]), (&json!(429), &json!(1)), "{error}");
    let seconds = error["retry_after"].as_u64().unwrap();
    assert_eq!(error["detail"], format!("Request was throttled. Expected available in {seconds} seconds."));
    // The socket stays open and receives other users' messages.
    socket.says(r#"{"type": "ping", "id": 2}"#).await;
    assert_eq!(socket.receives("pong").await["id"], 2);
    posts(&bob, chat).await.expect(201);
    socket.receives("new_message").await;
}

#[actix_rt::test(system = "crate::System")]
async fn there_is_room_again_when_it_was_said_to_be() {
    let (_server, [ann, bob]) = limited("send=2/s:1", ["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    posts(&ann, chat).await.expect(201);
    let mut refused = 0;
    while posts(&ann, chat).await.status == 429 {
        refused += 1;
    }
    assert!(refused > 0);
}

#[actix_rt::test(system = "crate::System")]
async fn searches_and_typing_have_limits_of_their_own() {
    let (_server, [ann, bob]) = limited("search=1/h:2,typing=1/h:1", ["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let search = format!("chats/{chat}/messages/?search=x");
    ann.get("users/search/?q=bob").await.expect(200);
    ann.get(&search).await.expect(200);
    is_throttled(&ann.get("users/search/?q=bob").await);
    is_throttled(&ann.get(&search).await);
    ann.get(&format!("chats/{chat}/messages/")).await.expect(200);
    let typing = format!("chats/{chat}/typing/");
    ann.post(&typing, json!({"is_typing": true})).await.expect(200);
    is_throttled(&ann.post(&typing, json!({"is_typing": true})).await);
    // Another encoding of the same path counts too.
    is_throttled(&ann.post(&typing.replace("typing", "typ%69ng"), json!({"is_typing": true})).await);
    posts(&ann, chat).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn every_list_that_is_searched_counts_as_a_search() {
    let (_server, [ann, bob]) = limited("search=1/h:6", ["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let searches = [
        "users/search/?q=bob".to_owned(),
        "search/?q=hello".to_owned(),
        "chats/?search=bob".to_owned(),
        "rooms/?search=bob".to_owned(),
        format!("chats/{chat}/members/?search=bob"),
        format!("chats/{chat}/messages/?search=bob"),
    ];
    for search in &searches {
        ann.get(search).await.expect(200);
    }
    for search in &searches {
        is_throttled(&ann.get(search).await);
    }
    for list in ["chats/", "chats/?search=", "rooms/?search=%20", "chats/?chat_type=dm"] {
        ann.get(list).await.expect(200);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_rest_is_limited_as_other() {
    let (_server, [ann, bob]) = limited("other=1/h:4", ["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let message = posts(&ann, chat).await.id();
    let mut socket = ann.listens().await;
    ann.get("chats/").await.expect(200);
    ann.get("settings/").await.expect(200);
    socket.says(&json!({"type": "react", "id": 1, "message_id": message, "emoji": "👍"}).to_string()).await;
    let mut both = [socket.next().await, socket.next().await];
    both.sort_by_key(|frame| frame["type"] != "ack");
    assert_eq!(both[0]["type"], "ack", "{both:?}");
    socket.says(&json!({"type": "mark_as_read", "id": 2, "chat_id": chat}).to_string()).await;
    assert_eq!(socket.receives("error").await["status"], 429);
    is_throttled(&ann.get("chats/").await);
    is_throttled(&ann.patch(&format!("messages/{message}/"), json!({"content": "x"})).await);
    // Neither a resume nor a message is limited.
    let (_, _, ack) = ann.resumes(json!({})).await;
    assert_eq!(ack["type"], "ack");
    posts(&ann, chat).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn it_comes_after_who_where_and_whence_and_before_the_rest() {
    let (server, [ann]) = limited("send=1/h:1,other=1/h:1", ["ann"]).await;
    let cookie = server.signed_in("ann").await.at(&server);
    ann.post("chats/99/messages/", json!({})).await.expect(404);
    ann.get("chats/99/").await.expect(404);
    // The limit is checked before the chat's visibility and the body.
    is_throttled(&ann.post("chats/99/messages/", json!({})).await);
    is_throttled(&ann.get("chats/99/").await);
    is_throttled(&ann.delete("chats/99/messages/").await);
    server.anonymous().post("chats/99/messages/", json!({})).await.expect(401);
    ann.get("no/such/thing/").await.expect(404);
    let foreign = cookie.with("Origin", "https://evil.example");
    foreign.post("chats/99/messages/", json!({})).await.expect(403);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_turned_down_is_counted() {
    let server = Server::start_with(|config| {
        limit("send=1/h,typing=1/h")(config);
        config.metrics_bind = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let ann = server.user("ann").await.at(&server);
    let chat = ann.group("group", &[]).await;
    for status in [201, 429, 429] {
        posts(&ann, chat).await.expect(status);
    }
    let throttled = |limit: &str| format!(r#"greenroom_throttled_total{{limit="{limit}"}}"#);
    assert_eq!(server.series(&throttled("send")).await, Some(2.0));
    assert_eq!(server.series(&throttled("typing")).await, Some(0.0));
}

#[actix_rt::test(system = "crate::System")]
async fn without_the_setting_only_searches_are_limited() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    let chat = ann.group("group", &[]).await;
    for _ in 0..200 {
        posts(&ann, chat).await.expect(201);
    }
    let mut searched = 0;
    while ann.get("users/search/?q=bob").await.status == 200 {
        searched += 1;
    }
    assert!(searched >= 100, "{searched}");
}

#[actix_rt::test(system = "crate::System")]
async fn it_can_be_off() {
    let (_server, [ann]) = limited("off", ["ann"]).await;
    for _ in 0..200 {
        ann.get("users/search/?q=bob").await.expect(200);
    }
}
