//! The command line: `greenroom serve` and the commands for administrators.

mod attachments;
mod backup;
mod check;
mod database;
mod demo;
mod error;
mod import;
mod log;
mod migrate;
mod password;
mod print;
mod progress;
mod restore;
mod serve;
mod token;
mod unfinished;
mod user;
mod user_import;
mod user_lines;

use std::{io::Write, process::ExitCode};

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    config::{Config, Database},
    load::Load,
    output,
};

use error::{CliError, failed};

/// A messaging server: direct messages, groups, reactions, receipts and live events over REST and WebSocket.
#[derive(Debug, Parser)]
#[command(name = "greenroom", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Migrate the database and serve
    Serve(Box<Config>),
    /// Fill an empty database with users alice, bob and carol (password: greenroom) and a few chats
    Demo(demo::Demo),
    /// Create and manage users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Create and revoke access tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Migrate the database's schema and build its search index
    Migrate(Database),
    /// Copy a SQLite database to a file while a server writes to it
    Backup(backup::Backup),
    /// Replace the database with a copy, while no server runs
    Restore(restore::Restore),
    /// Copy a SQLite database into an empty PostgreSQL database
    Import(import::Import),
    /// Put a server under load: measure it, and check that every subscriber receives every event
    Load(Box<Load>),
    /// Recompute derived data in the database and report every difference
    Check(check::Check),
}

/// Runs the command line of the process. Exit codes: 0 success, 1 failure, 2 invalid setting, 3 success, but
/// a SQLite file is complete only together with its `-wal`.
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
        Command::Check(check) => return check.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Treats empty environment variables as unset.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(None) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Prints the help or the version.
fn show(help: &clap::Error) -> ExitCode {
    // Only checks whether standard output is open.
    let shown =
        output::write(b"").and_then(|()| Ok(help.print().and_then(|()| std::io::stdout().flush())?));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.into()),
    }
}

/// Prints an invalid setting in one sentence. For a missing or unknown command, prints clap's own text.
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
