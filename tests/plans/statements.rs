//! Finds all statements in the source files of the storage.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The macros that contain statements. Those built on `sql!` contain two.
const MACROS: [&str; 4] = ["sql!(", "within!(", "delete_some!(", "of_lane!("];

/// Files with statements that do not serve clients: they read whole databases by design, run once, or set up
/// a connection.
const NOT_FOR_SERVING: [&str; 22] = [
    "db/catalog.rs",
    "db/conn.rs",
    "db/migrations.rs",
    "db/vfs/tests.rs",
    "db/pooling.rs",
    "db/session.rs",
    "db/sql.rs",
    "db/transaction.rs",
    "db/url.rs",
    "maintenance/backup.rs",
    "maintenance/check.rs",
    "maintenance/check_attachments.rs",
    "maintenance/check_mentions.rs",
    "maintenance/check_threads.rs",
    "maintenance/checkpoint.rs",
    "maintenance/schema_check.rs",
    "maintenance/import.rs",
    "maintenance/restore_epoch.rs",
    "maintenance/rejected_row.rs",
    "message_search/check.rs",
    "writer/checkpointer.rs",
    "writer/in_doubt.rs",
];

/// Returns the locations of all statements that serve clients, as file and line.
pub(crate) fn all() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src/storage"), &mut files);
    let mut places = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap();
        let is_serving = !NOT_FOR_SERVING.iter().any(|other| name == format!("src/storage/{other}"));
        if is_serving {
            let text = fs::read_to_string(&file).unwrap();
            places.extend(lines(&text).map(|line| format!("{name}:{line}")));
        }
    }
    places
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// Returns the lines, counted from 1, on which a statement begins. The definitions of the macros are left
/// out.
fn lines(text: &str) -> impl Iterator<Item = usize> {
    // The line that ends the definition of a macro.
    let mut end = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_definition = line.trim_start().starts_with("macro_rules!");
        if is_definition {
            let indent = line.len() - line.trim_start().len();
            end = Some(format!("{}}}", " ".repeat(indent)));
        } else if end.as_deref() == Some(line) {
            end = None;
        }
        let code = line.split("//").next().unwrap_or_default();
        let begins = MACROS.iter().any(|name| {
            code.match_indices(name).any(|(at, _)| {
                !code[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
            })
        });
        (begins && end.is_none()).then_some(index + 1)
    })
}
