//! What is said of a user in a body: fields as they are sent, and what is to be made or changed of them.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    auth::passwords,
    core::model::{
        FieldErrors, Pictures, UserCard,
        text::{self, Username},
    },
    input::Field,
    state::State,
    storage::tables::users::{NO_PASSWORD, NewUser},
    view::Links,
};

/// The fields of a user, as they come when one is made or changed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UserFields {
    /// ASCII letters, digits and `@ . + - _`.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 150, pattern = "^[A-Za-z0-9@.+_-]+$")]
    username: Field,
    /// Not easy to guess: no common password, and none of the user's names.
    #[serde(default)]
    #[schema(value_type = String, min_length = 8, max_length = 128)]
    password: Field,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email: Field,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150)]
    first_name: Field,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150)]
    last_name: Field,
    /// Blank for the picture that the server draws. Users choose among the hosts of `GREENROOM_PICTURE_HOSTS`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    avatar_url: Field,
    /// False shuts the user out: it ends all sessions and tokens, closes their sockets and hands their chats over.
    #[serde(default)]
    #[schema(value_type = bool)]
    is_active: Field,
    /// False makes an account that its user registered the host's: it ends its password, sessions and tokens.
    #[serde(default)]
    #[schema(value_type = bool)]
    is_registered: Field,
    /// The one that a new password replaces.
    #[serde(default)]
    #[schema(value_type = String)]
    old_password: Field,
}

impl UserFields {
    /// A user to be made; the password is to be hashed still.
    pub(super) fn check_new(&self, needs_password: bool) -> Result<(NewUser, Option<String>), FieldErrors> {
        let mut errors = FieldErrors::default();
        let username = self.username.text().and_then(|name| Username::parse(&name));
        let username = errors.note("username", username);
        let password = match &self.password {
            Field::Missing | Field::Null if !needs_password => Ok(None),
            field => field.text().and_then(|password| passwords::check(&password).map(|()| Some(password))),
        };
        let password = errors.note("password", password);
        let profile = self.profile(&mut errors);
        match (username, password, profile) {
            (Some(username), Some(password), Some([email, first_name, last_name, avatar_url])) => {
                let new = NewUser {
                    username,
                    password: NO_PASSWORD.to_owned(),
                    email: email.unwrap_or_default(),
                    first_name: first_name.unwrap_or_default(),
                    last_name: last_name.unwrap_or_default(),
                    avatar_url: avatar_url.unwrap_or_default(),
                    is_staff: false,
                    is_registered: false,
                };
                Ok((new, password))
            }
            _ => Err(errors),
        }
    }

    /// Whether there may be another picture.
    pub(super) fn has_picture(&self) -> bool {
        self.avatar_url.is_given()
    }

    /// Leaves out the picture where it is the one that a user has, by its own address or by the one that is shown: a form that
    /// sends back what it was given changes nothing.
    pub(super) fn leave_out_picture_of(&mut self, user: &UserCard, links: &Links) {
        let own = user.avatar_url.as_deref().and_then(|stored| links.pictures.shown(stored));
        let is_same = |text: &str| text == links.avatar(user) || own == Some(text);
        if matches!(&self.avatar_url, Field::Text(text) if is_same(text.trim())) {
            self.avatar_url = Field::Missing;
        }
    }

    /// What is to change of oneself, and the password that one has where it is to be another.
    pub(super) fn check_own_change(mut self) -> Result<(UserChange, Option<String>), FieldErrors> {
        // E-mail and standing are the host's to decide.
        (self.email, self.is_active, self.is_registered) = (Field::Missing, Field::Missing, Field::Missing);
        let needs_proof = self.password.is_given();
        let proof = if needs_proof { self.old_password.text().map(Some) } else { Ok(None) };
        match (self.check_change(), proof) {
            (Ok(change), Ok(proof)) => Ok((change, proof)),
            (Ok(_), Err(sentence)) => Err(FieldErrors::of("old_password", sentence)),
            (Err(errors), Ok(_)) => Err(errors),
            (Err(mut errors), Err(sentence)) => {
                errors.add("old_password", sentence);
                Err(errors)
            }
        }
    }

    /// What is to change of a user.
    pub(super) fn check_change(&self) -> Result<UserChange, FieldErrors> {
        let mut errors = FieldErrors::default();
        let is_active = if self.is_active.is_given() { self.is_active.boolean().map(Some) } else { Ok(None) };
        let is_active = errors.note("is_active", is_active);
        let is_taken_over = match self.is_registered.is_given().then(|| self.is_registered.boolean()) {
            None => Ok(false),
            Some(Ok(true)) => Err("Only who registers makes an account a registered one.".to_owned()),
            Some(given) => given.map(|_| true),
        };
        let is_taken_over = errors.note("is_registered", is_taken_over);
        let password = match &self.password {
            Field::Missing => Ok(None),
            field => field.text().and_then(|password| passwords::check(&password).map(|()| Some(password))),
        };
        let password = errors.note("password", password);
        match (is_active, is_taken_over, password, self.profile(&mut errors)) {
            (
                Some(is_active),
                Some(is_taken_over),
                Some(password),
                Some([email, first_name, last_name, avatar_url]),
            ) => Ok(UserChange {
                email,
                first_name,
                last_name,
                avatar_url,
                is_active,
                is_taken_over,
                password,
            }),
            _ => Err(errors),
        }
    }

    /// E-mail, first name, last name and picture, those that were given.
    fn profile(&self, errors: &mut FieldErrors) -> Option<[Option<String>; 4]> {
        let given = |field: &Field, check: &dyn Fn(&str) -> Result<String, String>| {
            field.optional_text()?.map(|text| check(&text)).transpose()
        };
        let email = errors.note("email", given(&self.email, &text::email));
        let name = |text: &str| text::person_name(text, 150);
        let first_name = errors.note("first_name", given(&self.first_name, &name));
        let last_name = errors.note("last_name", given(&self.last_name, &name));
        let avatar_url = errors.note("avatar_url", given(&self.avatar_url, &text::web_address));
        Some([email?, first_name?, last_name?, avatar_url?])
    }
}

/// Said of a picture of a host that is not one of those that are set.
const FOREIGN_PICTURE: &str = "Pictures may not come from this host.";

/// What is stored of the address of a picture that its user has chosen.
pub(super) fn chosen_picture(state: &State, address: &str) -> Result<String, FieldErrors> {
    expect_source(state, address)?;
    if address.is_empty() || state.links.pictures.allow(address) {
        Ok(Pictures::chosen(address))
    } else {
        Err(FieldErrors::of("avatar_url", FOREIGN_PICTURE))
    }
}

/// Said of an address that shows a picture of another host, which it would lead back to.
const NO_SOURCE: &str = "Give the address that the picture comes from.";

/// Refuses addresses of this server that stand for others.
pub(super) fn expect_source(state: &State, address: &str) -> Result<(), FieldErrors> {
    if state.links.is_proxied(address) {
        return Err(FieldErrors::of("avatar_url", NO_SOURCE));
    }
    Ok(())
}

/// What is to change of a user.
pub(super) struct UserChange {
    pub(super) email: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) avatar_url: Option<String>,
    pub(super) is_active: Option<bool>,
    /// Whether an account that its user registered becomes the host's.
    pub(super) is_taken_over: bool,
    /// It is to be hashed still.
    pub(super) password: Option<String>,
}
