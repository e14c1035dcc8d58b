//! `greenroom load`: many users at once, against a server of its own or one that runs already. It measures, and it
//! checks what no stop-watch sees: that everybody heard everything, once and in order.

mod audience;
mod by_rest;
mod by_storage;
mod cast;
mod client;
mod clock;
mod course;
mod dice;
mod event;
mod frame;
mod http;
mod idle;
mod latency;
mod ledger;
mod listener;
mod meters;
mod mix;
mod options;
mod outcome;
mod pace;
mod process;
mod read;
mod report;
mod rooms;
mod senders;
mod socket;
mod spawned;
mod stage;
mod stop;
mod storm;
mod table;
mod target;
mod watch;

use std::{io::Write, path::Path};

use clap::{Args, Subcommand};

use options::Options;
use outcome::Outcome;
use stage::Stage;
use stop::Stop;

/// Why a run did not come to its end, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// What was asked for does not fit together.
    #[error("{0}")]
    Options(String),
    #[error("{0}")]
    Failed(String),
    #[error("interrupted")]
    Interrupted,
}

impl From<String> for LoadError {
    fn from(sentence: String) -> Self {
        Self::Failed(sentence)
    }
}

/// A load to be made.
#[derive(Debug, Args)]
pub struct Load {
    #[command(subcommand)]
    kind: Kind,
}

/// The kinds of load.
#[derive(Debug, Subcommand)]
enum Kind {
    /// Rooms that are written to, and listened to by all who are in them
    Rooms(rooms::Rooms),
    /// Open sockets on which nothing happens: what each takes of the server's memory
    Idle(idle::Idle),
    /// All clients lose their sockets, and come back at once for what they missed
    Storm(storm::Storm),
    /// Pages of messages and lists of chats, as users load them
    Read(read::Read),
    /// A day in the life: users who come, look at their chats, read, type, send, react and go
    Mix(mix::Mix),
}

impl Load {
    /// Makes the load, prints the figures, and fails where a check did.
    pub fn run(self) -> Result<(), LoadError> {
        match self.kind {
            Kind::Rooms(rooms) => perform(&rooms),
            Kind::Idle(idle) => perform(&idle),
            Kind::Storm(storm) => perform(&storm),
            Kind::Read(read) => perform(&read),
            Kind::Mix(mix) => perform(&mix),
        }
    }
}

/// A kind of load.
trait Scenario: serde::Serialize {
    const NAME: &'static str;

    fn options(&self) -> &Options;

    /// Whether what was asked for fits together.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Who and what it needs.
    fn plan(&self) -> cast::Plan;

    /// Connections that it has open at most.
    fn connections(&self) -> usize;

    /// Makes the load.
    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError>;
}

fn perform<S: Scenario>(scenario: &S) -> Result<(), LoadError> {
    scenario.check().map_err(LoadError::Options)?;
    let files = stage::allow_files(scenario.connections())?;
    let mut outcome = actix_web::rt::System::new().block_on(play(scenario))?;
    outcome.machine.open_files = files;
    tell(scenario.options(), &outcome)
}

async fn play<S: Scenario>(scenario: &S) -> Result<Outcome, LoadError> {
    let stop = Stop::listen().map_err(|error| error.to_string())?;
    let set = Stage::set(scenario.options(), &scenario.plan(), &stop).await;
    let stage = set.map_err(|error| if stop.is_wanted() { LoadError::Interrupted } else { error })?;
    let result = tokio::select! {
        result = scenario.play(&stage) => result,
        () = stop.wanted() => Err(LoadError::Interrupted),
    };
    let struck = stage.strike().await;
    let outcome = result?;
    struck.map(|()| outcome)
}

/// Prints and writes the figures.
fn tell(options: &Options, outcome: &Outcome) -> Result<(), LoadError> {
    let json = serde_json::to_string_pretty(outcome).map_err(|error| error.to_string())?;
    let is_json_printed = options.json.as_deref() == Some(Path::new("-"));
    match &options.json {
        Some(_) if is_json_printed => print(&format!("{json}\n")),
        Some(file) => write(file, &json)?,
        None => {}
    }
    if let Some(file) = &options.report {
        write(file, &report::page(outcome)?)?;
    }
    if !is_json_printed {
        print(&table::table(outcome));
    }
    if outcome.ok { Ok(()) } else { Err("the checks failed".to_owned().into()) }
}

/// Where nobody reads any more there is nothing to say.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn write(file: &Path, text: &str) -> Result<(), LoadError> {
    std::fs::write(file, text)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()).into())
}
