//! One node of a test's server.

use std::{net::SocketAddr, thread::JoinHandle};

use actix_web::web::Data;
use greenroom::{config::Config, state::AppState};
use tokio::sync::oneshot;

/// One node of the server. It runs on its own thread instead of in its own process.
pub(super) struct Node {
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    pub state: Data<AppState>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Returns the number of nodes that `GREENROOM_TEST_NODES` asks for.
pub(crate) fn nodes() -> usize {
    std::env::var("GREENROOM_TEST_NODES").map_or(1, |count| count.parse().expect("a number of nodes"))
}

impl Node {
    /// Starts a server with these settings on a thread of its own.
    pub(super) async fn start(config: Config) -> Self {
        let (started, running) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = greenroom::server::Server::start(config).await.unwrap();
                let _ = started.send((server.address, server.metrics_address(), server.state.clone()));
                let _ = stopped.await;
                server.stop().await.expect("its database's file is whole");
            });
        });
        let (address, metrics, state) = running.await.expect("the server starts");
        Self { address, metrics, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Stops the server and waits for its thread.
    pub(super) fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || std::thread::panicking(), "the server ends in order");
        }
    }
}
