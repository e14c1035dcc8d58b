//! `greenroom user ...`

use clap::Subcommand;

use super::{CliError, password::PasswordSource, with_database, with_existing};
use crate::{
    config::Database,
    model::{
        FieldErrors, Refusal,
        text::{Username, email, person_name},
    },
    storage::{
        AnyConn, StorageError, revocations, sessions, tokens,
        users::{self, NewUser, User},
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user
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
        /// May make and change users over the API
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
    /// Change a user's password; it ends their sessions
    Passwd {
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        database: Database,
    },
    /// Shut a user out; it ends their sessions and tokens
    Deactivate {
        name: String,
        #[command(flatten)]
        database: Database,
    },
}

impl UserCommand {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Create { name, password, email: address, first_name, last_name, staff, database } => {
                let new = NewUser {
                    username: valid("username", Username::parse(&name))?,
                    email: valid("email", email(&address))?,
                    first_name: valid("first name", person_name(&first_name, 150))?,
                    last_name: valid("last name", person_name(&last_name, 150))?,
                    avatar_url: String::new(),
                    is_staff: staff,
                    password: password.hash()?,
                };
                let user = with_database(&database, |conn| users::create(conn, &new))?;
                say!("user {} has id {}", user.username, user.id);
            }
            Self::List { database } => with_existing(&database, users::all)?.iter().for_each(print),
            Self::Passwd { name, password, database } => {
                let hash = password.hash()?;
                with_existing(&database, |conn| {
                    let mut user = named(conn, &name)?;
                    user.password.clone_from(&hash);
                    users::update(conn, &user)?;
                    sessions::end_all(conn, user.id(), None)
                })?;
                say!("the password of {name} is changed");
            }
            Self::Deactivate { name, database } => {
                with_existing(&database, |conn| {
                    let mut user = named(conn, &name)?;
                    user.is_active = false;
                    users::update(conn, &user)?;
                    sessions::end_all(conn, user.id(), None)?;
                    tokens::revoke_all(conn, user.id())?;
                    revocations::record(conn, user.id())
                })?;
                say!("{name} is shut out");
            }
        }
        Ok(())
    }
}

/// The user with a name that an admin typed, who stays as they are until the transaction's end.
pub(super) fn named(conn: &mut AnyConn, name: &str) -> Result<User, StorageError> {
    let no_such = || Refusal::Invalid(FieldErrors::of("username", format!("there is no user {name}")));
    let user = users::by_username(conn, name)?.ok_or_else(no_such)?;
    Ok(users::hold(conn, user.id())?.ok_or_else(no_such)?)
}

fn valid<T>(field: &'static str, result: Result<T, String>) -> Result<T, CliError> {
    result.map_err(|sentence| FieldErrors::of(field, sentence).into())
}

fn print(user: &User) {
    let staff = if user.is_staff { "staff" } else { "" };
    let state = if user.is_active { "" } else { "deactivated" };
    let (card, email) = (user.card(), &user.email);
    let line = format!("{}\t{}\t{}\t{email}\t{staff}\t{state}", card.id, card.username, card.display_name);
    say!("{}", line.trim_end());
}
