//! Channels of users between two nodes: which nodes get what is about a user, and from when on. Users are
//! assigned to the nodes in turn, as in `nodes`.

use std::{cell::Cell, collections::BTreeSet, rc::Rc};

use futures_util::future::join;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
};

use crate::{
    nodes::{nodes, two_nodes},
    support::{Server, redis::Redis},
};

/// Returns how many times the second node has read from the database.
async fn reads_of_second(server: &Server) -> usize {
    let reply = server.asks_for_metrics("GET", "/metrics").await.remove(1).expect(200);
    let text = String::from_utf8(reply.body).unwrap();
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("greenroom_reader_query_seconds_count ")?.parse().ok());
    count.expect("the number of reads")
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_new_chats_reach_only_nodes_of_their_members() {
    const GROUPS: usize = 40;
    let redis = Redis::start();
    let server = two_nodes(&redis).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let received = async || server.series("greenroom_bus_heard_total").await.unwrap() as usize;
    let groups = async || {
        for number in 0..GROUPS {
            ann.group(&number.to_string(), &[&bob]).await;
        }
    };
    // Bob is not connected. His node receives heartbeats only.
    let before = received().await;
    groups().await;
    let after = received().await;
    assert!(after - before < GROUPS / 2, "{}", after - before);
    let mut socket = bob.listens().await;
    assert_eq!(socket.hello["chats"].as_object().unwrap().len(), GROUPS);
    let listens = async {
        // Chats are independent: their events arrive in any order.
        let mut titles = BTreeSet::new();
        for _ in 0..GROUPS {
            titles.insert(socket.receives("chat_created").await["chat"]["title"].to_string());
        }
        assert_eq!(titles.len(), GROUPS);
    };
    join(groups(), listens).await;
    // Each arrives once.
    let arrived = received().await - after;
    assert!((GROUPS..2 * GROUPS).contains(&arrived), "{arrived}");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_many_added_at_once_are_notified() {
    let redis = Redis::start();
    let server = two_nodes(&redis).await;
    let ann = server.user("ann").await;
    let crowd = server.crowd(30).await;
    let last = crowd.last().unwrap();
    let mut socket = last.listens().await;
    let everybody: Vec<_> = crowd.iter().collect();
    let team = ann.group("Team", &everybody).await;
    assert_eq!(socket.receives("chat_created").await["chat_id"], team);
    ann.removes(team, last).await;
    assert_eq!(socket.receives("chat_deleted").await["chat_id"], team);
    ann.adds(team, &[last]).await;
    assert_eq!(socket.receives("chat_created").await["chat_id"], team);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_chats_are_read_once_their_member_is_listened_to() {
    let redis = Redis::start();
    let way = Way::open(&redis).await;
    let server = nodes([&redis.url(), &way.url]).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    way.is_held.set(true);
    let creates = async {
        // Bob's node has asked for his channel, and does not get it yet.
        way.asked.notified().await;
        let team = ann.group("Team", &[&bob]).await;
        way.released.notify_one();
        team
    };
    let (team, mut socket) = join(creates, bob.listens()).await;
    // The event was published before the subscription. So the chats were read later.
    assert!(socket.hello["chats"].get(team.to_string()).is_some(), "{}", socket.hello);
    ann.posts(team, "welcome").await;
    assert_eq!(socket.receives("new_message").await["message"]["content"], "welcome");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn on_nodes_presence_is_read_by_the_users_node_alone() {
    const PEOPLE: usize = 60;
    let redis = Redis::start();
    let server = two_nodes(&redis).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    ann.dm(&bob).await;
    let crowd = server.crowd(2 * PEOPLE).await;
    let mut bob_socket = bob.listens().await;
    let reads = reads_of_second(&server).await;
    // All of these connect to ann's node.
    let mut sockets = Vec::new();
    for person in crowd.iter().filter(|person| person.address == ann.address) {
        sockets.push(person.listens().await);
    }
    let _ann_socket = ann.listens().await;
    assert_eq!(bob_socket.receives_presence_of(&ann).await["is_online"], true);
    let reads = reads_of_second(&server).await - reads;
    assert!(sockets.len() == PEOPLE && reads < PEOPLE / 2, "{reads}");
    assert_eq!(bob.get("sync/").await.expect(200).json["users_online"], json!([ann.id]));
}

/// A proxy to Redis that can hold back the first subscription to a user's channel.
struct Way {
    url: String,
    is_held: Rc<Cell<bool>>,
    asked: Rc<Notify>,
    released: Rc<Notify>,
}

impl Way {
    async fn open(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (is_held, asked, released) = (Rc::default(), Rc::default(), Rc::default());
        let way = Self { url, is_held, asked, released };
        let (held, asked, released) = (way.is_held.clone(), way.asked.clone(), way.released.clone());
        let socket = redis.socket.clone();
        actix_web::rt::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                let (held, asked, released) = (held.clone(), asked.clone(), released.clone());
                actix_web::rt::spawn(pass(client, server, held, asked, released));
            }
        });
        way
    }
}

async fn pass(
    client: TcpStream,
    server: UnixStream,
    is_held: Rc<Cell<bool>>,
    asked: Rc<Notify>,
    released: Rc<Notify>,
) {
    let ((mut from, mut back), (mut answers, mut to)) = (client.into_split(), server.into_split());
    actix_web::rt::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let is_user = |text: &[u8]| text.starts_with(b":user:");
        if is_held.get() && buffer[..length].windows(6).any(is_user) {
            is_held.set(false);
            asked.notify_one();
            released.notified().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
