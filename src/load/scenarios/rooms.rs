//! `greenroom load rooms`: chats that are written to, and listened to by all who are in them.

use std::rc::Rc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::load::{
    client::clients::Audience,
    environment::Stage,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{deliveries::Ledger, results::Outcome},
    options::{Options, rate},
    run::{
        measured_run::{Course, settle},
        senders::{Commands, Sending},
    },
    scenario::Scenario,
};

/// Rooms whose members hear what is written in them
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Rooms {
    /// Rooms that are written to
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rooms: u32,

    /// Members of each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    members: u32,

    /// Different users; each is in about as many rooms as any other. By default everybody is in one room
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: Option<u32>,

    /// Members of each room who have a socket; all by default
    #[arg(long)]
    listeners: Option<u32>,

    /// Messages in each room before it begins
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    messages: u32,

    /// How messages are sent
    #[arg(long, default_value = "rest")]
    via: Via,

    /// Connections, or sockets, that messages are sent over
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    senders: u32,

    /// Messages a second, in all rooms together
    #[arg(long, default_value = "100", value_parser = rate, conflicts_with = "closed")]
    rate: f64,

    /// No rate: each sender sends the next message when the one before is done
    #[arg(long)]
    closed: bool,

    /// When a message is done for its sender
    #[arg(long, default_value = "answered")]
    until: Until,

    /// Messages that each socket may have on their way with --closed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    in_flight: u32,

    /// Characters of a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    size: u32,

    #[command(flatten)]
    options: Options,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Via {
    /// Over REST, on kept connections
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
    /// When the last of those who listen has heard it
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
            size: self.size as usize,
            with_sessions: self.options.session,
            ..Plan::default()
        }
    }

    fn connections(&self) -> usize {
        let listening = if self.listeners == Some(0) { 0 } else { self.users() };
        listening.saturating_add(self.senders) as usize
    }

    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError> {
        let ledger = Ledger::of(stage);
        let commands = Rc::new(Commands::default());
        let people = self.listeners(stage);
        let on_answer = commands.on_answer(&ledger);
        let audience = Audience::open(stage, &ledger, &people, Some(&on_answer)).await?;
        let rate = (!self.closed).then_some(self.rate);
        let course = Course::of_messages(self, stage, rate, &ledger)?;
        let (sending, pace) = (self.sending(), &course.pace);
        let load = async {
            match self.via {
                Via::Rest => sending.over_rest(stage, &ledger, pace).await,
                Via::Sockets => {
                    sending.over_sockets(stage, &ledger, (&audience, &commands), pace, &people).await;
                }
            }
        };
        let found = course.follow(self.options.patience, load).await;
        settle(&ledger, self.options.patience).await;
        let mut outcome = course.end(self, &found);
        outcome.add_messages(&mut ledger.borrow_mut(), &found.load);
        outcome.checks.sockets = people.len() as u64;
        audience.leave();
        Ok(outcome)
    }
}

impl Rooms {
    fn users(&self) -> u32 {
        self.users.unwrap_or_else(|| self.rooms.saturating_mul(self.members))
    }

    /// Those who have sockets.
    fn listeners(&self, stage: &Stage) -> Vec<u32> {
        let count = self.listeners.unwrap_or(self.members) as usize;
        let members = stage.cast.chats.iter().flat_map(|chat| chat.members.iter().take(count));
        let mut people: Vec<u32> = members.copied().collect();
        people.sort_unstable();
        people.dedup();
        people
    }

    fn sending(&self) -> Sending {
        Sending {
            senders: self.senders as usize,
            size: self.size as usize,
            until_heard: self.until == Until::Heard,
            in_flight: self.closed.then_some(self.in_flight),
        }
    }
}
