//! Foreign ids: a user in no chat tries all ids on every path that takes one, over REST and over a socket.
//! Existing objects must be indistinguishable from unknown ones.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    permissions::observable,
    support::{Listener, Reply, Server, User},
};

/// The table of routes, from which all paths with an id are taken.
const ROUTES: &str = include_str!("../../src/routes.rs");

/// The answer to an uninvolved user for an id.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// 404 for every id.
    NotFound,
    /// 403 for every id: for staff only.
    Forbidden,
    /// Users are visible to each other: an existing user differs from an unknown one.
    Known,
}
use Answer::{Forbidden, Known, NotFound};

/// Method, path, a valid body, and the answer. A path may occur several times.
type Row = (&'static str, &'static str, &'static str, Answer);

const ROWS: &[Row] = &[
    ("GET", "chats/{chat}", "", NotFound),
    ("PUT", "chats/{chat}", r#"{"title": "x"}"#, NotFound),
    ("PATCH", "chats/{chat}", r#"{"title": "x"}"#, NotFound),
    ("PATCH", "chats/{chat}", r#"{"title": []}"#, NotFound),
    ("DELETE", "chats/{chat}", "", NotFound),
    ("GET", "chats/{chat}/messages", "", NotFound),
    ("GET", "chats/{chat}/messages?page=99", "", NotFound),
    ("GET", "chats/{chat}/messages?before=1&after=1", "", NotFound),
    ("GET", "chats/{chat}/messages?before=x", "", NotFound),
    ("GET", "chats/{chat}/messages?search=secret", "", NotFound),
    ("POST", "chats/{chat}/messages", r#"{"content": "x"}"#, NotFound),
    ("POST", "chats/{chat}/messages", r#"{"content": "x", "client_id": "key"}"#, NotFound),
    ("POST", "chats/{chat}/mark-as-read", "{}", NotFound),
    ("POST", "chats/{chat}/mark-as-read", r#"{"message_id": 1}"#, NotFound),
    ("PATCH", "chats/{chat}/me", r#"{"is_pinned": true, "unread_from": 1}"#, NotFound),
    ("POST", "chats/{chat}/typing", r#"{"is_typing": true}"#, NotFound),
    ("PUT", "chats/{chat}/draft", r#"{"content": "hi"}"#, NotFound),
    ("PUT", "chats/{chat}/draft", "{}", NotFound),
    ("DELETE", "chats/{chat}/draft", "", NotFound),
    ("GET", "chats/{chat}/pins", "", NotFound),
    ("PUT", "chats/{chat}/pins/{message}", "", NotFound),
    ("DELETE", "chats/{chat}/pins/{message}", "", NotFound),
    ("GET", "chats/{chat}/files", "", NotFound),
    ("GET", "chats/{chat}/files?before=x", "", NotFound),
    ("GET", "chats/{chat}/files?before=1", "", NotFound),
    ("PATCH", "uploads/{file}", r#"{"alt": "x"}"#, NotFound),
    ("PATCH", "uploads/{file}", "{}", NotFound),
    ("DELETE", "uploads/{file}", "", NotFound),
    ("POST", "uploads/{file}/complete", "", NotFound),
    ("POST", "chats/{chat}/join", "", NotFound),
    ("POST", "chats/{chat}/leave", "", NotFound),
    ("GET", "chats/{chat}/members", "", NotFound),
    ("POST", "chats/{chat}/members/add", r#"{"user_ids": [1]}"#, NotFound),
    ("POST", "chats/{chat}/members/add", r#"{"user_ids": [99999]}"#, NotFound),
    ("PATCH", "chats/{chat}/members/{user}", r#"{"role": "admin"}"#, NotFound),
    ("DELETE", "chats/{chat}/members/{user}/remove", "", NotFound),
    ("GET", "messages/{message}", "", NotFound),
    ("PUT", "messages/{message}", r#"{"content": "x"}"#, NotFound),
    ("PATCH", "messages/{message}", r#"{"content": "x"}"#, NotFound),
    ("PATCH", "messages/{message}", "{}", NotFound),
    ("DELETE", "messages/{message}", "", NotFound),
    ("GET", "messages/{message}/history", "", NotFound),
    ("GET", "messages/{message}/replies", "", NotFound),
    ("GET", "messages/{message}/replies?before=x", "", NotFound),
    ("PUT", "messages/{message}/follow", "", NotFound),
    ("DELETE", "messages/{message}/follow", "", NotFound),
    ("POST", "messages/{message}/mark-as-read", "{}", NotFound),
    ("POST", "messages/{message}/mark-as-read", r#"{"message_id": "x"}"#, NotFound),
    ("GET", "threads/{message}", "", NotFound),
    ("DELETE", "messages/{message}/previews/{index}", "", NotFound),
    ("POST", "messages/{message}/reactions", r#"{"emoji": "👍"}"#, NotFound),
    ("POST", "messages/{message}/reactions", r#"{"emoji": "x"}"#, NotFound),
    ("PUT", "messages/{message}/reactions/{emoji}", "", NotFound),
    ("DELETE", "messages/{message}/reactions/{emoji}", "", NotFound),
    ("GET", "users/{user}", "", Known),
    ("PATCH", "users/{user}", r#"{"first_name": "x"}"#, Forbidden),
    ("POST", "users/{user}/revoke", "{}", Forbidden),
    ("POST", "users/{user}/tokens", "{}", Forbidden),
    ("DELETE", "users/{user}/tokens", "", Forbidden),
    ("DELETE", "users/me/sessions/{session}", "", NotFound),
    ("DELETE", "users/me/tokens/{token}", "", NotFound),
    ("POST", "users/{user}/block", "", Known),
    ("DELETE", "users/{user}/block", "", Known),
];

/// Returns the methods and paths of the table of routes that take an id.
fn routes() -> BTreeSet<(String, String)> {
    let table = ROUTES.split("fn api(").nth(1).expect("the API's routes have a function of their own");
    let mut routes = BTreeSet::new();
    for address in table.split("at(\"/").skip(1) {
        let (path, rest) = address.split_once('"').unwrap();
        let chain = rest.split(".done()").next().unwrap();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if path.contains('{') && chain.contains(&format!(".{}(", method.to_lowercase())) {
                routes.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    routes
}

#[test]
fn every_address_that_takes_an_id_is_walked() {
    let path = |path: &str| path.split('?').next().unwrap().to_owned();
    let walked: BTreeSet<(String, String)> = ROWS.iter().map(|row| (row.0.to_owned(), path(row.1))).collect();
    assert!(walked.len() > 25);
    assert_eq!(routes(), walked, "a new address needs a row here");
}

/// Chats, a user who is in none of them, and a user who has left one.
struct World {
    _server: Server,
    ann: User,
    outsider: User,
    removed: User,
    /// Dms, groups and private rooms, and a deleted chat.
    chats: Vec<i64>,
    messages: Vec<i64>,
}

/// An id that does not exist.
const UNKNOWN: i64 = 99_999;

impl World {
    async fn make() -> Self {
        let server = Server::start().await;
        let host = server.staff("host").await;
        let [ann, bob, removed, outsider] = server.users(["ann", "bob", "rob", "nina"]).await;
        let private = json!({"chat_type": "room", "title": "Board", "is_public": false});
        let object = json!({
            "chat_type": "room", "title": "Ours", "is_public": false, "object_type": "page", "object_id": "1",
        });
        let mut chats = vec![
            ann.dm(&bob).await,
            ann.post("chats/", json!({"chat_type": "dm"})).await.expect(201).id(),
            ann.group("Team", &[&bob, &removed]).await,
            ann.post("chats/", private).await.expect(201).id(),
            host.post("chats/", object).await.expect(201).id(),
        ];
        host.adds(chats[4], &[&ann]).await;
        host.patch(&format!("chats/{}/members/{}/", chats[4], ann.id), json!({"role": "admin"}))
            .await
            .expect(200);
        let mut messages = Vec::new();
        for chat in &chats {
            let kept = json!({"content": "a secret", "client_id": "key"});
            let kept = ann.post(&format!("chats/{chat}/messages/"), kept).await.expect(201).json;
            let gone = ann.posts(chat, "taken back").await;
            ann.post(&format!("messages/{}/reactions/", kept["id"]), json!({"emoji": "👍"}))
                .await
                .expect(200);
            ann.deletes(&gone).await;
            messages.extend([kept["id"].as_i64().unwrap(), gone["id"].as_i64().unwrap()]);
        }
        messages.push(removed.posts(chats[2], "his own").await["id"].as_i64().unwrap());
        ann.removes(chats[2], &removed).await;
        let deleted = ann.group("Deleted", &[&bob]).await;
        messages.push(ann.posts(deleted, "deleted").await["id"].as_i64().unwrap());
        ann.delete(&format!("chats/{deleted}/")).await.expect(204);
        chats.push(deleted);
        Self { _server: server, ann, outsider, removed, chats, messages }
    }

    /// Returns the complete state, as seen by a member of all chats.
    async fn state(&self) -> Vec<Value> {
        let mut seen = vec![self.ann.get("chats/?page_size=100").await.expect(200).json];
        for chat in &self.chats {
            seen.push(self.ann.get(&format!("chats/{chat}/messages/")).await.json);
            seen.push(self.ann.get(&format!("chats/{chat}/members/")).await.json);
        }
        seen
    }

    /// Returns the users who are in no chat now.
    fn strangers(&self) -> [&User; 2] {
        [&self.outsider, &self.removed]
    }
}

async fn asks(user: &User, (method, path, body, _): &Row, id: i64, other: i64) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = ["{chat}", "{message}"]
        .iter()
        .fold(path.to_owned(), |path, name| path.replace(name, &id.to_string()));
    let path =
        path.replace("{user}", &other.to_string()).replace("{emoji}", "%F0%9F%91%8D").replace("{index}", "0");
    let body = (!body.is_empty()).then(|| serde_json::from_str(body).unwrap());
    user.call(method, &format!("{path}/?{query}"), body).await
}

#[actix_rt::test(system = "crate::System")]
async fn no_answer_tells_what_is_foreign_from_what_never_was() {
    let world = World::make().await;
    let before = world.state().await;
    for row in ROWS.iter().filter(|row| row.1.starts_with("chats") || row.1.starts_with("messages")) {
        let ids = if row.1.starts_with("chats") { &world.chats } else { &world.messages };
        for user in world.strangers() {
            // The user in the path is a member of the chat, the caller, or unknown.
            for other in [world.ann.id, user.id, UNKNOWN] {
                let unknown = asks(user, row, UNKNOWN, other).await;
                assert_eq!((unknown.status, row.3 == NotFound), (404, true), "{} {}", row.0, row.1);
                for id in ids {
                    let foreign = asks(user, row, *id, other).await;
                    assert_eq!(
                        observable(&foreign),
                        observable(&unknown),
                        "{} {} of {id} by {}",
                        row.0,
                        row.1,
                        user.name
                    );
                }
                if !row.1.contains("{user}") {
                    break;
                }
            }
        }
    }
    assert_eq!(world.state().await, before);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_for_staff_says_nothing_of_users_to_others() {
    let world = World::make().await;
    for row in ROWS.iter().filter(|row| row.3 == Forbidden) {
        let unknown = asks(&world.outsider, row, 0, UNKNOWN).await.expect(403);
        for id in [world.ann.id, world.outsider.id] {
            assert_eq!(
                observable(&asks(&world.outsider, row, 0, id).await),
                observable(&unknown),
                "{} {}",
                row.0,
                row.1
            );
        }
    }
    // Token ids are numbers from 1 on: one is the caller's, the others are foreign.
    for row in ROWS.iter().filter(|row| row.1.starts_with("users/me/")) {
        let named = |id: i64| row.1.replace("{session}", &id.to_string()).replace("{token}", &id.to_string());
        let unknown = world.outsider.delete(&format!("{}/", named(UNKNOWN))).await.expect(404);
        for id in [1, 2, 3] {
            let foreign = world.outsider.delete(&format!("{}/", named(id))).await;
            assert_eq!(observable(&foreign), observable(&unknown), "{} {}", row.0, row.1);
        }
        world.ann.get("users/me/").await.expect(200);
    }
    for row in ROWS.iter().filter(|row| row.3 == Known) {
        asks(&world.outsider, row, 0, UNKNOWN).await.expect(404);
        assert!(asks(&world.outsider, row, 0, world.ann.id).await.status < 300, "{} {}", row.0, row.1);
    }
}

/// The admin of a group learns nothing about users who are not members of it.
#[actix_rt::test(system = "crate::System")]
async fn who_is_not_in_a_chat_is_like_nobody_to_its_admin() {
    let world = World::make().await;
    let own = world.outsider.group("Own", &[]).await;
    for row in ROWS.iter().filter(|row| row.1.contains("{chat}/members/{user}")) {
        let unknown = asks(&world.outsider, row, own, UNKNOWN).await.expect(404);
        let foreign = asks(&world.outsider, row, own, world.ann.id).await;
        assert_eq!(observable(&foreign), observable(&unknown), "{} {}", row.0, row.1);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn foreign_messages_are_places_and_nothing_more() {
    let world = World::make().await;
    let nina = &world.outsider;
    let own = nina.group("Own", &[]).await;
    let first = nina.posts(own, "first").await;
    let foreign = world.ann.posts(world.chats[0], "a secret").await;
    let last = nina.posts(own, "last").await;
    let list =
        async |query: String| nina.get(&format!("chats/{own}/messages/?{query}")).await.expect(200).json;
    for id in world.messages.iter().chain([&UNKNOWN, &(UNKNOWN + 1)]) {
        let (before, after) =
            if *id < UNKNOWN { (vec![], vec![&last, &first]) } else { (vec![&last, &first], vec![]) };
        assert_eq!(list(format!("before={id}")).await["results"], json!(before), "{id}");
        assert_eq!(list(format!("after={id}")).await["results"], json!(after), "{id}");
    }
    // A foreign id between two own messages works as a position without revealing whether it exists.
    let (from, to) = (&foreign["id"], &last["id"]);
    assert_eq!(
        list(format!("before={from}")).await["results"],
        list(format!("before={to}")).await["results"]
    );
    assert_eq!(
        list(format!("after={from}")).await["results"],
        list(format!("after={}", first["id"])).await["results"]
    );
    // In a body, a foreign message's id is rejected like an unknown one.
    let named = [("POST", "mark-as-read", "message_id"), ("PATCH", "me", "unread_from")];
    for (method, path, field) in named {
        for id in world.messages.iter().chain([&UNKNOWN]) {
            let reply = nina.call(method, &format!("chats/{own}/{path}/"), Some(json!({field: id}))).await;
            assert_eq!(
                reply.invalid(field),
                json!([format!("Invalid pk \"{id}\" - object does not exist.")])
            );
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_finds_nothing_foreign_and_tells_nothing_of_where_it_looks() {
    let world = World::make().await;
    for user in world.strangers() {
        for query in ["secret", "back", "his", "deleted", "a%20secret"] {
            let found = user.get(&format!("search/?q={query}")).await.expect(200).json;
            assert_eq!(
                (&found["count"], &found["results"]),
                (&json!(0), &json!([])),
                "{query} by {}",
                user.name
            );
        }
        for query in ["q=secret", "q=", "", "q=secret&page=x", "q=secret&before=x"] {
            let unknown = user.get(&format!("search/?{query}&chat={UNKNOWN}")).await;
            for chat in &world.chats {
                let foreign = user.get(&format!("search/?{query}&chat={chat}")).await;
                assert_eq!(observable(&foreign), observable(&unknown), "{query} in {chat} by {}", user.name);
            }
        }
        user.get(&format!("search/?q=secret&chat={UNKNOWN}")).await.expect(404);
    }
}

/// Returns the answer to a command, without the fields that identify the command or object.
async fn answered(socket: &mut Listener, command: &Value) -> Value {
    socket.says(&command.to_string()).await;
    socket.next().await
}

#[actix_rt::test(system = "crate::System")]
async fn no_command_tells_what_is_foreign_from_what_never_was() {
    let world = World::make().await;
    let before = world.state().await;
    let commands = [
        json!({"type": "send_message", "chat_id": "{chat}", "content": "x"}),
        json!({"type": "send_message", "chat_id": "{chat}", "content": "x", "client_id": "key"}),
        json!({"type": "send_message", "chat_id": "{chat}"}),
        json!({"type": "mark_as_read", "chat_id": "{chat}"}),
        json!({"type": "mark_as_read", "chat_id": "{chat}", "message_id": 1}),
        json!({"type": "typing", "chat_id": "{chat}", "is_typing": true}),
        json!({"type": "watch", "chat_id": "{chat}"}),
        json!({"type": "unwatch", "chat_id": "{chat}"}),
        json!({"type": "edit_message", "message_id": "{message}", "content": "x"}),
        json!({"type": "edit_message", "message_id": "{message}"}),
        json!({"type": "delete_message", "message_id": "{message}"}),
        json!({"type": "react", "message_id": "{message}", "emoji": "👍"}),
        json!({"type": "react", "message_id": "{message}", "emoji": "x", "action": "add"}),
    ];
    let of = |command: &Value, id: i64| -> Value {
        let text = command.to_string().replace("\"{chat}\"", &id.to_string());
        serde_json::from_str(&text.replace("\"{message}\"", &id.to_string())).unwrap()
    };
    for user in world.strangers() {
        let mut socket = user.listens().await;
        for command in &commands {
            let ids = if command.to_string().contains("{chat}") { &world.chats } else { &world.messages };
            let unknown = answered(&mut socket, &of(command, UNKNOWN)).await;
            let is_404 = unknown["status"] == 404 || command["type"] == "unwatch";
            assert!(is_404, "{command}: {unknown}");
            for id in ids {
                assert_eq!(answered(&mut socket, &of(command, *id)).await, unknown, "{command} of {id}");
            }
        }
    }
    assert_eq!(world.state().await, before);
}

#[actix_rt::test(system = "crate::System")]
async fn foreign_chats_are_not_followed_over_any_transport() {
    let world = World::make().await;
    let names = |ids: &[i64]| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    for user in world.strangers() {
        let own = user.group("Own", &[]).await;
        let query = format!("?chats={},{UNKNOWN},{own}", names(&world.chats));
        let mut socket = user.connects_with(&query).await.unwrap();
        assert_eq!(socket.receives("hello").await["chats"], json!({own.to_string(): 1}));
        let stream = user.streams_from(&query, "").await.unwrap();
        assert_eq!(stream.hello["chats"], json!({own.to_string(): 1}));
        // A client that claims to know a foreign chat gets the same answer as for an unknown one.
        for id in world.chats.iter().chain([&UNKNOWN]) {
            for seq in [0, 1, 1_000_000] {
                let known = json!({id.to_string(): seq, own.to_string(): 1});
                let gone = json!([{"type": "chat_deleted", "chat_id": id}]);
                let reported = user.post("sync/", json!({"chats": known})).await.expect(200).json;
                assert_eq!((&reported["events"], &reported["removed"]), (&gone, &json!([id])), "{id}");
                assert_eq!(reported["heads"], json!({own.to_string(): 1}));
                let (_, missed, ack) = user.resumes(known).await;
                assert_eq!((json!(missed), &ack["heads"]), (gone, &json!({own.to_string(): 1})), "{id}");
            }
        }
        world.ann.posts(world.chats[0], "a secret").await;
        let next = user.posts(own, "mine").await;
        assert_eq!(socket.receives("new_message").await["message"], next);
    }
    // Creating a room on an object with a private room reveals only that the room exists.
    let body = json!({"chat_type": "room", "title": "x", "object_type": "page", "object_id": "1"});
    let reply = world.outsider.post("chats/", body).await.expect(403);
    assert_eq!(reply.json, json!({"detail": "You do not have permission to perform this action."}));
}
