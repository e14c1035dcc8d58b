//! The host of a request, and the scheme of the page that sends it.

use std::io::Write;

use greenroom::{config::Config, core::model::host_names::AllowedHost};
use serde_json::json;

use crate::{
    raw::{Raw, connect},
    support::{PASSWORD, Server},
};

const PUBLIC: &str = "https://chat.example.com";

/// Invalid hosts, wherever they occur.
const NONE: [&str; 12] =
    ["a b\"<script>", "", " ", "a/b", "a@b", "a:b", "a:99999", "[::1", "::1", "a..b", "1.2.3.4.5", "a%20b"];

fn asked(server: &Server, line: &str, host: &str) -> Raw {
    Raw::send(server, format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Sends a socket handshake for a host, with a token. Returns the status.
fn upgrade(server: &Server, host: &str, token: &str) -> u16 {
    let mut stream = connect(server);
    let request = format!(
        "GET /messages/ws/ HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    Raw::read_head(&mut stream).status
}

/// Requests to all kinds of paths, including an unknown one.
const EVERYWHERE: [&str; 11] = [
    "GET /",
    "GET /messages/api/",
    "GET /messages/api/chats/",
    "GET /messages/api/events/",
    "GET /login/",
    "POST /login/",
    "POST /logout/",
    "GET /healthz",
    "GET /readyz",
    "GET /messages/widgets.js",
    "GET /nowhere",
];

async fn public(list: &'static [&'static str]) -> Server {
    Server::start_with(|config: &mut Config| {
        config.public_url = Some(PUBLIC.to_owned());
        config.allowed_hosts = list.iter().map(|host| AllowedHost::parse(host).unwrap()).collect();
    })
    .await
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_host_is_refused_everywhere() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let token = &ann.headers[0].1;
    for host in NONE {
        for line in EVERYWHERE {
            let reply = asked(&server, line, host);
            assert_eq!(reply.status, 400, "{line}, {host:?}");
            assert!(!reply.text().contains("<script>"), "{line}, {host:?}");
        }
        assert_eq!(upgrade(&server, host, token), 400, "{host:?}");
    }
    let said = asked(&server, "GET /healthz", "a b");
    let expected =
        json!({"error": "Invalid request", "details": {"non_field_errors": ["This is not a valid host."]}});
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&said.body).unwrap(), expected);
    assert_ne!(said.header("x-request-id"), "");
    for host in
        ["anything.example", "green_room:8000", "10.0.0.7", "[2001:db8::1]:80", "A.example.", "localhost"]
    {
        assert_eq!(asked(&server, "GET /healthz", host).status, 200, "{host}");
        assert_eq!(upgrade(&server, host, token), 101, "{host}");
    }
    // The host of an absolute request URL is checked too.
    assert_eq!(asked(&server, "GET http://a..b/healthz", "a.example").status, 400);
}

#[actix_rt::test(system = "crate::System")]
async fn with_a_public_address_only_its_host_and_those_of_the_list_are_served() {
    let server = public(&["inner.example", ".below.example", "10.0.0.7"]).await;
    let ann = server.user("ann").await;
    let token = &ann.headers[0].1;
    for host in [
        "chat.example.com",
        "CHAT.example.com:8443",
        "chat.example.com.",
        "inner.example:80",
        "a.b.below.example",
        "10.0.0.7",
        "localhost:9000",
        "127.0.0.1",
        "127.3.2.1:8000",
        "[::1]:8000",
        &server.address.to_string(),
    ] {
        assert_eq!(asked(&server, "GET /messages/api/", host).status, 200, "{host}");
        assert_eq!(upgrade(&server, host, token), 101, "{host}");
    }
    for host in [
        "evil.example",
        "chat.example.com.evil.example",
        "a.chat.example.com",
        "below.example",
        "10.0.0.8",
        "localhost.evil.example",
        "[2001:db8::1]",
        "127.0.0.1.evil.example",
    ] {
        for line in EVERYWHERE {
            let is_probe = line.ends_with('z') && host.parse::<std::net::IpAddr>().is_ok();
            let is_probe = is_probe || (line.ends_with('z') && host.starts_with('['));
            assert_eq!(asked(&server, line, host).status, if is_probe { 200 } else { 400 }, "{line}, {host}");
        }
        assert_eq!(upgrade(&server, host, token), 400, "{host}");
    }
    assert_eq!(asked(&server, "GET http://evil.example/healthz", "chat.example.com").status, 400);
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_that_a_trusted_proxy_names_counts_as_well() {
    let server = Server::start_with(|config| {
        config.public_url = Some(PUBLIC.to_owned());
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let said = |host: &str| server.anonymous().with("X-Forwarded-Host", host);
    said("chat.example.com").get("").await.expect(200);
    let reply = Raw::request(&server, "GET /messages/api/ HTTP/1.1\r\nX-Forwarded-Host: evil.example");
    assert_eq!(reply.status, 400);
}

#[actix_rt::test(system = "crate::System")]
async fn metrics_are_for_hosts_of_the_server_as_well() {
    let server = Server::start_with(|config| {
        config.public_url = Some(PUBLIC.to_owned());
        config.allowed_hosts = vec![AllowedHost::parse("node1.internal").unwrap()];
        config.metrics_bind = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    for (host, status) in [
        ("127.0.0.1:9464", 200),
        ("10.0.0.7:9464", 200),
        ("node1.internal:9464", 200),
        ("chat.example.com", 200),
        ("evil.example", 400),
        ("a b", 400),
        ("", 400),
    ] {
        for address in server.metrics_addresses() {
            let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            assert_eq!(Raw::send_to(address, request.as_bytes()).status, status, "{host:?}");
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn where_clients_come_over_https_a_page_that_did_not_is_anothers() {
    let server = Server::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    server.user("ann").await;
    let session = server.signed_in("ann").await;
    let own = |scheme: &str| format!("{scheme}://{}", session.address);
    let group = json!({"chat_type": "group"});
    let over_https = session.clone().with("X-Forwarded-Proto", "https");
    let from = |scheme: &str| over_https.clone().with("Origin", &own(scheme));
    from("https").post("chats/", group.clone()).await.expect(201);
    from("http").post("chats/", group.clone()).await.expect(403);
    assert_eq!(from("http").connects().await.err().unwrap(), 403);
    from("https").listens().await;
    let body = json!({"username": "ann", "password": PASSWORD});
    let visitor = server.anonymous().at(&server).with("X-Forwarded-Proto", "https");
    for (scheme, status) in [("http", 403), ("https", 200)] {
        let visitor = visitor.clone().with("Origin", &format!("{scheme}://{}", server.address));
        visitor.send("POST", "/login/", Some(body.clone())).await.expect(status);
    }
    // Without a known scheme both are accepted.
    for scheme in ["http", "https"] {
        session.clone().with("Origin", &own(scheme)).post("chats/", group.clone()).await.expect(201);
    }
}
