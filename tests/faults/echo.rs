//! An echo server built on our WebSocket frames.

use std::net::SocketAddr;

use actix::{Actor, StreamHandler};
use actix_web::{
    App, Error, HttpRequest, HttpResponse,
    dev::ServerHandle,
    web::{self, Payload},
};
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};
use greenroom::{
    net::listener,
    ws::frame_decoder::{self, FrameDecoder},
};

/// A running echo server, stopped on drop.
pub(crate) struct Echo {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let builder = listener::build().workers(1).disable_signals();
        let server = listener::listen(builder, listener, || App::new().default_service(web::to(upgrade)));
        let server = server.unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, handle }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn upgrade(request: HttpRequest, stream: Payload) -> Result<HttpResponse, Error> {
    frame_decoder::open(&request, stream, &[], Conversation, |body| body)
}

struct Conversation(FrameDecoder);

impl Actor for Conversation {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.open();
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Conversation {
    fn handle(&mut self, frame: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        if let Some(text) = self.0.take(frame, ctx) {
            ctx.text(text);
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        self.0.end(ctx);
    }
}
