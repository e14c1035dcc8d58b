//! `greenroom load read`: loads pages of messages and lists of chats.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use clap::{Args, ValueEnum};
use fastrand::Rng;
use futures_util::future::join_all;
use serde::Serialize;

use crate::load::{
    client::{clients::chats_of, http::HttpConnection},
    environment::Environment,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{clock::Moment, latency_by_operation::LatencyByOperation, results::Results},
    options::{Options, rate},
    run::measured_run::MeasuredRun,
    scenario::Scenario,
};

/// Load pages of messages and lists of chats, as users do
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Read {
    /// What to read in turn, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "page,chats")]
    what: Vec<Resource>,

    /// Chats
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chats: u32,

    /// Members of each chat
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    members: u32,

    /// Users; each is in about as many chats as any other
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,

    /// Messages in each chat
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,

    /// Threads in each chat, each with one reply. The second member follows them
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    #[serde(skip_serializing_if = "is_zero")]
    threads: u32,

    /// Messages without reactions or read markers
    #[arg(long)]
    plain: bool,

    /// One member of each chat has sent all messages, and the others read
    #[arg(long)]
    one_sided: bool,

    /// Percent of the messages that are deleted
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    deleted: u32,

    /// Concurrent connections
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,

    /// Requests a second over all connections
    #[arg(long, default_value = "100", value_parser = rate, conflicts_with = "closed")]
    rate: f64,

    /// No rate: each connection sends the next request when the previous one is answered
    #[arg(long)]
    closed: bool,

    /// Length of a message, in characters
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    size: u32,

    #[command(flatten)]
    options: Options,
}

/// A resource that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Resource {
    /// The newest 50 messages of a chat
    Page,
    /// The oldest 50 messages of a chat, as the last page
    Last,
    /// 50 messages before one in the middle of the chat
    Before,
    /// 50 messages after one in the middle of the chat
    After,
    /// The first 10 chats
    Chats,
    /// Unread counts of all chats
    Unread,
    /// Everything that a client's first screen needs
    Sync,
    /// The first 50 threads that the user follows
    Threads,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Scenario for Read {
    const NAME: &'static str = "read";

    fn options(&self) -> &Options {
        &self.options
    }

    fn check(&self) -> Result<(), String> {
        if self.users < self.members {
            return Err("--users must be at least --members".to_owned());
        }
        if self.one_sided && self.members < 2 {
            return Err("--one-sided needs at least two --members: one writes, the others read".to_owned());
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        Plan {
            users: self.users as usize,
            chats: Plan::chats_among(self.users, self.chats, self.members),
            history: self.messages as usize,
            is_lively: !self.plain,
            is_one_sided: self.one_sided,
            deleted: self.deleted as usize,
            threads: self.threads as usize,
            size: self.size as usize,
            sign_in: self.options.sign_in(),
        }
    }

    fn connections(&self) -> usize {
        self.connections as usize
    }

    async fn run(&self, environment: &Environment) -> Result<Results, LoadError> {
        let latencies = Rc::new(LatencyByOperation::default());
        let (for_totals, for_recent) = (latencies.clone(), latencies.clone());
        let middles = self.middles(environment).await?;
        let rate = (!self.closed).then_some(self.rate);
        let totals = move || (for_totals.done(), 0);
        let run = MeasuredRun::begin(self, environment, rate, totals, move || for_recent.take_recent())?;
        latencies.measure_from(run.measured_from);
        let reader = Reader {
            read: self,
            environment,
            latencies: &latencies,
            chats: chats_of(environment),
            middles,
            rng: RefCell::new(Rng::with_seed(1)),
            next_resource: Cell::new(0),
            errors: RefCell::default(),
        };
        let workers = || (0..self.connections).map(|_| reader.worker(&run));
        let measurement = run.measure(self.options.patience, async { drop(join_all(workers()).await) }).await;
        let mut results = run.end(self, &measurement);
        results.add_operations(&latencies, &measurement.load);
        results.errors = reader.errors.take();
        results.ok = results.errors.is_empty() && latencies.done() > 0;
        Ok(results)
    }
}

impl Read {
    /// Returns an id in the middle of each chat; nothing if no selected resource needs it.
    async fn middles(&self, environment: &Environment) -> Result<Vec<i64>, LoadError> {
        let mut middles = Vec::new();
        if !self.what.iter().any(|what| matches!(what, Resource::Before | Resource::After)) {
            return Ok(middles);
        }
        let mut connection = HttpConnection::new(environment.target.clone());
        for chat in &environment.fixtures.chats {
            let header = &environment.fixtures.people[chat.members[0] as usize].header;
            let mut ids = [0; 2];
            for (id, page) in ids.iter_mut().zip([1, self.messages]) {
                let path = format!("/messages/api/chats/{}/messages/?page_size=1&page={page}", chat.id);
                let answer = connection.request("GET", &path, header, b"").await;
                let answer = answer.map_err(|error| format!("{path}: {error}"))?;
                let page: serde_json::Value = serde_json::from_slice(answer.body).unwrap_or_default();
                *id = page["results"][0]["id"]
                    .as_i64()
                    .ok_or_else(|| format!("{path}: there is no message"))?;
            }
            middles.push(i64::midpoint(ids[0], ids[1]));
        }
        Ok(middles)
    }
}

/// State shared by the workers that read.
struct Reader<'a> {
    read: &'a Read,
    environment: &'a Environment,
    latencies: &'a LatencyByOperation,
    chats: Vec<Vec<u32>>,
    middles: Vec<i64>,
    /// Seeded, so that runs are comparable.
    rng: RefCell<Rng>,
    next_resource: Cell<usize>,
    errors: RefCell<BTreeMap<String, u64>>,
}

impl Reader<'_> {
    async fn worker(&self, run: &MeasuredRun<'_>) {
        let mut connection = HttpConnection::new(self.environment.target.clone());
        while let Some(due) = run.pacer.next().await {
            let number = self.next_resource.replace(self.next_resource.get() + 1);
            self.request(&mut connection, self.read.what[number % self.read.what.len()], due).await;
        }
    }

    async fn request(&self, connection: &mut HttpConnection, what: Resource, due: Moment) {
        let person = self.rng.borrow_mut().usize(..self.environment.fixtures.people.len());
        let own = &self.chats[person];
        let Some(chat) = self.rng.borrow_mut().choice(own) else { return };
        let members = &self.environment.fixtures.chats[*chat as usize].members;
        let person = match self.read.one_sided {
            true => members[self.rng.borrow_mut().usize(1..members.len())] as usize,
            false => person,
        };
        let own = &self.chats[person];
        let (path, expected) = self.path_and_prefix(what, *chat as usize, own.len());
        let header = &self.environment.fixtures.people[person].header;
        let answer = connection.request("GET", &path, header, b"").await;
        let fault = match &answer {
            Ok(answer) if answer.status != 200 => Some(answer.status.to_string()),
            Ok(answer) if !answer.body.starts_with(expected.as_bytes()) => Some("unexpected body".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error.kind().to_string()),
        };
        match fault {
            None => self.latencies.record(what.name(), due, self.environment.clock.now()),
            Some(fault) => *self.errors.borrow_mut().entry(fault).or_default() += 1,
        }
    }

    /// Returns the path of a request and the expected beginning of its response.
    fn path_and_prefix(&self, what: Resource, chat: usize, own: usize) -> (String, String) {
        let id = self.environment.fixtures.chats[chat].id;
        let messages = |query: &str| format!("/messages/api/chats/{id}/messages/{query}");
        let count = |count: usize| format!(r#"{{"count":{count},"#);
        let all = (self.read.messages + self.read.threads) as usize;
        let middle = || self.middles.get(chat).copied().unwrap_or_default();
        match what {
            Resource::Page => (messages(""), count(all)),
            Resource::Last => (messages(&format!("?page={}", all.div_ceil(50))), count(all)),
            Resource::Before => (messages(&format!("?before={}", middle())), count(all)),
            Resource::After => (messages(&format!("?after={}", middle())), count(all)),
            Resource::Chats => ("/messages/api/chats/".to_owned(), count(own)),
            Resource::Unread => ("/messages/api/unread/".to_owned(), r#"{"total":"#.to_owned()),
            Resource::Sync => ("/messages/api/sync/".to_owned(), r#"{"chats":"#.to_owned()),
            Resource::Threads => {
                ("/messages/api/threads/?page_size=50".to_owned(), r#"{"count":"#.to_owned())
            }
        }
    }
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Last => "last page",
            Self::Before => "before",
            Self::After => "after",
            Self::Chats => "chats",
            Self::Unread => "unread",
            Self::Sync => "sync",
            Self::Threads => "threads",
        }
    }
}
