//! Databases of tests: each a file in a folder of its own, or, with `GREENROOM_TEST_DATABASE=postgres`, one in a
//! PostgreSQL cluster that runs for as long as the tests do.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use greenroom::storage::{DatabaseUrl, db::migrations};
use tempfile::TempDir;

/// A new database. It goes when it is dropped.
pub enum Database {
    Sqlite(TempDir),
    Postgres { cluster: &'static Cluster, name: String },
}

impl Database {
    /// One on the database that the environment asks for.
    pub fn new() -> Self {
        match std::env::var("GREENROOM_TEST_DATABASE").as_deref() {
            Ok("postgres") => SHARED.database(),
            Ok("sqlite") | Err(_) => Self::sqlite(),
            Ok(other) => panic!("GREENROOM_TEST_DATABASE is sqlite or postgres, not {other:?}"),
        }
    }

    /// One on PostgreSQL, whatever the environment says.
    pub fn postgres() -> Self {
        SHARED.database()
    }

    /// One on SQLite, whatever the environment says.
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.db").display()),
            Self::Postgres { cluster, name } => cluster.url(name),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { cluster, name } = self {
            // A cluster that a test has stopped is removed as a whole.
            let _ = cluster.execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);

/// A PostgreSQL cluster of one's own. It goes with the process, however that ends: `postgres.sh` waits for the end of
/// its standard input.
pub struct Cluster {
    server: String,
    made: AtomicUsize,
    keeper: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Has all migrations run; new databases are copies of it.
const TEMPLATE: &str = "template_greenroom";

impl Cluster {
    /// One for many tests: in a hurry, since nothing in it has to survive.
    pub fn start() -> Self {
        Self::with_options("-c fsync=off")
    }

    /// One that is as careful as PostgreSQL is by default.
    pub fn start_durable() -> Self {
        Self::with_options("-c fsync=on")
    }

    fn with_options(options: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/postgres.sh");
        let mut keeper = Command::new(script);
        keeper.env("OPTIONS", options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().expect("a shell");
        let input = keeper.stdin.take();
        let mut output = BufReader::new(keeper.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("postgres://"), "PostgreSQL starts: {line:?}");
        let server = line.trim().to_owned();
        let cluster = Self { server, made: AtomicUsize::new(0), keeper, input, output };
        cluster.execute(&format!("CREATE DATABASE {TEMPLATE}")).unwrap();
        migrations::migrate(&DatabaseUrl::parse(&cluster.url(TEMPLATE)).unwrap()).unwrap();
        cluster
    }

    /// A new database with the whole schema.
    pub fn database(&'static self) -> Database {
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).unwrap();
        Database::Postgres { cluster: self, name }
    }

    /// The URL of a database in it.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.server)
    }

    /// Carries out a statement on the cluster itself.
    pub fn execute(&self, sql: &str) -> diesel::QueryResult<()> {
        let mut conn = PgConnection::establish(&self.url("postgres"))
            .map_err(|error| diesel::result::Error::QueryBuilderError(error.into()))?;
        conn.batch_execute(sql)
    }

    /// Gives `postgres.sh` a command and waits until it is done.
    pub fn command(&mut self, command: &str) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{command}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}
