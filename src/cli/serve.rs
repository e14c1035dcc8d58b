//! `greenroom serve`

use std::io::{IsTerminal, Write};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::CliError;
use crate::{config::Config, server::Server};

/// What strangers can make our libraries say at will, unless it is asked for.
const QUIET: &str = "actix_session=error,actix_http=off";

pub(super) fn serve(config: Config) -> Result<(), CliError> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{QUIET},{}", config.log)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if !config.bind.ip().is_loopback() && !config.is_https() {
        tracing::warn!(
            "cookies travel in the clear unless a proxy adds HTTPS; set GREENROOM_PUBLIC_URL to its address"
        );
    }
    let system = actix_web::rt::System::new();
    let result = system.block_on(async {
        // Before the server, so that a signal at any time ends it in order.
        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        let server = Server::start(config).await?;
        say!("Listening on http://{}", server.address);
        if let Some(address) = server.metrics_address() {
            say!("Metrics on http://{address}/metrics");
        }
        std::io::stdout().flush()?;
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        Ok(server.stop().await?)
    });
    // The last thread to let go of it would wake what waits for that, without the thread-locals that this needs.
    std::mem::forget(actix_web::rt::System::current());
    // Its end would wait for every thread, and one may be waiting for a database that hangs.
    std::mem::forget(system);
    result
}
