//! Test databases: each is an SQLite file in a temporary folder. With `GREENROOM_TEST_DATABASE=postgres` each
//! is a database in a PostgreSQL cluster that runs as long as the tests.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use greenroom::storage::{DatabaseUrl, db::migrations};
use tempfile::TempDir;

/// A new database, removed on drop.
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres { cluster: &'static Cluster, name: String },
}

impl Database {
    /// Creates a database on the backend that `GREENROOM_TEST_DATABASE` names.
    pub(crate) fn new() -> Self {
        match std::env::var("GREENROOM_TEST_DATABASE").as_deref() {
            Ok("postgres") => SHARED.database(),
            Ok("sqlite") | Err(_) => Self::sqlite(),
            Ok(other) => panic!("GREENROOM_TEST_DATABASE is sqlite or postgres, not {other:?}"),
        }
    }

    /// Creates a PostgreSQL database, independent of the environment.
    pub(crate) fn postgres() -> Self {
        SHARED.database()
    }

    /// Creates an SQLite database, independent of the environment.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.db").display()),
            Self::Postgres { cluster, name } => cluster.url(name),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { cluster, name } = self {
            // This fails if a test has stopped the cluster; such a cluster is removed as a whole.
            let _ = cluster.execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);

/// A private PostgreSQL cluster. It is removed however the process ends: `postgres.sh` waits for the end of
/// its standard input.
pub(crate) struct Cluster {
    server: String,
    made: AtomicUsize,
    keeper: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Template database with all migrations applied; new databases are copies of it.
const TEMPLATE: &str = "template_greenroom";

impl Cluster {
    /// Starts a cluster without fsync: fast, and its data need not survive.
    pub(crate) fn start() -> Self {
        Self::with_options("-c fsync=off", None)
    }

    /// Starts a cluster that listens on a port of 127.0.0.1 too. Returns it with the port.
    pub(crate) fn start_on_port() -> (Self, u16) {
        // PostgreSQL does not choose a port itself.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        (Self::with_options("-c fsync=off", Some(port)), port)
    }

    /// Starts a cluster with fsync, as PostgreSQL does by default.
    pub(crate) fn start_durable() -> Self {
        Self::with_options("-c fsync=on", None)
    }

    fn with_options(options: &str, port: Option<u16>) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/postgres.sh");
        let mut keeper = Command::new(script);
        keeper.env("OPTIONS", options).env("TCP_PORT", port.map(|port| port.to_string()).unwrap_or_default());
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped());
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

    /// Creates a database with the complete schema.
    pub(crate) fn database(&'static self) -> Database {
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).unwrap();
        Database::Postgres { cluster: self, name }
    }

    /// Returns the URL of a database in this cluster.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.server)
    }

    /// Executes a statement in the cluster's `postgres` database.
    pub(crate) fn execute(&self, sql: &str) -> diesel::QueryResult<()> {
        let mut conn = PgConnection::establish(&self.url("postgres"))
            .map_err(|error| diesel::result::Error::QueryBuilderError(error.into()))?;
        conn.batch_execute(sql)
    }

    /// Sends `postgres.sh` a command and waits until it is done.
    pub(crate) fn command(&mut self, command: &str) {
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
