//! Large changes are visible at once. The remaining rows are cleaned up in steps that no client notices.

use actix_web::rt::time::timeout;
use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt};
use greenroom::{
    core::model::{ChatId, Command, Contacts, MessageId, UserId, command::Action},
    storage::{
        AnyConn,
        commands::{apply, succession},
    },
};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Server, User};

/// More rows than one step deletes.
const MANY: i64 = 1_300;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(server: &Server, from: &str) -> i64 {
    let query = format!("SELECT count(*) AS count FROM {from}");
    let counting = server.readers().query_one(move |conn| {
        Ok(match conn {
            AnyConn::Sqlite(conn) => sql_query(query).get_result::<Count>(conn)?.count,
            AnyConn::Postgres(conn) => sql_query(query).get_result::<Count>(conn)?.count,
        })
    });
    counting.await.unwrap()
}

async fn until_none(server: &Server, from: &str) {
    let waiting = async { while count(server, from).await > 0 {} };
    timeout(DEADLINE, waiting).await.expect("nothing is left in the end");
}

async fn stores(server: &Server, sql: String) {
    server.writer().run("seed", move |conn, _| Ok(conn.batch_execute(&sql)?)).await.unwrap();
}

/// Stores a command without notifying the purge task.
async fn is_stored(server: &Server, chat: i64, by: &User, action: Action) {
    let command = Command { chat: ChatId(chat), by: UserId(by.id), action };
    let work = move |conn: &mut AnyConn, policy: &_| apply(conn, policy, &command).map(drop);
    server.writer().run("apply", work).await.unwrap();
}

async fn differences(server: &Server) -> Vec<String> {
    server.checks_database().await.differences
}

/// Returns a `WITH` clause of the numbers from one to [`MANY`], for an INSERT.
fn numbers() -> String {
    format!("WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {MANY})")
}

/// Posts a message and adds many reactions.
async fn popular(server: &Server, by: &User, chat: i64) -> i64 {
    let id = by.posts(chat, "popular").await["id"].as_i64().unwrap();
    let shown = json!([{"emoji": "👍", "count": MANY, "users": [900_001]}]);
    let rows = format!(
        "INSERT INTO reactions (chat_id, message_id, emoji, user_id, seq) {} \
         SELECT {chat}, {id}, '👍', 900000 + x, 1 FROM n; \
         UPDATE messages SET reactions = '{shown}' WHERE id = {id}",
        numbers()
    );
    stores(server, rows).await;
    id
}

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_message_has_no_reactions_while_they_are_cleared_out() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = popular(&server, &ann, chat).await;
    let emoji = json!({"emoji": "👍"});
    bob.post(&format!("messages/{message}/reactions/"), emoji.clone()).await.expect(200);
    assert_eq!(differences(&server).await, Vec::<String>::new());
    is_stored(&server, chat, &ann, Action::DeleteMessage { message: MessageId(message) }).await;
    let left = count(&server, "reactions").await;
    assert!(left > 0 && left < MANY, "{left}");
    assert_eq!(count(&server, "reactions_left").await, 1);
    assert_eq!(differences(&server).await, Vec::<String>::new());
    let page = bob.get(&format!("chats/{chat}/messages/")).await;
    let shown = &page.results()[0];
    assert_eq!((&shown["is_deleted"], &shown["reactions"]), (&json!(true), &json!([])));
    bob.post(&format!("messages/{message}/reactions/"), emoji).await.expect(404);
    // Deleting another message notifies the purge task, which clears both.
    let other = popular(&server, &ann, chat).await;
    ann.delete(&format!("messages/{other}/")).await.expect(204);
    until_none(&server, "reactions").await;
    until_none(&server, "reactions_left").await;
    assert_eq!(differences(&server).await, Vec::<String>::new());
}

/// Returns the answers to a former member of a chat.
async fn answers(user: &User, chat: i64, message: i64) -> Vec<(String, u16, Value)> {
    let gets = [
        "chats/".to_owned(),
        "chats/?search=large".to_owned(),
        "chats/?chat_type=group".to_owned(),
        "unread/".to_owned(),
        "sync/".to_owned(),
        "search/?q=somewhere".to_owned(),
        "users/search/?q=ann".to_owned(),
        format!("chats/{chat}/"),
        format!("chats/{chat}/members/"),
        format!("chats/{chat}/messages/"),
        format!("messages/{message}/"),
    ];
    let posts = [
        (format!("chats/{chat}/messages/"), json!({"content": "hi"})),
        (format!("chats/{chat}/mark-as-read/"), json!({})),
        (format!("chats/{chat}/typing/"), json!({"is_typing": true})),
        (format!("chats/{chat}/leave/"), json!({})),
        (format!("messages/{message}/reactions/"), json!({"emoji": "👍"})),
        ("chats/".to_owned(), json!({"chat_type": "group", "member_ids": [user.id - 1]})),
    ];
    let mut answers = Vec::new();
    for path in gets {
        let reply = user.get(&path).await;
        answers.push((path, reply.status, reply.json));
    }
    for (path, body) in posts {
        let reply = user.post(&path, body).await;
        answers.push((path, reply.status, reply.json));
    }
    answers
}

#[actix_rt::test(system = "crate::System")]
async fn a_large_chat_that_is_deleted_is_gone_while_its_members_are_cleared_out() {
    let server = Server::start_with(|config| config.contacts = Contacts::SharedChat).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    // Staff may open a chat with any user.
    let root = server.staff("root").await;
    let chat = root.group("Large", &[&ann, &bob]).await;
    let message = root.posts(chat, "somewhere").await["id"].as_i64().unwrap();
    // Negative ids and a later update: these rows are found before the others in either order.
    let rows = format!(
        "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, from_pos) \
         {} SELECT {chat}, -x, 'member', 1, 0, 0, 0, 0, 0 FROM n; \
         UPDATE members SET read_pos = read_pos WHERE chat_id = {chat} AND user_id > 0; \
         UPDATE chats SET member_count = member_count + {MANY} WHERE id = {chat}",
        numbers()
    );
    stores(&server, rows).await;
    is_stored(&server, chat, &root, Action::DeleteChat).await;
    let bob_row = format!("members WHERE chat_id = {chat} AND user_id = {}", bob.id);
    assert_eq!(count(&server, &bob_row).await, 1, "he is left");
    let meanwhile = answers(&bob, chat, message).await;
    for (path, status, json) in &meanwhile {
        let shows = json["count"].as_i64().unwrap_or(0) + json["total"].as_i64().unwrap_or(0);
        let is_about_it = path.contains(&chat.to_string()) || path.starts_with("messages/");
        assert!(if is_about_it { *status == 404 } else { shows == 0 }, "{path}: {status} {json}");
    }
    let hello = bob.listens().await.hello;
    assert_eq!(hello["chats"], json!({}), "{hello}");
    assert_eq!(differences(&server).await, Vec::<String>::new());
    server.purges();
    until_none(&server, &format!("chats WHERE id = {chat}")).await;
    assert_eq!(count(&server, &format!("members WHERE chat_id = {chat}")).await, 0);
    assert_eq!(answers(&bob, chat, message).await, meanwhile);
}

#[actix_rt::test(system = "crate::System")]
async fn many_chats_are_handed_over_in_steps() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (mut bob_chats, mut eve_chats) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        bob_chats.push(bob.group("Team", &[&ann]).await);
        eve_chats.push(eve.group("Crew", &[&ann]).await);
    }
    let managed = async |chats: &[i64]| {
        let mut managed = 0;
        for chat in chats {
            let admins = ann.sees(*chat).await["admins"].clone();
            managed += usize::from(admins.as_array().unwrap().contains(&json!(ann.id)));
        }
        managed
    };
    let path = format!("users/{}/", bob.id);
    root.patch(&path, json!({"is_active": false})).await.expect(200);
    assert_eq!(managed(&bob_chats).await, 40, "when it is answered");
    // Simulate a server that ended right after storing the deactivation.
    let user = UserId(eve.id);
    let shutting_out = server.writer().run("shut_out", move |conn, _| {
        let mut row = succession::lock_for_status_change(conn, user)?.unwrap();
        succession::change_standing(conn, &mut row, false)
    });
    shutting_out.await.unwrap();
    assert_eq!(managed(&eve_chats).await, 0);
    assert_eq!(differences(&server).await, Vec::<String>::new(), "it is known");
    server.purges();
    until_none(&server, "successions").await;
    assert_eq!(managed(&eve_chats).await, 40);
    assert_eq!(differences(&server).await, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_chat_leaves_no_row_of_its_threads() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    let path = format!("chats/{chat}/messages/");
    for number in 0..40 {
        let sent = bob
            .post(&path, json!({"content": number.to_string(), "thread": root["id"]}))
            .await
            .expect(201)
            .json;
        if number % 3 == 0 {
            bob.deletes(&sent).await;
        }
    }
    assert_eq!(differences(&server).await, Vec::<String>::new());
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    server.purges();
    for table in [
        "thread_replies",
        "thread_participants",
        "threads",
        "follows",
        "sent_counts",
        "tombstone_counts",
        "messages",
    ] {
        until_none(&server, table).await;
    }
}
