//! Headers of proxies: the client's address, and whether it used HTTPS.

use serde_json::json;

use greenroom::config::Hsts;

use crate::support::{PASSWORD, Server};

async fn behind_a_proxy() -> Server {
    Server::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await
}

#[actix_rt::test(system = "crate::System")]
async fn a_trusted_proxy_says_that_it_was_https() {
    let server = behind_a_proxy().await;
    let ann = server.user("ann").await.with("X-Forwarded-Proto", "https");
    ann.group("Team", &[]).await;
    ann.group("Team", &[]).await;
    let page = ann.get("chats/?page_size=1").await.expect(200);
    let host = server.address;
    assert_eq!(page.json["next"], format!("https://{host}/messages/api/chats/?page_size=1&page=2"));
    assert_ne!(page.header("strict-transport-security"), "");
    let body = json!({"username": "ann", "password": PASSWORD});
    let nobody = server.anonymous();
    let plain = nobody.send("POST", "/login/", Some(body.clone())).await.expect(200);
    assert!(!plain.header("set-cookie").contains("Secure"));
    let secure =
        nobody.with("X-Forwarded-Proto", "https").send("POST", "/login/", Some(body)).await.expect(200);
    assert!(secure.header("set-cookie").ends_with("; Secure"));
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_else_says_that_it_was_https() {
    let server = Server::start().await;
    let ann =
        server.user("ann").await.with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "evil.example");
    ann.group("Team", &[]).await;
    ann.group("Team", &[]).await;
    let page = ann.get("chats/?page_size=1").await.expect(200);
    assert_eq!(page.json["next"], server.url("/messages/api/chats/?page_size=1&page=2"));
    assert_eq!(page.header("strict-transport-security"), "");
}

/// Fails to sign in `times` times from `address`. Uses one node, since others are notified a moment later.
async fn fails(server: &Server, times: usize, address: &str) -> u16 {
    let nobody = server.anonymous().at(server).with("X-Forwarded-For", address);
    let body = json!({"username": "ann", "password": "wrong"});
    let mut status = 0;
    for _ in 0..times {
        status = nobody.send("POST", "/login/", Some(body.clone())).await.status;
    }
    status
}

#[actix_rt::test(system = "crate::System")]
async fn a_trusted_proxy_says_who_is_behind_it() {
    let server = behind_a_proxy().await;
    assert_eq!(fails(&server, 5, "203.0.113.1").await, 401);
    assert_eq!(fails(&server, 1, "203.0.113.1").await, 429);
    // Addresses that a client forges are left of those that the proxies append.
    assert_eq!(fails(&server, 1, "198.51.100.7, 203.0.113.1").await, 429);
    assert_eq!(fails(&server, 1, "203.0.113.1, 127.0.0.9").await, 429);
    assert_eq!(fails(&server, 1, "203.0.113.2").await, 401);
    assert_eq!(fails(&server, 1, "203.0.113.1, 203.0.113.3").await, 401);
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_else_says_who_is_behind_them() {
    let server = Server::start().await;
    for client in 1..=5 {
        assert_eq!(fails(&server, 1, &format!("203.0.113.{client}")).await, 401);
    }
    assert_eq!(fails(&server, 1, "203.0.113.6").await, 429);
}

#[actix_rt::test(system = "crate::System")]
async fn a_proxy_is_known_by_its_address_of_either_family() {
    let server = Server::start_with(|config| {
        config.bind = "[::]:0".parse().unwrap();
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let port = server.address.port();
    let mut nobody = server.anonymous().with("X-Forwarded-Proto", "https");
    nobody.address = ([127, 0, 0, 1], port).into();
    let reply = nobody.send("GET", "/healthz", None).await.expect(200);
    assert_ne!(reply.header("strict-transport-security"), "");
}

#[actix_rt::test(system = "crate::System")]
async fn browsers_are_bound_to_https_for_this_host_alone_unless_it_is_set_otherwise() {
    for (hsts, value) in [
        (None, "max-age=31536000"),
        (Some(Hsts::Host), "max-age=31536000"),
        (Some(Hsts::Subdomains), "max-age=31536000; includeSubDomains"),
        (Some(Hsts::Off), ""),
    ] {
        let server = Server::start_with(|config| {
            config.public_url = Some("https://chat.example.com".to_owned());
            config.hsts = hsts.unwrap_or(config.hsts);
        })
        .await;
        let reply = server.anonymous().send("GET", "/healthz", None).await.expect(200);
        assert_eq!(reply.header("strict-transport-security"), value);
        // Answers without a handler have the header too.
        let reply = server.anonymous().send("GET", "/nowhere", None).await.expect(404);
        assert_eq!(reply.header("strict-transport-security"), value);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn all_that_proxies_say_of_https_is_understood() {
    let server = behind_a_proxy().await;
    server.user("ann").await;
    let body = json!({"username": "ann", "password": PASSWORD});
    for (name, value, is_https) in [
        ("X-Forwarded-Proto", "https,http", true),
        ("X-Forwarded-Proto", "https, http", true),
        ("X-Forwarded-Proto", "HTTPS", true),
        ("X-Forwarded-Proto", " https ", true),
        ("X-Forwarded-Proto", "wss", true),
        ("X-Forwarded-Proto", "http,https", false),
        ("X-Forwarded-Proto", "http", false),
        ("X-Forwarded-Proto", "", false),
        ("X-Forwarded-Scheme", "https", true),
        ("X-Forwarded-Protocol", "ssl", true),
        ("X-Forwarded-Ssl", "on", true),
        ("X-Forwarded-Ssl", "off", false),
        ("Front-End-Https", "On", true),
        ("X-Url-Scheme", "https", true),
        ("X-Scheme", "https", true),
        ("CloudFront-Forwarded-Proto", "https", true),
        ("Forwarded", "for=192.0.2.60;proto=https;by=203.0.113.43", true),
        ("Forwarded", "For=\"[2001:db8::1]:47\" ; PROTO = \"HTTPS\" , for=10.0.0.1;proto=http", true),
        ("Forwarded", "proto=http, proto=https", false),
        ("Forwarded", "for=\"a;proto=https\"", false),
    ] {
        let nobody = server.anonymous().at(&server).with(name, value);
        let reply = nobody.send("POST", "/login/", Some(body.clone())).await.expect(200);
        assert_eq!(reply.header("set-cookie").contains("; Secure"), is_https, "{name}: {value}");
        let index = nobody.with("Accept", "*/*").get("").await.expect(200);
        let scheme = if is_https { "https" } else { "http" };
        let chats = format!("{scheme}://{}/messages/api/chats/", server.address);
        assert_eq!(index.json["chats"], chats, "{name}: {value}");
    }
}

/// Fails to sign in once with these headers. Returns whether it was throttled.
async fn is_throttled(server: &Server, headers: &[(&str, &str)]) -> bool {
    let mut nobody = server.anonymous().at(server);
    nobody.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let body = json!({"username": "ann", "password": "wrong"});
    nobody.send("POST", "/login/", Some(body)).await.status == 429
}

#[actix_rt::test(system = "crate::System")]
async fn addresses_are_understood_in_all_their_spellings() {
    let server = behind_a_proxy().await;
    assert_eq!(fails(&server, 5, "203.0.113.1").await, 401);
    assert_eq!(fails(&server, 5, "2001:db8::1").await, 401);
    for headers in [
        &[("X-Forwarded-For", "203.0.113.1:50123")][..],
        &[("X-Forwarded-For", "203.0.113.1:50123, 127.0.0.1:80")],
        &[("X-Forwarded-For", "::ffff:203.0.113.1")],
        &[("X-Forwarded-For", "[::ffff:203.0.113.1]:50123")],
        &[("X-Forwarded-For", "unknown, 203.0.113.1")],
        &[("X-Forwarded-For", " 203.0.113.1 ,, 127.0.0.9 , ")],
        &[
            ("X-Forwarded-For", "198.51.100.1"),
            ("X-Forwarded-For", "203.0.113.1"),
            ("X-Forwarded-For", "127.0.0.3"),
        ],
        &[("X-Forwarded-For", "[2001:db8::1]")],
        &[("X-Forwarded-For", "[2001:DB8::1]:443, 127.0.0.1")],
        &[("X-Forwarded-For", "2001:db8:0:0::2")],
        &[("Forwarded", "for=203.0.113.1")],
        &[("Forwarded", "proto=https;FOR=\"203.0.113.1:4711\";by=_x, for=127.0.0.1")],
        &[("Forwarded", "for=_hidden, for=\"[2001:db8::1]:4711\"")],
        &[("Forwarded", "for=198.51.100.1"), ("Forwarded", "for=\"[2001:db8::1]\"")],
        &[("X-Real-IP", "203.0.113.1")],
        // `X-Forwarded-For`, to which proxies append, takes precedence over headers that they may pass
        // through.
        &[
            ("X-Forwarded-For", "203.0.113.1"),
            ("Forwarded", "for=198.51.100.9"),
            ("X-Real-IP", "198.51.100.9"),
        ],
        &[("Forwarded", "for=203.0.113.1"), ("X-Real-IP", "198.51.100.9")],
    ] {
        assert!(is_throttled(&server, headers).await, "{headers:?}");
    }
    for headers in [
        &[("X-Forwarded-For", "203.0.113.1, 203.0.113.77")][..],
        &[("Forwarded", "for=203.0.113.1, for=198.51.100.2")],
        // Behind an unknown address any client is possible, so the proxy's address counts.
        &[("X-Forwarded-For", "203.0.113.1, unknown")],
        &[("Forwarded", "for=203.0.113.1, for=_hidden")],
    ] {
        assert!(!is_throttled(&server, headers).await, "{headers:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_trusted_proxy_says_which_host_was_asked_for() {
    let server = behind_a_proxy().await;
    let ann = server.user("ann").await.at(&server);
    let cookie = server.signed_in("ann").await.headers;
    for (name, value) in [
        ("X-Forwarded-Host", "chat.example.com"),
        ("X-Forwarded-Host", "chat.example.com, inner.example"),
        ("Forwarded", "host=chat.example.com;proto=https"),
    ] {
        let index =
            ann.clone().with("X-Forwarded-Proto", "https").with(name, value).get("").await.expect(200);
        assert_eq!(index.json["chats"], "https://chat.example.com/messages/api/chats/", "{name}");
        // A page of the public host may use the cookie, whichever host the proxy requests.
        let mut browser =
            server.anonymous().at(&server).with(name, value).with("Origin", "https://chat.example.com");
        browser.headers.extend(cookie.clone());
        browser.clone().send("POST", "/logout/", None).await.expect(204);
        browser.with("Origin", "https://evil.example").send("POST", "/logout/", None).await.expect(403);
    }
    let index = ann.with("X-Forwarded-Host", "a/b?c\"").get("").await.expect(200);
    assert_eq!(index.json["chats"], server.url("/messages/api/chats/"));
}
