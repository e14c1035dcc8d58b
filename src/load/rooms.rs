//! `greenroom load rooms`: chats that are written to, and listened to by all who are in them.

use std::{cell::RefCell, rc::Rc, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    LoadError, Scenario,
    audience::Audience,
    cast::Plan,
    clock::{nanos, seconds},
    ledger::Ledger,
    options::{Options, rate},
    outcome::{Outcome, rounded},
    pace::Pace,
    senders::{Commands, Sending},
    stage::Stage,
    watch::{Watch, Watching},
};
use crate::model::Timestamp;

/// Rooms whose members hear what is written in them
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct Rooms {
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
        let users = self.users();
        let room = |room: u32| {
            let first = u64::from(room) * u64::from(self.members);
            (0..u64::from(self.members)).map(|place| ((first + place) % u64::from(users)) as u32).collect()
        };
        Plan {
            users: users as usize,
            chats: (0..self.rooms).map(room).collect(),
            history: 0,
            size: self.size as usize,
            with_sessions: self.options.session,
        }
    }

    fn connections(&self) -> usize {
        (self.users() + self.senders) as usize
    }

    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError> {
        let ids = stage.cast.chats.iter().map(|chat| chat.id);
        let ledger = Rc::new(RefCell::new(Ledger::new(stage.clock, ids)));
        let commands = Rc::new(Commands::default());
        let people = self.listeners(stage);
        let begun = stage.clock.now();
        let audience = Audience::open(stage, &ledger, &people, Some(commands.on_answer(&ledger))).await?;
        let opened_in = seconds(stage.clock.now() - begun);
        let mut outcome = self.run(stage, &ledger, (&audience, &commands), &people).await?;
        if !people.is_empty() {
            let each_second = people.len() as f64 / opened_in.max(1e-9);
            outcome.figures.insert("sockets_opened_per_second", rounded(each_second, 10.0));
        }
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

    async fn run(
        &self,
        stage: &Stage,
        ledger: &Rc<RefCell<Ledger>>,
        sockets: (&Audience, &Rc<Commands>),
        people: &[u32],
    ) -> Result<Outcome, LoadError> {
        let options = &self.options;
        let lasts = options.warmup + options.duration;
        let (watch, watching) = watch(Self::NAME, stage, ledger, lasts);
        let rate = (!self.closed).then_some(self.rate);
        let pace = Pace::start(stage.clock, rate, lasts).map_err(|error| error.to_string())?;
        let measured_from = stage.clock.now() + nanos(options.warmup);
        ledger.borrow_mut().measured_from = measured_from;
        let marking = async {
            stage.clock.until(measured_from).await;
            (watch.mark(), Timestamp::now())
        };
        let sending = async {
            match self.via {
                Via::Rest => self.sending().over_rest(stage, ledger, &pace).await,
                Via::Sockets => self.sending().over_sockets(stage, ledger, sockets, &pace, people).await,
            }
            watch.mark()
        };
        let ((mark, started_at), sent) = tokio::join!(marking, sending);
        settle(ledger, options.patience).await;
        let (sending, span) = (watch.between(&mark, &sent), watch.since(&mark));
        drop(watching);
        let mut outcome = Outcome::of(self, stage, started_at, span, watch.end());
        outcome.add_messages(&mut ledger.borrow_mut(), &sending);
        outcome.checks.sockets = people.len() as u64;
        outcome.checks.behind_schedule = pace.behind();
        Ok(outcome)
    }
}

/// Looks at a run whose operations are messages.
pub(super) fn watch(
    title: &'static str,
    stage: &Stage,
    ledger: &Rc<RefCell<Ledger>>,
    lasts: Duration,
) -> (Rc<Watch>, Watching) {
    let (counted, looked_at) = (ledger.clone(), ledger.clone());
    let totals = move || {
        let ledger = counted.borrow();
        (ledger.acknowledged, ledger.delivered)
    };
    let recent = move || looked_at.borrow_mut().answers.take_recent();
    Watch::begin(title, stage.clock, stage.server(), lasts, totals, recent)
}

/// How often it is looked whether all have heard everything.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until everybody has heard everything, or nothing new has come for as long as one is ready to wait.
pub(super) async fn settle(ledger: &RefCell<Ledger>, patience: Duration) {
    let (mut delivered, mut quiet) = (0, Duration::ZERO);
    while !ledger.borrow().is_settled() && quiet < patience {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = ledger.borrow().delivered;
        quiet = if now > delivered { Duration::ZERO } else { quiet + LOOK_EVERY };
        delivered = now;
    }
}
