//! Users: the own account, the search, and what staff may do for a host's users.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use greenroom::config::Registration;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, User};

const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;

/// Has staff create a user with names.
async fn person(staff: &User, name: &str, first: &str, last: &str, email: &str) -> Value {
    let body = json!({"username": name, "first_name": first, "last_name": last, "email": email});
    staff.post("users/", body).await.expect(201).json
}

/// Returns the usernames that a search finds, in their order.
async fn finds(user: &User, query: &str) -> Vec<String> {
    let reply = user.get(&format!("users/search/?q={query}")).await.expect(200);
    let name = |found: &Value| found["username"].as_str().unwrap().to_owned();
    reply.results().iter().map(name).collect()
}

#[track_caller]
fn assert_forbidden(reply: &Reply) {
    assert_eq!((reply.status, String::from_utf8_lossy(&reply.body).as_ref()), (403, FORBIDDEN));
}

#[actix_rt::test(system = "crate::System")]
async fn one_is_shown_to_oneself() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    let me = ann.get("users/me/").await.expect(200).json;
    let expected = json!({"id": ann.id, "username": "ann", "display_name": "ann",
        "avatar_url": format!("/messages/avatars/{}.svg", ann.id), "is_guest": false, "email": "ann@example.com",
        "first_name": "", "last_name": "", "is_staff": false, "is_active": true, "external_id": null, "custom": {}});
    assert_eq!(me, expected);
    assert_eq!(root.get("users/me/").await.json["is_staff"], true);
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_needs_something_to_look_for() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let required = json!({"error": "Invalid request", "details": {"q": ["This field is required."]}});
    let blank = json!({"error": "Invalid request", "details": {"q": ["This field may not be blank."]}});
    assert_eq!(ann.get("users/search/").await.expect(400).json, required);
    assert_eq!(ann.get("users/search/?query=x").await.expect(400).json, required);
    for query in ["", "%20", "+%09%0A"] {
        assert_eq!(ann.get(&format!("users/search/?q={query}")).await.expect(400).json, blank, "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn found_people_are_shown_with_their_e_mail() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let found = ann.get("users/search/?q=bob").await.expect(200).json;
    let expected = json!({"id": bob.id, "username": "bob", "display_name": "bob",
        "avatar_url": format!("/messages/avatars/{}.svg", bob.id), "is_guest": false, "email": "bob@example.com", "custom": {}});
    assert_eq!(found, json!({"results": [expected]}));
}

#[actix_rt::test(system = "crate::System")]
async fn people_are_found_by_name_username_and_e_mail_in_any_case() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    person(&root, "jsmith", "Žana", "Östberg", "mail@Somewhere.example").await;
    let queries = [
        "jsmith",
        "JSMITH",
        "smi",
        "%C5%BDana",
        "%C5%BEANA",
        "%C3%B6stberg",
        "%C3%96STBERG",
        "MAIL@somewhere",
        "mail%40",
        "%C5%BEana+%C3%B6stberg",
        "%C3%B6st+jsm",
        "+jsmith+",
        "some+%C5%BDan",
    ];
    for query in queries {
        assert_eq!(finds(&ann, query).await, ["jsmith"], "{query}");
    }
    for query in ["jsmith+bob", "smithj", "%C5%BEanaa"] {
        assert!(finds(&ann, query).await.is_empty(), "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn exact_hits_come_first_then_beginnings() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    person(&root, "a_lukas", "", "", "").await;
    person(&root, "lukasz", "", "", "").await;
    person(&root, "other", "Not", "Me", "lukas@example.com").await;
    person(&root, "lukas", "", "", "").await;
    person(&root, "zed", "Lukas", "", "").await;
    assert_eq!(finds(&ann, "Lukas").await, ["lukas", "zed", "lukasz", "other", "a_lukas"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_finds_twenty_at_most() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    for number in 10..35 {
        person(&root, &format!("guest{number}"), "", "", "").await;
    }
    assert_eq!(finds(&ann, "guest").await.len(), 20);
    assert_eq!(finds(&ann, "guest34").await, ["guest34"]);
}

#[actix_rt::test(system = "crate::System")]
async fn wildcards_are_plain_characters() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    person(&root, "plain", "", "", "").await;
    person(&root, "under_score", "50% Off", "Back\\slash", "").await;
    for query in ["%25", "_", "%5C", "r_s", "0%25", "k%5Cs", "50%25+_"] {
        assert_eq!(finds(&ann, query).await, ["under_score"], "{query}");
    }
    for query in ["p%25n", "pl_in", "%25%25", "%5C%5C", "'", "%22", "%2A", "?"] {
        assert!(finds(&ann, query).await.is_empty(), "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_caller_and_who_is_shut_out_are_not_found() {
    let server = Server::start().await;
    let (ann, anna, root) = (server.user("ann").await, server.user("anna").await, server.staff("root").await);
    assert_eq!(finds(&ann, "ann").await, ["anna"]);
    assert_eq!(finds(&anna, "ann").await, ["ann"]);
    root.patch(&format!("users/{}/", anna.id), json!({"is_active": false})).await.expect(200);
    assert!(finds(&ann, "ann").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn staff_make_a_user_once() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let body = json!({"username": "ann", "first_name": "Ann", "last_name": "Smith", "email": "ann@example.com",
        "avatar_url": "https://example.com/ann.png", "is_staff": true, "id": 99});
    let made = root.post("users/", body.clone()).await.expect(201).json;
    assert_eq!(made["display_name"], "Ann Smith");
    assert_eq!(made["avatar_url"], "https://example.com/ann.png");
    assert_eq!(made["is_staff"], false);
    assert_ne!(made["id"], 99);
    assert_eq!(root.post("users/", body).await.expect(200).json, made);
    let other = json!({"username": "ann", "first_name": "Other"});
    assert_eq!(root.post("users/", other).await.expect(200).json, made);
    // A user without a password cannot sign in with one.
    for password in ["", "!", PASSWORD] {
        let login = json!({"username": "ann", "password": password});
        server.anonymous().send("POST", "/login/", Some(login)).await.expect(401);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn of_names_that_look_alike_one_is_taken_by_twenty_at_once() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    for names in [["Iris", "lris", "1ris", "lRIS"], ["paypal", "paypaI", "PAYPAL", "paypa1"]] {
        let asked = names.iter().cycle().take(20).map(|name| root.post("users/", json!({"username": name})));
        let replies = join_all(asked).await;
        assert!(replies.iter().all(|reply| [200, 201, 400].contains(&reply.status)), "{replies:?}");
        let ids: BTreeSet<i64> = replies
            .iter()
            .filter(|reply| reply.status != 400)
            .map(|reply| reply.json["id"].as_i64().unwrap())
            .collect();
        assert_eq!(ids.len(), 1, "{replies:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_account_that_somebody_registered_is_not_handed_to_a_host() {
    let server = Server::start_with(|config| config.registration = Registration::Open).await;
    let root = server.staff("root").await;
    let mine = json!({"username": "shop-17", "password": PASSWORD});
    let squatter = server.anonymous().send("POST", "/register/", Some(mine.clone())).await.expect(201).json;
    let session = server.signed_in("shop-17").await;
    let path = format!("users/{}/", squatter["id"]);
    let key = root.post(&format!("{path}tokens/"), json!({})).await.expect(201).json["key"].clone();
    let with_key = server.anonymous().with("Authorization", &format!("Token {}", key.as_str().unwrap()));
    for _ in 0..2 {
        let reply = root.post("users/", json!({"username": "shop-17"})).await.expect(409);
        let sentence = reply.json["detail"].as_str().unwrap();
        assert!(sentence.contains("registered by its user") && sentence.contains(&path), "{sentence}");
    }
    // A user whom staff created is not registered, and `is_registered` cannot be set.
    root.post("users/", json!({"username": "shop-18"})).await.expect(201);
    root.post("users/", json!({"username": "shop-18"})).await.expect(200);
    root.patch(&path, json!({"is_registered": true})).await.expect(400);
    session.patch(&path, json!({"is_registered": false})).await.expect(403);
    session.patch("users/me/", json!({"is_registered": false})).await.expect(200);
    root.post("users/", json!({"username": "shop-17"})).await.expect(409);
    // After the takeover, the former user's credentials do not work.
    root.patch(&path, json!({"is_registered": false})).await.expect(200);
    for user in [&session, &with_key] {
        user.get("users/me/").await.expect(401);
    }
    server.anonymous().send("POST", "/login/", Some(mine)).await.expect(401);
    assert_eq!(
        root.post("users/", json!({"username": "shop-17"})).await.expect(200).json["id"],
        squatter["id"]
    );
    // A second takeover revokes nothing.
    let key = root.post(&format!("{path}tokens/"), json!({})).await.expect(201).json["key"].clone();
    root.patch(&path, json!({"is_registered": false})).await.expect(200);
    let host = server.anonymous().with("Authorization", &format!("Token {}", key.as_str().unwrap()));
    host.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn staff_may_give_a_new_user_a_password() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    root.post("users/", json!({"username": "ann", "password": PASSWORD})).await.expect(201);
    assert_eq!(server.signed_in("ann").await.get("users/me/").await.json["username"], "ann");
    root.post("users/", json!({"username": "bob", "password": "short"})).await.expect(400);
    root.post("users/", json!({"username": "b b"})).await.expect(400);
    root.post("users/", json!({})).await.expect(400);
    let alike = root.post("users/", json!({"username": "Ann"})).await.expect(400);
    let taken = json!({"username": ["A user with that username already exists."]});
    assert_eq!(alike.json["details"], taken);
}

#[actix_rt::test(system = "crate::System")]
async fn staff_change_what_they_name_and_nothing_else() {
    let server = Server::start().await;
    let (root, ann) = (server.staff("root").await, server.user("ann").await);
    let path = format!("users/{}/", ann.id);
    let body = json!({"first_name": " Ann ", "username": "other", "is_staff": true, "id": 99});
    let changed = root.patch(&path, body).await.expect(200).json;
    assert_eq!(changed["display_name"], "Ann");
    assert_eq!(changed["username"], "ann");
    assert_eq!(changed["is_staff"], false);
    assert_eq!(changed["email"], "ann@example.com");
    assert_eq!(ann.get("users/me/").await.expect(200).json, changed);
    assert_eq!(root.patch(&path, json!({})).await.expect(200).json, changed);
    let bads = [("email", "x"), ("is_active", "x"), ("avatar_url", "ftp://x"), ("password", "short")];
    for (field, bad) in bads {
        let reply = root.patch(&path, json!({field: bad})).await.expect(400);
        assert!(reply.json["details"][field][0].is_string(), "{field}");
    }
    assert_eq!(ann.get("users/me/").await.json, changed);
}

#[actix_rt::test(system = "crate::System")]
async fn a_new_name_is_seen_by_all_at_once() {
    let server = Server::start().await;
    let (root, ann, bob) = (server.staff("root").await, server.user("ann").await, server.user("bob").await);
    let chat = ann.dm(&bob).await;
    ann.posts(chat, "before").await;
    root.patch(&format!("users/{}/", ann.id), json!({"first_name": "Annie"})).await.expect(200);
    assert_eq!(bob.sees(chat).await["title"], "Annie");
    assert_eq!(ann.posts(chat, "after").await["sender"]["display_name"], "Annie");
    assert_eq!(finds(&bob, "annie").await, ["ann"]);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_shut_out_is_out_at_once_and_may_be_let_in_again() {
    let server = Server::start().await;
    let (root, ann) = (server.staff("root").await, server.user("ann").await);
    let (session, path) = (server.signed_in("ann").await, format!("users/{}/", ann.id));
    let (mut program, mut browser) = (ann.listens().await, session.listens().await);
    assert_eq!(root.patch(&path, json!({"is_active": false})).await.expect(200).json["is_active"], false);
    assert_eq!((program.is_closed().await, browser.is_closed().await), (4401, 4401));
    ann.get("users/me/").await.expect(401);
    session.get("users/me/").await.expect(401);
    root.post(&format!("{path}tokens/"), json!({})).await.expect(404);
    root.patch(&path, json!({"is_active": true})).await.expect(200);
    // The session stays revoked.
    session.get("users/me/").await.expect(401);
    server.signed_in("ann").await.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn staff_make_a_token_that_works_until_its_time() {
    let server = Server::start().await;
    let (root, ann) = (server.staff("root").await, server.user("ann").await);
    let tokens = format!("users/{}/tokens/", ann.id);
    let endless = root.post(&tokens, json!({})).await.expect(201).json;
    assert_eq!(endless["expires_at"], Value::Null);
    let hour = root.post(&tokens, json!({"expires_in": 3600})).await.expect(201).json;
    assert!(hour["expires_at"].as_str().unwrap().ends_with('Z'), "{hour}");
    assert_ne!(endless["key"], hour["key"]);
    for token in [endless, hour] {
        let header = format!("Token {}", token["key"].as_str().unwrap());
        let program = server.anonymous().with("Authorization", &header);
        assert_eq!(program.get("users/me/").await.expect(200).json["id"], ann.id);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_life_of_a_token_is_a_number_of_seconds() {
    let server = Server::start().await;
    let (root, ann) = (server.staff("root").await, server.user("ann").await);
    let tokens = format!("users/{}/tokens/", ann.id);
    for bad in [json!(0), json!(-1), json!("x"), json!(1.5), json!([]), json!(i64::MAX), json!(true)] {
        let reply = root.post(&tokens, json!({"expires_in": bad})).await.expect(400);
        assert!(reply.json["details"]["expires_in"][0].is_string(), "{bad}");
    }
    root.post(&tokens, json!({"expires_in": null})).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn staff_end_all_tokens_of_a_user() {
    let server = Server::start().await;
    let (root, ann) = (server.staff("root").await, server.user("ann").await);
    let session = server.signed_in("ann").await;
    let tokens = format!("users/{}/tokens/", ann.id);
    let (mut program, mut browser) = (ann.listens().await, session.listens().await);
    root.delete(&tokens).await.expect(204);
    assert_eq!(program.is_closed().await, 4401);
    ann.get("users/me/").await.expect(401);
    session.group("Still here", &[]).await;
    browser.receives("chat_created").await;
    root.delete(&tokens).await.expect(204);
    root.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn users_are_staffs_matter() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (own, other) = (format!("users/{}/", ann.id), format!("users/{}/", bob.id));
    assert_forbidden(&ann.post("users/", json!({"username": "new"})).await);
    assert_forbidden(&ann.post("users/", json!({"username": "bob"})).await);
    for path in [own, other] {
        assert_forbidden(&ann.patch(&path, json!({"first_name": "X"})).await);
        assert_forbidden(&ann.post(&format!("{path}tokens/"), json!({})).await);
        assert_forbidden(&ann.delete(&format!("{path}tokens/")).await);
    }
    assert_eq!(bob.get("users/me/").await.expect(200).json["first_name"], "");
    assert!(finds(&ann, "new").await.is_empty());
    server.anonymous().post("users/", json!({"username": "new"})).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_is_shown_to_everybody_and_whole_to_themselves_and_to_staff() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    let id = person(&root, "bob", "Bob", "Brown", "bob@example.com").await["id"].as_i64().unwrap();
    let card = json!({
        "id": id, "username": "bob", "display_name": "Bob Brown", "avatar_url": format!("/messages/avatars/{id}.svg"),
        "is_guest": false, "custom": {},
    });
    let path = format!("users/{id}/");
    let reply = ann.get(&path).await.expect(200);
    assert_eq!(reply.json, card);
    let whole = root.get(&path).await.expect(200).json;
    assert_eq!((&whole["email"], &whole["is_active"]), (&json!("bob@example.com"), &json!(true)));
    let own = ann.get(&format!("users/{}/", ann.id)).await.expect(200);
    assert_eq!(own.body, ann.get("users/me/").await.body);
    // A deactivated user's card is still visible, as its messages are.
    root.patch(&path, json!({"is_active": false})).await.expect(200);
    assert_eq!(ann.get(&path).await.expect(200).json, card);
    for id in ["0", "-1", "99", "x", "9007199254740992"] {
        for user in [&ann, &root] {
            user.get(&format!("users/{id}/")).await.expect(404);
        }
    }
    server.anonymous().get(&path).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn users_who_are_not_there_are_not_found_by_staff() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    for id in ["0", "-1", "99", "x", "9007199254740992", "99999999999999999999"] {
        root.patch(&format!("users/{id}/"), json!({"password": "short"})).await.expect(404);
        root.post(&format!("users/{id}/tokens/"), json!({"expires_in": 0})).await.expect(404);
        root.delete(&format!("users/{id}/tokens/")).await.expect(404);
    }
}

/// A group with a message of its first member, on a server that disables something.
struct Restricted {
    _server: Server,
    ann: User,
    bob: User,
    outsider: User,
    message: String,
}

impl Restricted {
    async fn start(switch: impl FnOnce(&mut greenroom::config::Config)) -> Self {
        let server = Server::start_with(switch).await;
        let (ann, bob) = (server.user("ann").await, server.user("bob").await);
        let chat = ann.group("Team", &[&bob]).await;
        let message = format!("messages/{}/", ann.posts(chat, "hi").await["id"]);
        let outsider = server.user("eve").await;
        Self { _server: server, ann, bob, outsider, message }
    }

    /// Asserts that a request is 403 for both members and 404 for other users, and does not change the
    /// message.
    async fn refuses(&self, method: &str, path: &str, body: Option<Value>) {
        let before = self.ann.get(&self.message).await.expect(200).json;
        for member in [&self.ann, &self.bob] {
            assert_forbidden(&member.call(method, path, body.clone()).await);
        }
        self.outsider.call(method, path, body.clone()).await.expect(404);
        let unknown = path.replace(&self.message, "messages/99/");
        self.ann.call(method, &unknown, body).await.expect(404);
        assert_eq!(self.ann.get(&self.message).await.expect(200).json, before);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn editing_may_be_switched_off() {
    let team = Restricted::start(|config| config.allow_editing = false).await;
    for method in ["PUT", "PATCH"] {
        team.refuses(method, &team.message, Some(json!({"content": "changed"}))).await;
        team.refuses(method, &team.message, Some(json!({"content": ""}))).await;
    }
    team.ann.delete(&team.message).await.expect(204);
}

#[actix_rt::test(system = "crate::System")]
async fn deleting_may_be_switched_off() {
    let team = Restricted::start(|config| config.allow_deleting = false).await;
    team.refuses("DELETE", &team.message, None).await;
    team.ann.patch(&team.message, json!({"content": "changed"})).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn reactions_may_be_switched_off() {
    let team = Restricted::start(|config| config.allow_reactions = false).await;
    let reactions = format!("{}reactions/", team.message);
    team.refuses("POST", &reactions, Some(json!({"emoji": "👍"}))).await;
    team.refuses("POST", &reactions, Some(json!({"emoji": "x"}))).await;
    for method in ["PUT", "DELETE"] {
        team.refuses(method, &format!("{reactions}%F0%9F%91%8D/"), None).await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn renaming_dms_may_be_switched_off() {
    let server = Server::start_with(|config| config.allow_renaming_dms = false).await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let (dm, group) = (ann.dm(&bob).await, ann.group("Team", &[&bob]).await);
    for title in [json!({"title": "Us"}), json!({"title": []}), json!({})] {
        for method in ["PUT", "PATCH"] {
            for member in [&ann, &bob] {
                let reply = member.call(method, &format!("chats/{dm}/"), Some(title.clone())).await;
                assert_forbidden(&reply);
            }
            eve.call(method, &format!("chats/{dm}/"), Some(title.clone())).await.expect(404);
            ann.call(method, "chats/99/", Some(title.clone())).await.expect(404);
        }
    }
    assert_eq!(ann.sees(dm).await["title"], "bob");
    ann.patch(&format!("chats/{group}/"), json!({"title": "New"})).await.expect(200);
    assert_forbidden(&bob.patch(&format!("chats/{group}/"), json!({"title": "X"})).await);
}
