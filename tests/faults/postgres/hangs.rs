//! A PostgreSQL server that hangs, and connections lost at a commit.

use futures_util::future::{join_all, join3};
use serde_json::json;

use super::{Acknowledged, cluster, compare, make_chat, write};
use crate::{
    program::{Program, greenroom},
    proxy::{AtCommit, Proxy},
    support::{Server, database::Cluster},
};

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn while_the_database_hangs_everybody_is_refused_in_time_and_then_served_again() {
    let (mut cluster, database, token) = cluster();
    let server = Program::serve(&database);
    make_chat(&server, &token).await;
    let post =
        |text: &str| server.request("POST", "chats/1/messages/", &token, Some(json!({"content": text})));
    let away = (503, json!({"error": "Service unavailable"}));
    for round in 1..=2 {
        assert_eq!(post("before").await.unwrap().0, 201);
        cluster.command("pause");
        // PostgreSQL hangs until all requests have been answered.
        let posts = join_all((0..50).map(|_| post("while it hangs")));
        let reads = join_all((0..10).map(|_| server.request("GET", "chats/1/messages/", &token, None)));
        let makes = server.request("POST", "chats/", &token, Some(json!({"chat_type": "group"})));
        let (posts, reads, made) = join3(posts, reads, makes).await;
        assert!(posts.into_iter().chain(reads).chain([made]).all(|reply| reply.unwrap() == away));
        assert_eq!(server.request_at("GET", "/readyz", &token, None).await.unwrap().0, 503);
        assert_eq!(server.request_at("GET", "/healthz", &token, None).await.unwrap().0, 200);
        cluster.command("continue");
        while server.request_at("GET", "/readyz", &token, None).await.unwrap().0 != 200 {}
        // Rejected requests were never started: none of them is executed later.
        let (_, page) = server.request("GET", "chats/1/messages/", &token, None).await.unwrap();
        assert_eq!(page["count"], round, "{page}");
        let (_, chats) = server.request("GET", "chats/", &token, None).await.unwrap();
        assert_eq!(chats["count"], 1, "{chats}");
    }
    drop(server);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn what_was_acknowledged_is_there_once_though_the_database_hung() {
    let (mut cluster, database, token) = cluster();
    let server = Program::serve(&database);
    make_chat(&server, &token).await;
    let acknowledged = Acknowledged::default();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let writers = (0..8).map(|writer| write(&server, &token, (0, writer), &stop, &acknowledged));
    let hanging = async {
        for round in 1..=3 {
            super::reached(&acknowledged, 100 * round).await;
            cluster.command("pause");
            // Writers get 503 and retry.
            while server.request("GET", "chats/1/", &token, None).await.unwrap().0 != 503 {}
            cluster.command("continue");
        }
        super::reached(&acknowledged, 400).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    futures_util::future::join(join_all(writers), hanging).await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    compare(&server, &token, &acknowledged).await;
    drop(server);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

/// Starts a server on a cluster, behind a proxy that can break connections.
async fn server_behind(cluster: &Cluster) -> (Server, Proxy) {
    cluster.execute("CREATE DATABASE chat").unwrap();
    let proxy = Proxy::to(&cluster.url("postgres"));
    (Server::start_at(proxy.url("chat"), |_| {}).await, proxy)
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_commit_that_is_not_answered_is_found_out_about() {
    let cluster = Cluster::start();
    let (server, proxy) = server_behind(&cluster).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut listener = bob.listens().await;
    for at_commit in [AtCommit::CutBefore, AtCommit::CutAfter] {
        for number in 0..5 {
            proxy.at_commit(at_commit);
            let text = number.to_string();
            // In both cases the message is acknowledged, delivered once and stored once.
            let message = ann.posts(chat, &text).await;
            assert_eq!(listener.receives("new_message").await["message"], message);
        }
        proxy.at_commit(at_commit);
        let made = ann.group("Other", &[&bob]).await;
        assert_eq!(listener.receives("chat_created").await["chat_id"], made);
    }
    let said = ann.reads(chat).await;
    assert_eq!(said, ["0", "1", "2", "3", "4", "0", "1", "2", "3", "4"]);
    assert_eq!(ann.get("chats/").await.json["count"], 3);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_network_that_swallows_everything_is_recovered_from() {
    let cluster = Cluster::start();
    let (server, proxy) = server_behind(&cluster).await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let path = format!("chats/{chat}/messages/");
    for round in 0..2 {
        proxy.block();
        let (reads, posts) =
            (ann.get(&path), ann.post(&path, json!({"content": "hi", "client_id": round.to_string()})));
        let (read, posted) = futures_util::future::join(reads, posts).await;
        assert_eq!((read.status, posted.status), (503, 503));
        assert!(!read.header("retry-after").is_empty() && !posted.header("retry-after").is_empty());
        proxy.mend();
        // The writer and the pool reopen their connections with a delay.
        let again = json!({"content": "hi", "client_id": round.to_string()});
        while ann.post(&path, again.clone()).await.status == 503 {}
        while ann.get(&path).await.status == 503 {}
        assert_eq!(ann.reads(chat).await.len(), round + 1);
    }
}
