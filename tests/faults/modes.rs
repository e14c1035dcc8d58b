//! Modes of the files that the program creates, with any umask and with obstacles at their paths.

use std::{
    os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::json;

use crate::program::{Program, command};

/// A folder owned by the test's user, with the files that exist before the program runs.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite://{}", self.path(name).display())
    }

    /// Runs the program with umask 0, which grants everything to all users.
    fn runs(&self, args: &[&str]) -> Output {
        let mut command = self.command();
        let output = command.args(args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs a command that must fail. Returns its error.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.command().args(args).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn command(&self) -> Command {
        let program = command("");
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(program.get_program());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GREENROOM_")) {
            shell.env_remove(name);
        }
        shell.env("GREENROOM_DATABASE_URL", self.url("chat.db")).current_dir(self.folder.path());
        shell
    }

    fn serves(&self) -> Program {
        let mut serve = self.command();
        serve.args(["serve", "--bind", "127.0.0.1:0", "--log", "off"]);
        Program::start(serve)
    }

    fn mode(&self, name: &str) -> u32 {
        std::fs::symlink_metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    /// Asserts that only the owner can access the files in the folder, except those in `but`.
    #[track_caller]
    fn is_closed_to_others(&self, but: &[&str]) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !but.contains(&name.as_str()) {
                assert_eq!(self.mode(&name), 0o600, "{name}");
            }
        }
    }

    fn loosens(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn has_another_file(&self) -> PathBuf {
        let other = self.path("other");
        std::fs::write(&other, "another's").unwrap();
        self.loosens("other", 0o644);
        other
    }

    #[track_caller]
    fn left_the_other_alone(&self) {
        assert_eq!(std::fs::read_to_string(self.path("other")).unwrap(), "another's");
        assert_eq!(self.mode("other"), 0o644);
    }
}

/// Creates an obstacle at the path of a file.
type Obstacle<'a> = &'a dyn Fn(&Path);

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[actix_rt::test(system = "crate::System")]
async fn every_file_is_its_owners_alone_whatever_the_umask() {
    let place = Place::new();
    place.runs(&["demo"]);
    place.is_closed_to_others(&[]);
    let token = String::from_utf8(place.runs(&["token", "create", "alice"]).stdout).unwrap();
    let server = place.serves();
    let body = json!({"content": "hello"});
    assert_eq!(server.request("POST", "chats/1/messages/", token.trim(), Some(body)).await.unwrap().0, 201);
    place.runs(&["backup", "copy.db"]);
    let names = ["chat.db", "chat.db-wal", "chat.db-shm", "chat.db-serving", "copy.db"];
    assert!(names.iter().all(|name| place.path(name).exists()));
    place.is_closed_to_others(&[]);
    drop(server);
    // Replacing a file that others could access closes it to them.
    for name in ["chat.db", "copy.db"] {
        place.loosens(name, 0o644);
    }
    place.runs(&["restore", "copy.db", "--force"]);
    assert_eq!((place.mode("chat.db"), place.mode("copy.db")), (0o600, 0o644));
    place.runs(&["backup", "copy.db", "--force"]);
    place.is_closed_to_others(&[]);
}

#[test]
fn links_and_other_kinds_of_files_are_replaced_and_not_followed() {
    let place = Place::new();
    let other = place.has_another_file();
    place.runs(&["demo"]);
    let obstacles: [(&str, Obstacle); 6] = [
        ("a link", &|path| symlink(&other, path).unwrap()),
        ("a link that leads nowhere", &|path| symlink("nowhere", path).unwrap()),
        ("a hard link", &|path| std::fs::hard_link(&other, path).unwrap()),
        ("a pipe", &mkfifo),
        ("a loose file", &|path| {
            std::fs::write(path, "left").unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("nothing", &|_| {}),
    ];
    let lays = |name: &str, obstacle: &dyn Fn(&Path)| {
        let _ = std::fs::remove_file(place.path(name));
        obstacle(&place.path(name));
    };
    for (what, obstacle) in obstacles {
        println!("{what}");
        lays("copy.db", obstacle);
        lays("copy.db.part", obstacle);
        if what != "nothing" {
            assert!(place.fails(&["backup", "copy.db"]).contains("give --force"));
        }
        place.runs(&["backup", "copy.db", "--force"]);
        lays("chat.db.part", obstacle);
        lays("chat.db-serving", obstacle);
        drop(place.serves());
        place.runs(&["restore", "copy.db", "--force"]);
        place.is_closed_to_others(&["other"]);
        place.left_the_other_alone();
        assert!(!place.path("nowhere").exists());
    }
    // The restored database replaces a symbolic link.
    std::fs::remove_file(place.path("chat.db")).unwrap();
    symlink(&other, place.path("chat.db")).unwrap();
    assert!(place.fails(&["restore", "copy.db"]).contains("give --force"));
    place.runs(&["restore", "copy.db", "--force"]);
    place.is_closed_to_others(&["other"]);
    place.left_the_other_alone();
}

#[test]
fn a_new_database_is_made_by_its_own_name_only() {
    let place = Place::new();
    symlink("nowhere", place.path("chat.db")).unwrap();
    assert!(place.fails(&["demo"]).contains("leads nowhere"));
    assert!(!place.path("nowhere").exists());
    std::fs::remove_file(place.path("chat.db")).unwrap();
    mkfifo(&place.path("chat.db"));
    assert!(place.fails(&["demo"]).contains("it is no file"));
    assert!(std::fs::symlink_metadata(place.path("chat.db")).unwrap().file_type().is_fifo());
    std::fs::remove_file(place.path("chat.db")).unwrap();
    // A link at the path of the WAL is not followed either.
    let other = place.has_another_file();
    symlink(&other, place.path("chat.db-wal")).unwrap();
    place.runs(&["demo"]);
    place.left_the_other_alone();
    // A database behind a link is served at the link's target.
    std::fs::rename(place.path("chat.db"), place.path("elsewhere.db")).unwrap();
    symlink("elsewhere.db", place.path("chat.db")).unwrap();
    assert!(String::from_utf8(place.runs(&["user", "list"]).stdout).unwrap().contains("alice"));
}

#[test]
fn a_database_that_everybody_can_open_is_warned_of() {
    let place = Place::new();
    place.runs(&["demo"]);
    let warns = |mode: u32| {
        place.loosens("chat.db", mode);
        let mut serve = place.command();
        serve.args(["serve", "--bind", "127.0.0.1:0"]).stderr(Stdio::piped());
        let mut program = Program::start(serve);
        program.signal("TERM");
        let mut log = String::new();
        std::io::Read::read_to_string(program.child.stderr.as_mut().unwrap(), &mut log).unwrap();
        log.contains("everybody on this machine can open")
    };
    assert!(warns(0o644));
    // Access for the group may be intended.
    assert!(!warns(0o660) && !warns(0o600));
    assert_eq!(place.mode("chat.db"), 0o600);
}
