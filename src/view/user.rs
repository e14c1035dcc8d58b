//! How users are shown.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::core::model::{Pictures, UserCard, UserId};

/// Where this server is found from outside, for links that leave it.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// `https://chat.example.com`, without a slash at the end; empty where it is not set.
    pub public_url: String,
    /// Where the pictures come from that are shown.
    pub pictures: Arc<Pictures>,
    /// Set where not everybody may know who there is: pictures are shown to those who were shown their address.
    pub avatar_key: Option<AvatarKey>,
}

/// Signs the addresses of the pictures that the server draws.
#[derive(Clone)]
pub struct AvatarKey(Arc<[u8]>);

impl fmt::Debug for AvatarKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AvatarKey")
    }
}

impl AvatarKey {
    pub fn new(secret: &[u8]) -> Self {
        Self(secret.into())
    }

    fn mac(&self, user: UserId) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("avatar {user}").as_bytes());
        mac
    }

    fn sign(&self, user: UserId) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(user).finalize().into_bytes())
    }

    /// Whether a signature is that of a user's picture.
    pub fn has_signed(&self, user: UserId, signature: &str) -> bool {
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| self.mac(user).verify_slice(&bytes).is_ok())
    }
}

impl Links {
    fn avatar(&self, user: &UserCard) -> String {
        match user.avatar_url.as_deref().and_then(|stored| self.pictures.shown(stored)) {
            Some(own) => own.to_owned(),
            None => {
                let signature = self.avatar_key.as_ref().map(|key| format!("?key={}", key.sign(user.id)));
                let signature = signature.unwrap_or_default();
                format!("{}/messages/avatars/{}.svg{signature}", self.public_url, user.id)
            }
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
    /// The user's own address where pictures may come from its host, else a picture that the server draws; that one is absolute where
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
