//! Bursts: clients that read receive everything, and clients that demand too much are closed.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

use crate::support::{
    Listener, Server, User,
    raw_socket::{CLOSE, FIN, RawSocket, TEXT, frame},
};

/// Starts a server without an effective limit on commands.
async fn generous() -> Server {
    Server::start_with(|config| config.socket_commands_per_second = 1_000_000).await
}

impl User {
    /// Posts `count` messages to each chat as fast as possible, over a separate socket that receives no
    /// events.
    async fn posts_many(&self, chats: &[i64], count: usize) {
        self.posts_many_within(&Semaphore::new(Semaphore::MAX_PERMITS), chats, count).await;
    }

    /// Posts `count` messages to each chat. Each message takes a permit first.
    async fn posts_many_within(&self, room: &Semaphore, chats: &[i64], count: usize) {
        let mut socket = self.connects_with("?chats=0").await.unwrap();
        socket.receives("hello").await;
        for chat in chats {
            let command =
                |number| json!({"type": "send_message", "chat_id": chat, "content": format!("{number}")});
            for number in 0..count {
                room.acquire().await.unwrap().forget();
                socket.says(&command(number).to_string()).await;
            }
            for _ in 0..count {
                socket.receives("ack").await;
            }
        }
    }
}

impl Listener {
    /// Asserts that `seq` rises one by one up to `last`, and adds a permit for each message received.
    async fn receives_up_to(&mut self, last: i64, room: &Semaphore) {
        for seq in 2..=last {
            assert_eq!(self.receives("new_message").await["seq"], seq);
            room.add_permits(1);
        }
    }

    /// Returns all events that arrive before the answer to a ping.
    async fn receives_pending(&mut self) -> Vec<Value> {
        self.says(r#"{"type": "ping"}"#).await;
        let mut received = Vec::new();
        loop {
            let event = self.next().await;
            if event["type"] == "pong" {
                return received;
            }
            received.push(event);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_hot_chat_is_heard_whole_by_who_reads() {
    let server = generous().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Hot", &[&bob]).await;
    // The total exceeds a socket's queue. The permits keep the backlog below it, however slow the machine is.
    let (writers, each, room) = (4, 1_500, Semaphore::new(1_000));
    let mut bob_socket = bob.listens().await;
    let posting_many =
        join_all((0..writers).map(|_| ann.posts_many_within(&room, std::slice::from_ref(&chat), each)));
    join(posting_many, bob_socket.receives_up_to(1 + (writers * each) as i64, &room)).await;
    assert!(bob_socket.receives_pending().await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn who_missed_thousands_of_changes_resumes_while_more_come() {
    let server = generous().await;
    let ann = server.user("ann").await;
    let mut chats = Vec::new();
    for number in 0..12 {
        chats.push(ann.group(&number.to_string(), &[]).await);
    }
    ann.posts_many(&chats, 450).await;
    let known: BTreeMap<String, i64> = chats.iter().map(|chat| (chat.to_string(), 1)).collect();
    let mut ann_socket = ann.connects_with("?resume=1").await.unwrap();
    let coming_back = async {
        ann_socket.receives("hello").await;
        ann_socket.says(&json!({"type": "resume", "chats": known}).to_string()).await;
        let mut heads = known.clone();
        let mut loaded_again = 0;
        // Missed and live events form one sequence. A chat beyond the limit of missed events is reloaded.
        while heads.values().any(|seq| *seq < 551) {
            let event = ann_socket.next().await;
            let head = heads.entry(event["chat_id"].to_string());
            match event["type"].as_str().unwrap() {
                "new_message" => {
                    let head = head.or_default();
                    *head += 1;
                    assert_eq!(event["seq"], *head);
                }
                "resync" => {
                    loaded_again += 1;
                    head.insert_entry(event["seq"].as_i64().unwrap());
                }
                kind => assert_eq!(kind, "ack"),
            }
            heads.remove("null");
        }
        loaded_again
    };
    // At most 5,000 missed events are delivered.
    let (_, loaded_again) = join(ann.posts_many(&chats, 100), coming_back).await;
    assert!(loaded_again > 0);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_removed_in_the_middle_of_a_burst_hears_nothing_above_it() {
    let server = Server::start_with(|config| config.workers = Some(2)).await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let chat = eve.group("Team", &[&ann, &bob]).await;
    let mut bob_socket = bob.listens().await;
    let texts: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let (in_the_middle, middle) = oneshot::channel();
    let mut in_the_middle = Some(in_the_middle);
    let receiving = async {
        let mut received = Vec::new();
        loop {
            let event = bob_socket.next().await;
            received.push(event["seq"].as_i64().unwrap());
            if event["type"] == "chat_deleted" {
                return received;
            }
            if received.len() == 300 {
                in_the_middle.take().unwrap().send(()).unwrap();
            }
        }
    };
    let removing = async {
        middle.await.unwrap();
        eve.removes(chat, &bob).await;
    };
    let posting = join_all(texts.iter().map(|text| ann.posts(chat, text)));
    let (received, ..) = futures_util::future::join3(receiving, removing, posting).await;
    let removal = *received.last().unwrap();
    assert_eq!(received, (2..=removal).collect::<Vec<_>>());
    assert!(removal < 1_000, "it was in the middle");
    ann.posts(chat, "after").await;
    assert!(bob_socket.receives_pending().await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn resumes_that_pile_up_end_the_socket() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let mut socket = RawSocket::started(&ann).await;
    socket.writes(&frame(FIN | TEXT, br#"{"type": "resume", "chats": {}}"#).repeat(150)).await;
    let mut frame = socket.next().await;
    while frame.0 == TEXT {
        assert_eq!(frame.1["type"], "ack");
        frame = socket.next().await;
    }
    assert_eq!(frame, (CLOSE, json!(1013)));
}

#[actix_rt::test(system = "crate::System")]
async fn a_resume_without_an_end_ends_the_socket() {
    let server = Server::start().await;
    let mut ann_socket = server.user("ann").await.listens().await;
    for part in 0..30 {
        let chats: BTreeMap<String, i64> =
            (0..4_000).map(|number| ((part * 4_000 + number).to_string(), 1)).collect();
        ann_socket.says(&json!({"type": "resume", "more": true, "chats": chats}).to_string()).await;
    }
    assert_eq!(ann_socket.is_closed().await, 1009);
}
