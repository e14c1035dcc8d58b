//! Output of commands.

use std::{
    fmt::{Arguments, Display},
    io::{self, ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// Prints a line on standard output. `Err`: it could not be written, so the command must fail.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::say(&format_args!($($text)*)) };
}

/// Prints a line on standard error. Errors are ignored.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::note(format_args!($($text)*)) };
}

/// The output of a command could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(#[from] io::Error);

/// Whether standard output was closed at the start. The standard library replaces closed streams by
/// `/dev/null`.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Notes that standard output was closed when the process started.
pub fn is_closed() {
    IS_CLOSED.store(true, Ordering::Relaxed);
}

/// Prints lines and flushes. An empty text prints nothing.
pub(crate) fn say(text: &impl Display) -> Result<(), OutputError> {
    let text = text.to_string();
    if text.is_empty() {
        return Ok(());
    }
    write(format!("{text}\n").as_bytes())
}

/// Writes bytes to standard output and flushes.
pub(crate) fn write(bytes: &[u8]) -> Result<(), OutputError> {
    if IS_CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::new(ErrorKind::BrokenPipe, "it is closed").into());
    }
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    Ok(output.flush()?)
}

pub(crate) fn note(text: Arguments) {
    // One write, so that lines of other threads do not interleave.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
