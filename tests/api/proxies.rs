//! What proxies in front say of clients: their addresses, and whether they came over HTTPS.

use serde_json::json;

use greenroom::config::Hsts;

use crate::support::{PASSWORD, Server};

async fn behind_a_proxy() -> Server {
    Server::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await
}

#[actix_web::test]
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

#[actix_web::test]
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

/// Fails to sign in so often, as if from `address`; at one node, since others hear of it a moment later.
async fn fails(server: &Server, times: usize, address: &str) -> u16 {
    let nobody = server.anonymous().at(server).with("X-Forwarded-For", address);
    let body = json!({"username": "ann", "password": "wrong"});
    let mut status = 0;
    for _ in 0..times {
        status = nobody.send("POST", "/login/", Some(body.clone())).await.status;
    }
    status
}

#[actix_web::test]
async fn a_trusted_proxy_says_who_is_behind_it() {
    let server = behind_a_proxy().await;
    assert_eq!(fails(&server, 5, "203.0.113.1").await, 401);
    assert_eq!(fails(&server, 1, "203.0.113.1").await, 429);
    // What a client says of itself stands left of what the proxies say.
    assert_eq!(fails(&server, 1, "198.51.100.7, 203.0.113.1").await, 429);
    assert_eq!(fails(&server, 1, "203.0.113.1, 127.0.0.9").await, 429);
    assert_eq!(fails(&server, 1, "203.0.113.2").await, 401);
    assert_eq!(fails(&server, 1, "203.0.113.1, 203.0.113.3").await, 401);
}

#[actix_web::test]
async fn nobody_else_says_who_is_behind_them() {
    let server = Server::start().await;
    for client in 1..=5 {
        assert_eq!(fails(&server, 1, &format!("203.0.113.{client}")).await, 401);
    }
    assert_eq!(fails(&server, 1, "203.0.113.6").await, 429);
}

#[actix_web::test]
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

#[actix_web::test]
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
        // What is no answer of a handler bears it as well.
        let reply = server.anonymous().send("GET", "/nowhere", None).await.expect(404);
        assert_eq!(reply.header("strict-transport-security"), value);
    }
}
