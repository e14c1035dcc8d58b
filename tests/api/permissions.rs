//! Permissions: a table of endpoints and roles. Each cell uses its own chats.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

/// The callers, in the order of the tables' columns.
const ROLES: [&str; 6] = ["anonymous", "outsider", "member", "sender", "admin", "removed"];
const ANONYMOUS: usize = 0;
const OUTSIDER: usize = 1;
const MEMBER: usize = 2;
const SENDER: usize = 3;
const ADMIN: usize = 4;
const REMOVED: usize = 5;

/// Method, path, body, and the status for each role.
type Row = (&'static str, &'static str, &'static str, [u16; 6]);

/// The callers, and two further users as targets.
struct Actors {
    server: Server,
    roles: [User; 6],
    /// A further member.
    other: User,
    /// A user in no chat.
    stranger: User,
}

/// The chats and messages of one cell.
struct Fixture {
    group: i64,
    /// A dm of the admin, who created it, and the member.
    dm: i64,
    /// A message of the sender.
    message: i64,
    /// A message of the removed user, who was an admin then.
    left: i64,
    /// A deleted message of the sender.
    gone: i64,
}

impl Actors {
    async fn create() -> Self {
        let server = Server::start().await;
        let roles = [
            server.anonymous(),
            server.user("nina").await,
            server.user("mia").await,
            server.user("sam").await,
            server.user("dora").await,
            server.user("rob").await,
        ];
        let (other, stranger) = (server.user("olga").await, server.user("zoe").await);
        Self { server, roles, other, stranger }
    }

    async fn fixture(&self) -> Fixture {
        let [_, _, member, sender, admin, removed] = &self.roles;
        let group = admin.group("Team", &[member, sender, removed, &self.other]).await;
        let role = format!("chats/{group}/members/{}/", removed.id);
        admin.patch(&role, json!({"role": "admin"})).await.expect(200);
        let message = sender.posts(group, "mine").await["id"].as_i64().unwrap();
        let left = removed.posts(group, "his").await["id"].as_i64().unwrap();
        let gone = sender.posts(group, "gone").await["id"].as_i64().unwrap();
        sender.delete(&format!("messages/{gone}/")).await.expect(204);
        admin.delete(&format!("chats/{group}/members/{}/remove/", removed.id)).await.expect(204);
        Fixture { group, dm: admin.dm(member).await, message, left, gone }
    }

    fn path(&self, template: &str, fixture: &Fixture, role: usize) -> String {
        let ids = [
            ("{group}", fixture.group),
            ("{dm}", fixture.dm),
            ("{message}", fixture.message),
            ("{left}", fixture.left),
            ("{gone}", fixture.gone),
            ("{self}", self.roles[role].id),
            ("{other}", self.other.id),
            ("{stranger}", self.stranger.id),
        ];
        ids.iter().fold(template.to_owned(), |text, (name, id)| text.replace(name, &id.to_string()))
    }

    async fn asks(&self, (method, path, body, _): &Row, fixture: &Fixture, role: usize) -> Reply {
        let body = self.path(body, fixture, role);
        let body = (!body.is_empty()).then(|| serde_json::from_str(&body).unwrap());
        self.roles[role].call(method, &self.path(path, fixture, role), body).await
    }

    /// Returns the complete state of the chats, as their admin sees it.
    async fn state(&self, fixture: &Fixture) -> Vec<Value> {
        let mut seen = Vec::new();
        for chat in [fixture.group, fixture.dm] {
            for part in ["", "messages/", "members/"] {
                let reply = self.roles[ADMIN].get(&format!("chats/{chat}/{part}")).await;
                seen.push(reply.expect(200).json);
            }
        }
        seen
    }

    async fn check(&self, rows: &[Row]) {
        for row in rows {
            for role in 0..ROLES.len() {
                self.check_cell(row, role).await;
            }
        }
    }

    async fn check_cell(&self, row: &Row, role: usize) {
        let (method, path, _, statuses) = row;
        let cell = format!("{method} {path} by the {}", ROLES[role]);
        let fixture = self.fixture().await;
        let before = self.state(&fixture).await;
        let reply = self.asks(row, &fixture, role).await;
        assert_eq!(reply.status, statuses[role], "{cell}: {}", String::from_utf8_lossy(&reply.body));
        if let Some(body) = refusal(reply.status) {
            assert_eq!(String::from_utf8_lossy(&reply.body), body, "{cell}");
        }
        if reply.status >= 400 {
            assert_eq!(self.state(&fixture).await, before, "{cell} has left something behind");
        }
    }
}

const NOT_FOUND: &str = r#"{"detail":"Not found."}"#;

/// Returns the fixed body of a refusal that does not depend on the request.
fn refusal(status: u16) -> Option<&'static str> {
    match status {
        401 => Some(r#"{"detail":"Authentication credentials were not provided."}"#),
        403 => Some(r#"{"detail":"You do not have permission to perform this action."}"#),
        404 => Some(NOT_FOUND),
        _ => None,
    }
}

/// Returns everything by which a client could distinguish two answers.
pub(crate) fn observable(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<(String, String)> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .filter(|(name, _)| name != "x-request-id" && name != "date")
        .collect();
    headers.sort();
    (reply.status, headers, reply.body.clone())
}

#[actix_rt::test(system = "crate::System")]
async fn what_concerns_no_chat_is_open_to_all_who_signed_in() {
    let open = |ok| [401, ok, ok, ok, ok, ok];
    let group = r#"{"chat_type": "group", "member_ids": [{stranger}]}"#;
    Actors::create()
        .await
        .check(&[
            ("GET", "chats/", "", open(200)),
            ("GET", "chats/?search=Team", "", open(200)),
            ("POST", "chats/", group, open(201)),
            ("GET", "users/search/?q=o", "", open(200)),
            ("GET", "users/search/?q=", "", open(400)),
            ("GET", "users/search/", "", open(400)),
            ("GET", "search/?q=o", "", open(200)),
            ("GET", "search/", "", open(400)),
            ("GET", "users/me/", "", open(200)),
            ("GET", "users/{stranger}/", "", open(200)),
            ("POST", "users/{stranger}/block/", "", open(200)),
            ("DELETE", "users/{stranger}/block/", "", open(204)),
            ("GET", "users/blocked/", "", open(200)),
            ("GET", "unread/", "", open(200)),
        ])
        .await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_group_is_for_its_members_and_managed_by_its_admins() {
    let managed = [401, 404, 403, 403, 200, 404];
    let used = [401, 404, 200, 200, 200, 404];
    Actors::create()
        .await
        .check(&[
            ("GET", "chats/{group}/", "", used),
            ("GET", "search/?q=o&chat={group}", "", used),
            ("GET", "search/?chat={group}", "", [401, 404, 400, 400, 400, 404]),
            ("GET", "chats/{group}/messages/?search=o", "", used),
            ("PUT", "chats/{group}/", r#"{"title": "New"}"#, managed),
            ("PATCH", "chats/{group}/", r#"{"title": "New"}"#, managed),
            ("PATCH", "chats/{group}/", "{}", managed),
            ("DELETE", "chats/{group}/", "", [401, 404, 403, 403, 204, 404]),
            ("POST", "chats/{group}/mark-as-read/", "{}", used),
            ("PATCH", "chats/{group}/me/", "{}", used),
            ("POST", "chats/{group}/typing/", r#"{"is_typing": true}"#, used),
        ])
        .await;
}

#[actix_rt::test(system = "crate::System")]
async fn the_members_of_a_group_are_its_admins_matter() {
    let managed = [401, 404, 403, 403, 200, 404];
    let removes = [401, 404, 403, 403, 204, 404];
    let leaves = [401, 404, 204, 204, 204, 404];
    Actors::create()
        .await
        .check(&[
            ("GET", "chats/{group}/members/", "", [401, 404, 200, 200, 200, 404]),
            ("POST", "chats/{group}/members/add/", r#"{"user_ids": [{stranger}]}"#, managed),
            ("PATCH", "chats/{group}/members/{other}/", r#"{"role": "admin"}"#, managed),
            ("PATCH", "chats/{group}/members/{stranger}/", "{}", [401, 404, 403, 403, 404, 404]),
            ("DELETE", "chats/{group}/members/{other}/remove/", "", removes),
            ("DELETE", "chats/{group}/members/{stranger}/remove/", "", [401, 404, 403, 403, 404, 404]),
            ("DELETE", "chats/{group}/members/{self}/remove/", "", leaves),
            ("POST", "chats/{group}/leave/", "", leaves),
        ])
        .await;
}

#[actix_rt::test(system = "crate::System")]
async fn messages_are_read_by_members_and_changed_by_their_senders_only() {
    let read = [401, 404, 200, 200, 200, 404];
    let edited = [401, 404, 403, 200, 403, 404];
    let foreign = [401, 404, 403, 403, 403, 404];
    let text = r#"{"content": "changed"}"#;
    Actors::create()
        .await
        .check(&[
            ("GET", "chats/{group}/messages/", "", read),
            ("POST", "chats/{group}/messages/", r#"{"content": "hi"}"#, [401, 404, 201, 201, 201, 404]),
            ("GET", "messages/{message}/", "", read),
            ("PUT", "messages/{message}/", text, edited),
            ("PATCH", "messages/{message}/", text, edited),
            ("PATCH", "messages/{message}/", "{}", edited),
            ("DELETE", "messages/{message}/", "", [401, 404, 403, 204, 403, 404]),
            ("GET", "messages/{left}/", "", read),
            ("PUT", "messages/{left}/", text, foreign),
            ("PATCH", "messages/{left}/", text, foreign),
            ("DELETE", "messages/{left}/", "", foreign),
        ])
        .await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_message_is_not_there_for_anybody() {
    let gone = [401, 404, 404, 404, 404, 404];
    Actors::create()
        .await
        .check(&[
            ("GET", "messages/{gone}/", "", gone),
            ("PUT", "messages/{gone}/", r#"{"content": "back"}"#, gone),
            ("PATCH", "messages/{gone}/", r#"{"content": "back"}"#, gone),
            ("DELETE", "messages/{gone}/", "", gone),
            ("POST", "messages/{gone}/reactions/", r#"{"emoji": "👍"}"#, gone),
            ("PUT", "messages/{gone}/reactions/%F0%9F%91%8D/", "", gone),
            ("DELETE", "messages/{gone}/reactions/%F0%9F%91%8D/", "", gone),
        ])
        .await;
}

#[actix_rt::test(system = "crate::System")]
async fn members_react_to_each_others_messages() {
    let react = [401, 404, 200, 200, 200, 404];
    Actors::create()
        .await
        .check(&[
            ("POST", "messages/{message}/reactions/", r#"{"emoji": "👍"}"#, react),
            ("POST", "messages/{left}/reactions/", r#"{"emoji": "👍"}"#, react),
            ("PUT", "messages/{message}/reactions/%F0%9F%91%8D/", "", react),
            ("DELETE", "messages/{message}/reactions/%F0%9F%91%8D/", "", [401, 404, 204, 204, 204, 404]),
        ])
        .await;
}

/// The dm belongs to the admin and the member; the sender is not in it.
#[actix_rt::test(system = "crate::System")]
async fn a_dm_belongs_to_both_and_its_members_do_not_change() {
    let both = [401, 404, 200, 404, 200, 404];
    let fixed = [401, 404, 400, 404, 400, 404];
    let admins = [401, 404, 403, 404, 400, 404];
    Actors::create()
        .await
        .check(&[
            ("GET", "chats/{dm}/", "", both),
            ("PUT", "chats/{dm}/", r#"{"title": "Us"}"#, both),
            ("PATCH", "chats/{dm}/", r#"{"title": "Us"}"#, both),
            ("DELETE", "chats/{dm}/", "", [401, 404, 403, 404, 204, 404]),
            ("POST", "chats/{dm}/messages/", r#"{"content": "hi"}"#, [401, 404, 201, 404, 201, 404]),
            ("POST", "chats/{dm}/members/add/", r#"{"user_ids": [{stranger}]}"#, admins),
            ("PATCH", "chats/{dm}/members/{self}/", r#"{"role": "admin"}"#, admins),
            ("DELETE", "chats/{dm}/members/{self}/remove/", "", fixed),
            ("POST", "chats/{dm}/leave/", "", fixed),
        ])
        .await;
}

#[actix_rt::test(system = "crate::System")]
async fn lists_show_ones_own_chats_only_whatever_is_searched_for() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    for role in [OUTSIDER, REMOVED] {
        for search in ["", "?search=Team", "?search=sam", "?search=%25", "?chat_type=group"] {
            let found = actors.roles[role].get(&format!("chats/{search}")).await.expect(200);
            assert_eq!(found.json["count"], 0, "{search} by the {}", ROLES[role]);
        }
    }
    let found = actors.roles[SENDER].get("chats/?search=team").await;
    assert_eq!(found.results()[0]["id"], fixture.group);
    assert_eq!(
        actors.roles[REMOVED].get("unread/").await.json,
        json!({"total": 0, "mentions": 0, "chats": {}, "chat_mentions": {}, "threads": {}, "threads_total": 0})
    );
}

#[actix_rt::test(system = "crate::System")]
async fn what_the_server_decides_is_ignored_in_bodies() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    let (admin, sender) = (&actors.roles[ADMIN], &actors.roles[SENDER]);
    let forged = json!({"title": "New", "content": "new", "id": 4242, "chat": fixture.dm, "sender": admin.id,
        "admins": [sender.id], "members": [], "chat_type": "dm", "created_at": "2001-01-01T00:00:00Z"});
    let before = admin.sees(fixture.group).await;
    let after = admin.patch(&format!("chats/{}/", fixture.group), forged.clone()).await.expect(200).json;
    assert_eq!(after["title"], "New");
    for field in ["id", "admins", "members", "chat_type", "created_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    let posted = sender.post(&format!("chats/{}/messages/", fixture.group), forged.clone()).await.expect(201);
    let edited = sender.put(&format!("messages/{}/", fixture.message), forged).await.expect(200);
    for message in [posted.json, edited.json] {
        assert_eq!(message["sender"]["id"], sender.id);
        assert_eq!(message["chat"], fixture.group);
        assert_ne!(message["id"], 4242);
        assert_ne!(message["created_at"], "2001-01-01T00:00:00Z");
    }
}

/// Every path of a chat or a message; `{id}` is the id of either.
const OBJECTS: [Row; 22] = [
    ("GET", "chats/{id}/", "", [0; 6]),
    ("PUT", "chats/{id}/", r#"{"title": "New"}"#, [0; 6]),
    ("PATCH", "chats/{id}/", r#"{"title": "New"}"#, [0; 6]),
    ("DELETE", "chats/{id}/", "", [0; 6]),
    ("GET", "chats/{id}/messages/", "", [0; 6]),
    ("GET", "chats/{id}/messages/?before=5", "", [0; 6]),
    ("POST", "chats/{id}/messages/", r#"{"content": "hi"}"#, [0; 6]),
    ("POST", "chats/{id}/mark-as-read/", "{}", [0; 6]),
    ("PATCH", "chats/{id}/me/", r#"{"is_pinned": true}"#, [0; 6]),
    ("POST", "chats/{id}/typing/", r#"{"is_typing": true}"#, [0; 6]),
    ("GET", "chats/{id}/members/", "", [0; 6]),
    ("POST", "chats/{id}/members/add/", r#"{"user_ids": [{stranger}]}"#, [0; 6]),
    ("PATCH", "chats/{id}/members/{other}/", r#"{"role": "admin"}"#, [0; 6]),
    ("DELETE", "chats/{id}/members/{other}/remove/", "", [0; 6]),
    ("DELETE", "chats/{id}/members/{self}/remove/", "", [0; 6]),
    ("POST", "chats/{id}/leave/", "", [0; 6]),
    ("GET", "messages/{id}/", "", [0; 6]),
    ("PUT", "messages/{id}/", r#"{"content": "hi"}"#, [0; 6]),
    ("DELETE", "messages/{id}/", "", [0; 6]),
    ("POST", "messages/{id}/reactions/", r#"{"emoji": "👍"}"#, [0; 6]),
    ("PUT", "messages/{id}/reactions/%F0%9F%91%8D/", "", [0; 6]),
    ("DELETE", "messages/{id}/reactions/%F0%9F%91%8D/", "", [0; 6]),
];

/// Ids that do not exist: too small, too large, unused, or malformed.
const NO_IDS: [&str; 12] = [
    "0",
    "-1",
    "+1",
    "1.0",
    "1e1",
    "x",
    "%D9%A3",
    "99999",
    "9007199254740991",
    "9007199254740992",
    "99999999999999999999",
    "%20",
];

impl Actors {
    /// Sends a request of [`OBJECTS`] for `id`.
    async fn asks_of(&self, row: &Row, id: &str, role: usize) -> Reply {
        let (method, path, body, _) = *row;
        let fixture = Fixture { group: 0, dm: 0, message: 0, left: 0, gone: 0 };
        let path = self.path(path, &fixture, role).replace("{id}", id);
        let body =
            (!body.is_empty()).then(|| serde_json::from_str(&self.path(body, &fixture, role)).unwrap());
        self.roles[role].call(method, &path, body).await
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_foreign_and_what_never_was_are_answered_alike() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    let before = actors.state(&fixture).await;
    for row in &OBJECTS {
        let own = if row.1.starts_with("chats/") { fixture.group } else { fixture.message };
        let foreign = actors.asks_of(row, &own.to_string(), OUTSIDER).await;
        assert_eq!(String::from_utf8_lossy(&foreign.body), NOT_FOUND, "{} {}", row.0, row.1);
        let removed = actors.asks_of(row, &own.to_string(), REMOVED).await;
        assert_eq!(observable(&removed), observable(&foreign), "{} {}", row.0, row.1);
        for id in NO_IDS {
            let unknown = actors.asks_of(row, id, OUTSIDER).await;
            assert_eq!(observable(&unknown), observable(&foreign), "{} {} of {id}", row.0, row.1);
        }
    }
    assert_eq!(actors.state(&fixture).await, before);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_id_is_not_found_by_anybody_and_asked_for_by_nobody() {
    let actors = Actors::create().await;
    for row in &OBJECTS {
        for id in NO_IDS {
            let refused = actors.asks_of(row, id, ANONYMOUS).await;
            assert_eq!(refused.status, 401, "{} {} of {id}", row.0, row.1);
            assert_eq!(refused.header("www-authenticate"), "Session");
            for role in [MEMBER, ADMIN] {
                let unknown = actors.asks_of(row, id, role).await;
                assert_eq!(String::from_utf8_lossy(&unknown.body), NOT_FOUND, "{} {} of {id}", row.0, row.1);
            }
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_member_that_is_no_id_is_not_found() {
    let actors = Actors::create().await;
    let group = actors.fixture().await.group;
    for id in NO_IDS {
        let role = format!("chats/{group}/members/{id}/");
        actors.roles[ADMIN].patch(&role, json!({"role": "admin"})).await.expect(404);
        actors.roles[ADMIN].delete(&format!("{role}remove/")).await.expect(404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn other_methods_are_refused_by_name_before_the_object_is_looked_for() {
    let addresses = [
        ("chats/", "GET, HEAD, POST"),
        ("chats/{id}/", "GET, HEAD, PUT, PATCH, DELETE"),
        ("chats/{id}/messages/", "GET, HEAD, POST"),
        ("chats/{id}/mark-as-read/", "POST"),
        ("chats/{id}/typing/", "POST"),
        ("chats/{id}/leave/", "POST"),
        ("chats/{id}/members/", "GET, HEAD"),
        ("chats/{id}/members/add/", "POST"),
        ("chats/{id}/members/1/remove/", "DELETE"),
        ("messages/{id}/", "GET, HEAD, PUT, PATCH, DELETE"),
        ("messages/{id}/reactions/", "POST"),
        ("messages/{id}/reactions/x/", "PUT, DELETE"),
        ("users/search/", "GET, HEAD"),
        ("search/", "GET, HEAD"),
        ("users/me/", "GET, HEAD, PATCH"),
        ("users/{id}/", "GET, HEAD, PATCH"),
        ("users/{id}/block/", "POST, DELETE"),
        ("users/blocked/", "GET, HEAD"),
        ("chats/{id}/me/", "PATCH"),
        ("unread/", "GET, HEAD"),
    ];
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    for (path, allow) in addresses {
        let own = if path.starts_with("chats/") { fixture.group } else { fixture.message };
        for id in [own.to_string(), "99999".to_owned(), "x".to_owned()] {
            actors.refuses_methods(&path.replace("{id}", &id), allow).await;
        }
    }
}

impl Actors {
    async fn refuses_methods(&self, path: &str, allow: &str) {
        let others = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"];
        for method in others.into_iter().filter(|method| !allow.split(", ").any(|own| own == *method)) {
            for (role, user) in self.roles.iter().enumerate() {
                let reply = user.call(method, path, None).await;
                if role == ANONYMOUS {
                    assert_eq!(reply.status, 401, "{method} {path}");
                    continue;
                }
                assert_eq!(reply.status, 405, "{method} {path} by the {}", ROLES[role]);
                assert_eq!(reply.header("allow"), allow, "{path}");
                assert_eq!(reply.json, json!({"detail": format!("Method \"{method}\" not allowed.")}));
            }
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn whoever_signed_in_may_open_a_socket_and_other_sites_may_not() {
    let actors = Actors::create().await;
    actors.fixture().await;
    assert_eq!(actors.roles[ANONYMOUS].connects().await.err().unwrap(), 401);
    let foreign = actors.server.anonymous().with("Origin", "https://evil.example");
    assert_eq!(foreign.connects().await.err().unwrap(), 401);
    for user in &actors.roles[OUTSIDER..] {
        let signed_in = actors.server.signed_in(&user.name).await;
        signed_in.listens().await;
        user.listens().await;
        let elsewhere = signed_in.with("Origin", "https://evil.example");
        assert_eq!(elsewhere.connects().await.err().unwrap(), 403, "{}", user.name);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_deactivated_is_nobody_everywhere() {
    let actors = Actors::create().await;
    let (fixture, staff) = (actors.fixture().await, actors.server.staff("root").await);
    let member = &actors.roles[MEMBER];
    staff.patch(&format!("users/{}/", member.id), json!({"is_active": false})).await.expect(200);
    for row in &OBJECTS {
        let own = if row.1.starts_with("chats/") { fixture.group } else { fixture.message };
        actors.asks_of(row, &own.to_string(), MEMBER).await.expect(401);
    }
    assert_eq!(member.connects().await.err().unwrap(), 401);
}

/// Sends a body that may be invalid.
async fn sends(user: &User, method: &str, path: &str, kind: &str, body: &str) -> Reply {
    user.send_raw(method, &format!("/messages/api/{path}"), Some(kind), body.as_bytes().to_vec()).await
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_is_told_of_a_body_to_those_who_may_not_send_one() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    let too_large = format!("{{\"title\": \"{}\"}}", "a".repeat(70_000));
    let bodies = [
        ("text/plain", "{}", 415),
        ("application/json", too_large.as_str(), 413),
        ("application/json", "{", 400),
        ("application/json", r#"{"title": 5, "title": 6}"#, 400),
        ("application/json", r#"{"title": []}"#, 400),
    ];
    let path = format!("chats/{}/", fixture.group);
    for (kind, body, status) in bodies {
        let expected = [401, 404, 403, 403, status, 404];
        for (role, user) in actors.roles.iter().enumerate() {
            let reply = sends(user, "PATCH", &path, kind, body).await;
            assert_eq!(reply.status, expected[role], "{status} by the {}", ROLES[role]);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_is_told_of_a_body_for_a_message_of_others() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    let too_large = format!("{{\"content\": \"{}\"}}", "a".repeat(70_000));
    let bodies = [
        ("text/plain", "{}", 415),
        ("application/json", too_large.as_str(), 413),
        ("application/json", "{", 400),
        ("application/json", r#"{"content": ""}"#, 400),
    ];
    let path = format!("messages/{}/", fixture.message);
    for (kind, body, status) in bodies {
        let expected = [401, 404, 403, status, 403, 404];
        for (role, user) in actors.roles.iter().enumerate() {
            let reply = sends(user, "PUT", &path, kind, body).await;
            assert_eq!(reply.status, expected[role], "{status} by the {}", ROLES[role]);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_request_wrong_in_every_way_hears_of_the_first_only() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    let elsewhere = |user: User| user.with("Sec-Fetch-Site", "cross-site");
    let nobody = elsewhere(actors.server.anonymous());
    let outsider = elsewhere(actors.server.signed_in("nina").await);
    let own = format!("chats/{}/", fixture.group);
    // Order of the checks: credentials, path, cross-site, method, object.
    assert_eq!(sends(&nobody, "POST", "nowhere/", "text/plain", "{").await.status, 401);
    let unknown = sends(&outsider, "POST", "nowhere/", "text/plain", "{").await;
    assert_eq!(String::from_utf8_lossy(&unknown.body), NOT_FOUND);
    for path in ["chats/99999/", "chats/x/", own.as_str()] {
        for method in ["POST", "PATCH"] {
            let reply = sends(&outsider, method, path, "text/plain", "{").await;
            assert_eq!(reply.status, 403, "{method} {path}");
            assert!(reply.json["detail"].as_str().unwrap().starts_with("CSRF Failed: "), "{reply:?}");
        }
        assert_eq!(sends(&actors.roles[OUTSIDER], "POST", path, "text/plain", "{").await.status, 405);
        assert_eq!(sends(&actors.roles[OUTSIDER], "PATCH", path, "text/plain", "{").await.status, 404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_conflict_comes_after_everything_else() {
    let actors = Actors::create().await;
    let fixture = actors.fixture().await;
    let messages = format!("chats/{}/messages/", fixture.group);
    let body = |content: &str| json!({"content": content, "client_id": "once"});
    actors.roles[SENDER].post(&messages, body("first")).await.expect(201);
    actors.roles[SENDER].post(&messages, body("")).await.expect(400);
    actors.roles[SENDER].post(&messages, body("second")).await.expect(409);
    actors.roles[SENDER]
        .delete(&format!("chats/{}/members/{}/remove/", fixture.group, actors.roles[SENDER].id))
        .await
        .expect(204);
    actors.roles[SENDER].post(&messages, body("second")).await.expect(404);
}
