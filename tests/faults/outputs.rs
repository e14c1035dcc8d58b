//! Output that cannot be written: a server continues, and a command fails without having changed anything.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, pipe},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use awc::Client;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{Nullable, Text},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    program::{command, greenroom, without_progress},
    support::DEADLINE,
};

/// An output that fails.
#[derive(Debug, Clone, Copy)]
enum Nowhere {
    FullDisk,
    /// A pipe whose reader is closed.
    ClosedPipe,
    /// A descriptor closed before the program starts.
    Closed,
}

const NOWHERE: [Nowhere; 3] = [Nowhere::FullDisk, Nowhere::ClosedPipe, Nowhere::Closed];

impl Nowhere {
    fn stdio(self) -> Stdio {
        match self {
            Self::FullDisk => full().into(),
            Self::ClosedPipe => pipe().unwrap().1.into(),
            Self::Closed => Stdio::null(),
        }
    }

    /// Returns a `greenroom` command with this standard output.
    fn command(self, database: &str, args: &[&str]) -> Command {
        let mut command = command(database);
        if let Self::Closed = self {
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec \"$0\" \"$@\" >&-", env!("CARGO_BIN_EXE_greenroom")]);
            shell.env("GREENROOM_DATABASE_URL", database).stdin(Stdio::null());
            command = shell;
        }
        command.args(args).stdout(self.stdio());
        command
    }

    /// Runs a command that must fail with one sentence, since its output cannot be written.
    fn fails(self, database: &str, args: &[&str]) {
        let Output { status, stderr, .. } =
            self.command(database, args).stderr(Stdio::piped()).output().unwrap();
        let sentence = without_progress(&stderr);
        assert_eq!(status.code(), Some(1), "{self:?} {args:?}: {sentence}");
        assert!(
            sentence.starts_with("greenroom: cannot write to standard output: "),
            "{self:?} {args:?}: {sentence}"
        );
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        // The exit code is the same if standard error fails too.
        let status = self.command(database, args).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{self:?} {args:?}");
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

struct Place {
    folder: TempDir,
    database: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("test.db").display());
        Self { folder, database }
    }

    fn with_users() -> Self {
        let place = Self::new();
        greenroom(&place.database, &["demo"]);
        greenroom(&place.database, &["token", "create", "alice"]);
        place
    }

    /// Returns all rows of all tables.
    fn rows(&self) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Nullable<Text>)]
            line: Option<String>,
        }
        let mut conn = SqliteConnection::establish(self.database.strip_prefix("sqlite://").unwrap()).unwrap();
        let mut lines = |query: &str| -> Vec<String> {
            let rows: Vec<Line> = sql_query(query).load(&mut conn).unwrap();
            rows.into_iter().filter_map(|row| row.line).collect()
        };
        let tables = lines("SELECT name AS line FROM sqlite_schema WHERE type = 'table' ORDER BY name");
        let mut all = Vec::new();
        for table in tables {
            let columns = lines(&format!(
                "SELECT 'quote(\"' || name || '\")' AS line FROM pragma_table_info('{table}')"
            ));
            all.extend(lines(&format!(
                "SELECT '{table}: ' || concat({}) AS line FROM {table}",
                columns.join(", ' ', ")
            )));
        }
        all
    }
}

#[test]
fn a_command_that_cannot_say_what_it_did_has_not_done_it() {
    let place = Place::with_users();
    let (database, copy) = (&place.database, place.folder.path().join("copy.db"));
    let new_copy = copy.display().to_string();
    let old_copy = place.folder.path().join("old.db").display().to_string();
    greenroom(database, &["backup", &old_copy]);
    greenroom(database, &["user", "create", "dan", "--password", "correct horse"]);
    greenroom(database, &["user", "deactivate", "carol"]);
    let before = place.rows();
    let commands: [&[&str]; 14] = [
        &["user", "create", "eve", "--password", "correct horse"],
        &["user", "list"],
        &["user", "passwd", "bob", "--password", "another horse"],
        &["user", "deactivate", "bob"],
        &["user", "activate", "carol"],
        &["user", "staff", "bob", "on"],
        &["token", "create", "alice"],
        &["token", "list", "alice"],
        &["token", "revoke", "alice", "1"],
        &["migrate"],
        &["check"],
        &["backup", &new_copy],
        &["restore", "--force", &old_copy],
        &["restore"],
    ];
    for nowhere in NOWHERE {
        for args in commands {
            nowhere.fails(database, args);
            assert_eq!(place.rows(), before, "{nowhere:?} {args:?}");
        }
    }
    let left = fs::read_dir(place.folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_str().unwrap().contains("part")));
    assert!(!copy.exists());
}

#[test]
fn a_demo_that_cannot_say_its_password_is_none() {
    for nowhere in NOWHERE {
        let place = Place::new();
        nowhere.fails(&place.database, &["demo"]);
        assert_eq!(greenroom(&place.database, &["user", "list"]), "");
        assert!(greenroom(&place.database, &["demo"]).contains("alice"));
    }
}

#[test]
fn a_schema_is_brought_up_to_date_also_where_that_cannot_be_said() {
    for nowhere in NOWHERE {
        let place = Place::new();
        nowhere.fails(&place.database, &["migrate"]);
        assert!(greenroom(&place.database, &["migrate"]).contains("is up to date"));
    }
}

#[test]
fn help_that_nobody_gets_is_no_success() {
    let place = Place::new();
    for nowhere in NOWHERE {
        for args in [&["--help"][..], &["--version"], &["user", "create", "--help"], &["help", "serve"]] {
            nowhere.fails(&place.database, args);
        }
    }
}

#[test]
fn a_bad_setting_is_one_also_where_that_cannot_be_said() {
    let place = Place::new();
    for args in [&["serve", "--workers", "0"][..], &["serve", "--nonsense"], &[]] {
        let mut bad = command(&place.database);
        assert_eq!(bad.args(args).stderr(full()).status().unwrap().code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_load_keeps_what_it_can_of_its_figures() {
    let place = Place::new();
    let report = place.folder.path().join("report.html");
    let short = ["--duration", "300ms", "--warmup", "100ms", "--patience", "1s"];
    let rooms =
        ["load", "rooms", "--spawn", "--rooms", "1", "--members", "2", "--report", report.to_str().unwrap()];
    let args: Vec<&str> = rooms.into_iter().chain(short).collect();
    for nowhere in [Nowhere::FullDisk, Nowhere::Closed] {
        nowhere.fails(&place.database, &args);
        assert!(fs::read_to_string(&report).unwrap().ends_with("</html>\n"));
        fs::remove_file(&report).unwrap();
    }
    let mut full = command(&place.database);
    full.args(&args).args(["--json", "/dev/full"]);
    let Output { status, stdout, stderr } = full.output().unwrap();
    let sentence = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{sentence}");
    assert!(sentence.contains("/dev/full cannot be written"), "{sentence}");
    assert!(!stdout.is_empty() && report.exists());
}

/// A server whose log or output cannot be written.
struct Muted {
    child: Child,
    address: SocketAddr,
    client: Client,
    token: String,
    _place: Place,
}

impl Muted {
    async fn serve(output: Stdio, errors: Stdio) -> Self {
        let place = Place::with_users();
        let token = greenroom(&place.database, &["token", "create", "alice"]).trim().to_owned();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut serve = command(&place.database);
        serve.args(["serve", "--log", "debug", "--bind", &address.to_string()]).stdout(output).stderr(errors);
        let child = serve.spawn().unwrap();
        let client = Client::builder().timeout(DEADLINE).finish();
        let server = Self { child, address, client, token, _place: place };
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the server starts");
            crate::support::pause().await;
        }
        server
    }

    /// Sends a request without credentials. Returns the status.
    async fn rejects(&self) -> u16 {
        let url = format!("http://{}/messages/api/chats/", self.address);
        self.client.get(url).send().await.unwrap().status().as_u16()
    }

    async fn takes(&self, text: &str) -> u16 {
        let url = format!("http://{}/messages/api/chats/2/messages/", self.address);
        let request = self.client.post(url).insert_header(("Authorization", format!("Token {}", self.token)));
        request.send_json(&json!({"content": text})).await.unwrap().status().as_u16()
    }

    /// Asserts that the server answers requests and shuts down normally.
    async fn keeps_serving(mut self, requests: usize) {
        for _ in 0..requests {
            assert_eq!(self.rejects().await, 401);
        }
        assert_eq!(self.takes("hello").await, 201);
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the server ends");
            crate::support::pause().await;
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_server_goes_on_where_its_log_cannot_be_written() {
    Muted::serve(Stdio::null(), Nowhere::FullDisk.stdio()).await.keeps_serving(20).await;
    Muted::serve(Stdio::null(), Nowhere::ClosedPipe.stdio()).await.keeps_serving(20).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_server_does_not_wait_for_who_reads_its_log() {
    let (mut log, errors) = pipe().unwrap();
    // More lines than the pipe and the log queue hold.
    let server = Muted::serve(Stdio::null(), errors.into()).await;
    server.keeps_serving(6_000).await;
    // The queued lines are written, in order.
    let mut text = String::new();
    let _ = log.read_to_string(&mut text);
    assert!(text.lines().count() > 100, "{text}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_server_goes_on_where_it_cannot_say_that_it_listens() {
    Muted::serve(Nowhere::FullDisk.stdio(), Stdio::null()).await.keeps_serving(1).await;
    Muted::serve(Nowhere::ClosedPipe.stdio(), Stdio::null()).await.keeps_serving(1).await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_a_log_has_lost_is_counted_in_it() {
    let (mut log, errors) = pipe().unwrap();
    let server = Muted::serve(Stdio::null(), errors.into()).await;
    for _ in 0..6_000 {
        server.rejects().await;
    }
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).map(|_| text)
    });
    server.keeps_serving(1).await;
    let text = reading.join().unwrap().unwrap();
    assert!(text.contains(" log lines were dropped here"), "{}", text.len());
    assert!(text.contains("shutting down sockets=0"), "{}", text.len());
}
