//! A PostgreSQL server that stops and restarts, and several of our servers on it.

mod costs;
mod hangs;
mod locks;
mod races;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use diesel::{Connection, PgConnection, connection::SimpleConnection, migration::MigrationVersion};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    killed::survives_kill_9,
    program::{Program, greenroom},
    support::{Server, database::Cluster},
};

const WRITERS: usize = 8;
const CYCLES: usize = 6;

/// Message ids by client id.
type Acknowledged = Arc<Mutex<BTreeMap<String, i64>>>;

/// Starts a cluster for one test. Returns it with the URL of a database and a user's token.
fn cluster() -> (Cluster, String, String) {
    let cluster = Cluster::start_durable();
    cluster.execute("CREATE DATABASE chat").unwrap();
    let database = cluster.url("chat");
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    (cluster, database, token)
}

async fn make_chat(server: &Program, token: &str) {
    let body = json!({"chat_type": "group", "title": "Team"});
    assert_eq!(server.request("POST", "chats/", token, Some(body)).await.unwrap().0, 201);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn what_was_acknowledged_survives_restarts_of_the_database() {
    let (mut cluster, database, token) = cluster();
    let server = Program::serve(&database);
    make_chat(&server, &token).await;
    let acknowledged = Acknowledged::default();
    for cycle in 0..CYCLES {
        let stop = AtomicBool::new(false);
        let enough = acknowledged.lock().unwrap().len() + 100;
        let writers =
            (0..WRITERS).map(|writer| write(&server, &token, (cycle, writer), &stop, &acknowledged));
        let restart = async {
            reached(&acknowledged, enough).await;
            let mode = if cycle % 2 == 0 { "immediate" } else { "fast" };
            let restarting = std::thread::spawn(move || {
                cluster.command(&format!("restart {mode}"));
                cluster
            });
            while !restarting.is_finished() {
                crate::support::pause().await;
            }
            let cluster = restarting.join().unwrap();
            // The server recovers without help, and each writer's pending post succeeds.
            let again = acknowledged.lock().unwrap().len() + 100;
            reached(&acknowledged, again).await;
            stop.store(true, Ordering::Relaxed);
            cluster
        };
        (_, cluster) = join(join_all(writers), restart).await;
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    compare(&server, &token, &acknowledged).await;
    drop(server);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

async fn reached(acknowledged: &Acknowledged, count: usize) {
    while acknowledged.lock().unwrap().len() < count {
        crate::support::pause().await;
    }
}

/// Posts messages sequentially, and retries each until it is acknowledged.
async fn write(
    server: &Program,
    token: &str,
    (cycle, writer): (usize, usize),
    stop: &AtomicBool,
    acknowledged: &Acknowledged,
) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{cycle}-{writer}-{number}");
        let body = json!({"content": key, "client_id": key});
        let id = loop {
            let reply = server.request("POST", "chats/1/messages/", token, Some(body.clone())).await;
            match reply.expect("there is an answer to everything") {
                (200 | 201, message) => break message["id"].as_i64().unwrap(),
                // Refused posts are retried at once, so they may reach the limit of a user's posts.
                (429, _) => {}
                (status, answer) => {
                    assert_eq!((status, &answer), (503, &json!({"error": "Service unavailable"})));
                }
            }
        };
        acknowledged.lock().unwrap().insert(key, id);
        number += 1;
    }
}

/// Asserts that exactly the acknowledged messages are stored, each once.
async fn compare(server: &Program, token: &str, acknowledged: &BTreeMap<String, i64>) {
    let mut found = BTreeMap::new();
    let mut before = i64::MAX;
    loop {
        let path = format!("chats/1/messages/?page_size=100&before={before}");
        let (status, page) = server.request("GET", &path, token, None).await.unwrap();
        if status == 503 {
            // A connection that the restart broke is detected on its next use.
            continue;
        }
        let results = page["results"].as_array().unwrap();
        for message in results {
            let key = message["client_id"].as_str().unwrap().to_owned();
            let id = message["id"].as_i64().unwrap();
            assert!(found.insert(key.clone(), id).is_none(), "{key} is there twice");
        }
        let Some(oldest) = results.last() else { break };
        before = oldest["id"].as_i64().unwrap();
    }
    println!("{} messages acknowledged, {} stored", acknowledged.len(), found.len());
    assert!(found == *acknowledged, "stored and acknowledged are the same");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn what_was_acknowledged_survives_kill_9_on_postgres() {
    let cluster = Cluster::start_durable();
    cluster.execute("CREATE DATABASE chat").unwrap();
    survives_kill_9(&cluster.url("chat"), 10).await;
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn while_the_database_is_away_everything_is_refused_and_then_served_again() {
    let (mut cluster, database, token) = cluster();
    let server = Program::serve(&database);
    make_chat(&server, &token).await;
    let post = || server.request("POST", "chats/1/messages/", &token, Some(json!({"content": "hi"})));
    let read = || server.request("GET", "chats/1/messages/", &token, None);
    for round in 1..=2 {
        assert_eq!(post().await.unwrap().0, 201);
        cluster.command("stop fast");
        let away = (503, json!({"error": "Service unavailable"}));
        assert_eq!(post().await.unwrap(), away);
        assert_eq!(read().await.unwrap(), away);
        assert_eq!(server.request_at("GET", "/readyz", &token, None).await.unwrap().0, 503);
        assert_eq!(server.request_at("GET", "/healthz", &token, None).await.unwrap().0, 200);
        cluster.command("start");
        assert_eq!(post().await.unwrap().0, 201);
        let page: Value = loop {
            // The pool reopens its connections with a delay.
            match read().await.unwrap() {
                (200, page) => break page,
                answer => assert_eq!(answer, away),
            }
        };
        assert_eq!(page["count"], 2 * round);
        assert_eq!(server.request_at("GET", "/readyz", &token, None).await.unwrap().0, 200);
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn processes_write_to_one_chat_in_turn() {
    let (_cluster, database, token) = cluster();
    let servers = [Program::serve(&database), Program::serve(&database)];
    make_chat(&servers[0], &token).await;
    let first = json!({"content": "first"});
    assert_eq!(servers[0].request("POST", "chats/1/messages/", &token, Some(first)).await.unwrap().0, 201);
    // Posts and edits both increment the chat's number.
    let changes = (0..400).map(|number| {
        let body = json!({"content": number.to_string()});
        let (method, path) = [("POST", "chats/1/messages/"), ("PATCH", "messages/1/")][number % 2];
        servers[number % 2].request(method, path, &token, Some(body))
    });
    for (number, reply) in join_all(changes).await.into_iter().enumerate() {
        let (status, message) = reply.unwrap();
        assert_eq!(status, [201, 200][number % 2], "{message}");
    }
    let (_, page) = servers[0].request("GET", "chats/1/messages/?page_size=100", &token, None).await.unwrap();
    assert_eq!(page["count"], 201);
    drop(servers);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_paused_process_keeps_nobody_from_writing() {
    let (_cluster, database, token) = cluster();
    let [paused, other] = [Program::serve(&database), Program::serve(&database)];
    make_chat(&paused, &token).await;
    let stop = AtomicBool::new(false);
    let acknowledged = Acknowledged::default();
    let writers = (0..WRITERS).map(|writer| write(&paused, &token, (0, writer), &stop, &acknowledged));
    let pause = async {
        reached(&acknowledged, 100).await;
        paused.signal("STOP");
        let body = json!({"content": "hi", "client_id": "other"});
        let id = loop {
            // PostgreSQL ends the other transaction after a while.
            let reply = other.request("POST", "chats/1/messages/", &token, Some(body.clone())).await.unwrap();
            match reply {
                (201, message) => break message["id"].as_i64().unwrap(),
                answer => assert_eq!(answer, (503, json!({"error": "Service unavailable"}))),
            }
        };
        acknowledged.lock().unwrap().insert("other".to_owned(), id);
        paused.signal("CONT");
        reached(&acknowledged, 200).await;
        stop.store(true, Ordering::Relaxed);
    };
    join(join_all(writers), pause).await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    compare(&other, &token, &acknowledged).await;
    drop([paused, other]);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn servers_may_be_started_at_once_on_an_empty_database() {
    let cluster = Cluster::start();
    cluster.execute("CREATE DATABASE chat").unwrap();
    let database = cluster.url("chat");
    std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| greenroom(&database, &["migrate"]))).collect();
        for started in starting {
            started.join().unwrap();
        }
    });
    greenroom(&database, &["demo"]);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn every_migration_can_be_undone_and_done_again_on_postgres() {
    let cluster = Cluster::start();
    cluster.execute("CREATE DATABASE chat").unwrap();
    let mut conn = PgConnection::establish(&cluster.url("chat")).unwrap();
    let migrations =
        FileBasedMigrations::from_path(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap();
    let first = conn.run_pending_migrations(migrations.clone()).unwrap().len();
    assert_eq!(conn.revert_all_migrations(migrations.clone()).unwrap().len(), first);
    assert_eq!(conn.run_pending_migrations(migrations).unwrap().len(), first);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn sent_messages_of_an_older_database_are_counted_on_postgres() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    for messages in [14, 15, 16, 31] {
        let chat = ann.group("Team", &[&bob]).await;
        for number in 0..messages {
            [&ann, &bob][number % 2].posts(chat, "x").await;
        }
    }
    let mut conn = PgConnection::establish(&server.database_url()).unwrap();
    let migrations =
        FileBasedMigrations::from_path(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap();
    let sent_counts = MigrationVersion::from("20261129000022");
    while conn.applied_migrations().unwrap()[0] >= sent_counts {
        conn.revert_last_migration(migrations.clone()).unwrap();
    }
    conn.run_pending_migrations(migrations).unwrap();
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

/// Time limits of a role. They do not expire in this test. Instead the database rejects changes under them.
const ROLE_LIMITS: [(&str, &str); 4] = [
    ("statement_timeout", "41min"),
    ("lock_timeout", "42min"),
    ("idle_in_transaction_session_timeout", "43min"),
    ("idle_session_timeout", "44min"),
];

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn commands_are_not_cut_by_the_time_limits_of_a_role_on_postgres() {
    let cluster = Cluster::start();
    cluster.execute("CREATE DATABASE chat").unwrap();
    let database = cluster.url("chat");
    // It has no limits, since it is opened before they are set.
    let mut conn = PgConnection::establish(&database).unwrap();
    let is_limited =
        ROLE_LIMITS.map(|(limit, time)| format!("current_setting('{limit}') = '{time}'")).join(" OR ");
    let reject = format!("IF {is_limited} THEN RAISE EXCEPTION 'under the limits of the role'; END IF;");
    conn.batch_execute(&format!(
        "CREATE SCHEMA limits;
         CREATE FUNCTION limits.of_schema() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {reject} END $$;
         CREATE FUNCTION limits.of_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {reject} RETURN NEW; END $$;
         CREATE EVENT TRIGGER limits ON ddl_command_end EXECUTE FUNCTION limits.of_schema()"
    ))
    .unwrap();
    for (limit, time) in ROLE_LIMITS {
        cluster.execute(&format!("ALTER ROLE postgres IN DATABASE chat SET {limit} = '{time}'")).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let source = format!("sqlite://{}", folder.path().join("source.db").display());
    greenroom(&source, &["demo"]);
    greenroom(&database, &["migrate"]);
    for table in ["users", "chats", "messages"] {
        conn.batch_execute(&format!(
            "CREATE TRIGGER limits BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION limits.of_rows()"
        ))
        .unwrap();
    }
    let limited = PgConnection::establish(&database).unwrap().batch_execute("UPDATE users SET id = id");
    assert!(limited.is_err_and(|error| error.to_string().contains("under the limits of the role")));
    greenroom(&database, &["import", &source]);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
    greenroom(&database, &["restore"]);
    greenroom(&database, &["user", "passwd", "bob", "--password", "correct horse"]);
}
