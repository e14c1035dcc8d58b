//! How users are shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{UserCard, UserId};

/// Where this server is found from outside, for links that leave it.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// `https://chat.example.com`, without a slash at the end; empty where it is not set.
    pub public_url: String,
}

impl Links {
    fn avatar(&self, user: &UserCard) -> String {
        match &user.avatar_url {
            Some(own) => own.clone(),
            None => format!("{}/messages/avatars/{}.svg", self.public_url, user.id),
        }
    }
}

/// A user, wherever one appears.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView<'a> {
    id: UserId,
    username: &'a str,
    /// The full name, else the username.
    display_name: &'a str,
    /// The user's own address, else a picture that the server draws; that one is absolute where
    /// `GREENROOM_PUBLIC_URL` is set.
    avatar_url: String,
}

impl<'a> UserView<'a> {
    pub fn new(user: &'a UserCard, links: &Links) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            display_name: &user.display_name,
            avatar_url: links.avatar(user),
        }
    }
}

/// A user found by a search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundUser)]
pub struct FoundUserView<'a> {
    #[serde(flatten)]
    pub user: UserView<'a>,
    pub email: &'a str,
}

/// A user as shown to themselves, and to staff.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnUser)]
pub struct OwnUserView<'a> {
    #[serde(flatten)]
    pub user: UserView<'a>,
    pub email: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub is_staff: bool,
    pub is_active: bool,
}
