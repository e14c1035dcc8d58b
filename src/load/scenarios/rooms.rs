//! `greenroom load rooms`: sends messages to chats and measures their delivery to all members.

use std::rc::Rc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::load::{
    client::clients::Clients,
    environment::Environment,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{deliveries::Deliveries, results::Results},
    options::{Options, rate},
    run::{
        measured_run::{MeasuredRun, wait_until_delivered},
        senders::{Commands, Sending},
    },
    scenario::Scenario,
};

/// Send messages to rooms and measure their delivery to all members
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Rooms {
    /// Rooms to send messages to
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rooms: u32,

    /// Members of each room
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    members: u32,

    /// Users; each is in about as many rooms as any other. By default each is in one room
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: Option<u32>,

    /// Members of each room with a socket; all by default
    #[arg(long)]
    listeners: Option<u32>,

    /// Messages in each room before the run
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    messages: u32,

    /// Send the messages as replies in a thread of each room
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_thread: bool,

    /// How messages are sent
    #[arg(long, default_value = "rest")]
    via: Via,

    /// Connections, or sockets, to send messages over
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    senders: u32,

    /// Messages a second in all rooms together
    #[arg(long, default_value = "100", value_parser = rate, conflicts_with = "closed")]
    rate: f64,

    /// No rate: each sender sends the next message when the previous one is done
    #[arg(long)]
    closed: bool,

    /// When a message is done for its sender
    #[arg(long, default_value = "answered")]
    until: Until,

    /// Unanswered messages of each socket with --closed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    in_flight: u32,

    /// Length of a message, in characters
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    size: u32,

    #[command(flatten)]
    options: Options,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Via {
    /// Over REST, on keep-alive connections
    Rest,
    /// As commands over sockets
    Sockets,
}

/// When a message is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Until {
    /// When the server has answered
    Answered,
    /// When the last subscriber has received it
    Heard,
}

impl Scenario for Rooms {
    const NAME: &'static str = "rooms";

    fn options(&self) -> &Options {
        &self.options
    }

    fn check(&self) -> Result<(), String> {
        if self.users() < self.members {
            return Err("--users must be at least --members".to_owned());
        }
        if self.listeners.is_some_and(|listeners| listeners > self.members) {
            return Err("--listeners may be at most --members".to_owned());
        }
        if self.via == Via::Sockets && self.listeners == Some(0) {
            return Err("--via sockets needs --listeners".to_owned());
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        Plan {
            users: self.users() as usize,
            chats: Plan::chats_among(self.users(), self.rooms, self.members),
            history: self.messages as usize,
            threads: usize::from(self.in_thread),
            size: self.size as usize,
            sign_in: self.options.sign_in(),
            ..Plan::default()
        }
    }

    fn connections(&self) -> usize {
        let listening = if self.listeners == Some(0) { 0 } else { self.users() };
        listening.saturating_add(self.senders) as usize
    }

    async fn run(&self, environment: &Environment) -> Result<Results, LoadError> {
        let deliveries = Deliveries::of(environment);
        let commands = Rc::new(Commands::default());
        let people = self.listeners(environment);
        let on_answer = commands.on_answer(&deliveries);
        let clients = Clients::open(environment, &deliveries, &people, Some(&on_answer)).await?;
        let rate = (!self.closed).then_some(self.rate);
        let run = MeasuredRun::begin_messages(self, environment, rate, &deliveries)?;
        let (sending, pacer) = (self.sending(), &run.pacer);
        let load = async {
            match self.via {
                Via::Rest => sending.over_rest(environment, &deliveries, pacer).await,
                Via::Sockets => {
                    sending
                        .over_sockets(environment, &deliveries, (&clients, &commands), pacer, &people)
                        .await;
                }
            }
        };
        let measurement = run.measure(self.options.patience, load).await;
        wait_until_delivered(&deliveries, self.options.patience).await;
        let mut results = run.end(self, &measurement);
        results.add_messages(&mut deliveries.borrow_mut(), &measurement.load);
        results.checks.sockets = people.len() as u64;
        clients.close();
        Ok(results)
    }
}

impl Rooms {
    fn users(&self) -> u32 {
        self.users.unwrap_or_else(|| self.rooms.saturating_mul(self.members))
    }

    /// Returns the people with a socket.
    fn listeners(&self, environment: &Environment) -> Vec<u32> {
        let count = self.listeners.unwrap_or(self.members) as usize;
        let members = environment.fixtures.chats.iter().flat_map(|chat| chat.members.iter().take(count));
        let mut people: Vec<u32> = members.copied().collect();
        people.sort_unstable();
        people.dedup();
        people
    }

    fn sending(&self) -> Sending {
        Sending {
            senders: self.senders as usize,
            size: self.size as usize,
            until_delivered: self.until == Until::Heard,
            in_flight: self.closed.then_some(self.in_flight),
        }
    }
}
