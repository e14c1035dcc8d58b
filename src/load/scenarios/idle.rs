//! `greenroom load idle`: open sockets on which nothing happens.

use clap::Args;
use serde::Serialize;

use crate::load::{
    client::clients::Audience,
    environment::Stage,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{
        clock::seconds, deliveries::Ledger, latency::Percentiles, process::Process, results::Outcome,
        sample::rounded,
    },
    options::Options,
    run::measured_run::Course,
    scenario::Scenario,
};

/// Open sockets on which nothing happens: what each takes of the server's memory
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Idle {
    /// Open sockets, each of another user
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sockets: u32,

    /// Members of the chat that each user is in
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    members: u32,

    #[command(flatten)]
    options: Options,
}

impl Scenario for Idle {
    const NAME: &'static str = "idle";

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
        let before = stage.server().and_then(Process::read).unwrap_or_default();
        let begun = stage.clock.now();
        let audience = Audience::open(stage, &ledger, &people, None).await?;
        let opened_in = seconds(stage.clock.now() - begun).max(1e-9);
        let course = Course::begin(self, stage, None, || (0, 0), Percentiles::default)?;
        let waiting = tokio::time::sleep(course.pace.left());
        let found = course.follow(self.options.patience, waiting).await;
        let mut outcome = course.end(self, &found);
        let mut ledger = ledger.borrow_mut();
        let sockets = f64::from(self.sockets);
        outcome.add("connect", &ledger.connects, 0.0);
        outcome.figures.insert("sockets_opened_per_second", rounded(sockets / opened_in, 10.0));
        if let Some(server) = &outcome.server {
            let grown = server.rss_bytes.saturating_sub(before.rss_bytes) as f64 / 1024.0;
            outcome.figures.insert("server_kib_per_socket", rounded(grown / sockets, 100.0));
            let empty = before.rss_bytes as f64 / f64::from(1 << 20);
            outcome.figures.insert("server_mib_without_sockets", rounded(empty, 10.0));
        }
        outcome.add_checks(&mut ledger);
        outcome.checks.sockets = audience.connected() as u64;
        outcome.ok &= audience.connected() == people.len();
        audience.leave();
        Ok(outcome)
    }
}
