//! Redis that rejects connections or commands, and how the log and metrics report it.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    time::Instant,
};

use awc::Client;
use tempfile::TempDir;

use crate::{
    program::{Program, command},
    support::{DEADLINE, database::Database, redis::Redis},
};

/// A node and its log.
struct Node {
    program: Program,
    metrics: String,
    folder: TempDir,
}

impl Node {
    fn start(database: &Database, redis: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut serve = command(&database.url());
        serve.args(["serve", "--bind", "127.0.0.1:0", "--log", "warn", "--metrics-bind", &metrics]);
        serve.args(["--redis-url", redis]).stderr(File::create(folder.path().join("log")).unwrap());
        Self { program: Program::start(serve), metrics, folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    async fn says(&self, words: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "{words}: {}", self.said());
            crate::support::pause().await;
        }
    }

    /// Returns whether its metrics report a connection to Redis.
    async fn is_connected(&self) -> bool {
        let client = Client::builder().timeout(DEADLINE).finish();
        let mut answer = client.get(format!("http://{}/metrics", self.metrics)).send().await.unwrap();
        let text = answer.body().limit(1 << 20).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.lines().any(|line| line == "greenroom_bus_connected 1")
    }

    async fn becomes_connected(&self, wanted: bool) {
        let deadline = Instant::now() + DEADLINE;
        while self.is_connected().await != wanted {
            assert!(Instant::now() < deadline, "{}", self.said());
        }
    }
}

/// The permissions that the Redis user needs, as the log names them.
const NEEDED: &str = "&greenroom:* +ssubscribe +sunsubscribe +spublish +ping";

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn what_redis_refuses_is_said_with_the_remedy_and_shown_in_the_metric() {
    let database = Database::postgres();
    let mut redis = Redis::start();
    let refusals = [
        ("&greenroom:* +sunsubscribe +spublish +ping", "'ssubscribe'"),
        ("&greenroom:* +ssubscribe +spublish +ping", "'sunsubscribe'"),
        ("&others:* +ssubscribe +sunsubscribe +spublish +ping", "channel"),
        ("&greenroom:* +ssubscribe +sunsubscribe +spublish", "'ping'"),
        ("&greenroom:* +ssubscribe +sunsubscribe +ping", "'spublish'"),
    ];
    let url = format!("{}?user=limited&pass=secret", redis.url());
    for (rules, refused) in refusals {
        redis.command(&format!("ACL SETUSER limited reset on >secret {rules}"));
        let node = Node::start(&database, &url);
        node.says(refused).await;
        let said = node.said();
        assert!(said.contains("NoPerm") && said.contains(&format!("ACL SETUSER NAME {NEEDED}")), "{said}");
        assert!(!said.contains("secret"), "{said}");
        assert!(!node.is_connected().await, "{rules}");
        redis.command(&format!("ACL SETUSER limited reset on >secret {NEEDED}"));
        node.becomes_connected(true).await;
        // The problem is logged once, not for every retry.
        assert_eq!(node.said().lines().count(), 1, "{}", node.said());
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn what_redis_refuses_later_is_seen_as_well() {
    let database = Database::postgres();
    let mut redis = Redis::start();
    let url = format!("{}?user=limited&pass=secret", redis.url());
    for (rule, refused) in [("-ping", "'ping'"), ("-spublish", "'spublish'"), ("-ssubscribe", "'ssubscribe'")]
    {
        redis.command(&format!("ACL SETUSER limited reset on >secret {NEEDED}"));
        let node = Node::start(&database, &url);
        node.becomes_connected(true).await;
        redis.command(&format!("ACL SETUSER limited {rule}"));
        if rule == "-ssubscribe" {
            // Existing subscriptions would continue, so restart Redis.
            redis.command("kill");
            redis.command("start");
            redis.command(&format!("ACL SETUSER limited reset on >secret {NEEDED} {rule}"));
        }
        node.says(refused).await;
        node.becomes_connected(false).await;
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL and Redis: make postgres"]
async fn a_node_that_ends_in_order_warns_of_nothing() {
    let database = Database::postgres();
    let redis = Redis::start();
    for _ in 0..10 {
        let mut node = Node::start(&database, &redis.url());
        node.becomes_connected(true).await;
        node.program.signal("TERM");
        assert_eq!(node.program.child.wait().unwrap().code(), Some(0));
        assert!(!node.said().contains("Redis unavailable"), "{}", node.said());
    }
}
