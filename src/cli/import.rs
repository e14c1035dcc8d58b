//! `greenroom import`: copies a SQLite database into PostgreSQL.

use std::path::PathBuf;

use clap::Args;

use super::{
    attachments,
    database::bring_up_to_date,
    error::{CliError, reason},
    progress::{Progress, Unit},
};
use crate::{
    config::{Database, FileSettings, beside},
    storage::{
        Access, AnyConn, DatabaseUrl,
        db::migrations::{self, SchemaVersion},
        maintenance::{
            import::{Contents, analyze, import, keep},
            schema_check,
        },
        snapshot,
    },
};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The database to import: sqlite://FILE
    #[arg(value_parser = DatabaseUrl::parse)]
    source: DatabaseUrl,
    /// Folder of the attachments to import; files beside the SQLite file by default
    #[arg(long, value_name = "FOLDER")]
    files_from: Option<PathBuf>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    files: FileSettings,
}

impl Import {
    pub(super) fn run(self) -> Result<(), CliError> {
        let (source, target) = (&self.source, &self.database.database_url);
        self.expect_kinds()?;
        source.expect_exists()?;
        if source.is_used() {
            let users: Vec<String> = source.holders().iter().map(ToString::to_string).collect();
            let by = if users.is_empty() { String::new() } else { format!(" by {}", users.join(" and ")) };
            note!("{} is in use{by}; changes from now on are not imported", source.name());
        }
        let mut from = source.open(Access::Read)?;
        self.expect_same_schema(&mut from)?;
        bring_up_to_date(target)?;
        let mut into = target.open(Access::Write)?;
        snapshot(&mut from, |from| Ok(self.bring(from, &mut into)))??;
        // So that the query planner has statistics from the start.
        Ok(analyze(&mut into)?)
    }

    fn expect_kinds(&self) -> Result<(), CliError> {
        match (&self.source, &self.database.database_url) {
            (DatabaseUrl::Sqlite(_), DatabaseUrl::Postgres(_)) => Ok(()),
            (DatabaseUrl::Postgres(_), _) => Err(refused("an import comes from SQLite: give sqlite://FILE")),
            (_, DatabaseUrl::Sqlite(_)) => Err(refused(
                "an import goes to PostgreSQL: give --database-url postgres://USER@HOST/DATABASE",
            )),
        }
    }

    fn expect_same_schema(&self, from: &mut AnyConn) -> Result<(), CliError> {
        let name = self.source.name();
        let found = schema_check::differences(from).map_err(|error| self.failed(&reason(&error)))?;
        if !found.is_empty() {
            return Err(self.failed(&found.join("; ")));
        }
        match migrations::schema_version(from).map_err(|error| self.failed(&reason(&error)))? {
            SchemaVersion::Same => Ok(()),
            SchemaVersion::Older => Err(refused(&format!(
                "{name} has the schema of an older Greenroom; stop its server and run \
                 `greenroom migrate --database-url sqlite://{name}` first"
            ))),
            SchemaVersion::Newer => Err(refused(&format!("cannot import {name}: {}", migrations::NEWER))),
        }
    }

    fn bring(&self, from: &mut AnyConn, into: &mut AnyConn) -> Result<(), CliError> {
        let contents = Contents::of(from).map_err(|error| self.failed(&error))?;
        if !contents.others().is_empty() {
            let others: Vec<&str> = contents.others().iter().map(String::as_str).collect();
            note!("not imported, since they are not Greenroom's: {}", others.join(", "));
        }
        let total = contents.rows().map(|(_, rows)| rows).sum();
        let mut progress = Progress::new("Importing", Unit::Rows, total);
        let imported = import(from, &contents, into, |rows| progress.advance(rows));
        imported.map_err(|error| self.failed(&error))?;
        self.bring_files(from)?;
        // Printed before the commit: if the result cannot be printed, the import is rolled back.
        let took = progress.end();
        for (table, rows) in contents.rows() {
            say!("{table}: {rows} rows")?;
        }
        let (rows, seconds) = (Unit::Rows.written(total), took.as_secs_f64());
        say!(
            "{rows} of {} are in {} after {seconds:.1} s",
            self.source.name(),
            self.database.database_url.name()
        )?;
        keep(into).map_err(|error| self.failed(&error))
    }

    /// Copies the attachments before the rows that need them are committed.
    fn bring_files(&self, from: &mut AnyConn) -> Result<(), CliError> {
        let DatabaseUrl::Sqlite(file) = &self.source else { return Ok(()) };
        let source = self.files_from.clone().unwrap_or_else(|| beside(file));
        let Some(source) = attachments::at(from, source)? else { return Ok(()) };
        let Some(target) = attachments::folder_of(from, &self.database.database_url, &self.files)? else {
            if source.look().unwrap_or(false) {
                let sentence = "the attachments are not imported; give --files FOLDER to import them";
                note!("{sentence}");
            }
            return Ok(());
        };
        if source.path() == target.path() {
            return Ok(());
        }
        let copied = attachments::copy(from, &source, &target)?;
        if copied.missing > 0 {
            note!("{} attachments are not in {}", copied.missing, source.path().display());
        }
        if copied.files > 0 {
            let size = Unit::Bytes.written(copied.bytes);
            say!("{}: {} attachments, {size}", target.path().display(), copied.files)?;
        }
        Ok(())
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> CliError {
        let (source, target) = (self.source.name(), self.database.database_url.name());
        CliError::Refused(format!("cannot import {source} into {target}: {reason}"))
    }
}

fn refused(sentence: &str) -> CliError {
    CliError::Refused(sentence.to_owned())
}
