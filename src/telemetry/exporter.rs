//! Endpoint for Prometheus, on a separate address, so that it is not public by accident.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_rt::task::JoinHandle;
use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
    middleware::from_fn,
    web::{self, Data},
};

use super::{Meters, Sources};
use crate::{config::Config, net::served_hosts::own_hosts};

/// Maximum number of open connections.
const CONNECTIONS: usize = 64;

/// Content type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A running endpoint.
pub struct Listening {
    pub address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

impl Listening {
    /// Starts to serve `GET /metrics`.
    pub fn start(
        address: SocketAddr,
        meters: Arc<Meters>,
        sources: Sources,
        config: &Config,
    ) -> io::Result<Self> {
        let (meters, sources) = (Data::from(meters), Data::new(sources));
        let config = Data::new(config.clone());
        let app = move || {
            App::new()
                .app_data(meters.clone())
                .app_data(sources.clone())
                .app_data(config.clone())
                .wrap(from_fn(own_hosts))
                .route("/metrics", web::get().to(show))
                .default_service(web::to(HttpResponse::NotFound))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .max_connections(CONNECTIONS)
            .client_request_timeout(Duration::from_secs(5))
            .shutdown_timeout(1)
            .disable_signals()
            .bind(address)?;
        let address = server.addrs().first().copied().unwrap_or(address);
        let server = server.run();
        Ok(Self { address, handle: server.handle(), serving: actix_rt::spawn(server) })
    }

    /// Stops the endpoint.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        let _ = self.serving.await;
    }
}

async fn show(meters: Data<Meters>, sources: Data<Sources>) -> HttpResponse {
    meters.levels.look(&sources).await;
    HttpResponse::Ok()
        .content_type(TEXT)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(meters.instruments.text())
}
