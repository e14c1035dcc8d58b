//! Cross-site requests, which pages of other sites make a browser send.

use greenroom::config::{Config, Registration};
use serde_json::json;

use crate::support::{PASSWORD, Reply, Server, User};

const ALLOWED: &str = "https://good.example";

/// `Sec-Fetch-Site`, `Origin`, and whether a request with them is allowed. `{own}` is the server's origin,
/// `{port}` its port.
const CASES: [(&str, &str, bool); 29] = [
    // Not a browser, or a page of the same origin.
    ("", "", true),
    ("same-origin", "", true),
    ("none", "", true),
    ("same-origin", "{own}", true),
    ("none", "{own}", true),
    ("", "{own}", true),
    // Another site, according to `Sec-Fetch-Site`.
    ("cross-site", "", false),
    ("same-site", "", false),
    ("cross-site", "{own}", false),
    ("same-site", "{own}", false),
    ("cross-site", "null", false),
    ("anything", "", false),
    // Another site, according to `Origin`.
    ("", "https://evil.example", false),
    ("same-origin", "https://evil.example", false),
    ("none", "https://evil.example", false),
    ("", "null", false),
    ("", "http://127.0.0.1", false),
    ("", "http://127.0.0.1:1", false),
    ("", "http://localhost:{port}", false),
    ("", "{own}.evil.example", false),
    ("", "http://evil.example:{port}", false),
    ("", "http://127.0.0.1:{port}@evil.example", false),
    ("", "file://127.0.0.1:{port}", false),
    // An allowed site.
    ("cross-site", ALLOWED, true),
    ("same-site", ALLOWED, true),
    ("", ALLOWED, true),
    ("cross-site", "https://good.example.evil.com", false),
    ("", "http://good.example", false),
    ("", "https://good.example:8443", false),
];

async fn start() -> Server {
    Server::start_with(|config: &mut Config| {
        config.allowed_origins = vec![ALLOWED.to_owned()];
        config.registration = Registration::Open;
    })
    .await
}

/// Returns the user with the headers of a case.
fn from(user: &User, (site, origin, _): (&str, &str, bool)) -> User {
    let (own, port) = (format!("http://{}", user.address), user.address.port().to_string());
    let origin = origin.replace("{own}", &own).replace("{port}", &port);
    let headers = [("Sec-Fetch-Site", site), ("Origin", origin.as_str())];
    let given = headers.into_iter().filter(|(_, value)| !value.is_empty());
    given.fold(user.clone(), |user, (name, value)| user.with(name, value))
}

/// Asserts that the reply has `status` if the case is allowed, or is the refusal of a cross-site request.
#[track_caller]
fn check(reply: &Reply, case: (&str, &str, bool), status: u16) {
    if case.2 {
        assert_eq!(reply.status, status, "{case:?}: {}", reply.json);
    } else {
        assert_eq!(reply.status, 403, "{case:?}: {}", reply.json);
        let detail = reply.json["detail"].as_str().unwrap();
        assert!(detail.starts_with("CSRF Failed: "), "{case:?}: {detail}");
        assert_eq!(reply.json.as_object().unwrap().len(), 1);
    }
    let allowed = if case.1 == ALLOWED { ALLOWED } else { "" };
    assert_eq!(reply.header("access-control-allow-origin"), allowed, "{case:?}");
}

#[actix_rt::test(system = "crate::System")]
async fn what_changes_something_does_not_ride_on_the_cookie_from_elsewhere() {
    let server = start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let session = server.signed_in("ann").await;
    for case in CASES {
        let chat = ann.group("Team", &[&bob]).await;
        let message = ann.posts(chat, "hi").await["id"].as_i64().unwrap();
        let before = (ann.sees(chat).await, ann.reads(chat).await);
        let page = from(&session, case);
        let (group, single) = (format!("chats/{chat}/"), format!("messages/{message}/"));
        let title = json!({"title": "Other"});
        check(&page.post(&format!("{group}messages/"), json!({"content": "x"})).await, case, 201);
        check(&page.patch(&group, title.clone()).await, case, 200);
        check(&page.put(&group, title).await, case, 200);
        check(&page.delete(&single).await, case, 204);
        let after = (ann.sees(chat).await, ann.reads(chat).await);
        assert_eq!(after == before, !case.2, "{case:?}");
        check(&page.delete(&group).await, case, 204);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_only_looked_at_passes_from_anywhere() {
    let server = start().await;
    server.user("ann").await;
    let session = server.signed_in("ann").await;
    for case in CASES {
        let page = from(&session, case);
        let safe = (case.0, case.1, true);
        check(&page.get("chats/").await, safe, 200);
        check(&page.call("HEAD", "chats/", None).await, safe, 200);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_is_signed_in_from_elsewhere() {
    let server = start().await;
    server.user("ann").await;
    for case in CASES {
        let body = json!({"username": "ann", "password": PASSWORD});
        let reply = from(&server.anonymous(), case).send("POST", "/login/", Some(body)).await;
        check(&reply, case, 200);
        assert_eq!(reply.headers.contains_key("set-cookie"), case.2, "{case:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_is_signed_out_from_elsewhere() {
    let server = start().await;
    server.user("ann").await;
    for case in CASES {
        let session = server.signed_in("ann").await;
        check(&from(&session, case).send("POST", "/logout/", None).await, case, 204);
        let after = session.get("users/me/").await;
        assert_eq!(after.status, if case.2 { 401 } else { 200 }, "{case:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_makes_an_account_from_elsewhere() {
    let server = start().await;
    for (number, case) in CASES.into_iter().filter(|case| !case.2).enumerate() {
        let body = json!({"username": format!("user{number}"), "password": PASSWORD});
        let reply = from(&server.anonymous(), case).send("POST", "/register/", Some(body)).await;
        check(&reply, case, 201);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn no_socket_is_opened_from_elsewhere() {
    let server = start().await;
    let ann = server.user("ann").await;
    let session = server.signed_in("ann").await;
    for case in CASES {
        match from(&session, case).connects().await {
            Ok(mut socket) => {
                assert!(case.2, "{case:?}");
                assert_eq!(socket.receives("hello").await["user_id"], ann.id);
            }
            Err(status) => {
                assert!(!case.2, "{case:?}");
                assert_eq!(status, 403, "{case:?}");
            }
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn tokens_come_from_anywhere() {
    let server = start().await;
    let ann = server.user("ann").await;
    for case in CASES {
        let page = from(&ann, case);
        check(&page.post("chats/", json!({"chat_type": "group"})).await, (case.0, case.1, true), 201);
        page.connects().await.unwrap().receives("hello").await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_form_of_another_site_is_refused_even_by_a_browser_that_says_nothing() {
    let server = start().await;
    server.user("ann").await;
    let session = server.signed_in("ann").await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let body = br#"{"chat_type": "group", "title": "="}"#.to_vec();
        let reply = session.send_raw("POST", "/messages/api/chats/", Some(kind), body).await;
        assert_eq!(reply.status, 415, "{kind}");
    }
    assert_eq!(session.get("chats/").await.json["count"], 0);
}

#[actix_rt::test(system = "crate::System")]
async fn the_public_address_is_the_servers_own() {
    let public = "https://chat.example.com";
    let server = Server::start_with(|config| config.public_url = Some(public.to_owned())).await;
    server.user("ann").await;
    let session = server.signed_in("ann").await;
    let group = json!({"chat_type": "group"});
    session.clone().with("Origin", public).post("chats/", group.clone()).await.expect(201);
    for other in ["http://chat.example.com", "https://chat.example.com:8443", "https://chat.example.com.evil"]
    {
        session.clone().with("Origin", other).post("chats/", group.clone()).await.expect(403);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_allowed_site_is_told_so_on_every_answer() {
    let server = start().await;
    let ann = server.user("ann").await.with("Origin", ALLOWED);
    let nobody = server.anonymous().with("Origin", ALLOWED);
    let replies = [
        (ann.get("users/me/").await, 200),
        (nobody.get("users/me/").await, 401),
        (ann.get("nowhere/").await, 404),
        (ann.post("users/me/", json!({})).await, 405),
        (nobody.send("GET", "/nowhere", None).await, 404),
        (nobody.send("GET", &format!("/messages/avatars/{}.svg", ann.id), None).await, 200),
    ];
    for (reply, status) in replies {
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), ALLOWED);
        assert_eq!(reply.header("access-control-allow-credentials"), "true");
        assert_eq!(reply.header("vary"), "Origin");
    }
}

fn preflight(user: &User, origin: &str) -> User {
    let user = user.clone().with("Origin", origin).with("Sec-Fetch-Site", "cross-site");
    user.with("Access-Control-Request-Method", "PATCH")
        .with("Access-Control-Request-Headers", "authorization")
}

#[actix_rt::test(system = "crate::System")]
async fn a_preflight_of_an_allowed_site_is_answered_before_anything_else() {
    let server = start().await;
    let page = preflight(&server.anonymous(), ALLOWED);
    for path in ["/messages/api/chats/", "/messages/api/chats/1/", "/messages/api/nowhere/", "/login/"] {
        let reply = page.send("OPTIONS", path, None).await.expect(204);
        assert_eq!(reply.header("access-control-allow-origin"), ALLOWED);
        assert_eq!(reply.header("access-control-allow-credentials"), "true");
        let methods: Vec<&str> = reply.header("access-control-allow-methods").split(", ").collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            assert!(methods.contains(&method), "{methods:?}");
        }
        let headers = reply.header("access-control-allow-headers").to_ascii_lowercase();
        for header in ["authorization", "content-type", "last-event-id"] {
            assert!(headers.contains(header), "{headers}");
        }
        assert!(reply.body.is_empty());
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_preflight_of_any_other_site_is_answered_as_any_request() {
    let server = start().await;
    for origin in ["https://evil.example", "null", "https://good.example.evil.com"] {
        let page = preflight(&server.anonymous(), origin);
        for (path, status) in [("/messages/api/chats/", 401), ("/login/", 405), ("/nowhere", 404)] {
            let reply = page.send("OPTIONS", path, None).await.expect(status);
            assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control")));
        }
    }
    let no_preflight = server.anonymous().with("Origin", ALLOWED);
    no_preflight.call("OPTIONS", "chats/", None).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_is_allowed_where_nobody_was_named() {
    let server = Server::start().await;
    let ann = server.user("ann").await.with("Origin", ALLOWED);
    let reply = ann.get("users/me/").await.expect(200);
    assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control")));
    preflight(&server.anonymous(), ALLOWED).call("OPTIONS", "chats/", None).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn sockets_without_an_origin_can_be_refused() {
    let server = Server::start_with(|config| config.sockets_without_origin = false).await;
    server.user("ann").await;
    let session = server.signed_in("ann").await;
    assert_eq!(session.connects().await.err().unwrap(), 403);
    let own = format!("http://{}", session.address);
    session.with("Origin", &own).listens().await;
}

#[actix_rt::test(system = "crate::System")]
async fn pictures_may_be_shown_by_other_sites() {
    let server = start().await;
    let ann = server.user("ann").await;
    let nobody = server.anonymous().with("Sec-Fetch-Site", "cross-site");
    let reply = nobody.send("GET", &format!("/messages/avatars/{}.svg", ann.id), None).await.expect(200);
    assert_eq!(reply.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(nobody.get("").await.expect(200).header("cross-origin-resource-policy"), "same-origin");
}
