//! Quotas: how many lasting objects a user may own, and create within an hour.

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt};
use futures_util::future::join_all;
use greenroom::{
    config::Config,
    rate_limit::Rates,
    storage::{Access, DatabaseUrl},
};
use serde_json::{Value, json};

use crate::{
    crowds::make_users,
    support::{PASSWORD, Reply, Server, User},
};

fn rates(text: &str) -> impl FnOnce(&mut Config) {
    let rates = Rates::parse(text).unwrap();
    move |config| config.rate_limit = rates
}

impl User {
    async fn asks_for_group(&self, others: &[i64]) -> Reply {
        self.post("chats/", json!({"chat_type": "group", "member_ids": others})).await
    }

    async fn asks_for_dm(&self, other: i64) -> Reply {
        self.post("chats/", json!({"chat_type": "dm", "member_ids": [other]})).await
    }
}

#[track_caller]
fn is_throttled(reply: &Reply) {
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 60, "{reply:?}");
}

// Chats.

#[actix_rt::test(system = "crate::System")]
async fn nobody_makes_or_joins_more_chats_than_so_many_and_others_use_up_none_of_them() {
    let server = Server::start_with(|config| config.max_chats_per_user = 3).await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let boss = server.staff("boss").await;
    // Chats that others create do not count, including dms with her and chats of which she is an admin.
    for number in 0..5 {
        let group = boss.group(&number.to_string(), &[&ann]).await;
        let path = format!("chats/{group}/members/{}/", ann.id);
        boss.patch(&path, json!({"role": "admin"})).await.expect(200);
    }
    cat.dm(&ann).await;
    boss.dm(&ann).await;
    let [lobby, hall] = [boss.room("Lobby").await, boss.room("Hall").await];
    boss.adds(hall, &[&ann]).await;
    let dm = ann.dm(&bob).await;
    let group = ann.group("Team", &[]).await;
    ann.joins(lobby).await;

    let sentence =
        "You have made or joined 3 chats, and nobody may have more. Leave or delete some of them first.";
    let is_full = |reply: Reply| assert_eq!(reply.invalid("non_field_errors"), json!([sentence]));
    is_full(ann.asks_for_group(&[bob.id]).await);
    is_full(ann.asks_for_dm(ann.id).await);
    is_full(ann.asks_for_room("Den", json!({})).await);
    let other = boss.room("Other").await;
    is_full(ann.post(&format!("chats/{other}/join/"), json!({})).await);
    assert_eq!(ann.get("chats/?page_size=100").await.expect(200).json["count"], 11);
    // With a full quota she can use her chats, create an unowned room, and be added by others.
    assert_eq!(ann.asks_for_dm(bob.id).await.expect(200).id(), dm);
    ann.joins(lobby).await;
    ann.joins(hall).await;
    ann.room_of_course("Rust", "rust").await;
    boss.adds(other, &[&ann]).await;
    // Other users have separate limits, and staff have none.
    bob.group("His", &[&ann]).await;

    // Leaving or deleting a chat frees its quota once; being added again by others takes none.
    ann.leaves(lobby).await;
    boss.adds(lobby, &[&ann]).await;
    ann.leaves(other).await;
    ann.joins(other).await;
    is_full(ann.asks_for_group(&[]).await);
    ann.delete(&format!("chats/{group}/")).await.expect(204);
    ann.asks_for_group(&[]).await.expect(201);
    is_full(ann.asks_for_group(&[]).await);
}

#[actix_rt::test(system = "crate::System")]
async fn groups_and_rooms_are_made_at_a_rate_and_what_there_is_is_found() {
    let server = Server::start_with(rates("groups=1/h:3")).await;
    let [ann, bob] = server.users(["ann", "bob"]).await.map(|user| user.at(&server));
    let boss = server.staff("boss").await.at(&server);
    // Failed requests do not count.
    for _ in 0..5 {
        ann.asks_for_group(&[999_999]).await.expect(400);
        ann.asks_for_room("", json!({})).await.expect(400);
    }
    ann.asks_for_group(&[bob.id]).await.expect(201);
    let room = ann.room_of_course("Rust", "rust").await;
    for _ in 0..5 {
        let found = ann.asks_for_room("Rust", json!({"object_type": "course", "object_id": "rust"})).await;
        assert_eq!(found.expect(200).id(), room);
    }
    ann.asks_for_room("Den", json!({})).await.expect(201);
    let refused = ann.asks_for_group(&[bob.id]).await;
    is_throttled(&refused);
    is_throttled(&ann.asks_for_room("Den", json!({})).await);
    let hidden = json!({"object_type": "course", "object_id": "hidden", "is_public": false});
    boss.asks_for_room("Hidden", hidden.clone()).await.expect(201);
    ann.asks_for_room("Hidden", hidden).await.expect(403);
    let found = ann.asks_for_room("Rust", json!({"object_type": "course", "object_id": "rust"})).await;
    assert_eq!(found.expect(200).id(), room);
    // Dms and other users are not limited; staff have no limit.
    ann.dm(&bob).await;
    bob.asks_for_group(&[ann.id]).await.expect(201);
    for _ in 0..5 {
        boss.asks_for_group(&[ann.id]).await.expect(201);
    }
    assert_eq!(ann.get("chats/?page_size=100").await.expect(200).json["count"], 9);
}

#[actix_rt::test(system = "crate::System")]
async fn dms_are_begun_at_a_rate_and_those_there_are_are_found() {
    let server = Server::start_with(rates("dms=1/h:2")).await;
    let [ann, bob, cat, dan] = server.users(["ann", "bob", "cat", "dan"]).await.map(|user| user.at(&server));
    let boss = server.staff("boss").await.at(&server);
    bob.asks_for_dm(ann.id).await.expect(201);
    for _ in 0..5 {
        ann.asks_for_dm(bob.id).await.expect(200);
        ann.asks_for_dm(999_999).await.expect(400);
    }
    ann.asks_for_dm(cat.id).await.expect(201);
    ann.asks_for_dm(ann.id).await.expect(201);
    is_throttled(&ann.asks_for_dm(dan.id).await);
    ann.asks_for_dm(cat.id).await.expect(200);
    ann.asks_for_dm(ann.id).await.expect(200);
    for user in [&ann, &bob, &cat, &dan] {
        boss.asks_for_dm(user.id).await.expect(201);
    }
    // The recipients' quota is unused, so they can write back.
    dan.asks_for_dm(ann.id).await.expect(201);
    ann.group("Team", &[&dan]).await;
}

#[actix_rt::test(system = "crate::System")]
async fn there_are_limits_by_default() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    let mut made = Vec::new();
    // In batches: with PostgreSQL a request times out after a while.
    for _ in 0..15 {
        made.extend(join_all((0..10).map(|_| ann.asks_for_group(&[]))).await);
    }
    assert_eq!(made.iter().filter(|reply| reply.status == 201).count(), 100);
    assert_eq!(made.iter().filter(|reply| reply.status == 429).count(), 50);
}

#[actix_rt::test(system = "crate::System")]
async fn who_hangs_up_makes_no_more_than_who_waits() {
    let server = Server::start_with(rates("groups=1/h:3")).await;
    let ann = server.user("ann").await.at(&server);
    let body = json!({"chat_type": "group", "member_ids": []});
    for number in 0..60 {
        ann.hangs_up_on("POST", "/messages/api/chats/", &body, number * 20).await;
    }
    while ann.asks_for_group(&[]).await.status == 201 {}
    let count = ann.get("chats/").await.expect(200).json["count"].as_i64().unwrap();
    // None, if each request that counted was dropped before it was stored.
    assert!(count <= 3, "{count}");
}

// Members.

#[actix_rt::test(system = "crate::System")]
async fn a_request_names_no_more_than_two_hundred_people_and_the_others_come_in_by_further_ones() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let first = bob.id + 1_000;
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    make_users(&mut conn, first, 401).unwrap();
    let ids: Vec<i64> = (first..first + 401).collect();
    let sentence = json!(["Ensure this field has no more than 200 elements."]);
    assert_eq!(ann.asks_for_group(&ids[..201]).await.invalid("member_ids"), sentence);
    let group = ann.asks_for_group(&ids[..200]).await.expect(201).id();
    let path = format!("chats/{group}/members/add/");
    let add = async |user: &User, ids: &[i64]| user.post(&path, json!({"user_ids": ids})).await;
    assert_eq!(add(&ann, &ids[200..]).await.invalid("user_ids"), sentence);
    // Duplicates and existing members count too; a user who may not see the chat gets 404.
    assert_eq!(add(&ann, &[bob.id; 201]).await.invalid("user_ids"), sentence);
    assert_eq!(add(&ann, &ids[..201]).await.invalid("user_ids"), sentence);
    add(&bob, &ids[..201]).await.expect(404);
    assert_eq!(add(&ann, &ids[200..400]).await.expect(200).json["added_count"], 200);
    assert_eq!(add(&ann, &ids[400..]).await.expect(200).json["added_count"], 1);
    assert_eq!(ann.sees(group).await["member_count"], 402);
}

// Sessions and tokens.

#[actix_rt::test(system = "crate::System")]
async fn a_sign_in_beyond_the_limit_ends_the_session_with_the_oldest_request() {
    let server = Server::start_with(|config| config.max_sessions_per_user = 3).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let bob_session = server.signed_in("bob").await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(server.signed_in("ann").await);
    }
    let mut sockets = Vec::new();
    for session in &sessions {
        sockets.push(session.listens().await);
    }
    let newest = server.signed_in("ann").await;
    assert_eq!(sockets[0].is_closed().await, 4401);
    sessions[0].get("chats/").await.expect(401);
    for session in [&sessions[1], &sessions[2], &newest] {
        session.get("chats/").await.expect(200);
    }
    assert_eq!(newest.get("users/me/sessions/").await.expect(200).json["count"], 3);
    // Tokens, their sockets and other users' sessions are not affected.
    ann.get("chats/").await.expect(200);
    bob_session.get("chats/").await.expect(200);
    for socket in &mut sockets[1..] {
        socket.says(r#"{"type": "ping", "id": 1}"#).await;
        socket.receives("pong").await;
    }
    bob.get("chats/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn only_so_many_tokens_work_for_a_user() {
    let server = Server::start_with(|config| config.max_tokens_per_user = 3).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let boss = server.staff("boss").await;
    let path = format!("users/{}/tokens/", ann.id);
    let make = async |body: Value| boss.post(&path, body).await;
    make(json!({})).await.expect(201);
    let brief = make(json!({"expires_in": 3_600})).await.expect(201).id();
    let sentence = "3 tokens work for this user, and there may be no more. End some of them, or make them expire sooner.";
    assert_eq!(make(json!({})).await.invalid("non_field_errors"), json!([sentence]));
    ann.get("chats/").await.expect(200);
    boss.post(&format!("users/{}/tokens/", bob.id), json!({})).await.expect(201);
    // Expired and revoked tokens do not count.
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    conn.batch_execute(&format!("UPDATE tokens SET expires_at = 1 WHERE id = {brief}")).unwrap();
    let another = make(json!({})).await.expect(201).id();
    make(json!({})).await.expect(400);
    ann.delete(&format!("users/me/tokens/{another}/")).await.expect(204);
    make(json!({})).await.expect(201);
    // Sessions do not count as tokens.
    let body = json!({"username": "ann", "password": PASSWORD});
    server.anonymous().send("POST", "/login/", Some(body)).await.expect(200);
}

/// Counts the notifications for other nodes about changed users and ended credentials.
fn noted(server: &Server) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Read).unwrap();
    sql_query("SELECT count(*) AS count FROM revocations").get_result::<Count>(&mut conn).unwrap().count
}

#[actix_rt::test(system = "crate::System")]
async fn what_changes_and_ends_nothing_leaves_nothing_behind() {
    let server = Server::start().await;
    let (root, [ann, bob]) = (server.staff("root").await, server.users(["ann", "bob"]).await);
    ann.patch("users/me/", json!({"first_name": "Ann"})).await.expect(200);
    root.delete(&format!("users/{}/tokens/", bob.id)).await.expect(204);
    let before = noted(&server);
    for _ in 0..5 {
        ann.delete("users/me/sessions/").await.expect(204);
        ann.delete("users/me/tokens/").await.expect(204);
        ann.patch("users/me/", json!({"first_name": "Ann"})).await.expect(200);
        ann.patch("users/me/", json!({})).await.expect(200);
        root.delete(&format!("users/{}/tokens/", bob.id)).await.expect(204);
    }
    assert_eq!(noted(&server), before);
    ann.patch("users/me/", json!({"first_name": "Bea"})).await.expect(200);
    assert_eq!(noted(&server), before + 1);
}

#[actix_rt::test(system = "crate::System")]
async fn a_notification_replaces_the_earlier_ones_of_its_user() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let renames = async |user: &User, name: &str| {
        user.patch("users/me/", json!({"first_name": name})).await.expect(200);
    };
    renames(&bob, "Bob").await;
    let before = noted(&server);
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    for name in ["Ann", "Anna", "Ann", "Anna", "Ann"] {
        renames(&ann, name).await;
        // The server has seen it long ago.
        let minutes = 2 * 60 * 1_000_000;
        conn.batch_execute(&format!("UPDATE revocations SET created_at = created_at - {minutes}")).unwrap();
    }
    // The one of bob stays.
    assert_eq!(noted(&server), before + 1);
    renames(&ann, "Anna").await;
    renames(&ann, "Ann").await;
    // What other servers may not have seen yet stays.
    assert_eq!(noted(&server), before + 2);
}
