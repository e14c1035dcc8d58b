//! The command line: `greenroom serve` and what admins need beside it.

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
