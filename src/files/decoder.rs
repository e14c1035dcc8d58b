//! The thread that decodes pictures: one at a time, which bounds the memory. What it allocates is freed on it: memory that
//! another thread frees would stay with its first thread for a while.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use tokio::sync::oneshot;

use crate::core::model::Refusal;

type Work = Box<dyn FnOnce() + Send>;

/// Handle of the thread, which ends with its last handle.
#[derive(Clone)]
pub(super) struct DecoderThread(mpsc::Sender<Work>);

impl DecoderThread {
    /// Starts the thread.
    pub(super) fn start() -> Self {
        let (work, received) = mpsc::channel::<Work>();
        // A fault in one picture is not one of the next.
        let run = move || received.into_iter().for_each(|work| drop(catch_unwind(AssertUnwindSafe(work))));
        // Without a thread all work is refused as overload.
        let _ = thread::Builder::new().name("pictures".to_owned()).spawn(run);
        Self(work)
    }

    /// Does work on the thread, after all that was asked for before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (done, result) = oneshot::channel();
        let work = move || {
            // Nobody waits for it if the client has disconnected.
            let _ = done.send(work());
        };
        self.0.send(Box::new(work)).map_err(|_| Refusal::Busy)?;
        result.await.map_err(|_| Refusal::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn work_is_done_in_order_on_one_thread() {
        let decoder = DecoderThread::start();
        let first = decoder.run(|| thread::current().id()).await.unwrap();
        let second = decoder.run(|| thread::current().id()).await.unwrap();
        assert!(first == second && first != thread::current().id());
        assert_eq!(decoder.run(|| -> u8 { panic!("a fault") }).await, Err(Refusal::Internal));
        assert_eq!(decoder.run(|| 7).await, Ok(7));
    }
}
