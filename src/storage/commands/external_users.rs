//! Users of an identity provider: created by their first token, and updated by newer ones.

use crate::{
    core::{
        model::{Timestamp, UserId, text::Username},
        secrets,
    },
    storage::{
        AnyConn, StorageError,
        tables::{
            external_users::{self, ExternalUser},
            revocations,
            users::{self, NO_PASSWORD, NewUser, User},
        },
    },
};

/// What a token says about its user. `None`: nothing, and the field stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ProvidedProfile {
    /// `sub`: the id of the user at the provider.
    pub external_id: String,
    /// When the token was issued.
    pub issued_at: Option<Timestamp>,
    /// The username of a new user, if it is not taken.
    pub username: Option<Username>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// In its stored form.
    pub avatar_url: Option<String>,
    pub email: Option<String>,
    pub is_staff: Option<bool>,
}

/// Result of taking a profile.
#[derive(Debug)]
pub struct Taken {
    pub user: User,
    pub is_new: bool,
    /// Whether the public data of an existing user changed.
    pub looks_different: bool,
}

impl ProvidedProfile {
    /// Whether the profile may change a user: it is newer than the last one that was taken, or it withdraws staff.
    pub fn is_news_for(&self, user: &ExternalUser) -> bool {
        match self.issued_at {
            Some(issued_at) => user.claims_at.is_none_or(|taken| taken < issued_at),
            None => user.is_staff && self.is_staff == Some(false),
        }
    }

    fn has_name(&self) -> bool {
        self.first_name.is_some() || self.last_name.is_some()
    }

    fn apply(&self, user: &mut User) {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut user.first_name, &self.first_name);
        set(&mut user.last_name, &self.last_name);
        set(&mut user.avatar_url, &self.avatar_url);
        set(&mut user.email, &self.email);
    }
}

/// Creates the user of a token, or takes its profile if it is newer than the last one. An inactive user stays as
/// they are.
pub fn take_profile(conn: &mut AnyConn, profile: &ProvidedProfile) -> Result<Taken, StorageError> {
    let Some(known) = external_users::find(conn, &profile.external_id)? else {
        return create(conn, profile);
    };
    let Some(mut user) = users::find_for_update(conn, known.user_id)? else { return create(conn, profile) };
    // The row is locked now: another token may have been taken meanwhile.
    let known = external_users::find(conn, &profile.external_id)?.unwrap_or(known);
    let before = user.clone();
    if user.is_active && profile.is_news_for(&known) {
        if profile.issued_at.is_some() {
            profile.apply(&mut user);
            user.is_staff = profile.is_staff.unwrap_or(user.is_staff);
            let has_name = known.has_claimed_name || profile.has_name();
            external_users::note_claims(conn, known.user_id, profile.issued_at, has_name)?;
        } else {
            // Without a time, an old token could grant what a newer one withdrew.
            user.is_staff = false;
        }
    }
    if user != before {
        users::update(conn, &user)?;
        revocations::record(conn, known.user_id)?;
    }
    let looks_different = user.card() != before.card();
    Ok(Taken { user, is_new: false, looks_different })
}

fn create(conn: &mut AnyConn, profile: &ProvidedProfile) -> Result<Taken, StorageError> {
    let wanted = match &profile.username {
        Some(name) if !users::is_taken(conn, name)? => Some(name.clone()),
        _ => None,
    };
    let mut new = NewUser {
        username: wanted.clone().unwrap_or_else(|| generated(&format!("u-{}", secrets::random_name::<16>()))),
        password: NO_PASSWORD.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        avatar_url: String::new(),
        is_staff: profile.is_staff.unwrap_or(false),
        is_registered: false,
    };
    let set = |field: &mut String, value: &Option<String>| {
        field.clone_from(value.as_ref().unwrap_or(&String::new()))
    };
    set(&mut new.email, &profile.email);
    set(&mut new.first_name, &profile.first_name);
    set(&mut new.last_name, &profile.last_name);
    set(&mut new.avatar_url, &profile.avatar_url);
    let mut user = users::create(conn, &new)?;
    // Of two concurrent first tokens of a user, the second violates the unique index here, and is tried again.
    external_users::assign(conn, user.id(), &profile.external_id)?;
    external_users::note_claims(conn, user.id(), profile.issued_at, profile.has_name())?;
    if wanted.is_none() {
        let name = free_name(conn, user.id())?;
        users::rename(conn, &mut user, &name)?;
    }
    Ok(Taken { user, is_new: true, looks_different: false })
}

/// Returns the username of a user whose token has no usable one: `u` and the id, or if that is taken, with a
/// random suffix.
fn free_name(conn: &mut AnyConn, user: UserId) -> Result<Username, StorageError> {
    let name = generated(&format!("u{user}"));
    if !users::is_taken(conn, &name)? {
        return Ok(name);
    }
    Ok(generated(&format!("u{user}-{}", secrets::random_name::<8>())))
}

fn generated(name: &str) -> Username {
    Username::parse(name).expect("letters, digits and hyphens make a username")
}
