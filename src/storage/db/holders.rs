//! The processes that have a SQLite database open, from Linux's `/proc`.

use std::{
    fmt::{Display, Formatter, Result},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// A process that has a file of the database open.
#[derive(Debug, PartialEq, Eq)]
pub struct Holder {
    name: String,
    process: u32,
}

impl Display for Holder {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} (process {})", self.name, self.process)
    }
}

/// Formats the processes for a message.
pub fn describe(holders: &[Holder]) -> String {
    match holders {
        [] => "a process that cannot be seen from here".to_owned(),
        holders => holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    }
}

/// Returns the processes that have the database open, or a file that SQLite keeps beside it. Processes of
/// other users are found by their locks.
pub fn holders(database: &str) -> Vec<Holder> {
    let files: Vec<(u64, u64)> = ["", "-wal", "-shm", "-journal"]
        .iter()
        .filter_map(|suffix| fs::metadata(format!("{database}{suffix}")).ok())
        .map(|file| (file.dev(), file.ino()))
        .collect();
    let mut processes: Vec<u32> =
        processes().into_iter().filter(|process| has_open(*process, &files)).collect();
    processes.extend(with_locks(&files));
    processes.sort_unstable();
    processes.dedup();
    processes.retain(|process| *process != std::process::id());
    processes.into_iter().map(|process| Holder { name: name(process), process }).collect()
}

fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn has_open(process: u32, files: &[(u64, u64)]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let of = |entry: fs::DirEntry| fs::metadata(entry.path()).map(|file| (file.dev(), file.ino()));
    open.flatten().any(|entry| of(entry).is_ok_and(|file| files.contains(&file)))
}

/// Returns the processes in `/proc/locks`, with lines such as `1: POSIX ADVISORY READ 123 fe:01:4567 128
/// 128`. Only the inode is compared, since stacked file systems show another device there.
fn with_locks(files: &[(u64, u64)]) -> Vec<u32> {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let holder = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode: u64 = fields.get(5)?.rsplit(':').next()?.parse().ok()?;
        files.iter().any(|(_, file)| *file == inode).then(|| fields[4].parse().ok())?
    };
    locks
        .lines()
        .filter_map(holder)
        .filter(|process| Path::new(&format!("/proc/{process}")).exists())
        .collect()
}

fn name(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    if name.trim().is_empty() { "a program".to_owned() } else { name.trim().to_owned() }
}
