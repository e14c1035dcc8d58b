//! A folder with the bytes of attachments. Each file has a folder of its own, named by its id, with its bytes and what
//! is derived from them. Bytes that are being received have another name, so a file that has its name is whole.

use std::{
    fs::{self, DirBuilder, File, ReadDir},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::core::{files, model::FileId, secrets::random_name};

/// Permission bits of a folder: for the owner only.
const OWNER_ONLY: u32 = 0o700;

/// Number of folders over which the files are spread.
const SPREAD: i64 = 1_000;

/// Name of the file with the mark of the database.
const MARK: &str = "database";

/// Prefix of the names of that file while it is written.
const NEW_MARK: &str = "database-";

/// Name of a file's bytes in its folder.
const BYTES: &str = "bytes";

/// Prefix of the names of bytes that are being received.
const PART: &str = "part-";

/// A random text that the database and its folder share. Ids of another database mean other files.
pub type Mark = Arc<str>;

/// A folder with the bytes of attachments.
#[derive(Debug, Clone)]
pub struct Folder {
    path: Arc<Path>,
    mark: Mark,
}

impl Folder {
    pub fn new(path: PathBuf, mark: Mark) -> Self {
        Self { path: path.into(), mark }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the folder is there. Fails if it belongs to another database.
    pub fn look(&self) -> io::Result<bool> {
        match fs::read_to_string(self.path.join(MARK)) {
            Ok(mark) if *mark == *self.mark => Ok(true),
            Ok(_) => Err(io::Error::other(
                "it belongs to another database; give each database a folder of its own",
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                for entry in entries(&self.path)?.into_iter().flatten() {
                    if !is_about_folder(&entry?.file_name().to_string_lossy()) {
                        return Err(io::Error::other("it has other files; give an empty folder"));
                    }
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Creates the folder with its mark, if it is not there.
    pub fn ensure(&self) -> io::Result<()> {
        if self.look()? {
            return Ok(());
        }
        make_folder(&self.path)?;
        // Other requests and nodes may do the same.
        let part = self.path.join(format!("{NEW_MARK}{}", random_name::<8>()));
        let mut file = files::create_new(&part)?;
        file.write_all(self.mark.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, self.path.join(MARK))?;
        sync_folder(&self.path)
    }

    fn folder_of(&self, file: FileId) -> PathBuf {
        self.path.join(format!("{:03}", file.0 % SPREAD)).join(file.0.to_string())
    }

    /// Creates a file for bytes that are received by a request. Removes what earlier requests have left.
    pub fn begin(&self, file: FileId, writer: &str) -> io::Result<File> {
        let folder = self.folder_of(file);
        make_folder(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PART) {
                remove_file(&entry.path())?;
            }
        }
        files::create_new(&folder.join(format!("{PART}{writer}")))
    }

    /// Makes received bytes the file's. They are on the disk then.
    pub fn finish(&self, received: &File, file: FileId, writer: &str) -> io::Result<()> {
        received.sync_all()?;
        let folder = self.folder_of(file);
        fs::rename(folder.join(format!("{PART}{writer}")), folder.join(BYTES))?;
        sync_folder(&folder)?;
        let above = folder.parent().unwrap_or(&self.path);
        sync_folder(above)?;
        sync_folder(&self.path)
    }

    /// Adds what is derived from a file, under a name of its own.
    pub fn add(&self, file: FileId, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.folder_of(file);
        make_folder(&folder)?;
        let mut added = files::replace(&folder.join(name))?;
        added.write_all(bytes)?;
        added.sync_all()
    }

    /// Removes bytes that a request has not received whole.
    pub fn abandon(&self, file: FileId, writer: &str) -> io::Result<()> {
        remove_file(&self.folder_of(file).join(format!("{PART}{writer}")))
    }

    /// Opens the bytes of a file; `None` if they are not there.
    pub fn open(&self, file: FileId) -> io::Result<Option<File>> {
        self.open_named(file, BYTES)
    }

    /// Opens what is derived from a file, by its name; `None` if it is not there.
    pub fn open_named(&self, file: FileId, name: &str) -> io::Result<Option<File>> {
        match File::open(self.folder_of(file).join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether the bytes of a file are there.
    pub fn has(&self, file: FileId) -> bool {
        files::exists(&self.folder_of(file).join(BYTES))
    }

    /// Deletes all of a file. It may be gone already.
    pub fn delete(&self, file: FileId) -> io::Result<()> {
        match fs::remove_dir_all(self.folder_of(file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Calls `each` with the path of each entry, and with the id of the file to which it belongs; `None`: it is not
    /// Greenroom's.
    pub fn walk<E: From<io::Error>>(
        &self,
        mut each: impl FnMut(&Path, Option<FileId>) -> Result<(), E>,
    ) -> Result<(), E> {
        for entry in entries(&self.path)?.into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_about_folder(&name) {
                continue;
            }
            if !is_number(&name, 3) || !entry.file_type()?.is_dir() {
                each(&entry.path(), None)?;
                continue;
            }
            for file in entries(&entry.path())?.into_iter().flatten() {
                let file = file?;
                let id = file.file_name().to_string_lossy().parse().ok().map(FileId);
                let id = id.filter(|id| self.folder_of(*id) == file.path());
                each(&file.path(), id)?;
            }
        }
        Ok(())
    }

    /// Copies a file to another folder, as hard links where that can be. Returns the number of bytes; `None` if they are
    /// not there.
    pub fn copy_to(&self, other: &Self, file: FileId) -> io::Result<Option<u64>> {
        let (from, to) = (self.folder_of(file), other.folder_of(file));
        let Some(names) = entries(&from)? else { return Ok(None) };
        let mut size = None;
        make_folder(&to)?;
        for entry in names {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(PART) {
                continue;
            }
            let copied = copy_or_link(&entry.path(), &to.join(&name))?;
            if name == BYTES {
                size = Some(copied);
            }
        }
        Ok(size)
    }
}

/// Links a file under another name, or copies it where links do not reach. Returns its size.
fn copy_or_link(from: &Path, to: &Path) -> io::Result<u64> {
    remove_file(to)?;
    if fs::hard_link(from, to).is_ok() {
        return Ok(fs::metadata(to)?.len());
    }
    let (mut source, mut copy) = (File::open(from)?, files::create_new(to)?);
    let size = io::copy(&mut source, &mut copy)?;
    copy.sync_all()?;
    Ok(size)
}

/// Returns the entries of a folder; `None` if it is not there.
fn entries(folder: &Path) -> io::Result<Option<ReadDir>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether an entry is no file of attachments: the mark, or what a file system has at its root.
fn is_about_folder(name: &str) -> bool {
    name == MARK || name == "lost+found" || name.starts_with(NEW_MARK)
}

fn is_number(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads until a buffer is full or the file ends. Returns the number of bytes.
pub fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path, mark: &str) -> Folder {
        Folder::new(path.to_owned(), mark.into())
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let place = tempfile::tempdir().unwrap();
        let store = folder(&place.path().join("files"), "a");
        assert!(!store.look().unwrap());
        store.ensure().unwrap();
        assert!(store.look().unwrap());
        let id = FileId(1_234);
        let mut one = store.begin(id, "one").unwrap();
        one.write_all(b"half").unwrap();
        assert!(!store.has(id) && store.open(id).unwrap().is_none());
        // A second request replaces the first one, which can no longer finish.
        let mut two = store.begin(id, "two").unwrap();
        two.write_all(b"whole").unwrap();
        assert!(store.finish(&one, id, "one").is_err());
        store.finish(&two, id, "two").unwrap();
        let mut text = String::new();
        store.open(id).unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "whole");
        let mut found = Vec::new();
        store
            .walk(|_, id| {
                found.push(id);
                Ok::<_, io::Error>(())
            })
            .unwrap();
        assert_eq!(found, [Some(id)]);
        store.delete(id).unwrap();
        store.delete(id).unwrap();
        assert!(!store.has(id));
    }

    #[test]
    fn a_folder_belongs_to_one_database() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("files");
        folder(&path, "a").ensure().unwrap();
        assert!(folder(&path, "b").look().is_err() && folder(&path, "b").ensure().is_err());
        assert!(folder(place.path(), "a").ensure().is_err(), "it has other files");
    }

    #[test]
    fn a_copy_has_the_same_files() {
        let place = tempfile::tempdir().unwrap();
        let (store, copy) = (folder(&place.path().join("a"), "a"), folder(&place.path().join("b"), "a"));
        store.ensure().unwrap();
        copy.ensure().unwrap();
        let id = FileId(7);
        let mut file = store.begin(id, "one").unwrap();
        file.write_all(b"bytes").unwrap();
        store.finish(&file, id, "one").unwrap();
        for _ in 0..2 {
            assert_eq!(store.copy_to(&copy, id).unwrap(), Some(5));
        }
        assert!(copy.has(id));
        assert_eq!(store.copy_to(&copy, FileId(8)).unwrap(), None);
    }
}
