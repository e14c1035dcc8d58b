//! Import from SQLite to PostgreSQL, with everything that clients rely on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Stdio},
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use serde_json::{Value, json};

use crate::{
    program::{Program, command, fails, greenroom, without_progress},
    support::{
        Server, User,
        attachments::{announces, shares, uploads},
        awkward::{AWKWARD, places},
        database::{Cluster, Database},
        encoded,
        segments::{MEMOS, fills_a_segment},
    },
};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Starts a cluster that ends with the process.
fn cluster() -> &'static Cluster {
    Box::leak(Box::new(Cluster::start_durable()))
}

/// Creates an empty database without a schema.
fn empty(cluster: &'static Cluster) -> Database {
    cluster.execute("CREATE DATABASE empty").unwrap();
    Database::Postgres { cluster, name: "empty".to_owned() }
}

fn file(url: &str) -> &str {
    url.strip_prefix("sqlite://").unwrap()
}

/// Returns the tables of the SQLite schema, without those of full-text indexes.
fn tables(source: &str) -> Vec<String> {
    let mut conn = SqliteConnection::establish(file(source)).unwrap();
    let query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
                 AND name NOT IN ('sqlite_schema', 'sqlite_sequence', 'sqlite_stat1', '__diesel_schema_migrations')";
    let names = sql_query(query).load::<Name>(&mut conn).unwrap();
    names.into_iter().map(|row| row.name).collect()
}

fn count_in_sqlite(source: &str, table: &str) -> i64 {
    let mut conn = SqliteConnection::establish(file(source)).unwrap();
    sql_query(format!("SELECT count(*) AS count FROM {table}")).get_result::<Count>(&mut conn).unwrap().count
}

fn count_in_postgres(target: &str, table: &str) -> i64 {
    let mut conn = PgConnection::establish(target).unwrap();
    sql_query(format!("SELECT count(*) AS count FROM {table}")).get_result::<Count>(&mut conn).unwrap().count
}

/// Users with every kind of data.
struct World {
    people: Vec<User>,
    /// Old heads of each user, to resume from.
    heads: Vec<Value>,
    cursor: String,
    keyed: Value,
    last_chat: i64,
}

const TEXTS: [&str; 6] = [
    "plain",
    "two\nlines\tand a tab",
    r#"quotes " and ' and \ and \u0041 and {"json": [1]}"#,
    "中文 日本語 한국어 العربية e\u{301}",
    "👩‍👩‍👧‍👦 🏳️‍🌈 \u{10FFFF} \u{FFFD}",
    "$1 %s ? -- ; DROP TABLE messages",
];

impl World {
    async fn make(server: &Server) -> Self {
        let [ann, bob, eve, dan] = server.users(["ann", "bob", "eve", "dan"]).await;
        let staff = server.staff("staff").await;
        let signed_in = server.signed_in("bob").await;
        let memos = ann.post("chats/", json!({"chat_type": "dm"})).await.id();
        fills_a_segment(server, &ann, memos).await;
        let team = ann.group("Team", &[&bob, &eve, &dan]).await;
        let mut keyed = Value::Null;
        for (number, text) in TEXTS.iter().cycle().take(90).enumerate() {
            let sender = [&ann, &bob, &eve][number % 3];
            let key = json!({"content": text, "client_id": format!("key {number}")});
            keyed = sender.post(&format!("chats/{team}/messages/"), key).await.expect(201).json;
        }
        ann.posts(team, &"界".repeat(5_000)).await;
        let untitled = bob.post("chats/", json!({"chat_type": "group", "member_ids": [eve.id]})).await.id();
        let dm = ann.dm(&bob).await;
        let notes = bob.post("chats/", json!({"chat_type": "dm"})).await.id();
        bob.posts(notes, "milk").await;
        for text in TEXTS {
            bob.posts(dm, text).await;
        }
        let object =
            json!({"chat_type": "room", "title": "Цены", "object_type": "page", "object_id": "pricing"});
        let room = ann.post("chats/", object).await.expect(201).id();
        eve.post(&format!("chats/{room}/join/"), json!({})).await.expect(200);
        let secret = json!({"chat_type": "room", "title": "Secret", "is_public": false, "custom": {"a": 1}});
        let secret = eve.post("chats/", secret).await.expect(201).id();
        let psst = json!({"content": "psst", "custom": {"quote \"": ["\\", "中文"]}});
        eve.post(&format!("chats/{secret}/messages/"), psst).await.expect(201);
        eve.patch("users/me/", json!({"custom": {"tenant": "acme"}})).await.expect(200);
        let mut stream = bob.streams().await;
        // More chats than a cursor holds inline.
        for number in 0..60 {
            let chat = ann.group(&format!("Many {number}"), &[&bob]).await;
            stream.receives("chat_created").await;
            ann.posts(chat, "seen").await;
            stream.receives("new_message").await;
        }
        let people = vec![ann.clone(), bob.clone(), eve.clone(), staff.clone(), signed_in];
        let mut heads = Vec::new();
        for person in &people {
            heads.push(person.get("sync/").await.expect(200).json["heads"].clone());
        }
        let cursor = stream.last_id.clone();
        drop(stream);
        Self::change(&ann, &bob, &eve, &dan, [team, untitled, dm]).await;
        ann.post(&format!("users/{}/block/", dan.id), json!({})).await.expect(200);
        staff.delete(&format!("users/{}/tokens/", dan.id)).await.expect(204);
        staff.patch(&format!("users/{}/", dan.id), json!({"is_active": false})).await.expect(200);
        let avatar =
            json!({"first_name": "Eve", "last_name": "Evans", "avatar_url": "https://example.com/e.png"});
        staff.patch(&format!("users/{}/", eve.id), avatar).await.expect(200);
        let last_chat = ann.group("Deleted", &[&bob]).await;
        ann.posts(last_chat, "gone").await;
        ann.delete(&format!("chats/{last_chat}/")).await.expect(204);
        Self { people, heads, cursor, keyed, last_chat }
    }

    /// Makes changes after the heads were recorded.
    async fn change(ann: &User, bob: &User, eve: &User, dan: &User, [team, untitled, dm]: [i64; 3]) {
        let page = bob.get(&format!("chats/{team}/messages/?page_size=100")).await.expect(200).json;
        let messages = page["results"].as_array().unwrap();
        let by = |user: &User, message: &&Value| message["sender"]["id"] == user.id;
        for message in messages.iter().filter(|message| by(bob, message)).step_by(3) {
            bob.deletes(message).await;
        }
        for message in messages.iter().filter(|message| by(eve, message)).step_by(2) {
            eve.edits(message, "edited: 字").await;
        }
        for (message, emoji) in
            messages.iter().filter(|message| by(ann, message)).zip(["👍", "👩‍💻", "🇱🇹", "❤️"])
        {
            for person in [ann, bob, eve] {
                let path = format!("messages/{}/reactions/", message["id"]);
                person.post(&path, json!({"emoji": emoji})).await.expect(200);
            }
        }
        for message in messages.iter().filter(|message| by(ann, message)).take(2) {
            let path = format!("chats/{team}/pins/{}/", message["id"]);
            ann.call("PUT", &path, None).await.expect(200);
        }
        Self::replies_and_mentions([ann, bob, eve], team, &messages[41]).await;
        let file = uploads(bob, team, "plan.txt", "a plan: 字".as_bytes()).await;
        let message = shares(bob, team, "", &[&file]).await;
        let copy = json!({"content": "see", "forward": message["id"]});
        bob.post(&format!("chats/{dm}/messages/"), copy).await.expect(201);
        announces(bob, team, "pending", 5).await.expect(201);
        for person in [ann, bob] {
            let body =
                json!({"content": format!("begun by {} ", person.name), "reply_to": messages[40]["id"]});
            person
                .call("PUT", &format!("chats/{team}/draft/?thread={}", messages[41]["id"]), Some(body))
                .await
                .expect(200);
        }
        bob.marks_as_read_to(team, &messages[40]).await;
        eve.marks_as_read(team).await;
        ann.marks_as_read(dm).await;
        let me = json!({
            "is_pinned": true, "muted_until": "2031-05-01T10:00:00.5Z", "unread_from": messages[50]["id"], "notify": "none",
        });
        bob.patch(&format!("chats/{team}/me/"), me).await.expect(200);
        ann.removes(team, dan).await;
        ann.patch(&format!("chats/{team}/members/{}/", bob.id), json!({"role": "admin"})).await.expect(200);
        ann.removes(team, ann).await;
        bob.adds(team, &[ann]).await;
        eve.removes(untitled, eve).await;
        bob.patch(&format!("chats/{team}/"), json!({"title": "Crew"})).await.expect(200);
        bob.posts(team, "after all that").await;
    }

    /// Writes in a thread, in the timeline too, and mentions a user, all, and those who are connected.
    async fn replies_and_mentions([ann, bob, eve]: [&User; 3], team: i64, root: &Value) {
        let path = format!("chats/{team}/messages/");
        let to_eve = json!({"users": [{"id": eve.id, "at": [0, 4]}]});
        let bodies = [
            json!({"content": "@eve look", "mentions": to_eve}),
            json!({"content": "@all look", "mentions": {"everyone": true}}),
            json!({"content": "@here look", "mentions": {"here": true}}),
            json!({"content": "@eve reply", "mentions": to_eve, "thread": root["id"]}),
            json!({"content": "reply in both", "thread": root["id"], "also_in_chat": true}),
        ];
        for body in bodies {
            ann.post(&path, body).await.expect(201);
        }
        let deleted = json!({"content": "deleted reply", "thread": root["id"]});
        let deleted = bob.post(&path, deleted).await.expect(201).json;
        bob.deletes(&deleted).await;
        bob.delete(&format!("messages/{}/follow/", root["id"])).await.expect(204);
    }

    /// Returns the answers of a server by user and path.
    async fn answers(&self, server: &Server) -> BTreeMap<String, Vec<u8>> {
        let mut answers = BTreeMap::new();
        for person in &self.people {
            let person = person.at(server);
            for path in self.paths() {
                let reply = person.get(&path).await;
                assert!([200, 403, 404].contains(&reply.status), "{path}: {reply:?}");
                let key = format!("{} {path} {}", person.name, reply.status);
                assert!(answers.insert(key, reply.body).is_none() || person.name == "bob");
            }
        }
        answers
    }

    fn paths(&self) -> Vec<String> {
        let fixed = [
            "chats/",
            "chats/?page_size=100",
            "chats/?search=eve",
            "rooms/",
            "unread/",
            "drafts/",
            "mentions/",
            "mentions/?unread=1",
            "threads/",
            "threads/?unread=1",
            "sync/",
            "users/me/",
            "users/blocked/",
            "users/search/?q=e",
            "search/?q=memo",
            "search/?q=edited",
        ];
        let mut paths: Vec<String> = fixed.map(str::to_owned).to_vec();
        for chat in 1..=self.last_chat {
            paths.push(format!("chats/{chat}/"));
            paths.push(format!("chats/{chat}/members/"));
            paths.push(format!("chats/{chat}/messages/?page_size=100"));
            paths.push(format!("chats/{chat}/messages/?page_size=100&include=replies"));
            paths.push(format!("chats/{chat}/messages/?page_size=20&page=3"));
            paths.push(format!("chats/{chat}/messages/?before=80&page_size=7"));
        }
        for message in 1..=190 {
            paths.push(format!("messages/{message}/"));
            paths.push(format!("messages/{message}/replies/"));
            paths.push(format!("threads/{message}/"));
        }
        paths
    }

    /// Returns the events that each user receives when resuming from the old heads.
    async fn missed(&self, server: &Server) -> Vec<Value> {
        let mut missed = Vec::new();
        for (person, heads) in self.people.iter().zip(&self.heads) {
            let person = person.at(server);
            missed.push(person.post("sync/", json!({"chats": heads})).await.expect(200).json);
            let mut socket = person.connects_with("?resume=1").await.unwrap();
            missed.push(socket.receives("hello").await);
            socket.says(&json!({"type": "resume", "chats": heads}).to_string()).await;
            loop {
                let frame = socket.next().await;
                let is_last = frame["type"] == "ack";
                missed.push(frame);
                if is_last {
                    break;
                }
            }
        }
        let mut stream = self.people[1].at(server).streams_from("", &self.cursor).await.unwrap();
        loop {
            let event = stream.next().await;
            let is_last = event["message"]["content"] == "after all that";
            missed.push(event);
            if is_last {
                break;
            }
        }
        // `users_online` depends on connections that are still closing.
        for frame in &mut missed {
            frame.as_object_mut().unwrap().remove("users_online");
        }
        missed
    }
}

/// Sets a public URL, so that links do not depend on the server's port.
fn named(config: &mut greenroom::config::Config) {
    config.public_url = Some("http://chat.example.com".to_owned());
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn everything_goes_over_to_postgres() {
    let server = Server::start_on(Database::sqlite(), named).await;
    let world = World::make(&server).await;
    // Restart, so that no user is online and all caches are empty.
    let database = server.stop();
    // As if the users were imported from another application.
    let mut conn = SqliteConnection::establish(file(&database.url())).unwrap();
    conn.batch_execute(
        "INSERT INTO external_users (user_id, external_id) VALUES (1, 'seven'); \
         INSERT INTO imported_passwords (user_id, digest) VALUES (1, 'aa')",
    )
    .unwrap();
    drop(conn);
    let server = Server::start_on(database, named).await;
    let missed = world.missed(&server).await;
    let server = Server::start_on(server.stop(), named).await;
    let answers = world.answers(&server).await;
    let source = server.stop();
    // Fill the remaining tables: only PostgreSQL uses the first, and the others are emptied within moments.
    let mut conn = SqliteConnection::establish(file(&source.url())).unwrap();
    conn.batch_execute(
        "INSERT INTO writers (name, transactions, used_at) VALUES ('nobody', 1, 1); \
         INSERT INTO merged_guests (guest_id, user_id, key_hash) VALUES (1, 1, 'aa'); \
         INSERT INTO chat_merges (chat_id, guest_id, user_id, seq) VALUES (1, 1, 1, 0); \
         INSERT INTO guests (user_id, token_id, visited_at) VALUES (1, 1, 9000000000000000); \
         INSERT INTO message_versions (chat_id, message_id, seq, content, written_at) \
            SELECT chat_id, id, seq, 'before', 1 FROM messages WHERE is_edited LIMIT 1; \
         INSERT INTO successions (user_id, after_chat_id) VALUES (1, 0); \
         INSERT INTO reactions_left (chat_id, message_id) SELECT chat_id, id FROM messages WHERE is_deleted LIMIT 1",
    )
    .unwrap();
    drop(conn);
    let target = empty(cluster());
    let report = greenroom(&target.url(), &["import", &source.url()]);
    for table in tables(&source.url()) {
        let count = count_in_sqlite(&source.url(), &table);
        assert!(count > 0, "this test has no rows in {table}, so its import is not tested");
        assert_eq!(count_in_postgres(&target.url(), &table), count, "{table}");
        assert!(report.contains(&format!("{table}: {count} rows\n")), "{report}");
    }
    assert!(greenroom(&target.url(), &["check"]).ends_with(" 0 differences found\n"));
    let again = fails(&target.url(), &["import", &source.url()], 1);
    assert!(again.contains("an import needs an empty database"), "{again}");

    let server = Server::start_on(target, named).await;
    let there = world.answers(&server).await;
    assert_eq!(answers.keys().collect::<BTreeSet<_>>(), there.keys().collect::<BTreeSet<_>>());
    for (what, answer) in &answers {
        let there = String::from_utf8_lossy(&there[what]);
        assert_eq!(String::from_utf8_lossy(answer), there, "{what}");
    }
    assert!(answers.len() > 1_000);
    assert_eq!(missed, world.missed(&server).await);
    let memos = world.people[0].at(&server).get("search/?q=memo").await.expect(200).json;
    assert_eq!(memos["count"], MEMOS);
    ids_continue(&world, &server).await;
    assert!(greenroom(&server.database_url(), &["check"]).ends_with(" 0 differences found\n"));
}

/// Asserts that ids and numbers continue, and that client ids are still deduplicated.
async fn ids_continue(world: &World, server: &Server) {
    let [ann, eve] = [world.people[0].at(server), world.people[2].at(server)];
    let team = world.keyed["chat"].as_i64().unwrap();
    let path = format!("chats/{team}/messages/");
    let again = json!({"content": world.keyed["content"], "client_id": world.keyed["client_id"]});
    let sender = if world.keyed["sender"]["id"] == ann.id { &ann } else { &eve };
    assert_eq!(sender.post(&path, again).await.expect(200).json["id"], world.keyed["id"]);
    let other = json!({"content": "other", "client_id": world.keyed["client_id"]});
    sender.post(&path, other).await.expect(409);
    let (seq, newest) = (ann.sees(team).await["seq"].clone(), ann.sees(team).await["last_message"].clone());
    let message = ann.posts(team, "on PostgreSQL").await;
    assert!(message["id"].as_i64() > newest["id"].as_i64());
    assert_eq!(message["seq"].as_i64().unwrap(), seq.as_i64().unwrap() + 1);
    // The id of the deleted chat is not reused.
    assert_eq!(ann.group("New", &[&eve]).await, world.last_chat + 1);
    let zoe = server.user("zoe").await;
    assert!(world.people.iter().all(|person| person.id < zoe.id));
    assert_eq!(zoe.get("users/me/").await.expect(200).json["username"], "zoe");
    let found = ann.get(&format!("users/search/?q={}", encoded("zoe"))).await.expect(200).json;
    assert_eq!(found["results"][0]["id"], zoe.id);
}

/// Creates a database with additional rows, so that an import takes a while.
fn with_ballast(rows: usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let source = format!("sqlite://{}", folder.path().join("test.db").display());
    greenroom(&source, &["demo"]);
    let mut conn = SqliteConnection::establish(file(&source)).unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO revocations (user_id, created_at) WITH RECURSIVE count (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {rows}) SELECT n % 3 + 1, n FROM count"
    ))
    .unwrap();
    (folder, source)
}

fn begin(source: &str, target: &str) -> Child {
    let mut import = command(target);
    import.args(["import", source]).stdout(Stdio::null()).stderr(Stdio::null());
    import.spawn().unwrap()
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn an_import_to_postgres_that_breaks_is_done_again() {
    let database = empty(cluster());
    let target = database.url();
    let (_folder, source) = with_ballast(100_000);
    greenroom(&target, &["migrate"]);
    let mut conn = PgConnection::establish(&target).unwrap();
    for _ in 0..3 {
        let mut import = begin(&source, &target);
        // The import has started when it holds the tables' locks.
        let locks = "SELECT count(*) AS count FROM pg_locks \
                     WHERE relation = 'revocations'::regclass AND mode = 'AccessExclusiveLock' AND granted";
        while sql_query(locks).get_result::<Count>(&mut conn).unwrap().count == 0 {
            assert!(import.try_wait().unwrap().is_none(), "it is killed in the middle");
        }
        import.kill().unwrap();
        import.wait().unwrap();
        for table in tables(&source) {
            assert_eq!(count_in_postgres(&target, &table), 0, "{table}");
        }
    }
    greenroom(&target, &["import", &source]);
    for table in tables(&source) {
        assert_eq!(count_in_postgres(&target, &table), count_in_sqlite(&source, &table), "{table}");
    }
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn an_import_to_postgres_that_cannot_say_what_it_did_has_done_nothing() {
    let database = empty(cluster());
    let target = database.url();
    let (_folder, source) = with_ballast(10);
    let mut import = command(&target);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = import.args(["import", &source]).stdout(full).output().unwrap();
    let sentence = without_progress(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{sentence}");
    assert!(sentence.starts_with("greenroom: cannot write to standard output"), "{sentence}");
    for table in tables(&source) {
        assert_eq!(count_in_postgres(&target, &table), 0, "{table}");
    }
    greenroom(&target, &["import", &source]);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn what_cannot_be_imported_to_postgres_is_refused_in_a_sentence() {
    let database = empty(cluster());
    let target = database.url();
    let (folder, source) = with_ballast(1);
    let refused = |from: &str, to: &str| fails(to, &["import", from], 1);
    assert!(refused(&source, &source).contains("give --database-url postgres://"));
    assert!(refused(&target, &target).contains("give sqlite://FILE"));
    assert!(refused("sqlite://missing.db", &target).contains("no such file"));
    let other = |name: &str| {
        let copy = folder.path().join(name);
        std::fs::copy(file(&source), &copy).unwrap();
        format!("sqlite://{}", copy.display())
    };
    let older = format!("sqlite://{}", folder.path().join("older.db").display());
    let mut conn = SqliteConnection::establish(file(&older)).unwrap();
    let migrations =
        FileBasedMigrations::from_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite"))
            .unwrap();
    let all = conn.pending_migrations(migrations).unwrap();
    for migration in &all[..all.len() - 1] {
        conn.run_migration(migration.as_ref()).unwrap();
    }
    drop(conn);
    let sentence = refused(&older, &target);
    assert!(sentence.contains("greenroom migrate --database-url sqlite://"), "{sentence}");
    let newer = other("newer.db");
    let mut conn = SqliteConnection::establish(file(&newer)).unwrap();
    conn.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')").unwrap();
    drop(conn);
    assert!(refused(&newer, &target).contains("newer version"));
    let foreign = other("foreign.db");
    let mut conn = SqliteConnection::establish(file(&foreign)).unwrap();
    conn.batch_execute("DROP TABLE __diesel_schema_migrations").unwrap();
    drop(conn);
    assert!(refused(&foreign, &target).contains("no database of Greenroom's"));
    greenroom(&target, &["user", "create", "ann", "--password", "correct horse"]);
    assert!(refused(&source, &target).contains("rows in users already"));
    let mut conn = PgConnection::establish(&target).unwrap();
    conn.batch_execute("DELETE FROM users").unwrap();
    // A server that starts on the database creates its keys.
    drop(Program::serve(&target));
    assert!(refused(&source, &target).contains("rows in settings already"));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tables_of_others_are_left_when_importing_to_postgres() {
    let database = empty(cluster());
    let target = database.url();
    let (_folder, source) = with_ballast(1);
    let mut conn = SqliteConnection::establish(file(&source)).unwrap();
    conn.batch_execute(
        "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER); INSERT INTO _litestream_seq VALUES (1, 7); \
         CREATE TABLE _litestream_lock (id INTEGER); \
         CREATE TABLE odd (id INTEGER PRIMARY KEY AUTOINCREMENT, at DATETIME, share REAL, user REFERENCES users (id)); \
         INSERT INTO odd (share, user) VALUES (0.5, 1); ANALYZE",
    )
    .unwrap();
    drop(conn);
    greenroom(&target, &["migrate"]);
    let mut conn = PgConnection::establish(&target).unwrap();
    conn.batch_execute(
        "CREATE TABLE spatial_ref_sys (srid integer, proj4text varchar(2048)); \
         INSERT INTO spatial_ref_sys VALUES (1, 'x'); \
         CREATE TABLE likes (id bigserial PRIMARY KEY, user_id bigint REFERENCES users (id), at timestamptz); \
         CREATE SCHEMA shop; CREATE TABLE shop.users (id integer PRIMARY KEY); \
         CREATE TABLE shop.orders (user_id integer REFERENCES shop.users (id), chat bigint REFERENCES public.chats (id)); \
         INSERT INTO shop.users VALUES (1); INSERT INTO shop.orders VALUES (1)",
    )
    .unwrap();
    let output = command(&target).args(["import", &source]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("not imported, since they are not Greenroom's: _litestream_lock, _litestream_seq, odd"),
        "{said}"
    );
    for table in ["users", "messages", "members"] {
        assert_eq!(count_in_postgres(&target, table), count_in_sqlite(&source, table), "{table}");
    }
    for table in ["spatial_ref_sys", "shop.users", "shop.orders"] {
        assert_eq!(count_in_postgres(&target, table), 1, "{table}");
    }
    for database in [&target, &source] {
        assert!(greenroom(database, &["check"]).ends_with(" 0 differences found\n"));
        // A restore does not raise the ids of foreign tables.
        greenroom(database, &["restore"]);
    }
    let mut conn = PgConnection::establish(&target).unwrap();
    conn.batch_execute("INSERT INTO likes (user_id) VALUES (1)").unwrap();
    let first = "SELECT max(id) AS count FROM likes";
    assert_eq!(sql_query(first).get_result::<Count>(&mut conn).unwrap().count, 1);
    let mut conn = SqliteConnection::establish(file(&source)).unwrap();
    conn.batch_execute("INSERT INTO odd (share) VALUES (1)").unwrap();
    let second = "SELECT max(id) AS count FROM odd";
    assert_eq!(sql_query(second).get_result::<Count>(&mut conn).unwrap().count, 2);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn whatever_clients_could_store_goes_over_to_postgres() {
    let server = Server::start_on(Database::sqlite(), named).await;
    let (root, bob) = (server.staff("root").await, server.user("bob").await);
    let chat = root.group("Team", &[&bob]).await;
    let message = root.posts(chat, "hi").await["id"].as_i64().unwrap();
    for place in places(bob.id, chat, message) {
        for (awkward, _) in AWKWARD {
            place.takes(&root, &format!("a{awkward}b")).await;
        }
    }
    let source = server.stop();
    let target = empty(cluster());
    greenroom(&target.url(), &["import", &source.url()]);
    assert!(greenroom(&target.url(), &["check"]).ends_with(" 0 differences found\n"));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn a_row_that_postgres_does_not_take_is_named() {
    let database = empty(cluster());
    let target = database.url();
    let (folder, source) = with_ballast(10);
    let mut conn = SqliteConnection::establish(file(&source)).unwrap();
    conn.batch_execute(
        "INSERT INTO sessions (key_hash, user_id, created_at, renewed_at) VALUES ('x', 1, 1, 1)",
    )
    .unwrap();
    drop(conn);
    let faults = [
        (
            "users",
            "avatar_url = 'https://x/' || char(0)",
            "id = 2",
            "id 2, column avatar_url: there is a NUL",
        ),
        (
            "messages",
            "content = char(0)",
            "chat_id = 1 AND pos = 2",
            "chat_id 1, pos 2, column content: there is a NUL",
        ),
        ("chats", "title = char(0)", "id = 1", "id 1, column title: there is a NUL"),
        ("users", "is_staff = 7", "id = 3", "id 3, column is_staff: "),
        ("sessions", "created_at = 'soon'", "user_id = 1", "key_hash \"x\", column created_at: "),
        ("sessions", "user_id = 999", "key_hash = 'x'", "key_hash \"x\": "),
    ];
    for (number, (table, change, row, named)) in faults.into_iter().enumerate() {
        let copy = folder.path().join(format!("{number}.db"));
        std::fs::copy(file(&source), &copy).unwrap();
        let mut conn = SqliteConnection::establish(copy.to_str().unwrap()).unwrap();
        let change = format!("PRAGMA foreign_keys = OFF; UPDATE {table} SET {change} WHERE {row}");
        conn.batch_execute(&change).unwrap();
        drop(conn);
        let from = format!("sqlite://{}", copy.display());
        let output = command(&target).args(["import", &from]).output().unwrap();
        // The error may follow lines of progress.
        let sentence = String::from_utf8(output.stderr).unwrap().lines().last().unwrap().to_owned();
        assert_eq!(output.status.code(), Some(1), "{sentence}");
        assert!(
            sentence.contains(&format!("a row of table {table}, ")) && sentence.contains(named),
            "{sentence}"
        );
        for table in tables(&source) {
            assert_eq!(count_in_postgres(&target, &table), 0, "{table}");
        }
    }
    greenroom(&target, &["import", &source]);
}
