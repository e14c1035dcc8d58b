//! Redis for tests with several nodes: one shared by all tests, or one for a single test.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::LazyLock,
};

/// Shared by all tests that do not disturb it. Nodes with different databases use different channels.
pub(crate) static SHARED: LazyLock<Redis> = LazyLock::new(Redis::start);

/// A running Redis. It ends however the process ends: `redis.sh` waits for the end of its standard input.
pub(crate) struct Redis {
    /// Path of its Unix socket.
    pub socket: String,
    keeper: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/redis.sh");
        let mut keeper = Command::new(script);
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let input = keeper.stdin.take();
        let mut output = BufReader::new(keeper.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with('/'), "Redis starts: {line:?}");
        Self { socket: line.trim().to_owned(), keeper, input, output }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket)
    }

    /// Sends `redis.sh` a command and waits until it is done.
    pub(crate) fn command(&mut self, command: &str) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{command}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}
