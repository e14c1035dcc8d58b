//! Untrusted database files: triggers and other code in their schema are not executed.

use std::path::Path;

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use crate::program::{command, fails, greenroom};

const TRIGGER: &str =
    "CREATE TRIGGER evil AFTER UPDATE ON chats BEGIN UPDATE users SET is_staff = TRUE; END;";

/// SQL that adds a foreign object to a file, and the error that names it.
const FOREIGN: [(&str, &str); 9] = [
    (TRIGGER, "trigger evil on chats is not Greenroom's"),
    (
        "CREATE TABLE other (x); CREATE TRIGGER evil AFTER INSERT ON other BEGIN SELECT 1; END",
        "trigger evil on other is not Greenroom's",
    ),
    ("CREATE VIEW evil AS SELECT * FROM users", "view evil is not Greenroom's"),
    (
        "DROP TABLE blocks; CREATE VIEW blocks AS SELECT 1 AS blocker_id, 2 AS blocked_id, 3 AS created_at",
        "view blocks is not Greenroom's",
    ),
    ("ALTER TABLE blocks ADD COLUMN evil AS (upper('x'))", "table blocks is not as Greenroom makes it"),
    (
        "DROP TABLE blocks; CREATE TABLE blocks (blocker_id, blocked_id, created_at CHECK (random() <> 1))",
        "table blocks is not as Greenroom makes it",
    ),
    ("CREATE INDEX evil ON users (upper(username))", "index evil on users is not Greenroom's"),
    ("DROP INDEX blocks_by_age", "index blocks_by_age on blocks is missing"),
    (
        "DROP TRIGGER search_edited; CREATE TRIGGER search_edited AFTER UPDATE OF content ON messages BEGIN \
         UPDATE users SET is_staff = TRUE; END",
        "trigger search_edited on messages is not Greenroom's",
    ),
];

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// Creates the demo database, and a copy of it changed by `sql`.
    fn with(sql: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        greenroom(&files.url("chat.db"), &["demo"]);
        greenroom(&files.url("chat.db"), &["backup", &files.name("copy.db")]);
        execute(&files.folder.path().join("copy.db"), sql);
        files
    }

    fn name(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn url(&self, file: &str) -> String {
        format!("sqlite://{}", self.name(file))
    }
}

fn execute(file: &Path, sql: &str) {
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    conn.batch_execute(sql).unwrap();
}

#[test]
fn what_a_copy_would_have_carried_out_is_named_and_not_restored() {
    for (sql, sentence) in FOREIGN {
        let files = Files::with(sql);
        let copy = files.name("copy.db");
        let before = std::fs::read(&copy).unwrap();
        let refused = fails(&files.url("chat.db"), &["restore", &copy, "--force"], 1);
        assert!(refused.contains(sentence), "{sql}: {refused}");
        assert_eq!(std::fs::read(&copy).unwrap(), before, "{sql}");
        assert!(greenroom(&files.url("chat.db"), &["check"]).ends_with(" 0 differences found\n"));
        // Restored by other means than `greenroom restore`.
        let refused = fails(&files.url("copy.db"), &["restore"], 1);
        assert!(refused.contains(sentence), "{sql}: {refused}");
        let staff = greenroom(&files.url("copy.db"), &["user", "list"]);
        assert_eq!(staff.matches("\tstaff").count(), 1, "{sql}: {staff}");
        let refused = fails("postgres://nobody@nowhere/nothing", &["import", &files.url("copy.db")], 1);
        assert!(refused.contains(sentence), "{sql}: {refused}");
    }
}

#[test]
fn it_is_found_by_a_check() {
    for (sql, sentence) in FOREIGN {
        let files = Files::with(sql);
        let output = command(&files.url("copy.db")).arg("check").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{sql}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.lines().any(|line| line == sentence), "{sql}: {said}");
    }
}

#[test]
fn a_disguise_makes_it_no_better() {
    let disguise = "PRAGMA writable_schema = ON; \
                    UPDATE sqlite_schema SET type = 'table', tbl_name = 'evil' WHERE name = 'evil'";
    let files = Files::with(&format!("{TRIGGER} {disguise}"));
    let refused = fails(&files.url("chat.db"), &["restore", &files.name("copy.db"), "--force"], 1);
    assert!(refused.contains("evil"), "{refused}");
    let refused = fails(&files.url("copy.db"), &["check"], 1);
    assert!(refused.contains("evil"), "{refused}");
}

#[test]
fn tables_of_others_stay() {
    let files = Files::with(
        "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER); \
         CREATE TABLE other (x UNIQUE); CREATE INDEX other_x ON other (lower(x)); INSERT INTO other VALUES ('kept'); ANALYZE",
    );
    greenroom(&files.url("chat.db"), &["restore", &files.name("copy.db"), "--force"]);
    assert!(greenroom(&files.url("chat.db"), &["check"]).ends_with(" 0 differences found\n"));
    execute(&files.folder.path().join("chat.db"), "INSERT INTO _litestream_seq VALUES (1, 1)");
    greenroom(&files.url("chat.db"), &["user", "list"]);
}

/// Creates a database without the newest migration. Returns the version of that migration.
pub(crate) fn older(file: &Path) -> String {
    let mut migrations: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    migrations.sort();
    let newest = migrations.pop().unwrap();
    let version = |migration: &Path| {
        let name = migration.file_name().unwrap().to_str().unwrap();
        name.split_once('_').unwrap().0.replace('-', "")
    };
    execute(
        file,
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL \
         DEFAULT CURRENT_TIMESTAMP)",
    );
    for migration in migrations {
        execute(file, &std::fs::read_to_string(migration.join("up.sql")).unwrap());
        let version = version(&migration);
        execute(file, &format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')"));
    }
    version(&newest)
}

#[test]
fn a_copy_of_an_older_schema_is_compared_with_that() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("older.db");
    older(&file);
    let database = format!("sqlite://{}", folder.path().join("chat.db").display());
    greenroom(&database, &["restore", file.to_str().unwrap()]);
    greenroom(&database, &["migrate"]);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
    execute(&file, TRIGGER);
    let refused = fails(&database, &["restore", file.to_str().unwrap(), "--force"], 1);
    assert!(refused.contains("trigger evil on chats"), "{refused}");
}
