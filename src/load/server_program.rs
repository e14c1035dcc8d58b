//! The program of the server that a run spawns: this one, or another build of it.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Serialize;

/// A program that serves.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ServerProgram(PathBuf);

impl ServerProgram {
    /// Returns this program.
    pub(crate) fn this() -> io::Result<Self> {
        std::env::current_exe().map(Self)
    }

    /// Parses the path of a program. Refuses a program that does not start or is not Greenroom.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let path = Path::new(path).canonicalize().map_err(|error| error.to_string())?;
        let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("it does not start: {error}"))?;
        let is_greenroom = output.status.success() && output.stdout.starts_with(b"greenroom ");
        if is_greenroom { Ok(Self(path)) } else { Err("it is not Greenroom, see its --version".to_owned()) }
    }
}

impl AsRef<OsStr> for ServerProgram {
    fn as_ref(&self) -> &OsStr {
        self.0.as_os_str()
    }
}
