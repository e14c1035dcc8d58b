//! Files that the program creates. They are readable by their owner only, and links are never followed.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Permission bits of every file: read and write for the owner only.
const OWNER_ONLY: u32 = 0o600;

/// Attempts per operation when another process creates or removes the same file.
const MAX_ATTEMPTS: usize = 10;

/// Creates a file. Fails where the name exists already, even as a dangling link.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(OWNER_ONLY).open(path)
}

/// Creates an empty file and replaces any file or link of that name.
pub fn replace(path: &Path) -> io::Result<File> {
    retry(|| {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        create_new(path)
    })
}

/// Opens a file for locking, or creates it. Replaces a link or other non-regular file of that name.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    retry(|| match open(path) {
        Ok(Some(file)) => {
            if file.metadata()?.mode() & 0o077 != 0 {
                // It fails where another user owns the file.
                let _ = file.set_permissions(Permissions::from_mode(OWNER_ONLY));
            }
            Ok(file)
        }
        Ok(None) => replace(path),
        Err(error) if error.kind() == ErrorKind::NotFound => create_new(path),
        Err(error) => Err(error),
    })
}

/// Opens an existing file without blocking. Returns `None` for a symbolic link, for a file with several hard
/// links, and for anything but a regular file.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    // A link count above 1 means that the file has another name.
    Ok((found.is_file() && found.nlink() == 1).then_some(file))
}

/// Returns whether the name exists, even as a dangling link.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Retries while another process creates or removes the file between two steps.
fn retry(mut work: impl FnMut() -> io::Result<File>) -> io::Result<File> {
    for _ in 1..MAX_ATTEMPTS {
        match work() {
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
            done => return done,
        }
    }
    work()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn whatever_has_the_name_is_replaced_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        fs::write(&other, "another's").unwrap();
        fs::set_permissions(&other, Permissions::from_mode(0o644)).unwrap();
        let obstacles: [&dyn Fn(); 5] = [
            &|| {},
            &|| fs::write(&path, "loose").unwrap(),
            &|| symlink(&other, &path).unwrap(),
            &|| symlink("nowhere", &path).unwrap(),
            &|| fs::hard_link(&other, &path).unwrap(),
        ];
        for (number, obstacle) in obstacles.iter().enumerate() {
            let _ = fs::remove_file(&path);
            obstacle();
            assert_eq!(create_new(&path).is_ok(), number == 0, "{number}");
            let _ = fs::remove_file(&path);
            obstacle();
            let file = replace(&path).unwrap();
            assert_eq!((file.metadata().unwrap().len(), mode(&path)), (0, 0o600), "{number}");
        }
        assert_eq!((fs::read_to_string(&other).unwrap().as_str(), mode(&other)), ("another's", 0o644));
        assert!(!folder.path().join("nowhere").exists());
    }

    #[test]
    fn a_lock_is_a_file_of_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("lock"), folder.path().join("other"));
        fs::write(&other, "").unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        open_or_create(&path).unwrap();
        assert_eq!((fs::metadata(&path).unwrap().ino(), mode(&path)), (before, 0o600));
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        assert!(open(&path).unwrap().is_none());
        open_or_create(&path).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&other, &path).unwrap();
        open_or_create(&path).unwrap();
        assert_ne!(fs::metadata(&path).unwrap().ino(), fs::metadata(&other).unwrap().ino());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(open_or_create(&path).is_err());
    }
}
