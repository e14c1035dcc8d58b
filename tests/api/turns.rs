//! One user's writes do not delay other users.

use std::sync::mpsc;

use greenroom::storage::WriterHandle;
use serde_json::json;
use tokio::{sync::oneshot, time::timeout};

use crate::support::{DEADLINE, Server, config, database::Database};

/// A write that runs until it is ended. All other writes wait for it.
struct Endless(mpsc::Sender<()>);

impl Endless {
    /// Starts the write; it is running when this returns.
    async fn begins(writer: &WriterHandle) -> Self {
        let (end, ended) = mpsc::channel();
        let (begin, begun) = oneshot::channel();
        let mut begin = Some(begin);
        let work = move |_: &mut _, _: &_| {
            if let Some(begin) = begin.take() {
                begin.send(()).unwrap();
            }
            let _ = ended.recv();
            Ok(())
        };
        writer.run_then("endless", work, |result| result.unwrap());
        begun.await.unwrap();
        Self(end)
    }

    fn ends(self) {
        self.0.send(()).unwrap();
    }
}

/// Starts a server on SQLite, which has one writer thread.
async fn server() -> Server {
    let database = Database::sqlite();
    let mut config = config(&database.url());
    config.socket_commands_per_second = 1_000;
    let mut server = Server::start_nodes(database.url(), vec![config]).await;
    server.keep(database);
    server
}

/// Waits until `count` commands are queued at their chat, which passes them to the writer in this order.
async fn under_way(server: &Server, count: usize) {
    let waiting = async {
        while server.commands_under_way() != count {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("they arrive");
}

#[actix_rt::test(system = "crate::System")]
async fn who_floods_a_chat_waits_for_themselves_alone() {
    const SOCKETS: usize = 4;
    const EACH: usize = 256;
    let server = server().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let mut ann_sockets = Vec::new();
    for _ in 0..SOCKETS {
        ann_sockets.push(ann.listens().await);
    }
    let endless = Endless::begins(server.writer()).await;
    for (socket, listener) in ann_sockets.iter_mut().enumerate() {
        for number in 0..EACH {
            let content = format!("{socket} {number}");
            let message = json!({"type": "send_message", "chat_id": chat, "content": content});
            listener.says(&message.to_string()).await;
        }
    }
    under_way(&server, SOCKETS * EACH).await;
    // Her share of the queue is full, for every kind of write.
    let path = format!("chats/{chat}/messages/");
    let more = async || ann.post(&path, json!({"content": "more"})).await;
    for refused in [more().await, ann.post("chats/", json!({"chat_type": "group", "title": "Other"})).await] {
        assert_eq!(refused.expect(429).header("retry-after"), "1");
    }
    let bobs_posts = async { bob.post(&path, json!({"content": "hello"})).await.expect(201) };
    let goes_on = async {
        under_way(&server, SOCKETS * EACH + 1).await;
        // His command is queued; hers are still rejected.
        more().await.expect(429);
        endless.ends();
    };
    futures_util::future::join(bobs_posts, goes_on).await;
    let mut received = Vec::new();
    for _ in 0..=SOCKETS * EACH {
        let event = bob_socket.receives("new_message").await;
        received.push(event["message"]["content"].as_str().unwrap().to_owned());
    }
    let place = received.iter().position(|text| text == "hello").unwrap();
    assert!(place < 3, "he is served in the next turn: {place}");
    received.remove(place);
    for socket in 0..SOCKETS {
        let of = format!("{socket} ");
        let numbers: Vec<usize> =
            received.iter().filter_map(|text| text.strip_prefix(&of)?.parse().ok()).collect();
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>(), "in the order sent");
    }
}
