//! Passwords on the command line: from an argument, standard input or a prompt.

use std::io::{IsTerminal, Read};

use clap::Args;

use super::error::CliError;
use crate::auth::{NewPassword, passwords};

/// Source of a password.
#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// The password; other users of this machine can see it in the process list
    #[arg(long, conflicts_with = "password_stdin")]
    password: Option<String>,

    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// Reads and hashes the password. Fails if it is easy to guess, given the names and addresses in `known`.
    pub(super) fn hash(&self, known: Vec<String>) -> Result<String, CliError> {
        let password = self.read()?;
        passwords::check(&password).map_err(CliError::Refused)?;
        Ok(NewPassword { password, known }.hash()?)
    }

    fn read(&self) -> Result<String, CliError> {
        if let Some(password) = &self.password {
            return Ok(password.clone());
        }
        if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        if !std::io::stdin().is_terminal() {
            let sentence = "no terminal to prompt for a password; give --password or --password-stdin";
            return Err(CliError::Refused(sentence.to_owned()));
        }
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Password (again): ")? != password {
            return Err(CliError::Refused("the two passwords differ".to_owned()));
        }
        Ok(password)
    }
}
