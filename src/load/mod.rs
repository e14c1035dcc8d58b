//! `greenroom load`: a load generator for a spawned or a running server. It measures latency and throughput.
//! It also checks that every subscriber received every event exactly once and in order.

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
mod server_program;
mod spawned_server;

use std::{io::Write, path::Path};

use clap::{Args, Subcommand};
use tokio::task::LocalSet;

use crate::core::files;
use environment::Environment;
use error::LoadError;
use measure::results::Results;
use options::Options;
use run::interrupt::Interrupt;
use scenario::Scenario;

/// Arguments of `greenroom load`.
#[derive(Debug, Args)]
pub struct Load {
    #[command(subcommand)]
    kind: ScenarioCommand,
}

/// The scenarios, one subcommand each.
#[derive(Debug, Subcommand)]
enum ScenarioCommand {
    /// Send messages to rooms and measure their delivery to all members
    Rooms(scenarios::rooms::Rooms),
    /// Hold idle sockets open and measure the server's memory for each
    Idle(scenarios::idle::Idle),
    /// Drop the sockets of all clients and let them reconnect at once for the events they missed
    Storm(scenarios::reconnect_storm::ReconnectStorm),
    /// Load pages of messages and lists of chats, as users do
    Read(scenarios::read::Read),
    /// Simulate users: they list chats, read, type, send, react, and lose and resume their connections
    Mix(scenarios::mixed::Mix),
}

impl Load {
    /// Runs the scenario and prints its results. Fails if a check failed.
    pub fn run(self) -> Result<(), LoadError> {
        match self.kind {
            ScenarioCommand::Rooms(rooms) => run_scenario(&rooms),
            ScenarioCommand::Idle(idle) => run_scenario(&idle),
            ScenarioCommand::Storm(storm) => run_scenario(&storm),
            ScenarioCommand::Read(read) => run_scenario(&read),
            ScenarioCommand::Mix(mix) => run_scenario(&mix),
        }
    }
}

fn run_scenario<S: Scenario>(scenario: &S) -> Result<(), LoadError> {
    scenario.check().map_err(LoadError::Options)?;
    let files = environment::raise_open_file_limit(scenario.connections())?;
    let mut results = block_on(run_in_environment(scenario))?;
    results.machine.open_files = files;
    write_results(scenario.options(), &results)
}

/// Runs a future on this thread, together with the tasks that it spawns.
fn block_on<T>(future: impl Future<Output = Result<T, LoadError>>) -> Result<T, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, future)
}

async fn run_in_environment<S: Scenario>(scenario: &S) -> Result<Results, LoadError> {
    let interrupt = Interrupt::listen().map_err(|error| error.to_string())?;
    let set_up = Environment::set_up(scenario.options(), &scenario.plan(), &interrupt).await;
    let environment =
        set_up.map_err(|error| if interrupt.is_requested() { LoadError::Interrupted } else { error })?;
    let result = tokio::select! {
        result = scenario.run(&environment) => result,
        () = interrupt.requested() => Err(LoadError::Interrupted),
    };
    let torn_down = environment.tear_down().await;
    let results = result?;
    torn_down.map(|()| results)
}

/// Prints the results, and writes the JSON file and the HTML report.
fn write_results(options: &Options, results: &Results) -> Result<(), LoadError> {
    let json = serde_json::to_string_pretty(results).map_err(|error| error.to_string())?;
    let is_json_printed = options.json.as_deref() == Some(Path::new("-"));
    // A run takes long: if one output fails, the others are still written.
    let printed = if is_json_printed {
        say!("{json}")
    } else {
        crate::output::write(output::table::table(results).as_bytes())
    };
    let file = options.json.as_ref().filter(|_| !is_json_printed);
    let written = file.map_or(Ok(()), |file| write(file, &json));
    let report =
        options.report.as_ref().map_or(Ok(()), |file| write(file, &output::html_report::page(results)?));
    printed?;
    written.and(report)?;
    if results.ok { Ok(()) } else { Err("the checks failed".to_owned().into()) }
}

/// Writes a file atomically: to `FILE.part`, which is then renamed. Removes the partial file on failure.
fn write(file: &Path, text: &str) -> Result<(), LoadError> {
    let failed =
        |error: std::io::Error| LoadError::from(format!("{} cannot be written: {error}", file.display()));
    if file.exists() && !file.is_file() {
        // A terminal, pipe or device cannot be replaced by a rename.
        return std::fs::write(file, text).map_err(failed);
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let written = files::replace(Path::new(&part)).and_then(|mut part| part.write_all(text.as_bytes()));
    let written = written.and_then(|()| std::fs::rename(&part, file));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}
