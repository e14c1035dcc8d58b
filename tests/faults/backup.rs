//! Backups made while a server writes, and restoring them.

use std::{
    collections::BTreeMap,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    program::{Program, command, fails, greenroom},
    support::{
        Server, User,
        database::{Cluster, Database},
    },
};

const WRITERS: usize = 8;
const CHATS: i64 = 3;

/// Client ids of acknowledged messages by message id.
type Acknowledged = Arc<Mutex<BTreeMap<i64, String>>>;

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// Creates the demo database in a temporary folder. Returns the folder, the file and alice's token.
fn demo() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    greenroom(&url(&file), &["demo"]);
    let token = greenroom(&url(&file), &["token", "create", "alice"]).trim().to_owned();
    (folder, file, token)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[actix_rt::test(system = "crate::System")]
async fn a_copy_made_under_load_has_everything_up_to_one_moment() {
    let (folder, file, token) = demo();
    let copy = folder.path().join("copy.db");
    let server = Program::serve(&url(&file));
    let acknowledged = Acknowledged::default();
    let stop = AtomicBool::new(false);
    let writers = (0..WRITERS).map(|writer| write(&server, &token, writer, &stop, &acknowledged));
    let copying = async {
        reached(&acknowledged, 300).await;
        let before = acknowledged.lock().unwrap().len();
        let (source, copy) = (url(&file), copy.display().to_string());
        let copying = std::thread::spawn(move || greenroom(&source, &["backup", &copy]));
        while !copying.is_finished() {
            crate::support::pause().await;
        }
        copying.join().unwrap();
        let enough = acknowledged.lock().unwrap().len() + 100;
        reached(&acknowledged, enough).await;
        stop.store(true, Ordering::Relaxed);
        before
    };
    let (before, _) = join(copying, join_all(writers)).await;
    drop(server);
    assert!(greenroom(&url(&copy), &["check"]).ends_with(" 0 differences found\n"));
    let found = stored(&url(&copy), &token).await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    // Ids are assigned in commit order.
    let last = *found.keys().last().unwrap();
    let expected: BTreeMap<i64, String> = acknowledged.into_iter().filter(|(id, _)| *id <= last).collect();
    assert!(found == expected, "{} found, {} expected", found.len(), expected.len());
    assert!(found.len() >= before, "{} found, {before} acknowledged before", found.len());
}

async fn reached(acknowledged: &Acknowledged, count: usize) {
    while acknowledged.lock().unwrap().len() < count {
        crate::support::pause().await;
    }
}

async fn write(server: &Program, token: &str, writer: usize, stop: &AtomicBool, acknowledged: &Acknowledged) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{writer}-{number}");
        let path = format!("chats/{}/messages/", number % CHATS + 1);
        let body = json!({"content": key, "client_id": key});
        let (status, message) = server.request("POST", &path, token, Some(body)).await.unwrap();
        assert_eq!(status, 201, "{message}");
        acknowledged.lock().unwrap().insert(message["id"].as_i64().unwrap(), key);
        number += 1;
    }
}

/// Returns the messages with a client id, as a server on this database shows them.
async fn stored(database: &str, token: &str) -> BTreeMap<i64, String> {
    let server = Program::serve(database);
    let mut found = BTreeMap::new();
    for chat in 1..=CHATS {
        let mut before = i64::MAX;
        loop {
            let path = format!("chats/{chat}/messages/?page_size=100&before={before}");
            let (_, page) = server.request("GET", &path, token, None).await.unwrap();
            let results = page["results"].as_array().unwrap();
            let Some(oldest) = results.last() else { break };
            before = oldest["id"].as_i64().unwrap();
            for message in results {
                if let Some(key) = message["client_id"].as_str() {
                    assert_eq!(message["content"], key);
                    found.insert(message["id"].as_i64().unwrap(), key.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn a_copy_is_its_owners_alone_and_replaces_nothing_unasked() {
    let (folder, file, _) = demo();
    let copy = folder.path().join("copy.db");
    let (database, name) = (url(&file), copy.to_str().unwrap());
    assert!(greenroom(&database, &["backup", name]).starts_with(name));
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fails(&database, &["backup", name], 1).contains("give --force"));
    greenroom(&database, &["user", "create", "dave", "--password", "correct horse"]);
    greenroom(&database, &["backup", name, "--force"]);
    assert!(greenroom(&url(&copy), &["user", "list"]).contains("dave"));
    assert!(
        fails(&database, &["backup", file.to_str().unwrap(), "--force"], 1).contains("the database itself")
    );
    let server = Program::serve(&url(&copy));
    assert!(fails(&database, &["backup", name, "--force"], 1).contains("copy.db-wal"));
    drop(server);
    let postgres = fails("postgres://nobody@nowhere/nothing", &["backup", "other.db"], 1);
    assert!(postgres.contains("pg_dump") && postgres.contains("docs/DEPLOY.md"), "{postgres}");
    let missing = url(&folder.path().join("missing.db"));
    assert!(fails(&missing, &["backup", "other.db"], 1).contains("no such file"));
}

#[test]
fn a_copy_that_is_interrupted_leaves_nothing() {
    let (folder, file, _) = demo();
    // Large enough that the backup lasts until a signal is sent.
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    conn.batch_execute(
        "CREATE TABLE ballast (id INTEGER PRIMARY KEY, weight BLOB NOT NULL); \
         INSERT INTO ballast (weight) WITH RECURSIVE count (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 200000) SELECT zeroblob(1000) FROM count",
    )
    .unwrap();
    drop(conn);
    for signal in ["INT", "TERM"] {
        let copy = folder.path().join("copy.db");
        let mut backup = command(&url(&file));
        backup.arg("backup").arg(&copy).stdout(Stdio::piped()).stderr(Stdio::piped());
        let backup = backup.spawn().unwrap();
        while !folder.path().join("copy.db.part").exists() {
            std::thread::yield_now();
        }
        crate::signal::send(backup.id(), signal);
        let output = backup.wait_with_output().unwrap();
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{sentence}");
        assert!(sentence.ends_with("copy.db was not written: interrupted\n"), "{sentence}");
        assert!(!names(folder.path()).iter().any(|name| name.starts_with("copy")));
    }
}

/// The state of a client that is ahead of the restored database.
struct Ahead {
    user: User,
    known: Value,
    cursor: String,
    chat: i64,
    lost_chat: i64,
    lost_message: i64,
}

/// Creates two users and a chat with messages.
async fn begin(server: &Server) -> (User, User, i64) {
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    for number in 0..5 {
        ann.posts(chat, &number.to_string()).await;
    }
    (ann, bob, chat)
}

/// Makes changes after the backup, which the restore will lose. Returns the state of a client that has seen
/// them.
async fn changes_after_backup(ann: &User, bob: &User, chat: i64) -> Ahead {
    let mut stream = bob.streams().await;
    let lost_chat = ann.group("Lost", &[bob]).await;
    stream.receives("chat_created").await;
    let mut lost_message = 0;
    for number in 0..5 {
        lost_message = ann.posts(chat, &format!("lost {number}")).await["id"].as_i64().unwrap();
        stream.receives("new_message").await;
    }
    let known = bob.get("sync/").await.expect(200).json["heads"].clone();
    Ahead { user: bob.clone(), known, cursor: stream.last_id.clone(), chat, lost_chat, lost_message }
}

impl Ahead {
    /// Resumes over every transport, and asserts that the client must reload the chat each time.
    async fn must_reload(&self, server: &Server) {
        let user = self.user.at(server);
        let head = user.sees(self.chat).await["seq"].clone();
        let resync = json!({"type": "resync", "chat_id": self.chat, "seq": head});
        let gone = json!({"type": "chat_deleted", "chat_id": self.lost_chat});
        let mut socket = user.connects_with("?resume=1").await.unwrap();
        socket.receives("hello").await;
        socket.says(&json!({"type": "resume", "chats": self.known}).to_string()).await;
        let reported = [socket.next().await, socket.next().await];
        assert!(reported.contains(&resync) && reported.contains(&gone), "{reported:?}");
        assert_eq!(socket.receives("ack").await["heads"][self.chat.to_string()], head);
        let synced = user.post("sync/", json!({"chats": self.known})).await.expect(200).json;
        let reported = synced["events"].as_array().unwrap();
        assert!(reported.contains(&resync) && reported.contains(&gone), "{reported:?}");
        assert_eq!(synced["removed"], json!([self.lost_chat]));
        let mut stream = user.streams_from("", &self.cursor).await.unwrap();
        let reported = [stream.next().await, stream.next().await];
        assert!(reported.contains(&resync) && reported.contains(&gone), "{reported:?}");
    }
}

/// Asserts that changes after a restore are never mistaken for lost ones, however many there are.
async fn no_change_is_mistaken_for_a_lost_one(server: &Server, ann: &User, ahead: &[Ahead]) {
    let ann = ann.at(server);
    let chat = ahead[0].chat;
    for ahead in ahead {
        ahead.must_reload(server).await;
    }
    // More changes than were lost.
    for number in 0..30 {
        let message = ann.posts(chat, &format!("new {number}")).await;
        assert!(ahead.iter().all(|ahead| message["id"].as_i64().unwrap() > ahead.lost_message));
    }
    let group = ann.group("New", &[]).await;
    assert!(ahead.iter().all(|ahead| group > ahead.lost_chat));
    for ahead in ahead {
        ahead.must_reload(server).await;
    }
    // A client that has loaded the current state resumes as usual.
    let heads = ann.get("sync/").await.expect(200).json["heads"].clone();
    let message = ann.posts(chat, "news").await;
    ann.posts(group, "news").await;
    let synced = ann.post("sync/", json!({"chats": heads})).await.expect(200).json;
    let reported = synced["events"].as_array().unwrap();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported.iter().any(|event| event["message"] == message));
    assert!(reported.iter().all(|event| event["type"] == "new_message"), "{reported:?}");
}

#[actix_rt::test(system = "crate::System")]
async fn clients_that_were_ahead_of_a_restored_copy_load_again() {
    let server = Server::start_on(Database::sqlite(), |_| {}).await;
    let (ann, bob, chat) = begin(&server).await;
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("copy.db").display().to_string();
    greenroom(&server.database_url(), &["backup", &copy]);
    let mut ahead = vec![changes_after_backup(&ann, &bob, chat).await];
    let mut database = server.stop();
    // Restore the same backup twice: the changes in between are lost too.
    for _ in 0..2 {
        let url = database.url();
        assert!(fails(&url, &["restore", &copy], 1).contains("give --force"));
        assert!(greenroom(&url, &["restore", &copy, "--force"]).contains("is restored"));
        assert!(greenroom(&url, &["check"]).ends_with(" 0 differences found\n"));
        let server = Server::start_on(database, |_| {}).await;
        assert!(fails(&server.database_url(), &["restore", &copy, "--force"], 1).contains("stop the server"));
        no_change_is_mistaken_for_a_lost_one(&server, &ann, &ahead).await;
        ahead.push(changes_after_backup(&ann.at(&server), &bob.at(&server), chat).await);
        database = server.stop();
        assert!(greenroom(&database.url(), &["check"]).ends_with(" 0 differences found\n"));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_copy_may_be_served_as_it_is() {
    let server = Server::start_on(Database::sqlite(), |_| {}).await;
    let (ann, bob, chat) = begin(&server).await;
    let restored = Database::sqlite();
    greenroom(&server.database_url(), &["backup", restored.url().strip_prefix("sqlite://").unwrap()]);
    let ahead = changes_after_backup(&ann, &bob, chat).await;
    drop(server.stop());
    let server = Server::start_on(restored, |_| {}).await;
    no_change_is_mistaken_for_a_lost_one(&server, &ann, &[ahead]).await;
    let server = Server::start_on(server.stop(), |_| {}).await;
    // From then on its numbers continue normally.
    let ann = ann.at(&server);
    let heads = ann.get("sync/").await.expect(200).json["heads"].clone();
    let synced = ann.post("sync/", json!({"chats": heads})).await.expect(200).json;
    assert_eq!((&synced["events"], &synced["heads"]), (&json!([]), &heads));
}

#[actix_rt::test(system = "crate::System")]
async fn what_a_killed_server_has_left_is_not_taken_for_the_copys() {
    let (folder, file, token) = demo();
    let copy = folder.path().join("copy.db").display().to_string();
    greenroom(&url(&file), &["backup", &copy]);
    let server = Program::serve(&url(&file));
    for number in 0..50 {
        let body = json!({"content": format!("lost {number}")});
        assert_eq!(server.request("POST", "chats/1/messages/", &token, Some(body)).await.unwrap().0, 201);
    }
    server.signal("KILL");
    drop(server);
    assert!(names(folder.path()).contains(&"test.db-wal".to_owned()));
    greenroom(&url(&file), &["restore", &copy, "--force"]);
    assert!(greenroom(&url(&file), &["check"]).starts_with("4 chats with 8 messages checked, 0 differences"));
    let server = Program::serve(&url(&file));
    let (_, page) = server.request("GET", "chats/1/messages/", &token, None).await.unwrap();
    assert_eq!(page["count"], 2);
}

#[test]
fn what_is_no_copy_is_not_put_in_place() {
    let (folder, file, _) = demo();
    let text = folder.path().join("text.txt");
    std::fs::write(&text, "a text").unwrap();
    let database = url(&file);
    let sentence = fails(&database, &["restore", text.to_str().unwrap(), "--force"], 1);
    assert!(sentence.contains("not a database"), "{sentence}");
    let missing = folder.path().join("missing.db");
    let sentence = fails(&database, &["restore", missing.to_str().unwrap(), "--force"], 1);
    assert!(sentence.contains("No such file"), "{sentence}");
    let postgres = fails("postgres://nobody@nowhere/nothing", &["restore", file.to_str().unwrap()], 1);
    assert!(postgres.contains("docs/DEPLOY.md"), "{postgres}");
    assert_eq!(names(folder.path()), ["test.db", "text.txt"]);
    assert!(greenroom(&database, &["check"]).starts_with("4 chats with 8 messages"));
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn clients_that_were_ahead_of_a_restored_postgres_load_again() {
    // The cluster ends with the process.
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()));
    let server = Server::start_on(cluster.database(), |_| {}).await;
    let (ann, bob, chat) = begin(&server).await;
    let database = server.stop();
    let Database::Postgres { name, .. } = &database else { unreachable!("it is on PostgreSQL") };
    cluster.execute(&format!("CREATE DATABASE restored TEMPLATE {name}")).unwrap();
    let server = Server::start_on(database, |_| {}).await;
    let ahead = changes_after_backup(&ann.at(&server), &bob.at(&server), chat).await;
    drop(server);
    let restored = Database::Postgres { cluster, name: "restored".to_owned() };
    assert!(greenroom(&restored.url(), &["restore"]).contains("is restored"));
    let server = Server::start_on(restored, |_| {}).await;
    no_change_is_mistaken_for_a_lost_one(&server, &ann, &[ahead]).await;
    assert!(greenroom(&server.database_url(), &["check"]).ends_with(" 0 differences found\n"));
}

#[test]
fn what_has_a_database_open_is_named_when_it_is_to_be_replaced() {
    let (folder, file, _) = demo();
    let (database, copy) = (url(&file), folder.path().join("copy.db").display().to_string());
    greenroom(&database, &["backup", &copy]);
    // A permanent reader, as Litestream is.
    let mut reader = Command::new("python3")
        .args([
            "-c",
            "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('BEGIN'); \
            db.execute('SELECT * FROM users').fetchone(); print(flush=True); sys.stdin.read()",
        ])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    reader.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    for restore in [&["restore"][..], &["restore", &copy, "--force"]] {
        let sentence = fails(&database, restore, 1);
        assert!(
            sentence.contains(&format!("python3 (process {}); stop it first", reader.id())),
            "{sentence}"
        );
    }
    drop(reader.stdin.take());
    reader.wait().unwrap();
    let server = Program::serve(&database);
    let sentence = fails(&database, &["restore", &copy, "--force"], 1);
    assert!(
        sentence.contains(&format!("greenroom (process {}); stop the server first", server.id())),
        "{sentence}"
    );
    drop(server);
    greenroom(&database, &["restore", &copy, "--force"]);
}
