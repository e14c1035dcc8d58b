//! The server of a test.

use std::{
    net::SocketAddr,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use actix_web::web::Data;
use awc::Client;
use clap::{Args, Command, FromArgMatches};
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
        DatabaseUrl, ReadPool, StoragePolicy, WriterHandle,
        maintenance::check,
        tables::{
            tokens,
            users::{self, NewUser},
        },
    },
};
use serde_json::json;

use super::{
    DEADLINE, PASSWORD, Reply, User,
    database::Database,
    node::{Node, nodes},
    redis,
};

static HASH: LazyLock<String> = LazyLock::new(|| passwords::hash(PASSWORD));

/// A running server: one node, or, with `GREENROOM_TEST_NODES=2`, two nodes with one database and one Redis.
/// New users are assigned to the nodes in turn.
pub(crate) struct Server {
    /// Address of the first node.
    pub address: SocketAddr,
    state: Data<AppState>,
    nodes: Vec<Node>,
    clients: AtomicUsize,
    database_url: String,
    database: Option<Database>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server with changed settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Database::new(), change).await
    }

    /// Starts a server on this database, which may be that of an earlier server.
    pub(crate) async fn start_on(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let mut server = Self::start_at(database.url(), change).await;
        server.keep(database);
        server
    }

    /// Gives the server its database, which is removed with it.
    pub(crate) fn keep(&mut self, database: Database) {
        self.database = Some(database);
    }

    /// Starts another server on the same database. The first server keeps the database.
    pub(crate) async fn beside(&self) -> Self {
        Self::start_at(self.database_url(), |_| {}).await
    }

    /// Starts a server on the database at this URL.
    pub(crate) async fn start_at(database_url: String, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&database_url);
        change(&mut config);
        if nodes() > 1 {
            config.redis_url = Some(RedisUrl::parse(&redis::SHARED.url()).unwrap());
        }
        Self::start_nodes(database_url, vec![config; nodes()]).await
    }

    /// Starts nodes on one database, each with its own settings.
    pub(crate) async fn start_nodes(database_url: String, configs: Vec<Config>) -> Self {
        let mut nodes = Vec::new();
        for config in configs {
            nodes.push(Node::start(config).await);
        }
        for node in &nodes {
            // Events that occur before a node has subscribed to the others would arrive late.
            while node.state.bus.is_degraded() {
                super::pause().await;
            }
        }
        let (address, state) = (nodes[0].address, nodes[0].state.clone());
        Self { address, state, nodes, clients: AtomicUsize::new(0), database_url, database: None }
    }

    /// Shuts the server down and returns its database.
    pub(crate) fn stop(mut self) -> Database {
        self.end();
        let database = self.database.take().expect("it has its database until it ends");
        drop(self);
        // Without a process to end, the server's last query may still be running.
        let url = DatabaseUrl::parse(&database.url()).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while url.is_used() {
            assert!(Instant::now() < deadline, "the server lets go of its database");
            super::pause_thread();
        }
        database
    }

    fn end(&mut self) {
        self.nodes.iter_mut().for_each(Node::end);
    }

    /// Starts a server with a metrics listener.
    pub(crate) async fn watched() -> Self {
        Self::start_with(|config| config.metrics_bind = Some(([127, 0, 0, 1], 0).into())).await
    }

    /// Returns the address of each node's metrics listener.
    pub(crate) fn metrics_addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.metrics.expect("the node is watched")).collect()
    }

    /// Sends a request to the metrics listener of every node.
    pub(crate) async fn asks_for_metrics(&self, method: &str, path: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        for address in self.metrics_addresses() {
            let prometheus = self.anonymous().asking(address);
            replies.push(prometheus.send(method, path, None).await);
        }
        replies
    }

    /// Returns the value of a metric, summed over the nodes; `None` if no node has it. `name`: name and
    /// labels as they are written.
    pub(crate) async fn series(&self, name: &str) -> Option<f64> {
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Counts a user's subscribers: sockets, event streams and long polls.
    pub(crate) fn listeners_of(&self, user: &User) -> usize {
        let user = UserId(user.id);
        self.nodes.iter().map(|node| node.state.hub.sockets_of(user).len()).sum()
    }

    /// Returns whether a node's bus is degraded.
    pub(crate) fn is_degraded(&self, node: usize) -> bool {
        self.nodes[node].state.bus.is_degraded()
    }

    /// Counts the open sockets of all nodes.
    pub(crate) fn sockets(&self) -> usize {
        self.nodes.iter().map(|node| node.state.hub.count()).sum()
    }

    pub(crate) fn database_url(&self) -> String {
        self.database_url.clone()
    }

    /// Creates a user, who authenticates with a token.
    pub(crate) async fn user(&self, name: &str) -> User {
        self.person(name, false).await
    }

    /// Creates several users in order: `let [ann, bob] = server.users(["ann", "bob"]).await`.
    pub(crate) async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.user(name).await);
        }
        people.try_into().unwrap_or_else(|_| unreachable!("as many people as names"))
    }

    /// Creates `count` users, named by number.
    pub(crate) async fn crowd(&self, count: usize) -> Vec<User> {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(self.user(&format!("user{number:03}")).await);
        }
        people
    }

    /// Creates a staff user, who may manage users.
    pub(crate) async fn staff(&self, name: &str) -> User {
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
    pub(crate) fn anonymous(&self) -> User {
        let client = Client::builder().timeout(DEADLINE).disable_redirects().finish();
        let turn = self.clients.fetch_add(1, Ordering::Relaxed);
        let address = self.nodes[turn % self.nodes.len()].address;
        User { id: 0, name: "nobody".to_owned(), address, headers: Vec::new(), client, is_elsewhere: false }
    }

    /// Signs a user in with the password; the user then authenticates with the session cookie.
    pub(crate) async fn signed_in(&self, name: &str) -> User {
        let nobody = self.anonymous();
        let reply =
            nobody.send("POST", "/login/", Some(json!({"username": name, "password": PASSWORD}))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = reply.json["id"].as_i64().unwrap();
        User { id, name: name.to_owned(), ..nobody }.with("Cookie", &reply.cookie())
    }
}

/// Access to the server's inside, for what no client can see or do.
impl Server {
    /// Returns the first node's read pool.
    pub(crate) fn readers(&self) -> &ReadPool {
        &self.state.readers
    }

    /// Returns the first node's writer.
    pub(crate) fn writer(&self) -> &WriterHandle {
        &self.state.writer
    }

    /// Returns the first node's storage policy.
    pub(crate) fn policy(&self) -> &StoragePolicy {
        &self.state.policy
    }

    /// Checks the database's derived data, as `greenroom check` does.
    pub(crate) async fn checks_database(&self) -> check::Report {
        self.state.readers.query(check::check).await.unwrap()
    }

    /// Counts the running chat actors of the first node.
    pub(crate) fn active_chats(&self) -> usize {
        self.state.directory.active()
    }

    /// Counts the commands in flight on the first node.
    pub(crate) fn commands_under_way(&self) -> usize {
        self.state.directory.under_way()
    }

    /// Starts the purge of deleted chats.
    pub(crate) fn purges(&self) {
        self.state.purge.notify_one();
    }

    /// Verifies a password that no user has, which takes a place in the hashing queue.
    pub(crate) async fn hashes(&self) {
        self.state.passwords.verify("another".to_owned(), None).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns the default settings with a free port, independent of the environment.
pub(crate) fn config(database_url: &str) -> Config {
    let command = Config::augment_args(Command::new("serve")).mut_args(|arg| arg.env(None));
    let args = ["serve", "--bind", "127.0.0.1:0", "--workers", "1", "--database-url", database_url];
    Config::from_arg_matches(&command.get_matches_from(args)).unwrap()
}
