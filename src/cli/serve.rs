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
    config::{Config, LogFormat},
    server::{Server, leave},
    storage::DatabaseUrl,
};

/// Default log filters that silence library messages which any client can trigger at will.
const QUIET: &str = "actix_session=error,actix_http=off";

/// Timeout for writing the last lines of the log.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);

/// On SQLite, timeout for completing a start that was cancelled.
const STARTS_WITHIN: Duration = Duration::from_secs(4);

/// After a cancelled start, timeout for waiting on other processes that have the file open.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn serve(config: Config) -> Result<(), CliError> {
    let log = Log::start(config.log_format)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{QUIET},{}", config.log)))
        .with_writer(log.clone())
        .log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
        }
    }
    if !config.bind.ip().is_loopback() && !config.is_https() {
        tracing::warn!(
            "cookies are sent unencrypted unless a proxy adds HTTPS; set GREENROOM_PUBLIC_URL to its https:// URL"
        );
    }
    let system = actix_web::rt::System::new();
    let result = system.block_on(async {
        // Installed before the start, so that a signal at any time causes a graceful shutdown.
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
    // Never dropped: the last thread to drop it would wake its waiters without the thread-locals that they
    // need.
    std::mem::forget(actix_web::rt::System::current());
    // Never dropped: the drop would wait for all threads, and one may be blocked on a hanging database.
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
            tracing::info!("stop requested during the start; stopping before serving");
            // PostgreSQL rolls back an interrupted start. SQLite would leave its `-wal` beside the file.
            let patience = if matches!(url, DatabaseUrl::Sqlite(_)) { STARTS_WITHIN } else { Duration::ZERO };
            return match timeout(patience, starting).await {
                Ok(Ok(started)) => Ok(started.stop().await?),
                Ok(Err(error)) => {
                    tracing::info!(%error, "the cancelled start had failed");
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

/// Prints the addresses. A failure to print them does not stop the server.
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
