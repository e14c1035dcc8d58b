//! Signing in and out: passwords, sessions, tokens, and how they end.

use std::time::{Duration, Instant};

use greenroom::{
    config::Registration,
    core::{
        model::{Timestamp, UserId, text::Username},
        secrets,
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StorageError,
        tables::{
            revocations, sessions, tokens,
            users::{self, NewUser},
        },
        transaction,
    },
};
use serde_json::{Value, json};

use crate::{
    raw::Raw,
    support::{DEADLINE, PASSWORD, Reply, Server, User},
};

const WRONG: &str = r#"{"detail":"Invalid username or password."}"#;
const NOBODY: &str = r#"{"detail":"Authentication credentials were not provided."}"#;

async fn login(user: &User, name: &str, password: &str) -> Reply {
    user.send("POST", "/login/", Some(json!({"username": name, "password": password}))).await
}

async fn login_form(user: &User, form: &str) -> Reply {
    let kind = "application/x-www-form-urlencoded";
    user.send_raw("POST", "/login/", Some(kind), form.as_bytes().to_vec()).await
}

/// Changes the database beside the running server, as the command line does.
fn beside<T>(server: &Server, work: impl FnMut(&mut AnyConn) -> Result<T, StorageError>) -> T {
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Write).unwrap();
    transaction(&mut conn, work).unwrap()
}

fn change_password(server: &Server, user: &User, hash: &str) {
    beside(server, |conn| {
        let mut row = users::find(conn, UserId(user.id))?.unwrap();
        row.password = hash.to_owned();
        users::update(conn, &row)?;
        sessions::end_all(conn, row.id(), None)
    });
}

fn deactivate(server: &Server, user: &User) {
    beside(server, |conn| {
        let mut row = users::find(conn, UserId(user.id))?.unwrap();
        row.is_active = false;
        users::update(conn, &row)?;
        sessions::end_all(conn, row.id(), None)?;
        tokens::revoke_all(conn, row.id())?;
        revocations::record(conn, row.id())
    });
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[actix_rt::test(system = "crate::System")]
async fn signing_in_by_json_gives_the_user_and_a_cookie() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let reply = login(&server.anonymous(), "ann", PASSWORD).await.expect(200);
    assert_eq!(reply.json["id"], ann.id);
    assert_eq!(reply.json["username"], "ann");
    assert_eq!(reply.json["display_name"], "ann");
    assert_eq!(reply.json["avatar_url"], format!("/messages/avatars/{}.svg", ann.id));
    let me = server.anonymous().with("Cookie", &reply.cookie()).get("users/me/").await.expect(200);
    assert_eq!(me.json, reply.json);
}

#[actix_rt::test(system = "crate::System")]
async fn the_cookie_is_for_this_site_and_no_script() {
    let server = Server::start().await;
    server.user("ann").await;
    let reply = login(&server.anonymous(), "ann", PASSWORD).await.expect(200);
    let cookie = reply.header("set-cookie").to_owned();
    let mut attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=1209600", "Path=/", "SameSite=Lax"]);
    assert_eq!(reply.headers.get_all("set-cookie").count(), 1);
}

#[actix_rt::test(system = "crate::System")]
async fn the_cookie_is_secure_where_the_site_is() {
    let public = |config: &mut greenroom::config::Config| {
        config.public_url = Some("https://chat.example.com".to_owned());
    };
    let server = Server::start_with(public).await;
    server.user("ann").await;
    let reply = login(&server.anonymous(), "ann", PASSWORD).await.expect(200);
    assert!(
        reply.header("set-cookie").ends_with("; Secure") || reply.header("set-cookie").contains("; Secure;")
    );
    assert!(reply.header("strict-transport-security").contains("max-age="));
}

#[actix_rt::test(system = "crate::System")]
async fn signing_in_by_form_works_the_same() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let reply = login_form(&server.anonymous(), "username=ann&password=correct+horse").await.expect(200);
    assert_eq!(reply.json["id"], ann.id);
    server.anonymous().with("Cookie", &reply.cookie()).get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn a_browser_is_sent_on_to_paths_of_this_site_only() {
    let server = Server::start().await;
    server.user("ann").await;
    let browser = server.anonymous().with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let form = "username=ann&password=correct+horse";
    let cases = [
        ("", "/"),
        ("&next=%2Fteam%3Fa%3Db", "/team?a=b"),
        ("&next=https%3A%2F%2Fevil.example", "/"),
        ("&next=%2F%2Fevil.example", "/"),
        ("&next=%2F%5Cevil.example", "/"),
        ("&next=%2F%09%2Fevil.example", "/"),
        ("&next=%2Fa%0D%0ASet-Cookie%3A%20x%3Dy", "/"),
        ("&next=javascript%3Aalert(1)", "/"),
        ("&next=team", "/"),
    ];
    for (next, location) in cases {
        let reply = login_form(&browser, &format!("{form}{next}")).await.expect(303);
        assert_eq!(reply.header("location"), location, "{next}");
        server.anonymous().with("Cookie", &reply.cookie()).get("users/me/").await.expect(200);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_browser_may_be_told_by_the_query_where_to_go() {
    let server = Server::start().await;
    server.user("ann").await;
    let browser = server.anonymous().with("Accept", "text/html");
    for (next, location) in [("/team", "/team"), ("//evil.example", "/"), ("", "/")] {
        let body = Some(json!({"username": "ann", "password": PASSWORD}));
        let reply = browser.send("POST", &format!("/login/?next={next}"), body).await.expect(303);
        assert_eq!(reply.header("location"), location, "{next}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let server = Server::start().await;
    server.user("ann").await;
    let zoe = server.user("zoe").await;
    deactivate(&server, &zoe);
    let long = "x".repeat(10_000);
    let cases = [("ann", "wrong"), ("nobody", "wrong"), ("zoe", PASSWORD), ("ann", &long), ("Ann", PASSWORD)];
    for (name, password) in cases {
        let reply = login(&server.anonymous(), name, password).await;
        assert_eq!((reply.status, text(&reply).as_str()), (401, WRONG), "{name}");
        assert_eq!(reply.header("www-authenticate"), "Session");
        assert_eq!(reply.header("set-cookie"), "");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_missing_to_sign_in_is_named() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let required = json!(["This field is required."]);
    let details = |reply: Reply| {
        assert_eq!(reply.json["error"], "Invalid request");
        reply.expect(400).json["details"].clone()
    };
    let both = json!({"username": required, "password": required});
    assert_eq!(details(nobody.send("POST", "/login/", None).await), both);
    assert_eq!(details(nobody.send("POST", "/login/", Some(json!({}))).await), both);
    assert_eq!(details(login_form(&nobody, "").await), both);
    assert_eq!(details(login_form(&nobody, "username=ann").await), json!({"password": required}));
    let null = json!({"username": "ann", "password": null});
    let null = nobody.send("POST", "/login/", Some(null)).await;
    assert_eq!(details(null), json!({"password": ["This field may not be null."]}));
    nobody.send_raw("POST", "/login/", Some("text/plain"), b"x".to_vec()).await.expect(415);
}

#[actix_rt::test(system = "crate::System")]
async fn each_sign_in_makes_a_new_session_and_ends_the_old_one() {
    let server = Server::start().await;
    server.user("ann").await;
    let before = server.signed_in("ann").await;
    let reply = login(&before, "ann", PASSWORD).await.expect(200);
    let after = server.anonymous().with("Cookie", &reply.cookie());
    assert_ne!(before.headers, after.headers);
    after.get("users/me/").await.expect(200);
    before.get("users/me/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_failed_sign_in_changes_nothing_for_who_is_signed_in() {
    let server = Server::start().await;
    server.user("ann").await;
    let ann = server.signed_in("ann").await;
    login(&ann, "ann", "wrong").await.expect(401);
    ann.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn a_cookie_planted_before_the_sign_in_is_worth_nothing_after() {
    let server = Server::start().await;
    let (ann, _) = (server.user("ann").await, server.user("mallory").await);
    let planted = server.signed_in("mallory").await;
    let reply = login(&planted, "ann", PASSWORD).await.expect(200);
    assert_eq!(reply.json["id"], ann.id);
    planted.get("users/me/").await.expect(401);
    for made_up in ["sessionid=abc", "sessionid=", "sessionid=0; sessionid=1"] {
        let victim = server.anonymous().with("Cookie", made_up);
        let reply = login(&victim, "ann", PASSWORD).await.expect(200);
        assert_ne!(reply.cookie(), made_up);
        victim.get("users/me/").await.expect(401);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_cookie_with_another_signature_is_none() {
    let server = Server::start().await;
    server.user("ann").await;
    let cookie = login(&server.anonymous(), "ann", PASSWORD).await.cookie();
    let other = if cookie.ends_with('A') { 'B' } else { 'A' };
    for forged in [format!("{}{other}", &cookie[..cookie.len() - 1]), cookie[..cookie.len() / 2].to_owned()] {
        let reply = server.anonymous().with("Cookie", &forged).get("users/me/").await;
        assert_eq!((reply.status, text(&reply).as_str()), (401, NOBODY), "{forged}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn signing_out_ends_the_session_on_the_server() {
    let server = Server::start().await;
    server.user("ann").await;
    let (here, there) = (server.signed_in("ann").await, server.signed_in("ann").await);
    let reply = here.send("POST", "/logout/", None).await.expect(204);
    assert!(reply.header("set-cookie").starts_with("sessionid=;"), "{reply:?}");
    let after = here.get("users/me/").await;
    assert_eq!((after.status, text(&after).as_str()), (401, NOBODY));
    here.send("POST", "/logout/", None).await.expect(204);
    there.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn signing_out_works_under_any_spelling_of_the_path() {
    let server = Server::start().await;
    server.user("ann").await;
    for path in ["/logout", "/log%6Fut/"] {
        let session = server.signed_in("ann").await;
        session.get("chats/").await.expect(200);
        session.send("POST", path, None).await.expect(204);
        session.get("chats/").await.expect(401);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn signing_out_closes_the_sessions_sockets_and_no_others() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (here, there) = (server.signed_in("ann").await, server.signed_in("ann").await);
    let (mut first, mut second) = (here.listens().await, here.listens().await);
    let (mut elsewhere, mut program) = (there.listens().await, ann.listens().await);
    here.send("POST", "/logout/", None).await.expect(204);
    assert_eq!(first.is_closed().await, 4401);
    assert_eq!(second.is_closed().await, 4401);
    let chat = ann.group("Still here", &[]).await;
    assert_eq!(elsewhere.receives("chat_created").await["chat_id"], chat);
    assert_eq!(program.receives("chat_created").await["chat_id"], chat);
    assert_eq!(here.connects().await.err().unwrap(), 401);
}

#[actix_rt::test(system = "crate::System")]
async fn signing_in_again_closes_the_sockets_of_the_old_session() {
    let server = Server::start().await;
    server.user("ann").await;
    let ann = server.signed_in("ann").await;
    let mut socket = ann.listens().await;
    login(&ann, "ann", PASSWORD).await.expect(200);
    assert_eq!(socket.is_closed().await, 4401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_password_changed_at_the_command_line_ends_sessions_while_the_server_runs() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (here, there) = (server.signed_in("ann").await, server.signed_in("ann").await);
    let (mut first, mut second, mut program) =
        (here.listens().await, there.listens().await, ann.listens().await);
    change_password(&server, &ann, "!");
    assert_eq!(first.is_closed().await, 4401);
    assert_eq!(second.is_closed().await, 4401);
    here.get("users/me/").await.expect(401);
    there.get("users/me/").await.expect(401);
    // Tokens remain valid.
    let chat = ann.group("Still here", &[]).await;
    assert_eq!(program.receives("chat_created").await["chat_id"], chat);
    login(&server.anonymous(), "ann", PASSWORD).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_deactivated_at_the_command_line_is_out_while_the_server_runs() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let here = server.signed_in("ann").await;
    let (mut session, mut program, mut bob_socket) =
        (here.listens().await, ann.listens().await, bob.listens().await);
    deactivate(&server, &ann);
    assert_eq!(session.is_closed().await, 4401);
    assert_eq!(program.is_closed().await, 4401);
    here.get("users/me/").await.expect(401);
    ann.get("users/me/").await.expect(401);
    bob.group("Still here", &[]).await;
    bob_socket.receives("chat_created").await;
}

#[actix_rt::test(system = "crate::System")]
async fn staff_who_set_a_password_end_that_users_sessions() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let here = server.signed_in("ann").await;
    let mut socket = here.listens().await;
    let path = format!("users/{}/", ann.id);
    staff.patch(&path, json!({"password": "another horse"})).await.expect(200);
    assert_eq!(socket.is_closed().await, 4401);
    here.get("users/me/").await.expect(401);
    ann.get("users/me/").await.expect(200);
    login(&server.anonymous(), "ann", PASSWORD).await.expect(401);
    login(&server.anonymous(), "ann", "another horse").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn who_changes_their_own_password_stays_signed_in_there_and_nowhere_else() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let (here, there) = (server.signed_in("root").await, server.signed_in("root").await);
    let mut socket = there.listens().await;
    let path = format!("users/{}/", root.id);
    here.patch(&path, json!({"password": "another horse"})).await.expect(200);
    assert_eq!(socket.is_closed().await, 4401);
    there.get("users/me/").await.expect(401);
    here.get("users/me/").await.expect(200);
    let other = server.staff("second").await;
    here.patch(&path, json!({"is_active": false})).await.expect(200);
    here.get("users/me/").await.expect(401);
    other.patch(&path, json!({"is_active": true})).await.expect(200);
    here.get("users/me/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn sessions_survive_a_restart() {
    let server = Server::start().await;
    server.user("ann").await;
    let (ann, out) = (server.signed_in("ann").await, server.signed_in("ann").await);
    out.send("POST", "/logout/", None).await.expect(204);
    let again = Server::start_on(server.stop(), |_| {}).await;
    let moved = |mut user: User| {
        user.address = again.address;
        user
    };
    assert_eq!(moved(ann).get("users/me/").await.expect(200).json["username"], "ann");
    moved(out).get("users/me/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn another_secret_key_makes_all_cookies_void() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let session = server.signed_in("ann").await;
    let key = "0123456789abcdef0123456789abcdef".to_owned();
    let again = Server::start_on(server.stop(), |config| config.secret_key = Some(key)).await;
    let moved = |mut user: User| {
        user.address = again.address;
        user
    };
    moved(session).get("users/me/").await.expect(401);
    moved(ann).get("users/me/").await.expect(200);
}

/// Creates a token of a user, as the command line does.
fn token(server: &Server, user: &User, expires_at: Option<Timestamp>) -> String {
    let key = secrets::draw();
    let hash = secrets::hash(&key);
    beside(server, |conn| tokens::create(conn, UserId(user.id), &hash, expires_at));
    key
}

#[actix_rt::test(system = "crate::System")]
async fn a_token_works_wherever_a_session_does() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let key = token(&server, &ann, None);
    let program = server.anonymous().with("Authorization", &format!("Token {key}"));
    assert_eq!(program.get("users/me/").await.expect(200).json["id"], ann.id);
    program.group("Mine", &[]).await;
    assert_eq!(program.listens().await.hello["user_id"], ann.id);
}

#[actix_rt::test(system = "crate::System")]
async fn a_wrong_token_is_refused_whatever_the_cookie_says() {
    let server = Server::start().await;
    server.user("ann").await;
    let ann = server.signed_in("ann").await;
    for header in ["Token wrong", "token wrong", "Token wrong wrong"] {
        let reply = ann.clone().with("Authorization", header).get("users/me/").await;
        assert_eq!((reply.status, text(&reply).as_str()), (401, NOBODY), "{header}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn other_schemes_are_for_others_and_the_cookie_counts() {
    let server = Server::start().await;
    server.user("ann").await;
    let basic = "Basic YW5uOmNvcnJlY3QgaG9yc2U=";
    let ann = server.signed_in("ann").await.with("Authorization", basic);
    ann.get("users/me/").await.expect(200);
    ann.post("chats/", json!({"chat_type": "group"})).await.expect(201);
    let elsewhere = ann.with("Origin", "https://evil.example");
    elsewhere.post("chats/", json!({"chat_type": "group"})).await.expect(403);
    server.anonymous().with("Authorization", basic).get("users/me/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_takes_its_token_as_a_subprotocol() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let key = token(&server, &ann, None);
    let protocol = format!("greenroom.token.{key}");
    let offering = |protocols: &str| server.anonymous().with("Sec-WebSocket-Protocol", protocols);
    assert_eq!(offering(&protocol).listens().await.hello["user_id"], ann.id);
    assert_eq!(offering(&format!("other, {protocol}")).listens().await.hello["user_id"], ann.id);
    assert_eq!(offering("greenroom.token.wrong").connects().await.err().unwrap(), 401);
    let upgrade = Raw::upgrade(&server, &format!("Sec-WebSocket-Protocol: {protocol}\r\n"));
    assert_eq!(upgrade.status, 101);
    // A browser closes the socket if its protocol is not selected.
    assert_eq!(upgrade.header("sec-websocket-protocol"), protocol);
}

#[actix_rt::test(system = "crate::System")]
async fn an_expired_token_works_no_more() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let key = token(&server, &ann, Some(Timestamp::now().plus(-1)));
    let program = server.anonymous().with("Authorization", &format!("Token {key}"));
    program.get("users/me/").await.expect(401);
    assert_eq!(program.connects().await.err().unwrap(), 401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_token_that_expires_closes_its_sockets_and_no_others() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let path = format!("users/{}/tokens/", ann.id);
    let made = staff.post(&path, json!({"expires_in": 2})).await.expect(201).json;
    let header = format!("Token {}", made["key"].as_str().unwrap());
    let browser = server.anonymous().with("Authorization", &header);
    let (mut expiring, mut other) = (browser.listens().await, ann.listens().await);
    assert_eq!(expiring.is_closed().await, 4401);
    browser.get("users/me/").await.expect(401);
    ann.group("Still here", &[]).await;
    other.receives("chat_created").await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_token_revoked_at_the_command_line_closes_its_sockets_and_no_others() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let key = token(&server, &ann, None);
    let program = server.anonymous().with("Authorization", &format!("Token {key}"));
    let (mut revoked, mut other) = (program.listens().await, ann.listens().await);
    beside(&server, |conn| {
        let newest = tokens::of_user(conn, UserId(ann.id))?.pop().unwrap();
        tokens::revoke(conn, UserId(ann.id), newest.id)
    });
    assert_eq!(revoked.is_closed().await, 4401);
    program.get("users/me/").await.expect(401);
    ann.group("Still here", &[]).await;
    other.receives("chat_created").await;
}

#[track_caller]
fn assert_throttled(reply: &Reply) {
    assert_eq!(reply.status, 429, "{reply:?}");
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let sentence = format!("Request was throttled. Expected available in {seconds} {unit}.");
    assert_eq!(reply.json, json!({"detail": sentence}));
}

#[actix_rt::test(system = "crate::System")]
async fn the_sixth_failure_of_an_account_is_throttled_and_others_are_not() {
    let server = Server::start().await;
    server.user("ann").await;
    server.user("bob").await;
    let nobody = server.anonymous();
    for _ in 0..5 {
        login(&nobody, "ann", "wrong").await.expect(401);
    }
    assert_throttled(&login(&nobody, "ann", "wrong").await);
    assert_throttled(&login(&nobody, "ann", PASSWORD).await);
    assert_throttled(&login(&nobody, "ANN", PASSWORD).await);
    login(&nobody, "bob", PASSWORD).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn white_space_about_a_name_makes_no_other_account_of_it() {
    let server = Server::start().await;
    server.user("ann").await;
    let nobody = server.anonymous();
    for name in ["ann", " ann", "ann ", "  ann", "\tann\n"] {
        login(&nobody, name, "wrong").await.expect(401);
    }
    assert_throttled(&login(&nobody, "   ann", PASSWORD).await);
}

#[actix_rt::test(system = "crate::System")]
async fn an_address_has_twenty_failures_whatever_the_accounts() {
    let server = Server::start().await;
    server.user("ann").await;
    let nobody = server.anonymous();
    for guess in 0..20 {
        login(&nobody, &format!("user{guess}"), "wrong").await.expect(401);
    }
    assert_throttled(&login(&nobody, "ann", PASSWORD).await);
}

#[actix_rt::test(system = "crate::System")]
async fn right_passwords_are_not_counted() {
    let server = Server::start().await;
    server.user("ann").await;
    for _ in 0..7 {
        server.signed_in("ann").await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn djangos_password_hashes_are_taken_over() {
    let server = Server::start().await;
    let hash = "pbkdf2_sha256$1000$seasalt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY=";
    let new = NewUser {
        username: Username::parse("ann").unwrap(),
        password: hash.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        avatar_url: String::new(),
        is_staff: false,
        is_registered: false,
    };
    let ann = beside(&server, |conn| users::create(conn, &new)).id();
    let stored = || beside(&server, |conn| users::find(conn, ann)).unwrap().password;
    login(&server.anonymous(), "ann", "wrong").await.expect(401);
    assert_eq!(stored(), hash);
    // A failure takes a full second for known and unknown names; no hash takes that long here.
    for name in ["ann", "nobody"] {
        let began = Instant::now();
        login(&server.anonymous(), name, "wrong").await.expect(401);
        assert!(began.elapsed() >= Duration::from_secs(1), "{name}");
    }
    login(&server.anonymous(), "ann", "greenroom").await.expect(200);
    assert!(stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored());
    login(&server.anonymous(), "ann", "greenroom").await.expect(200);
    login(&server.anonymous(), "ann", "Greenroom").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_hash_that_is_as_it_should_be_is_left_alone() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let stored = || beside(&server, |conn| users::find(conn, UserId(ann.id))).unwrap().password;
    let before = stored();
    server.signed_in("ann").await;
    assert_eq!(stored(), before);
}

async fn open() -> Server {
    Server::start_with(|config| config.registration = Registration::Open).await
}

async fn register(server: &Server, body: Value) -> Reply {
    server.anonymous().send("POST", "/register/", Some(body)).await
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_makes_an_account_where_registration_is_closed() {
    let server = Server::start().await;
    let body = json!({"username": "ann", "password": "correct horse"});
    let reply = register(&server, body).await.expect(403);
    assert_eq!(text(&reply), r#"{"detail":"You do not have permission to perform this action."}"#);
    login(&server.anonymous(), "ann", PASSWORD).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn anybody_makes_an_account_where_registration_is_open() {
    let server = open().await;
    let body = json!({"username": "ann", "password": PASSWORD, "email": "ann@example.com",
        "first_name": "Ann", "last_name": "Smith", "is_staff": true, "is_active": false, "id": 77});
    let made = register(&server, body).await.expect(201).json;
    assert_eq!(made["display_name"], "Ann Smith");
    assert_eq!(made["is_staff"], false);
    assert_eq!(made["is_active"], true);
    let ann = server.signed_in("ann").await;
    assert_eq!(ann.get("users/me/").await.json, made);
    ann.post("users/", json!({"username": "other"})).await.expect(403);
}

#[actix_rt::test(system = "crate::System")]
async fn usernames_have_rules() {
    let server = open().await;
    let long = "a".repeat(151);
    for bad in ["", " ", "a b", "žąsis", "p\u{430}ypal", "a/b", "<b>", "a\u{200b}b", "a\0", &long] {
        let reply = register(&server, json!({"username": bad, "password": PASSWORD})).await.expect(400);
        assert!(reply.json["details"]["username"][0].is_string(), "{bad:?}: {reply:?}");
    }
    let longest = "a".repeat(150);
    for good in ["A.b@c+d-e_9", &longest] {
        let reply = register(&server, json!({"username": good, "password": PASSWORD})).await.expect(201);
        assert_eq!(reply.json["username"], good);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_name_that_is_taken_or_looks_like_one_that_is_is_refused() {
    let server = open().await;
    register(&server, json!({"username": "paypal", "password": PASSWORD})).await.expect(201);
    for name in ["paypal", "PayPal", " paypal ", "paypa1", "paypaI", "PAYPAI"] {
        let reply = register(&server, json!({"username": name, "password": PASSWORD})).await.expect(400);
        let taken = json!({"username": ["A user with that username already exists."]});
        assert_eq!(reply.json, json!({"error": "Invalid request", "details": taken}), "{name}");
    }
    // Names that look alike: the first of each pair is taken, the second is rejected.
    let twins = [
        ("Iris", "lris"),
        ("lan", "Ian"),
        ("Bob", "b0b"),
        ("IRENE", "irene"),
        ("mike", "Rnike"),
        ("zIz", "zlz"),
    ];
    for (first, second) in twins {
        register(&server, json!({"username": first, "password": PASSWORD})).await.expect(201);
        register(&server, json!({"username": second, "password": PASSWORD})).await.expect(400);
    }
    for other in ["mail", "mall"] {
        register(&server, json!({"username": other, "password": PASSWORD})).await.expect(201);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_password_is_not_too_short_and_not_too_long() {
    let server = open().await;
    let (long, longest) = ("x".repeat(129), "x".repeat(128));
    for bad in ["", "short", "1234567", &long] {
        let reply = register(&server, json!({"username": "ann", "password": bad})).await.expect(400);
        assert!(reply.json["details"]["password"][0].is_string(), "{bad:?}: {reply:?}");
    }
    let missing = register(&server, json!({"username": "ann"})).await.expect(400);
    assert_eq!(missing.json["details"], json!({"password": ["This field is required."]}));
    register(&server, json!({"username": "ann", "password": longest})).await.expect(201);
    register(&server, json!({"username": "bob", "password": "žąsytėžą"})).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn names_and_addresses_of_new_accounts_are_checked() {
    let server = open().await;
    let bads = [
        ("email", "nothing"),
        ("email", "a@b@c"),
        ("email", "a b@c"),
        ("first_name", "a\u{202e}b"),
        ("last_name", "a\u{200b}b"),
        ("first_name", "a\nb"),
        ("avatar_url", "javascript:alert(1)"),
    ];
    for (field, bad) in bads {
        let body = json!({"username": "ann", "password": PASSWORD, field: bad});
        let reply = register(&server, body).await.expect(400);
        assert!(reply.json["details"][field][0].is_string(), "{field}: {reply:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_password_that_changes_during_a_sign_in_with_the_old_one_lets_nobody_in() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let id = UserId(ann.id);
    let (change, wanted) = std::sync::mpsc::channel::<()>();
    let change_it = move |conn: &mut AnyConn, _: &_| {
        wanted.recv().unwrap();
        let mut row = users::find(conn, id)?.unwrap();
        row.password = "!".to_owned();
        users::update(conn, &row)?;
        sessions::end_all(conn, id, None)
    };
    // The job blocks the writer until `change` is sent, so that it precedes the storing of the session.
    server.writer().run_then("change_user", change_it, |result| result.unwrap());
    let nobody = server.anonymous();
    let tries_twice = async {
        for _ in 0..2 {
            // Passwords are hashed one at a time: after the second attempt the sign-in's was most likely
            // verified.
            server.hashes().await;
        }
        change.send(()).unwrap();
    };
    let (reply, ()) = futures_util::future::join(login(&nobody, "ann", PASSWORD), tries_twice).await;
    if reply.status == 200 {
        // The session was stored before the change after all, so the change has ended it.
        let session = server.anonymous().with("Cookie", &reply.cookie());
        let deadline = Instant::now() + DEADLINE;
        while session.get("users/me/").await.status != 401 {
            assert!(Instant::now() < deadline, "the session ends");
        }
    }
    assert_eq!(login(&nobody, "ann", PASSWORD).await.status, 401);
}
