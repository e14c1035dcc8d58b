//! Permissions in rooms: a table of endpoints and roles for each kind of room. Each cell uses its own room.

use std::cell::Cell;

use greenroom::core::model::ObjectRooms;
use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

/// The callers, in the order of the tables' columns. The removed user was an admin; staff are in no room.
const ROLES: [&str; 6] = ["anonymous", "outsider", "member", "admin", "removed", "staff"];
const MEMBER: usize = 2;
const ADMIN: usize = 3;
const REMOVED: usize = 4;
const STAFF: usize = 5;

/// Method, path, body, and the status for each role.
type Row = (&'static str, &'static str, &'static str, [u16; 6]);

/// A kind of room.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Public,
    /// A public room on an object, without an owner.
    Unowned,
    Private,
}

struct Actors {
    _server: Server,
    roles: [User; 6],
    /// A further member.
    other: User,
    /// A user in no chat.
    stranger: User,
    /// Number of rooms created so far; it names the object of the next room on one.
    rooms: Cell<usize>,
}

/// The room of one cell, with a message of the member and one of the removed user.
struct Fixture {
    room: i64,
    message: i64,
    left: i64,
}

impl Actors {
    async fn create() -> Self {
        let server = Server::start().await;
        let roles = [
            server.anonymous(),
            server.user("nina").await,
            server.user("mia").await,
            server.user("dora").await,
            server.user("rob").await,
            server.staff("host").await,
        ];
        let (other, stranger) = (server.user("olga").await, server.user("zoe").await);
        Self { _server: server, roles, other, stranger, rooms: Cell::new(0) }
    }

    async fn fixture(&self, kind: Kind) -> Fixture {
        let [_, _, member, admin, removed, staff] = &self.roles;
        self.rooms.set(self.rooms.get() + 1);
        let fields = match kind {
            Kind::Public => json!({}),
            Kind::Unowned => json!({"object_type": "course", "object_id": self.rooms.get()}),
            Kind::Private => json!({"is_public": false}),
        };
        let room = admin.asks_for_room("Room", fields).await.expect(201).id();
        let founder = if kind == Kind::Unowned { staff } else { admin };
        founder.adds(room, &[member, admin, removed, &self.other]).await;
        for made in [admin, removed] {
            let path = format!("chats/{room}/members/{}/", made.id);
            founder.patch(&path, json!({"role": "admin"})).await.expect(200);
        }
        let message = member.posts(room, "mine").await["id"].as_i64().unwrap();
        let left = removed.posts(room, "his").await["id"].as_i64().unwrap();
        admin.removes(room, removed).await;
        Fixture { room, message, left }
    }

    fn filled(&self, template: &str, fixture: &Fixture, role: usize) -> String {
        let ids = [
            ("{room}", fixture.room),
            ("{message}", fixture.message),
            ("{left}", fixture.left),
            ("{self}", self.roles[role].id),
            ("{other}", self.other.id),
            ("{stranger}", self.stranger.id),
        ];
        ids.iter().fold(template.to_owned(), |text, (name, id)| text.replace(name, &id.to_string()))
    }

    async fn asks(&self, (method, path, body, _): &Row, fixture: &Fixture, role: usize) -> Reply {
        let body = self.filled(body, fixture, role);
        let body = (!body.is_empty()).then(|| serde_json::from_str(&body).unwrap());
        self.roles[role].call(method, &self.filled(path, fixture, role), body).await
    }

    async fn state(&self, fixture: &Fixture) -> Vec<Value> {
        let mut seen = Vec::new();
        for part in ["", "messages/", "members/"] {
            let reply = self.roles[ADMIN].get(&format!("chats/{}/{part}", fixture.room)).await;
            seen.push(reply.expect(200).json);
        }
        seen
    }

    async fn check(&self, kind: Kind, rows: &[Row]) {
        for row in rows {
            for role in 0..ROLES.len() {
                let (method, path, _, statuses) = row;
                let cell = format!("{method} {path} by the {}", ROLES[role]);
                let fixture = self.fixture(kind).await;
                let before = self.state(&fixture).await;
                let reply = self.asks(row, &fixture, role).await;
                assert_eq!(reply.status, statuses[role], "{cell}: {}", String::from_utf8_lossy(&reply.body));
                if reply.status >= 400 {
                    assert_eq!(reply.body, refusal(reply.status), "{cell}");
                    assert_eq!(self.state(&fixture).await, before, "{cell} has left something behind");
                }
            }
        }
    }
}

/// Returns the fixed body of a refusal.
fn refusal(status: u16) -> &'static [u8] {
    match status {
        401 => br#"{"detail":"Authentication credentials were not provided."}"#,
        403 => br#"{"detail":"You do not have permission to perform this action."}"#,
        404 => br#"{"detail":"Not found."}"#,
        other => panic!("{other} is not in the table"),
    }
}

/// Returns the rows of requests that all members may send, and that are 404 for other users.
fn taking_part() -> Vec<Row> {
    let used = [401, 404, 200, 200, 404, 404];
    vec![
        ("GET", "chats/{room}/messages/", "", used),
        ("POST", "chats/{room}/messages/", r#"{"content": "hi"}"#, [401, 404, 201, 201, 404, 404]),
        ("POST", "chats/{room}/mark-as-read/", "{}", used),
        ("POST", "chats/{room}/typing/", r#"{"is_typing": true}"#, used),
        ("GET", "chats/{room}/members/", "", used),
        ("POST", "chats/{room}/leave/", "", [401, 404, 204, 204, 404, 404]),
        ("GET", "messages/{message}/", "", used),
        ("PATCH", "messages/{message}/", r#"{"content": "new"}"#, [401, 404, 200, 403, 404, 404]),
        ("DELETE", "messages/{message}/", "", [401, 404, 204, 403, 404, 404]),
        ("PATCH", "messages/{left}/", r#"{"content": "new"}"#, [401, 404, 403, 403, 404, 404]),
        ("DELETE", "messages/{left}/", "", [401, 404, 403, 403, 404, 404]),
        ("POST", "messages/{message}/reactions/", r#"{"emoji": "👍"}"#, used),
        ("PUT", "messages/{message}/reactions/%F0%9F%91%8D/", "", used),
        ("DELETE", "messages/{message}/reactions/%F0%9F%91%8D/", "", [401, 404, 204, 204, 404, 404]),
    ]
}

/// Returns the rows of admins' requests. `no`: the status for users outside the room. `staff`: staff's status
/// for requests about members, from an admin's. Staff may correct the room itself everywhere.
fn managing(no: u16, staff: impl Fn(u16) -> u16) -> Vec<Row> {
    let managed = |ok| [401, no, 403, ok, no, staff(ok)];
    let kept = |ok| [401, no, 403, ok, no, ok];
    let title = r#"{"title": "New"}"#;
    vec![
        ("PUT", "chats/{room}/", title, kept(200)),
        ("PATCH", "chats/{room}/", title, kept(200)),
        ("PATCH", "chats/{room}/", "{}", kept(200)),
        ("DELETE", "chats/{room}/", "", kept(204)),
        ("POST", "chats/{room}/members/add/", r#"{"user_ids": [{stranger}]}"#, managed(200)),
        ("PATCH", "chats/{room}/members/{other}/", r#"{"role": "admin"}"#, managed(200)),
        ("PATCH", "chats/{room}/members/{stranger}/", r#"{"role": "admin"}"#, managed(404)),
        ("DELETE", "chats/{room}/members/{other}/remove/", "", managed(204)),
        ("DELETE", "chats/{room}/members/{stranger}/remove/", "", managed(404)),
        ("DELETE", "chats/{room}/members/{self}/remove/", "", [401, no, 204, 204, no, staff(404)]),
    ]
}

#[actix_rt::test(system = "crate::System")]
async fn a_public_room_is_seen_by_all_and_managed_by_its_admins() {
    let actors = Actors::create().await;
    let open = [401, 200, 200, 200, 200, 200];
    actors
        .check(Kind::Public, &[("GET", "chats/{room}/", "", open), ("POST", "chats/{room}/join/", "", open)])
        .await;
    actors.check(Kind::Public, &managing(403, |_| 403)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_room_that_nobody_began_is_managed_by_staff_too() {
    let actors = Actors::create().await;
    let open = [401, 200, 200, 200, 200, 200];
    actors
        .check(Kind::Unowned, &[("GET", "chats/{room}/", "", open), ("POST", "chats/{room}/join/", "", open)])
        .await;
    actors.check(Kind::Unowned, &managing(403, |ok| ok)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_private_room_is_not_there_for_others() {
    let actors = Actors::create().await;
    actors
        .check(
            Kind::Private,
            &[
                ("GET", "chats/{room}/", "", [401, 404, 200, 200, 404, 200]),
                ("POST", "chats/{room}/join/", "", [401, 404, 404, 404, 404, 200]),
                ("PATCH", "chats/{room}/", r#"{"is_public": true}"#, [401, 404, 403, 403, 404, 200]),
            ],
        )
        .await;
    actors.check(Kind::Private, &managing(404, |_| 403)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_said_in_a_public_room_is_for_its_members() {
    Actors::create().await.check(Kind::Public, &taking_part()).await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_said_in_a_room_that_nobody_began_is_for_its_members() {
    Actors::create().await.check(Kind::Unowned, &taking_part()).await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_said_in_a_private_room_is_for_its_members() {
    Actors::create().await.check(Kind::Private, &taking_part()).await;
}

/// Checks which users create a room on an object, and which join the existing one.
#[actix_rt::test(system = "crate::System")]
async fn rooms_on_objects_are_made_by_whom_it_is_set() {
    for (rule, public, private) in [
        (ObjectRooms::Anyone, [401, 201, 201], [401, 403, 201]),
        (ObjectRooms::Staff, [401, 403, 201], [401, 403, 201]),
    ] {
        let server = Server::start_with(|config| config.object_rooms = rule).await;
        let (nobody, ann, host) = (server.anonymous(), server.user("ann").await, server.staff("host").await);
        let asks = async |user: &User, id: String, is_public: bool| {
            let object = json!({"object_type": "page", "object_id": id, "is_public": is_public});
            user.asks_for_room("Page", object).await.status
        };
        for (role, user) in [&nobody, &ann, &host].into_iter().enumerate() {
            assert_eq!(asks(user, format!("open {role}"), true).await, public[role], "{rule:?} {role}");
            assert_eq!(asks(user, format!("closed {role}"), false).await, private[role], "{rule:?} {role}");
        }
        // An existing room: a public one is open to all, a private one to its members and staff.
        asks(&host, "open".to_owned(), true).await;
        asks(&host, "closed".to_owned(), false).await;
        let other = server.staff("other").await;
        for (id, statuses) in [("open", [401, 200, 200, 200]), ("closed", [401, 403, 200, 200])] {
            for (user, status) in [&nobody, &ann, &host, &other].into_iter().zip(statuses) {
                for is_public in [true, false] {
                    assert_eq!(asks(user, id.to_owned(), is_public).await, status, "{rule:?} {id}");
                }
            }
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_wrong_with_a_request_is_told_to_those_only_who_may_do_it() {
    let actors = Actors::create().await;
    let fixture = actors.fixture(Kind::Public).await;
    let cases = [
        ("PATCH", "chats/{room}/", r#"{"title": 7e400}"#, MEMBER, 403),
        ("PATCH", "chats/{room}/", r#"{"title": ["x"]}"#, REMOVED, 403),
        ("PATCH", "chats/{room}/", r#"{"title": ["x"]}"#, ADMIN, 400),
        ("POST", "chats/{room}/members/add/", r#"{"user_ids": 1}"#, STAFF, 403),
        ("POST", "chats/{room}/members/add/", r#"{"user_ids": 1}"#, ADMIN, 400),
        ("POST", "chats/{room}/messages/", r#"{"content": ""}"#, STAFF, 404),
        ("POST", "chats/{room}/messages/", r#"{"content": ""}"#, MEMBER, 400),
        ("PATCH", "chats/{room}/members/{other}/", r#"{"role": "king"}"#, MEMBER, 403),
        ("PATCH", "chats/{room}/members/{other}/", r#"{"role": "king"}"#, ADMIN, 400),
    ];
    for (method, path, body, role, status) in cases {
        let path = format!("/messages/api/{}", actors.filled(path, &fixture, role));
        let body = body.as_bytes().to_vec();
        let reply = actors.roles[role].send_raw(method, &path, Some("application/json"), body).await;
        assert_eq!(reply.status, status, "{method} {path} by the {}", ROLES[role]);
    }
}
