//! The log context: which request, and which command of a socket, the current thread works for. Every log
//! line shows it.
//!
//! A span of tracing would do the same, but each request would pay for it, also if nothing is logged: a span
//! is allocated and formatted, and entered at every poll. A context is a small `Copy` value in a thread-local
//! variable.

use std::{cell::Cell, future::poll_fn, pin::pin};

use super::request_id::RequestId;

/// The request and the socket command of a unit of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogContext {
    pub request: Option<RequestId>,
    pub command: Option<SocketCommand>,
}

/// A command of a socket: its type, and the id of the user who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketCommand {
    pub name: &'static str,
    pub caller_id: i64,
}

thread_local! {
    static CURRENT: Cell<LogContext> = const { Cell::new(LogContext { request: None, command: None }) };
}

impl LogContext {
    /// Returns the context of the current thread, to pass it to another one.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `work` in this context.
    pub fn enter<T>(self, work: impl FnOnce() -> T) -> T {
        let _restore = Restore(CURRENT.replace(self));
        work()
    }

    /// Runs a future in this context. Tasks that it spawns have none.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|task| self.enter(|| work.as_mut().poll(task))).await
    }
}

/// Restores the previous context when it is dropped, also by a panic.
struct Restore(LogContext);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
