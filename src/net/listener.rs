//! HTTP listener: actix-web's server with our own connection type and our own handling of WebSocket upgrades.

use std::{
    fmt::Debug,
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use actix_http::{HttpService, Request, Response, body::MessageBody, error::DispatchError};
use actix_rt::net::TcpStream;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_web::{
    Error, HttpResponse,
    dev::{AppConfig, Server},
};
use futures_util::future::LocalBoxFuture;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::sync::OnceCell;

use super::{connection::Connection, upgraded};
use crate::paths::SOCKET;

/// Builder of the HTTP server.
pub type Builder = actix_server::ServerBuilder;

/// Returns a builder with actix-web's defaults.
pub fn build() -> Builder {
    Server::build()
}

/// Binds a listening socket with the same options as actix-web.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Most connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Timeout for the head of the first request of a connection.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// Timeout of a connection without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Timeout for closing a connection.
const DISCONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Idle timeout: a connection to which nothing is written for this long is closed. No response takes half as
/// long, and event streams send heartbeats more often.
const SILENCE: Duration = Duration::from_secs(60);

/// `TCP_USER_TIMEOUT`: a connection is closed if sent data is not acknowledged for this long. A zero window
/// counts.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// Serves an app on a listener. As with actix-web's `HttpServer`, every worker builds its own app.
pub fn listen<F, I, S, B>(builder: Builder, listener: TcpListener, app: F) -> io::Result<Builder>
where
    F: Fn() -> I + Clone + Send + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Service: 'static,
    S::Future: 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug + 'static,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let signal = builder.graceful_shutdown_signal();
    builder.listen("http", listener, move || {
        let signal = signal.clone();
        let app = app().into_factory().map_err(|error| HttpResponse::from_error(error.into()));
        let app = once(map_config(app, |()| AppConfig::default()));
        let upgrade = {
            let app = app.clone();
            fn_factory(move || {
                let app = app();
                async move {
                    let app = app.await?;
                    Ok::<_, S::InitError>(fn_service(move |(request, framed)| {
                        upgraded::serve(app.clone(), request, framed)
                    }))
                }
            })
        };
        let http = HttpService::<Connection, _, _>::build()
            .graceful_shutdown_signal(move || {
                let signal = signal.clone();
                async move { signal.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_WITHIN)
            .client_disconnect_timeout(DISCONNECT_WITHIN)
            .h1_allow_half_closed(true)
            .local_addr(address)
            .upgrade(upgrade)
            .finish(fn_factory(app));
        fn_service(|stream: TcpStream| async move {
            if let Err(error) = set_up(&stream) {
                tracing::warn!(%error, "cannot set the options of a connection; serving it without them");
            }
            let peer = stream.peer_addr().ok();
            Ok::<_, DispatchError>((
                Connection::new(stream, SILENCE, SOCKET),
                actix_http::Protocol::Http1,
                peer,
            ))
        })
        .and_then(http)
    })
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN))
}

/// Returns a function that creates a service on the first call, and returns the same one on every call.
fn once<F, R>(
    factory: F,
) -> impl Fn() -> LocalBoxFuture<'static, Result<Rc<F::Service>, F::InitError>> + Clone + 'static
where
    F: ServiceFactory<R, Config = ()> + 'static,
    F::Service: 'static,
    R: 'static,
{
    let made = Rc::new((factory, OnceCell::new()));
    move || {
        let made = made.clone();
        Box::pin(async move {
            let (factory, service) = &*made;
            service.get_or_try_init(|| async { factory.new_service(()).await.map(Rc::new) }).await.cloned()
        })
    }
}
