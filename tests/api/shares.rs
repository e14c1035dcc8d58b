//! One user's queries do not delay other users.

use std::sync::mpsc;

use greenroom::{
    core::model::UserId,
    storage::{Principal, ReadPool},
};

use crate::support::{Server, User, config, database::Database};

/// A query that runs until it is ended.
struct Endless {
    end: mpsc::Sender<()>,
    answer: tokio::task::JoinHandle<()>,
}

impl Endless {
    /// Starts a query on behalf of a principal. It holds a connection when this returns.
    async fn begins(readers: &ReadPool, principal: Principal) -> Self {
        let (end, ended) = mpsc::channel();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let readers = readers.clone();
        let answer = tokio::task::spawn_local(async move {
            let question = readers.query_one(move |_| {
                let _ = begin.send(());
                let _ = ended.recv();
                Ok(())
            });
            principal.scope(question).await.unwrap();
        });
        begun.await.unwrap();
        Self { end, answer }
    }

    async fn ends(self) {
        self.end.send(()).unwrap();
        self.answer.await.unwrap();
    }
}

/// Starts a server with four read connections; one user may use two.
async fn server() -> (Server, [User; 2]) {
    let database = Database::sqlite();
    let mut config = config(&database.url());
    config.workers = Some(4);
    // Each node has its own connections, so one node is enough.
    let mut server = Server::start_nodes(database.url(), vec![config]).await;
    server.keep(database);
    let people = server.users(["ann", "bob"]).await;
    // Their identities are cached from now on.
    for user in &people {
        user.get("chats/").await.expect(200);
    }
    (server, people)
}

fn principal(user: &User) -> Principal {
    Principal::User(UserId(user.id))
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_whose_queries_take_forever_waits_for_themselves_alone() {
    let (server, [ann, bob]) = server().await;
    let readers = server.readers().clone();
    let both =
        [Endless::begins(&readers, principal(&ann)).await, Endless::begins(&readers, principal(&ann)).await];
    for path in ["chats/", "users/search/?q=ann", "unread/", "users/me/"] {
        bob.get(path).await.expect(200);
    }
    server.anonymous().with("Authorization", "Token none").get("chats/").await.expect(401);
    let chat = bob.group("group", &[]).await;
    bob.posts(chat, "hello").await;
    // Her request waits, and is answered with 429 after a timeout.
    let refused = ann.get("chats/").await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    for endless in both {
        endless.ends().await;
    }
    ann.get("chats/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn who_has_not_proved_who_they_are_shares_with_their_address() {
    let (server, [ann, _]) = server().await;
    let (readers, address) = (server.readers().clone(), Principal::Address([127, 0, 0, 1].into()));
    let both = [Endless::begins(&readers, address).await, Endless::begins(&readers, address).await];
    // Authenticated users have their own share, and the server's own queries belong to no principal.
    ann.get("chats/").await.expect(200);
    server.anonymous().send("GET", "/readyz", None).await.expect(200);
    server.anonymous().with("Authorization", "Token none").get("chats/").await.expect(429);
    for endless in both {
        endless.ends().await;
    }
    server.anonymous().with("Authorization", "Token none").get("chats/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn sockets_and_streams_ask_for_their_user() {
    let (server, [ann, bob]) = server().await;
    let chat = ann.group("group", &[&bob]).await;
    let message = ann.posts(chat, "hello").await;
    let mut socket = ann.listens().await;
    let readers = server.readers().clone();
    let both =
        [Endless::begins(&readers, principal(&ann)).await, Endless::begins(&readers, principal(&ann)).await];
    let react = serde_json::json!({"type": "react", "id": 1, "message_id": message["id"], "emoji": "👍"});
    socket.says(&react.to_string()).await;
    let error = socket.receives("error").await;
    assert_eq!((&error["status"], &error["retry_after"]), (&429.into(), &1.into()), "{error}");
    // A reconnecting client is closed for now.
    ann.connects().await.unwrap().is_closed().await;
    bob.listens().await;
    for endless in both {
        endless.ends().await;
    }
    ann.listens().await;
}
