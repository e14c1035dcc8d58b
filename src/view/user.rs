//! JSON of users.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Links;
use crate::{
    core::model::{Custom, UserCard, UserId},
    storage::tables::users::User,
};

/// A user, wherever one appears.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView<'a> {
    id: UserId,
    username: &'a str,
    /// The full name, else the username.
    display_name: &'a str,
    /// The user's own picture URL if its host is allowed, else a picture that the server draws. With
    /// `GREENROOM_PICTURE_PROXY`, a URL of this server replaces the user's own. URLs of this server are
    /// absolute if `GREENROOM_PUBLIC_URL` is set.
    avatar_url: String,
    /// Whether the user is a guest, without an account.
    is_guest: bool,
}

impl<'a> UserView<'a> {
    pub fn new(user: &'a UserCard, links: &Links) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            display_name: &user.display_name,
            avatar_url: links.avatar(user),
            is_guest: user.is_guest,
        }
    }
}

/// A user on their own, with the host's data.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Profile)]
pub struct ProfileView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    /// Data of the host. Names that begin with `_` are for staff only, over REST.
    #[schema(value_type = HashMap<String, serde_json::Value>)]
    custom: Cow<'a, RawValue>,
}

impl<'a> ProfileView<'a> {
    pub fn new(user: &'a UserCard, custom: &'a Custom, links: &Links) -> Self {
        Self { user: UserView::new(user, links), custom: custom.shown(false) }
    }
}

/// A user found by a search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundUser)]
pub struct FoundUserView<'a> {
    #[serde(flatten)]
    pub user: UserView<'a>,
    pub email: &'a str,
    /// Data of the host. Names that begin with `_` are for staff only.
    #[schema(value_type = HashMap<String, serde_json::Value>)]
    pub custom: Cow<'a, RawValue>,
}

/// A user as shown to themselves and to staff.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnUser)]
pub struct OwnUserView<'a> {
    #[serde(flatten)]
    pub user: UserView<'a>,
    /// The user's own picture URL, if `avatar_url` is a proxy URL of this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub avatar_source: Option<&'a str>,
    pub email: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub is_staff: bool,
    pub is_active: bool,
    /// The id of the user at an identity provider or in the host application.
    #[schema(required)]
    pub external_id: Option<&'a str>,
    /// Data of the host. Names that begin with `_` are for staff only.
    #[schema(value_type = HashMap<String, serde_json::Value>)]
    pub custom: Cow<'a, RawValue>,
}

/// What is stored about a user beside the row.
#[derive(Debug, Clone, Default)]
pub struct UserExtras {
    pub external_id: Option<String>,
    pub custom: Custom,
}

impl<'a> OwnUserView<'a> {
    /// Creates the view. `to_staff`: whether staff see it.
    pub fn new(
        user: &'a User,
        card: &'a UserCard,
        extras: &'a UserExtras,
        to_staff: bool,
        links: &Links,
    ) -> Self {
        Self {
            user: UserView::new(card, links),
            avatar_source: links.source(card),
            email: &user.email,
            first_name: &user.first_name,
            last_name: &user.last_name,
            is_staff: user.is_staff,
            is_active: user.is_active,
            external_id: extras.external_id.as_deref(),
            custom: extras.custom.shown(to_staff),
        }
    }
}
