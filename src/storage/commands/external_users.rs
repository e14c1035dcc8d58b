//! Users of an identity provider: created by their first token, and updated by newer ones.

use super::generated_name;
use crate::{
    core::model::{Custom, Timestamp, text::Username},
    storage::{
        AnyConn, StorageError,
        tables::{
            external_users::{self, ExternalUser},
            revocations, user_custom,
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
    pub is_changed: bool,
    /// The custom data, if the public data of an existing user changed.
    pub news: Option<Custom>,
    /// Whether the user is staff now, if that changed.
    pub staff_change: Option<bool>,
}

impl ProvidedProfile {
    /// Whether the profile is newer than the last one that was taken. Without a time it counts only for a new user.
    pub fn is_news_for(&self, user: &ExternalUser) -> bool {
        self.issued_at.is_some_and(|issued_at| user.claims_at.is_none_or(|taken| taken < issued_at))
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
    if user.is_active && !known.has_revoked(profile.issued_at) && profile.is_news_for(&known) {
        profile.apply(&mut user);
        user.is_staff = profile.is_staff.unwrap_or(user.is_staff);
        let has_name = known.has_claimed_name || profile.has_name();
        external_users::note_claims(conn, known.user_id, profile.issued_at, has_name)?;
    }
    let is_changed = user != before;
    if is_changed {
        users::update(conn, &user)?;
        revocations::record(conn, known.user_id)?;
    }
    let looks_different = user.card() != before.card();
    let news = if looks_different { Some(user_custom::find(conn, known.user_id)?) } else { None };
    let staff_change = (user.is_staff != before.is_staff).then_some(user.is_staff);
    Ok(Taken { user, is_new: false, is_changed, news, staff_change })
}

fn create(conn: &mut AnyConn, profile: &ProvidedProfile) -> Result<Taken, StorageError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut new = NewUser {
        username: profile.username.clone().unwrap_or_else(generated_name::temporary),
        password: NO_PASSWORD.to_owned(),
        email: text(&profile.email),
        first_name: text(&profile.first_name),
        last_name: text(&profile.last_name),
        avatar_url: text(&profile.avatar_url),
        is_staff: profile.is_staff.unwrap_or(false),
        is_registered: false,
    };
    let mut has_wanted_name = profile.username.is_some();
    let mut user = match users::create(conn, &new) {
        // The name is taken, and nothing is written yet.
        Err(StorageError::Refused(_)) if has_wanted_name => {
            has_wanted_name = false;
            new.username = generated_name::temporary();
            users::create(conn, &new)?
        }
        created => created?,
    };
    // Of two concurrent first tokens of a user, the second violates the unique index here. Its transaction is rolled
    // back and tried again, and then finds the user.
    external_users::insert(conn, user.id(), &profile.external_id)?;
    external_users::note_claims(conn, user.id(), profile.issued_at, profile.has_name())?;
    if !has_wanted_name {
        generated_name::assign(conn, &mut user, "u")?;
    }
    let staff_change = user.is_staff.then_some(true);
    Ok(Taken { user, is_new: true, is_changed: true, news: None, staff_change })
}
