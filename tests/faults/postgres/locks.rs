//! Transactions that wait for each other's locks; the test holds some of them open.

use std::thread;

use actix_web::rt::time::timeout;
use diesel::{
    Connection, PgConnection, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt,
};
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::{DEADLINE, PASSWORD, Server, User, database::Database};

async fn server() -> Server {
    Server::start_on(Database::postgres(), |_| {}).await
}

/// Opens a separate connection to a server's database.
fn connect(server: &Server) -> PgConnection {
    PgConnection::establish(&server.database_url()).unwrap()
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    sql_query(format!("SELECT ({sql})::bigint AS number")).get_result::<Number>(conn).unwrap().number
}

/// Waits until another connection waits for a lock of this one.
async fn is_waited_for(server: &Server, holder: &mut PgConnection) {
    let holder = number(holder, "SELECT pg_backend_pid()");
    let waiting =
        format!("SELECT count(*) FROM pg_stat_activity WHERE {holder} = ANY(pg_blocking_pids(pid))");
    until(&mut connect(server), &waiting).await;
}

/// Waits until a count is above zero.
async fn until(conn: &mut PgConnection, count: &str) {
    let counting = async {
        while number(conn, count) == 0 {
            crate::support::pause().await;
        }
    };
    timeout(DEADLINE, counting).await.expect("it happens in time");
}

fn lock(chat: i64) -> String {
    format!("SELECT id FROM chats WHERE id = {chat} FOR UPDATE")
}

async fn says(user: &User, chat: i64, text: &str) -> u16 {
    user.post(&format!("chats/{chat}/messages/"), json!({"content": text})).await.status
}

/// Creates `N` chats of a user.
async fn chats<const N: usize>(user: &User) -> [i64; N] {
    let mut chats = [0; N];
    for chat in &mut chats {
        *chat = user.group("Team", &[]).await;
    }
    chats
}

/// Waits until earlier requests have reached the server: it answers these requests after them.
async fn lets_arrive(user: &User) {
    for _ in 0..10 {
        user.send("GET", "/healthz", None).await.expect(200);
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_message_that_cannot_be_stored_costs_only_itself() {
    let server = server().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let mut conn = connect(&server);
    conn.batch_execute("ALTER TABLE messages ADD CHECK (content <> 'poison')").unwrap();
    conn.batch_execute(&format!("BEGIN; {}", lock(chat))).unwrap();
    // While the first waits for the lock, the others queue for one transaction.
    let first = says(&ann, chat, "first");
    let others = async {
        is_waited_for(&server, &mut conn).await;
        let texts = (0..20).map(|number| if number == 7 { "poison".to_owned() } else { number.to_string() });
        let saying = texts.map(|text| {
            let ann = ann.clone();
            async move { says(&ann, chat, &text).await }
        });
        let unblocking = async {
            lets_arrive(&ann).await;
            conn.batch_execute("COMMIT").unwrap();
        };
        join(join_all(saying), unblocking).await.0
    };
    let (first, others) = join(first, others).await;
    assert_eq!(first, 201);
    for (number, status) in others.iter().enumerate() {
        assert_eq!(*status, if number == 7 { 500 } else { 201 }, "{others:?}");
    }
    assert_eq!(ann.reads(chat).await.len(), 20);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn who_waits_in_a_circle_is_tried_again() {
    let database = Database::postgres();
    let mut conn = PgConnection::establish(&database.url()).unwrap();
    // PostgreSQL looks for a deadlock once, so the circle must be closed by then. It must be before the server's lock
    // timeout of a second.
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    conn.batch_execute(&format!("ALTER DATABASE {name} SET deadlock_timeout = '500ms'")).unwrap();
    let server = Server::start_on(database, |_| {}).await;
    let eve = server.staff("eve").await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (low, high) = (bob.group("Low", &[&ann]).await, bob.group("High", &[&ann]).await);
    let mut other = connect(&server);
    other.batch_execute(&format!("SET deadlock_timeout = '1h'; BEGIN; {}", lock(high))).unwrap();
    // Both chats get ann as their admin, in one transaction.
    let path = format!("users/{}/", bob.id);
    let handing_over = eve.call("PATCH", &path, Some(json!({"is_active": false})));
    let closing_the_circle = async {
        // The server holds one lock and waits for the other; now the test locks them in the opposite order.
        is_waited_for(&server, &mut other).await;
        let statement = format!("{}; COMMIT", lock(low));
        thread::spawn(move || other.batch_execute(&statement).unwrap()).join().unwrap();
    };
    join(handing_over, closing_the_circle).await.0.expect(200);
    for chat in [low, high] {
        assert_eq!(ann.sees(chat).await["admins"], json!([ann.id, bob.id]));
    }
    // It was a deadlock; PostgreSQL updates its counter with later transactions.
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let detecting = async {
        while number(&mut conn, deadlocks) == 0 {
            assert_eq!(says(&ann, low, "hi").await, 201);
        }
    };
    timeout(DEADLINE, detecting).await.expect("a deadlock is detected");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_chat_that_stays_locked_keeps_nobody_from_the_others() {
    let server = server().await;
    let ann = server.user("ann").await;
    let [locked, free] = chats(&ann).await;
    let mut conn = connect(&server);
    conn.batch_execute(&format!("BEGIN; {}", lock(locked))).unwrap();
    let path = format!("chats/{locked}/messages/");
    let refused = ann.post(&path, json!({"content": "hi"}));
    let others = join_all((0..10).map(|_| says(&ann, free, "hi")));
    let (refused, others) = join(refused, others).await;
    assert_eq!(refused.status, 503);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(others, [201; 10]);
    conn.batch_execute("COMMIT").unwrap();
    assert_eq!(says(&ann, locked, "ho").await, 201);
    assert_eq!(ann.reads(locked).await, ["ho"], "the rejected message is not stored");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn while_a_chat_is_waited_for_others_are_written() {
    let server = server().await;
    let ann = server.user("ann").await;
    // One chat for each writer worker, and the locked one.
    let [locked, free @ ..] = chats::<9>(&ann).await;
    let mut conn = connect(&server);
    conn.batch_execute(&format!("BEGIN; {}", lock(locked))).unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
    let others = async {
        is_waited_for(&server, &mut conn).await;
        assert_eq!(join_all(free.map(|chat| says(&ann, chat, "hi"))).await, [201; 8]);
        // A job that runs in its own transaction.
        ann.group("Another", &[]).await;
        assert_eq!(number(&mut conn, waiting), 1, "the lock is waited for still");
        conn.batch_execute("COMMIT").unwrap();
    };
    assert_eq!(join(says(&ann, locked, "hi"), others).await.0, 201);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_chat_that_is_just_being_made_is_not_there_yet() {
    let server = server().await;
    let ann = server.user("ann").await;
    let [low, chat] = chats(&ann).await;
    let mut conn = connect(&server);
    // Simulate a chat created by another server: it is invisible until the transaction commits.
    let next = chat + 1;
    conn.batch_execute(&format!(
        "BEGIN; {}; INSERT INTO chats SELECT (jsonb_populate_record(c, '{{\"id\": {next}}}')).* FROM chats c WHERE id = {chat}; \
         INSERT INTO members SELECT (jsonb_populate_record(m, '{{\"chat_id\": {next}}}')).* FROM members m WHERE chat_id = {chat}",
        lock(low)
    ))
    .unwrap();
    let making = async {
        is_waited_for(&server, &mut conn).await;
        assert_eq!(says(&ann, next, "hi").await, 404);
        conn.batch_execute("COMMIT").unwrap();
    };
    assert_eq!(join(says(&ann, low, "hi"), making).await.0, 201);
    assert_eq!(says(&ann, next, "hi").await, 201);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn an_ending_that_is_committed_after_later_ones_is_heard_of() {
    let server = server().await;
    let [eve, ann, bob] = [server.staff("eve").await, server.user("ann").await, server.user("bob").await];
    let me = |user: &User| {
        let user = user.clone();
        async move { user.get("users/me/").await.status }
    };
    assert_eq!((me(&ann).await, me(&bob).await), (200, 200));
    let elsewhere = server.beside().await;
    let mut conn = connect(&server);
    conn.batch_execute(&format!(
        "BEGIN; DELETE FROM tokens WHERE user_id = {}; \
         INSERT INTO revocations (user_id, created_at) VALUES ({}, extract(epoch FROM now()) * 1000000)",
        bob.id, bob.id
    ))
    .unwrap();
    eve.at(&elsewhere).delete(&format!("users/{}/tokens/", ann.id)).await.expect(204);
    let is_shut_out = |user: &User| {
        let user = user.clone();
        let asking = async move { while user.get("users/me/").await.status != 401 {} };
        async { timeout(DEADLINE, asking).await.expect("the request arrives") }
    };
    is_shut_out(&ann).await;
    assert_eq!(me(&bob).await, 200, "it is not committed");
    conn.batch_execute("COMMIT").unwrap();
    is_shut_out(&bob).await;
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn who_signs_in_while_the_password_is_changed_elsewhere_is_not_signed_in() {
    let server = server().await;
    let ann = server.user("ann").await;
    let mut conn = connect(&server);
    conn.batch_execute(&format!(
        "BEGIN; UPDATE users SET password = '!' WHERE id = {id}; DELETE FROM sessions WHERE user_id = {id}",
        id = ann.id
    ))
    .unwrap();
    let nobody = server.anonymous();
    let body = json!({"username": "ann", "password": PASSWORD});
    let signing_in = nobody.send("POST", "/login/", Some(body));
    let changing = async {
        is_waited_for(&server, &mut conn).await;
        conn.batch_execute("COMMIT").unwrap();
    };
    let (reply, ()) = join(signing_in, changing).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(number(&mut conn, "SELECT count(*) FROM sessions"), 0);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn an_event_stream_outlives_a_table_that_is_locked_for_some_seconds() {
    let server = server().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut stream = bob.streams().await;
    ann.posts(chat, "before").await;
    stream.receives("new_message").await;
    // Posting does not use the table of reactions, reading does.
    let mut conn = connect(&server);
    conn.batch_execute("BEGIN; LOCK TABLE reactions").unwrap();
    ann.posts(chat, "meanwhile").await;
    stream.gets_a_sign_of_life().await;
    conn.batch_execute("COMMIT").unwrap();
    assert_eq!(stream.receives("new_message").await["message"]["content"], "meanwhile");
}
