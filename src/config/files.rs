//! Settings of attachments and of the store of their bytes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    core::model::{AttachmentState, attachments::MOST_ATTACHMENTS},
    files::scanner::ScannerUrl,
    storage::DatabaseUrl,
};

/// Settings of attachments, which all commands take that work with files.
#[derive(Debug, Clone, Args)]
pub struct FileSettings {
    /// Folder of the attachments' bytes, which several nodes share; files beside the SQLite file by default, with
    /// PostgreSQL none
    #[arg(long, env = "GREENROOM_FILES", value_name = "FOLDER")]
    pub files: Option<PathBuf>,

    /// Most bytes of an attachment
    #[arg(long, env = "GREENROOM_FILE_MAX_BYTES", default_value_t = 26_214_400, value_parser = clap::value_parser!(i64).range(1..=1 << 40))]
    pub file_max_bytes: i64,

    /// Uploads of one user that are not complete
    #[arg(long, env = "GREENROOM_UPLOADS_PENDING_MAX", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub uploads_pending_max: u16,

    /// Attachments of one message
    #[arg(long, env = "GREENROOM_ATTACHMENTS_MAX", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=MOST_ATTACHMENTS as i64))]
    pub attachments_max: u8,

    /// Bytes of all attachments that one user has uploaded; no limit by default
    #[arg(long, env = "GREENROOM_QUOTA_USER_BYTES", value_parser = clap::value_parser!(i64).range(0..=1 << 50))]
    pub quota_user_bytes: Option<i64>,

    /// Bytes of all attachments; no limit by default
    #[arg(long, env = "GREENROOM_QUOTA_SITE_BYTES", value_parser = clap::value_parser!(i64).range(0..=1 << 50))]
    pub quota_site_bytes: Option<i64>,

    /// Content types that attachments may have, by their bytes, comma-separated: image/*,application/pdf; all by
    /// default
    #[arg(long, env = "GREENROOM_FILE_TYPES", default_value = "", hide_default_value = true, value_parser = FileTypes::parse)]
    pub file_types: FileTypes,

    /// Seconds after which a complete upload is removed that was not sent
    #[arg(long, env = "GREENROOM_UPLOAD_UNLINKED_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..))]
    pub upload_unlinked_seconds: u32,

    /// Scanner of attachments: clamd://HOST:PORT or clamd+unix:///path/to/socket; none by default
    #[arg(long, env = "GREENROOM_SCAN", value_name = "URL", value_parser = ScannerUrl::parse)]
    pub scan: Option<ScannerUrl>,

    /// What happens to attachments while the scanner is away or fails
    #[arg(long, env = "GREENROOM_SCAN_FAILURE", value_enum, default_value_t = ScanFailure::Hold)]
    pub scan_failure: ScanFailure,
}

/// What happens to attachments that cannot be scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScanFailure {
    /// They wait, and are scanned later
    Hold,
    /// They are taken for clean
    Allow,
}

impl FileSettings {
    /// Returns the state of attachments that are complete.
    pub fn initial_state(&self) -> AttachmentState {
        if self.scan.is_some() { AttachmentState::Scanning } else { AttachmentState::Clean }
    }

    /// Returns the folder of the attachments of a database; `None`: there are no attachments.
    pub fn folder(&self, database: &DatabaseUrl) -> Option<PathBuf> {
        match (&self.files, database) {
            (Some(folder), _) => Some(folder.clone()),
            (None, DatabaseUrl::Sqlite(file)) => Some(beside(file)),
            (None, DatabaseUrl::Postgres(_)) => None,
        }
    }
}

/// Returns the default folder of a SQLite file.
pub fn beside(file: &str) -> PathBuf {
    Path::new(file).with_file_name("files")
}

/// Content types that are allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTypes(Vec<String>);

impl FileTypes {
    /// Parses a list such as `image/*,application/pdf`. An empty list allows all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let types = text.split(',').map(str::trim).filter(|kind| !kind.is_empty());
        let types: Vec<String> = types.map(str::to_ascii_lowercase).collect();
        let is_type = |kind: &String| {
            let is_plain = |part: &str| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
            };
            kind.split_once('/').is_some_and(|(of, exact)| is_plain(of) && (exact == "*" || is_plain(exact)))
        };
        match types.iter().find(|kind| !is_type(kind)) {
            Some(other) => {
                Err(format!("\"{other}\" is no content type; give such as image/* or application/pdf"))
            }
            None => Ok(Self(types)),
        }
    }

    /// Returns the types as they were given.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Returns whether a content type is allowed.
    pub fn allow(&self, content_type: &str) -> bool {
        let matches = |allowed: &String| match allowed.strip_suffix('*') {
            Some(prefix) => content_type.starts_with(prefix),
            None => content_type == allowed,
        };
        self.0.is_empty() || self.0.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_allowed_by_name_and_by_kind() {
        let some = FileTypes::parse("image/*, application/pdf").unwrap();
        assert!(some.allow("image/png") && some.allow("application/pdf"));
        assert!(!some.allow("text/html") && !some.allow("application/pdfx") && !some.allow("images/png"));
        assert!(FileTypes::parse("").unwrap().allow("text/html"));
        for bad in ["png", "image/", "/png", "*/*", "image/p*g", "image/png image/gif"] {
            assert!(FileTypes::parse(bad).is_err(), "{bad}");
        }
    }
}
