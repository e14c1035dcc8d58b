//! Transactions through the VFS: how many writes they take, and which bytes a crash may leave.

use std::{
    fs,
    path::{Path, PathBuf},
};

use diesel::{connection::SimpleConnection, sqlite::SqliteConnection};
use tempfile::TempDir;

use crate::storage::{
    DatabaseUrl,
    db::{
        conn::{Access, AnyConn},
        sql::sql,
    },
};

/// A database with one table, in a folder of its own.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        scene.open(Access::Write).batch_execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)").unwrap();
        scene
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.folder.path().join(format!("test.db{suffix}"))
    }

    fn open(&self, access: Access) -> AnyConn {
        open(&self.path(""), access)
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.path("-wal")).unwrap()
    }
}

fn open(path: &Path, access: Access) -> AnyConn {
    DatabaseUrl::Sqlite(path.display().to_string()).open(access).unwrap()
}

/// Adds `count` rows of about 1,000 bytes, some of which share a page.
fn add(conn: &mut AnyConn, count: usize) {
    conn.batch_execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO notes (text) SELECT hex(randomblob(500)) FROM n"
    ))
    .unwrap();
}

fn count(conn: &mut AnyConn) -> i64 {
    sql!("SELECT COUNT(*) FROM notes").one::<i64>(conn).unwrap()
}

/// Asserts that SQLite finds no fault in the database, and returns the number of rows.
fn checked_count(conn: &mut AnyConn) -> i64 {
    assert_eq!(sql!("SELECT * FROM pragma_integrity_check").one::<String>(conn).unwrap(), "ok");
    count(conn)
}

/// Number of write calls of this thread so far.
fn writes() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    let writes = counts.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap();
    writes.parse().unwrap()
}

#[test]
fn a_commit_takes_one_write() {
    let scene = Scene::new();
    let mut conn = scene.open(Access::Write);
    // Starts the log.
    add(&mut conn, 1);
    let (before, start) = (scene.log().len(), writes());
    for _ in 0..50 {
        add(&mut conn, 20);
    }
    assert_eq!(writes() - start, 50);
    assert!(scene.log().len() > before + 50 * 5 * 4096, "each commit wrote several pages");
}

#[test]
fn a_commit_is_seen_by_other_connections_and_in_the_file_at_once() {
    for synchronous in ["FULL", "NORMAL", "OFF"] {
        let scene = Scene::new();
        let (mut writer, mut reader) = (scene.open(Access::Write), scene.open(Access::Read));
        writer.batch_execute(&format!("PRAGMA synchronous = {synchronous}")).unwrap();
        for commit in 1..=20 {
            let before = scene.log().len();
            add(&mut writer, 7);
            assert!(scene.log().len() > before, "{synchronous}: what is committed is in the file");
            assert_eq!(count(&mut reader), commit * 7, "{synchronous}");
        }
        assert_eq!(checked_count(&mut reader), 140);
    }
}

/// Transactions that do not fit into the page cache write pages before they end.
#[test]
fn a_large_transaction_that_is_rolled_back_leaves_nothing_behind() {
    let scene = Scene::new();
    let (mut one, mut other) = (scene.open(Access::Write), scene.open(Access::Write));
    one.batch_execute("PRAGMA cache_size = 5").unwrap();
    for round in 1..=5 {
        one.batch_execute("BEGIN IMMEDIATE").unwrap();
        add(&mut one, 40 * round);
        one.batch_execute("SAVEPOINT inner").unwrap();
        add(&mut one, 60);
        one.batch_execute("ROLLBACK TO inner").unwrap();
        add(&mut one, 10);
        one.batch_execute("ROLLBACK").unwrap();
        // These frames take the place of those that were rolled back.
        add(&mut other, 30);
        assert_eq!(checked_count(&mut one), 30 * round as i64);
    }
    drop((one, other));
    assert_eq!(checked_count(&mut scene.open(Access::Read)), 150);
}

#[test]
fn a_transaction_larger_than_the_buffer_is_stored_whole() {
    let scene = Scene::new();
    let mut conn = scene.open(Access::Write);
    add(&mut conn, 5_000);
    conn.batch_execute("UPDATE notes SET text = text || 'x'; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    add(&mut conn, 5_000);
    assert_eq!(checked_count(&mut scene.open(Access::Read)), 10_000);
}

/// A machine that stops during the write of the last commit may leave any part of it. The rest is missing, or
/// it is zeros, or it is what an older log left there.
#[test]
fn a_torn_write_loses_the_last_commit_whole_or_not_at_all() {
    let scene = Scene::new();
    let mut conn = scene.open(Access::Write);
    // An older log, longer than what follows.
    add(&mut conn, 200);
    conn.batch_execute("PRAGMA wal_checkpoint(RESTART)").unwrap();
    add(&mut conn, 5);
    let before = scene.log();
    add(&mut conn, 11);
    let after = scene.log();
    assert_eq!(before.len(), after.len(), "the log is written from its start again");
    let differs = |at: &usize| before[*at] != after[*at];
    let start = (0..after.len()).find(differs).unwrap();
    // The last bytes of the last page may be the same in both.
    let frame = 24 + 4096;
    let end = 32 + ((0..after.len()).rfind(differs).unwrap() - 32) / frame * frame + frame;
    assert!(end - start > 3 * 4096, "several pages");
    let crashed = tempfile::tempdir().unwrap();
    for cut in (start..end).step_by(512).chain([end]) {
        let zeros = [&after[..cut], &vec![0; after.len() - cut]].concat();
        let old = [&after[..cut], &before[cut..]].concat();
        for (number, log) in [&after[..cut], &zeros, &old].into_iter().enumerate() {
            let path = crashed.path().join(format!("{cut}-{number}.db"));
            fs::copy(scene.path(""), &path).unwrap();
            fs::write(path.with_extension("db-wal"), log).unwrap();
            let mut conn = open(&path, Access::Write);
            let expected = if cut == end { 216 } else { 205 };
            assert_eq!(checked_count(&mut conn), expected, "cut at {cut} of {start}..{end}, way {number}");
            add(&mut conn, 1);
            assert_eq!(checked_count(&mut conn), expected + 1);
        }
    }
}

/// Programs that write the same file with SQLite's own VFS see no difference.
#[test]
fn other_programs_may_use_the_file_at_the_same_time() {
    let scene = Scene::new();
    let mut ours = scene.open(Access::Write);
    let uri = format!("file:{}?vfs=unix", scene.path("").display());
    let mut theirs = <SqliteConnection as diesel::Connection>::establish(&uri).map(AnyConn::Sqlite).unwrap();
    for round in 1..=20 {
        add(&mut ours, 7);
        assert_eq!(count(&mut theirs), round * 14 - 7);
        add(&mut theirs, 7);
        assert_eq!(count(&mut ours), round * 14);
    }
    drop(ours);
    assert_eq!(checked_count(&mut theirs), 280);
}
