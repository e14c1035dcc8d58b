//! Configuration of the HTTP server.

use std::net::SocketAddr;

use actix_rt::{Arbiter, task::JoinHandle};
use actix_web::{App, dev::ServerHandle, middleware::from_fn, web::Data};

use super::{cookies::session_middleware, error::StartError};
use crate::{
    middleware::{common, pick_cookie},
    net::listener,
    routes::routes,
    state::AppState,
};

/// Timeout of requests in flight during shutdown, in seconds.
const REQUESTS_END_WITHIN: u64 = 5;

/// File descriptors reserved for other uses than connections.
const SPARE_FILES: u64 = 256;

type Serving = (SocketAddr, ServerHandle, JoinHandle<std::io::Result<()>>);

pub(super) fn serve(state: &Data<AppState>) -> Result<Serving, StartError> {
    let address = state.config.bind;
    let workers = state.config.workers();
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    let per_worker = (files.saturating_sub(SPARE_FILES) as usize / workers).clamp(64, 100_000);
    let shared = state.clone();
    let app = move || {
        // Every worker builds its own app, and all do so before the first connection is accepted.
        shared.directory.add_arbiter(Arbiter::current());
        App::new()
            .app_data(shared.clone())
            .wrap(session_middleware(&shared))
            .wrap(from_fn(pick_cookie))
            .wrap(from_fn(common))
            .configure(routes)
    };
    let builder = listener::build()
        .workers(workers)
        .max_concurrent_connections(per_worker)
        .shutdown_timeout(REQUESTS_END_WITHIN)
        .disable_signals();
    let listening = || {
        let listener = listener::bind(address)?;
        Ok((listener.local_addr()?, listener::listen(builder, listener, app)?))
    };
    let (address, builder) = listening().map_err(|reason| StartError::Listen { address, reason })?;
    let server = builder.run();
    Ok((address, server.handle(), actix_rt::spawn(server)))
}
