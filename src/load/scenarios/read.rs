//! `greenroom load read`: pages of messages, lists of chats.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use clap::{Args, ValueEnum};
use futures_util::future::join_all;
use serde::Serialize;

use crate::load::{
    client::{clients::chats_of, http::Connection},
    environment::Stage,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{clock::Moment, latency_by_operation::Meters, results::Outcome},
    options::{Options, rate},
    run::{measured_run::Course, rng::Dice},
    scenario::Scenario,
};

/// Pages of messages and lists of chats, as users load them
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Read {
    /// What is read, comma-separated, in turn
    #[arg(long, value_delimiter = ',', default_value = "page,chats")]
    what: Vec<What>,

    /// Chats
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chats: u32,

    /// Members of each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    members: u32,

    /// Users; each is in about as many chats as any other
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,

    /// Messages in each chat
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,

    /// Messages have no reactions, and nobody has read them
    #[arg(long)]
    plain: bool,

    /// One member of each chat has written all of them, and the others read
    #[arg(long)]
    one_sided: bool,

    /// So many of a hundred of them are deleted
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    deleted: u32,

    /// Connections that are read over
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,

    /// Requests a second, over all connections together
    #[arg(long, default_value = "100", value_parser = rate, conflicts_with = "closed")]
    rate: f64,

    /// No rate: each connection asks for the next when it has the one before
    #[arg(long)]
    closed: bool,

    /// Characters of a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    size: u32,

    #[command(flatten)]
    options: Options,
}

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum What {
    /// The newest 50 messages of a chat
    Page,
    /// Its oldest 50, as the last page
    Last,
    /// 50 before a message that was written about half way
    Before,
    /// 50 after it
    After,
    /// The first 10 chats
    Chats,
    /// Unread counts of all chats
    Unread,
    /// All for a first screen
    Sync,
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
            return Err("with --one-sided there must be two --members, or nobody reads".to_owned());
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
            size: self.size as usize,
            with_sessions: self.options.session,
        }
    }

    fn connections(&self) -> usize {
        self.connections as usize
    }

    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError> {
        let meters = Rc::new(Meters::default());
        let (counted, looked_at) = (meters.clone(), meters.clone());
        let middles = self.middles(stage).await?;
        let rate = (!self.closed).then_some(self.rate);
        let totals = move || (counted.done(), 0);
        let course = Course::begin(self, stage, rate, totals, move || looked_at.take_recent())?;
        meters.measure_from(course.measured_from);
        let reader = Reader {
            read: self,
            stage,
            meters: &meters,
            chats: chats_of(stage),
            middles,
            dice: Dice::new(1),
            turn: Cell::new(0),
            errors: RefCell::default(),
        };
        let lanes = || (0..self.connections).map(|_| reader.lane(&course));
        let found = course.follow(self.options.patience, async { drop(join_all(lanes()).await) }).await;
        let mut outcome = course.end(self, &found);
        outcome.add_meters(&meters, &found.load);
        outcome.errors = reader.errors.take();
        outcome.ok = outcome.errors.is_empty() && meters.done() > 0;
        Ok(outcome)
    }
}

impl Read {
    /// For each chat an id about half way through it, where one is needed.
    async fn middles(&self, stage: &Stage) -> Result<Vec<i64>, LoadError> {
        let mut middles = Vec::new();
        if !self.what.iter().any(|what| matches!(what, What::Before | What::After)) {
            return Ok(middles);
        }
        let mut connection = Connection::new(stage.target.clone());
        for chat in &stage.cast.chats {
            let header = &stage.cast.people[chat.members[0] as usize].header;
            let mut ids = [0; 2];
            for (id, page) in ids.iter_mut().zip([1, self.messages]) {
                let path = format!("/messages/api/chats/{}/messages/?page_size=1&page={page}", chat.id);
                let answer = connection.ask("GET", &path, header, b"").await;
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

/// Who reads.
struct Reader<'a> {
    read: &'a Read,
    stage: &'a Stage,
    meters: &'a Meters,
    chats: Vec<Vec<u32>>,
    middles: Vec<i64>,
    dice: Dice,
    turn: Cell<usize>,
    errors: RefCell<BTreeMap<String, u64>>,
}

impl Reader<'_> {
    async fn lane(&self, course: &Course<'_>) {
        let mut connection = Connection::new(self.stage.target.clone());
        while let Some(due) = course.pace.next().await {
            let turn = self.turn.replace(self.turn.get() + 1);
            self.ask(&mut connection, self.read.what[turn % self.read.what.len()], due).await;
        }
    }

    async fn ask(&self, connection: &mut Connection, what: What, due: Moment) {
        let person = self.dice.throw(self.stage.cast.people.len());
        let own = &self.chats[person];
        let Some(place) = own.get(self.dice.throw(own.len())) else { return };
        let members = &self.stage.cast.chats[*place as usize].members;
        let person = match self.read.one_sided {
            true => members[1 + self.dice.throw(members.len() - 1)] as usize,
            false => person,
        };
        let own = &self.chats[person];
        let (path, expected) = self.request(what, *place as usize, own.len());
        let header = &self.stage.cast.people[person].header;
        let answer = connection.ask("GET", &path, header, b"").await;
        let fault = match &answer {
            Ok(answer) if answer.status != 200 => Some(answer.status.to_string()),
            Ok(answer) if !answer.body.starts_with(expected.as_bytes()) => {
                Some("not what is there".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(error.kind().to_string()),
        };
        match fault {
            None => self.meters.record(what.name(), due, self.stage.clock.now()),
            Some(fault) => *self.errors.borrow_mut().entry(fault).or_default() += 1,
        }
    }

    /// The path, and how its answer begins.
    fn request(&self, what: What, place: usize, own: usize) -> (String, String) {
        let chat = self.stage.cast.chats[place].id;
        let messages = |query: &str| format!("/messages/api/chats/{chat}/messages/{query}");
        let count = |count: usize| format!(r#"{{"count":{count},"#);
        let all = self.read.messages as usize;
        let middle = || self.middles.get(place).copied().unwrap_or_default();
        match what {
            What::Page => (messages(""), count(all)),
            What::Last => (messages(&format!("?page={}", all.div_ceil(50))), count(all)),
            What::Before => (messages(&format!("?before={}", middle())), count(all)),
            What::After => (messages(&format!("?after={}", middle())), count(all)),
            What::Chats => ("/messages/api/chats/".to_owned(), count(own)),
            What::Unread => ("/messages/api/unread/".to_owned(), r#"{"total":"#.to_owned()),
            What::Sync => ("/messages/api/sync/".to_owned(), r#"{"chats":"#.to_owned()),
        }
    }
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Last => "last page",
            Self::Before => "before",
            Self::After => "after",
            Self::Chats => "chats",
            Self::Unread => "unread",
            Self::Sync => "sync",
        }
    }
}
