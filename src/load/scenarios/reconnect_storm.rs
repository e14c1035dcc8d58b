//! `greenroom load storm`: all clients lose their sockets, and come back at once.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::load::{
    client::{clients::Audience, live_client::Client, socket::Refused},
    environment::Stage,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{
        clock::{Moment, nanos, seconds},
        deliveries::Ledger,
        results::Outcome,
        sample::rounded,
    },
    options::{Options, duration, in_seconds},
    run::{
        measured_run::{Course, settle},
        rng::Dice,
        senders::post_once,
    },
    scenario::Scenario,
};

/// All clients lose their sockets, and come back at once for what they missed
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Storm {
    /// Clients, each another user
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sockets: u32,

    /// Members of the chat that each user is in
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    members: u32,

    /// Percent of the chats in which something was said meanwhile
    #[arg(long, default_value_t = 1.0, value_parser = percent)]
    changed: f64,

    /// Within which time all try to come back
    #[arg(long, default_value = "1s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    within: Duration,

    /// With --spawn, kill the server, and start it again
    #[arg(long, requires = "spawn")]
    restart: bool,

    #[command(flatten)]
    options: Options,
}

/// How long who was turned away waits where the server does not say, and at most as much again, by chance.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a client tries to come back.
const TRIES_FOR: Duration = Duration::from_secs(60);

impl Scenario for Storm {
    const NAME: &'static str = "storm";

    fn options(&self) -> &Options {
        &self.options
    }

    fn plan(&self) -> Plan {
        let users: Vec<u32> = (0..self.sockets).collect();
        Plan {
            users: users.len(),
            chats: users.chunks(self.members as usize).map(<[u32]>::to_vec).collect(),
            with_sessions: self.options.session,
            ..Plan::default()
        }
    }

    fn connections(&self) -> usize {
        self.sockets as usize
    }

    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError> {
        let ledger = Ledger::of(stage);
        let people: Vec<u32> = (0..self.sockets).collect();
        let audience = Audience::open(stage, &ledger, &people, None).await?;
        let changed = self.changed(stage);
        post_once(stage, &ledger, &changed).await;
        settle(&ledger, self.options.patience).await;
        audience.all().for_each(|client| client.cut());
        post_once(stage, &ledger, &changed).await;
        if self.restart {
            stage.restart().await?;
        }
        ledger.borrow_mut().connects = Default::default();
        let course = self.course(stage, &ledger)?;
        let storm = Back::new(stage, &ledger);
        let found = course.follow(self.within + TRIES_FOR, storm.all(&audience, self.within)).await;
        post_once(stage, &ledger, &changed).await;
        settle(&ledger, self.options.patience).await;
        let mut outcome = course.end(self, &found);
        let mut ledger = ledger.borrow_mut();
        outcome.add("come back", &ledger.connects, 0.0);
        outcome.figures.insert("seconds_until_all_were_back", rounded(seconds(storm.last.get()), 1e3));
        outcome.figures.insert("turned_away_for_later", storm.later.get() as f64);
        outcome.figures.insert("chats_changed", changed.len() as f64);
        outcome.add_checks(&mut ledger);
        outcome.checks.sockets = audience.connected() as u64;
        outcome.ok &= audience.connected() == people.len() && storm.faults.get() == 0;
        audience.leave();
        Ok(outcome)
    }
}

impl Storm {
    /// The chats in which something is said.
    fn changed(&self, stage: &Stage) -> Vec<u32> {
        let chats = stage.cast.chats.len();
        let count = ((chats as f64 * self.changed / 100.0).ceil() as usize).min(chats);
        (0..count).map(|place| (place * chats / count) as u32).collect()
    }

    fn course<'a>(&self, stage: &'a Stage, ledger: &Rc<RefCell<Ledger>>) -> Result<Course<'a>, LoadError> {
        let mut at_once = self.clone();
        at_once.options.warmup = Duration::ZERO;
        let (counted, looked_at) = (ledger.clone(), ledger.clone());
        let totals = move || (counted.borrow().connects.count(), 0);
        let recent = move || looked_at.borrow_mut().connects.take_recent();
        Course::begin(&at_once, stage, None, totals, recent)
    }
}

/// The coming back of all clients.
struct Back<'a> {
    stage: &'a Stage,
    ledger: &'a RefCell<Ledger>,
    dice: Dice,
    /// How often a client was told to come later.
    later: Cell<u64>,
    /// How often a client was turned away in another way, or not at all let in.
    faults: Cell<u64>,
    /// When the last was live, from the beginning.
    last: Cell<Moment>,
}

impl<'a> Back<'a> {
    fn new(stage: &'a Stage, ledger: &'a RefCell<Ledger>) -> Self {
        let (later, faults, last) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { stage, ledger, dice: Dice::new(1), later, faults, last }
    }

    async fn all(&self, audience: &Audience, within: Duration) {
        let begun = self.stage.clock.now();
        let count = audience.all().count().max(1) as u64;
        let clients = audience.all().enumerate().map(|(place, client)| async move {
            let due = begun + nanos(within) * place as u64 / count;
            self.stage.clock.until(due).await;
            if timeout(TRIES_FOR, self.one(client)).await.is_err() {
                return self.fails("not back in time");
            }
            let now = self.stage.clock.now();
            self.ledger.borrow_mut().connects.record(now - due);
            self.last.set(self.last.get().max(now - begun));
        });
        join_all(clients).await;
    }

    /// Tries until the client is live.
    async fn one(&self, client: &Rc<Client>) {
        loop {
            let pause = match client.connect().await {
                Ok(()) => return,
                Err(Refused::Status(503, Some(seconds))) => {
                    self.later.set(self.later.get() + 1);
                    Duration::from_secs(seconds)
                }
                // A server that is being started takes no connections.
                Err(Refused::Io(_)) => {
                    self.later.set(self.later.get() + 1);
                    PAUSE
                }
                Err(why) => {
                    self.fails(&why.to_string());
                    PAUSE
                }
            };
            tokio::time::sleep(pause + PAUSE.mul_f64(self.dice.part())).await;
        }
    }

    fn fails(&self, why: &str) {
        self.faults.set(self.faults.get() + 1);
        self.ledger.borrow_mut().notes_error(why);
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "give a number of percent".to_owned())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("give 0 to 100 percent".to_owned()) }
}
