//! `greenroom user ...`

use clap::{Subcommand, ValueEnum};

use super::{
    database::{ask_existing, hand_over_chats, with_database, with_existing},
    error::CliError,
    password::PasswordSource,
    print::list,
    user_import::UserImport,
};
use crate::{
    config::Database,
    core::model::{
        FieldErrors, Refusal,
        text::{Username, email, person_name},
    },
    storage::{
        AnyConn, StorageError,
        commands::{standing, succession},
        tables::users::{self, NO_PASSWORD, NewUser, User},
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a user
    Create {
        /// The name to sign in with
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        #[arg(long, default_value = "")]
        email: String,
        #[arg(long, default_value = "")]
        first_name: String,
        #[arg(long, default_value = "")]
        last_name: String,
        /// Allow the user to create and change users over the API
        #[arg(long)]
        staff: bool,
        #[command(flatten)]
        database: Database,
    },
    /// List all users
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Change a user's password; this ends their sessions
    Passwd {
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        database: Database,
    },
    /// Deactivate a user; this ends their sessions and tokens, and hands their chats over
    Deactivate {
        name: String,
        /// Do so even if no other active staff user is left
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Activate a deactivated user
    Activate {
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// Create and change users from a file of another application, such as Django
    Import(UserImport),
    /// Make a user staff, or end that; staff may create and change users over the API
    Staff {
        name: String,
        standing: Switch,
        /// Do so even if no other active staff user is left
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        database: Database,
    },
}

/// Value of the `staff` command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl UserCommand {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Create { name, password, email: address, first_name, last_name, staff, database } => {
                let mut new = NewUser {
                    username: valid("username", Username::parse(&name))?,
                    email: valid("email", email(&address))?,
                    first_name: valid("first name", person_name(&first_name, 150))?,
                    last_name: valid("last name", person_name(&last_name, 150))?,
                    avatar_url: String::new(),
                    is_staff: staff,
                    is_registered: false,
                    password: NO_PASSWORD.to_owned(),
                };
                new.password = password.hash(new.known())?;
                with_database(&database, |conn| {
                    let user = users::create(conn, &new)?;
                    Ok(format!("user {} has id {}", user.username, user.id))
                })
            }
            Self::List { database } => list(ask_existing(&database, users::all)?.iter().map(line)),
            Self::Passwd { name, password, database } => {
                let user = ask_existing(&database, |conn| named(conn, &name))?;
                let hash = password.hash(user.known())?;
                with_existing(&database, |conn| {
                    let mut user = named(conn, &name)?;
                    standing::set_password(conn, &mut user, &hash)?;
                    Ok(format!("the password of {name} is changed"))
                })
            }
            Self::Deactivate { name, force, database } => {
                with_existing(&database, |conn| {
                    let mut user = find_with_staff_locked(conn, &name)?;
                    expect_other_staff(conn, &user, force)?;
                    standing::deactivate(conn, &mut user)?;
                    Ok(format!("{name} is deactivated"))
                })?;
                hand_over_chats(&database)
            }
            Self::Activate { name, database } => {
                with_existing(&database, |conn| {
                    let mut user = find_with_staff_locked(conn, &name)?;
                    standing::activate(conn, &mut user)?;
                    Ok(format!("{name} is active"))
                })?;
                hand_over_chats(&database)
            }
            Self::Import(import) => import.run(),
            Self::Staff { name, standing: switch, force, database } => with_existing(&database, |conn| {
                let mut user = find_with_staff_locked(conn, &name)?;
                if switch == Switch::Off {
                    expect_other_staff(conn, &user, force)?;
                }
                standing::set_staff(conn, &mut user, switch == Switch::On)?;
                let now = if switch == Switch::On { "is" } else { "is not" };
                Ok(format!("{name} {now} staff"))
            }),
        }
    }
}

/// Finds a user by name and locks their row until the end of the transaction.
pub(super) fn named(conn: &mut AnyConn, name: &str) -> Result<User, StorageError> {
    let user = users::by_username(conn, name)?.ok_or_else(|| no_such(name))?;
    Ok(users::find_for_update(conn, user.id())?.ok_or_else(|| no_such(name))?)
}

/// Finds a user by name and locks their row. For staff, locks the rows of all staff, so that the set of
/// active staff cannot change until the end of the transaction.
fn find_with_staff_locked(conn: &mut AnyConn, name: &str) -> Result<User, StorageError> {
    let user = users::by_username(conn, name)?.ok_or_else(|| no_such(name))?;
    Ok(succession::lock_for_status_change(conn, user.id())?.ok_or_else(|| no_such(name))?)
}

fn no_such(name: &str) -> Refusal {
    Refusal::Invalid(FieldErrors::of("username", format!("there is no user {name}")))
}

/// Fails if the user is the last active staff user, unless forced.
fn expect_other_staff(conn: &mut AnyConn, user: &User, is_meant: bool) -> Result<(), StorageError> {
    if is_meant || !users::is_last_staff(conn, user)? {
        return Ok(());
    }
    let sentence = format!(
        "{} is the last active staff user; make another user staff first (greenroom user staff NAME on), or give --force",
        user.username
    );
    Err(FieldErrors::of("username", sentence).into())
}

fn valid<T>(field: &'static str, result: Result<T, String>) -> Result<T, CliError> {
    result.map_err(|sentence| FieldErrors::of(field, sentence).into())
}

/// Formats a user for a list.
fn line(user: &User) -> String {
    let staff = if user.is_staff { "staff" } else { "" };
    let state = if user.is_active { "" } else { "deactivated" };
    let origin = match (user.is_registered, user.is_guest) {
        (true, _) => "registered",
        (_, true) => "guest",
        _ => "",
    };
    let (card, email) = (user.card(), &user.email);
    let line =
        format!("{}\t{}\t{}\t{email}\t{staff}\t{state}\t{origin}", card.id, card.username, card.display_name);
    line.trim_end().to_owned()
}
