//! `greenroom load storm`: drops the sockets of all clients, which then reconnect at once.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use clap::Args;
use fastrand::Rng;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::load::{
    client::{clients::Clients, live_client::Client, socket::ConnectError},
    environment::Environment,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{
        clock::{Moment, nanos, seconds},
        deliveries::Deliveries,
        results::Results,
        sample::rounded,
    },
    options::{Options, duration, in_seconds},
    run::{
        measured_run::{MeasuredRun, wait_until_delivered},
        senders::post_once,
    },
    scenario::Scenario,
};

/// Drop the sockets of all clients and let them reconnect at once for the events they missed
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct ReconnectStorm {
    /// Clients, one for each user
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sockets: u32,

    /// Members of the chat that each user is in
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    members: u32,

    /// Percent of the chats that get a message while all clients are away
    #[arg(long, default_value_t = 1.0, value_parser = percent)]
    changed: f64,

    /// Time over which the first reconnects are spread
    #[arg(long, default_value = "1s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    within: Duration,

    /// With --spawn, kill the server and start it again
    #[arg(long, requires = "spawn")]
    restart: bool,

    #[command(flatten)]
    options: Options,
}

/// Pause before a retry without a `Retry-After`. Every pause is extended by a random part of this time.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// How long a client retries to reconnect.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(60);

impl Scenario for ReconnectStorm {
    const NAME: &'static str = "storm";

    fn options(&self) -> &Options {
        &self.options
    }

    fn plan(&self) -> Plan {
        let users: Vec<u32> = (0..self.sockets).collect();
        Plan {
            users: users.len(),
            chats: users.chunks(self.members as usize).map(<[u32]>::to_vec).collect(),
            sign_in: self.options.sign_in(),
            ..Plan::default()
        }
    }

    fn connections(&self) -> usize {
        self.sockets as usize
    }

    async fn run(&self, environment: &Environment) -> Result<Results, LoadError> {
        let deliveries = Deliveries::of(environment);
        let people: Vec<u32> = (0..self.sockets).collect();
        let clients = Clients::open(environment, &deliveries, &people, None).await?;
        let changed = self.changed(environment);
        post_once(environment, &deliveries, &changed).await;
        wait_until_delivered(&deliveries, self.options.patience).await;
        clients.all().for_each(|client| client.drop_connection());
        post_once(environment, &deliveries, &changed).await;
        if self.restart {
            environment.restart().await?;
        }
        deliveries.borrow_mut().connect_latencies = Default::default();
        let run = self.begin_run(environment, &deliveries)?;
        let reconnects = Reconnects::new(environment, &deliveries);
        let measurement = run
            .measure(self.within + RECONNECT_TIMEOUT, reconnects.reconnect_all(&clients, self.within))
            .await;
        post_once(environment, &deliveries, &changed).await;
        wait_until_delivered(&deliveries, self.options.patience).await;
        let mut results = run.end(self, &measurement);
        let mut deliveries = deliveries.borrow_mut();
        results.add("come back", &deliveries.connect_latencies, 0.0);
        results.figures.insert("seconds_until_all_were_back", rounded(seconds(reconnects.last.get()), 1e3));
        results.figures.insert("turned_away_for_later", reconnects.deferred.get() as f64);
        results.figures.insert("chats_changed", changed.len() as f64);
        results.add_checks(&mut deliveries);
        results.checks.sockets = clients.connected() as u64;
        results.ok &= clients.connected() == people.len() && reconnects.faults.get() == 0;
        clients.close();
        Ok(results)
    }
}

impl ReconnectStorm {
    /// Returns the chats that get a message.
    fn changed(&self, environment: &Environment) -> Vec<u32> {
        let chats = environment.fixtures.chats.len();
        let count = ((chats as f64 * self.changed / 100.0).ceil() as usize).min(chats);
        (0..count).map(|index| (index * chats / count) as u32).collect()
    }

    fn begin_run<'a>(
        &self,
        environment: &'a Environment,
        deliveries: &Rc<RefCell<Deliveries>>,
    ) -> Result<MeasuredRun<'a>, LoadError> {
        let mut at_once = self.clone();
        at_once.options.warmup = Duration::ZERO;
        let (for_totals, for_recent) = (deliveries.clone(), deliveries.clone());
        let totals = move || (for_totals.borrow().connect_latencies.count(), 0);
        let recent = move || for_recent.borrow_mut().connect_latencies.take_recent();
        MeasuredRun::begin(&at_once, environment, None, totals, recent)
    }
}

/// The reconnects of all clients.
struct Reconnects<'a> {
    environment: &'a Environment,
    deliveries: &'a RefCell<Deliveries>,
    /// Seeded, so that runs are comparable.
    rng: RefCell<Rng>,
    /// Handshakes deferred by the server: 503 with `Retry-After`, or no connection.
    deferred: Cell<u64>,
    /// Handshakes that failed otherwise, and clients that did not reconnect in time.
    faults: Cell<u64>,
    /// Time from the beginning until the last client was live.
    last: Cell<Moment>,
}

impl<'a> Reconnects<'a> {
    fn new(environment: &'a Environment, deliveries: &'a RefCell<Deliveries>) -> Self {
        let (deferred, faults, last) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let rng = RefCell::new(Rng::with_seed(1));
        Self { environment, deliveries, rng, deferred, faults, last }
    }

    async fn reconnect_all(&self, clients: &Clients, within: Duration) {
        let begun = self.environment.clock.now();
        let count = clients.all().count().max(1) as u64;
        let attempts = clients.all().enumerate().map(|(index, client)| async move {
            let due = begun + nanos(within) * index as u64 / count;
            self.environment.clock.until(due).await;
            if timeout(RECONNECT_TIMEOUT, self.reconnect(client)).await.is_err() {
                return self.fail("not back in time");
            }
            let now = self.environment.clock.now();
            self.deliveries.borrow_mut().connect_latencies.record(now - due);
            self.last.set(self.last.get().max(now - begun));
        });
        join_all(attempts).await;
    }

    /// Retries until the client is live.
    async fn reconnect(&self, client: &Rc<Client>) {
        loop {
            let pause = match client.connect().await {
                Ok(()) => return,
                Err(ConnectError::Status(503, Some(seconds))) => {
                    self.deferred.set(self.deferred.get() + 1);
                    Duration::from_secs(seconds)
                }
                // A server that is starting accepts no connections.
                Err(ConnectError::Io(_)) => {
                    self.deferred.set(self.deferred.get() + 1);
                    RETRY_DELAY
                }
                Err(why) => {
                    self.fail(&why.to_string());
                    RETRY_DELAY
                }
            };
            let jitter = RETRY_DELAY.mul_f64(self.rng.borrow_mut().f64());
            tokio::time::sleep(pause + jitter).await;
        }
    }

    fn fail(&self, why: &str) {
        self.faults.set(self.faults.get() + 1);
        self.deliveries.borrow_mut().count_error(why);
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "give a percentage".to_owned())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("give 0 to 100 percent".to_owned()) }
}
