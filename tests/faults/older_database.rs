//! A database of an older version, with data in it, that this one migrates.

use std::collections::BTreeMap;

use diesel::{Connection, PgConnection, SqliteConnection, migration::MigrationVersion};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use serde_json::json;

use crate::support::{Server, User, database::Database};

/// The migration that brought threads.
const THREADS: &str = "20261130000032";

/// Reverts the migrations from one on, the latest first.
fn revert<DB, C>(mut conn: C, folder: &str)
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
{
    let migrations = FileBasedMigrations::from_path(folder).unwrap();
    while conn.applied_migrations().unwrap()[0] >= MigrationVersion::from(THREADS) {
        conn.revert_last_migration(migrations.clone()).unwrap();
    }
}

/// Returns what a user sees of each chat: title, count and unread count; and the messages.
async fn seen(user: &User) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for chat in user.get("chats/?page_size=100").await.expect(200).results() {
        let messages = user.get(&format!("chats/{}/messages/?page_size=100", chat["id"])).await.expect(200);
        let contents: Vec<_> = messages
            .results()
            .iter()
            .map(|message| {
                (&message["content"], &message["reactions"], &message["is_deleted"], &message["reply_to"])
            })
            .map(|message| json!(message))
            .collect();
        let state = json!([chat["unread_count"], chat["last_read_message_id"], chat["seq"], contents]);
        seen.insert(chat["title"].to_string(), state.to_string());
    }
    seen
}

/// Fills a database, takes it back to the older schema, and migrates it again.
async fn is_migrated(database: Database, revert: impl FnOnce(&str)) {
    let server = Server::start_on(database, |_| {}).await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let team = ann.group("Team", &[&bob, &eve]).await;
    let dm = ann.dm(&bob).await;
    let room = eve.room("Room").await;
    bob.joins(room).await;
    let mut first = None;
    for number in 0..300 {
        let sender = [&ann, &bob, &eve][number % 3];
        let message = sender.posts(team, &format!("text {number}")).await;
        match number % 20 {
            3 => sender.deletes(&message).await,
            4 => drop(sender.edits(&message, "edited").await),
            6 => {
                let path = format!("messages/{}/reactions/", message["id"]);
                bob.post(&path, json!({"emoji": "👍"})).await.expect(200);
            }
            7 => {
                let quote = json!({"content": "a quote", "reply_to": message["id"]});
                eve.post(&format!("chats/{team}/messages/"), quote).await.expect(201);
            }
            8 => drop(ann.put(&format!("chats/{team}/pins/{}/", message["id"]), json!({})).await.expect(200)),
            10 => drop(bob.marks_as_read(team).await),
            _ => {}
        }
        first.get_or_insert(message);
    }
    eve.marks_as_read(team).await;
    ann.posts(team, "after the marker").await;
    bob.posts(dm, "hello").await;
    eve.posts(room, "in the room").await;
    eve.removes(team, &eve).await;
    ann.adds(team, &[&eve]).await;
    ann.post(&format!("users/{}/block/", eve.id), json!({})).await.expect(200);
    let mut before = Vec::new();
    for user in [&ann, &bob, &eve] {
        before.push(seen(user).await);
    }
    let database = server.stop();
    revert(&database.url());

    let server = Server::start_on(database, |_| {}).await;
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
    let [ann, bob, eve] = [&ann, &bob, &eve].map(|user| user.at(&server));
    for (user, before) in [&ann, &bob, &eve].into_iter().zip(&before) {
        assert_eq!(&seen(user).await, before, "{}", user.name);
    }
    // An old message begins a thread, and its author follows it.
    let root = first.unwrap()["id"].clone();
    let reply = json!({"content": "@ann hello", "thread": root, "mentions": {"users": [{"id": ann.id}]}});
    bob.post(&format!("chats/{team}/messages/"), reply).await.expect(201);
    let unread = ann.get("unread/").await.expect(200).json;
    assert_eq!(unread["threads"][root.to_string()], json!({"chat": team, "unread": 1, "mentions": 1}));
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn an_older_database_is_migrated_with_its_data() {
    is_migrated(Database::sqlite(), |url| {
        let conn = SqliteConnection::establish(url.strip_prefix("sqlite://").unwrap()).unwrap();
        revert(conn, concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"));
    })
    .await;
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn an_older_database_is_migrated_with_its_data_on_postgres() {
    is_migrated(Database::postgres(), |url| {
        let conn = PgConnection::establish(url).unwrap();
        revert(conn, concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres"));
    })
    .await;
}
