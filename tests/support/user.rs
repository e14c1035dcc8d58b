//! Users of the server: what they do over HTTP, and the sockets that they open.

use std::{fmt::Display, net::SocketAddr};

use awc::{
    Client,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{DEADLINE, Listener, Reply, Server, reference};

/// A user, or a client without credentials, that sends requests to one node.
#[derive(Clone)]
pub(crate) struct User {
    pub id: i64,
    pub name: String,
    pub address: SocketAddr,
    pub headers: Vec<(String, String)>,
    pub(super) client: Client,
    /// Requests go to another address than the API's: the API description is not checked.
    pub(super) is_elsewhere: bool,
}

impl User {
    /// Returns the same user as a client of another server.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self { address: server.address, ..self.clone() }
    }

    /// Returns the same user as a client of another listener, such as the metrics'.
    pub(crate) fn asking(&self, address: SocketAddr) -> Self {
        Self { address, is_elsewhere: true, ..self.clone() }
    }

    /// Returns the same user with a header added or replaced.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a JSON request to any path of the server.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let bytes = body.map(|body| serde_json::to_vec(&body).unwrap());
        let kind = bytes.as_ref().map(|_| "application/json");
        self.send_raw(method, path, kind, bytes.unwrap_or_default()).await
    }

    /// Sends a request with any bytes and content type.
    pub(crate) async fn send_raw(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: Vec<u8>,
    ) -> Reply {
        let asked = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(asked, format!("http://{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.append_header((name.as_str(), value.as_str()));
        }
        if let Some(kind) = kind {
            request = request.insert_header(("Content-Type", kind));
        }
        let mut response = request.send_body(body).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let body = response.body().limit(64 << 20).await.unwrap().to_vec();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let status = response.status().as_u16();
        let reply = Reply { status, headers: response.headers().clone(), body, json };
        if !self.is_elsewhere {
            reference::check_answer(method, path, &reply);
        }
        reply
    }

    /// Sends a request and resets the connection after `turns` yields to the runtime, without reading the
    /// response.
    pub(crate) async fn hangs_up_on(&self, method: &str, path: &str, body: &Value, turns: usize) {
        let body = body.to_string();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        request
            .push_str(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.set_zero_linger().unwrap();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// Sends a request below the API's base.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.send(method, &format!("/messages/api/{path}"), body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.call("PUT", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, None).await
    }

    /// Follows a page's `next` or `previous`.
    pub(crate) async fn follows(&self, link: &Value) -> Reply {
        let link = link.as_str().expect("there is a link");
        let path = link.strip_prefix(&format!("http://{}", self.address)).expect("the link leads here");
        self.send("GET", path, None).await.expect(200)
    }

    /// Opens the direct message chat with another user.
    pub(crate) async fn dm(&self, other: &User) -> i64 {
        self.post("chats/", json!({"chat_type": "dm", "member_ids": [other.id]})).await.id()
    }

    /// Creates a group with other users.
    pub(crate) async fn group(&self, title: &str, others: &[&User]) -> i64 {
        let ids: Vec<i64> = others.iter().map(|user| user.id).collect();
        let body = json!({"chat_type": "group", "title": title, "member_ids": ids});
        self.post("chats/", body).await.expect(201).id()
    }

    /// Posts a message and returns it.
    pub(crate) async fn posts(&self, chat: impl Display, text: &str) -> Value {
        self.post(&format!("chats/{chat}/messages/"), json!({"content": text})).await.expect(201).json
    }

    /// Edits a message and returns it.
    pub(crate) async fn edits(&self, message: &Value, text: &str) -> Value {
        let path = format!("messages/{}/", message["id"]);
        self.patch(&path, json!({"content": text})).await.expect(200).json
    }

    pub(crate) async fn deletes(&self, message: &Value) {
        self.delete(&format!("messages/{}/", message["id"])).await.expect(204);
    }

    /// Returns the chat as this user sees it.
    pub(crate) async fn sees(&self, chat: impl Display) -> Value {
        self.get(&format!("chats/{chat}/")).await.expect(200).json
    }

    /// Returns the texts of the newest messages, oldest first.
    pub(crate) async fn reads(&self, chat: impl Display) -> Vec<String> {
        let page = self.get(&format!("chats/{chat}/messages/?page_size=100")).await.expect(200);
        let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
        page.results().iter().rev().map(text).collect()
    }

    pub(crate) async fn marks_as_read(&self, chat: impl Display) -> i64 {
        let reply = self.post(&format!("chats/{chat}/mark-as-read/"), json!({})).await.expect(200);
        reply.json["marked_count"].as_i64().unwrap()
    }

    /// Marks messages as read up to and including `message`. Returns how many were marked.
    pub(crate) async fn marks_as_read_to(&self, chat: impl Display, message: &Value) -> i64 {
        let body = json!({"message_id": message["id"]});
        let reply = self.post(&format!("chats/{chat}/mark-as-read/"), body).await.expect(200);
        reply.json["marked_count"].as_i64().unwrap()
    }

    /// Adds users to a group. Returns how many of them were new.
    pub(crate) async fn adds(&self, chat: impl Display, others: &[&User]) -> i64 {
        let ids: Vec<i64> = others.iter().map(|user| user.id).collect();
        let reply = self.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": ids})).await;
        reply.expect(200).json["added_count"].as_i64().unwrap()
    }

    /// Removes a user from a group; a user may remove itself.
    pub(crate) async fn removes(&self, chat: impl Display, other: &User) {
        self.delete(&format!("chats/{chat}/members/{}/remove/", other.id)).await.expect(204);
    }

    /// Creates a public room.
    pub(crate) async fn room(&self, title: &str) -> i64 {
        let body = json!({"chat_type": "room", "title": title});
        self.post("chats/", body).await.expect(201).id()
    }

    /// Joins a public room and returns it.
    pub(crate) async fn joins(&self, room: i64) -> Value {
        self.post(&format!("chats/{room}/join/"), json!({})).await.expect(200).json
    }

    /// Opens a socket with `?resume=1`, sends the known heads, and receives the missed events up to the
    /// `ack`.
    pub(crate) async fn resumes(&self, known: Value) -> (Listener, Vec<Value>, Value) {
        self.resumes_with(false, known).await
    }

    /// The same, for a client that may know threads.
    pub(crate) async fn resumes_with(&self, threads: bool, known: Value) -> (Listener, Vec<Value>, Value) {
        let query = if threads { "?resume=1&threads=1" } else { "?resume=1" };
        let mut listener = self.connects_with(query).await.unwrap();
        listener.hello = listener.receives("hello").await;
        let (missed, ack) = listener.catches_up(known).await;
        (listener, missed, ack)
    }

    /// Opens a socket and receives its `hello`.
    pub(crate) async fn listens(&self) -> Listener {
        let mut listener = self.connects().await.expect("the socket opens");
        listener.hello = listener.receives("hello").await;
        listener
    }

    /// Opens a socket. Returns the status if the handshake is rejected.
    pub(crate) async fn connects(&self) -> Result<Listener, StatusCode> {
        self.connects_with("").await
    }

    /// Opens a socket with a query. Returns the status if the handshake is rejected.
    pub(crate) async fn connects_with(&self, query: &str) -> Result<Listener, StatusCode> {
        let client =
            Client::builder().timeout(DEADLINE).max_http_version(awc::http::Version::HTTP_11).finish();
        let mut request = client.ws(format!("http://{}/messages/ws/{query}", self.address));
        for (name, value) in &self.headers {
            request = request.set_header(name.as_str(), value.as_str());
        }
        match request.connect().await {
            Ok((_, socket)) => Ok(Listener::of(socket)),
            Err(awc::error::WsClientError::InvalidResponseStatus(status)) => Err(status),
            Err(error) => panic!("the socket does not open: {error}"),
        }
    }
}
