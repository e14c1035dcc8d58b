//! Pending steps of a large change survive the kill of a process: the next server continues them.

use std::time::Instant;

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_query, sql_types::BigInt,
};
use serde_json::{Value, json};

use crate::{
    program::{Program, greenroom},
    support::{DEADLINE, database::Cluster},
};

const REACTIONS: i64 = 60_000;
const MEMBERS: i64 = 20_000;

/// Attempts to kill a server before it has finished.
const TRIES: usize = 10;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Direct access to a server's database.
struct Beside<'a>(&'a str);

impl Beside<'_> {
    fn runs(&self, sql: &str) {
        match self.0.strip_prefix("sqlite://") {
            Some(path) => {
                let mut conn = SqliteConnection::establish(path).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 20000").unwrap();
                conn.batch_execute(sql).unwrap();
            }
            None => PgConnection::establish(self.0).unwrap().batch_execute(sql).unwrap(),
        }
    }

    fn count(&self, from: &str) -> i64 {
        let query = sql_query(format!("SELECT count(*) AS count FROM {from}"));
        let found = match self.0.strip_prefix("sqlite://") {
            Some(path) => query.get_result::<Count>(&mut SqliteConnection::establish(path).unwrap()),
            None => query.get_result::<Count>(&mut PgConnection::establish(self.0).unwrap()),
        };
        found.unwrap().count
    }

    /// Counts the rows still to be deleted.
    fn left(&self) -> i64 {
        self.count("reactions") + self.count("members WHERE user_id < 0")
    }
}

fn numbers(up_to: i64) -> String {
    format!("WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {up_to})")
}

fn check(database: &str) {
    let report = greenroom(database, &["check"]);
    assert!(report.ends_with(" 0 differences found\n"), "{report}");
}

/// Kills a server that has just deleted a message with many reactions and a chat with many members. Asserts
/// that the next server deletes the remaining rows.
async fn is_gone_on_with(database: &str) {
    greenroom(database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(database, &["token", "create", "ann"]).trim().to_owned();
    let beside = Beside(database);
    let mut left = 0;
    for _ in 0..TRIES {
        let server = Program::serve(database);
        let asks = async |method: &str, path: &str, body: Option<Value>| {
            let (status, value) = server.request(method, path, &token, body).await.unwrap();
            assert!((200..300).contains(&status), "{method} {path}: {status} {value}");
            value["id"].as_i64().unwrap_or(0)
        };
        let group = || Some(json!({"chat_type": "group", "title": "Team"}));
        let (chat, large) = (asks("POST", "chats/", group()).await, asks("POST", "chats/", group()).await);
        let text = Some(json!({"content": "popular"}));
        let message = asks("POST", &format!("chats/{chat}/messages/"), text).await;
        let shown = json!([{"emoji": "👍", "count": REACTIONS, "users": [900_001]}]);
        beside.runs(&format!(
            "INSERT INTO reactions (chat_id, message_id, emoji, user_id, seq) {} \
             SELECT {chat}, {message}, '👍', 900000 + x, 1 FROM n; \
             UPDATE messages SET reactions = '{shown}' WHERE id = {message}; \
             INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, from_pos) \
             {} SELECT {large}, -x, 'member', 1, 1, 1, 1, 0, 0 FROM n; \
             UPDATE chats SET member_count = member_count + {MEMBERS} WHERE id = {large}",
            numbers(REACTIONS),
            numbers(MEMBERS)
        ));
        asks("DELETE", &format!("messages/{message}/"), None).await;
        asks("DELETE", &format!("chats/{large}/"), None).await;
        server.signal("KILL");
        drop(server);
        check(database);
        left = beside.left();
        if left > 0 {
            break;
        }
    }
    assert!(left > 0, "a server is killed before it is through");
    let server = Program::serve(database);
    let (status, shown) = server.request("GET", "chats/", &token, None).await.unwrap();
    assert_eq!(status, 200);
    let kept = beside.count("chats WHERE deleted_at IS NULL");
    assert_eq!(shown["count"], kept, "what is deleted is not seen again");
    let deadline = Instant::now() + DEADLINE;
    while beside.left() + beside.count("reactions_left") + beside.count("chats WHERE deleted_at IS NOT NULL")
        > 0
    {
        assert!(Instant::now() < deadline, "{} rows are left", beside.left());
        crate::support::pause_thread();
    }
    drop(server);
    check(database);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_left_of_a_change_is_gone_on_with_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    is_gone_on_with(&format!("sqlite://{}", folder.path().join("test.db").display())).await;
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn what_is_left_of_a_change_is_gone_on_with_after_kill_9_on_postgres() {
    let cluster = Cluster::start_durable();
    cluster.execute("CREATE DATABASE chat").unwrap();
    is_gone_on_with(&cluster.url("chat")).await;
}
