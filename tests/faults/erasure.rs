//! Deleted texts disappear from the files of an SQLite database soon, under any load.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::{Value, json};

use crate::program::{Program, greenroom};

/// How long a deleted text may remain in the files.
const GONE_WITHIN: Duration = Duration::from_secs(60);

struct Fixture {
    folder: tempfile::TempDir,
    url: String,
    token: String,
    server: Program,
}

impl Fixture {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("chat.db").display());
        greenroom(&url, &["user", "create", "ann", "--password", "correct horse"]);
        let token = greenroom(&url, &["token", "create", "ann"]).trim().to_owned();
        let server = Program::serve(&url);
        Self { folder, url, token, server }
    }

    async fn asks(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, value) = self.server.request(method, path, &self.token, body).await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status}");
        value
    }

    async fn group(&self, title: &str) -> i64 {
        let body = json!({"chat_type": "group", "title": title});
        self.asks("POST", "chats/", Some(body)).await["id"].as_i64().unwrap()
    }

    async fn posts(&self, chat: i64, text: &str) -> i64 {
        let body = json!({"content": text});
        self.asks("POST", &format!("chats/{chat}/messages/"), Some(body)).await["id"].as_i64().unwrap()
    }

    /// Writes messages, deletes them in different ways, and returns the text that remains.
    async fn writes_and_deletes(&self) -> &'static str {
        let chat = self.group("first erasable title").await;
        for number in 0..60 {
            let text = format!("erasable number {number} {}", "and so on ".repeat(number * 9 % 300));
            let id = self.posts(chat, &text).await;
            self.posts(chat, "kept as it is").await;
            let path = format!("messages/{id}/");
            if number % 2 == 0 {
                self.asks("PATCH", &path, Some(json!({"content": "edited"}))).await;
            } else {
                self.asks("DELETE", &path, None).await;
            }
        }
        self.asks("PATCH", &format!("chats/{chat}/"), Some(json!({"title": "second"}))).await;
        let other = self.group("other erasable title").await;
        for number in 0..60 {
            self.posts(other, &format!("erasable in a chat that goes {number}")).await;
        }
        self.asks("DELETE", &format!("chats/{other}/"), None).await;
        "kept as it is"
    }
}

/// Returns the files of a folder that contain a text, with the number of occurrences.
fn readable(folder: &Path, text: &str) -> Vec<(String, usize)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count();
        (path.file_name().unwrap().to_string_lossy().into_owned(), found)
    };
    files.map(count).filter(|(_, found)| *found > 0).collect()
}

/// Waits until no file contains a text. Repeats `meanwhile` during the wait.
async fn is_gone(fixture: &Fixture, text: &str, mut meanwhile: impl AsyncFnMut()) {
    let deadline = Instant::now() + GONE_WITHIN;
    loop {
        let left = readable(fixture.folder.path(), text);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{text:?} is still in {left:?}");
        meanwhile().await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn deleted_texts_are_gone_from_all_files_of_an_idle_server_soon() {
    let fixture = Fixture::begin();
    let kept = fixture.writes_and_deletes().await;
    is_gone(&fixture, "erasable", async || crate::support::pause().await).await;
    assert!(!readable(fixture.folder.path(), kept).is_empty());
    assert!(greenroom(&fixture.url, &["check"]).ends_with(" 0 differences found\n"));
}

#[actix_rt::test(system = "crate::System")]
async fn deleted_texts_are_gone_while_others_write_and_once_a_long_reader_has_ended() {
    let fixture = Fixture::begin();
    let chat = fixture.group("busy").await;
    let path = fixture.url.strip_prefix("sqlite://").unwrap().to_owned();
    let mut reader = SqliteConnection::establish(&path).unwrap();
    fixture.posts(chat, "erasable and read").await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM messages").unwrap();
    fixture.writes_and_deletes().await;
    let mut reader = Some(reader);
    let mut turns = 0;
    is_gone(&fixture, "erasable number", async || {
        fixture.posts(chat, "kept busy").await;
        turns += 1;
        if turns == 100 {
            reader = None;
        }
    })
    .await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_chats_texts_are_gone_after_a_stop_that_follows_at_once() {
    let mut fixture = Fixture::begin();
    let chat = fixture.group("Large").await;
    for number in 0..1_200 {
        fixture.posts(chat, &format!("erasable {number}")).await;
    }
    fixture.asks("DELETE", &format!("chats/{chat}/"), None).await;
    fixture.server.signal("TERM");
    assert_eq!(fixture.server.child.wait().unwrap().code(), Some(0));
    assert_eq!(readable(fixture.folder.path(), "erasable"), []);
}
