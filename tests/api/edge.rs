//! Headers of every answer, successful or not, and the accepted forms of requests.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    raw::{Raw, connect},
    support::{PASSWORD, Reply, Server, User},
};

const STRICT: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Headers of every answer.
const SAFE: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", STRICT),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[track_caller]
fn assert_safe(reply: &Reply) {
    for (name, value) in SAFE {
        assert_eq!(reply.header(name), value, "{name} of {reply:?}");
    }
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_ne!(reply.header("x-request-id"), "");
    if !reply.body.is_empty() {
        assert_eq!(reply.header("content-type"), "application/json");
        assert!(reply.json.is_object(), "{reply:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn every_kind_of_answer_has_safe_headers_and_an_id() {
    let server = Server::start().await;
    let (ann, nobody) = (server.user("ann").await, server.anonymous());
    let chat = ann.group("Team", &[]).await;
    let replies = [
        (ann.get("chats/").await, 200),
        (ann.post("chats/", json!({"chat_type": "group"})).await, 201),
        (ann.delete(&format!("chats/{chat}/")).await, 204),
        (nobody.send("GET", "/", None).await, 302),
        (ann.post("chats/", json!({})).await, 400),
        (nobody.get("chats/").await, 401),
        (nobody.get("nowhere/").await, 401),
        (nobody.send("GET", "/messages/ws/", None).await, 401),
        (nobody.send("POST", "/register/", Some(json!({}))).await, 403),
        (ann.get("nowhere/").await, 404),
        (ann.get("chats/?page=9").await, 404),
        (nobody.send("GET", "/nowhere", None).await, 404),
        (nobody.send("GET", "/messages/avatars/99.svg", None).await, 404),
        (ann.delete("chats/").await, 405),
        (nobody.send("PUT", "/login/", None).await, 405),
        (ann.send_raw("POST", "/messages/api/chats/", Some("text/plain"), b"x".to_vec()).await, 415),
        (ann.send("GET", "/messages/ws/", None).await, 426),
    ];
    let mut ids = Vec::new();
    for (reply, status) in replies {
        assert_eq!(reply.status, status, "{reply:?}");
        assert_safe(&reply);
        ids.push(reply.header("x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 17, "each answer has an id of its own");
}

#[actix_rt::test(system = "crate::System")]
async fn unknown_paths_are_not_found_in_json() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for path in [
        "/nowhere",
        "/messages/nowhere/",
        "/messages/apix/",
        "/messages/api/nowhere/",
        "/messages/api//chats/",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let reply = ann.send(method, path, None).await.expect(404);
            assert_eq!(reply.json, json!({"detail": "Not found."}), "{method} {path}");
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn other_methods_are_refused_with_those_that_there_are() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let addresses = [
        ("/", "GET, HEAD"),
        ("/messages/", "GET, HEAD"),
        ("/login/", "GET, HEAD, POST"),
        ("/logout/", "POST"),
        ("/register/", "POST"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/messages/avatars/1.svg", "GET, HEAD"),
        ("/messages/api/", "GET, HEAD"),
    ];
    for (path, allow) in addresses {
        let reply = nobody.send("DELETE", path, None).await.expect(405);
        assert_eq!(reply.header("allow"), allow, "{path}");
        assert_eq!(reply.json, json!({"detail": "Method \"DELETE\" not allowed."}));
    }
    let socket = server.user("ann").await.send("POST", "/messages/ws/", None).await.expect(405);
    assert_eq!(socket.header("allow"), "GET");
}

#[actix_rt::test(system = "crate::System")]
async fn a_slash_at_the_end_changes_nothing() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    for path in ["chats", "users/me", "unread", &format!("chats/{chat}"), &format!("chats/{chat}/members")] {
        let with = ann.get(&format!("{path}/")).await.expect(200);
        assert_eq!(ann.get(path).await.expect(200).json, with.json, "{path}");
    }
    ann.post(&format!("chats/{chat}/messages"), json!({"content": "hi"})).await.expect(201);
    server.anonymous().send("GET", "/healthz/", None).await.expect(200);
    server.anonymous().send("POST", "/login", None).await.expect(400);
}

#[actix_rt::test(system = "crate::System")]
async fn head_is_answered_as_get_without_the_body() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let token = &ann.headers[0].1;
    for (path, status) in [("chats/", 200), ("users/me/", 200), ("chats/99/", 404), ("unread/", 200)] {
        let line = format!("/messages/api/{path} HTTP/1.1\r\nAuthorization: {token}");
        let get = Raw::request(&server, &format!("GET {line}"));
        let head = Raw::request(&server, &format!("HEAD {line}"));
        assert_eq!((get.status, head.status), (status, status));
        assert_eq!(head.header("content-length"), get.body.len().to_string());
        assert!(head.body.is_empty(), "{head:?}");
    }
    assert_eq!(Raw::request(&server, "HEAD /healthz HTTP/1.1").status, 200);
}

#[actix_rt::test(system = "crate::System")]
async fn an_id_may_be_written_in_percent_code() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let code: String = chat.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(ann.get(&format!("chats/{code}/")).await.expect(200).json["id"], chat);
    for other in [format!("{chat}%00"), format!("{chat}%20"), format!("%2F{chat}"), format!("{chat}%2F")] {
        ann.get(&format!("chats/{other}/")).await.expect(404);
    }
}

/// Posts a chat with any body bytes and content type.
async fn make(user: &User, kind: Option<&str>, body: impl Into<Vec<u8>>) -> Reply {
    user.send_raw("POST", "/messages/api/chats/", kind, body.into()).await
}

#[actix_rt::test(system = "crate::System")]
async fn a_body_is_json_and_says_so() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let body = r#"{"chat_type": "group"}"#;
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        make(&ann, Some(kind), body).await.expect(201);
    }
    for kind in ["text/plain", "text/json", "application/x-www-form-urlencoded", "application/jsonx", "x"] {
        let reply = make(&ann, Some(kind), body).await.expect(415);
        let sentence = format!("Unsupported media type \"{kind}\" in request.");
        assert_eq!(reply.json, json!({"detail": sentence}));
    }
    make(&ann, None, body).await.expect(415);
    let chats = ann.get("chats/").await.json["count"].clone();
    assert_eq!(chats, 3);
}

#[actix_rt::test(system = "crate::System")]
async fn a_body_of_64_kib_is_taken_and_a_larger_one_is_not() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let body = |size: usize| {
        let start = r#"{"chat_type": "group", "x": ""#;
        format!("{start}{}\"}}", "a".repeat(size - start.len() - 2))
    };
    make(&ann, Some("application/json"), body(64 * 1024)).await.expect(201);
    let reply = make(&ann, Some("application/json"), body(64 * 1024 + 1)).await.expect(413);
    assert_eq!(reply.json, json!({"detail": "The request body is too large."}));
    assert_safe(&reply);
}

#[actix_rt::test(system = "crate::System")]
async fn half_a_request_is_not_waited_for_for_ever() {
    let server = Server::start().await;
    let head = "GET /healthz HTTP/1.1\r\nHo".to_owned();
    let body = format!(
        "POST /login/ HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        server.address
    );
    std::thread::scope(|scope| {
        let server = &server;
        let waits = [head, body].map(|half| scope.spawn(move || Raw::send(server, half.as_bytes()).status));
        assert_eq!(waits.map(|wait| wait.join().unwrap()), [408, 408]);
    });
}

#[actix_rt::test(system = "crate::System")]
async fn a_body_that_is_declared_too_large_is_not_waited_for() {
    let server = Server::start().await;
    for length in ["65537", "9223372036854775807"] {
        let head = format!(
            "POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let reply = Raw::send(&server, head.as_bytes());
        assert_eq!((reply.status, reply.header("connection")), (413, "close"));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_body_in_chunks_has_the_same_limit() {
    let server = Server::start().await;
    let mut request = b"POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..65 {
        write!(request, "400\r\n{}\r\n", " ".repeat(1024)).unwrap();
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let reply = Raw::send(&server, &request);
    assert_eq!((reply.status, reply.header("connection")), (413, "close"));
    assert_eq!(reply.text(), r#"{"detail":"The request body is too large."}"#);
}

/// Asserts that the body was rejected as no JSON object, in `non_field_errors`.
#[track_caller]
fn assert_not_parsed(reply: &Reply, body: &str) {
    assert_eq!(reply.status, 400, "{body}: {reply:?}");
    assert_eq!(reply.json["error"], "Invalid request");
    let sentence = &reply.json["details"]["non_field_errors"][0];
    assert!(
        sentence.as_str().is_some_and(|text| text.starts_with("The request body cannot be read")),
        "{body}"
    );
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_json_object_is_refused() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let bodies: [&[u8]; 16] = [
        b"{",
        b"x",
        b" ",
        b"null",
        b"\"chat_type\"",
        b"[]",
        br#"["group"]"#,
        br#"{"chat_type": "group"} x"#,
        br#"{"chat_type": "group",}"#,
        br#"{"chat_type": "group", "chat_type": "dm"}"#,
        br#"{"chat_type": "group", "title": 1e999999}"#,
        br#"{"chat_type": "group", "title": "\ud800"}"#,
        br#"{"chat_type": "group", "title": "\udc00\ud800"}"#,
        b"{\"chat_type\": \"group\", \"title\": \"\xff\xfe\"}",
        b"{\"chat_type\": \"group\", \"title\": \"\xc0\xaf\"}",
        b"{\"chat_type\": \"group\", \"title\": \"a\nb\"}",
    ];
    for body in bodies {
        let reply = make(&ann, Some("application/json"), body).await;
        assert_not_parsed(&reply, &String::from_utf8_lossy(body));
        assert!(!String::from_utf8_lossy(&reply.body).contains("struct"), "{reply:?}");
    }
    assert_eq!(ann.get("chats/").await.json["count"], 0);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_unknown_is_ignored_however_wild() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let keys: String = (0..4_000).map(|key| format!("\"k{key}\": {key},")).collect();
    let wild = [
        format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)),
        format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
        format!("{{{keys} \"k\": 1}}"),
        "1e999999".to_owned(),
        "-0".to_owned(),
        "1".repeat(60_000),
    ];
    for value in wild {
        let body = format!("{{\"chat_type\": \"group\", \"x\": {value}, \"y\": 1, \"y\": 2}}");
        make(&ann, Some("application/json"), body).await.expect(201);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn depth_in_a_known_field_is_no_value_of_it() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for field in ["chat_type", "title", "member_ids"] {
        let body = format!("{{\"{field}\": {deep}}}");
        let reply = make(&ann, Some("application/json"), body).await.expect(400);
        assert!(reply.json["details"].is_object(), "{reply:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_nul_is_no_text() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let body = json!({"content": "a\0b"});
    let reply = ann.post(&format!("chats/{chat}/messages/"), body).await.expect(400);
    let details = json!({"content": ["Null characters are not allowed."]});
    assert_eq!(reply.json, json!({"error": "Invalid request", "details": details}));
    ann.post("chats/", json!({"chat_type": "group", "title": "a\0b"})).await.expect(400);
    let login = json!({"username": "ann\0", "password": PASSWORD});
    server.anonymous().send("POST", "/login/", Some(login)).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_query_of_any_bytes_is_no_fault_of_ours() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let in_chat = format!("chats/{chat}/messages/?search=");
    let long = "a".repeat(60_000);
    for text in ["%ff%fe", "%00", "am%00zz", "%", "%zz", "'%22;--", "a&q=b&&=&", "%F0%9F%92%A9", &long] {
        for path in
            ["users/search/?q=", "chats/?search=", "chats/?chat_type=group&search=", "search/?q=", &in_chat]
        {
            let reply = ann.get(&format!("{path}{text}")).await;
            assert_eq!(reply.status, 200, "{path}{text:.20}: {reply:?}");
        }
    }
    assert_eq!(ann.get("chats/?search=zz%00am").await.json["count"], 0);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_http_gets_no_more_than_a_status() {
    let server = Server::start().await;
    let many: String = (0..97).map(|number| format!("X-{number}: 1\r\n")).collect();
    let long = "a".repeat(140 * 1024);
    let path = "a".repeat(70_000);
    let requests = [
        (format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        (format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"), 431),
        (format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n"), 400),
        ("GET /healthz HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
        ("POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
        ("POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(), 400),
        (
            "POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
        ("GET /healthz\r\n\r\n".to_owned(), 400),
    ];
    for (request, status) in requests {
        let reply = Raw::send(&server, request.as_bytes());
        assert_eq!(reply.status, status, "{request:.80}");
    }
    server.anonymous().send("GET", "/healthz", None).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn what_follows_a_body_that_nobody_read_is_not_taken_for_part_of_it() {
    let server = Server::start().await;
    let inner = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Pad: {}\r\n\r\n", "a".repeat(70_000));
    let request = format!(
        "POST /messages/api/chats/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let reply = Raw::send(&server, request.as_bytes());
    assert_eq!((reply.status, reply.header("connection")), (401, "close"));
    assert!(!reply.text().contains("HTTP/1.1"), "{}", reply.text());
}

/// Sends a socket handshake with these header lines.
fn handshake(server: &Server, user: &User, lines: &str) -> Raw {
    let mut stream = connect(server);
    let token = &user.headers[0].1;
    let head =
        format!("GET /messages/ws/ HTTP/1.1\r\nHost: {}\r\nAuthorization: {token}\r\n", server.address);
    stream.write_all(format!("{head}{lines}\r\n").as_bytes()).unwrap();
    Raw::read_head(&mut stream)
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_is_asked_for_in_the_one_version_there_is() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (connection, upgrade) = ("Connection: keep-alive, Upgrade\r\n", "Upgrade: WebSocket\r\n");
    let (version, key) = ("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    let old = "Sec-WebSocket-Version: 8\r\n";
    let whole = handshake(&server, &ann, &format!("{connection}{upgrade}{version}{key}"));
    assert_eq!(whole.status, 101);
    assert_eq!(whole.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(whole.header("sec-websocket-extensions"), "");
    let broken = [
        String::new(),
        format!("{connection}{upgrade}{key}"),
        format!("{connection}{upgrade}{old}{key}"),
        format!("{connection}{upgrade}{version}"),
        format!("{connection}{version}{key}"),
        format!("{upgrade}{version}{key}"),
    ];
    for lines in broken {
        let reply = handshake(&server, &ann, &lines);
        assert_eq!(reply.status, 426, "{lines}");
        assert_eq!(reply.header("sec-websocket-version"), "13");
        assert_eq!(reply.header("upgrade"), "websocket");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_has_so_many_sockets_and_no_more() {
    let server = Server::start_with(|config| config.max_sockets_per_user = 2).await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (_first, _second) = (ann.listens().await, ann.listens().await);
    let token = format!("Authorization: {}\r\n", ann.headers[0].1);
    let refused = Raw::upgrade(&server, &token);
    assert_eq!(refused.status, 429);
    let seconds = refused.header("retry-after");
    assert!(seconds.parse::<u64>().unwrap() > 0);
    bob.listens().await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_that_ended_leaves_its_place_to_another() {
    let server = Server::start_with(|config| config.max_sockets_per_user = 1).await;
    server.user("ann").await;
    let (first, mut second) = (server.signed_in("ann").await, server.signed_in("ann").await);
    // The limit applies to each node.
    second.address = first.address;
    let mut socket = first.listens().await;
    assert_eq!(second.connects().await.err().unwrap(), 429);
    first.send("POST", "/logout/", None).await.expect(204);
    assert_eq!(socket.is_closed().await, 4401);
    drop(socket);
    // The server notices the end of the socket a moment later, so the handshake is retried.
    let opened = async {
        while let Err(status) = second.connects().await {
            assert_eq!(status, 429);
        }
    };
    actix_web::rt::time::timeout(crate::support::DEADLINE, opened).await.expect("a place is free");
}

#[actix_rt::test(system = "crate::System")]
async fn health_is_told_to_anybody() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let reply = server.anonymous().send("GET", path, None).await.expect(200);
        assert_eq!(reply.json, json!({"status": "ok"}));
        assert_safe(&reply);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_index_lists_addresses_for_anybody() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    for path in ["/messages/api/", "/messages/api"] {
        let index = nobody.send("GET", path, None).await.expect(200).json;
        assert_eq!(index["chats"], server.url("/messages/api/chats/"));
        assert_eq!(index["users/me"], server.url("/messages/api/users/me/"));
    }
}

fn picture(id: i64) -> String {
    format!("/messages/avatars/{id}.svg")
}

#[actix_rt::test(system = "crate::System")]
async fn pictures_are_drawn_for_anybody_and_kept() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let nobody = server.anonymous();
    let reply = nobody.send("GET", &picture(ann.id), None).await.expect(200);
    assert_eq!(reply.header("content-type"), "image/svg+xml");
    assert_eq!(reply.header("cache-control"), "public, max-age=300");
    assert_eq!(reply.header("content-security-policy"), STRICT);
    assert!(String::from_utf8_lossy(&reply.body).contains(">A</text>"));
    let etag = reply.header("etag").to_owned();
    let again = nobody.clone().with("If-None-Match", &etag).send("GET", &picture(ann.id), None).await;
    assert_eq!((again.status, again.header("etag"), again.body.len()), (304, etag.as_str(), 0));
    nobody.with("If-None-Match", "\"other\"").send("GET", &picture(ann.id), None).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn a_picture_follows_its_users_name() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let before = ann.send("GET", &picture(ann.id), None).await.expect(200);
    let name = json!({"first_name": "<script>", "last_name": "&x"});
    staff.patch(&format!("users/{}/", ann.id), name).await.expect(200);
    let after = ann.send("GET", &picture(ann.id), None).await.expect(200);
    assert_ne!(before.header("etag"), after.header("etag"));
    assert!(String::from_utf8_lossy(&after.body).contains(">SX</text>"));
    for id in ["0", "-1", "99", "x", "99999999999999999999"] {
        ann.send("GET", &format!("/messages/avatars/{id}.svg"), None).await.expect(404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn links_lead_where_the_request_came_to() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for _ in 0..3 {
        ann.group("Team", &[]).await;
    }
    let page = ann.get("chats/?page=2&page_size=1&search=team").await.expect(200).json;
    let at = |query: &str| Value::from(server.url(&format!("/messages/api/chats/?{query}")));
    assert_eq!(page["next"], at("page_size=1&search=team&page=3"));
    assert_eq!(page["previous"], at("page_size=1&search=team"));
    assert_eq!(ann.get("users/me/").await.json["avatar_url"], picture(ann.id));
}

#[actix_rt::test(system = "crate::System")]
async fn links_lead_to_the_public_address_where_there_is_one() {
    let public = "https://chat.example.com";
    let server = Server::start_with(|config| config.public_url = Some(public.to_owned())).await;
    let ann = server.user("ann").await;
    ann.group("Team", &[]).await;
    ann.group("Team", &[]).await;
    let page = ann.get("chats/?page_size=1").await.expect(200);
    assert_eq!(page.json["next"], format!("{public}/messages/api/chats/?page_size=1&page=2"));
    let own = format!("{public}{}", picture(ann.id));
    assert_eq!(ann.get("users/me/").await.json["avatar_url"], own);
    assert_eq!(page.results()[0]["members"][0]["avatar_url"], own);
    assert_eq!(ann.get("").await.json["chats"], format!("{public}/messages/api/chats/"));
    assert!(page.header("strict-transport-security").starts_with("max-age=31536000"));
}
