//! A server of the run's own: a process of this program on a database that goes with it.

use std::{io, net::SocketAddr, os::unix::fs::DirBuilderExt, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::measure::process::Process;
use crate::{core::secrets, storage::DatabaseUrl};

/// How long a server may take to start, and to end in order.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Settings under which a server lets a load generator do what it does.
const SETTINGS: [(&str, &str); 2] =
    [("--socket-commands-per-second", "10000000"), ("--max-sockets-per-user", "100000")];

/// What would make it another server than the one that is looked at.
const UNSET: [&str; 6] = [
    "GREENROOM_DATABASE_URL",
    "GREENROOM_BIND",
    "GREENROOM_METRICS_BIND",
    "GREENROOM_SECRET_KEY",
    "GREENROOM_PUBLIC_URL",
    "GREENROOM_COOKIE_NAME",
];

/// How the kernel names a file system in memory.
const TMPFS: i64 = 0x0102_1994;

/// A folder for a database. It goes when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn make() -> io::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("greenroom-load-{}", secrets::hex(&secrets::random::<8>())));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        let is_in_memory = rustix::fs::statfs(&path).is_ok_and(|system| system.f_type == TMPFS);
        if is_in_memory {
            let (path, hint) =
                (path.display(), "commits cost nothing there; set TMPDIR to a folder on a disk");
            note!("{path} is in memory: {hint}");
        }
        Ok(Self(path))
    }

    /// The database in it.
    pub(crate) fn database(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.0.join("load.db").to_string_lossy().into_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server of the run's own.
pub(crate) struct Spawned {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Spawned {
    /// Starts one on a free port, or on this one, and waits until it listens.
    pub(crate) async fn start(database: &DatabaseUrl, port: u16) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--bind").arg(format!("127.0.0.1:{port}"));
        for (flag, value) in SETTINGS {
            command.args([flag, value]);
        }
        for name in UNSET {
            command.env_remove(name);
        }
        if std::env::var_os("GREENROOM_LOG").is_none() {
            command.args(["--log", "warn"]);
        }
        // A variable does not show in the list of processes, and Ctrl-C is for this process alone.
        command.env("GREENROOM_DATABASE_URL", url(database)).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("the server cannot be started: {error}"))?;
        let address = timeout(STARTS_WITHIN, listening(&mut child)).await;
        let address = address.ok().flatten().ok_or("the server did not start; its reason is above")?;
        Ok(Self { child, address })
    }

    pub(crate) fn process(&self) -> Option<Process> {
        self.child.id().map(|pid| Process { pid })
    }

    /// Kills it, as a power cut would.
    pub(crate) async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// Has it end in order.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(ENDS_WITHIN, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Where it listens, as its first line tells.
async fn listening(child: &mut Child) -> Option<SocketAddr> {
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
