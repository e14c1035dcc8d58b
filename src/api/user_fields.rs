//! Request fields of a user, and their validation into a new user or a change.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    auth::passwords,
    core::model::{
        Custom, CustomChange, FieldErrors, Pictures, Refusal, UserCard,
        text::{self, Username},
    },
    error::ApiError,
    input::{CustomField, Field},
    services::accounts::{ProfileChange, UserChange},
    state::AppState,
    storage::tables::users::{NO_PASSWORD, NewUser},
    view::Links,
};

/// Fields of a request that creates or changes a user.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UserFields {
    /// ASCII letters, digits and `@ . + - _`.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 150, pattern = "^[A-Za-z0-9@.+_-]+$")]
    username: Field,
    /// Must not be easy to guess: no common password, and none of the user's names.
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
    /// URL of the picture; blank for the generated one. Users may only use the hosts in
    /// `GREENROOM_PICTURE_HOSTS`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    avatar_url: Field,
    /// The id of the user at an identity provider or in the host application; unique.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    external_id: Field,
    /// Data of the host. A change merges it: `null` removes a name, and instead of the object all names.
    #[serde(default)]
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    custom: CustomField,
    /// False deactivates the user: ends all sessions and tokens, closes all sockets, hands over all chats.
    #[serde(default)]
    #[schema(value_type = bool)]
    is_active: Field,
    /// False transfers a self-registered account to the host: removes its password, sessions and tokens.
    #[serde(default)]
    #[schema(value_type = bool)]
    is_registered: Field,
    /// The current password. Required when users change their own.
    #[serde(default)]
    #[schema(value_type = String)]
    old_password: Field,
}

impl UserFields {
    /// Validates a new user. Returns it with the password, which the caller has yet to hash.
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
            (Some(username), Some(password), Some(profile)) => {
                let ProfileChange { email, first_name, last_name, avatar_url } = profile;
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

    /// Validates the external id of a new user.
    pub(super) fn check_external_id(&self) -> Result<Option<String>, FieldErrors> {
        let given =
            self.external_id.optional_text().and_then(|id| id.map(|id| text::external_id(&id)).transpose());
        given.map_err(|sentence| FieldErrors::of("external_id", sentence))
    }

    /// Validates the custom data of a new user.
    pub(super) fn check_custom(&self) -> Result<Custom, FieldErrors> {
        self.custom.new_data().map_err(|sentence| FieldErrors::of("custom", sentence))
    }

    /// Whether the request sets a picture.
    pub(super) fn has_picture(&self) -> bool {
        self.avatar_url.is_given()
    }

    /// Drops the picture from the change if it is the user's current one. It may be given by its source URL
    /// or by the URL that the API shows. So a form that sends back the values it received changes nothing.
    pub(super) fn leave_out_picture_of(&mut self, user: &UserCard, links: &Links) {
        let own = user.avatar_url.as_deref().and_then(|stored| links.pictures.shown(stored));
        let is_same = |text: &str| text == links.avatar(user) || own == Some(text);
        if matches!(&self.avatar_url, Field::Text(text) if is_same(text.trim())) {
            self.avatar_url = Field::Missing;
        }
    }

    /// Validates a change of the caller's own account. Returns it with `old_password` if there is a new
    /// password.
    pub(super) fn check_own_change(
        mut self,
        is_staff: bool,
    ) -> Result<(UserChange, Option<String>), ApiError> {
        // Only the host decides on e-mail, activation and registration.
        (self.email, self.is_active, self.is_registered) = (Field::Missing, Field::Missing, Field::Missing);
        let needs_proof = self.password.is_given();
        let proof = if needs_proof { self.old_password.text().map(Some) } else { Ok(None) };
        match (self.check_change(is_staff), proof) {
            (Ok(change), Ok(proof)) => Ok((change, proof)),
            (Ok(_), Err(sentence)) => Err(FieldErrors::of("old_password", sentence).into()),
            (Err(ApiError::Refused(Refusal::Invalid(mut errors))), Err(sentence)) => {
                errors.add("old_password", sentence);
                Err(errors.into())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Validates a change of a user. `by_staff`: whether the caller is staff, who may also change private custom data.
    pub(super) fn check_change(&self, by_staff: bool) -> Result<UserChange, ApiError> {
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
        let custom = errors.note("custom", self.custom.change());
        match (is_active, is_taken_over, password, self.profile(&mut errors), custom) {
            (Some(is_active), Some(is_taken_over), Some(password), Some(profile), Some(custom)) => {
                let permitted = |change: CustomChange| change.by(by_staff).ok_or(ApiError::FORBIDDEN);
                let custom = custom.map(permitted).transpose()?;
                Ok(UserChange { profile, is_active, is_taken_over, password, custom })
            }
            _ => Err(errors.into()),
        }
    }

    /// Validates the given ones of e-mail, first name, last name and picture.
    fn profile(&self, errors: &mut FieldErrors) -> Option<ProfileChange> {
        let given = |field: &Field, check: &dyn Fn(&str) -> Result<String, String>| {
            field.optional_text()?.map(|text| check(&text)).transpose()
        };
        let email = errors.note("email", given(&self.email, &text::email));
        let name = |text: &str| text::person_name(text, 150);
        let first_name = errors.note("first_name", given(&self.first_name, &name));
        let last_name = errors.note("last_name", given(&self.last_name, &name));
        let avatar_url = errors.note("avatar_url", given(&self.avatar_url, &text::web_address));
        Some(ProfileChange {
            email: email?,
            first_name: first_name?,
            last_name: last_name?,
            avatar_url: avatar_url?,
        })
    }
}

/// Error for a picture whose host is not in `GREENROOM_PICTURE_HOSTS`.
const FOREIGN_PICTURE: &str = "Pictures may not come from this host.";

/// Checks the URL of a picture that a user has chosen, and returns it in its stored form.
pub(super) fn chosen_picture(state: &AppState, address: &str) -> Result<String, FieldErrors> {
    expect_source(state, address)?;
    if address.is_empty() || state.links.pictures.allow(address) {
        Ok(Pictures::chosen(address))
    } else {
        Err(FieldErrors::of("avatar_url", FOREIGN_PICTURE))
    }
}

/// Error for the URL of a proxied picture. Stored as a source, it would make the proxy fetch from itself.
const NO_SOURCE: &str = "Give the address that the picture comes from.";

/// Rejects URLs of this server's picture proxy.
pub(super) fn expect_source(state: &AppState, address: &str) -> Result<(), FieldErrors> {
    if state.links.is_proxied(address) {
        return Err(FieldErrors::of("avatar_url", NO_SOURCE));
    }
    Ok(())
}
