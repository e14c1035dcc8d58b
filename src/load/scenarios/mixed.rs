//! `greenroom load mix`: simulates users with all of their actions.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use clap::Args;
use fastrand::Rng;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde::Serialize;
use tokio::time::timeout;

use crate::load::{
    client::{
        clients::{Clients, chats_of},
        event::ServerEvent,
        http::HttpConnection,
        live_client::{Client, OnAnswer},
    },
    environment::Environment,
    error::LoadError,
    fixtures::plan::{Plan, content},
    measure::{
        clock::{Moment, nanos},
        deliveries::Deliveries,
        latency_by_operation::LatencyByOperation,
        results::Results,
    },
    options::{Options, duration, in_seconds},
    run::measured_run::{MeasuredRun, wait_until_delivered},
    scenario::Scenario,
};

/// Simulate users: they list chats, read, type, send, react, and lose and resume their connections
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Mix {
    /// Users, each connected most of the time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,

    /// Chats; half as many as users by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chats: Option<u32>,

    /// Members of each chat
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    members: u32,

    /// Messages in each chat before the run
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,

    /// Length of a message, in characters
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    size: u32,

    #[command(flatten)]
    rates: Rates,

    /// How long a user who lost the connection stays away
    #[arg(long, default_value = "2s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    away: Duration,

    #[command(flatten)]
    options: Options,
}

/// Rates of a user's actions, in times a minute.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Times a minute, for each user")]
struct Rates {
    /// Loads the list of chats
    #[arg(long, default_value_t = 2.0, value_name = "TIMES", value_parser = times)]
    lists: f64,
    /// Opens a chat: loads its newest page
    #[arg(long, default_value_t = 4.0, value_name = "TIMES", value_parser = times)]
    pages: f64,
    /// Starts typing
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
    /// Loses the connection, and resumes
    #[arg(long, default_value_t = 0.5, value_name = "TIMES", value_parser = times)]
    breaks: f64,
}

/// An action of a simulated user.
#[derive(Debug, Clone, Copy)]
enum UserAction {
    List,
    Page,
    Type,
    Send,
    React,
    Mark,
    Break,
}

impl Rates {
    fn all(&self) -> [(UserAction, f64); 7] {
        [
            (UserAction::List, self.lists),
            (UserAction::Page, self.pages),
            (UserAction::Type, self.types),
            (UserAction::Send, self.sends),
            (UserAction::React, self.reacts),
            (UserAction::Mark, self.marks),
            (UserAction::Break, self.breaks),
        ]
    }

    fn sum(&self) -> f64 {
        self.all().iter().map(|(_, rate)| rate).sum()
    }

    /// Chooses an action at random, weighted by the rates.
    fn choose(&self, rng: &mut Rng) -> UserAction {
        let mut left = rng.f64() * self.sum();
        for (action, rate) in self.all() {
            left -= rate;
            if left < 0.0 {
                return action;
            }
        }
        UserAction::Send
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
            return Err("all rates are 0: give at least one".to_owned());
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
            threads: 0,
            size: self.size as usize,
            sign_in: self.options.sign_in(),
        }
    }

    fn connections(&self) -> usize {
        self.users as usize + MAX_CONCURRENT_ACTIONS
    }

    async fn run(&self, environment: &Environment) -> Result<Results, LoadError> {
        let deliveries = Deliveries::of(environment);
        let latencies = Rc::new(LatencyByOperation::default());
        let typing = Typing::default();
        let on_answer = on_answer(environment, &deliveries, &latencies, &typing);
        let chats = chats_of(environment);
        let people: Vec<u32> = (0..self.users).filter(|person| !chats[*person as usize].is_empty()).collect();
        let clients = Clients::open(environment, &deliveries, &people, Some(&on_answer)).await?;
        let (for_totals, counts, for_recent) = (latencies.clone(), deliveries.clone(), latencies.clone());
        let totals = move || (for_totals.done(), counts.borrow().delivered);
        let rate = self.rates.sum() / 60.0 * people.len() as f64;
        let recent = move || for_recent.take_recent();
        let run = MeasuredRun::begin(self, environment, Some(rate), totals, recent)?;
        latencies.measure_from(run.measured_from);
        deliveries.borrow_mut().measured_from = run.measured_from;
        let simulation = UserSimulation {
            mix: self,
            environment,
            deliveries: &deliveries,
            latencies: &latencies,
            clients: &clients,
            people: &people,
            chats: &chats,
            typing: &typing,
            rng: RefCell::new(Rng::with_seed(1)),
            connections: RefCell::default(),
            newest: RefCell::new(vec![None; environment.fixtures.chats.len()]),
        };
        let grace = self.away + RECONNECT_TIMEOUT + self.options.patience;
        let measurement = run.measure(grace, simulation.run(&run)).await;
        simulation.reconnect_all().await;
        wait_until_delivered(&deliveries, self.options.patience).await;
        let mut results = run.end(self, &measurement);
        results.add_operations(&latencies, &measurement.load);
        let mut deliveries = deliveries.borrow_mut();
        let load = &measurement.load;
        results.add("deliver", &deliveries.delivery_latencies, load.deliveries as f64 / load.seconds);
        results.add_checks(&mut deliveries);
        results.checks.sockets = clients.connected() as u64;
        results.ok &= clients.connected() == people.len() && deliveries.errors.is_empty();
        clients.close();
        Ok(results)
    }
}

/// Highest number of concurrent actions.
const MAX_CONCURRENT_ACTIONS: usize = 1_000;

/// How long a client may take to reconnect.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// When each unanswered `typing` command was due, by the id of the command.
#[derive(Default, Clone)]
struct Typing {
    due: Rc<RefCell<HashMap<u64, Moment>>>,
    next: Rc<Cell<u64>>,
}

fn on_answer(
    environment: &Environment,
    deliveries: &Rc<RefCell<Deliveries>>,
    latencies: &Rc<LatencyByOperation>,
    typing: &Typing,
) -> OnAnswer {
    let (clock, deliveries, latencies, typing) =
        (environment.clock, deliveries.clone(), latencies.clone(), typing.clone());
    Rc::new(move |event| match event {
        ServerEvent::Ack { id: Some(id), .. } => {
            if let Some(due) = typing.due.borrow_mut().remove(id) {
                latencies.record("type", due, clock.now());
            }
        }
        ServerEvent::Error { status, .. } => deliveries.borrow_mut().count_error(&status.to_string()),
        _ => {}
    })
}

/// The simulated users of a run.
struct UserSimulation<'a> {
    mix: &'a Mix,
    environment: &'a Environment,
    deliveries: &'a Rc<RefCell<Deliveries>>,
    latencies: &'a LatencyByOperation,
    clients: &'a Clients,
    people: &'a [u32],
    chats: &'a [Vec<u32>],
    typing: &'a Typing,
    /// Seeded, so that runs are comparable.
    rng: RefCell<Rng>,
    /// Idle connections.
    connections: RefCell<Vec<HttpConnection>>,
    /// The id of the newest message that the run has sent to each chat.
    newest: RefCell<Vec<Option<i64>>>,
}

impl UserSimulation<'_> {
    async fn run(&self, run: &MeasuredRun<'_>) {
        let mut actions = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                _ = actions.next(), if !actions.is_empty() => {}
                due = run.pacer.next(), if actions.len() < MAX_CONCURRENT_ACTIONS => {
                    let Some(due) = due else { break };
                    let person = self.people[self.rng.borrow_mut().usize(..self.people.len())];
                    let action = self.mix.rates.choose(&mut self.rng.borrow_mut());
                    actions.push(self.act(person, action, due));
                }
            }
        }
        while actions.next().await.is_some() {}
    }

    async fn act(&self, person: u32, action: UserAction, due: Moment) {
        let own = &self.chats[person as usize];
        let chat = own[self.rng.borrow_mut().usize(..own.len())];
        let id = self.environment.fixtures.chats[chat as usize].id;
        match action {
            UserAction::List => self.call("list", person, "GET", "/messages/api/chats/", "", due).await,
            UserAction::Page => {
                let path = format!("/messages/api/chats/{id}/messages/");
                self.call("page", person, "GET", &path, "", due).await;
            }
            UserAction::Mark => {
                let path = format!("/messages/api/chats/{id}/mark-as-read/");
                self.call("mark as read", person, "POST", &path, "{}", due).await;
            }
            UserAction::React => self.react(person, chat, due).await,
            UserAction::Type => self.begin_typing(person, id, due).await,
            UserAction::Send => self.send_message(person, chat, due).await,
            UserAction::Break => self.break_connection(person).await,
        }
    }

    async fn call(&self, name: &'static str, person: u32, method: &str, path: &str, body: &str, due: Moment) {
        let mut connection = self.connection();
        let header = &self.environment.fixtures.people[person as usize].header;
        match connection.request(method, path, header, body.as_bytes()).await.map(|answer| answer.status) {
            Ok(200..300) => self.latencies.record(name, due, self.environment.clock.now()),
            Ok(status) => self.deliveries.borrow_mut().count_error(&format!("{status} to {name}")),
            Err(error) => self.deliveries.borrow_mut().count_error(&format!("{} to {name}", error.kind())),
        }
        self.connections.borrow_mut().push(connection);
    }

    fn connection(&self) -> HttpConnection {
        let kept = self.connections.borrow_mut().pop();
        kept.unwrap_or_else(|| HttpConnection::new(self.environment.target.clone()))
    }

    async fn react(&self, person: u32, chat: u32, due: Moment) {
        let Some(message) = self.newest.borrow()[chat as usize] else { return };
        let path = format!("/messages/api/messages/{message}/reactions/");
        self.call("react", person, "POST", &path, r#"{"emoji":"👍"}"#, due).await;
    }

    /// Sends a typing event over the socket, as an app does, or over REST while there is none.
    async fn begin_typing(&self, person: u32, chat: i64, due: Moment) {
        let id = self.typing.next.replace(self.typing.next.get() + 1);
        let frame = format!(r#"{{"type":"typing","id":{id},"chat_id":{chat},"is_typing":true}}"#);
        self.typing.due.borrow_mut().insert(id, due);
        if !self.clients.client(person).is_some_and(|client| client.send(frame.as_bytes())) {
            self.typing.due.borrow_mut().remove(&id);
            let path = format!("/messages/api/chats/{chat}/typing/");
            self.call("type", person, "POST", &path, r#"{"is_typing":true}"#, due).await;
        }
    }

    async fn send_message(&self, person: u32, chat: u32, due: Moment) {
        let mut connection = self.connection();
        let header = &self.environment.fixtures.people[person as usize].header;
        let number = self.deliveries.borrow_mut().begin_message(chat, due);
        let body = format!(r#"{{"content":"{}"}}"#, content(number, self.mix.size as usize));
        let path =
            format!("/messages/api/chats/{}/messages/", self.environment.fixtures.chats[chat as usize].id);
        match connection.request("POST", &path, header, body.as_bytes()).await {
            Ok(answer) if answer.status == 201 => {
                self.latencies.record("send", due, self.environment.clock.now());
                self.deliveries.borrow_mut().acknowledge(number);
                if let Some(id) = crate::load::client::event::message_id(answer.body) {
                    self.newest.borrow_mut()[chat as usize] = Some(id);
                }
            }
            Ok(answer) => self.deliveries.borrow_mut().fail(number, &format!("{} to send", answer.status)),
            Err(error) => self.deliveries.borrow_mut().fail(number, &format!("{} to send", error.kind())),
        }
        self.connections.borrow_mut().push(connection);
    }

    async fn break_connection(&self, person: u32) {
        let Some(client) = self.clients.client(person).filter(|client| client.is_connected()) else {
            return;
        };
        client.drop_connection();
        let due = self.environment.clock.now() + nanos(self.mix.away);
        self.environment.clock.until(due).await;
        self.reconnect(client, due).await;
    }

    async fn reconnect(&self, client: &Rc<Client>, due: Moment) {
        match timeout(RECONNECT_TIMEOUT, client.connect()).await {
            Ok(Ok(())) => self.latencies.record("come back", due, self.environment.clock.now()),
            Ok(Err(why)) => self.deliveries.borrow_mut().count_error(&format!("{why} to come back")),
            Err(_) => self.deliveries.borrow_mut().count_error("no answer to come back"),
        }
    }

    /// Reconnects all disconnected clients, so that they receive the events they missed.
    async fn reconnect_all(&self) {
        let away = self.clients.all().filter(|client| !client.is_connected());
        join_all(away.map(|client| self.reconnect(client, self.environment.clock.now()))).await;
    }
}

fn times(text: &str) -> Result<f64, String> {
    let times: f64 = text.parse().map_err(|_| "give a number of times a minute".to_owned())?;
    if (0.0..=6e5).contains(&times) { Ok(times) } else { Err("give a number from 0 to 600000".to_owned()) }
}
