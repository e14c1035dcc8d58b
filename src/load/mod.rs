//! `greenroom load`: many users at once, against a server of its own or one that runs already. It measures, and it
//! checks what no stop-watch sees: that everybody heard everything, once and in order.

mod client;
mod environment;
pub mod error;
mod fixtures;
mod measure;
mod options;
mod output;
mod run;
mod scenario;
mod scenarios;
mod spawned_server;

use std::{io::Write, path::Path};

use clap::{Args, Subcommand};

use crate::core::files;
use environment::Stage;
use error::LoadError;
use measure::results::Outcome;
use options::Options;
use run::interrupt::Stop;
use scenario::Scenario;

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
    Rooms(scenarios::rooms::Rooms),
    /// Open sockets on which nothing happens: what each takes of the server's memory
    Idle(scenarios::idle::Idle),
    /// All clients lose their sockets, and come back at once for what they missed
    Storm(scenarios::reconnect_storm::Storm),
    /// Pages of messages and lists of chats, as users load them
    Read(scenarios::read::Read),
    /// A day in the life: users who come, look at their chats, read, type, send, react and go
    Mix(scenarios::mixed::Mix),
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

fn perform<S: Scenario>(scenario: &S) -> Result<(), LoadError> {
    scenario.check().map_err(LoadError::Options)?;
    let files = environment::allow_files(scenario.connections())?;
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
    // A run takes long: what can be kept of it is, whatever becomes of the rest.
    let printed = if is_json_printed {
        say!("{json}")
    } else {
        crate::output::write(output::table::table(outcome).as_bytes())
    };
    let file = options.json.as_ref().filter(|_| !is_json_printed);
    let written = file.map_or(Ok(()), |file| write(file, &json));
    let report =
        options.report.as_ref().map_or(Ok(()), |file| write(file, &output::html_report::page(outcome)?));
    printed?;
    written.and(report)?;
    if outcome.ok { Ok(()) } else { Err("the checks failed".to_owned().into()) }
}

/// Writes a file of its own name only once all of it is there; half of one is taken away.
fn write(file: &Path, text: &str) -> Result<(), LoadError> {
    let failed =
        |error: std::io::Error| LoadError::from(format!("{} cannot be written: {error}", file.display()));
    if file.exists() && !file.is_file() {
        // Somebody else's end of it: a terminal, a pipe.
        return std::fs::write(file, text).map_err(failed);
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let written = files::make_anew(Path::new(&part)).and_then(|mut part| part.write_all(text.as_bytes()));
    let written = written.and_then(|()| std::fs::rename(&part, file));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}
