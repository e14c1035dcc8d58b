use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

/// Returns the members of a chat with their roles, in the order of joining.
async fn roles(user: &User, chat: i64) -> Vec<(i64, String)> {
    let page = user.get(&format!("chats/{chat}/members/")).await.expect(200);
    let role = |member: &Value| (member["id"].as_i64().unwrap(), member["role"].as_str().unwrap().to_owned());
    page.results().iter().map(role).collect()
}

/// Returns a member as the list of members shows it.
async fn member(user: &User, chat: i64, of: &User) -> Value {
    let page = user.get(&format!("chats/{chat}/members/")).await.expect(200);
    page.results().iter().find(|member| member["id"] == of.id).cloned().expect("a member")
}

/// Gives a member a role.
async fn gives(user: &User, chat: i64, other: i64, role: &str) -> Reply {
    user.patch(&format!("chats/{chat}/members/{other}/"), json!({"role": role})).await
}

/// Tries to add users.
async fn tries_to_add(user: &User, chat: i64, ids: Value) -> Reply {
    user.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": ids})).await
}

/// Tries to remove a user.
async fn tries_to_remove(user: &User, chat: i64, other: i64) -> Reply {
    user.delete(&format!("chats/{chat}/members/{other}/remove/")).await
}

fn admin(user: &User) -> (i64, String) {
    (user.id, "admin".to_owned())
}

fn plain(user: &User) -> (i64, String) {
    (user.id, "member".to_owned())
}

// Adding members.

#[actix_rt::test(system = "crate::System")]
async fn adding_counts_those_who_were_not_in() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[]).await;
    let reply = tries_to_add(&ann, chat, json!([bob.id, bob.id, ann.id])).await.expect(200);
    assert_eq!(reply.json, json!({"status": "success", "added_count": 1}));
    assert_eq!(ann.adds(chat, &[&bob, &cat]).await, 1);
    assert_eq!(ann.adds(chat, &[&bob, &cat]).await, 0);
    assert_eq!(ann.adds(chat, &[]).await, 0);
    assert_eq!(roles(&bob, chat).await, [admin(&ann), plain(&bob), plain(&cat)]);
    let seen = ann.sees(chat).await;
    assert_eq!((&seen["member_count"], &seen["seq"]), (&json!(3), &json!(3)));
}

#[actix_rt::test(system = "crate::System")]
async fn people_added_together_share_one_number() {
    let server = Server::start().await;
    let [ann, bob, cat, dan] = server.users(["ann", "bob", "cat", "dan"]).await;
    let chat = ann.group("Team", &[&dan]).await;
    let (mut ann_socket, mut bob_socket, mut cat_socket) =
        (ann.listens().await, bob.listens().await, cat.listens().await);
    ann.adds(chat, &[&cat, &dan, &bob]).await;
    let added = json!([member(&ann, chat, &bob).await, member(&ann, chat, &cat).await]);
    let event = ann_socket.receives("members_changed").await;
    let expected = json!({
        "type": "members_changed", "chat_id": chat, "seq": 2, "added": added, "removed": [], "changed": [],
        "member_count": 4
    });
    assert_eq!(event, expected);
    for (socket, user) in [(&mut bob_socket, &bob), (&mut cat_socket, &cat)] {
        let event = socket.receives("chat_created").await;
        assert_eq!(
            event,
            json!({"type": "chat_created", "chat_id": chat, "seq": 2, "chat": user.sees(chat).await})
        );
    }
    ann.posts(chat, "hi").await;
    for socket in [&mut ann_socket, &mut bob_socket, &mut cat_socket] {
        assert_eq!(socket.receives("new_message").await["seq"], 3);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn adding_who_is_in_already_tells_nobody() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    ann.adds(chat, &[&bob]).await;
    ann.posts(chat, "hi").await;
    assert_eq!(bob_socket.receives("new_message").await["seq"], 2);
}

#[actix_rt::test(system = "crate::System")]
async fn unknown_people_are_named_and_nobody_is_added() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[]).await;
    let reply = tries_to_add(&ann, chat, json!([bob.id, 999])).await;
    assert_eq!(reply.invalid("user_ids"), json!(["Invalid pk \"999\" - object does not exist."]));
    let cases = [
        (json!({}), "This field is required."),
        (json!({"user_ids": null}), "This field may not be null."),
        (json!({"user_ids": bob.id}), "Expected a list of items but got type \"int\"."),
        (json!({"user_ids": [bob.id, true]}), "Incorrect type. Expected pk value, received bool."),
    ];
    for (body, sentence) in cases {
        let reply = ann.post(&format!("chats/{chat}/members/add/"), body).await;
        assert_eq!(reply.invalid("user_ids"), json!([sentence]));
    }
    assert_eq!(roles(&ann, chat).await, [admin(&ann)]);
}

#[actix_rt::test(system = "crate::System")]
async fn only_admins_add_people() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    for ids in [json!([cat.id]), json!([999]), json!("x")] {
        tries_to_add(&bob, chat, ids.clone()).await.expect(403);
        tries_to_add(&cat, chat, ids).await.expect(404);
    }
    assert_eq!(roles(&ann, chat).await, [admin(&ann), plain(&bob)]);
}

#[actix_rt::test(system = "crate::System")]
async fn the_two_of_a_dm_stay_the_two() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let dm = ann.dm(&bob).await;
    tries_to_add(&ann, dm, json!([cat.id])).await.expect(400);
    gives(&ann, dm, bob.id, "admin").await.expect(400);
    tries_to_remove(&ann, dm, bob.id).await.expect(400);
    tries_to_remove(&ann, dm, ann.id).await.expect(400);
    for user in [&ann, &bob] {
        user.post(&format!("chats/{dm}/leave/"), json!({})).await.expect(400);
    }
    cat.post(&format!("chats/{dm}/leave/"), json!({})).await.expect(404);
    assert_eq!(roles(&ann, dm).await, [admin(&ann), plain(&bob)]);
}

// Leaving and removal.

#[actix_rt::test(system = "crate::System")]
async fn a_member_removed_mid_session_stops_receiving() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    ann.removes(chat, &bob).await;
    let message = ann.posts(chat, "secret").await;
    ann.edits(&message, "more secret").await;
    ann.put(&format!("chats/{chat}/"), json!({"title": "Us"})).await.expect(200);
    ann.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(200);
    let elsewhere = ann.posts(other, "hi").await;
    assert_eq!(
        bob_socket.receives("chat_deleted").await,
        json!({"type": "chat_deleted", "chat_id": chat, "seq": 2})
    );
    assert_eq!(bob_socket.receives("new_message").await["message"], elsewhere);
    let expected = json!({
        "type": "members_changed", "chat_id": chat, "seq": 2, "added": [], "removed": [bob.id], "changed": [],
        "member_count": 1
    });
    assert_eq!(ann_socket.receives("members_changed").await, expected);
}

#[actix_rt::test(system = "crate::System")]
async fn who_was_removed_finds_nothing_there() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = bob.posts(chat, "hi").await;
    assert!(tries_to_remove(&ann, chat, bob.id).await.expect(204).body.is_empty());
    for path in ["", "messages/", "members/"] {
        bob.get(&format!("chats/{chat}/{path}")).await.expect(404);
    }
    bob.get(&format!("messages/{}/", message["id"])).await.expect(404);
    tries_to_remove(&bob, chat, bob.id).await.expect(404);
    assert!(bob.get("chats/").await.ids().is_empty());
    assert_eq!(ann.reads(chat).await, ["hi"]);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_not_in_cannot_be_removed() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    for id in [cat.id, 999] {
        assert_eq!(tries_to_remove(&ann, chat, id).await.expect(404).json, json!({"detail": "Not found."}));
    }
    ann.delete(&format!("chats/{chat}/members/x/remove/")).await.expect(404);
    ann.removes(chat, &bob).await;
    tries_to_remove(&ann, chat, bob.id).await.expect(404);
    assert_eq!(ann.sees(chat).await["seq"], 2);
}

#[actix_rt::test(system = "crate::System")]
async fn a_plain_member_removes_nobody_but_oneself() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    for id in [ann.id, cat.id, 999] {
        tries_to_remove(&bob, chat, id).await.expect(403);
    }
    bob.removes(chat, &bob).await;
    cat.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    cat.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(404);
    assert_eq!(roles(&ann, chat).await, [admin(&ann)]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_message_never_follows_its_senders_removal() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut ann_socket = ann.listens().await;
    let path = format!("chats/{chat}/messages/");
    let sends = join_all((0..20).map(|_| bob.post(&path, json!({"content": "hi"}))));
    let (replies, removal) = join(sends, tries_to_remove(&ann, chat, bob.id)).await;
    removal.expect(204);
    let posted = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(replies.iter().filter(|reply| reply.status == 404).count(), 20 - posted);
    assert_eq!(ann.reads(chat).await.len(), posted);
    for _ in 0..posted {
        ann_socket.receives("new_message").await;
    }
    assert_eq!(ann_socket.receives("members_changed").await["seq"], posted + 2);
}

#[actix_rt::test(system = "crate::System")]
async fn the_last_admins_going_makes_the_longest_standing_member_admin() {
    let server = Server::start().await;
    let [ann, bob, cat, dan] = server.users(["ann", "bob", "cat", "dan"]).await;
    let chat = ann.group("Team", &[&dan]).await;
    ann.adds(chat, &[&cat]).await;
    ann.adds(chat, &[&bob]).await;
    // A returning member starts with fresh settings.
    dan.removes(chat, &dan).await;
    ann.adds(chat, &[&dan]).await;
    let mut dan_socket = dan.listens().await;
    ann.removes(chat, &ann).await;
    let changed = json!([member(&dan, chat, &cat).await]);
    let expected = json!({
        "type": "members_changed", "chat_id": chat, "seq": 6, "added": [], "removed": [ann.id], "changed": changed,
        "member_count": 3
    });
    assert_eq!(dan_socket.receives("members_changed").await, expected);
    assert_eq!(roles(&dan, chat).await, [admin(&cat), plain(&bob), plain(&dan)]);
    assert_eq!(dan.sees(chat).await["admins"], json!([cat.id]));
    cat.put(&format!("chats/{chat}/"), json!({"title": "Crew"})).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn an_admins_going_hands_over_nothing_while_there_is_another() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    gives(&ann, chat, cat.id, "admin").await.expect(200);
    let mut bob_socket = bob.listens().await;
    ann.removes(chat, &cat).await;
    assert_eq!(bob_socket.receives("members_changed").await["changed"], json!([]));
    assert_eq!(roles(&bob, chat).await, [admin(&ann), plain(&bob)]);
}

#[actix_rt::test(system = "crate::System")]
async fn the_last_members_going_deletes_the_group() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = bob.posts(chat, "hi").await;
    let mut bob_socket = bob.listens().await;
    ann.removes(chat, &ann).await;
    bob_socket.receives("members_changed").await;
    bob.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    assert_eq!(
        bob_socket.receives("chat_deleted").await,
        json!({"type": "chat_deleted", "chat_id": chat, "seq": 4})
    );
    bob.get(&format!("chats/{chat}/")).await.expect(404);
    bob.get(&format!("messages/{}/", message["id"])).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn all_may_leave_at_once() {
    let server = Server::start().await;
    let people = server.users(["ann", "bob", "cat", "dan", "eve"]).await;
    let others: Vec<&User> = people[1..].iter().collect();
    let chat = people[0].group("Team", &others).await;
    join_all(people.iter().map(|user| user.removes(chat, user))).await;
    for user in &people {
        user.get(&format!("chats/{chat}/")).await.expect(404);
    }
}

// Roles.

#[actix_rt::test(system = "crate::System")]
async fn a_role_is_answered_told_and_shown_alike() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let promoted = gives(&ann, chat, bob.id, "admin").await.expect(200).json;
    assert_eq!((&promoted["id"], &promoted["role"]), (&json!(bob.id), &json!("admin")));
    assert_eq!(promoted, member(&ann, chat, &bob).await);
    let expected = json!({
        "type": "members_changed", "chat_id": chat, "seq": 2, "added": [], "removed": [], "changed": [promoted],
        "member_count": 2
    });
    assert_eq!(bob_socket.receives("members_changed").await, expected);
    let seen = bob.sees(chat).await;
    assert_eq!((&seen["my_role"], &seen["admins"]), (&json!("admin"), &json!([ann.id, bob.id])));
    gives(&bob, chat, ann.id, "member").await.expect(200);
    tries_to_add(&ann, chat, json!([bob.id])).await.expect(403);
}

#[actix_rt::test(system = "crate::System")]
async fn the_role_that_one_has_already_changes_nothing() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    gives(&ann, chat, bob.id, "member").await.expect(200);
    gives(&ann, chat, ann.id, "admin").await.expect(200);
    ann.posts(chat, "hi").await;
    assert_eq!(bob_socket.receives("new_message").await["seq"], 2);
}

#[actix_rt::test(system = "crate::System")]
async fn the_last_admin_stays_one() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    assert!(gives(&ann, chat, ann.id, "member").await.invalid("role").is_array());
    gives(&ann, chat, bob.id, "admin").await.expect(200);
    gives(&ann, chat, ann.id, "member").await.expect(200);
    assert!(gives(&bob, chat, bob.id, "member").await.invalid("role").is_array());
    assert_eq!(roles(&ann, chat).await, [plain(&ann), admin(&bob)]);
}

#[actix_rt::test(system = "crate::System")]
async fn two_admins_who_demote_one_another_at_once_leave_one() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    gives(&ann, chat, bob.id, "admin").await.expect(200);
    let (one, other) = join(gives(&ann, chat, bob.id, "member"), gives(&bob, chat, ann.id, "member")).await;
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [200, 403]);
    assert_eq!(ann.sees(chat).await["admins"].as_array().unwrap().len(), 1);
}

#[actix_rt::test(system = "crate::System")]
async fn a_role_must_be_one_and_be_an_admins_to_give() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let path = format!("chats/{chat}/members/{}/", bob.id);
    assert_eq!(ann.patch(&path, json!({})).await.invalid("role"), json!(["This field is required."]));
    for role in ["owner", "Admin", ""] {
        let sentence = format!("\"{role}\" is not a valid choice.");
        assert_eq!(gives(&ann, chat, bob.id, role).await.invalid("role"), json!([sentence]));
        gives(&bob, chat, bob.id, role).await.expect(403);
        gives(&cat, chat, bob.id, role).await.expect(404);
        gives(&ann, chat, cat.id, role).await.expect(404);
    }
    gives(&bob, chat, bob.id, "admin").await.expect(403);
    gives(&cat, chat, cat.id, "admin").await.expect(404);
    gives(&ann, chat, cat.id, "admin").await.expect(404);
    assert_eq!(roles(&ann, chat).await, [admin(&ann), plain(&bob)]);
}

// The list of members.

#[actix_rt::test(system = "crate::System")]
async fn members_are_listed_by_joining_with_what_concerns_the_chat() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&cat]).await;
    let message = ann.posts(chat, "hi").await;
    cat.marks_as_read(chat).await;
    ann.adds(chat, &[&bob]).await;
    let page = cat.get(&format!("chats/{chat}/members/")).await.expect(200);
    assert_eq!(page.ids(), [ann.id, cat.id, bob.id]);
    assert_eq!(*page.results(), *cat.sees(chat).await["members"].as_array().unwrap());
    let [ann_entry, cat_entry, bob_entry] = [0, 1, 2].map(|place| &page.results()[place]);
    for (member, read, from) in [
        (ann_entry, Value::Null, Value::Null),
        (cat_entry, message["id"].clone(), Value::Null),
        (bob_entry, message["id"].clone(), message["id"].clone()),
    ] {
        assert_eq!(member["last_read_message_id"], read, "{member}");
        assert_eq!(member["read_from_message_id"], from, "{member}");
        assert!(member["joined_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(member["avatar_url"], format!("/messages/avatars/{}.svg", member["id"]));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn members_come_in_pages() {
    let server = Server::start().await;
    let people = server.users(["ann", "bob", "cat", "dan", "eve"]).await;
    let others: Vec<&User> = people[1..].iter().collect();
    let chat = people[0].group("Team", &others).await;
    let path = format!("chats/{chat}/members/");
    let first = people[1].get(&format!("{path}?page_size=3")).await.expect(200);
    assert_eq!((first.results().len(), &first.json["count"]), (3, &json!(5)));
    let second = people[1].follows(&first.json["next"]).await;
    assert_eq!((second.results().len(), &second.json["next"]), (2, &Value::Null));
    assert_eq!([first.ids(), second.ids()].concat(), people.each_ref().map(|user| user.id));
    let missing = people[1].get(&format!("{path}?page=2")).await.expect(404);
    assert_eq!(missing.json, json!({"detail": "Invalid page."}));
    let stranger = server.user("stranger").await;
    for query in ["", "?page=x"] {
        let reply = stranger.get(&format!("{path}{query}")).await.expect(404);
        assert_eq!(reply.json, json!({"detail": "Not found."}));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn members_are_found_by_their_names() {
    let server = Server::start().await;
    let [ann, bob, bobby, bert, dora] = server.users(["ann", "bob", "bobby", "bert", "dora"]).await;
    let chat = ann.group("Team", &[&bobby, &bob, &bert]).await;
    bert.patch("users/me/", json!({"first_name": "Bert", "last_name": "O'Hara 100%"})).await.expect(200);
    let found = async |search: &str| {
        let page = ann.get(&format!("chats/{chat}/members/?search={search}")).await.expect(200);
        assert_eq!(page.json["count"], page.ids().len());
        page.ids()
    };
    assert_eq!(found("BOB").await, [bob.id, bobby.id]);
    assert_eq!(found("hara%20bert").await, [bert.id]);
    assert_eq!(found("%25").await, [bert.id]);
    // No users outside the chat, no match by email address, and all members for an empty search.
    assert_eq!(found("dora").await, [] as [i64; 0]);
    assert_eq!(found("example.com").await, [] as [i64; 0]);
    assert_eq!(found("%20").await.len(), 4);
    let second = ann.get(&format!("chats/{chat}/members/?search=bob&page_size=1&page=2")).await.expect(200);
    assert_eq!((&second.json["count"], second.results().len()), (&json!(2), 1));
    ann.get(&format!("chats/{chat}/members/?search=bob&page_size=1&page=3")).await.expect(404);
    dora.get(&format!("chats/{chat}/members/?search=bob")).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_shows_its_first_hundred_members_and_counts_all() {
    let server = Server::start().await;
    let people = server.crowd(102).await;
    let others: Vec<&User> = people[1..].iter().collect();
    let chat = people[0].group("Hall", &others[..100]).await;
    people[0].adds(chat, &others[100..]).await;
    let last = &people[101];
    gives(&people[0], chat, last.id, "admin").await.expect(200);
    let seen = last.sees(chat).await;
    assert_eq!((seen["members"].as_array().unwrap().len(), &seen["member_count"]), (100, &json!(102)));
    assert_eq!((&seen["admins"], &seen["my_role"]), (&json!([people[0].id, last.id]), &json!("admin")));
    let first = last.get(&format!("chats/{chat}/members/")).await;
    assert_eq!((first.results().len(), &first.json["count"]), (100, &json!(102)));
    let second = last.follows(&first.json["next"]).await;
    assert_eq!(second.ids(), [people[100].id, last.id]);
}

// Rejoining.

#[actix_rt::test(system = "crate::System")]
async fn who_comes_back_starts_with_everything_read() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let missed = ann.posts(chat, "1").await;
    ann.removes(chat, &bob).await;
    let latest = ann.posts(chat, "2").await;
    let mut bob_socket = bob.listens().await;
    ann.adds(chat, &[&bob]).await;
    let created = bob_socket.receives("chat_created").await;
    assert_eq!(created["chat"], bob.sees(chat).await);
    assert_eq!(created["chat"]["unread_count"], 0);
    assert_eq!(created["chat"]["last_read_message_id"], latest["id"]);
    let back = member(&bob, chat, &bob).await;
    assert_eq!((&back["read_from_message_id"], &back["role"]), (&latest["id"], &json!("member")));
    for message in [&missed, &latest] {
        let shown = bob.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
        assert_eq!((&shown["read_by"], &shown["read_count"]), (&json!([ann.id]), &json!(1)));
    }
    ann.posts(chat, "3").await;
    assert_eq!(bob_socket.receives("new_message").await["seq"], 6);
    assert_eq!(bob.sees(chat).await["unread_count"], 1);
}

#[actix_rt::test(system = "crate::System")]
async fn an_admin_who_comes_back_is_a_plain_member() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    ann.removes(chat, &ann).await;
    bob.adds(chat, &[&ann]).await;
    assert_eq!(roles(&ann, chat).await, [admin(&bob), plain(&ann)]);
}
