//! clamd as Debian has it, with a signature of our own.

use std::{
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::{DEADLINE, pause};

/// The text that it finds in a file.
pub(crate) const FOUND: &str = "harmless-mark-of-the-tests";

/// Largest file that it takes, in MiB.
pub(crate) const MAX_MIB: usize = 1;

/// A clamd that can be started and stopped. It ends with the test.
pub(crate) struct Clamd {
    folder: tempfile::TempDir,
    program: PathBuf,
    child: Option<Child>,
}

impl Clamd {
    /// Prepares a clamd that does not run yet. `None` if it is not installed, which fails in CI.
    pub(crate) fn find() -> Option<Self> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&paths).chain(["/usr/sbin".into()]);
        let program = folders.map(|folder| folder.join("clamd")).find(|path| path.is_file());
        let Some(program) = program else {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "there is no clamd");
            eprintln!("left out: there is no clamd");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let hex: String = FOUND.bytes().map(|byte| format!("{byte:02x}")).collect();
        std::fs::create_dir(folder.path().join("signatures")).unwrap();
        std::fs::write(folder.path().join("signatures/own.ndb"), format!("Own.Harmless:0:*:{hex}\n"))
            .unwrap();
        let place = folder.path().display();
        let settings = format!(
            "DatabaseDirectory {place}/signatures\nLocalSocket {place}/clamd.ctl\nLogFile {place}/log\n\
             Foreground yes\nMaxThreads 4\nStreamMaxLength {MAX_MIB}M\nTemporaryDirectory {place}\n"
        );
        std::fs::write(folder.path().join("clamd.conf"), settings).unwrap();
        Some(Self { folder, program, child: None })
    }

    /// Returns the URL of its socket, for the settings.
    pub(crate) fn url(&self) -> String {
        format!("clamd+unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.ctl")
    }

    pub(crate) async fn starts(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("--config-file").arg(self.folder.path().join("clamd.conf"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(command.stderr(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + DEADLINE;
        while UnixStream::connect(self.socket()).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log"));
            assert!(Instant::now() < deadline, "clamd starts: {:?}", log());
            pause().await;
        }
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        self.stop();
    }
}
