//! JSON log lines, and the request id of each.

use std::{
    fs::{self, File},
    path::Path,
    time::Instant,
};

use actix_web::http::{Method, header};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};

use crate::{
    program::{Program, command, greenroom, listens},
    support::DEADLINE,
};

/// Parses a log once it has a line of the wanted kind: a thread of its own writes it. Every line must be one
/// JSON object.
fn lines(log: &Path, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let text = fs::read_to_string(log).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines: Vec<Value> = whole
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        if lines.iter().any(&is_wanted) {
            return lines;
        }
        assert!(Instant::now() < deadline, "{text}");
        crate::support::pause_thread();
    }
}

/// Returns the database errors of a request, by its id.
fn errors_of<'a>(lines: &'a [Value], id: &str) -> Vec<&'a Value> {
    let is_one =
        |line: &&Value| line["level"] == "ERROR" && line["error"].is_string() && line["request_id"] == id;
    lines.iter().filter(is_one).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn an_error_in_storage_is_logged_with_the_request_that_caused_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db").display().to_string();
    let database = format!("sqlite://{path}");
    greenroom(&database, &["demo"]);
    let token = greenroom(&database, &["token", "create", "alice"]).trim().to_owned();
    let log = folder.path().join("log");
    let mut serve = command(&database);
    serve
        .args(["serve", "--bind", "127.0.0.1:0", "--log-format", "json"])
        .stderr(File::create(&log).unwrap());
    let server = Program::start(serve);
    let mut socket = listens(&server, &token).await;
    let mut conn = SqliteConnection::establish(&path).unwrap();
    let broken = "PRAGMA busy_timeout = 5000; CREATE TRIGGER broken AFTER INSERT ON messages BEGIN SELECT RAISE(ABORT, 'broken'); END; DROP TABLE blocks";
    conn.batch_execute(broken).unwrap();

    // A write, and a read.
    for (method, path, body) in [
        (Method::POST, "chats/1/messages/", json!({"content": "a secret plan"})),
        (Method::GET, "users/blocked/", Value::Null),
    ] {
        let request = server
            .client()
            .request(method.clone(), format!("http://{}/messages/api/{path}?key=secret", server.address()))
            .insert_header((header::AUTHORIZATION, format!("Token {token}")));
        let answer = request.send_json(&body).await.unwrap();
        assert_eq!(answer.status(), 500, "{method} {path}");
        let id = answer.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        // The access log line of the request comes after the error.
        let is_its_own = |line: &Value| line["request_id"] == id.as_str() && line["status"] == 500;
        let lines = lines(&log, is_its_own);
        let errors = errors_of(&lines, &id);
        assert_eq!(errors.len(), 1, "{method} {path}: {lines:#?}");
        let own: Vec<_> = lines.iter().filter(|line| is_its_own(line)).collect();
        assert_eq!(own.len(), 1, "{lines:#?}");
        assert_eq!(own[0]["message"], format!("{method} /messages/api/{path}"));
    }

    // A socket's commands have the id of the request that opened it.
    let send = json!({"type": "send_message", "chat_id": 1, "content": "a secret plan", "id": "1"});
    socket.send(awc::ws::Message::Text(send.to_string().into())).await.unwrap();
    loop {
        match socket.next().await.unwrap().unwrap() {
            awc::ws::Frame::Text(text) if text.windows(7).any(|part| part == b"\"error\"") => break,
            awc::ws::Frame::Close(reason) => panic!("{reason:?}"),
            _ => {}
        }
    }
    let of_socket = |line: &Value| line["level"] == "ERROR" && line["command"] == "send_message";
    let all = lines(&log, of_socket);
    let errors: Vec<_> = all.iter().filter(|line| of_socket(line)).collect();
    assert_eq!(errors.len(), 1, "{all:#?}");
    assert_eq!(errors[0]["caller_id"], 1);
    assert!(!errors[0]["request_id"].as_str().unwrap().is_empty());
    assert!(!fs::read_to_string(&log).unwrap().contains("secret"));
}
