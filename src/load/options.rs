//! Command-line options that all scenarios share.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use serde::{Serialize, Serializer};
use url::Url;

use super::{
    client::target::base_url,
    fixtures::{over_rest::Credential, plan::SignIn},
    measure::process::Process,
    server_program::ServerProgram,
};
use crate::storage::DatabaseUrl;

/// The server, the duration, and the outputs of a run.
#[derive(Debug, Clone, Args, Serialize)]
#[command(group(ArgGroup::new("who").required(true).multiple(true).args(["spawn", "token", "login"])))]
pub(crate) struct Options {
    /// Start a server for the run, on a temporary database
    #[arg(long, help_heading = "Server", conflicts_with_all = ["url", "pid"])]
    pub(crate) spawn: bool,

    /// With --spawn, use this database instead: sqlite://FILE or postgres://USER@HOST/DATABASE
    #[arg(long, help_heading = "Server", requires = "spawn", value_parser = DatabaseUrl::parse)]
    #[serde(skip)]
    pub(crate) database_url: Option<DatabaseUrl>,

    /// With --spawn, start this build of greenroom as the server instead
    #[arg(long, help_heading = "Server", value_name = "FILE", requires = "spawn", value_parser = ServerProgram::parse)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_binary: Option<ServerProgram>,

    /// Base URL of a server that is already running; several nodes of it are used in turn
    #[arg(long, help_heading = "Server", default_value = "http://127.0.0.1:8000", value_parser = base_url)]
    #[serde(skip)]
    pub(crate) url: Vec<Url>,

    /// Token of a staff user of that server, who creates the users of the run
    #[arg(
        long,
        help_heading = "Server",
        value_name = "KEY",
        allow_hyphen_values = true,
        env = "GREENROOM_LOAD_TOKEN",
        hide_env_values = true
    )]
    #[serde(skip)]
    token: Option<String>,

    /// Name and password of a staff user, instead of a token
    #[arg(long, help_heading = "Server", value_name = "NAME:PASSWORD", allow_hyphen_values = true, env = "GREENROOM_LOAD_LOGIN", hide_env_values = true, value_parser = name_and_password)]
    #[serde(skip)]
    login: Option<Credential>,

    /// Process id of that server, if it runs on this machine: measures its CPU and memory
    #[arg(long, help_heading = "Server", value_name = "PID", value_parser = process)]
    #[serde(skip)]
    pub(crate) pid: Option<Process>,

    /// Users sign in with sessions, as browsers do, instead of tokens
    #[arg(long, help_heading = "Server")]
    #[serde(rename = "session")]
    session: bool,

    /// With --spawn, users sign in with JSON Web Tokens instead of access tokens
    #[arg(long, help_heading = "Server", requires = "spawn", conflicts_with = "session")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    jwt: bool,

    /// How long to measure: 10s, 2m, 500ms
    #[arg(long, help_heading = "Run", default_value = "10s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    pub(crate) duration: Duration,

    /// How long to load the server before measuring
    #[arg(long, help_heading = "Run", default_value = "1s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    pub(crate) warmup: Duration,

    /// How long to wait without a new event before missing events count as lost
    #[arg(long, help_heading = "Run", default_value = "5s", value_parser = duration)]
    #[serde(serialize_with = "in_seconds")]
    pub(crate) patience: Duration,

    /// Write all results to this file as JSON; - is standard output
    #[arg(long, help_heading = "Figures", value_name = "FILE")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,

    /// Write an HTML page with plots to this file
    #[arg(long, help_heading = "Figures", value_name = "FILE")]
    #[serde(skip)]
    pub(crate) report: Option<PathBuf>,
}

impl Options {
    /// Returns the staff user's credential; `None` with `--spawn`, which needs none.
    pub(crate) fn credential(&self) -> Option<Credential> {
        let token = self.token.clone().map(Credential::Token);
        if self.spawn { None } else { self.login.clone().or(token) }
    }

    /// Returns how the users of the run authenticate.
    pub(crate) fn sign_in(&self) -> SignIn {
        match (self.session, self.jwt) {
            (true, _) => SignIn::Session,
            (_, true) => SignIn::Jwt,
            _ => SignIn::Token,
        }
    }
}

/// Parses a duration: a number with `ms`, `s`, `m`, `min` or `h`; without a unit, seconds. At most 24 hours.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time such as 500ms, 10s or 2m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim() {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(wrong()),
    };
    let duration = Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())?;
    if duration > Duration::from_secs(24 * 3_600) { Err("give at most 24h".to_owned()) } else { Ok(duration) }
}

/// Parses a rate: times a second, from 0.001 to 10,000,000.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "give a number of times a second".to_owned())?;
    if (1e-3..=1e7).contains(&rate) { Ok(rate) } else { Err("give a rate from 0.001 to 10000000".to_owned()) }
}

fn name_and_password(text: &str) -> Result<Credential, String> {
    let (name, password) = text.split_once(':').ok_or("give NAME:PASSWORD")?;
    Ok(Credential::Password { name: name.to_owned(), password: password.to_owned() })
}

fn process(text: &str) -> Result<Process, String> {
    let process = Process { pid: text.parse().map_err(|_| "give a process id".to_owned())? };
    process.read().map(|_| process).ok_or_else(|| "no such process, or no permission to read it".to_owned())
}

pub(crate) fn in_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        for bad in ["", "s", "10 years", "-1s", "25h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
