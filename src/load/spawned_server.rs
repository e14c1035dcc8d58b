//! A server that the run spawns: a child process on a temporary or given database.

use std::{io, net::SocketAddr, os::unix::fs::DirBuilderExt, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{measure::process::Process, server_program::ServerProgram};
use crate::{core::secrets, storage::DatabaseUrl};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server may take to shut down after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings that lift the limits which a load generator would exceed.
const SETTINGS: [(&str, &str); 2] =
    [("--socket-commands-per-second", "10000000"), ("--max-sockets-per-user", "100000")];

/// Variables removed from the child's environment: they would change its database, address, keys or cookie.
const CLEARED_VARIABLES: [&str; 6] = [
    "GREENROOM_DATABASE_URL",
    "GREENROOM_BIND",
    "GREENROOM_METRICS_BIND",
    "GREENROOM_SECRET_KEY",
    "GREENROOM_PUBLIC_URL",
    "GREENROOM_COOKIE_NAME",
];

/// The kernel's magic number for tmpfs, a file system in memory.
const TMPFS: i64 = 0x0102_1994;

/// A temporary folder for a database, removed on drop.
pub(crate) struct DatabaseFolder(PathBuf);

impl DatabaseFolder {
    pub(crate) fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("greenroom-load-{}", secrets::random_name::<8>()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        let is_in_memory = rustix::fs::statfs(&path).is_ok_and(|system| system.f_type == TMPFS);
        if is_in_memory {
            let (path, hint) =
                (path.display(), "commits cost nothing there; set TMPDIR to a folder on a disk");
            note!("{path} is in memory: {hint}");
        }
        Ok(Self(path))
    }

    /// Returns the URL of the SQLite database in this folder.
    pub(crate) fn database(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.0.join("load.db").to_string_lossy().into_owned())
    }
}

impl Drop for DatabaseFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running child process that serves.
pub(crate) struct SpawnedServer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl SpawnedServer {
    /// Starts a server on `port`, or on a free port if it is 0, and waits until it listens.
    /// `jwt_secret`: it accepts JSON Web Tokens that this secret signs.
    pub(crate) async fn start(
        program: &ServerProgram,
        database: &DatabaseUrl,
        port: u16,
        jwt_secret: Option<&str>,
    ) -> Result<Self, String> {
        let mut command = command(program, database);
        command.arg("serve").arg("--bind").arg(format!("127.0.0.1:{port}"));
        for (flag, value) in SETTINGS {
            command.args([flag, value]);
        }
        if std::env::var_os("GREENROOM_LOG").is_none() {
            command.args(["--log", "warn"]);
        }
        command.envs(jwt_secret.map(|secret| ("GREENROOM_JWT_SECRET", secret)));
        command.stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("the server cannot be started: {error}"))?;
        let address = timeout(START_TIMEOUT, read_address(&mut child)).await;
        let address = address.ok().flatten().ok_or("the server did not start; its error is above")?;
        Ok(Self { child, address })
    }

    pub(crate) fn process(&self) -> Option<Process> {
        self.child.id().map(|pid| Process { pid })
    }

    /// Kills the process with SIGKILL, as in a crash.
    pub(crate) async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// Shuts the process down with SIGTERM, and kills it after [`STOP_TIMEOUT`].
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Migrates a database to the schema of a program.
pub(crate) async fn migrate(program: &ServerProgram, database: &DatabaseUrl) -> Result<(), String> {
    let status = command(program, database).arg("migrate").stdout(Stdio::null()).status().await;
    let status = status.map_err(|error| format!("the server's program cannot be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("the server's program cannot migrate the database; its error is above".to_owned())
    }
}

/// Returns a command of the program, without its subcommand.
fn command(program: &ServerProgram, database: &DatabaseUrl) -> Command {
    let mut command = Command::new(program);
    for name in CLEARED_VARIABLES {
        command.env_remove(name);
    }
    // A variable, unlike an argument, does not appear in the process list. In its own process group
    // the child does not receive the terminal's Ctrl-C.
    command.env("GREENROOM_DATABASE_URL", url(database)).process_group(0);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Reads the address from the server's first line on standard output.
async fn read_address(child: &mut Child) -> Option<SocketAddr> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).await.ok()?;
    line.trim().strip_prefix("Listening on http://")?.parse().ok()
}

fn url(database: &DatabaseUrl) -> String {
    match database {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{path}"),
        DatabaseUrl::Postgres(url) => url.clone(),
    }
}
