//! Tests speak as users: a server of its own on a free port with a database of its own, people who ask it over HTTP,
//! and sockets that wait for events, never for time to pass.

#![allow(dead_code)]

pub mod awkward;
pub mod database;
pub mod event_stream;
pub mod oracle;
pub mod picture_host;
pub mod raw_socket;
pub mod redis;
pub mod reference;
pub mod segments;
pub mod steps;

use std::{
    collections::VecDeque,
    fmt::Display,
    net::SocketAddr,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actix_web::{rt::time::timeout, web::Data};
use awc::{
    BoxedSocket, Client,
    http::{Method, StatusCode, header::HeaderMap},
    ws::{self, Codec, Frame},
};
use clap::{Args, Command, FromArgMatches};
use futures_util::{SinkExt, StreamExt};
use greenroom::{
    auth::passwords,
    bus::RedisUrl,
    config::Config,
    core::{
        model::{UserId, text::Username},
        secrets,
    },
    state::State,
    storage::{
        DatabaseUrl,
        tables::{
            tokens,
            users::{self, NewUser},
        },
    },
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::oneshot};

use database::Database;

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Everybody's password.
pub const PASSWORD: &str = "correct horse";
static HASH: LazyLock<String> = LazyLock::new(|| passwords::hash(PASSWORD));

/// A running server: one node, or, with `GREENROOM_TEST_NODES=2`, two on one database with Redis between them. People
/// are clients of one node and the next in turn.
pub struct Server {
    /// Of the first node.
    pub address: SocketAddr,
    pub state: Data<State>,
    nodes: Vec<Node>,
    clients: AtomicUsize,
    database_url: String,
    database: Option<Database>,
}

/// One process's worth of a server, on a thread of its own.
struct Node {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    state: Data<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How many nodes the environment asks for.
pub fn nodes() -> usize {
    std::env::var("GREENROOM_TEST_NODES").map_or(1, |count| count.parse().expect("a number of nodes"))
}

impl Node {
    async fn start(config: Config) -> Self {
        let (started, running) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = greenroom::server::Server::start(config).await.unwrap();
                let _ = started.send((server.address, server.metrics_address(), server.state.clone()));
                let _ = stopped.await;
                server.stop().await.expect("its database's file is whole");
            });
        });
        let (address, metrics, state) = running.await.expect("the server starts");
        Self { address, metrics, state, stop: Some(stop), thread: Some(thread) }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || std::thread::panicking(), "the server ends in order");
        }
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A server with other settings than the default ones.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Database::new(), change).await
    }

    /// A server on this database, perhaps an earlier one's.
    pub async fn start_on(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let mut server = Self::start_at(database.url(), change).await;
        server.keep(database);
        server
    }

    /// Gives the server its database, which goes with it.
    pub fn keep(&mut self, database: Database) {
        self.database = Some(database);
    }

    /// Another server on the same database, which stays the first one's.
    pub async fn beside(&self) -> Self {
        Self::start_at(self.database_url(), |_| {}).await
    }

    /// A server on whatever database is at this URL.
    pub async fn start_at(database_url: String, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&database_url);
        change(&mut config);
        if nodes() > 1 {
            config.redis_url = Some(RedisUrl::parse(&redis::SHARED.url()).unwrap());
        }
        Self::start_nodes(database_url, vec![config; nodes()]).await
    }

    /// Nodes on one database, each with settings of its own.
    pub async fn start_nodes(database_url: String, configs: Vec<Config>) -> Self {
        let mut nodes = Vec::new();
        for config in configs {
            nodes.push(Node::start(config).await);
        }
        for node in &nodes {
            // News of what happens before a node hears the others would come late.
            while node.state.bus.is_in_doubt() {
                tokio::task::yield_now().await;
            }
        }
        let (address, state) = (nodes[0].address, nodes[0].state.clone());
        Self { address, state, nodes, clients: AtomicUsize::new(0), database_url, database: None }
    }

    /// Stops the server in order and hands back its database.
    pub fn stop(mut self) -> Database {
        self.end();
        let database = self.database.take().expect("it has its database until it ends");
        drop(self);
        // A process would have ended; here its last query may be on its way still.
        let url = DatabaseUrl::parse(&database.url()).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while url.is_used() {
            assert!(Instant::now() < deadline, "the server lets go of its database");
            std::thread::yield_now();
        }
        database
    }

    fn end(&mut self) {
        self.nodes.iter_mut().for_each(Node::end);
    }

    /// A server that is watched.
    pub async fn watched() -> Self {
        Self::start_with(|config| config.metrics_bind = Some(([127, 0, 0, 1], 0).into())).await
    }

    /// Where Prometheus asks each node.
    pub fn metrics_addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.metrics.expect("the node is watched")).collect()
    }

    /// Asks every node at the address where Prometheus does.
    pub async fn asks_for_metrics(&self, method: &str, path: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        for address in self.metrics_addresses() {
            let prometheus = self.anonymous().asking(address);
            replies.push(prometheus.send(method, path, None).await);
        }
        replies
    }

    /// A series by its name and labels as they are written, summed over the nodes; `None` where there is none.
    pub async fn series(&self, name: &str) -> Option<f64> {
        let value = |text: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        };
        let mut sum = None;
        for reply in self.asks_for_metrics("GET", "/metrics").await {
            let text = String::from_utf8(reply.expect(200).body).unwrap();
            let value: Option<f64> = value(&text);
            sum = value.map(|value| sum.unwrap_or(0.0) + value).or(sum);
        }
        sum
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many sockets a user has, event streams and long polls included.
    pub fn listeners_of(&self, user: &User) -> usize {
        let user = UserId(user.id);
        self.nodes.iter().map(|node| node.state.registry.sockets_of(user).len()).sum()
    }

    /// Whether a node cannot rely on the bus.
    pub fn is_in_doubt(&self, node: usize) -> bool {
        self.nodes[node].state.bus.is_in_doubt()
    }

    /// How many sockets are open.
    pub fn sockets(&self) -> usize {
        self.nodes.iter().map(|node| node.state.registry.count()).sum()
    }

    pub fn database_url(&self) -> String {
        self.database_url.clone()
    }

    /// A person with an account, who asks with a token.
    pub async fn user(&self, name: &str) -> User {
        self.person(name, false).await
    }

    /// Several people, one after the other: `let [ann, bob] = server.users(["ann", "bob"]).await`.
    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.user(name).await);
        }
        people.try_into().unwrap_or_else(|_| unreachable!("as many people as names"))
    }

    /// So many people, named by numbers.
    pub async fn crowd(&self, count: usize) -> Vec<User> {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(self.user(&format!("user{number:03}")).await);
        }
        people
    }

    /// A person who may manage users.
    pub async fn staff(&self, name: &str) -> User {
        self.person(name, true).await
    }

    async fn person(&self, name: &str, is_staff: bool) -> User {
        let new = NewUser {
            username: Username::parse(name).unwrap(),
            password: HASH.clone(),
            email: format!("{name}@example.com"),
            first_name: String::new(),
            last_name: String::new(),
            avatar_url: String::new(),
            is_staff,
            is_registered: false,
        };
        let key = secrets::draw();
        let hash = secrets::hash(&key);
        let made = self.state.writer.run("create_user", move |conn, _| {
            let user = users::create(conn, &new)?;
            tokens::create(conn, user.id(), &hash, None)?;
            Ok(user.id())
        });
        let UserId(id) = made.await.unwrap();
        User { id, name: name.to_owned(), ..self.anonymous() }.with("Authorization", &format!("Token {key}"))
    }

    /// Somebody who proves nothing.
    pub fn anonymous(&self) -> User {
        let client = Client::builder().timeout(DEADLINE).disable_redirects().finish();
        let turn = self.clients.fetch_add(1, Ordering::Relaxed);
        let address = self.nodes[turn % self.nodes.len()].address;
        User { id: 0, name: "nobody".to_owned(), address, headers: Vec::new(), client, is_elsewhere: false }
    }

    /// A person signed in with a password, who asks with the cookie.
    pub async fn signed_in(&self, name: &str) -> User {
        let nobody = self.anonymous();
        let reply =
            nobody.send("POST", "/login/", Some(json!({"username": name, "password": PASSWORD}))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = reply.json["id"].as_i64().unwrap();
        User { id, name: name.to_owned(), ..nobody }.with("Cookie", &reply.cookie())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Default settings, whatever the environment of the tests says, on a free port.
pub fn config(database_url: &str) -> Config {
    let command = Config::augment_args(Command::new("serve")).mut_args(|arg| arg.env(None));
    let args = ["serve", "--bind", "127.0.0.1:0", "--workers", "1", "--database-url", database_url];
    Config::from_arg_matches(&command.get_matches_from(args)).unwrap()
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub address: SocketAddr,
    pub headers: Vec<(String, String)>,
    client: Client,
    /// Asks something else than Greenroom's API.
    is_elsewhere: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Null where the body is no JSON.
    pub json: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The session's cookie, as a browser would send it back.
    pub fn cookie(&self) -> String {
        let cookie = self.header("set-cookie");
        assert!(cookie.starts_with("sessionid="), "{self:?}");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub fn id(&self) -> i64 {
        self.json["id"].as_i64().unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    /// The reply, having the status that it should have.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    pub fn results(&self) -> &Vec<Value> {
        self.json["results"].as_array().unwrap_or_else(|| panic!("no results in {self:?}"))
    }

    /// The ids of a page's results.
    pub fn ids(&self) -> Vec<i64> {
        self.results().iter().map(|result| result["id"].as_i64().unwrap()).collect()
    }

    /// What a 400 says of a field: a list of sentences.
    #[track_caller]
    pub fn invalid(&self, field: &str) -> Value {
        assert_eq!(self.status, 400, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.json["error"], "Invalid request");
        self.json["details"][field].clone()
    }
}

impl User {
    /// The same person, asking another server.
    pub fn at(&self, server: &Server) -> Self {
        Self { address: server.address, ..self.clone() }
    }

    /// The same person, asking whoever else listens at an address.
    pub fn asking(&self, address: SocketAddr) -> Self {
        Self { address, is_elsewhere: true, ..self.clone() }
    }

    /// The same person with a further header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a request to any path of the server.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let bytes = body.map(|body| serde_json::to_vec(&body).unwrap());
        let kind = bytes.as_ref().map(|_| "application/json");
        self.send_raw(method, path, kind, bytes.unwrap_or_default()).await
    }

    /// Sends any bytes as any type.
    pub async fn send_raw(&self, method: &str, path: &str, kind: Option<&str>, body: Vec<u8>) -> Reply {
        let asked = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(asked, format!("http://{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.append_header((name.as_str(), value.as_str()));
        }
        if let Some(kind) = kind {
            request = request.insert_header(("Content-Type", kind));
        }
        let mut response = request.send_body(body).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let body = response.body().limit(64 << 20).await.unwrap().to_vec();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let status = response.status().as_u16();
        let reply = Reply { status, headers: response.headers().clone(), body, json };
        if !self.is_elsewhere {
            reference::check_answer(method, path, &reply);
        }
        reply
    }

    /// Sends a request and tears the connection after some turns of doing nothing, without waiting for the answer.
    pub async fn hangs_up_on(&self, method: &str, path: &str, body: &Value, turns: usize) {
        let body = body.to_string();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        request
            .push_str(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.set_zero_linger().unwrap();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// Sends a request below the API's base.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.send(method, &format!("/messages/api/{path}"), body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call("PUT", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, None).await
    }

    /// Follows a page's `next` or `previous`.
    pub async fn follows(&self, link: &Value) -> Reply {
        let link = link.as_str().expect("there is a link");
        let path = link.strip_prefix(&format!("http://{}", self.address)).expect("the link leads here");
        self.send("GET", path, None).await.expect(200)
    }

    /// Opens the dm with somebody.
    pub async fn dm(&self, other: &User) -> i64 {
        self.post("chats/", json!({"chat_type": "dm", "member_ids": [other.id]})).await.id()
    }

    /// Makes a group with others.
    pub async fn group(&self, title: &str, others: &[&User]) -> i64 {
        let ids: Vec<i64> = others.iter().map(|user| user.id).collect();
        let body = json!({"chat_type": "group", "title": title, "member_ids": ids});
        self.post("chats/", body).await.expect(201).id()
    }

    /// Posts a message and returns it.
    pub async fn posts(&self, chat: impl Display, text: &str) -> Value {
        self.post(&format!("chats/{chat}/messages/"), json!({"content": text})).await.expect(201).json
    }

    /// Edits a message and returns it.
    pub async fn edits(&self, message: &Value, text: &str) -> Value {
        let path = format!("messages/{}/", message["id"]);
        self.patch(&path, json!({"content": text})).await.expect(200).json
    }

    pub async fn deletes(&self, message: &Value) {
        self.delete(&format!("messages/{}/", message["id"])).await.expect(204);
    }

    /// The chat as this person sees it.
    pub async fn sees(&self, chat: impl Display) -> Value {
        self.get(&format!("chats/{chat}/")).await.expect(200).json
    }

    /// The texts of the newest messages, oldest first.
    pub async fn reads(&self, chat: impl Display) -> Vec<String> {
        let page = self.get(&format!("chats/{chat}/messages/?page_size=100")).await.expect(200);
        let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
        page.results().iter().rev().map(text).collect()
    }

    pub async fn marks_as_read(&self, chat: impl Display) -> i64 {
        let reply = self.post(&format!("chats/{chat}/mark-as-read/"), json!({})).await.expect(200);
        reply.json["marked_count"].as_i64().unwrap()
    }

    /// Reads up to a message and no further.
    pub async fn marks_as_read_to(&self, chat: impl Display, message: &Value) -> i64 {
        let body = json!({"message_id": message["id"]});
        let reply = self.post(&format!("chats/{chat}/mark-as-read/"), body).await.expect(200);
        reply.json["marked_count"].as_i64().unwrap()
    }

    /// Adds people to a group; how many of them were new.
    pub async fn adds(&self, chat: impl Display, others: &[&User]) -> i64 {
        let ids: Vec<i64> = others.iter().map(|user| user.id).collect();
        let reply = self.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": ids})).await;
        reply.expect(200).json["added_count"].as_i64().unwrap()
    }

    /// Removes somebody from a group, perhaps oneself.
    pub async fn removes(&self, chat: impl Display, other: &User) {
        self.delete(&format!("chats/{chat}/members/{}/remove/", other.id)).await.expect(204);
    }

    /// Makes a public room for itself.
    pub async fn room(&self, title: &str) -> i64 {
        let body = json!({"chat_type": "room", "title": title});
        self.post("chats/", body).await.expect(201).id()
    }

    /// Joins a public room, which is then as this shows it.
    pub async fn joins(&self, room: i64) -> Value {
        self.post(&format!("chats/{room}/join/"), json!({})).await.expect(200).json
    }

    /// Opens a socket whose live events wait, says how far it has heard, and takes what it missed up to the `ack`.
    pub async fn resumes(&self, known: Value) -> (Listener, Vec<Value>, Value) {
        let mut listener = self.connects_with("?resume=1").await.unwrap();
        listener.hello = listener.receives("hello").await;
        let (missed, ack) = listener.catches_up(known).await;
        (listener, missed, ack)
    }

    /// Opens a socket and takes its `hello`.
    pub async fn listens(&self) -> Listener {
        let mut listener = self.connects().await.expect("the socket opens");
        listener.hello = listener.receives("hello").await;
        listener
    }

    /// Tries to open a socket; the status where it is refused.
    pub async fn connects(&self) -> Result<Listener, StatusCode> {
        self.connects_with("").await
    }

    /// The same with a query behind the address.
    pub async fn connects_with(&self, query: &str) -> Result<Listener, StatusCode> {
        let client =
            Client::builder().timeout(DEADLINE).max_http_version(awc::http::Version::HTTP_11).finish();
        let mut request = client.ws(format!("http://{}/messages/ws/{query}", self.address));
        for (name, value) in &self.headers {
            request = request.set_header(name.as_str(), value.as_str());
        }
        match request.connect().await {
            Ok((_, socket)) => Ok(Listener { socket, hello: Value::Null, early: VecDeque::new() }),
            Err(awc::error::WsClientError::InvalidResponseStatus(status)) => Err(status),
            Err(error) => panic!("the socket does not open: {error}"),
        }
    }
}

/// A text as it stands in a path or a query.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A socket that waits for events.
pub struct Listener {
    socket: actix_codec::Framed<BoxedSocket, Codec>,
    pub hello: Value,
    early: VecDeque<Value>,
}

impl Listener {
    /// The next event, of whatever type.
    pub async fn next(&mut self) -> Value {
        match self.next_or_close().await {
            Ok(event) => event,
            Err(code) => panic!("closed with {code}"),
        }
    }

    /// The next event, or the code with which the server closes. Who comes and goes is left out: it depends on who
    /// happened to be there.
    pub async fn next_or_close(&mut self) -> Result<Value, u16> {
        loop {
            match self.next_of_all().await {
                Ok(event) if event["type"] == "presence" => {}
                next => return next,
            }
        }
    }

    /// The next that is heard of who is there.
    pub async fn hears_of(&mut self, user: &User) -> Value {
        loop {
            let event = self.next_of_all().await.expect("the socket stays open");
            if event["type"] == "presence" && event["user_id"] == user.id {
                return event;
            }
        }
    }

    pub async fn next_of_all(&mut self) -> Result<Value, u16> {
        loop {
            let frame = timeout(DEADLINE, self.socket.next()).await.expect("something arrives in time");
            match frame {
                Some(Ok(Frame::Text(text))) => {
                    let frame = serde_json::from_slice(&text).unwrap();
                    reference::check_frame(&frame);
                    return Ok(frame);
                }
                Some(Ok(Frame::Ping(payload))) => self.socket.send(ws::Message::Pong(payload)).await.unwrap(),
                Some(Ok(Frame::Close(reason))) => {
                    return Err(reason.map_or(1005, |reason| reason.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next event, which must be of this type.
    pub async fn receives(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Says how far it has heard of each chat, and takes what it missed up to the `ack`.
    pub async fn catches_up(&mut self, known: Value) -> (Vec<Value>, Value) {
        self.says(&json!({"type": "resume", "id": "r", "chats": known}).to_string()).await;
        let mut missed = Vec::new();
        loop {
            let frame = self.next().await;
            match frame["type"].as_str().unwrap() {
                "ack" => return (missed, frame),
                _ => missed.push(frame),
            }
        }
    }

    /// The code with which the server closes, after whatever it still sends.
    pub async fn is_closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next_or_close().await {
                return code;
            }
        }
    }

    pub async fn says(&mut self, text: &str) {
        self.socket.send(ws::Message::Text(text.to_owned().into())).await.unwrap();
    }

    pub async fn sends(&mut self, message: ws::Message) {
        self.socket.send(message).await.unwrap();
    }
}
