//! The command line: `greenroom serve` and what admins need beside it.

mod backup;
mod check;
mod demo;
mod import;
mod log;
mod migrate;
mod password;
mod progress;
mod restore;
mod serve;
mod token;
mod unfinished;
mod user;

use std::{io::Write, process::ExitCode};

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    config::{Config, Database},
    load::{Load, LoadError},
    model::{FieldErrors, Refusal},
    output::{self, Unsaid},
    server::{StartError, StopError},
    storage::{Access, AnyConn, DatabaseUrl, OpenError, StorageError, migrations, transaction},
};

/// A messaging server: direct messages, groups, reactions, receipts and live events over REST and WebSocket.
#[derive(Debug, Parser)]
#[command(name = "greenroom", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database up to date and serve
    Serve(Box<Config>),
    /// Fill an empty database with users alice, bob and carol (password: greenroom) and a few chats
    Demo(demo::Demo),
    /// Make and manage users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Make and revoke access tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Bring the database's schema up to date, and its search index
    Migrate(Database),
    /// Copy a SQLite database to a file while a server goes on writing to it
    Backup(backup::Backup),
    /// Put a copy in the place of the database, while no server runs
    Restore(restore::Restore),
    /// Bring all that a SQLite database has into an empty PostgreSQL
    Import(import::Import),
    /// Put a server under load: measure it, and check that everybody hears everything
    Load(Box<Load>),
    /// Recount what is derived in the database, and report any difference
    Check(Database),
}

/// Why a command did not do what it was asked to, in one sentence.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Storage(StorageError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl From<StorageError> for CliError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Refused(Refusal::Invalid(errors)) => errors.into(),
            other => Self::Storage(other),
        }
    }
}

impl From<FieldErrors> for CliError {
    fn from(errors: FieldErrors) -> Self {
        let sentences: Vec<String> =
            errors.iter().map(|(field, sentence)| format!("{field}: {sentence}")).collect();
        Self::Refused(sentences.join(" "))
    }
}

/// Runs the command that the process was started with. Exit codes: 0 done, 1 not done, 2 a bad setting, 3 done, but a
/// SQLite file is not whole by itself.
pub fn run() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return bad_setting(&error),
        Err(help) => return show(&help),
    };
    let result = match cli.command {
        Command::Serve(config) => serve::serve(*config),
        Command::Demo(demo) => demo.run(),
        Command::User(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Migrate(database) => migrate::migrate(&database),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Import(import) => import.run(),
        Command::Load(load) => load.run().map_err(CliError::from),
        Command::Check(database) => return check::check(&database),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// A variable that is set to nothing is like one that is not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(None) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Prints a text that was asked for.
fn show(help: &clap::Error) -> ExitCode {
    // Nothing but to see whether it is open.
    let shown =
        output::write(b"").and_then(|()| Ok(help.print().and_then(|()| std::io::stdout().flush())?));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.into()),
    }
}

fn failed(error: &CliError) -> ExitCode {
    note!("greenroom: {error}");
    match error {
        CliError::Start(StartError::ManyNodesOnSqlite) | CliError::Load(LoadError::Options(_)) => {
            ExitCode::from(2)
        }
        CliError::Stop(StopError::Shared { .. }) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    }
}

/// One sentence that names the setting; where a whole command is missing, clap's own text helps more.
fn bad_setting(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::InvalidSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let _ = error.print();
    } else {
        let text = error.to_string();
        let sentence: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        note!("greenroom: {}", sentence.join(" ").trim_start_matches("error: "));
    }
    ExitCode::from(2)
}

/// What a database says. It may be about another file than the database, so it is not said to be away.
fn reason(error: &StorageError) -> String {
    match error {
        StorageError::Away(reason) => reason.clone(),
        other => other.to_string(),
    }
}

/// Brings the schema up to date, and says what it has to wait for. Returns the names of the migrations that ran.
fn bring_up_to_date(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    migrations::migrate_telling(url, &|what| note!("greenroom: waiting for {what}"))
}

/// Opens the database, brought up to date, to do one thing in a transaction, and prints what `work` returns of it.
fn with_database(
    database: &Database,
    work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<(), CliError> {
    bring_up_to_date(&database.database_url)?;
    let mut conn = database.database_url.open(Access::Write)?;
    Ok(say_and_commit(&mut conn, work)??)
}

/// Does `work` in a transaction, and prints what it returns before that is durable: what could not be said is not done
/// either. `work` may be called again.
fn say_and_commit(
    conn: &mut AnyConn,
    mut work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<Result<(), Unsaid>, StorageError> {
    let (mut said, mut unsaid) = (None, None);
    let done = transaction(conn, |conn| {
        let text = work(conn)?;
        // It was said already where the transaction has to be tried again.
        if said.as_ref() != Some(&text) {
            output::say(&text).map_err(|error| {
                unsaid = Some(error);
                Refusal::Internal
            })?;
            said = Some(text);
        }
        Ok(())
    });
    match unsaid {
        Some(error) => Ok(Err(error)),
        None => done.map(Ok),
    }
}

/// The same for a database that must be there already: a mistyped name makes no new one.
fn with_existing(
    database: &Database,
    work: impl FnMut(&mut AnyConn) -> Result<String, StorageError>,
) -> Result<(), CliError> {
    database.database_url.expect_there()?;
    with_database(database, work)
}

/// Asks a database that must be there already. What comes of it is printed afterwards: who reads that slowly, as a pager
/// does, keeps nobody from writing.
fn ask_existing<T>(
    database: &Database,
    question: impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, CliError> {
    database.database_url.expect_there()?;
    bring_up_to_date(&database.database_url)?;
    let mut conn = database.database_url.open(Access::Write)?;
    Ok(transaction(&mut conn, question)?)
}

/// Prints lines, if there are any.
fn list(lines: impl Iterator<Item = String>) -> Result<(), CliError> {
    Ok(output::say(&lines.collect::<Vec<_>>().join("\n"))?)
}
