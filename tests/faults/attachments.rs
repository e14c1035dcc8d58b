//! Attachments when servers are killed, and in the commands that copy and check databases.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::{join, join_all};
use image::{ImageFormat, Rgb, RgbImage};
use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    program::{Program, command, fails, greenroom},
    support::{self, DEADLINE},
};

/// A database with a server's folder beside it, and a user with a chat.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
    token: String,
}

impl Place {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let place = Self { _folder: folder, path, token: String::new() };
        greenroom(&place.url(), &["user", "create", "ann", "--password", "correct horse"]);
        let token = greenroom(&place.url(), &["token", "create", "ann"]).trim().to_owned();
        Self { token, ..place }
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path.join("test.db").display())
    }

    /// Starts a server for many uploads that are interrupted.
    fn serve(&self) -> Program {
        let mut serve = command(&self.url());
        serve.args(["serve", "--bind", "127.0.0.1:0", "--log", "off", "--uploads-pending-max", "1000"]);
        Program::start(serve)
    }

    fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    async fn asks(
        &self,
        server: &Program,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        server.request(method, path, &self.token, body).await
    }

    /// Uploads a file and sends it, each step once. Returns the message; `None` if the server has gone.
    async fn shares(&self, server: &Program, chat: i64, bytes: &[u8]) -> Option<Value> {
        let announced = json!({"name": "a.txt", "size": bytes.len(), "chat": chat});
        let (status, upload) = self.asks(server, "POST", "uploads/", Some(announced)).await?;
        assert_eq!(status, 201, "{upload}");
        puts(server, upload["put_url"].as_str().unwrap(), bytes).await?;
        let complete = format!("uploads/{}/complete/", upload["id"]);
        let (status, attachment) = self.asks(server, "POST", &complete, None).await?;
        assert_eq!(status, 200, "{attachment}");
        let message = json!({"content": "", "attachments": [upload["id"]]});
        let (status, message) =
            self.asks(server, "POST", &format!("chats/{chat}/messages/"), Some(message)).await?;
        assert_eq!(status, 201, "{message}");
        Some(message)
    }

    async fn chat(&self, server: &Program) -> i64 {
        let chat = json!({"chat_type": "group", "title": "Team"});
        self.asks(server, "POST", "chats/", Some(chat)).await.unwrap().1["id"].as_i64().unwrap()
    }

    /// Fetches the first attachment of a message.
    async fn fetches(&self, server: &Program, message: &Value) -> Vec<u8> {
        let url = message["attachments"][0]["url"].as_str().unwrap();
        let request = server.client().get(format!("http://{}{url}", server.address()));
        let request = request.insert_header(("Authorization", format!("Token {}", self.token)));
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.body().await.unwrap().to_vec()
    }
}

/// Sends the bytes of an upload. Returns `None` if the server has gone.
async fn puts(server: &Program, path: &str, bytes: &[u8]) -> Option<()> {
    let request = server.client().put(format!("http://{}{path}", server.address()));
    let response = request.send_body(bytes.to_vec()).await.ok()?;
    (response.status() == 200).then_some(())
}

/// Returns all files in a folder, without its mark.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if entry.file_name() != "database" {
            found.push(path);
        }
    }
    found
}

const CLEAN: &str = " 0 differences found\n";

/// How many servers are killed. `GREENROOM_KILLS` changes it.
fn kills() -> usize {
    std::env::var("GREENROOM_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(20)
}

/// Returns a picture that gets thumbnails.
fn picture() -> Vec<u8> {
    let image = RgbImage::from_fn(1_600, 900, |x, y| Rgb([x as u8, y as u8, (x / 7 * y) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[actix_rt::test(system = "crate::System")]
async fn kill_9_leaves_no_file_without_a_row_and_no_row_without_a_file() {
    let place = Place::make();
    let server = Program::serve(&place.url());
    let chat = place.chat(&server).await;
    drop(server);
    // Others are killed while it is decoded.
    let picture = picture();
    for _ in 0..kills() {
        let server = place.serve();
        let (stop, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let enough = rand::rng().random_range(1..12);
        let pause = Duration::from_micros(rand::rng().random_range(0..4_000));
        let works = (0..3).map(|worker| {
            let (place, server, picture) = (&place, &server, &picture);
            let (stop, steps) = (stop.clone(), steps.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    let plain = vec![b'x'; 10_000 * (worker + 1)];
                    let bytes = if worker == 0 { picture } else { &plain };
                    let Some(message) = place.shares(server, chat, bytes).await else { return };
                    steps.fetch_add(1, Ordering::Relaxed);
                    let path = format!("messages/{}/", message["id"]);
                    if place.asks(server, "DELETE", &path, None).await.is_none() {
                        return;
                    }
                    steps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let kill = async {
            while steps.load(Ordering::Relaxed) < enough {
                support::pause().await;
            }
            tokio::time::sleep(pause).await;
            server.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        };
        join(join_all(works), kill).await;
        drop(server);
        let report = greenroom(&place.url(), &["check"]);
        assert!(report.ends_with(CLEAN), "{report}");
    }
    // What was deleted is gone after the next start. Uploads that were not completed or sent wait for their time.
    let server = place.serve();
    let kept =
        place.asks(&server, "GET", &format!("chats/{chat}/files/?page_size=100"), None).await.unwrap().1;
    let kept = kept["results"].as_array().unwrap().len();
    let begun = std::time::Instant::now();
    loop {
        let whole = files(&place.files()).iter().filter(|file| file.ends_with("bytes")).count();
        let unsent = kills() * 3;
        if whole >= kept && whole <= kept + unsent {
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "{whole} files for {kept} attachments");
        support::pause().await;
    }
    let report = greenroom(&place.url(), &["check"]);
    assert!(report.ends_with(CLEAN), "{report}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_check_lists_files_without_rows_and_rows_without_files() {
    let place = Place::make();
    let server = Program::serve(&place.url());
    let chat = place.chat(&server).await;
    place.shares(&server, chat, b"one").await.unwrap();
    let lost = place.shares(&server, chat, b"two").await.unwrap();
    // An upload that is being received is neither.
    let announced = json!({"name": "b.txt", "size": 5, "chat": chat});
    place.asks(&server, "POST", "uploads/", Some(announced)).await.unwrap();
    assert!(greenroom(&place.url(), &["check"]).ends_with(CLEAN));
    let paths = files(&place.files());
    assert_eq!(paths.len(), 2);
    fs::remove_file(paths.iter().find(|path| fs::read(path).unwrap() == b"two").unwrap()).unwrap();
    fs::create_dir_all(place.files().join("999/999")).unwrap();
    fs::write(place.files().join("notes.txt"), "whose").unwrap();
    let output = command(&place.url()).arg("check").output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), report.ends_with(" 3 differences found\n")),
        (Some(1), true),
        "{report}"
    );
    for part in
        ["999/999: the database does not know it", "notes.txt: the database does not know it", "it is not in"]
    {
        assert!(report.contains(part), "{report}");
    }
    // It is answered as one that is not there.
    let url = lost["attachments"][0]["url"].as_str().unwrap();
    assert_eq!(server.request_at("GET", url, &place.token, None).await.unwrap().0, 404);
}

#[actix_rt::test(system = "crate::System")]
async fn a_backup_brings_attachments_along() {
    let place = Place::make();
    let server = Program::serve(&place.url());
    let chat = place.chat(&server).await;
    let kept = place.shares(&server, chat, b"kept").await.unwrap();
    let copy = place.path.join("copy.db");
    let said = greenroom(&place.url(), &["backup", copy.to_str().unwrap()]);
    assert!(said.contains("copy.db.files: 1 attachments, "), "{said}");
    let later = place.shares(&server, chat, b"later").await.unwrap();
    place.asks(&server, "DELETE", &format!("messages/{}/", kept["id"]), None).await.unwrap();
    server.signal("TERM");
    drop(server);
    // Elsewhere, and in the place of the database.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = format!("sqlite://{}", elsewhere.path().join("test.db").display());
    for (url, folder) in [(&other, elsewhere.path().join("files")), (&place.url(), place.files())] {
        greenroom(url, &["restore", "--force", copy.to_str().unwrap()]);
        assert!(greenroom(url, &["check"]).ends_with(CLEAN));
        let texts: Vec<Vec<u8>> = files(&folder).iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(texts, [b"kept".to_vec()]);
        let server = Program::serve(url);
        assert_eq!(place.fetches(&server, &kept).await, b"kept");
        // New files do not take the place of those that the copy has lost.
        let new = place.shares(&server, chat, b"new").await.unwrap();
        assert!(new["attachments"][0]["id"].as_i64() > later["attachments"][0]["id"].as_i64());
        place.asks(&server, "DELETE", &format!("messages/{}/", new["id"]), None).await.unwrap();
    }
    // A folder is one database's.
    let stranger = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", stranger.path().join("test.db").display());
    greenroom(&url, &["demo"]);
    let files = place.files().display().to_string();
    let error = fails(&url, &["serve", "--bind", "127.0.0.1:0", "--log", "off", "--files", &files], 1);
    assert!(error.contains("it belongs to another database"), "{error}");
}
