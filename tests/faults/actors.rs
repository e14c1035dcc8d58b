//! Chat actors that fail or stop amid traffic.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::support::{DEADLINE, Listener, Server, User};

/// Serializes the tests that set failpoints, which apply to the whole process.
async fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

struct Failing(&'static str);

impl Failing {
    fn with(point: &'static str, actions: &str) -> Self {
        fail::cfg(point, actions).unwrap();
        Self(point)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        fail::remove(self.0);
    }
}

/// Posts with retries until it succeeds. The client id makes the retries idempotent.
async fn posts_surely(user: &User, chat: i64, text: &str) -> i64 {
    loop {
        let body = json!({"content": text, "client_id": text});
        let reply = user.post(&format!("chats/{chat}/messages/"), body).await;
        match reply.status {
            200 | 201 => return reply.id(),
            503 => assert_eq!(reply.header("retry-after"), "1"),
            _ => panic!("{reply:?}"),
        }
    }
}

/// Receives `count` messages and asserts that their numbers rise one by one.
async fn receives_in_order(listener: &mut Listener, count: usize) -> BTreeSet<i64> {
    let mut received = BTreeSet::new();
    let mut last = 0;
    while received.len() < count {
        let event = listener.receives("new_message").await;
        let seq = event["seq"].as_i64().unwrap();
        assert!(seq > last, "{seq} after {last}");
        last = seq;
        assert!(received.insert(event["message"]["id"].as_i64().unwrap()), "twice: {event}");
    }
    received
}

#[actix_rt::test(system = "crate::System")]
async fn an_actor_that_fails_over_commands_loses_nothing_and_keeps_its_listeners() {
    let _turn = one_at_a_time().await;
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let _failing = Failing::with("chat-submit", "10%panic");
    let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let posted = join_all(texts.iter().map(|text| posts_surely(&ann, chat, text))).await;
    assert_eq!(receives_in_order(&mut bob_socket, 100).await, posted.into_iter().collect());
    assert_eq!(bob.reads(chat).await.len(), 100);
}

#[actix_rt::test(system = "crate::System")]
async fn an_actor_that_fails_while_it_publishes_does_it_again_and_nobody_hears_twice() {
    let _turn = one_at_a_time().await;
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    for number in 0..30 {
        let _failing = Failing::with("chat-publish", "1*panic");
        let message = ann.posts(chat, &number.to_string()).await;
        assert_eq!(bob_socket.receives("new_message").await["message"], message);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_actor_that_cannot_publish_sends_its_listeners_to_load_again() {
    let _turn = one_at_a_time().await;
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let failing = Failing::with("chat-publish", "2*panic");
    let reply = ann.post(&format!("chats/{chat}/messages/"), json!({"content": "hi"})).await;
    assert_eq!(reply.status, 503);
    assert_eq!(bob_socket.is_closed().await, 1012);
    drop(failing);
    assert_eq!(bob.reads(chat).await, ["hi"]);
    let mut bob_socket = bob.listens().await;
    let message = ann.posts(chat, "again").await;
    assert_eq!(bob_socket.receives("new_message").await["message"], message);
}

/// Waits until all chat actors have stopped.
async fn all_retire(server: &Server) {
    let retire = async {
        while server.active_chats() > 0 {
            crate::support::pause().await;
        }
    };
    assert!(actix_web::rt::time::timeout(DEADLINE, retire).await.is_ok());
}

#[actix_rt::test(system = "crate::System")]
async fn strangers_who_try_numbers_leave_no_actors_behind() {
    let _turn = one_at_a_time().await;
    let server = Server::start().await;
    let eve = server.user("eve").await;
    for chat in 1_000..1_020 {
        eve.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(404);
    }
    assert_eq!(server.active_chats(), 0);
    for chat in 1_000..1_020 {
        eve.post(&format!("chats/{chat}/messages/"), json!({"content": "hi"})).await.expect(404);
    }
    all_retire(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn sockets_that_hang_up_while_they_start_leave_nothing_behind() {
    let _turn = one_at_a_time().await;
    let server = Server::start_with(|config| config.chat_idle = Duration::from_millis(50)).await;
    let ann = server.user("ann").await;
    for number in 0..40 {
        ann.group(&number.to_string(), &[]).await;
    }
    for _ in 0..20 {
        // Drop the connection between the handshake response and `hello`.
        drop(ann.connects().await);
    }
    all_retire(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn actors_that_retire_all_the_time_lose_nothing() {
    let _turn = one_at_a_time().await;
    // Short enough that actors stop between and during the requests below.
    let server = Server::start_with(|config| config.chat_idle = Duration::from_millis(1)).await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let mut retired = 0;
    for round in 0..40 {
        let texts: Vec<String> = (0..5).map(|number| format!("{round}.{number}")).collect();
        let posted = join_all(texts.iter().map(|text| ann.posts(chat, text))).await;
        assert_eq!(posted.len(), 5);
        while server.active_chats() > 0 {
            crate::support::pause().await;
        }
        retired += 1;
    }
    assert_eq!(retired, 40);
    let page = bob.get(&format!("chats/{chat}/messages/?page_size=1")).await;
    assert_eq!(page.json["count"], 200);
    // A subscriber keeps the actor alive.
    let mut bob_socket = bob.listens().await;
    for number in 0..40 {
        let message = ann.posts(chat, &number.to_string()).await;
        assert_eq!(bob_socket.receives("new_message").await["message"], message);
    }
    assert_eq!(server.active_chats(), 1);
}
