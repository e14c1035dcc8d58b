//! `greenroom load idle`: holds idle sockets open and measures the server's memory for each.

use clap::Args;
use serde::Serialize;

use crate::load::{
    client::clients::Clients,
    environment::Environment,
    error::LoadError,
    fixtures::plan::Plan,
    measure::{
        clock::seconds, deliveries::Deliveries, latency::Percentiles, process::Process, results::Results,
        sample::rounded,
    },
    options::Options,
    run::measured_run::MeasuredRun,
    scenario::Scenario,
};

/// Hold idle sockets open and measure the server's memory for each
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Idle {
    /// Open sockets, one for each user
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
        let before = environment.server().and_then(Process::read).unwrap_or_default();
        let begun = environment.clock.now();
        let clients = Clients::open(environment, &deliveries, &people, None).await?;
        let opened_in = seconds(environment.clock.now() - begun).max(1e-9);
        let run = MeasuredRun::begin(self, environment, None, || (0, 0), Percentiles::default)?;
        let waiting = tokio::time::sleep(run.pacer.left());
        let measurement = run.measure(self.options.patience, waiting).await;
        let mut results = run.end(self, &measurement);
        let mut deliveries = deliveries.borrow_mut();
        let sockets = f64::from(self.sockets);
        results.add("connect", &deliveries.connect_latencies, 0.0);
        results.figures.insert("sockets_opened_per_second", rounded(sockets / opened_in, 10.0));
        if let Some(server) = &results.server {
            let grown = server.rss_bytes.saturating_sub(before.rss_bytes) as f64 / 1024.0;
            results.figures.insert("server_kib_per_socket", rounded(grown / sockets, 100.0));
            let empty = before.rss_bytes as f64 / f64::from(1 << 20);
            results.figures.insert("server_mib_without_sockets", rounded(empty, 10.0));
        }
        results.add_checks(&mut deliveries);
        results.checks.sockets = clients.connected() as u64;
        results.ok &= clients.connected() == people.len();
        clients.close();
        Ok(results)
    }
}
