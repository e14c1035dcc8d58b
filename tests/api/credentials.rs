//! Listing and ending a user's sessions and tokens.

use serde_json::{Value, json};

use crate::support::{DEADLINE, PASSWORD, Server, User, nodes};

/// Signs in with this `User-Agent`. Returns the user with the session cookie.
async fn signs_in(server: &Server, name: &str, agent: &str) -> User {
    let browser = server.anonymous().with("User-Agent", agent);
    let body = json!({"username": name, "password": PASSWORD});
    let reply = browser.send("POST", "/login/", Some(body)).await.expect(200);
    browser.with("Cookie", &reply.cookie())
}

async fn list(user: &User, what: &str) -> Vec<Value> {
    let reply = user.get(&format!("users/me/{what}/")).await.expect(200);
    assert_eq!(reply.json["count"], reply.results().len());
    reply.results().clone()
}

/// Asserts that a credential has ended: at once on the node that ended it, and within moments on the others.
async fn is_shut_out(user: &User) {
    let refused = async {
        while user.get("users/me/").await.status == 200 {
            assert!(nodes() > 1, "the only node knows at once");
        }
    };
    tokio::time::timeout(DEADLINE, refused).await.expect("every node knows in time");
    user.get("users/me/").await.expect(401);
}

/// Has staff create a second token of a user. Returns a client that uses it.
async fn with_token(server: &Server, staff: &User, user: &User) -> User {
    let made = staff.post(&format!("users/{}/tokens/", user.id), json!({})).await.expect(201).json;
    let header = format!("Token {}", made["key"].as_str().unwrap());
    server.anonymous().with("Authorization", &header)
}

#[actix_rt::test(system = "crate::System")]
async fn sessions_are_listed_with_when_and_from_where() {
    let server =
        Server::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    server.user("ann").await;
    server.user("bob").await;
    signs_in(&server, "bob", "RemotePresence/1").await;
    let long = "x".repeat(1_000);
    let first = signs_in(&server, "ann", &long).await;
    let second = signs_in(&server, "ann", "Second/2").await;
    let sessions = list(&second, "sessions").await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["user_agent"], "Second/2");
    assert_eq!(sessions[1]["user_agent"], "x".repeat(200));
    assert_eq!((&sessions[0]["is_current"], &sessions[1]["is_current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    for session in &sessions {
        assert!(session["created_at"].as_str() <= session["last_seen"].as_str(), "{session}");
        assert!(session["expires_at"].as_str() > session["last_seen"].as_str(), "{session}");
        // The session's id does not occur in the cookie.
        let cookie =
            &first.headers.iter().chain(&second.headers).map(|(_, value)| &**value).collect::<String>();
        assert!(!cookie.contains(&session["id"].to_string()), "{session}");
    }
    let page = first.get("users/me/sessions/?page_size=1&page=2").await.expect(200);
    assert_eq!((page.json["count"].as_i64(), page.results().len()), (Some(2), 1));
    first.get("users/me/sessions/?page=3").await.expect(404);
    server.anonymous().get("users/me/sessions/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn tokens_are_listed_without_their_keys_and_with_their_last_use() {
    let server =
        Server::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await.at(&server));
    let unused = with_token(&server, &staff, &ann).await;
    let from = ann.clone().with("X-Forwarded-For", "203.0.113.9").with("User-Agent", "Robot/1.0\u{e9}");
    let tokens = list(&from, "tokens").await;
    assert_eq!(tokens.len(), 2);
    assert_eq!((&tokens[0]["last_seen"], &tokens[0]["address"]), (&Value::Null, &json!("")));
    assert_eq!((&tokens[1]["is_current"], &tokens[1]["address"]), (&json!(true), &json!("203.0.113.9")));
    assert!(tokens[1]["last_seen"].is_string());
    assert_eq!(tokens[1]["expires_at"], Value::Null);
    let key = unused.headers[0].1.trim_start_matches("Token ").to_owned();
    assert!(!Value::from(tokens).to_string().contains(&key));
}

#[actix_rt::test(system = "crate::System")]
async fn one_session_is_ended_with_its_sockets_and_nothing_else() {
    let server = Server::start().await;
    let (ann, _) = (server.user("ann").await, server.user("bob").await);
    let (here, there) = (signs_in(&server, "ann", "Here/1").await, signs_in(&server, "ann", "There/1").await);
    let bob = signs_in(&server, "bob", "Bob/1").await;
    let (mut socket, mut own) = (there.listens().await, here.listens().await);
    let sessions = list(&here, "sessions").await;
    let of = |agent: &str| sessions.iter().find(|one| one["user_agent"] == agent).unwrap()["id"].clone();
    let path = format!("users/me/sessions/{}/", of("There/1"));
    bob.delete(&path).await.expect(404);
    here.clone().with("Origin", "https://evil.example").delete(&path).await.expect(403);
    there.get("users/me/").await.expect(200);
    here.delete(&path).await.expect(204);
    assert_eq!(socket.is_closed().await, 4401);
    there.get("users/me/").await.expect(401);
    here.delete(&path).await.expect(404);
    for none in ["0", "x", "-1", "9007199254740991"] {
        here.delete(&format!("users/me/sessions/{none}/")).await.expect(404);
    }
    here.get("users/me/").await.expect(200);
    ann.group("Still here", &[]).await;
    own.receives("chat_created").await;
    // A client may end its own session.
    here.delete(&format!("users/me/sessions/{}/", of("Here/1"))).await.expect(204);
    assert_eq!(own.is_closed().await, 4401);
    here.get("users/me/").await.expect(401);
    bob.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn all_other_sessions_are_ended_at_once() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let here = signs_in(&server, "ann", "Here/1").await;
    let (one, two) = (signs_in(&server, "ann", "One/1").await, signs_in(&server, "ann", "Two/1").await);
    let (mut first, mut second) = (one.listens().await, two.listens().await);
    here.delete("users/me/sessions/").await.expect(204);
    assert_eq!((first.is_closed().await, second.is_closed().await), (4401, 4401));
    is_shut_out(&one).await;
    is_shut_out(&two).await;
    assert_eq!(list(&here, "sessions").await.len(), 1);
    here.delete("users/me/sessions/").await.expect(204);
    // A client with a token ends all sessions and keeps its token.
    ann.delete("users/me/sessions/").await.expect(204);
    is_shut_out(&here).await;
    ann.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn tokens_are_ended_one_by_one_and_all_others_at_once() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let here = server.signed_in("ann").await;
    let mut programs = Vec::new();
    for _ in 0..3 {
        programs.push(with_token(&server, &staff, &ann).await);
    }
    let mut socket = programs[2].listens().await;
    let newest = list(&here, "tokens").await[0]["id"].clone();
    staff.delete(&format!("users/me/tokens/{newest}/")).await.expect(404);
    here.delete(&format!("users/me/tokens/{newest}/")).await.expect(204);
    assert_eq!(socket.is_closed().await, 4401);
    is_shut_out(&programs[2]).await;
    programs[0].delete("users/me/tokens/").await.expect(204);
    is_shut_out(&programs[1]).await;
    is_shut_out(&ann).await;
    programs[0].get("users/me/").await.expect(200);
    here.get("users/me/").await.expect(200);
    here.delete("users/me/tokens/").await.expect(204);
    is_shut_out(&programs[0]).await;
    assert!(list(&here, "tokens").await.is_empty());
    staff.get("users/me/").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn a_cookie_may_be_bound_to_its_host() {
    let server = Server::start_with(|config| {
        config.public_url = Some("https://chat.example.com".to_owned());
        config.cookie_name = "__Host-greenroom".to_owned();
    })
    .await;
    server.user("ann").await;
    let body = json!({"username": "ann", "password": PASSWORD});
    let reply = server.anonymous().send("POST", "/login/", Some(body)).await.expect(200);
    let cookie = reply.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-greenroom="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && cookie.contains("; Path=/") && !cookie.contains("Domain"),
        "{cookie}"
    );
    let session = server.anonymous().with("Cookie", cookie.split(';').next().unwrap());
    session.get("users/me/").await.expect(200);
    let gone = session.send("POST", "/logout/", None).await.expect(204);
    assert!(gone.header("set-cookie").contains("; Secure"), "{}", gone.header("set-cookie"));
    session.get("users/me/").await.expect(401);
}
