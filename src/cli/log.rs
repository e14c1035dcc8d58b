//! The log: lines on standard error, written by a separate thread. Logging never blocks the caller. Lines
//! that cannot be written, or exceed the queue, are dropped and counted.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt::Display,
    io::{self, Write},
    panic::PanicHookInfo,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use serde_json::json;

use crate::{
    config::LogFormat,
    core::{
        log_context::{LogContext, SocketCommand},
        model::Timestamp,
    },
};

/// Maximum number of queued lines.
const QUEUE: usize = 4_096;

/// Timeout for writing the message of a panic, which may end the process.
const PANIC_WITHIN: Duration = Duration::from_millis(500);

/// Handle of the log.
pub(super) struct Log {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
    format: LogFormat,
}

enum Entry {
    Line(Vec<u8>),
    /// Dropped by the thread once all earlier entries are written.
    Mark(#[allow(dead_code, reason = "only its drop matters")] SyncSender<()>),
}

impl Log {
    /// Starts the thread, and redirects panic messages to the log.
    pub(super) fn start(format: LogFormat) -> io::Result<Arc<Self>> {
        let (entries, queue) = sync_channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let log = Arc::new(Self { entries, lost: lost.clone(), format });
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&queue, &lost, format))?;
        let panics = log.clone();
        std::panic::set_hook(Box::new(move |panic| panics.note_panic(panic)));
        Ok(log)
    }

    /// Waits until all lines so far are written, or until the timeout.
    pub(super) fn flush(&self, within: Duration) {
        let (mark, written) = sync_channel(0);
        if self.entries.try_send(Entry::Mark(mark)).is_ok() {
            let _ = written.recv_timeout(within);
        }
    }

    /// Queues a line that ends with a line feed.
    fn say(&self, mut line: Vec<u8>) {
        add_context(&mut line, self.format, LogContext::current());
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note_panic(&self, panic: &PanicHookInfo) {
        let thread = std::thread::current();
        let mut text = format!("thread '{}' {panic}", thread.name().unwrap_or("without a name"));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            text.push_str(&format!("\n{backtrace}"));
        }
        self.say(plain_line(self.format, &text).into_bytes());
        self.flush(PANIC_WITHIN);
    }
}

impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.say(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Adds the fields of a log context to the end of a line.
fn add_context(line: &mut Vec<u8>, format: LogFormat, LogContext { request, command }: LogContext) {
    let end: &[u8] = match format {
        LogFormat::Text => b"\n",
        LogFormat::Json => b"}\n",
    };
    if !line.ends_with(end) {
        return;
    }
    line.truncate(line.len() - end.len());
    // The values need no escapes.
    let mut add = |name: &str, value: &dyn Display| {
        let _ = match format {
            LogFormat::Text => write!(line, " {name}={value}"),
            LogFormat::Json => write!(line, ",\"{name}\":{value}"),
        };
    };
    if let Some(request) = request {
        add("request_id", &format_args!("\"{request}\""));
    }
    if let Some(SocketCommand { name, caller_id }) = command {
        add("command", &format_args!("\"{name}\""));
        add("caller_id", &caller_id);
    }
    line.extend_from_slice(end);
}

/// Formats an error that did not pass through tracing.
fn plain_line(format: LogFormat, text: &str) -> String {
    match format {
        LogFormat::Text => format!("{text}\n"),
        LogFormat::Json => {
            let timestamp = Timestamp::now();
            format!(
                "{}\n",
                json!({"timestamp": timestamp, "level": "ERROR", "message": text, "target": "greenroom"})
            )
        }
    }
}

fn write(entries: &Receiver<Entry>, lost: &AtomicU64, format: LogFormat) {
    let mut output = io::stderr();
    while let Ok(entry) = entries.recv() {
        let Entry::Line(line) = entry else { continue };
        let gap = lost.swap(0, Ordering::Relaxed);
        let note =
            plain_line(format, &format!("{gap} log lines were dropped here: standard error is too slow"));
        let noted = if gap > 0 { output.write_all(note.as_bytes()) } else { Ok(()) };
        if noted.is_err() {
            lost.fetch_add(gap + 1, Ordering::Relaxed);
        } else if output.write_all(&line).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
