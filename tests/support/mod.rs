//! Fixtures of the tests, which read as users' actions. Each test has its own server on a free port with its
//! own database. Users are HTTP clients. Sockets wait for events, not for time to pass.

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
    state::AppState,
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

/// Deadline of every wait in a test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The password of all test users.
pub const PASSWORD: &str = "correct horse";
static HASH: LazyLock<String> = LazyLock::new(|| passwords::hash(PASSWORD));

/// A running server: one node, or, with `GREENROOM_TEST_NODES=2`, two nodes with one database and one Redis.
/// New users are assigned to the nodes in turn.
pub struct Server {
    /// Address of the first node.
    pub address: SocketAddr,
    pub state: Data<AppState>,
    nodes: Vec<Node>,
    clients: AtomicUsize,
    database_url: String,
    database: Option<Database>,
}

/// One node of the server. It runs on its own thread instead of in its own process.
struct Node {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    state: Data<AppState>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Returns the number of nodes that `GREENROOM_TEST_NODES` asks for.
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

    /// Starts a server with changed settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Database::new(), change).await
    }

    /// Starts a server on this database, which may be that of an earlier server.
    pub async fn start_on(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let mut server = Self::start_at(database.url(), change).await;
        server.keep(database);
        server
    }

    /// Gives the server its database, which is removed with it.
    pub fn keep(&mut self, database: Database) {
        self.database = Some(database);
    }

    /// Starts another server on the same database. The first server keeps the database.
    pub async fn beside(&self) -> Self {
        Self::start_at(self.database_url(), |_| {}).await
    }

    /// Starts a server on the database at this URL.
    pub async fn start_at(database_url: String, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&database_url);
        change(&mut config);
        if nodes() > 1 {
            config.redis_url = Some(RedisUrl::parse(&redis::SHARED.url()).unwrap());
        }
        Self::start_nodes(database_url, vec![config; nodes()]).await
    }

    /// Starts nodes on one database, each with its own settings.
    pub async fn start_nodes(database_url: String, configs: Vec<Config>) -> Self {
        let mut nodes = Vec::new();
        for config in configs {
            nodes.push(Node::start(config).await);
        }
        for node in &nodes {
            // Events that occur before a node has subscribed to the others would arrive late.
            while node.state.bus.is_degraded() {
                tokio::task::yield_now().await;
            }
        }
        let (address, state) = (nodes[0].address, nodes[0].state.clone());
        Self { address, state, nodes, clients: AtomicUsize::new(0), database_url, database: None }
    }

    /// Shuts the server down and returns its database.
    pub fn stop(mut self) -> Database {
        self.end();
        let database = self.database.take().expect("it has its database until it ends");
        drop(self);
        // Without a process to end, the server's last query may still be running.
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

    /// Starts a server with a metrics listener.
    pub async fn watched() -> Self {
        Self::start_with(|config| config.metrics_bind = Some(([127, 0, 0, 1], 0).into())).await
    }

    /// Returns the address of each node's metrics listener.
    pub fn metrics_addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.metrics.expect("the node is watched")).collect()
    }

    /// Sends a request to the metrics listener of every node.
    pub async fn asks_for_metrics(&self, method: &str, path: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        for address in self.metrics_addresses() {
            let prometheus = self.anonymous().asking(address);
            replies.push(prometheus.send(method, path, None).await);
        }
        replies
    }

    /// Returns the value of a metric, summed over the nodes; `None` if no node has it. `name`: name and
    /// labels as they are written.
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

    /// Counts a user's subscribers: sockets, event streams and long polls.
    pub fn listeners_of(&self, user: &User) -> usize {
        let user = UserId(user.id);
        self.nodes.iter().map(|node| node.state.hub.sockets_of(user).len()).sum()
    }

    /// Returns whether a node's bus is degraded.
    pub fn is_degraded(&self, node: usize) -> bool {
        self.nodes[node].state.bus.is_degraded()
    }

    /// Counts the open sockets of all nodes.
    pub fn sockets(&self) -> usize {
        self.nodes.iter().map(|node| node.state.hub.count()).sum()
    }

    pub fn database_url(&self) -> String {
        self.database_url.clone()
    }

    /// Creates a user, who authenticates with a token.
    pub async fn user(&self, name: &str) -> User {
        self.person(name, false).await
    }

    /// Creates several users in order: `let [ann, bob] = server.users(["ann", "bob"]).await`.
    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.user(name).await);
        }
        people.try_into().unwrap_or_else(|_| unreachable!("as many people as names"))
    }

    /// Creates `count` users, named by number.
    pub async fn crowd(&self, count: usize) -> Vec<User> {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(self.user(&format!("user{number:03}")).await);
        }
        people
    }

    /// Creates a staff user, who may manage users.
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

    /// Returns a client without credentials.
    pub fn anonymous(&self) -> User {
        let client = Client::builder().timeout(DEADLINE).disable_redirects().finish();
        let turn = self.clients.fetch_add(1, Ordering::Relaxed);
        let address = self.nodes[turn % self.nodes.len()].address;
        User { id: 0, name: "nobody".to_owned(), address, headers: Vec::new(), client, is_elsewhere: false }
    }

    /// Signs a user in with the password; the user then authenticates with the session cookie.
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

/// Returns the default settings with a free port, independent of the environment.
pub fn config(database_url: &str) -> Config {
    let command = Config::augment_args(Command::new("serve")).mut_args(|arg| arg.env(None));
    let args = ["serve", "--bind", "127.0.0.1:0", "--workers", "1", "--database-url", database_url];
    Config::from_arg_matches(&command.get_matches_from(args)).unwrap()
}

/// A user, or a client without credentials, that sends requests to one node.
#[derive(Clone)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub address: SocketAddr,
    pub headers: Vec<(String, String)>,
    client: Client,
    /// Requests go to another address than the API's: the API description is not checked.
    is_elsewhere: bool,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// `Null` if the body is not JSON.
    pub json: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the session cookie as a browser would send it back.
    pub fn cookie(&self) -> String {
        let cookie = self.header("set-cookie");
        assert!(cookie.starts_with("sessionid="), "{self:?}");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub fn id(&self) -> i64 {
        self.json["id"].as_i64().unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    /// Asserts the status and returns the reply.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    pub fn results(&self) -> &Vec<Value> {
        self.json["results"].as_array().unwrap_or_else(|| panic!("no results in {self:?}"))
    }

    /// Returns the ids of a page's results.
    pub fn ids(&self) -> Vec<i64> {
        self.results().iter().map(|result| result["id"].as_i64().unwrap()).collect()
    }

    /// Returns the errors of a field in a 400: a list of sentences.
    #[track_caller]
    pub fn invalid(&self, field: &str) -> Value {
        assert_eq!(self.status, 400, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.json["error"], "Invalid request");
        self.json["details"][field].clone()
    }
}

impl User {
    /// Returns the same user as a client of another server.
    pub fn at(&self, server: &Server) -> Self {
        Self { address: server.address, ..self.clone() }
    }

    /// Returns the same user as a client of another listener, such as the metrics'.
    pub fn asking(&self, address: SocketAddr) -> Self {
        Self { address, is_elsewhere: true, ..self.clone() }
    }

    /// Returns the same user with a header added or replaced.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a JSON request to any path of the server.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let bytes = body.map(|body| serde_json::to_vec(&body).unwrap());
        let kind = bytes.as_ref().map(|_| "application/json");
        self.send_raw(method, path, kind, bytes.unwrap_or_default()).await
    }

    /// Sends a request with any bytes and content type.
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

    /// Sends a request and resets the connection after `turns` yields to the runtime, without reading the
    /// response.
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

    /// Opens the direct message chat with another user.
    pub async fn dm(&self, other: &User) -> i64 {
        self.post("chats/", json!({"chat_type": "dm", "member_ids": [other.id]})).await.id()
    }

    /// Creates a group with other users.
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

    /// Returns the chat as this user sees it.
    pub async fn sees(&self, chat: impl Display) -> Value {
        self.get(&format!("chats/{chat}/")).await.expect(200).json
    }

    /// Returns the texts of the newest messages, oldest first.
    pub async fn reads(&self, chat: impl Display) -> Vec<String> {
        let page = self.get(&format!("chats/{chat}/messages/?page_size=100")).await.expect(200);
        let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
        page.results().iter().rev().map(text).collect()
    }

    pub async fn marks_as_read(&self, chat: impl Display) -> i64 {
        let reply = self.post(&format!("chats/{chat}/mark-as-read/"), json!({})).await.expect(200);
        reply.json["marked_count"].as_i64().unwrap()
    }

    /// Marks messages as read up to and including `message`. Returns how many were marked.
    pub async fn marks_as_read_to(&self, chat: impl Display, message: &Value) -> i64 {
        let body = json!({"message_id": message["id"]});
        let reply = self.post(&format!("chats/{chat}/mark-as-read/"), body).await.expect(200);
        reply.json["marked_count"].as_i64().unwrap()
    }

    /// Adds users to a group. Returns how many of them were new.
    pub async fn adds(&self, chat: impl Display, others: &[&User]) -> i64 {
        let ids: Vec<i64> = others.iter().map(|user| user.id).collect();
        let reply = self.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": ids})).await;
        reply.expect(200).json["added_count"].as_i64().unwrap()
    }

    /// Removes a user from a group; a user may remove itself.
    pub async fn removes(&self, chat: impl Display, other: &User) {
        self.delete(&format!("chats/{chat}/members/{}/remove/", other.id)).await.expect(204);
    }

    /// Creates a public room.
    pub async fn room(&self, title: &str) -> i64 {
        let body = json!({"chat_type": "room", "title": title});
        self.post("chats/", body).await.expect(201).id()
    }

    /// Joins a public room and returns it.
    pub async fn joins(&self, room: i64) -> Value {
        self.post(&format!("chats/{room}/join/"), json!({})).await.expect(200).json
    }

    /// Opens a socket with `?resume=1`, sends the known heads, and receives the missed events up to the
    /// `ack`.
    pub async fn resumes(&self, known: Value) -> (Listener, Vec<Value>, Value) {
        let mut listener = self.connects_with("?resume=1").await.unwrap();
        listener.hello = listener.receives("hello").await;
        let (missed, ack) = listener.catches_up(known).await;
        (listener, missed, ack)
    }

    /// Opens a socket and receives its `hello`.
    pub async fn listens(&self) -> Listener {
        let mut listener = self.connects().await.expect("the socket opens");
        listener.hello = listener.receives("hello").await;
        listener
    }

    /// Opens a socket. Returns the status if the handshake is rejected.
    pub async fn connects(&self) -> Result<Listener, StatusCode> {
        self.connects_with("").await
    }

    /// Opens a socket with a query. Returns the status if the handshake is rejected.
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

/// Percent-encodes every byte of a text.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An open socket.
pub struct Listener {
    socket: actix_codec::Framed<BoxedSocket, Codec>,
    pub hello: Value,
    early: VecDeque<Value>,
}

impl Listener {
    /// Returns the next event of any type except `presence`.
    pub async fn next(&mut self) -> Value {
        match self.next_or_close().await {
            Ok(event) => event,
            Err(code) => panic!("closed with {code}"),
        }
    }

    /// Returns the next event, or the server's close code. Skips `presence`: it depends on which users happen
    /// to be connected.
    pub async fn next_or_close(&mut self) -> Result<Value, u16> {
        loop {
            match self.next_of_all().await {
                Ok(event) if event["type"] == "presence" => {}
                next => return next,
            }
        }
    }

    /// Returns the next `presence` event of a user.
    pub async fn receives_presence_of(&mut self, user: &User) -> Value {
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

    /// Returns the next event, which must have this type.
    pub async fn receives(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Sends a `resume` with the known head of each chat, and receives the missed events up to the `ack`.
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

    /// Skips remaining events and returns the server's close code.
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
