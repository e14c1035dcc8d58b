//! The audit log: what it records about accounts and credentials, and which secrets it never contains.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    time::Instant,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    program::{Program, command, greenroom},
    support::DEADLINE,
};

/// A server with the most verbose log level, and the demo's users.
struct Logged {
    program: Program,
    database: String,
    folder: TempDir,
}

impl Logged {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("chat.db").display());
        greenroom(&database, &["demo"]);
        let mut serve = command(&database);
        serve.args(["serve", "--bind", "127.0.0.1:0", "--log", "trace", "--trusted-proxies", "127.0.0.1"]);
        serve.stderr(File::create(folder.path().join("log")).unwrap());
        Self { program: Program::start(serve), database, folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// Waits for a log line that contains all of the words.
    async fn says(&self, words: &[&str]) {
        let deadline = Instant::now() + DEADLINE;
        let is_it =
            |line: &str| line.contains("greenroom::audit") && words.iter().all(|word| line.contains(word));
        while !self.said().lines().any(is_it) {
            assert!(Instant::now() < deadline, "{words:?}: {}", self.said());
            crate::support::pause().await;
        }
    }

    /// Sends a request with extra header lines. Returns the status, the cookie and the body.
    fn asks(&self, line: &str, headers: &str, body: &Value) -> (u16, String, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.program.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.7\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        (status, cookie, serde_json::from_str(body).unwrap_or_default())
    }

    fn signs_in(&self, name: &str, password: &str) -> (u16, String) {
        let (status, cookie, _) =
            self.asks("POST /login/", "", &json!({"username": name, "password": password}));
        (status, cookie)
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_log_says_who_did_what_to_accounts_and_from_where() {
    let server = Logged::start();
    assert_eq!(server.signs_in("alice", "wrong").0, 401);
    server.says(&["sign-in failed", "user=\"alice\"", "user_id=1", "from=203.0.113.7"]).await;
    let (status, cookie) = server.signs_in("alice", "greenroom");
    assert_eq!(status, 200);
    server.says(&["signed in", "user=\"alice\"", "from=203.0.113.7"]).await;
    let alice = format!("Cookie: {cookie}\r\n");
    let api = |line: &str, body: Value| server.asks(&line.replace(' ', " /messages/api/"), &alice, &body).0;
    assert_eq!(api("POST users/2/tokens/", json!({})), 201);
    server.says(&["made a token", "user=\"bob\"", "by=\"alice\"", "by_id=1", "from=203.0.113.7"]).await;
    assert_eq!(api("DELETE users/2/tokens/", Value::Null), 204);
    server.says(&["ended all tokens", "user=\"bob\"", "by=\"alice\""]).await;
    assert_eq!(api("PATCH users/2/", json!({"password": "another horse"})), 200);
    server.says(&["set a password", "user=\"bob\"", "by=\"alice\""]).await;
    assert_eq!(api("PATCH users/2/", json!({"is_active": false})), 200);
    server.says(&["deactivated a user", "user=\"bob\"", "by=\"alice\""]).await;
    assert_eq!(api("PATCH users/2/", json!({"is_active": true})), 200);
    server.says(&["activated a user", "user=\"bob\"", "by=\"alice\""]).await;
    assert_eq!(api("POST users/", json!({"username": "dave"})), 201);
    server.says(&["made a user", "user=\"dave\"", "by=\"alice\""]).await;
    assert_eq!(api("DELETE users/me/sessions/", Value::Null), 204);
    server.says(&["ended all other sessions", "user=\"alice\""]).await;
    let evil = format!("{alice}Origin: https://evil.example\r\n");
    assert_eq!(server.asks("POST /messages/api/chats/", &evil, &json!({})).0, 403);
    server
        .says(&["refused: POST /messages/api/chats/", "user=\"alice\"", "from=203.0.113.7", "status=403"])
        .await;
    assert_eq!(server.asks("POST /logout/", &alice, &Value::Null).0, 204);
    server.says(&["signed out", "user=\"alice\"", "from=203.0.113.7"]).await;
    let (_, cookie) = server.signs_in("bob", "another horse");
    let bob = format!("Cookie: {cookie}\r\n");
    assert_eq!(server.asks("PATCH /messages/api/users/1/", &bob, &json!({"is_active": false})).0, 403);
    server.says(&["refused: PATCH /messages/api/users/1/", "user=\"bob\"", "user_id=2", "status=403"]).await;
    for (args, said) in [
        (&["user", "staff", "bob", "on"][..], "made a user staff"),
        (&["user", "staff", "bob", "off"], "ended that a user is staff"),
        (&["user", "deactivate", "bob"], "deactivated a user"),
        (&["user", "activate", "bob"], "activated a user"),
        (&["user", "passwd", "bob", "--password", "third horse"], "set a password"),
        (&["token", "create", "bob"], "made a token"),
        (&["token", "revoke", "bob", "2"], "ended a token"),
    ] {
        greenroom(&server.database, args);
        server.says(&[said, "user_id=2", "from=\"the command line\""]).await;
    }
    for _ in 0..6 {
        server.signs_in("alice", "wrong");
    }
    server.says(&["sign-in turned away", "from=203.0.113.7"]).await;
}

#[actix_rt::test(system = "crate::System")]
async fn no_secret_is_logged_in_whatever_form_it_comes() {
    let server = Logged::start();
    let key = greenroom(&server.database, &["token", "create", "alice"]).trim().to_owned();
    let (_, cookie) = server.signs_in("alice", "greenroom");
    let session = cookie.split_once('=').unwrap().1.to_owned();
    // A password typed into the field of the username.
    assert_eq!(server.signs_in("oops-my-secret-horse", "greenroom").0, 401);
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for secret in [&key, &session, &encoded] {
        for line in [
            "GET /messages/api/users/me/?token=SECRET",
            "GET /messages/api/users/me/%3Ftoken%3DSECRET",
            "GET /messages/api/users/me/;token=SECRET",
            "GET /messages/api/SECRET/",
            "POST /messages/api/chats/SECRET/messages/?access_token=SECRET",
            "DELETE /messages/api/users/me/sessions/SECRET/",
            "GET /SECRET",
            "GET http://user:SECRET@localhost/messages/api/users/me/",
            "GET http://localhost/messages/api/users/me/?key=SECRET",
            "GET /login/?next=/%3Ftoken%3DSECRET",
            "SECRET /messages/api/users/me/",
        ] {
            server.asks(&line.replace("SECRET", secret), "", &Value::Null);
            let refused = "Authorization: Token wrong\r\nOrigin: https://evil.example\r\n";
            server.asks(&line.replace("SECRET", secret), refused, &Value::Null);
        }
        for header in [
            "Authorization: Token SECRET",
            "Authorization: Bearer SECRET",
            "Authorization: Token SECRET SECRET",
            "Cookie: sessionid=SECRET",
            "Cookie: a=b; token=SECRET; sessionid=\"SECRET\"",
            "Sec-WebSocket-Protocol: greenroom.token.SECRET",
            "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, greenroom.token.SECRET",
            "Referer: https://localhost/?token=SECRET",
            "User-Agent: SECRET",
            "X-Forwarded-For: SECRET",
            "Origin: https://SECRET",
        ] {
            let header = format!("{}\r\n", header.replace("SECRET", secret));
            for line in [
                "GET /messages/api/users/me/",
                "POST /messages/api/users/",
                "GET /messages/ws/",
                "POST /login/",
            ] {
                server.asks(line, &header, &json!({"username": secret, "password": secret}));
            }
        }
        let host = format!("{secret}.example");
        server.asks("GET /healthz", &format!("X-Forwarded-Host: {host}\r\n"), &Value::Null);
    }
    // When the last line is written, all earlier ones are.
    let evil = "Origin: https://evil.example\r\n";
    assert_eq!(server.asks("POST /register/", evil, &Value::Null).0, 403);
    server.says(&["refused: POST /register/"]).await;
    let said = server.said();
    for secret in [&key, &session, &encoded, "oops-my-secret-horse", "SECRET"] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
