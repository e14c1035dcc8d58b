//! Chat actors that do not know of a change of members, as when another process made it.

use futures_util::future::join_all;
use greenroom::{
    core::model::{ChatId, Command, UserId, command::Action},
    storage::commands::apply,
};
use serde_json::{Value, json};

use crate::support::{Server, User};

/// Runs a command in the database, past the chat's actor.
async fn behind_the_actor(server: &Server, chat: i64, by: &User, action: Action) {
    let command = Command { chat: ChatId(chat), by: UserId(by.id), action };
    let run = move |conn: &mut _, policy: &_| apply(conn, policy, &command).map(drop);
    server.writer().run("test", run).await.unwrap();
}

/// Posts messages at the same time, each twice under the same client id. Returns the messages.
async fn post_twice(user: &User, chat: i64, count: usize) -> Vec<Value> {
    let path = format!("chats/{chat}/messages/");
    let body = |number: usize| json!({"content": "x", "client_id": format!("{}", number / 2)});
    let replies = join_all((0..count * 2).map(|number| user.post(&path, body(number)))).await;
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!((created, replies.iter().filter(|reply| reply.status == 200).count()), (count, count));
    replies.into_iter().map(|reply| reply.json).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn a_member_removed_without_the_actors_knowledge_posts_nothing_more() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    for user in [&ann, &bob, &ann, &bob] {
        user.posts(chat, "before").await;
    }
    behind_the_actor(&server, chat, &ann, Action::RemoveMember { user: UserId(bob.id) }).await;
    let path = format!("chats/{chat}/messages/");
    for _ in 0..2 {
        assert_eq!(bob.post(&path, json!({"content": "after"})).await.status, 404);
        ann.posts(chat, "after").await;
    }
    behind_the_actor(&server, chat, &ann, Action::AddMembers { users: vec![UserId(bob.id)] }).await;
    bob.posts(chat, "again").await;
    let page = ann.get(&path).await.json;
    let texts: Vec<&str> = page["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["again", "after", "after", "before", "before", "before", "before"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_deleted_without_the_actors_knowledge_takes_nothing_more() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    ann.posts(chat, "one").await;
    ann.posts(chat, "two").await;
    behind_the_actor(&server, chat, &ann, Action::DeleteChat).await;
    let reply = ann.post(&format!("chats/{chat}/messages/"), json!({"content": "three"})).await;
    assert_eq!(reply.status, 404);
}

#[actix_rt::test(system = "crate::System")]
async fn a_block_ends_the_writing_of_somebody_whom_the_actor_knows() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let dm = ann.post("chats/", json!({"chat_type": "dm", "member_ids": [bob.id]})).await.expect(201).id();
    bob.posts(dm, "one").await;
    bob.posts(dm, "two").await;
    ann.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    let reply = bob.post(&format!("chats/{dm}/messages/"), json!({"content": "three"})).await;
    assert_eq!(reply.status, 403);
}

#[actix_rt::test(system = "crate::System")]
async fn retries_of_known_members_are_stored_once_without_a_gap() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    ann.posts(chat, "first").await;
    for user in [&ann, &bob] {
        let messages = post_twice(user, chat, 20).await;
        messages.chunks(2).for_each(|pair| assert_eq!(pair[0]["id"], pair[1]["id"]));
    }
    let other = json!({"content": "other", "client_id": "3"});
    assert_eq!(ann.post(&format!("chats/{chat}/messages/"), other).await.status, 409);
    assert_eq!(ann.get(&format!("chats/{chat}/messages/")).await.json["count"], 41);
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn the_number_of_known_members_is_a_metric_and_ends_with_a_change_of_members() {
    let server = Server::watched().await;
    let [ann, bob, carol] = server.users(["ann", "bob", "carol"]).await;
    let (ann, bob) = (ann.at(&server), bob.at(&server));
    let known = async || server.series("greenroom_known_members").await;
    let chat = ann.group("Team", &[&bob]).await;
    assert_eq!(known().await, Some(0.0));
    for user in [&ann, &bob, &ann] {
        user.posts(chat, "x").await;
    }
    assert_eq!(known().await, Some(2.0));
    ann.adds(chat, &[&carol]).await;
    assert_eq!(known().await, Some(0.0));
    ann.posts(chat, "x").await;
    let role = format!("chats/{chat}/members/{}/", bob.id);
    ann.patch(&role, json!({"role": "admin"})).await.expect(200);
    assert_eq!(known().await, Some(0.0));
}
