//! `greenroom user import`: creates and changes users from a file of another application.

use std::{
    fmt,
    fs::File,
    io::{Read, stdin},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use rustix::fs::{FileType, fstat};

use super::{
    database::{bring_up_to_date, hand_over_chats},
    error::{CliError, reason},
    progress::{Progress, Unit},
    user_lines::{NumberedLine, UserLines},
};
use crate::{
    config::Database,
    core::model::{FieldErrors, Refusal},
    storage::{
        Access, AnyConn, StorageError,
        commands::user_import::{Imported, LineResult, UserLine, import},
        transaction,
    },
};

/// Lines in one transaction. A running server writes between two of them.
const BATCH: usize = 500;

const FORMAT: &str = "\
The file is CSV with a header, or JSON Lines: one object on each line. Its fields are:

  username     letters, digits and @ . + - _
  password     a hash of Django (pbkdf2_sha256, pbkdf2_sha1, argon2, bcrypt_sha256, bcrypt, scrypt),
               or ! for a user without a password
  first_name, last_name, email
  is_active    true or false; false deactivates the user
  is_staff     true or false; staff may create and change users over the API
  external_id  the user's id in the other application

Example of CSV:

  external_id,username,password,first_name,email
  7,ann,pbkdf2_sha256$1000000$f6vwa$kE6Gd2T1BLkpHTGuVFTHwXMyYk2iCqTCRGeBvfLo6yA=,Ann,ann@example.com
  8,bob,!,Bob,

The same as JSON Lines:

  {\"external_id\": 7, \"username\": \"ann\", \"password\": \"pbkdf2_sha256$...\", \"first_name\": \"Ann\"}
  {\"external_id\": 8, \"username\": \"bob\", \"password\": \"!\", \"first_name\": \"Bob\"}

A user is found by external_id, or else by username. Others are created. A field that is missing changes
nothing. The import can be repeated: it changes what differs. A password that was changed in Greenroom since
the last import stays. A bad line is reported on standard error, all others are imported, and the exit code
is 1.";

#[derive(Debug, Args)]
#[command(after_help = FORMAT)]
pub(super) struct UserImport {
    /// The file with the users; - reads standard input
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

/// Number of lines by result.
#[derive(Default)]
struct Tally {
    new: u64,
    changed: u64,
    unchanged: u64,
    bad: u64,
}

struct Run {
    conn: AnyConn,
    tally: Tally,
    progress: Progress,
}

impl UserImport {
    pub(super) fn run(self) -> Result<(), CliError> {
        let (reader, length) = open(&self.file)?;
        let mut lines = UserLines::open(reader)?;
        let url = &self.database.database_url;
        bring_up_to_date(url)?;
        let conn = url.open_to_serve(Access::Write)?;
        let progress = Progress::new("Importing", Unit::Bytes, length);
        let mut run = Run { conn, tally: Tally::default(), progress };
        let done = run.import_all(&mut lines);
        run.progress.end();
        let unread: Vec<&str> = lines.unread().collect();
        if !unread.is_empty() {
            note!("not read, since users have no such fields here: {}", unread.join(", "));
        }
        say!("{}", run.tally)?;
        done?;
        hand_over_chats(&self.database)?;
        match run.tally.bad {
            0 => Ok(()),
            bad => Err(CliError::Refused(format!("lines that were not imported: {bad}"))),
        }
    }
}

/// Opens the file or standard input. Returns its length too; 0 if it is unknown.
fn open(file: &Path) -> Result<(Box<dyn Read>, u64), CliError> {
    if file == Path::new("-") {
        let found = fstat(stdin()).ok();
        let file = found.filter(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile);
        return Ok((Box::new(stdin()), file.map_or(0, |found| found.st_size as u64)));
    }
    let failed = |error| CliError::Refused(format!("cannot read {}: {error}", file.display()));
    let opened = File::open(file).map_err(failed)?;
    let length = opened.metadata().map_err(failed)?.len();
    Ok((Box::new(opened), length))
}

impl Run {
    fn import_all(&mut self, lines: &mut UserLines) -> Result<(), CliError> {
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH
                && let Some(NumberedLine { number, user }) = lines.next()?
            {
                match user {
                    Ok(user) => batch.push((number, user)),
                    Err(errors) => self.reject(number, &errors),
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.import_batch(&batch)?;
            self.progress.reach(lines.position());
        }
    }

    /// Imports lines in as few transactions as possible. If one fails, imports its lines one by one.
    fn import_batch(&mut self, batch: &[(u64, UserLine)]) -> Result<(), CliError> {
        let (numbers, users): (Vec<u64>, Vec<UserLine>) = batch.iter().cloned().unzip();
        let mut done = 0;
        while done < users.len() {
            let began = Instant::now();
            let results = match transaction(&mut self.conn, |conn| import(conn, &users[done..])) {
                Ok(results) => results,
                Err(error) if is_of_line(&error) => vec![self.import_one(&users[done])?],
                Err(error) => return Err(error.into()),
            };
            for result in results {
                self.count(numbers[done], result);
                done += 1;
            }
            self.let_others_write(began);
        }
        Ok(())
    }

    fn import_one(&mut self, user: &UserLine) -> Result<LineResult, CliError> {
        match transaction(&mut self.conn, |conn| import(conn, std::slice::from_ref(user))) {
            Ok(results) => {
                results.into_iter().next().ok_or_else(|| StorageError::from(Refusal::Internal).into())
            }
            Err(error) if is_of_line(&error) => Ok(Err(FieldErrors::whole(reason(&error)))),
            Err(error) => Err(error.into()),
        }
    }

    fn count(&mut self, number: u64, result: LineResult) {
        match result {
            Ok(Imported::New) => self.tally.new += 1,
            Ok(Imported::Changed) => self.tally.changed += 1,
            Ok(Imported::Unchanged) => self.tally.unchanged += 1,
            Err(errors) => self.reject(number, &errors),
        }
    }

    fn reject(&mut self, number: u64, errors: &FieldErrors) {
        self.tally.bad += 1;
        let is_whole = |field: &str| field == FieldErrors::NO_FIELD;
        let sentence = |(field, sentence): (&str, &str)| match is_whole(field) {
            true => sentence.to_owned(),
            false => format!("{field}: {sentence}"),
        };
        let sentences: Vec<String> = errors.iter().map(sentence).collect();
        self.progress.above(|| note!("line {number}: {}", sentences.join(" ")));
    }

    /// Pauses, so that a running server gets the write lock of SQLite. It retries only now and then.
    fn let_others_write(&self, began: Instant) {
        if let AnyConn::Sqlite(_) = self.conn {
            #[expect(clippy::disallowed_methods, reason = "the main thread of a command")]
            std::thread::sleep(began.elapsed() / 2);
        }
    }
}

/// Whether an error may be about one line, so that the others can be imported.
fn is_of_line(error: &StorageError) -> bool {
    !matches!(error, StorageError::Unavailable(_))
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, changed, unchanged, bad } = self;
        write!(f, "users: {new} new, {changed} changed, {unchanged} unchanged, {bad} bad")
    }
}
