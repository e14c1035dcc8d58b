//! Two nodes on one PostgreSQL, and faults between them. Users are assigned to the nodes in turn: the first
//! to the first node, the second to the second node, and so on.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use actix_web::rt::time::timeout;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use futures_util::future::join_all;
use greenroom::bus::RedisUrl;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};

use crate::{
    killed::{Acknowledged, CHATS, compare, make_chats},
    program::{Program, greenroom},
    support::{
        DEADLINE, Server, User, config,
        database::{Cluster, Database},
        oracle,
        redis::Redis,
        segments::{MEMOS, fills_a_segment},
    },
};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Starts two nodes that reach Redis at these URLs.
pub(crate) async fn nodes(urls: [&str; 2]) -> Server {
    let database = Database::new();
    let configs = urls.map(|url| {
        let mut config = config(&database.url());
        config.redis_url = Some(RedisUrl::parse(url).unwrap());
        config.socket_commands_per_second = 10_000;
        config.metrics_bind = Some(([127, 0, 0, 1], 0).into());
        config
    });
    let mut server = Server::start_nodes(database.url(), configs.into()).await;
    server.keep(database);
    server
}

pub(crate) async fn two_nodes(redis: &Redis) -> Server {
    nodes([&redis.url(), &redis.url()]).await
}

/// Waits until every node's bus is degraded, or is not.
async fn waits_for_degraded(server: &Server, is_degraded: bool) {
    let waiting = async {
        while (0..2).any(|node| server.is_degraded(node) != is_degraded) {
            crate::support::pause().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("the nodes notice");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_observers_know_everything_whatever_happens_to_redis() {
    for seed in oracle::seeds(2) {
        let mut redis = Redis::start();
        let server = two_nodes(&redis).await;
        oracle::walk(&server, seed, async |step| match step {
            Some(100) => redis.command("stop"),
            Some(280) => redis.command("continue"),
            Some(400) => redis.command("kill"),
            Some(580) => redis.command("start"),
            Some(650) => redis.command("kill"),
            None => redis.command("start"),
            Some(_) => {}
        })
        .await;
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_everything_is_heard_without_redis() {
    let mut redis = Redis::start();
    let server = two_nodes(&redis).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    redis.command("kill");
    waits_for_degraded(&server, true).await;
    let posted = ann.posts(chat, "still here").await;
    assert_eq!(ann_socket.receives("new_message").await["message"], posted);
    assert_eq!(bob_socket.receives("new_message").await["message"]["content"], "still here");
    ann.edits(&posted, "still there").await;
    bob.marks_as_read(chat).await;
    assert_eq!(bob_socket.receives("message_updated").await["message"]["content"], "still there");
    // Chats created while the bus is down.
    let other = ann.group("Another", &[&bob]).await;
    loop {
        let event = bob_socket.next().await;
        if event["chat_id"] == other {
            assert_eq!(
                (&event["type"], &event["chat"]["title"]),
                (&json!("chat_created"), &json!("Another"))
            );
            break;
        }
        assert_eq!(event["type"], "read");
    }
    ann.posts(other, "welcome").await;
    assert_eq!(bob_socket.receives("new_message").await["message"]["content"], "welcome");
    // Chats that end while the bus is down.
    ann.removes(other, &bob).await;
    assert_eq!(bob_socket.receives("chat_deleted").await["chat_id"], other);
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    assert_eq!(bob_socket.receives("chat_deleted").await["chat_id"], chat);
    redis.command("start");
    waits_for_degraded(&server, false).await;
    let third = bob.group("Third", &[&ann]).await;
    bob_socket.receives("chat_created").await;
    bob.posts(third, "back").await;
    assert_eq!(bob_socket.receives("new_message").await["message"]["content"], "back");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_typing_and_presence_are_heard_everywhere() {
    let redis = Redis::start();
    let server = two_nodes(&redis).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let mut ann_socket = ann.listens().await;
    let mut bob_socket = bob.listens().await;
    assert_eq!(ann_socket.receives_presence_of(&bob).await["is_online"], true);
    assert_eq!(bob.get("sync/").await.expect(200).json["users_online"], json!([ann.id]));
    bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(200);
    let typing = ann_socket.receives("typing").await;
    assert_eq!((&typing["user_id"], &typing["is_typing"]), (&json!(bob.id), &json!(true)));
    bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": false})).await.expect(200);
    assert_eq!(ann_socket.receives("typing").await["is_typing"], false);
    // The typing user's own sockets receive no typing event.
    ann.posts(chat, "hello").await;
    bob_socket.receives("new_message").await;
    drop(bob_socket);
    assert_eq!(ann_socket.receives_presence_of(&bob).await["is_online"], false);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_messages_reach_only_nodes_that_serve_their_chat() {
    const POSTS: usize = 200;
    let redis = Redis::start();
    let server = two_nodes(&redis).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let received = async || server.series("greenroom_bus_heard_total").await.unwrap() as usize;
    let posts = async || {
        for number in 0..POSTS {
            ann.posts(chat, &number.to_string()).await;
        }
    };
    // Nobody listens on bob's node. It receives heartbeats only.
    let before = received().await;
    posts().await;
    let after = received().await;
    assert!(after - before < POSTS / 2, "{}", after - before);
    // Now it does, and nothing is missed from the first moment on.
    let mut socket = bob.listens().await;
    let listens = async {
        for number in 0..POSTS {
            assert_eq!(socket.receives("new_message").await["message"]["content"], number.to_string());
        }
    };
    futures_util::future::join(posts(), listens).await;
    assert!(received().await - after >= POSTS);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_a_session_that_ended_has_ended_everywhere() {
    let mut redis = Redis::start();
    let server = two_nodes(&redis).await;
    server.user("ann").await;
    for is_redis_there in [true, false] {
        let session = server.signed_in("ann").await;
        let mut elsewhere = session.clone();
        elsewhere.address = server.anonymous().address;
        if elsewhere.address == session.address {
            elsewhere.address = server.anonymous().address;
        }
        let mut socket = elsewhere.listens().await;
        if !is_redis_there {
            redis.command("kill");
            waits_for_degraded(&server, true).await;
        }
        session.send("POST", "/logout/", None).await.expect(204);
        assert_eq!(socket.is_closed().await, 4401);
        elsewhere.get("chats/").await.expect(401);
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_guesses_count_together() {
    let redis = Redis::start();
    let server = two_nodes(&redis).await;
    server.user("ann").await;
    let [one, other] = [server.anonymous(), server.anonymous()];
    let guess = |user: User| async move {
        let body = json!({"username": "ann", "password": "wrong"});
        user.send("POST", "/login/", Some(body)).await.status
    };
    for _ in 0..5 {
        assert_eq!(guess(one.clone()).await, 401);
    }
    // The other node is notified a moment later. Every guess that it accepts counts as well.
    let mut passed = 0;
    while guess(other.clone()).await == 401 {
        passed += 1;
        assert!(passed < 5, "each node counts for itself");
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_a_removal_that_is_lost_lets_nothing_through_that_came_after() {
    let redis = Redis::start();
    let proxy = losing("MembersChanged", &redis).await;
    let server = nodes([&proxy, &redis.url()]).await;
    let [ann, bob, carl, dora] = server.users(["ann", "bob", "carl", "dora"]).await;
    let chat = ann.group("Team", &[&bob, &dora]).await;
    let (mut bob_socket, mut dora_socket) = (bob.listens().await, dora.listens().await);
    ann.posts(chat, "before").await;
    assert_eq!(bob_socket.receives("new_message").await["message"]["content"], "before");
    ann.removes(chat, &bob).await;
    ann.posts(chat, "after").await;
    dora_socket.receives("new_message").await;
    assert_eq!(dora_socket.receives("members_changed").await["removed"], json!([bob.id]));
    assert_eq!(dora_socket.receives("new_message").await["message"]["content"], "after");
    bob_socket.receives("chat_deleted").await;
    // No event in between and none after. A user whose adding was lost on the bus is notified all the same.
    ann.adds(chat, &[&bob]).await;
    let created = bob_socket.receives("chat_created").await;
    assert_eq!(created["chat"]["last_message"]["content"], "after");
    assert_eq!(carl.get(&format!("chats/{chat}/")).await.status, 404);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_no_text_of_any_event_is_later_than_a_removal() {
    for news in ["deletes", "renames", "adds", "joins"] {
        let mut redis = Redis::start();
        let server = two_nodes(&redis).await;
        let [ann, guest, bob] = server.users(["ann", "guest", "bob"]).await;
        let chat = match news {
            "joins" => ann.room("Team").await,
            _ => ann.group("Team", &[&guest]).await,
        };
        if news == "joins" {
            guest.joins(chat).await;
        }
        let mut guests = guest.listens().await;
        redis.command("kill");
        waits_for_degraded(&server, true).await;
        ann.posts(chat, "first").await;
        match news {
            "deletes" => {
                let second = ann.posts(chat, "second").await;
                ann.deletes(&second).await;
            }
            "renames" => {
                ann.patch(&format!("chats/{chat}/"), json!({"title": "Team of two"})).await.expect(200);
            }
            "adds" => drop(ann.adds(chat, &[&bob]).await),
            _ => drop(bob.joins(chat).await),
        }
        ann.removes(chat, &guest).await;
        ann.posts(chat, "secret").await;
        guest.group("Mine", &[]).await;
        let (mut is_gone, mut has_mine) = (false, false);
        while !is_gone || !has_mine {
            let event = guests.next().await;
            is_gone |= event["type"] == "chat_deleted";
            has_mine |= event["type"] == "chat_created";
            assert!(!event.to_string().contains("secret"), "{news}: {event}");
        }
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_who_resumes_ahead_of_the_chat_hears_of_each_message_once_as_new() {
    let mut redis = Redis::start();
    let server = two_nodes(&redis).await;
    let [ann, bob, carl] = server.users(["ann", "bob", "carl"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let _slow = bob.listens().await;
    redis.command("kill");
    waits_for_degraded(&server, true).await;
    for turn in 0..5 {
        let before = bob.sees(chat).await["seq"].clone();
        let message = ann.posts(chat, &format!("news {turn}")).await;
        ann.adds(chat, &[&carl]).await;
        // The resume reads from storage before the node's chat actor has backfilled.
        let (mut bob_socket, missed, _) = bob.resumes(json!({chat.to_string(): before})).await;
        let kinds = |events: &[serde_json::Value]| -> Vec<String> {
            events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(&missed), ["new_message", "members_changed"]);
        ann.edits(&message, &format!("edited {turn}")).await;
        let role = json!({"role": "admin"});
        ann.patch(&format!("chats/{chat}/members/{}/", carl.id), role).await.expect(200);
        assert_eq!(bob_socket.next().await["type"], "message_updated");
        let changed = bob_socket.next().await;
        assert_eq!((&changed["added"], &changed["changed"][0]["id"]), (&json!([]), &json!(carl.id)));
        ann.removes(chat, &carl).await;
        bob_socket.receives("members_changed").await;
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_what_was_acknowledged_survives_kill_9_of_either() {
    let (cluster, redis) = (Cluster::start_durable(), Redis::start());
    cluster.execute("CREATE DATABASE chat").unwrap();
    let database = cluster.url("chat");
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let serve = || Rc::new(Program::serve_as_node(&database, &redis.url()));
    let nodes = RefCell::new([serve(), serve()]);
    let first = nodes.borrow()[0].clone();
    make_chats(&first, &token).await;
    drop(first);
    let (acknowledged, is_over) = (Acknowledged::default(), Cell::new(false));
    let writers = (0..8).map(|writer| write(&nodes, &token, writer, &is_over, &acknowledged));
    let killing = async {
        for cycle in 0..10 {
            let enough = acknowledged.lock().unwrap().len() + 50;
            while acknowledged.lock().unwrap().len() < enough {
                crate::support::pause().await;
            }
            nodes.borrow()[cycle % 2].signal("KILL");
            let enough = acknowledged.lock().unwrap().len() + 50;
            while acknowledged.lock().unwrap().len() < enough {
                crate::support::pause().await;
            }
            nodes.borrow_mut()[cycle % 2] = serve();
        }
        is_over.set(true);
    };
    futures_util::future::join(join_all(writers), killing).await;
    drop(nodes.into_inner());
    let report = greenroom(&database, &["check"]);
    assert!(report.ends_with(" 0 differences found\n"), "{report}");
    let acknowledged = acknowledged.lock().unwrap().clone();
    compare(&database, &token, &acknowledged).await;
}

/// Posts with new client ids, and retries each until one of the nodes acknowledges it.
async fn write(
    nodes: &RefCell<[Rc<Program>; 2]>,
    token: &str,
    writer: usize,
    is_over: &Cell<bool>,
    acknowledged: &Acknowledged,
) {
    let mut number = 0;
    while !is_over.get() {
        let key = format!("{writer}-{number}");
        let path = format!("chats/{}/messages/", number as i64 % CHATS + 1);
        let body = json!({"content": key, "client_id": key});
        for turn in number.. {
            let node = nodes.borrow()[turn % 2].clone();
            if let Some((200 | 201, json)) = node.request("POST", &path, token, Some(body.clone())).await {
                acknowledged.lock().unwrap().insert(key, json["id"].as_i64().unwrap());
                break;
            }
        }
        number += 1;
    }
}

/// Starts a proxy to Redis that redirects messages containing `word` to a channel without subscribers.
async fn losing(word: &'static str, redis: &Redis) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let socket = redis.socket.clone();
    actix_web::rt::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&socket).await.unwrap();
            actix_web::rt::spawn(pass(client, server, word));
        }
    });
    url
}

async fn pass(client: TcpStream, server: UnixStream, word: &'static str) {
    let ((mut from, mut back), (mut answers, mut to)) = (client.into_split(), server.into_split());
    actix_web::rt::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut text = buffer[..length].to_vec();
        if let Some(at) = find(&text, word.as_bytes())
            && let Some(channel) = (0..at).rev().find(|start| text[*start..].starts_with(b"greenroom:"))
        {
            text[channel..channel + 9].copy_from_slice(b"nowhereat");
        }
        if to.write_all(&text).await.is_err() {
            return;
        }
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_one_keeps_the_search_index_and_then_another() {
    let first = Server::start_on(Database::postgres(), |_| {}).await;
    let mut second = first.beside().await;
    let ann = first.user("ann").await;
    let notes = ann.post("chats/", json!({"chat_type": "dm"})).await.id();
    fills_a_segment(&first, &ann, notes).await;
    let url = first.database_url();
    let keepers = || {
        let mut conn = PgConnection::establish(&url).unwrap();
        let locks = "SELECT count(*) AS count FROM pg_locks WHERE locktype = 'advisory' AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        sql_query(locks).get_result::<Count>(&mut conn).unwrap().count
    };
    assert_eq!(keepers(), 1);
    second.keep(first.stop());
    let ann = ann.at(&second);
    fills_a_segment(&second, &ann, notes).await;
    let found = ann.get("search/?q=memo").await.expect(200).json;
    assert_eq!((&found["count"], &found["is_complete"]), (&json!(2 * MEMOS), &json!(true)));
    assert!(greenroom(&url, &["check"]).ends_with(" 0 differences found\n"));
}
