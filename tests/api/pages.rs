//! The HTML pages, as a browser requests them.

use serde_json::json;

use crate::support::{PASSWORD, Server, User};

/// Returns a signed-in browser.
async fn browser(server: &Server, name: &str) -> User {
    server.user(name).await;
    let fields = json!({"username": name, "password": PASSWORD});
    let reply = server.anonymous().send("POST", "/login/", Some(fields)).await.expect(200);
    server.anonymous().with("Cookie", &reply.cookie())
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_not_signed_in_is_led_to_the_sign_in_page_and_back() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let ways = [
        ("/", "/login/?next=%2F"),
        ("/messages/", "/login/?next=%2Fmessages%2F"),
        ("/messages", "/login/?next=%2Fmessages"),
        ("/messages/?chat=7&x=%26", "/login/?next=%2Fmessages%2F%3Fchat%3D7%26x%3D%2526"),
    ];
    for (path, to) in ways {
        let reply = nobody.send("GET", path, None).await.expect(302);
        assert_eq!(reply.header("location"), to, "{path}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let ended = nobody.clone().with("Cookie", "sessionid=nonsense");
    ended.send("GET", "/", None).await.expect(302);
    // A token does not open a page.
    server.user("ann").await.send("GET", "/", None).await.expect(302);
    nobody.send("GET", "/login/", None).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_signed_in_gets_the_messages_page() {
    let server = Server::start().await;
    let ann = browser(&server, "ann").await;
    for path in ["/", "/messages/", "/messages", "/messages/?chat=7"] {
        let page = ann.send("GET", path, None).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(String::from_utf8(page.body).unwrap().contains("/messages.js"), "{path}");
    }
    let to = [("", "/"), ("?next=/messages/%3Fchat%3D7", "/messages/?chat=7"), ("?next=//evil.example", "/")];
    for (query, to) in to {
        let reply = ann.send("GET", &format!("/login/{query}"), None).await.expect(302);
        assert_eq!(reply.header("location"), to, "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn pages_run_nothing_but_this_servers_own() {
    let server = Server::start().await;
    let ann = browser(&server, "ann").await;
    for (visitor, path) in [(&server.anonymous(), "/login/"), (&ann, "/messages/")] {
        let page = visitor.send("GET", path, None).await.expect(200);
        let policy = page.header("content-security-policy").to_owned();
        let of = |name: &str| policy.split("; ").find(|part| part.starts_with(name)).unwrap_or_default();
        assert_eq!(of("default-src"), "default-src 'none'");
        assert_eq!(of("script-src"), "script-src 'self'");
        assert_eq!(of("style-src"), "style-src 'self'");
        assert_eq!(of("connect-src"), "connect-src 'self'");
        assert_eq!(of("frame-ancestors"), "frame-ancestors 'none'");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("x-frame-options"), "DENY");
        let html = String::from_utf8(page.body).unwrap();
        assert!(!html.contains("<style") && !html.contains("style=") && !html.contains("onclick"), "{html}");
        let scripts = html.matches("<script").count();
        assert_eq!(html.matches("src=\"/messages/static/").count(), scripts, "no script is inline");
        assert!(!html.contains("http://") && !html.contains("https://"), "nothing is elsewhere: {html}");
    }
}
