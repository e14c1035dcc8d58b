//! Slow writes are logged with their operation.

use std::{
    fs::{self, File},
    path::Path,
    time::Instant,
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::json;

use crate::{
    program::{Program, command, greenroom},
    support::DEADLINE,
};

/// Waits for log lines that contain some words, and returns them.
fn lines(log: &Path, words: &str) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let text = fs::read_to_string(log).unwrap();
        let found: Vec<_> = text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "{words}: {text}");
        crate::support::pause_thread();
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_write_that_takes_long_is_logged_with_its_kind_and_chat() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db").display().to_string();
    let database = format!("sqlite://{path}");
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let log = folder.path().join("log");
    let mut serve = command(&database);
    serve.args(["serve", "--bind", "127.0.0.1:0"]).stderr(File::create(&log).unwrap());
    let server = Program::start(serve);
    let group = json!({"chat_type": "group", "title": "Team"});
    assert_eq!(server.request("POST", "chats/", &token, Some(group)).await.unwrap().0, 201);
    let mut conn = SqliteConnection::establish(&path).unwrap();
    let slow = "CREATE TRIGGER slow AFTER INSERT ON messages WHEN NEW.content = 'slow' BEGIN \
                SELECT length(replace(hex(zeroblob(60000000)), '00', '1')); END";
    conn.batch_execute(slow).unwrap();
    for text in ["quick", "slow"] {
        let body = json!({"content": text});
        assert_eq!(server.request("POST", "chats/1/messages/", &token, Some(body)).await.unwrap().0, 201);
    }
    let found = lines(&log, "slow write");
    assert_eq!(found.len(), 1, "{found:?}");
    for part in ["WARN", "kind=\"post_message\"", "chat=1", "left_out=0", "ms=", "request_id="] {
        assert!(found[0].contains(part), "{part}: {}", found[0]);
    }
}
