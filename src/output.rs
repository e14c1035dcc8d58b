//! What commands print.

use std::{
    fmt::{Arguments, Display},
    io::{self, ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// Prints a line on standard output. `Err` where it could not be written: the command has not done what it was asked to.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::say(&format_args!($($text)*)) };
}

/// Prints a line on standard error, where that can be written.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::note(format_args!($($text)*)) };
}

/// What a command had to say could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct Unsaid(#[from] io::Error);

/// The standard library opens `/dev/null` in the place of what is closed when it begins.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Says that standard output was closed when the process began.
pub fn is_closed() {
    IS_CLOSED.store(true, Ordering::Relaxed);
}

/// Prints lines, which have arrived when this returns. A text that is empty is none.
pub(crate) fn say(text: &impl Display) -> Result<(), Unsaid> {
    let text = text.to_string();
    if text.is_empty() {
        return Ok(());
    }
    write(format!("{text}\n").as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Unsaid> {
    if IS_CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::new(ErrorKind::BrokenPipe, "it is closed").into());
    }
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    Ok(output.flush()?)
}

pub(crate) fn note(text: Arguments) {
    // In one go, or lines of others might come between.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
