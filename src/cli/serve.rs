//! `greenroom serve`

use std::{
    io::{IsTerminal, Write},
    pin::{Pin, pin},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tracing_subscriber::EnvFilter;

use super::{error::CliError, log::Log};
use crate::{
    config::Config,
    server::{Server, leave},
    storage::DatabaseUrl,
};

/// What strangers can make our libraries say at will, unless it is asked for.
const QUIET: &str = "actix_session=error,actix_http=off";

/// How long the last lines of the log may take to be written.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);

/// How long a start on SQLite may go on that is not wanted any more.
const STARTS_WITHIN: Duration = Duration::from_secs(4);

/// How long it then waits for other processes that have the file open.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn serve(config: Config) -> Result<(), CliError> {
    let log = Log::start()?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{QUIET},{}", config.log)))
        .with_writer(log.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .init();
    if !config.bind.ip().is_loopback() && !config.is_https() {
        tracing::warn!(
            "cookies travel in the clear unless a proxy adds HTTPS; set GREENROOM_PUBLIC_URL to its address"
        );
    }
    let system = actix_web::rt::System::new();
    let result = system.block_on(async {
        // Before the server, so that a signal at any time ends it in order.
        let (mut terminated, mut interrupted) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let asked_to_end = async {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
        };
        serve_until(config, pin!(asked_to_end)).await
    });
    // The last thread to let go of it would wake what waits for that, without the thread-locals that this needs.
    std::mem::forget(actix_web::rt::System::current());
    // Its end would wait for every thread, and one may be waiting for a database that hangs.
    std::mem::forget(system);
    log.flush(LAST_LINES_WITHIN);
    result
}

async fn serve_until(config: Config, mut asked_to_end: Pin<&mut impl Future>) -> Result<(), CliError> {
    let url = config.database.database_url.clone();
    let mut starting = pin!(Server::start(config));
    let started = tokio::select! {
        started = &mut starting => started?,
        _ = &mut asked_to_end => {
            tracing::info!("asked to end before it has started");
            // PostgreSQL undoes what was begun; SQLite would leave it beside the file.
            let patience = if matches!(url, DatabaseUrl::Sqlite(_)) { STARTS_WITHIN } else { Duration::ZERO };
            return match timeout(patience, starting).await {
                Ok(Ok(started)) => Ok(started.stop().await?),
                Ok(Err(error)) => {
                    tracing::info!(%error, "it would not have started");
                    Ok(leave(&url, LEAVES_WITHIN)?)
                }
                Err(_) => Ok(leave(&url, LEAVES_WITHIN)?),
            };
        }
    };
    announce(&started);
    asked_to_end.await;
    Ok(started.stop().await?)
}

/// Says where it listens; it serves also where that cannot be said.
fn announce(server: &Server) {
    let (address, metrics) = (server.address, server.metrics_address());
    tracing::info!(%address, "listening");
    std::thread::spawn(move || {
        let mut lines = format!("Listening on http://{address}\n");
        if let Some(address) = metrics {
            lines.push_str(&format!("Metrics on http://{address}/metrics\n"));
        }
        let mut output = std::io::stdout();
        let _ = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
    });
}
