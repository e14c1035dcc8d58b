//! Baselines: what the packages under Greenroom achieve by themselves. Each server does one thing only.
//! `greenroom load` runs against it as against Greenroom, so that both are measured in the same way, in one
//! run.
//!
//!     limits handler        answers a post with 201 and stores nothing
//!     limits commit FILE    stores it in SQLite first, in one durable transaction per batch
//!     limits room           broadcasts it to all sockets, through one actor

use std::{
    sync::{
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    web::{self, Data, Json, Path, Payload},
};
use actix_web_actors::ws;
use bytestring::ByteString;
use diesel::{Connection, ExpressionMethods, RunQueryDsl, SqliteConnection, connection::SimpleConnection};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The one thing that the server does with a message.
enum Does {
    Answer,
    Commit(mpsc::SyncSender<Job>),
    Broadcast(Addr<Room>),
}

type Job = (i64, String, oneshot::Sender<i64>);

#[derive(Deserialize)]
struct Post {
    content: String,
}

static NEXT: AtomicI64 = AtomicI64::new(1);

fn message(id: i64, chat: i64, content: &str, seq: i64) -> String {
    json!({
        "id": id, "chat": chat, "content": content, "created_at": "2026-01-01T00:00:00.000000Z",
        "updated_at": "2026-01-01T00:00:00.000000Z", "is_edited": false, "is_deleted": false,
        "sender": {"id": 1, "username": "load-0", "display_name": "load-0", "avatar_url": "/messages/avatars/1.svg"},
        "reactions": [], "read_by": [1], "read_count": 1, "client_id": null, "seq": seq
    })
    .to_string()
}

async fn post(does: Data<Does>, chat: Path<i64>, body: Json<Post>) -> HttpResponse {
    let chat = chat.into_inner();
    let id = match &**does {
        Does::Answer | Does::Broadcast(_) => NEXT.fetch_add(1, Ordering::Relaxed),
        Does::Commit(jobs) => {
            let (done, stored) = oneshot::channel();
            if jobs.try_send((chat, body.content.clone(), done)).is_err() {
                return HttpResponse::ServiceUnavailable().finish();
            }
            stored.await.unwrap_or_default()
        }
    };
    if let Does::Broadcast(room) = &**does {
        room.do_send(Say { chat, id, content: body.content.clone() });
    }
    HttpResponse::Created().content_type("application/json").body(message(id, chat, &body.content, id))
}

// The store: one thread, one connection, one transaction for all queued messages.

fn store(file: &str, jobs: &mpsc::Receiver<Job>) {
    let mut conn = SqliteConnection::establish(file).expect("the file can be opened");
    conn.batch_execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8192; \
         CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, content TEXT NOT NULL)",
    )
    .expect("the table can be made");
    while let Ok(first) = jobs.recv() {
        let batch: Vec<Job> = std::iter::once(first).chain(jobs.try_iter().take(255)).collect();
        let stored = conn.immediate_transaction(|conn| {
            batch.iter().try_for_each(|(chat, content, _)| {
                diesel::insert_into(messages::table)
                    .values((messages::chat.eq(chat), messages::content.eq(content)))
                    .execute(conn)
                    .map(drop)
            })
        });
        stored.expect("the disk takes it");
        for (_, _, done) in batch {
            let _ = done.send(NEXT.fetch_add(1, Ordering::Relaxed));
        }
    }
}

diesel::table! {
    messages (id) {
        id -> BigInt,
        chat -> BigInt,
        content -> Text,
    }
}

// The room: one actor for all chats, and one per socket.

#[derive(Default)]
struct Room {
    sockets: Vec<Recipient<Frame>>,
    seq: i64,
}

#[derive(Message, Clone)]
#[rtype(result = "()")]
struct Frame(ByteString);

#[derive(Message)]
#[rtype(result = "i64")]
struct Join(Recipient<Frame>);

#[derive(Message)]
#[rtype(result = "()")]
struct Say {
    chat: i64,
    id: i64,
    content: String,
}

impl Actor for Room {
    type Context = Context<Self>;
}

impl Handler<Join> for Room {
    type Result = i64;

    fn handle(&mut self, join: Join, _: &mut Self::Context) -> i64 {
        self.sockets.push(join.0);
        self.seq
    }
}

impl Handler<Say> for Room {
    type Result = ();

    fn handle(&mut self, say: Say, _: &mut Self::Context) {
        self.seq += 1;
        let (chat, seq) = (say.chat, self.seq);
        let message = message(say.id, chat, &say.content, seq);
        let event = format!(r#"{{"type":"new_message","chat_id":{chat},"seq":{seq},"message":{message}}}"#);
        let frame = Frame(event.into());
        self.sockets.retain(|socket| {
            socket.do_send(frame.clone());
            socket.connected()
        });
    }
}

struct Socket {
    room: Addr<Room>,
}

impl Actor for Socket {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let joined = self.room.send(Join(ctx.address().recipient()));
        let greet = actix::fut::wrap_future::<_, Self>(joined);
        ctx.spawn(actix::ActorFutureExt::map(greet, |seq, _, ctx| {
            let hello = json!({"type": "hello", "user_id": 1, "chats": {"1": seq.unwrap_or_default()}});
            ctx.text(hello.to_string());
        }));
        ctx.run_interval(Duration::from_secs(25), |_, ctx| ctx.ping(b""));
    }
}

impl Handler<Frame> for Socket {
    type Result = ();

    fn handle(&mut self, frame: Frame, ctx: &mut Self::Context) {
        ctx.text(frame.0);
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Socket {
    fn handle(&mut self, frame: Result<ws::Message, ws::ProtocolError>, ctx: &mut Self::Context) {
        match frame {
            Ok(ws::Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(ws::Message::Close(reason)) => {
                ctx.close(reason);
                actix::ActorContext::stop(ctx);
            }
            _ => {}
        }
    }
}

async fn upgrade(does: Data<Does>, request: HttpRequest, stream: Payload) -> actix_web::Result<HttpResponse> {
    match &**does {
        Does::Broadcast(room) => ws::start(Socket { room: room.clone() }, &request, stream),
        _ => Ok(HttpResponse::NotFound().finish()),
    }
}

// Users and chats, as far as the load generator requests them.

async fn chat(chats: Data<AtomicI64>) -> Json<Value> {
    Json(json!({"id": chats.fetch_add(1, Ordering::Relaxed)}))
}

async fn stub() -> Json<Value> {
    Json(json!({"id": 1, "key": "k", "is_staff": true, "username": "limits"}))
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let does = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["handler"] => Does::Answer,
        ["room"] => Does::Broadcast(Room::default().start()),
        ["commit", file] => {
            let (jobs, queue) = mpsc::sync_channel(8_192);
            let file = file.to_owned();
            std::thread::spawn(move || store(&file, &queue));
            Does::Commit(jobs)
        }
        _ => {
            eprintln!("limits: give handler, commit FILE, or room");
            return Ok(());
        }
    };
    let does = Data::new(does);
    let chats = Data::new(AtomicI64::new(1));
    let server = HttpServer::new(move || {
        let api = web::scope("/messages/api")
            .route("/chats/{chat}/messages/", web::post().to(post))
            .route("/chats/", web::post().to(chat))
            .default_service(web::route().to(stub));
        App::new()
            .app_data(does.clone())
            .app_data(chats.clone())
            .route("/messages/ws/", web::get().to(upgrade))
            .service(api)
    });
    let server = server.tcp_nodelay(true).keep_alive(Duration::from_secs(15)).bind("127.0.0.1:0")?;
    println!("Listening on http://{}", server.addrs()[0]);
    server.run().await
}
