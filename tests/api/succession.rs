//! Succession: which member becomes admin when a chat's admins are deactivated.

use greenroom::{
    core::model::UserId,
    storage::{
        Access, DatabaseUrl,
        commands::succession,
        maintenance::check,
        tables::{revocations, users},
        transaction,
    },
};
use serde_json::{Value, json};

use crate::support::{Server, User};

/// Deactivates or reactivates a user, as staff do.
async fn sets_active(staff: &User, user: &User, is_active: bool) {
    staff.patch(&format!("users/{}/", user.id), json!({"is_active": is_active})).await.expect(200);
}

/// Returns the ids of a chat's admins, as one of its members sees them.
async fn admins(user: &User, chat: i64) -> Value {
    user.sees(chat).await["admins"].clone()
}

async fn gives(by: &User, chat: i64, to: &User, role: &str) -> crate::support::Reply {
    by.patch(&format!("chats/{chat}/members/{}/", to.id), json!({"role": role})).await
}

async fn differences(server: &Server) -> Vec<String> {
    server.checks_database().await.differences
}

/// Stores only that a user is not active, as older servers did.
fn is_shut_out_the_old_way(url: &str, user: &User) {
    let mut conn = DatabaseUrl::parse(url).unwrap().open(Access::Write).unwrap();
    let work = |conn: &mut _| {
        let mut row = users::find(conn, UserId(user.id))?.unwrap();
        row.is_active = false;
        users::update(conn, &row)
    };
    transaction(&mut conn, work).unwrap();
}

#[actix_rt::test(system = "crate::System")]
async fn the_longest_standing_active_member_follows_an_admin_who_leaves() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, cat, dan] = server.users(["ann", "bob", "cat", "dan"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    ann.adds(chat, &[&cat]).await;
    ann.adds(chat, &[&dan]).await;
    sets_active(&root, &bob, false).await;
    let mut dan_socket = dan.listens().await;
    ann.removes(chat, &ann).await;
    assert_eq!(dan_socket.receives("members_changed").await["changed"][0]["id"], cat.id);
    assert_eq!(admins(&dan, chat).await, json!([cat.id]));
    assert_eq!(differences(&server).await, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn shutting_the_only_admin_out_hands_their_chats_over_at_once() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let group = ann.group("Team", &[&bob, &cat]).await;
    let room = ann.room("Lobby").await;
    cat.joins(room).await;
    let dm = ann.dm(&bob).await;
    let mut cat_socket = cat.listens().await;
    sets_active(&root, &ann, false).await;
    let mut heirs: Vec<(i64, Value)> = Vec::new();
    for _ in 0..2 {
        let reported = cat_socket.receives("members_changed").await;
        assert_eq!(reported["changed"][0]["role"], "admin");
        heirs.push((reported["chat_id"].as_i64().unwrap(), reported["changed"][0]["id"].clone()));
    }
    heirs.sort_by_key(|(chat, _)| *chat);
    assert_eq!(heirs, [(group, json!(bob.id)), (room, json!(cat.id))]);
    assert_eq!(admins(&cat, group).await, json!([ann.id, bob.id]));
    // A deactivated admin keeps the role, and has it again after reactivation.
    bob.put(&format!("chats/{group}/"), json!({"title": "Crew"})).await.expect(200);
    sets_active(&root, &ann, true).await;
    let ann = server.signed_in("ann").await;
    ann.put(&format!("chats/{group}/"), json!({"title": "Team"})).await.expect(200);
    assert_eq!(admins(&bob, dm).await, json!([ann.id]));
    assert_eq!(differences(&server).await, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_is_handed_over_while_another_admin_is_active() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    gives(&ann, chat, &cat, "admin").await.expect(200);
    let before = bob.sees(chat).await["seq"].clone();
    sets_active(&root, &ann, false).await;
    assert_eq!(bob.sees(chat).await["seq"], before);
    // The remaining member is the last active admin.
    assert_eq!(
        gives(&cat, chat, &cat, "member").await.expect(400).invalid("role"),
        json!(["The last admin of a chat stays its admin."])
    );
    gives(&cat, chat, &ann, "member").await.expect(200);
    gives(&cat, chat, &ann, "admin").await.expect(400).invalid("role");
    sets_active(&root, &cat, false).await;
    assert_eq!(admins(&bob, chat).await, json!([bob.id, cat.id]));
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_whose_members_are_all_shut_out_goes_to_the_first_who_is_let_in() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    for user in [&bob, &cat, &ann] {
        sets_active(&root, user, false).await;
    }
    assert_eq!(differences(&server).await, Vec::<String>::new());
    sets_active(&root, &cat, true).await;
    let cat = server.signed_in("cat").await;
    assert_eq!(admins(&cat, chat).await, json!([ann.id, cat.id]));
}

#[actix_rt::test(system = "crate::System")]
async fn staff_help_where_nobody_active_manages_a_chat_and_read_nothing() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    ann.posts(chat, "secret").await;
    let path = format!("chats/{chat}/");
    root.get(&path).await.expect(404);
    root.patch(&path, json!({"title": "Mine"})).await.expect(404);
    sets_active(&root, &bob, false).await;
    sets_active(&root, &ann, false).await;
    cat.get(&path).await.expect(404);
    let seen = root.get(&path).await.expect(200).json;
    assert_eq!((&seen["id"], &seen["last_message"]), (&json!(chat), &Value::Null));
    root.get(&format!("{path}messages/")).await.expect(404);
    root.patch(&path, json!({"title": "Kept"})).await.expect(200);
    gives(&root, chat, &bob, "admin").await.expect(400).invalid("role");
    // A member whom staff add becomes admin, and the chat is no longer visible to staff.
    root.adds(chat, &[&cat]).await;
    assert_eq!(admins(&cat, chat).await, json!([ann.id, cat.id]));
    root.get(&path).await.expect(404);
    cat.delete(&format!("{path}members/{}/remove/", ann.id)).await.expect(204);
}

#[actix_rt::test(system = "crate::System")]
async fn whoever_is_left_in_a_dm_may_delete_it() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let dm = ann.dm(&bob).await;
    bob.delete(&format!("chats/{dm}/")).await.expect(403);
    sets_active(&root, &ann, false).await;
    root.get(&format!("chats/{dm}/")).await.expect(404);
    bob.delete(&format!("chats/{dm}/")).await.expect(204);
}

#[actix_rt::test(system = "crate::System")]
async fn a_running_server_tells_what_the_command_line_hands_over() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    let work = |conn: &mut _| {
        let mut row = succession::lock_for_status_change(conn, UserId(ann.id))?.unwrap();
        succession::change_standing(conn, &mut row, false)?;
        revocations::record(conn, row.id())
    };
    transaction(&mut conn, work).unwrap();
    let reported = bob_socket.receives("members_changed").await;
    assert_eq!((&reported["chat_id"], &reported["changed"][0]["role"]), (&json!(chat), &json!("admin")));
}

#[actix_rt::test(system = "crate::System")]
async fn chats_that_lost_their_admins_before_are_found_and_handed_over_at_the_start() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let database = server.stop();
    is_shut_out_the_old_way(&database.url(), &ann);
    let mut conn = DatabaseUrl::parse(&database.url()).unwrap().open(Access::Read).unwrap();
    let found = check::check(&mut conn).unwrap().differences;
    assert_eq!(found, [format!("chat {chat}: it has active members, and no active admin")]);
    let server = Server::start_on(database, |_| {}).await;
    let bob = bob.at(&server);
    while admins(&bob, chat).await != json!([ann.id, bob.id]) {}
    bob.put(&format!("chats/{chat}/"), json!({"title": "Crew"})).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn the_last_staff_user_is_not_shut_out() {
    let server = Server::start().await;
    let [root, other] = [server.staff("root").await, server.staff("other").await];
    sets_active(&root, &other, false).await;
    let reply = root.patch(&format!("users/{}/", root.id), json!({"is_active": false})).await;
    assert_eq!(reply.invalid("is_active"), json!(["The last active staff user stays active."]));
    root.get("users/me/").await.expect(200);
}
