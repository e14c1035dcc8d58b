//! `greenroom token ...`

use clap::Subcommand;

use super::{
    database::{ask_existing, with_existing},
    error::CliError,
    print::list,
    user::named,
};
use crate::{
    config::Database,
    core::{
        model::{FieldErrors, TokenId},
        secrets,
    },
    storage::tables::{
        revocations,
        tokens::{self, Token},
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token for a user and print its key, which is shown only once
    Create {
        /// The user's name
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// List a user's tokens by their numbers
    List {
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// Revoke a token
    Revoke {
        name: String,
        /// The token's number, as `token list` shows it
        id: i64,
        #[command(flatten)]
        database: Database,
    },
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Create { name, database } => {
                let key = secrets::draw();
                let mut is_registered = false;
                with_existing(&database, |conn| {
                    let user = named(conn, &name)?;
                    is_registered = user.is_registered;
                    if !user.is_active {
                        return Err(FieldErrors::of("username", format!("{name} is deactivated")).into());
                    }
                    tokens::create(conn, user.id(), &secrets::hash(&key), None)?;
                    revocations::record_cli_change(conn, user.id(), "made a token")?;
                    Ok(key.clone())
                })?;
                if is_registered {
                    note!(
                        "{name} is a self-registered account; make sure that it belongs to the person you mean"
                    );
                }
                Ok(())
            }
            Self::List { name, database } => {
                let tokens = ask_existing(&database, |conn| {
                    let user = named(conn, &name)?;
                    tokens::of_user(conn, user.id())
                })?;
                list(tokens.iter().map(line))
            }
            Self::Revoke { name, id, database } => {
                let mut is_revoked = false;
                with_existing(&database, |conn| {
                    let user = named(conn, &name)?;
                    is_revoked = tokens::revoke(conn, user.id(), TokenId(id))?;
                    if is_revoked {
                        revocations::record_cli_change(conn, user.id(), "ended a token")?;
                    }
                    Ok(if is_revoked { format!("token {id} of {name} is revoked") } else { String::new() })
                })?;
                if is_revoked { Ok(()) } else { Err(CliError::Refused(format!("{name} has no token {id}"))) }
            }
        }
    }
}

/// Formats a token for a list.
fn line(token: &Token) -> String {
    let expires = token.expires_at.map_or("never".to_owned(), |moment| moment.to_string());
    format!("{}\tmade {}\texpires {expires}", token.id, token.created_at)
}
