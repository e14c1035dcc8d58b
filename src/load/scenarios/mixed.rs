//! `greenroom load mix`: a day in the life of users.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use clap::Args;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde::Serialize;
use tokio::time::timeout;

use crate::load::{
    client::{
        clients::{Audience, chats_of},
        event::Heard,
        http::Connection,
        live_client::{Client, OnAnswer},
    },
    environment::Stage,
    error::LoadError,
    fixtures::plan::{Plan, content},
    measure::{
        clock::{Moment, nanos},
        deliveries::Ledger,
        latency_by_operation::Meters,
        results::Outcome,
    },
    options::{Options, duration, in_seconds},
    run::{
        measured_run::{Course, settle},
        rng::Dice,
    },
    scenario::Scenario,
};

/// A day in the life: users who come, look at their chats, read, type, send, react and go, at rates of their own
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Mix {
    /// Users, each connected most of the time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,

    /// Chats; by default half as many as users
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chats: Option<u32>,

    /// Members of each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    members: u32,

    /// Messages in each chat before it begins
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,

    /// Characters of a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    size: u32,

    #[command(flatten)]
    rates: Rates,

    /// How long who loses the connection stays away
    #[arg(long, default_value = "2s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    away: Duration,

    #[command(flatten)]
    options: Options,
}

/// How often each user does something, in times a minute.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Times a minute, for each user")]
struct Rates {
    /// Looks at the list of chats
    #[arg(long, default_value_t = 2.0, value_name = "TIMES", value_parser = times)]
    lists: f64,
    /// Opens a chat
    #[arg(long, default_value_t = 4.0, value_name = "TIMES", value_parser = times)]
    pages: f64,
    /// Begins to type
    #[arg(long, default_value_t = 4.0, value_name = "TIMES", value_parser = times)]
    types: f64,
    /// Sends a message
    #[arg(long, default_value_t = 2.0, value_name = "TIMES", value_parser = times)]
    sends: f64,
    /// Reacts to a message
    #[arg(long, default_value_t = 1.0, value_name = "TIMES", value_parser = times)]
    reacts: f64,
    /// Marks a chat as read
    #[arg(long, default_value_t = 4.0, value_name = "TIMES", value_parser = times)]
    marks: f64,
    /// Loses the connection, and comes back
    #[arg(long, default_value_t = 0.5, value_name = "TIMES", value_parser = times)]
    breaks: f64,
}

/// What a user does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    List,
    Page,
    Type,
    Send,
    React,
    Mark,
    Break,
}

impl Rates {
    fn all(&self) -> [(Deed, f64); 7] {
        [
            (Deed::List, self.lists),
            (Deed::Page, self.pages),
            (Deed::Type, self.types),
            (Deed::Send, self.sends),
            (Deed::React, self.reacts),
            (Deed::Mark, self.marks),
            (Deed::Break, self.breaks),
        ]
    }

    fn sum(&self) -> f64 {
        self.all().iter().map(|(_, rate)| rate).sum()
    }

    /// One of the deeds, by their rates.
    fn choose(&self, dice: &Dice) -> Deed {
        let mut left = dice.part() * self.sum();
        for (deed, rate) in self.all() {
            left -= rate;
            if left < 0.0 {
                return deed;
            }
        }
        Deed::Send
    }
}

impl Scenario for Mix {
    const NAME: &'static str = "mix";

    fn options(&self) -> &Options {
        &self.options
    }

    fn check(&self) -> Result<(), String> {
        if self.users < self.members {
            return Err("--users must be at least --members".to_owned());
        }
        if self.rates.sum() <= 0.0 {
            return Err("nobody does anything: give a rate".to_owned());
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        let chats = self.chats.unwrap_or_else(|| self.users.div_ceil(2));
        Plan {
            users: self.users as usize,
            chats: Plan::chats_among(self.users, chats, self.members),
            history: self.messages as usize,
            is_lively: false,
            is_one_sided: false,
            deleted: 0,
            size: self.size as usize,
            with_sessions: self.options.session,
        }
    }

    fn connections(&self) -> usize {
        self.users as usize + MOST_AT_ONCE
    }

    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError> {
        let ledger = Ledger::of(stage);
        let meters = Rc::new(Meters::default());
        let typing = Typing::default();
        let on_answer = on_answer(stage, &ledger, &meters, &typing);
        let chats = chats_of(stage);
        let people: Vec<u32> = (0..self.users).filter(|person| !chats[*person as usize].is_empty()).collect();
        let audience = Audience::open(stage, &ledger, &people, Some(&on_answer)).await?;
        let (counted, heard, looked_at) = (meters.clone(), ledger.clone(), meters.clone());
        let totals = move || (counted.done(), heard.borrow().delivered);
        let rate = self.rates.sum() / 60.0 * people.len() as f64;
        let course = Course::begin(self, stage, Some(rate), totals, move || looked_at.take_recent())?;
        meters.measure_from(course.measured_from);
        ledger.borrow_mut().measured_from = course.measured_from;
        let day = Day {
            mix: self,
            stage,
            ledger: &ledger,
            meters: &meters,
            audience: &audience,
            people: &people,
            chats: &chats,
            typing: &typing,
            dice: Dice::new(1),
            connections: RefCell::default(),
            newest: RefCell::new(vec![None; stage.cast.chats.len()]),
        };
        let found = course.follow(self.away + BACK_WITHIN + self.options.patience, day.pass(&course)).await;
        day.all_come_back().await;
        settle(&ledger, self.options.patience).await;
        let mut outcome = course.end(self, &found);
        outcome.add_meters(&meters, &found.load);
        let mut ledger = ledger.borrow_mut();
        outcome.add("deliver", &ledger.deliveries, found.load.deliveries as f64 / found.load.seconds);
        outcome.add_checks(&mut ledger);
        outcome.checks.sockets = audience.connected() as u64;
        outcome.ok &= audience.connected() == people.len() && ledger.errors.is_empty();
        audience.leave();
        Ok(outcome)
    }
}

/// Deeds at the same time.
const MOST_AT_ONCE: usize = 1_000;

/// How long a client may take to come back.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// When somebody began to type, by the id of the command.
#[derive(Default, Clone)]
struct Typing {
    due: Rc<RefCell<HashMap<u64, Moment>>>,
    next: Rc<Cell<u64>>,
}

fn on_answer(stage: &Stage, ledger: &Rc<RefCell<Ledger>>, meters: &Rc<Meters>, typing: &Typing) -> OnAnswer {
    let (clock, ledger, meters, typing) = (stage.clock, ledger.clone(), meters.clone(), typing.clone());
    Rc::new(move |heard| match heard {
        Heard::Ack { id: Some(id), .. } => {
            if let Some(due) = typing.due.borrow_mut().remove(id) {
                meters.record("type", due, clock.now());
            }
        }
        Heard::Error { status, .. } => ledger.borrow_mut().notes_error(&status.to_string()),
        _ => {}
    })
}

/// A day that passes.
struct Day<'a> {
    mix: &'a Mix,
    stage: &'a Stage,
    ledger: &'a Rc<RefCell<Ledger>>,
    meters: &'a Meters,
    audience: &'a Audience,
    people: &'a [u32],
    chats: &'a [Vec<u32>],
    typing: &'a Typing,
    dice: Dice,
    /// Those that nobody is using.
    connections: RefCell<Vec<Connection>>,
    /// The id of each chat's newest message, as far as is known.
    newest: RefCell<Vec<Option<i64>>>,
}

impl Day<'_> {
    async fn pass(&self, course: &Course<'_>) {
        let mut deeds = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                _ = deeds.next(), if !deeds.is_empty() => {}
                due = course.pace.next(), if deeds.len() < MOST_AT_ONCE => {
                    let Some(due) = due else { break };
                    let person = self.people[self.dice.throw(self.people.len())];
                    deeds.push(self.does(person, self.mix.rates.choose(&self.dice), due));
                }
            }
        }
        while deeds.next().await.is_some() {}
    }

    async fn does(&self, person: u32, deed: Deed, due: Moment) {
        let own = &self.chats[person as usize];
        let chat = own[self.dice.throw(own.len())];
        let id = self.stage.cast.chats[chat as usize].id;
        match deed {
            Deed::List => self.asks("list", person, "GET", "/messages/api/chats/", "", due).await,
            Deed::Page => {
                let path = format!("/messages/api/chats/{id}/messages/");
                self.asks("page", person, "GET", &path, "", due).await;
            }
            Deed::Mark => {
                let path = format!("/messages/api/chats/{id}/mark-as-read/");
                self.asks("mark as read", person, "POST", &path, "{}", due).await;
            }
            Deed::React => self.reacts(person, chat, due).await,
            Deed::Type => self.types(person, id, due).await,
            Deed::Send => self.sends(person, chat, due).await,
            Deed::Break => self.breaks(person).await,
        }
    }

    async fn asks(&self, name: &'static str, person: u32, method: &str, path: &str, body: &str, due: Moment) {
        let mut connection = self.connection();
        let header = &self.stage.cast.people[person as usize].header;
        match connection.ask(method, path, header, body.as_bytes()).await.map(|answer| answer.status) {
            Ok(200..300) => self.meters.record(name, due, self.stage.clock.now()),
            Ok(status) => self.ledger.borrow_mut().notes_error(&format!("{status} to {name}")),
            Err(error) => self.ledger.borrow_mut().notes_error(&format!("{} to {name}", error.kind())),
        }
        self.connections.borrow_mut().push(connection);
    }

    fn connection(&self) -> Connection {
        let kept = self.connections.borrow_mut().pop();
        kept.unwrap_or_else(|| Connection::new(self.stage.target.clone()))
    }

    async fn reacts(&self, person: u32, chat: u32, due: Moment) {
        let Some(message) = self.newest.borrow()[chat as usize] else { return };
        let path = format!("/messages/api/messages/{message}/reactions/");
        self.asks("react", person, "POST", &path, r#"{"emoji":"👍"}"#, due).await;
    }

    /// Over the socket where there is one, as an app would.
    async fn types(&self, person: u32, chat: i64, due: Moment) {
        let id = self.typing.next.replace(self.typing.next.get() + 1);
        let frame = format!(r#"{{"type":"typing","id":{id},"chat_id":{chat},"is_typing":true}}"#);
        self.typing.due.borrow_mut().insert(id, due);
        if !self.audience.client(person).is_some_and(|client| client.say(frame.as_bytes())) {
            self.typing.due.borrow_mut().remove(&id);
            let path = format!("/messages/api/chats/{chat}/typing/");
            self.asks("type", person, "POST", &path, r#"{"is_typing":true}"#, due).await;
        }
    }

    async fn sends(&self, person: u32, chat: u32, due: Moment) {
        let mut connection = self.connection();
        let header = &self.stage.cast.people[person as usize].header;
        let number = self.ledger.borrow_mut().asks(chat, due);
        let body = format!(r#"{{"content":"{}"}}"#, content(number, self.mix.size as usize));
        let path = format!("/messages/api/chats/{}/messages/", self.stage.cast.chats[chat as usize].id);
        match connection.ask("POST", &path, header, body.as_bytes()).await {
            Ok(answer) if answer.status == 201 => {
                self.meters.record("send", due, self.stage.clock.now());
                self.ledger.borrow_mut().acknowledges(number);
                if let Some(id) = crate::load::client::event::message_id(answer.body) {
                    self.newest.borrow_mut()[chat as usize] = Some(id);
                }
            }
            Ok(answer) => self.ledger.borrow_mut().fails(number, &format!("{} to send", answer.status)),
            Err(error) => self.ledger.borrow_mut().fails(number, &format!("{} to send", error.kind())),
        }
        self.connections.borrow_mut().push(connection);
    }

    async fn breaks(&self, person: u32) {
        let Some(client) = self.audience.client(person).filter(|client| client.is_connected()) else {
            return;
        };
        client.cut();
        let due = self.stage.clock.now() + nanos(self.mix.away);
        self.stage.clock.until(due).await;
        self.comes_back(client, due).await;
    }

    async fn comes_back(&self, client: &Rc<Client>, due: Moment) {
        match timeout(BACK_WITHIN, client.connect()).await {
            Ok(Ok(())) => self.meters.record("come back", due, self.stage.clock.now()),
            Ok(Err(why)) => self.ledger.borrow_mut().notes_error(&format!("{why} to come back")),
            Err(_) => self.ledger.borrow_mut().notes_error("no answer to come back"),
        }
    }

    /// Whoever is away still comes back, to hear what was missed.
    async fn all_come_back(&self) {
        let away = self.audience.all().filter(|client| !client.is_connected());
        join_all(away.map(|client| self.comes_back(client, self.stage.clock.now()))).await;
    }
}

fn times(text: &str) -> Result<f64, String> {
    let times: f64 = text.parse().map_err(|_| "give a number of times a minute".to_owned())?;
    if (0.0..=6e5).contains(&times) { Ok(times) } else { Err("give a number from 0 to 600000".to_owned()) }
}
