//! Files that the program makes: only their owner may read them, and no name leads elsewhere.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// The mode of each file.
const OWNERS_ALONE: u32 = 0o600;

/// How often another process may be in the way.
const TRIES: usize = 10;

/// Makes a file where there is nothing of that name, not even a link.
pub fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(OWNERS_ALONE).open(path)
}

/// Makes a file in the place of whatever has the name.
pub fn make_anew(path: &Path) -> io::Result<File> {
    again_and_again(|| {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make(path)
    })
}

/// Opens a file that is there to be locked, or makes it. What is no file and has its name goes.
pub fn open_or_make(path: &Path) -> io::Result<File> {
    again_and_again(|| match open(path) {
        Ok(Some(file)) => {
            if file.metadata()?.mode() & 0o077 != 0 {
                // It may be another user's.
                let _ = file.set_permissions(Permissions::from_mode(OWNERS_ALONE));
            }
            Ok(file)
        }
        Ok(None) => make_anew(path),
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        Err(error) => Err(error),
    })
}

/// Opens a file that is there; `None` where the name is that of a link, or of something else that is no file of its own. It
/// waits for nobody.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    // A hard link is another file's second name.
    Ok((found.is_file() && found.nlink() == 1).then_some(file))
}

/// Whether something has the name, if only a link that leads nowhere.
pub fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What another process made or removed in between is looked at anew.
fn again_and_again(mut work: impl FnMut() -> io::Result<File>) -> io::Result<File> {
    for _ in 1..TRIES {
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
            assert_eq!(make(&path).is_ok(), number == 0, "{number}");
            let _ = fs::remove_file(&path);
            obstacle();
            let file = make_anew(&path).unwrap();
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
        open_or_make(&path).unwrap();
        assert_eq!((fs::metadata(&path).unwrap().ino(), mode(&path)), (before, 0o600));
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        assert!(open(&path).unwrap().is_none());
        open_or_make(&path).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&other, &path).unwrap();
        open_or_make(&path).unwrap();
        assert_ne!(fs::metadata(&path).unwrap().ino(), fs::metadata(&other).unwrap().ino());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(open_or_make(&path).is_err());
    }
}
