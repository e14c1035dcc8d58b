//! Guests: visitors without an account, and the rooms that are open to them.

use actix_web::rt::time::timeout;
use chrono::DateTime;
use diesel::connection::SimpleConnection;
use greenroom::{
    core::{
        model::{Contacts, Credential, Guests, Timestamp},
        secrets,
    },
    storage::{
        AnyConn, StoragePolicy,
        commands::guests,
        tables::sightings::{self, Sighting},
    },
};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Reply, Server, User};

#[track_caller]
fn assert_forbidden(reply: &Reply) {
    assert_eq!(reply.status, 403, "{reply:?}");
}

async fn open() -> Server {
    Server::start_with(|config| config.guests = Guests::Open).await
}

/// Returns a new guest, as a client of one of the nodes.
async fn guest(server: &Server, name: &str) -> User {
    let visitor = server.anonymous();
    let made = visitor.send("POST", "/guests/", Some(json!({"display_name": name}))).await.expect(201).json;
    let key = made["key"].as_str().unwrap();
    assert_eq!(made["expires_in"], 24 * 60 * 60);
    let mut guest = server.anonymous().with("Authorization", &format!("Token {key}"));
    guest.id = made["user"]["id"].as_i64().unwrap();
    guest.name = made["user"]["username"].as_str().unwrap().to_owned();
    guest
}

/// Has a user make a room that is open to guests as far as `access` says.
async fn room(by: &User, title: &str, access: &str) -> i64 {
    let body = json!({"chat_type": "room", "title": title, "guest_access": access});
    let room = by.post("chats/", body).await.expect(201).json;
    assert_eq!(room["guest_access"], access);
    room["id"].as_i64().unwrap()
}

async fn titles(user: &User, path: &str) -> Vec<String> {
    let reply = user.get(path).await.expect(200);
    reply.results().iter().map(|chat| chat["title"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn visitors_become_guests_where_that_is_open() {
    let closed = Server::start().await;
    let refused = closed.anonymous().send("POST", "/guests/", Some(json!({}))).await;
    assert_forbidden(&refused);
    let server = open().await;
    let ann = server.user("ann").await;
    let visitor = guest(&server, " Vera ").await;
    let me = visitor.get("users/me/").await.expect(200).json;
    assert_eq!(
        (&me["display_name"], &me["is_guest"], &me["is_staff"]),
        (&json!("Vera"), &json!(true), &json!(false))
    );
    assert_eq!(me["username"], format!("guest{}", visitor.id));
    assert_eq!(ann.get(&format!("users/{}/", visitor.id)).await.expect(200).json["is_guest"], true);
    assert_eq!(ann.get("users/me/").await.json["is_guest"], false);
    let nameless = guest(&server, "").await;
    assert_eq!(nameless.get("users/me/").await.json["display_name"], nameless.name.as_str());
    // Without a body too, and not with a name that nobody may have.
    let anonymous = server.anonymous();
    anonymous.send("POST", "/guests/", None).await.expect(201);
    let refused = anonymous.send("POST", "/guests/", Some(json!({"display_name": "a\u{202e}b"}))).await;
    assert!(refused.expect(400).json["details"]["display_name"].is_array());
    anonymous.send("POST", "/guests/", Some(json!({"display_name": "x".repeat(151)}))).await.expect(400);
    // Other sites may not do this in a visitor's name.
    let elsewhere =
        server.anonymous().with("Origin", "https://evil.example").with("Sec-Fetch-Site", "cross-site");
    assert_forbidden(&elsewhere.send("POST", "/guests/", Some(json!({}))).await);
}

#[actix_rt::test(system = "crate::System")]
async fn an_address_makes_ten_guests_a_minute() {
    let server = open().await;
    let visitor = server.anonymous().at(&server);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(visitor.send("POST", "/guests/", Some(json!({}))).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 10, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
}

#[actix_rt::test(system = "crate::System")]
async fn guests_see_rooms_that_are_open_to_them_and_no_others() {
    let server = open().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    let vera = guest(&server, "Vera").await;
    let (closed, read, write) = (
        room(&ann, "Closed", "none").await,
        room(&ann, "Lobby", "read").await,
        room(&ann, "Help", "write").await,
    );
    assert_eq!(titles(&vera, "rooms/").await, ["Help", "Lobby"]);
    assert_eq!(vera.get("rooms/?page_size=1").await.json["count"], 2);
    assert_eq!(titles(&vera, "rooms/?search=lob").await, ["Lobby"]);
    assert_eq!(titles(&vera, "rooms/?search=clo").await, Vec::<String>::new());
    assert_eq!(titles(&ann, "rooms/").await, ["Help", "Lobby", "Closed"]);
    let text = ann.posts(read, "welcome").await;
    ann.posts(closed, "secret").await;
    for path in ["", "messages/", "messages/?search=secret", "members/"] {
        vera.get(&format!("chats/{closed}/{path}")).await.expect(404);
    }
    vera.post(&format!("chats/{closed}/join/"), json!({})).await.expect(404);
    vera.post(&format!("chats/{closed}/messages/"), json!({"content": "x"})).await.expect(404);
    // An open one is read without joining it.
    let seen = vera.get(&format!("chats/{read}/")).await.expect(200).json;
    assert_eq!((&seen["is_member"], &seen["guest_access"]), (&json!(false), &json!("read")));
    let page = vera.get(&format!("chats/{read}/messages/")).await.expect(200).json;
    assert_eq!(page["results"][0]["content"], "welcome");
    vera.get(&format!("messages/{}/", text["id"])).await.expect(200);
    assert_eq!(
        vera.get(&format!("chats/{read}/messages/?search=welcome")).await.expect(200).json["count"],
        1
    );
    assert_eq!(vera.get(&format!("search/?q=welcome&chat={read}")).await.expect(200).json["count"], 1);
    assert_forbidden(&vera.post(&format!("chats/{read}/join/"), json!({})).await);
    for (method, path, body) in [
        ("POST", format!("chats/{read}/messages/"), json!({"content": "x"})),
        ("POST", format!("messages/{}/reactions/", text["id"]), json!({"emoji": "👍"})),
        ("POST", format!("chats/{read}/mark-as-read/"), json!({})),
        ("POST", format!("chats/{read}/typing/"), json!({"is_typing": true})),
    ] {
        assert_eq!(vera.call(method, &path, Some(body)).await.status, 404, "{path}");
    }
    // Users with an account still have to join.
    root.get(&format!("chats/{read}/messages/")).await.expect(404);
    // One that may be written in is joined first.
    vera.post(&format!("chats/{write}/messages/"), json!({"content": "x"})).await.expect(404);
    vera.post(&format!("chats/{write}/join/"), json!({})).await.expect(200);
    let hello = vera.posts(write, "hello").await;
    assert_eq!(hello["sender"]["is_guest"], true);
    vera.edits(&hello, "hello!").await;
    assert_eq!(vera.get("chats/").await.json["count"], 1);
    for (method, path) in [
        ("PATCH", format!("chats/{write}/")),
        ("DELETE", format!("chats/{write}/")),
        ("POST", format!("chats/{write}/members/add/")),
    ] {
        let body = json!({"title": "Mine", "user_ids": [ann.id]});
        assert_forbidden(&vera.call(method, &path, Some(body)).await);
    }
    // Taken back, what was joined is read only, and other guests see nothing.
    let back = json!({"guest_access": "read"});
    assert_eq!(ann.patch(&format!("chats/{write}/"), back).await.expect(200).json["guest_access"], "read");
    assert_forbidden(&vera.post(&format!("chats/{write}/messages/"), json!({"content": "x"})).await);
    assert_forbidden(&vera.patch(&format!("messages/{}/", hello["id"]), json!({"content": "x"})).await);
    ann.patch(&format!("chats/{write}/"), json!({"guest_access": "none"})).await.expect(200);
    vera.get(&format!("chats/{write}/messages/")).await.expect(200);
    assert_eq!(titles(&vera, "rooms/").await, ["Lobby"]);
    guest(&server, "Otto").await.get(&format!("chats/{write}/")).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn admins_and_staff_open_public_rooms_to_guests() {
    let server = open().await;
    let (ann, bob, root) = (server.user("ann").await, server.user("bob").await, server.staff("root").await);
    let lobby = room(&ann, "Lobby", "none").await;
    bob.post(&format!("chats/{lobby}/join/"), json!({})).await.expect(200);
    let path = format!("chats/{lobby}/");
    let open = || json!({"guest_access": "write"});
    assert_forbidden(&bob.patch(&path, open()).await);
    let mut socket = bob.listens().await;
    ann.patch(&path, open()).await.expect(200);
    assert_eq!(socket.receives("chat_updated").await["chat"]["guest_access"], "write");
    root.patch(&path, json!({"guest_access": "read"})).await.expect(200);
    for bad in [json!("all"), Value::Null, json!(1), json!({})] {
        ann.patch(&path, json!({"guest_access": bad})).await.expect(400);
    }
    let secret = json!({"chat_type": "room", "title": "Secret", "is_public": false});
    let secret = ann.post("chats/", secret).await.expect(201).id();
    ann.patch(&format!("chats/{secret}/"), open()).await.expect(400);
    let group = ann.group("Team", &[&bob]).await;
    ann.patch(&format!("chats/{group}/"), open()).await.expect(400);
    let private = json!({"chat_type": "room", "title": "x", "is_public": false, "guest_access": "read"});
    ann.post("chats/", private).await.expect(400);
    // Rooms on objects belong to staff.
    let object = |id: &str| json!({"chat_type": "room", "title": "Page", "object_type": "page", "object_id": id, "guest_access": "write"});
    assert_forbidden(&ann.post("chats/", object("1")).await);
    assert_eq!(root.post("chats/", object("1")).await.expect(201).json["guest_access"], "write");
    // Guests find the room of an object, but make none.
    let vera = guest(&server, "Vera").await;
    vera.post("chats/", object("1")).await.expect(200);
    assert_forbidden(&vera.post("chats/", object("2")).await);
    assert_forbidden(&vera.post("chats/", json!({"chat_type": "room", "title": "Mine"})).await);
}

#[actix_rt::test(system = "crate::System")]
async fn guests_write_to_staff_and_find_nobody_else() {
    for contacts in [Contacts::All, Contacts::SharedChat] {
        let server = Server::start_with(|config| {
            config.guests = Guests::Open;
            config.contacts = contacts;
        })
        .await;
        let (ann, root) = (server.user("ann").await, server.staff("root").await);
        let (vera, otto) = (guest(&server, "Vera").await, guest(&server, "Otto").await);
        let found = vera.get("users/search/?q=root").await.expect(200).json;
        assert_eq!(
            (&found["results"][0]["id"], &found["results"][0]["email"]),
            (&json!(root.id), &json!(""))
        );
        for query in ["ann", "otto", "guest", "%25"] {
            let found = vera.get(&format!("users/search/?q={query}")).await.expect(200).json;
            assert_eq!(found["results"], json!([]), "{query}");
        }
        vera.get(&format!("users/{}/", root.id)).await.expect(200);
        for other in [&ann, &otto] {
            vera.get(&format!("users/{}/", other.id)).await.expect(404);
            let dm = json!({"chat_type": "dm", "member_ids": [other.id]});
            assert_forbidden(&vera.post("chats/", dm).await);
        }
        let unknown = json!({"chat_type": "dm", "member_ids": [99_999]});
        assert_forbidden(&vera.post("chats/", unknown).await);
        assert_forbidden(&vera.post("chats/", json!({"chat_type": "dm"})).await);
        let group = json!({"chat_type": "group", "member_ids": [root.id]});
        assert_forbidden(&vera.post("chats/", group).await);
        let dm = vera.dm(&root).await;
        vera.posts(dm, "help!").await;
        root.posts(dm, "coming").await;
        assert_forbidden(&vera.delete(&format!("chats/{dm}/")).await);
        assert_forbidden(&vera.patch(&format!("chats/{dm}/"), json!({"title": "x"})).await);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn admins_add_guests_to_groups_where_they_manage_nothing() {
    let server = open().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let vera = guest(&server, "Vera").await;
    let mut socket = vera.listens().await;
    let team = ann.group("Team", &[&bob]).await;
    let add = json!({"user_ids": [vera.id]});
    ann.post(&format!("chats/{team}/members/add/"), add.clone()).await.expect(200);
    assert_eq!(socket.receives("chat_created").await["chat"]["id"], team);
    vera.posts(team, "hi").await;
    let member = format!("chats/{team}/members/{}/", vera.id);
    let role = ann.patch(&member, json!({"role": "admin"})).await.expect(400).json;
    assert_eq!(role["details"]["role"], json!(["A guest cannot become admin."]));
    assert_forbidden(&vera.patch(&format!("chats/{team}/"), json!({"title": "x"})).await);
    // They know the members now.
    vera.get(&format!("users/{}/", bob.id)).await.expect(200);
    // Nobody hands a group over to them.
    bob.post(&format!("chats/{team}/leave/"), json!({})).await.expect(204);
    ann.post(&format!("chats/{team}/leave/"), json!({})).await.expect(204);
    let left = vera.get(&format!("chats/{team}/")).await.expect(200).json;
    assert_eq!((&left["admins"], &left["member_count"]), (&json!([]), &json!(1)));
    // Rooms take them only where they may write.
    let lobby = room(&ann, "Lobby", "read").await;
    let refused = ann.post(&format!("chats/{lobby}/members/add/"), add.clone()).await.expect(400).json;
    assert_eq!(refused["details"]["user_ids"], json!(["This room is not open to guests."]));
    ann.patch(&format!("chats/{lobby}/"), json!({"guest_access": "write"})).await.expect(200);
    ann.post(&format!("chats/{lobby}/members/add/"), add).await.expect(200);
    vera.post(&format!("chats/{team}/leave/"), json!({})).await.expect(204);
}

#[actix_rt::test(system = "crate::System")]
async fn guests_who_watch_an_open_room_read_along_until_it_is_closed() {
    let server = open().await;
    let (ann, nina) = (server.user("ann").await, server.user("nina").await);
    let vera = guest(&server, "Vera").await;
    let lobby = room(&ann, "Lobby", "read").await;
    let (mut guests, mut others) = (vera.listens().await, nina.listens().await);
    for socket in [&mut guests, &mut others] {
        let ack = socket.asks(json!({"type": "watch", "chat_id": lobby})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
    }
    let sent = ann.posts(lobby, "hello").await;
    assert_eq!(guests.receives("new_message").await["message"], sent);
    ann.edits(&sent, "hello!").await;
    assert_eq!(guests.receives("message_updated").await["message"]["content"], "hello!");
    let reactions = format!("messages/{}/reactions/", sent["id"]);
    ann.post(&reactions, json!({"emoji": "👍"})).await.expect(200);
    guests.receives("reaction_updated").await;
    ann.call("PUT", &format!("chats/{lobby}/pins/{}/", sent["id"]), None).await.expect(200);
    guests.receives("pins_changed").await;
    ann.deletes(&sent).await;
    let deleted = guests.receives("message_deleted").await;
    let unpinned = guests.receives("pins_changed").await;
    assert_eq!((&unpinned["seq"], &unpinned["count"]), (&deleted["seq"], &json!(0)));
    ann.patch(&format!("chats/{lobby}/"), json!({"title": "Hall"})).await.expect(200);
    let hall = guests.receives("chat_updated").await["chat"].clone();
    assert_eq!((&hall["title"], &hall["members"], &hall["admins"]), (&json!("Hall"), &json!([]), &json!([])));
    // They read along, but do not see who is there.
    let bob = server.user("bob").await;
    bob.post(&format!("chats/{lobby}/join/"), json!({})).await.expect(200);
    let joined = guests.receives("members_changed").await;
    assert_eq!((&joined["member_count"], &joined["added"]), (&json!(2), &json!([])));
    // Those with an account have to join for that.
    assert_eq!(others.receives("chat_updated").await["chat"]["title"], "Hall");
    assert_eq!(others.receives("members_changed").await["added"][0]["id"], bob.id);
    ann.patch(&format!("chats/{lobby}/"), json!({"guest_access": "none"})).await.expect(200);
    guests.receives("chat_deleted").await;
    others.receives("chat_updated").await;
    ann.posts(lobby, "among us").await;
    let refused = guests.asks(json!({"type": "watch", "chat_id": lobby})).await;
    assert_eq!(refused["status"], 404, "{refused}");
}

#[actix_rt::test(system = "crate::System")]
async fn guests_sign_out_and_change_their_name_like_others() {
    let server = open().await;
    let vera = guest(&server, "Vera").await;
    let renamed = vera.patch("users/me/", json!({"first_name": "Wera"})).await.expect(200).json;
    assert_eq!(renamed["display_name"], "Wera");
    let password = json!({"password": "long enough to be safe", "old_password": "!"});
    vera.patch("users/me/", password).await.expect(400);
    let root = server.staff("root").await;
    let socket = vera.listens().await;
    root.post(&format!("users/{}/revoke/", vera.id), json!({})).await.expect(204);
    let mut socket = socket;
    assert_eq!(socket.is_closed().await, 4401);
    vera.get("users/me/").await.expect(401);
}

// Guests who get an account.

async fn claim(user: &User, guest: &User) -> Reply {
    let key = guest.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1.clone();
    let body = json!({"key": key.trim_start_matches("Token ")});
    loop {
        let reply = user.post("guests/claim/", body.clone()).await;
        if reply.status != 202 {
            return reply;
        }
        assert_eq!(reply.json, json!({"merged_from": guest.id, "is_done": false}));
    }
}

async fn senders(user: &User, chat: i64) -> Vec<i64> {
    let page = user.get(&format!("chats/{chat}/messages/?page_size=100")).await.expect(200);
    page.results().iter().map(|message| message["sender"]["id"].as_i64().unwrap()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn a_guest_becomes_a_user_while_others_write() {
    let server = open().await;
    let (ann, bob, root) = (server.user("ann").await, server.user("bob").await, server.staff("root").await);
    let vera = guest(&server, "Vera").await;
    let lobby = room(&ann, "Lobby", "write").await;
    for user in [&vera, &bob] {
        user.post(&format!("chats/{lobby}/join/"), json!({})).await.expect(200);
    }
    // Mixed blocks of messages, some of them deleted.
    for number in 0..1_700 {
        let sender = [&vera, &vera, &vera, &bob, &ann][(number / 3) % 5];
        let message = sender.posts(lobby, &number.to_string()).await;
        if number % 50 == 0 {
            sender.delete(&format!("messages/{}/", message["id"])).await.expect(204);
        }
    }
    let marked = vera.posts(lobby, "mine").await;
    vera.post(&format!("chats/{lobby}/mark-as-read/"), json!({})).await.expect(200);
    bob.posts(lobby, "later").await;
    let unread = async |user: &User| {
        user.get(&format!("chats/{lobby}/")).await.expect(200).json["unread_count"].clone()
    };
    let before = (unread(&ann).await, unread(&root).await);
    let dm = vera.dm(&root).await;
    vera.posts(dm, "help").await;
    let mut heard = ann.listens().await;
    let head = heard.hello["chats"][&lobby.to_string()].clone();
    let socket = vera.listens().await;
    let zoe = server.user("zoe").await;
    let mut own = zoe.listens().await;
    // Others write meanwhile.
    let writing = async {
        for number in 0..60 {
            bob.posts(lobby, &format!("meanwhile {number}")).await;
        }
    };
    let (claimed, ()) = futures_util::future::join(claim(&zoe, &vera), writing).await;
    assert_eq!(claimed.expect(200).json, json!({"merged_from": vera.id, "is_done": true}));
    // The key ends at once, and again is the same.
    vera.get("users/me/").await.expect(401);
    let mut socket = socket;
    assert_eq!(socket.is_closed().await, 4401);
    claim(&zoe, &vera).await.expect(200);
    claim(&ann, &vera).await.expect(400);
    // All messages are hers, each once.
    assert!(senders(&zoe, lobby).await.iter().all(|sender| *sender != vera.id));
    let seen =
        zoe.get(&format!("chats/{lobby}/messages/?after={}", marked["id"].as_i64().unwrap() - 1)).await;
    let mine = seen.results().iter().find(|message| message["content"] == "mine").unwrap().clone();
    assert_eq!((&mine["id"], &mine["sender"]["id"]), (&marked["id"], &json!(zoe.id)));
    let chat = zoe.get(&format!("chats/{lobby}/")).await.expect(200).json;
    assert_eq!(chat["member_count"], 3);
    assert_eq!(chat["last_read_message_id"], marked["id"]);
    // What came after the guest's marker, and nothing of her own.
    assert_eq!(chat["unread_count"], 61);
    let after = unread(&ann).await.as_i64().unwrap();
    assert_eq!(after, before.0.as_i64().unwrap() + 60);
    assert_eq!(zoe.get(&format!("chats/{dm}/")).await.expect(200).json["title"], "root");
    assert_eq!(root.get(&format!("chats/{dm}/")).await.json["title"], "zoe");
    assert_eq!(zoe.dm(&root).await, dm);
    assert_eq!(senders(&root, dm).await, [zoe.id]);
    assert_eq!(ann.get(&format!("users/{}/", vera.id)).await.expect(200).json["username"], "zoe");
    // The others hear of it, live and later.
    let merged = loop {
        let event = heard.next().await;
        if event["type"] == "user_merged" {
            break event;
        }
        assert_eq!(event["type"], "new_message", "{event}");
    };
    assert_eq!((&merged["from"], &merged["user"]["id"]), (&json!(vera.id), &json!(zoe.id)));
    let missed = ann.post("sync/", json!({"chats": {lobby.to_string(): head}})).await.expect(200).json;
    let kinds: Vec<&str> =
        missed["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"user_merged") && kinds.contains(&"members_changed"), "{kinds:?}");
    // She gets her chats as new ones, with everything in them.
    let mut created = Vec::new();
    while created.len() < 2 {
        let event = own.next().await;
        if event["type"] == "chat_created" {
            created.push(event["chat"].clone());
        }
    }
    let lobby_then = created.iter().find(|chat| chat["id"] == lobby).unwrap();
    assert_eq!(lobby_then["last_read_message_id"], marked["id"]);
    assert!(lobby_then["unread_count"].as_i64().unwrap() > 0, "{lobby_then}");
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn roles_markers_and_settings_are_the_higher_of_the_two() {
    let server = open().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let vera = guest(&server, "Vera").await;
    let team = ann.group("Team", &[&bob, &vera]).await;
    let first = ann.posts(team, "one").await;
    vera.posts(team, "two").await;
    let third = ann.posts(team, "three").await;
    bob.post(&format!("chats/{team}/mark-as-read/"), json!({"message_id": first["id"]})).await.expect(200);
    vera.post(&format!("chats/{team}/mark-as-read/"), json!({})).await.expect(200);
    claim(&bob, &vera).await.expect(200);
    let chat = bob.get(&format!("chats/{team}/")).await.expect(200).json;
    assert_eq!((&chat["member_count"], &chat["my_role"]), (&json!(2), &json!("member")));
    assert_eq!((&chat["last_read_message_id"], &chat["unread_count"]), (&third["id"], &json!(0)));
    // An admin who takes a guest over who was ahead stays one.
    let otto = guest(&server, "Otto").await;
    ann.post(&format!("chats/{team}/members/add/"), json!({"user_ids": [otto.id]})).await.expect(200);
    claim(&ann, &otto).await.expect(200);
    assert_eq!(ann.get(&format!("chats/{team}/")).await.json["my_role"], "admin");
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn dms_that_would_be_there_twice_become_groups() {
    let server = open().await;
    let (root, zoe) = (server.staff("root").await, server.user("zoe").await);
    let (vera, otto) = (guest(&server, "Vera").await, guest(&server, "Otto").await);
    let (theirs, hers) = (vera.dm(&root).await, zoe.dm(&root).await);
    vera.posts(theirs, "help").await;
    zoe.posts(hers, "hello").await;
    claim(&zoe, &vera).await.expect(200);
    let chat = zoe.get(&format!("chats/{theirs}/")).await.expect(200).json;
    assert_eq!((&chat["chat_type"], &chat["member_count"]), (&json!("group"), &json!(2)));
    assert_eq!((zoe.dm(&root).await, root.dm(&zoe).await), (hers, hers));
    assert_eq!(senders(&root, theirs).await, [zoe.id]);
    // A dm of the two becomes notes.
    let with_root = otto.dm(&root).await;
    otto.posts(with_root, "to myself, later").await;
    claim(&root, &otto).await.expect(200);
    let notes = root.get(&format!("chats/{with_root}/")).await.expect(200).json;
    assert_eq!((&notes["chat_type"], &notes["member_count"]), (&json!("dm"), &json!(1)));
    assert_eq!(root.post("chats/", json!({"chat_type": "dm"})).await.id(), with_root);
    // Either can be deleted, and begun anew.
    root.delete(&format!("chats/{with_root}/")).await.expect(204);
    let with_root = root.post("chats/", json!({"chat_type": "dm"})).await.expect(201).id();
    // If there are notes already, it becomes a group of one.
    let third = guest(&server, "Third").await;
    let again = third.dm(&root).await;
    claim(&root, &third).await.expect(200);
    assert_eq!(root.get(&format!("chats/{again}/")).await.json["chat_type"], "group");
    assert_eq!(root.post("chats/", json!({"chat_type": "dm"})).await.id(), with_root);
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn only_keys_of_guests_can_be_claimed() {
    let server = open().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (vera, otto) = (guest(&server, "Vera").await, guest(&server, "Otto").await);
    assert_forbidden(&claim(&vera, &otto).await);
    for key in [json!("unknown"), json!(""), Value::Null, json!([]), json!("a\0")] {
        ann.post("guests/claim/", json!({"key": key})).await.expect(400);
    }
    ann.post("guests/claim/", json!({})).await.expect(400);
    // That of a user with an account is none.
    let key = bob.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1.clone();
    let refused =
        ann.post("guests/claim/", json!({"key": key.trim_start_matches("Token ")})).await.expect(400);
    assert_eq!(refused.json["details"]["key"], json!(["This is not the key of a guest."]));
    bob.get("users/me/").await.expect(200);
    // Nor is a guest adopted by the host, whose name anybody can guess.
    let made =
        server.staff("host").await.post("users/", json!({"username": otto.name, "external_id": "7"})).await;
    assert_eq!(made.status, 409, "{made:?}");
    // Blocks go along.
    let root = server.staff("root").await;
    vera.dm(&root).await;
    root.post(&format!("users/{}/block/", vera.id), json!({})).await.expect(200);
    claim(&ann, &vera).await.expect(200);
    let dm = ann.dm(&root).await;
    assert_forbidden(&ann.post(&format!("chats/{dm}/messages/"), json!({"content": "x"})).await);
    assert_eq!(root.get("users/blocked/").await.json["count"], 2);
}

// Time.

/// Moves the visit of a guest, and the end of the key, into the past.
async fn ages(server: &Server, guest: &User, days: i64) {
    let (id, by) = (guest.id, days * 24 * 60 * 60 * 1_000_000);
    let age = move |conn: &mut AnyConn, _: &StoragePolicy| {
        conn.batch_execute(&format!(
            "UPDATE guests SET visited_at = visited_at - {by} WHERE user_id = {id}; \
             UPDATE tokens SET expires_at = expires_at - {by} WHERE user_id = {id}"
        ))?;
        Ok(())
    };
    server.writer().run("age", age).await.unwrap();
}

/// Returns the seconds until the key of a guest ends.
async fn seconds_left(guest: &User) -> i64 {
    let tokens = guest.get("users/me/tokens/").await.expect(200);
    let end = DateTime::parse_from_rfc3339(tokens.results()[0]["expires_at"].as_str().unwrap()).unwrap();
    (end.timestamp_micros() - Timestamp::now().0) / 1_000_000
}

#[actix_rt::test(system = "crate::System")]
async fn a_key_lasts_as_long_as_it_is_used() {
    let server = open().await;
    let (vera, otto) = (guest(&server, "Vera").await, guest(&server, "Otto").await);
    const HOUR: i64 = 60 * 60;
    for user in [&vera, &otto] {
        assert!((23 * HOUR..=24 * HOUR).contains(&seconds_left(user).await));
    }
    // Nearly at the end, one of them comes back.
    let key = secrets::hash(
        vera.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1.trim_start_matches("Token "),
    );
    let half = 12 * HOUR * 1_000_000;
    let use_it = move |conn: &mut AnyConn, _: &StoragePolicy| {
        conn.batch_execute(&format!("UPDATE tokens SET expires_at = expires_at - {half}"))?;
        let at = Timestamp::now();
        let sighting = Sighting { at, origin: None, is_of_guest: true };
        sightings::store(conn, &[(Credential::Token(key.clone()), sighting)])
    };
    server.writer().run("use", use_it).await.unwrap();
    assert!(seconds_left(&vera).await > 23 * HOUR);
    assert!(seconds_left(&otto).await < 13 * HOUR);
    // One that staff made for a guest ends when it should.
    let root = server.staff("root").await;
    let made =
        root.post(&format!("users/{}/tokens/", vera.id), json!({"expires_in": 600})).await.expect(201).json;
    let key = secrets::hash(made["key"].as_str().unwrap());
    let use_it = move |conn: &mut AnyConn, _: &StoragePolicy| {
        let sighting = Sighting { at: Timestamp::now(), origin: None, is_of_guest: true };
        sightings::store(conn, &[(Credential::Token(key.clone()), sighting)])
    };
    server.writer().run("use", use_it).await.unwrap();
    let other = server.anonymous().with("Authorization", &format!("Token {}", made["key"].as_str().unwrap()));
    assert!(seconds_left(&other).await <= 600);
}

#[actix_rt::test(system = "crate::System")]
async fn a_guest_who_has_not_come_for_a_month_is_removed() {
    let server = open().await;
    let ann = server.user("ann").await;
    let (vera, otto) = (guest(&server, "Vera").await, guest(&server, "Otto").await);
    let lobby = room(&ann, "Lobby", "write").await;
    for user in [&vera, &otto] {
        user.post(&format!("chats/{lobby}/join/"), json!({})).await.expect(200);
        user.patch("users/me/", json!({"custom": {"a": 1}})).await.expect(200);
    }
    let said = vera.posts(lobby, "bye").await;
    ages(&server, &vera, 31).await;
    ages(&server, &otto, 29).await;
    let mut removed = 0;
    while server.writer().run("sweep", |conn, _| guests::remove_outdated(conn)).await.unwrap() {
        removed += 1;
    }
    assert_eq!(removed, 1);
    // All nodes notice within a second.
    let is_noticed = async { while vera.get("users/me/").await.status != 401 {} };
    timeout(DEADLINE, is_noticed).await.expect("the key ends");
    let left = ann.get(&format!("users/{}/", vera.id)).await.expect(200).json;
    assert_eq!((&left["display_name"], &left["custom"]), (&json!(vera.name), &json!({})));
    assert_eq!(left["is_guest"], true);
    assert_eq!(ann.get(&format!("users/{}/", otto.id)).await.json["display_name"], "Otto");
    let message = ann.get(&format!("messages/{}/", said["id"])).await.expect(200).json;
    assert_eq!((&message["content"], &message["sender"]["id"]), (&json!("bye"), &json!(vera.id)));
    // They cannot be written to or claimed any more.
    ann.post("chats/", json!({"chat_type": "dm", "member_ids": [vera.id]})).await.expect(400);
    claim(&ann, &vera).await.expect(400);
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn a_block_is_not_evaded_by_way_of_a_guest() {
    let server = open().await;
    let (root, zoe) = (server.staff("root").await, server.user("zoe").await);
    let hers = zoe.dm(&root).await;
    root.post(&format!("users/{}/block/", zoe.id), json!({})).await.expect(200);
    let vera = guest(&server, "Vera").await;
    let theirs = vera.dm(&root).await;
    vera.posts(theirs, "it is me").await;
    claim(&zoe, &vera).await.expect(200);
    zoe.get(&format!("chats/{theirs}/")).await.expect(404);
    assert_forbidden(&zoe.post(&format!("chats/{hers}/messages/"), json!({"content": "x"})).await);
    assert_eq!(senders(&root, theirs).await, [vera.id]);
    // Blocking the guest afterwards blocks the user.
    let (otto, ann) = (guest(&server, "Otto").await, server.user("ann").await);
    let dm = otto.dm(&root).await;
    claim(&ann, &otto).await.expect(200);
    root.post(&format!("users/{}/block/", otto.id), json!({})).await.expect(200);
    assert_forbidden(&ann.post(&format!("chats/{dm}/messages/"), json!({"content": "x"})).await);
    // And who lifts a block that the guest had made can be written to again.
    let (nina, bob) = (guest(&server, "Nina").await, server.user("bob").await);
    let dm = nina.dm(&root).await;
    nina.post(&format!("users/{}/block/", root.id), json!({})).await.expect(200);
    claim(&bob, &nina).await.expect(200);
    assert_forbidden(&root.post(&format!("chats/{dm}/messages/"), json!({"content": "x"})).await);
    bob.delete(&format!("users/{}/block/", root.id)).await.expect(204);
    root.posts(dm, "thanks").await;
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn a_group_left_to_guests_has_an_admin_again() {
    let server = open().await;
    let (ann, root, bob) = (server.user("ann").await, server.staff("root").await, server.user("bob").await);
    let vera = guest(&server, "Vera").await;
    let team = ann.group("Team", &[&vera]).await;
    root.patch(&format!("users/{}/", ann.id), json!({"is_active": false})).await.expect(200);
    assert_eq!(vera.get(&format!("chats/{team}/")).await.json["admins"], json!([ann.id]));
    let (one, other) = futures_util::future::join(claim(&bob, &vera), claim(&bob, &vera)).await;
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(bob.get(&format!("chats/{team}/")).await.expect(200).json["my_role"], "admin");
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}
