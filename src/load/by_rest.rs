//! Users and chats made over REST, by somebody who is staff.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures_util::future::try_join_all;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    cast::{Cast, Chat, Names, Person, Plan, REACTION, old_content},
    http::Connection,
    stop::Stop,
    target::Target,
};
use crate::core::{model::command::MOST_USERS, secrets};

/// Connections that make, or remove, at the same time.
const LANES: usize = 16;

/// Members that are named in one request.
const NAMED: usize = MOST_USERS;

/// How often a server that is too busy is asked, and the pause in between.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// How long an answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long a token of a run works, in seconds, should it not be ended.
const TOKEN_LIFE: u32 = 24 * 60 * 60;

/// Somebody who is staff, and what is made in their name.
pub(super) struct Admin {
    pub(super) target: Rc<Target>,
    header: String,
    names: Names,
    stop: Stop,
    pub(super) progress: ProgressBar,
    pub(super) cast: RefCell<Cast>,
}

/// How staff prove who they are.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    Token(String),
    Password { name: String, password: String },
}

impl Admin {
    /// Signs in, and makes sure that it is staff.
    pub(super) async fn sign_in(
        target: Rc<Target>,
        proof: &Proof,
        names: Names,
        stop: Stop,
    ) -> Result<Self, String> {
        let mut connection = Connection::new(target.clone());
        let header = match proof {
            Proof::Token(key) => format!("Authorization: Token {key}\r\n"),
            Proof::Password { name, password } => log_in(&mut connection, name, password).await?,
        };
        let me = ask(&mut connection, "GET", "/messages/api/users/me/", &header, None).await?;
        if me["is_staff"] != true {
            let name = &me["username"];
            return Err(format!("{name} is not staff, and so may make no users for the run"));
        }
        let progress = ProgressBar::hidden();
        Ok(Self { target, header, names, stop, progress, cast: RefCell::default() })
    }

    /// Makes what is planned. What was made when it fails is in the cast.
    pub(super) async fn make(&self, plan: &Plan) -> Result<(), String> {
        let password = plan.with_sessions.then(secrets::draw);
        let made: RefCell<Vec<Option<Person>>> = RefCell::new(vec![None; plan.users]);
        let people = self.each(plan.users, true, async |connection, place| {
            let id = self.person(connection, place, password.as_deref()).await?;
            // It is to be removed, whatever comes next.
            made.borrow_mut()[place] = Some(Person { id, header: String::new() });
            let header = self.proof(connection, place, id, password.as_deref()).await?;
            made.borrow_mut()[place] = Some(Person { id, header });
            Ok(())
        });
        let result = people.await;
        self.cast.borrow_mut().people = made.into_inner().into_iter().flatten().collect();
        result?;
        let made: RefCell<Vec<Option<Chat>>> = RefCell::new(vec![None; plan.chats.len()]);
        let chats = self.each(plan.chats.len(), true, async |connection, place| {
            let members = &plan.chats[place];
            let id = self.chat(connection, place, members).await?;
            made.borrow_mut()[place] = Some(Chat { id, members: members.clone() });
            self.complete(connection, id, members).await?;
            self.fill(connection, id, members, plan).await
        });
        let result = chats.await;
        self.cast.borrow_mut().chats = made.into_inner().into_iter().flatten().collect();
        result
    }

    /// Deletes the chats of the cast, and shuts its users out.
    pub(super) async fn clean(&self) -> Result<(), String> {
        let cast = self.cast.take();
        let chats = self.each(cast.chats.len(), false, async |connection, place| {
            let chat = &cast.chats[place];
            let creator = &cast.people[chat.members[0] as usize];
            let path = format!("/messages/api/chats/{}/", chat.id);
            ask(connection, "DELETE", &path, &creator.header, None).await.map(drop)
        });
        let chats = chats.await;
        // Also where a chat could not be deleted.
        let people = self.each(cast.people.len(), false, async |connection, place| {
            let path = format!("/messages/api/users/{}/", cast.people[place].id);
            ask(connection, "PATCH", &path, &self.header, Some(json!({"is_active": false}))).await.map(drop)
        });
        people.await.and(chats)
    }

    async fn person(
        &self,
        connection: &mut Connection,
        place: usize,
        password: Option<&str>,
    ) -> Result<i64, String> {
        let mut fields = json!({"username": self.names.user(place)});
        if let Some(password) = password {
            fields["password"] = password.into();
        }
        id_of(&ask(connection, "POST", "/messages/api/users/", &self.header, Some(fields)).await?)
    }

    /// The header with which a new user asks.
    async fn proof(
        &self,
        connection: &mut Connection,
        place: usize,
        id: i64,
        password: Option<&str>,
    ) -> Result<String, String> {
        if let Some(password) = password {
            return log_in(connection, &self.names.user(place), password).await;
        }
        let path = format!("/messages/api/users/{id}/tokens/");
        let life = json!({"expires_in": TOKEN_LIFE});
        let token = ask(connection, "POST", &path, &self.header, Some(life)).await?;
        let key = token["key"].as_str().ok_or("the server gave no token")?;
        Ok(format!("Authorization: Token {key}\r\n"))
    }

    fn ids(&self, members: &[u32]) -> Vec<i64> {
        let cast = self.cast.borrow();
        members.iter().map(|member| cast.people[*member as usize].id).collect()
    }

    fn header_of(&self, member: u32) -> String {
        self.cast.borrow().people[member as usize].header.clone()
    }

    async fn chat(&self, connection: &mut Connection, place: usize, members: &[u32]) -> Result<i64, String> {
        let first = &members[..members.len().min(NAMED)];
        let fields =
            json!({"chat_type": "group", "title": self.names.chat(place), "member_ids": self.ids(first)});
        let creator = self.header_of(members[0]);
        let chat = ask(connection, "POST", "/messages/api/chats/", &creator, Some(fields)).await?;
        id_of(&chat)
    }

    /// Adds those for whom there was no room in the first request.
    async fn complete(&self, connection: &mut Connection, chat: i64, members: &[u32]) -> Result<(), String> {
        let creator = self.header_of(members[0]);
        let path = format!("/messages/api/chats/{chat}/members/add/");
        for more in members.chunks(NAMED).skip(1) {
            let fields = json!({"user_ids": self.ids(more)});
            ask(connection, "POST", &path, &creator, Some(fields)).await?;
        }
        Ok(())
    }

    /// What was said before.
    async fn fill(
        &self,
        connection: &mut Connection,
        chat: i64,
        members: &[u32],
        plan: &Plan,
    ) -> Result<(), String> {
        let path = format!("/messages/api/chats/{chat}/messages/");
        for number in 0..plan.history {
            let fields = json!({"content": old_content(number, plan.size)});
            let sender = self.header_of(members[plan.writer(number, members.len())]);
            let message = id_of(&ask(connection, "POST", &path, &sender, Some(fields)).await?)?;
            if plan.deletes(number) {
                let path = format!("/messages/api/messages/{message}/");
                ask(connection, "DELETE", &path, &sender, None).await?;
            } else if plan.is_lively {
                let fan = self.header_of(members[(number + 1) % members.len()]);
                let path = format!("/messages/api/messages/{message}/reactions/");
                ask(connection, "POST", &path, &fan, Some(json!({"emoji": REACTION}))).await?;
            }
            self.progress.inc(1);
        }
        // Every second member has read it all.
        for reader in members.iter().skip(1).step_by(2).filter(|_| plan.is_lively) {
            let path = format!("/messages/api/chats/{chat}/mark-as-read/");
            ask(connection, "POST", &path, &self.header_of(*reader), Some(json!({}))).await?;
        }
        Ok(())
    }

    /// Does something for each place, several at a time. `heeds`: Ctrl-C ends it.
    async fn each(
        &self,
        count: usize,
        heeds: bool,
        work: impl AsyncFn(&mut Connection, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        let next = Cell::new(0);
        let lane = async || {
            let mut connection = Connection::new(self.target.clone());
            loop {
                let place = next.replace(next.get() + 1);
                if place >= count {
                    return Ok(());
                }
                if heeds && self.stop.is_wanted() {
                    return Err("interrupted".to_owned());
                }
                work(&mut connection, place).await?;
                self.progress.inc(1);
            }
        };
        try_join_all((0..LANES.min(count)).map(|_| lane())).await.map(drop)
    }
}

async fn log_in(connection: &mut Connection, name: &str, password: &str) -> Result<String, String> {
    let fields = json!({"username": name, "password": password}).to_string();
    let answer = connection.ask("POST", "/login/", "", fields.as_bytes()).await;
    let answer = answer.map_err(|error| format!("nobody answers: {error}"))?;
    match (answer.status, answer.cookie) {
        (200, Some(cookie)) => Ok(format!("Cookie: {cookie}\r\n")),
        (status, _) => {
            let text = String::from_utf8_lossy(answer.body);
            Err(format!("{name} cannot sign in: {status} {text}"))
        }
    }
}

/// Asks for what must succeed. A server that is too busy is asked again.
async fn ask(
    connection: &mut Connection,
    method: &str,
    path: &str,
    header: &str,
    fields: Option<Value>,
) -> Result<Value, String> {
    let body = fields.map(|fields| fields.to_string()).unwrap_or_default();
    for _ in 1..TRIES {
        match try_once(connection, method, path, header, &body).await? {
            (503, _) => tokio::time::sleep(PAUSE).await,
            answer => return expect_done(method, path, answer),
        }
    }
    expect_done(method, path, try_once(connection, method, path, header, &body).await?)
}

async fn try_once(
    connection: &mut Connection,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> Result<(u16, Vec<u8>), String> {
    let asked = timeout(ANSWERS_WITHIN, connection.ask(method, path, header, body.as_bytes())).await;
    let asked = asked.map_err(|_| format!("{method} {path}: no answer"))?;
    let answer = asked.map_err(|error| format!("{method} {path}: {error}"))?;
    Ok((answer.status, answer.body.to_vec()))
}

fn expect_done(method: &str, path: &str, (status, body): (u16, Vec<u8>)) -> Result<Value, String> {
    match status {
        200..300 => Ok(serde_json::from_slice(&body).unwrap_or_default()),
        status => Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body))),
    }
}

fn id_of(object: &Value) -> Result<i64, String> {
    object["id"].as_i64().ok_or_else(|| format!("the server gave no id: {object}"))
}
