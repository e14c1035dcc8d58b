//! Import of users from a host application. Each line creates a user, changes one, or changes nothing.

use std::time::Duration;

use super::{standing, succession};
use crate::{
    core::{
        model::{
            FieldErrors, Refusal,
            text::{REQUIRED, Username},
        },
        secrets,
    },
    storage::{
        AnyConn, StorageError,
        tables::{
            external_users, foreign_hashes,
            imported_users::{self, ImportedUser},
            locks, revocations,
            users::{self, NO_PASSWORD, NewUser},
        },
    },
};

/// A valid line of an import. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default)]
pub struct UserLine {
    pub username: Option<Username>,
    pub password: Option<ImportedHash>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub is_active: Option<bool>,
    pub is_staff: Option<bool>,
    /// The user's id in the host application.
    pub external_id: Option<String>,
}

/// A password hash that can be verified, or [`NO_PASSWORD`].
#[derive(Debug, Clone)]
pub struct ImportedHash {
    pub hash: String,
    /// Estimated time of verifying it; zero for hashes of the current kind.
    pub cost: Duration,
}

/// What a line did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    New,
    Changed,
    Unchanged,
}

/// Result of one line. An error has changed nothing.
pub type LineResult = Result<Imported, FieldErrors>;

/// Imports the first of these lines, at least one. A line that activates or deactivates a user, or changes
/// whether one is staff, locks other users, so it ends the batch unless it is the first.
pub fn import(conn: &mut AnyConn, lines: &[UserLine]) -> Result<Vec<LineResult>, StorageError> {
    lock(conn, lines)?;
    let mut results = Vec::with_capacity(lines.len());
    let mut slowest = Duration::ZERO;
    for line in lines {
        let target = match find(conn, line)? {
            Ok(target) => target,
            Err(errors) => {
                results.push(Err(errors));
                continue;
            }
        };
        let changes_standing = target.as_ref().is_some_and(|target| changes_standing(line, target));
        if changes_standing && !results.is_empty() {
            break;
        }
        let taken = line
            .password
            .as_ref()
            .filter(|password| target.as_ref().is_none_or(|target| is_taken(&password.hash, target)));
        slowest = slowest.max(taken.map_or(Duration::ZERO, |password| password.cost));
        results.push(match target {
            Some(target) => settled(change(conn, line, taken, target))?,
            None => settled(create(conn, line))?,
        });
        if changes_standing {
            break;
        }
    }
    if slowest > Duration::ZERO {
        foreign_hashes::raise(conn, slowest)?;
    }
    Ok(results)
}

/// Locks the users of some lines, by id, until the transaction ends. PostgreSQL only.
fn lock(conn: &mut AnyConn, lines: &[UserLine]) -> Result<(), StorageError> {
    if matches!(conn, AnyConn::Sqlite(_)) {
        return Ok(());
    }
    let mut ids = Vec::new();
    for line in lines {
        if let Ok(Some(target)) = find(conn, line)? {
            // Staff are locked before the user.
            if ids.is_empty() && changes_standing(line, &target) {
                return succession::lock_for_status_change(conn, target.user.id()).map(drop);
            }
            ids.push(target.user.id());
        }
    }
    locks::users(conn, &ids)
}

/// Finds the user of a line, by the host's id or else by name. `None`: the user is to be created.
fn find(
    conn: &mut AnyConn,
    line: &UserLine,
) -> Result<Result<Option<ImportedUser>, FieldErrors>, StorageError> {
    let name = line.username.as_ref().map(Username::as_str);
    if let Some(external_id) = &line.external_id
        && let Some(found) = imported_users::by_external_id(conn, external_id)?
    {
        if name.is_some_and(|name| name != found.user.username) {
            let sentence = format!("It belongs to user {}; a username never changes.", found.user.username);
            return Ok(Err(FieldErrors::of("external_id", sentence)));
        }
        return Ok(Ok(Some(found)));
    }
    let Some(name) = name else { return Ok(Err(FieldErrors::of("username", REQUIRED))) };
    let Some(found) = imported_users::by_username(conn, name)? else { return Ok(Ok(None)) };
    if found.user.is_guest {
        return Ok(Err(FieldErrors::of("username", GUEST)));
    }
    if found.user.is_registered {
        return Ok(Err(FieldErrors::of("username", REGISTERED)));
    }
    if line.external_id.is_some() && found.external_id.is_some() {
        return Ok(Err(FieldErrors::of("external_id", OTHER_ID)));
    }
    Ok(Ok(Some(found)))
}

/// Error for the name of a self-registered account, which may belong to another person.
const REGISTERED: &str = "A visitor registered this name. Take the account over first.";

/// Error for the name of a guest.
const GUEST: &str = "A guest has this name.";

/// Error for an id that is not the user's.
const OTHER_ID: &str = "The user of this name has another external_id.";

/// Error for deactivating the last active staff user, or ending that they are staff.
const LAST_STAFF: &str = "This is the last active staff user; make another user staff first.";

fn changes_standing(line: &UserLine, ImportedUser { user, .. }: &ImportedUser) -> bool {
    let differs = |new: Option<bool>, old| new.is_some_and(|new| new != old);
    differs(line.is_active, user.is_active) || differs(line.is_staff, user.is_staff)
}

/// Whether a password of the file replaces the user's. One that was changed here since does not change.
fn is_taken(hash: &str, target: &ImportedUser) -> bool {
    match &target.password_digest {
        Some(digest) => *digest != secrets::hash(hash),
        None => target.user.password == NO_PASSWORD && hash != NO_PASSWORD,
    }
}

/// Moves a refusal of a line's values into the result of the line.
fn settled(result: Result<Imported, StorageError>) -> Result<LineResult, StorageError> {
    match result {
        Err(StorageError::Refused(Refusal::Invalid(errors))) => Ok(Err(errors)),
        other => other.map(Ok),
    }
}

fn create(conn: &mut AnyConn, line: &UserLine) -> Result<Imported, StorageError> {
    let username = line.username.clone().ok_or(Refusal::Internal)?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let new = NewUser {
        username,
        password: line.password.as_ref().map_or(NO_PASSWORD, |password| &password.hash).to_owned(),
        email: text(&line.email),
        first_name: text(&line.first_name),
        last_name: text(&line.last_name),
        avatar_url: String::new(),
        is_staff: line.is_staff.unwrap_or(false),
        is_registered: false,
    };
    let id = imported_users::create(conn, &new, line.is_active.unwrap_or(true))?;
    if let Some(external_id) = &line.external_id {
        external_users::insert(conn, id, external_id)?;
    }
    if let Some(password) = &line.password {
        imported_users::note_password(conn, id, &secrets::hash(&password.hash))?;
    }
    Ok(Imported::New)
}

/// Changes what differs. Refuses before the first write.
fn change(
    conn: &mut AnyConn,
    line: &UserLine,
    password: Option<&ImportedHash>,
    target: ImportedUser,
) -> Result<Imported, StorageError> {
    let before = target.user.clone();
    let mut user = target.user;
    let differing = |new: Option<bool>, old| new.filter(|new| *new != old);
    let is_active = differing(line.is_active, user.is_active);
    let is_staff = differing(line.is_staff, user.is_staff);
    for (field, new) in [("is_active", is_active), ("is_staff", is_staff)] {
        if new == Some(false) && users::is_last_staff(conn, &user)? {
            return Err(FieldErrors::of(field, LAST_STAFF).into());
        }
    }
    let texts = [
        (&mut user.email, &line.email),
        (&mut user.first_name, &line.first_name),
        (&mut user.last_name, &line.last_name),
    ];
    for (field, new) in texts {
        if let Some(new) = new {
            field.clone_from(new);
        }
    }
    if user != before {
        users::update(conn, &user)?;
    }
    if let Some(password) = password {
        standing::set_password(conn, &mut user, &password.hash)?;
        imported_users::note_password(conn, user.id(), &secrets::hash(&password.hash))?;
    }
    if let Some(is_staff) = is_staff {
        standing::set_staff(conn, &mut user, is_staff)?;
    }
    match is_active {
        Some(true) => standing::activate(conn, &mut user)?,
        Some(false) => standing::deactivate(conn, &mut user)?,
        None => {}
    }
    let external_id = line.external_id.as_ref().filter(|_| target.external_id.is_none());
    if let Some(external_id) = external_id {
        external_users::insert(conn, user.id(), external_id)?;
    }
    if user == before && external_id.is_none() {
        return Ok(Imported::Unchanged);
    }
    if user.card() != before.card() || user.email != before.email || external_id.is_some() {
        revocations::record_cli_change(conn, user.id(), "imported a user's profile")?;
    }
    Ok(Imported::Changed)
}
