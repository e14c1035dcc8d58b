//! The log: lines on standard error, written by a thread of their own. Whoever has something to say never waits for it,
//! and lines that cannot be written, or come faster than they are taken, are lost.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, Write},
    panic::PanicHookInfo,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

/// Lines that may wait to be written.
const QUEUE: usize = 4_096;

/// How long the message of a panic may take to be written: the process may end over it.
const PANIC_WITHIN: Duration = Duration::from_millis(500);

/// A way to the log.
pub(super) struct Log {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

enum Entry {
    Line(Vec<u8>),
    /// Dropped once everything before it is written.
    Mark(#[allow(dead_code)] SyncSender<()>),
}

impl Log {
    /// Starts the thread that writes. Panics go the same way from now on.
    pub(super) fn start() -> io::Result<Arc<Self>> {
        let (entries, queue) = sync_channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let log = Arc::new(Self { entries, lost: lost.clone() });
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&queue, &lost))?;
        let panics = log.clone();
        std::panic::set_hook(Box::new(move |panic| panics.note_panic(panic)));
        Ok(log)
    }

    /// Waits until everything is written that was said so far, but not for longer than this.
    pub(super) fn flush(&self, within: Duration) {
        let (mark, written) = sync_channel(0);
        if self.entries.try_send(Entry::Mark(mark)).is_ok() {
            let _ = written.recv_timeout(within);
        }
    }

    fn say(&self, line: Vec<u8>) {
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note_panic(&self, panic: &PanicHookInfo) {
        let thread = std::thread::current();
        let mut text = format!("thread '{}' {panic}\n", thread.name().unwrap_or("without a name"));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            text.push_str(&format!("{backtrace}\n"));
        }
        self.say(text.into_bytes());
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

fn write(entries: &Receiver<Entry>, lost: &AtomicU64) {
    let mut output = io::stderr();
    while let Ok(entry) = entries.recv() {
        let Entry::Line(line) = entry else { continue };
        let gap = lost.swap(0, Ordering::Relaxed);
        let told = if gap > 0 { writeln!(output, "{gap} lines of the log are lost here") } else { Ok(()) };
        if told.is_err() {
            lost.fetch_add(gap + 1, Ordering::Relaxed);
        } else if output.write_all(&line).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
