//! A server that is stopped before it has started.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use diesel::{Connection, PgConnection, SqliteConnection, connection::SimpleConnection};
use tempfile::TempDir;

use crate::{
    program::{Program, command, greenroom},
    support::{DEADLINE, database::Database},
};

/// A starting `greenroom` and its log.
struct Starting {
    child: Child,
    folder: TempDir,
}

impl Starting {
    fn begin(database: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut starting = command(database);
        starting.args(args).stdout(Stdio::null()).stderr(File::create(folder.path().join("log")).unwrap());
        Self { child: starting.spawn().unwrap(), folder }
    }

    fn serve(database: &str) -> Self {
        Self::begin(database, &["serve", "--bind", "127.0.0.1:0"])
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    fn says(&self, words: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "{words}: {}", self.said());
            crate::support::pause_thread();
        }
    }

    /// Sends SIGTERM and asserts that it ends.
    fn ends(mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{}", self.said());
            crate::support::pause_thread();
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.said());
        assert!(self.said().contains("stop requested during the start"), "{}", self.said());
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_start_that_waits_for_an_answer_of_the_database_says_so_and_can_be_ended() {
    // A listener that accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let server = Starting::serve(&format!("postgres://ann:secret@{address}/chat?connect_timeout=60"));
    server.says("still waiting for postgres://ann@");
    assert!(!server.said().contains("secret"));
    server.ends();
}

#[test]
fn a_start_that_waits_for_who_writes_to_the_file_can_be_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db").display().to_string();
    let mut other = SqliteConnection::establish(&file).unwrap();
    other.batch_execute("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; CREATE TABLE others (id)").unwrap();
    let server = Starting::serve(&format!("sqlite://{file}"));
    server.says("still waiting for");
    server.ends();
    other.batch_execute("ROLLBACK").unwrap();
    assert!(greenroom(&format!("sqlite://{file}"), &["migrate"]).contains("start"));
}

/// Takes the advisory lock of a running migration.
fn migrating(database: &Database) -> PgConnection {
    let mut other = PgConnection::establish(&database.url()).unwrap();
    other.batch_execute("SELECT pg_advisory_lock(113741025078786)").unwrap();
    other
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn a_start_that_waits_for_a_migration_says_so_and_can_be_ended() {
    let database = Database::postgres();
    let other = migrating(&database);
    let server = Starting::serve(&database.url());
    server.says("another process that migrates the schema of");
    assert!(server.said().contains(" of PostgreSQL)"), "{}", server.said());
    server.ends();
    let migrate = Starting::begin(&database.url(), &["migrate"]);
    migrate.says("greenroom: waiting for another process that migrates the schema of");
    drop(migrate);
    let waiting = Starting::serve(&database.url());
    waiting.says("another process that migrates the schema of");
    drop(other);
    waiting.says("listening");
    Program::serve(&database.url());
}
