//! PostgreSQL behind PgBouncer: session pooling works, other modes are rejected with an error.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use serde_json::json;

use crate::{
    program::{Program, fails, greenroom},
    support::database::Cluster,
};

/// A PgBouncer in front of a cluster. It ends when its standard input is closed.
struct Pooler {
    server: String,
    keeper: Child,
    input: Option<ChildStdin>,
}

impl Pooler {
    fn start(cluster: &Cluster, mode: &str, size: usize) -> Self {
        let url = cluster.url("");
        let folder = url.trim_start_matches("postgres://postgres@").trim_end_matches('/').replace("%2F", "/");
        let mut keeper = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/pgbouncer.sh"));
        keeper.args([&folder, mode, &size.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        let mut server = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut server).unwrap();
        assert!(server.starts_with("postgres://"), "PgBouncer starts: {server:?}");
        let input = keeper.stdin.take();
        Self { server: server.trim().to_owned(), keeper, input }
    }

    fn url(&self) -> String {
        format!("{}/chat", self.server)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}

fn cluster() -> Cluster {
    let cluster = Cluster::start();
    cluster.execute("CREATE DATABASE chat").unwrap();
    cluster
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn count(cluster: &Cluster, query: &str) -> i64 {
    let mut conn = PgConnection::establish(&cluster.url("chat")).unwrap();
    sql_query(query).get_result::<Count>(&mut conn).unwrap().count
}

#[test]
#[ignore = "needs pgbouncer: make postgres"]
fn a_pgbouncer_that_keeps_no_sessions_is_refused_and_nothing_stays_locked() {
    let cluster = cluster();
    for mode in ["transaction", "statement"] {
        // A pool with one connection, and one with several.
        for size in [1, 20] {
            let pooler = Pooler::start(&cluster, mode, size);
            let commands: [&[&str]; 6] = [
                &["serve", "--bind", "127.0.0.1:0"],
                &["migrate"],
                &["check"],
                &["user", "list"],
                &["restore"],
                &["demo"],
            ];
            for command in commands {
                let sentence = fails(&pooler.url(), command, 1);
                assert!(sentence.contains("pool_mode = session"), "{mode} {command:?}: {sentence}");
            }
            let left = "SELECT count(*) AS count FROM pg_locks WHERE locktype = 'advisory'";
            assert_eq!(count(&cluster, left), 0);
            let tables =
                "SELECT count(*) AS count FROM information_schema.tables WHERE table_schema = 'public'";
            assert_eq!(count(&cluster, tables), 0, "nothing was made");
        }
    }
    greenroom(&cluster.url("chat"), &["migrate"]);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs pgbouncer: make postgres"]
async fn a_pgbouncer_that_keeps_sessions_is_served() {
    let cluster = cluster();
    let pooler = Pooler::start(&cluster, "session", 20);
    let database = pooler.url();
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let [one, other] = [Program::serve(&database), Program::serve(&database)];
    let group = json!({"chat_type": "group", "title": "Team"});
    assert_eq!(one.request("POST", "chats/", &token, Some(group)).await.unwrap().0, 201);
    for number in 0..50 {
        let server = [&one, &other][number % 2];
        let body = json!({"content": format!("hi {number}")});
        assert_eq!(server.request("POST", "chats/1/messages/", &token, Some(body)).await.unwrap().0, 201);
    }
    let seen = other.request("GET", "chats/1/messages/", &token, None).await.unwrap().1;
    assert_eq!(seen["count"], 50);
    drop([one, other]);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

#[test]
#[ignore = "needs pgbouncer: make postgres"]
fn a_pool_of_one_session_does_for_a_command() {
    let cluster = cluster();
    let pooler = Pooler::start(&cluster, "session", 1);
    greenroom(&pooler.url(), &["user", "create", "ann", "--password", "correct horse"]);
}
