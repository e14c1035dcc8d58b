//! Shutdown: the exit code, the log, and the content of the database file afterwards.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::Instant,
};

use actix_web::rt::spawn;
use diesel::{Connection, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::BigInt};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    program::{Program, command, greenroom, listens},
    support::{DEADLINE, raw_socket::RawSocket},
};

/// A demo database in its own folder, and the log of its servers.
struct Place {
    folder: TempDir,
    token: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Self { folder, token: String::new() };
        greenroom(&place.database(), &["demo"]);
        place.token = greenroom(&place.database(), &["token", "create", "alice"]).trim().to_owned();
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn database(&self) -> String {
        format!("sqlite://{}", self.file().display())
    }

    fn opens(&self) -> SqliteConnection {
        SqliteConnection::establish(&self.file().display().to_string()).unwrap()
    }

    fn serve(&self) -> Program {
        let mut serve: Command = command(&self.database());
        serve.args(["serve", "--bind", "127.0.0.1:0", "--log", "warn"]);
        serve.stderr(File::create(self.log()).unwrap());
        Program::start(serve)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Returns the lines of the log, without those of a slow machine.
    fn said(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap();
        log.lines().filter(|line| !line.contains("slow write")).map(|line| format!("{line}\n")).collect()
    }

    async fn posts(&self, server: &Program, count: usize) {
        for number in 0..count {
            let body = json!({"content": format!("number {number}")});
            let (status, _) =
                server.request("POST", "chats/2/messages/", &self.token, Some(body)).await.unwrap();
            assert_eq!(status, 201);
        }
    }

    /// Returns how many messages a plain copy of the main file contains.
    fn copied(&self) -> i64 {
        let copy = self.folder.path().join("copy.db");
        fs::copy(self.file(), &copy).unwrap();
        let report = greenroom(&format!("sqlite://{}", copy.display()), &["check"]);
        assert!(report.ends_with(" 0 differences found\n"), "{report}");
        messages(&mut SqliteConnection::establish(&copy.display().to_string()).unwrap())
    }
}

fn messages(conn: &mut SqliteConnection) -> i64 {
    diesel::dsl::sql::<BigInt>("SELECT count(*) FROM messages").get_result(conn).unwrap()
}

/// Waits for the end of a process without blocking other tasks.
async fn ends(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the server ends");
        crate::support::pause().await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn after_a_stop_the_file_alone_has_everything() {
    let place = Place::new();
    let mut expected = messages(&mut place.opens());
    for cycle in 0..6 {
        let mut server = place.serve();
        let socket = listens(&server, &place.token).await;
        // A client that does not read delays the shutdown.
        let header = format!("Authorization: Token {}\r\n", place.token);
        let _stuck = RawSocket::connect(server.address(), &header, 4_096).await;
        let reading = {
            let (client, address, token) = (server.client(), server.address(), place.token.clone());
            spawn(async move {
                let url = format!("http://{address}/messages/api/chats/2/messages/?page_size=100");
                let header = ("Authorization", format!("Token {token}"));
                while client.get(&url).insert_header(header.clone()).send().await.is_ok() {}
            })
        };
        place.posts(&server, 20).await;
        expected += 20;
        server.signal(["TERM", "INT"][cycle % 2]);
        let status = ends(&mut server.child).await;
        assert_eq!((status.code(), place.said().as_str()), (Some(0), ""));
        assert!(!place.folder.path().join("test.db-wal").exists());
        assert_eq!(place.copied(), expected);
        reading.await.unwrap();
        drop(socket);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_process_that_has_the_file_open_changes_nothing_about_that() {
    let place = Place::new();
    let mut other = place.opens();
    let before = messages(&mut other);
    let mut server = place.serve();
    place.posts(&server, 20).await;
    // The other process has read the new messages and is still connected.
    assert_eq!(messages(&mut other), before + 20);
    server.signal("TERM");
    assert_eq!(ends(&mut server.child).await.code(), Some(0));
    assert_eq!(place.copied(), before + 20);
}

#[actix_rt::test(system = "crate::System")]
async fn a_stop_waits_for_a_process_that_reads() {
    let place = Place::new();
    let mut other = place.opens();
    other.batch_execute("BEGIN").unwrap();
    let before = messages(&mut other);
    let mut server = place.serve();
    place.posts(&server, 20).await;
    server.signal("TERM");
    let address = server.address();
    while std::net::TcpStream::connect(address).is_ok() {
        crate::support::pause().await;
    }
    assert_eq!(server.child.try_wait().unwrap(), None);
    other.batch_execute("COMMIT").unwrap();
    assert_eq!(ends(&mut server.child).await.code(), Some(0));
    assert_eq!(place.copied(), before + 20);
}

#[actix_rt::test(system = "crate::System")]
async fn a_file_that_is_not_whole_by_itself_has_a_code_of_its_own() {
    let place = Place::new();
    let mut other = place.opens();
    other.batch_execute("BEGIN").unwrap();
    let before = messages(&mut other);
    let mut server = place.serve();
    place.posts(&server, 20).await;
    server.signal("TERM");
    assert_eq!(ends(&mut server.child).await.code(), Some(3));
    let said = place.said();
    assert!(said.contains("test.db is whole only together with") && said.contains("test.db-wal"), "{said}");
    // Beside what a busy machine makes the log say.
    assert_eq!(said.lines().filter(|line| line.starts_with("greenroom: ")).count(), 1, "{said}");
    // The warning names the reading processes: here the test's.
    assert!(said.contains(&format!("(process {})", std::process::id())), "{said}");
    // Nothing is lost.
    other.batch_execute("COMMIT").unwrap();
    assert_eq!(messages(&mut other), before + 20);
}
