//! `GREENROOM_CONTACTS`: which users may find, write to and add each other.

use greenroom::core::model::Contacts;
use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn server(contacts: Contacts) -> Server {
    Server::start_with(|config| config.contacts = contacts).await
}

impl User {
    async fn begins(&self, kind: &str, others: &[&User]) -> Reply {
        let ids: Vec<i64> = others.iter().map(|user| user.id).collect();
        self.post("chats/", json!({"chat_type": kind, "member_ids": ids})).await
    }

    async fn tries_to_add(&self, chat: i64, ids: Value) -> Reply {
        self.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": ids})).await
    }
}

#[track_caller]
fn assert_refused(reply: &Reply, sentence: &str) {
    assert_eq!((reply.status, &reply.json), (403, &json!({"detail": sentence})));
}

const STAFF_ONLY: &str = "Only staff may start chats and add people here.";
const NO_STRANGERS: &str = "You may only write to and add people with whom you share a chat.";

#[actix_rt::test(system = "crate::System")]
async fn the_settings_tell_it() {
    for (contacts, reported) in [
        (Contacts::All, "all"),
        (Contacts::StaffOnlyStart, "staff-only-start"),
        (Contacts::SharedChat, "shared-chat"),
    ] {
        let server = server(contacts).await;
        assert_eq!(server.user("ann").await.get("settings/").await.expect(200).json["contacts"], reported);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn where_only_staff_start_chats_others_answer() {
    let server = server(Contacts::StaffOnlyStart).await;
    let (root, [ann, bob, cat]) = (server.staff("root").await, server.users(["ann", "bob", "cat"]).await);
    for kind in ["dm", "group"] {
        assert_refused(&ann.begins(kind, &[&bob]).await, STAFF_ONLY);
        // The answer does not mention that user 999 does not exist.
        let unknown = json!({"chat_type": kind, "member_ids": [bob.id, 999]});
        assert_refused(&ann.post("chats/", unknown).await, STAFF_ONLY);
        // A chat without other members is allowed.
        ann.begins(kind, &[]).await.expect(201);
    }
    let own = ann.room("Hall").await;
    assert_refused(&ann.tries_to_add(own, json!([bob.id])).await, STAFF_ONLY);
    bob.joins(own).await;

    let dm = root.begins("dm", &[&ann]).await.expect(201).id();
    ann.posts(dm, "hi").await;
    assert_eq!(ann.begins("dm", &[&root]).await.expect(200).id(), dm);
    let team = root.begins("group", &[&ann, &bob]).await.expect(201).id();
    root.patch(&format!("chats/{team}/members/{}/", ann.id), json!({"role": "admin"})).await.expect(200);
    assert_refused(&ann.tries_to_add(team, json!([cat.id])).await, STAFF_ONLY);
    bob.tries_to_add(team, json!([cat.id])).await.expect(403);
    cat.tries_to_add(team, json!([cat.id])).await.expect(404);
    assert_eq!(root.adds(team, &[&cat]).await, 1);
    // A shared chat is not enough.
    assert_refused(&ann.begins("dm", &[&bob]).await, STAFF_ONLY);
}

#[actix_rt::test(system = "crate::System")]
async fn where_a_chat_is_to_be_shared_strangers_stay_strangers() {
    let server = server(Contacts::SharedChat).await;
    let (root, [ann, bob, cat]) = (server.staff("root").await, server.users(["ann", "bob", "cat"]).await);
    for kind in ["dm", "group"] {
        assert_refused(&ann.begins(kind, &[&bob]).await, NO_STRANGERS);
    }
    // Users that do not exist are refused as strangers are.
    for ids in [json!([999]), json!([bob.id, 999]), json!([bob.id, cat.id])] {
        let reply = ann.post("chats/", json!({"chat_type": "dm", "member_ids": ids})).await;
        assert_refused(&reply, NO_STRANGERS);
    }
    let reply = root.post("chats/", json!({"chat_type": "dm", "member_ids": [999]})).await;
    assert_eq!(reply.invalid("member_ids"), json!(["Invalid pk \"999\" - object does not exist."]));
    let team = root.begins("group", &[&ann, &bob]).await.expect(201).id();
    let dm = ann.begins("dm", &[&bob]).await.expect(201).id();
    let own = ann.begins("group", &[&bob]).await.expect(201).id();
    assert_refused(&ann.begins("group", &[&bob, &cat]).await, NO_STRANGERS);
    assert_refused(&ann.tries_to_add(own, json!([cat.id, bob.id])).await, NO_STRANGERS);
    assert_eq!(ann.sees(own).await["member_count"], 2);
    // A shared room makes two users acquainted too.
    let hall = root.room("Hall").await;
    for user in [&ann, &cat] {
        user.joins(hall).await;
    }
    assert_eq!(ann.adds(own, &[&cat]).await, 1);
    // Bob knows cat from ann's group. After leaving, bob is a stranger again, except in existing chats.
    bob.begins("dm", &[&cat]).await.expect(201);
    for chat in [team, own] {
        bob.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    }
    assert_eq!(ann.begins("dm", &[&bob]).await.expect(200).id(), dm);
    ann.posts(dm, "still here").await;
    // The dm counts as a shared chat.
    ann.begins("group", &[&bob]).await.expect(201);
    let stranger = server.user("dan").await;
    root.begins("dm", &[&stranger]).await.expect(201);
    stranger.begins("dm", &[&root]).await.expect(200);
    stranger.begins("group", &[&root]).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn everybody_may_write_to_everybody_unless_it_is_set() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    for kind in ["dm", "group"] {
        ann.begins(kind, &[&bob]).await.expect(201);
    }
}

async fn finds(user: &User, query: &str) -> Vec<String> {
    let reply = user.get(&format!("users/search/?q={query}")).await.expect(200);
    reply.results().iter().map(|found| found["username"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn only_those_are_found_whom_one_may_write_to() {
    for contacts in [Contacts::StaffOnlyStart, Contacts::SharedChat] {
        let server = server(contacts).await;
        let root = server.staff("root").await;
        let [ann, bob, bobby, boris, gone] = server.users(["ann", "bob", "bobby", "boris", "bodo"]).await;
        assert!(finds(&ann, "bo").await.is_empty());
        assert_eq!(finds(&root, "bo").await, ["bob", "bobby", "bodo", "boris"]);
        let team = root.begins("group", &[&ann, &bobby, &boris]).await.expect(201).id();
        root.begins("dm", &[&ann]).await.expect(201);
        root.begins("group", &[&ann, &bobby, &gone]).await.expect(201);
        let hall = root.room("Hall").await;
        for user in [&ann, &bob] {
            user.joins(hall).await;
        }
        root.patch(&format!("users/{}/", gone.id), json!({"is_active": false})).await.expect(200);
        // Exact matches first, then prefixes, then other matches, each once.
        assert_eq!(finds(&ann, "bob").await, ["bob", "bobby"]);
        assert_eq!(finds(&ann, "bo").await, ["bob", "bobby", "boris"]);
        assert_eq!(finds(&ann, "OBB").await, ["bobby"]);
        assert_eq!(finds(&ann, "boris%20example").await, ["boris"]);
        assert_eq!(finds(&ann, "root").await, ["root"]);
        assert!(finds(&ann, "ann").await.is_empty());
        assert!(finds(&ann, "%25").await.is_empty());
        assert_eq!(finds(&bob, "oo").await, ["root"]);
        boris.post(&format!("chats/{team}/leave/"), json!({})).await.expect(204);
        assert_eq!(finds(&ann, "bo").await, ["bob", "bobby"]);
        let found = ann.get("users/search/?q=bobby").await.json["results"][0].clone();
        assert_eq!(found["email"], "bobby@example.com");
        assert_eq!(ann.get("users/search/?q=").await.status, 400);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn twenty_acquaintances_are_found_at_most() {
    let server = server(Contacts::SharedChat).await;
    let (root, crowd) = (server.staff("root").await, server.crowd(25).await);
    root.begins("group", &crowd.iter().collect::<Vec<_>>()).await.expect(201);
    let found = finds(&crowd[0], "user").await;
    let expected: Vec<String> = crowd[1..21].iter().map(|user| user.name.clone()).collect();
    assert_eq!(found, expected);
}

/// Returns the status and body of an answer, without what differs between requests.
async fn answer(user: &User, method: &str, path: &str, body: Option<Value>) -> (u16, Vec<u8>) {
    let reply = user.send(method, path, body).await;
    (reply.status, reply.body.clone())
}

#[actix_rt::test(system = "crate::System")]
async fn those_who_may_not_be_found_are_like_those_who_never_were() {
    for contacts in [Contacts::StaffOnlyStart, Contacts::SharedChat] {
        let server = server(contacts).await;
        let root = server.staff("root").await;
        let [ann, bob, gone, friend] = server.users(["ann", "bob", "gone", "friend"]).await;
        root.begins("group", &[&ann, &friend]).await.expect(201);
        root.begins("group", &[&bob, &gone]).await.expect(201);
        root.patch(&format!("users/{}/", gone.id), json!({"is_active": false})).await.expect(200);
        let own = ann.begins("group", &[]).await.expect(201).id();
        let asked = |id: i64| {
            let api = "/messages/api";
            let add = json!({"user_ids": [id]});
            let with = |kind: &str, ids: Value| Some(json!({"chat_type": kind, "member_ids": ids}));
            vec![
                ("GET", format!("{api}/users/{id}/"), None),
                ("POST", format!("{api}/users/{id}/block/"), None),
                ("DELETE", format!("{api}/users/{id}/block/"), None),
                ("PATCH", format!("{api}/users/{id}/"), Some(json!({"first_name": "x"}))),
                ("POST", format!("{api}/users/{id}/tokens/"), None),
                ("DELETE", format!("{api}/users/{id}/tokens/"), None),
                ("GET", format!("/messages/avatars/{id}.svg"), None),
                ("GET", format!("/messages/avatars/{id}.svg?key=AAAA"), None),
                ("POST", format!("{api}/chats/"), with("dm", json!([id]))),
                ("POST", format!("{api}/chats/"), with("group", json!([id]))),
                ("POST", format!("{api}/chats/"), with("group", json!([friend.id, id]))),
                ("POST", format!("{api}/chats/"), with("dm", json!([friend.id, id]))),
                ("POST", format!("{api}/chats/{own}/members/add/"), Some(add)),
                ("PATCH", format!("{api}/chats/{own}/members/{id}/"), Some(json!({"role": "admin"}))),
                ("DELETE", format!("{api}/chats/{own}/members/{id}/remove/"), None),
            ]
        };
        for (unknown, hidden) in asked(99_999).into_iter().zip(asked(bob.id)) {
            let expected = answer(&ann, unknown.0, &unknown.1, unknown.2).await;
            assert!(expected.0 >= 403, "{} {}: {}", unknown.0, unknown.1, expected.0);
            let found = answer(&ann, hidden.0, &hidden.1, hidden.2).await;
            assert_eq!(found, expected, "{} {}", hidden.0, hidden.1);
        }
        for (unknown, hidden) in asked(99_999).into_iter().zip(asked(gone.id)) {
            let expected = answer(&ann, unknown.0, &unknown.1, unknown.2).await;
            let found = answer(&ann, hidden.0, &hidden.1, hidden.2).await;
            assert_eq!(found, expected, "{} {}", hidden.0, hidden.1);
        }
        let nobody = server.anonymous();
        let avatar = |id: i64| format!("/messages/avatars/{id}.svg");
        let expected = answer(&nobody, "GET", &avatar(99_999), None).await;
        for id in [ann.id, bob.id, gone.id] {
            assert_eq!(answer(&nobody, "GET", &avatar(id), None).await, expected);
        }
        assert_eq!(expected.0, 404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn those_with_whom_one_shares_a_chat_are_seen() {
    for contacts in [Contacts::StaffOnlyStart, Contacts::SharedChat] {
        let server = server(contacts).await;
        let root = server.staff("root").await;
        let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
        let team = root.begins("group", &[&ann, &bob]).await.expect(201).id();
        let path = format!("users/{}/", bob.id);
        let seen = ann.get(&path).await.expect(200).json;
        // A picture's URL needs no credentials, so that other sites can show it. It opens no other user's
        // picture.
        let picture = seen["avatar_url"].as_str().unwrap();
        let nobody = server.anonymous();
        nobody.send("GET", picture, None).await.expect(200);
        let others = picture.replace(&format!("/{}.svg", bob.id), &format!("/{}.svg", cat.id));
        assert_ne!(others, picture);
        nobody.send("GET", &others, None).await.expect(404);
        let plain = format!("/messages/avatars/{}.svg", bob.id);
        for (user, status) in [(&ann, 200), (&bob, 200), (&root, 200), (&cat, 404), (&nobody, 404)] {
            user.send("GET", &plain, None).await.expect(status);
        }
        cat.get(&path).await.expect(404);
        for user in [&bob, &root] {
            assert_eq!(user.get(&path).await.expect(200).json["email"], "bob@example.com");
        }
        // A blocked user remains known until the block ends.
        ann.post(&format!("{path}block/"), json!({})).await.expect(200);
        bob.post(&format!("chats/{team}/leave/"), json!({})).await.expect(204);
        assert_eq!(ann.get("users/blocked/").await.expect(200).json["count"], 1);
        ann.get(&path).await.expect(200);
        ann.post(&format!("{path}block/"), json!({})).await.expect(200);
        ann.delete(&format!("{path}block/")).await.expect(204);
        ann.get(&path).await.expect(404);
        ann.delete(&format!("{path}block/")).await.expect(404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_room_tells_nobody_outside_who_is_in_it() {
    let server = server(Contacts::SharedChat).await;
    let (root, [ann, bob, cat]) = (server.staff("root").await, server.users(["ann", "bob", "cat"]).await);
    let hall = ann.room("Hall").await;
    let seen = bob.sees(hall).await;
    assert_eq!(
        (&seen["members"], &seen["admins"], &seen["member_count"]),
        (&json!([]), &json!([]), &json!(1))
    );
    assert_eq!(bob.get("rooms/").await.expect(200).json["results"][0], seen);
    assert_eq!(root.sees(hall).await["admins"], json!([ann.id]));
    let mut socket = bob.listens().await;
    socket.says(&json!({"type": "watch", "chat_id": hall}).to_string()).await;
    socket.receives("ack").await;
    cat.joins(hall).await;
    let reported = socket.receives("members_changed").await;
    assert_eq!((&reported["added"], &reported["member_count"]), (&json!([]), &json!(2)));
    ann.patch(&format!("chats/{hall}/"), json!({"title": "Big hall"})).await.expect(200);
    let reported = socket.receives("chat_updated").await;
    assert_eq!((&reported["chat"]["members"], &reported["chat"]["title"]), (&json!([]), &json!("Big hall")));
    bob.joins(hall).await;
    assert_eq!(bob.sees(hall).await["members"].as_array().unwrap().len(), 3);
}
