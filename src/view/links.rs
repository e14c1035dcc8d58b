//! Addresses of this server in what it shows: those of pictures.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

use crate::core::model::{Pictures, UserCard, UserId};

/// Where this server is found from outside, for links that leave it.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// `https://chat.example.com`, without a slash at the end; empty where it is not set.
    pub public_url: String,
    /// Where the pictures come from that are shown.
    pub pictures: Arc<Pictures>,
    /// Set where not everybody may know who there is: pictures are shown to those who were shown their address.
    pub avatar_key: Option<AddressKey>,
    /// Set where this server fetches the pictures of other hosts: those whose address it has shown.
    pub picture_key: Option<AddressKey>,
}

/// Signs addresses of pictures. Each kind signs a text that no other kind does.
#[derive(Clone)]
pub struct AddressKey(Arc<[u8]>);

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressKey")
    }
}

impl AddressKey {
    pub fn new(secret: &[u8]) -> Self {
        Self(secret.into())
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac
    }

    fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(text).finalize().into_bytes())
    }

    fn has_signed(&self, text: &str, signature: &str) -> bool {
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| self.mac(text).verify_slice(&bytes).is_ok())
    }
}

/// What is signed for the picture that the server draws for a user.
fn drawn(user: UserId) -> String {
    format!("avatar {user}")
}

/// What is signed for a user's picture of another host. Another picture of theirs has another signature.
fn proxied(user: UserId, stored: &str) -> String {
    format!("picture {user} {stored}")
}

impl Links {
    /// The address of a user's picture, as it is shown.
    pub fn avatar(&self, user: &UserCard) -> String {
        if let Some(key) = &self.picture_key
            && let Some((stored, _)) = self.other_hosts(user)
        {
            let signature = key.sign(&proxied(user.id, stored));
            return format!("{}{PICTURES}{}/{signature}", self.public_url, user.id);
        }
        match user.avatar_url.as_deref().and_then(|stored| self.pictures.shown(stored)) {
            Some(own) => own.to_owned(),
            None => {
                let signature =
                    self.avatar_key.as_ref().map(|key| format!("?key={}", key.sign(&drawn(user.id))));
                let signature = signature.unwrap_or_default();
                format!("{}/messages/avatars/{}.svg{signature}", self.public_url, user.id)
            }
        }
    }

    /// The user's own address, where an address of this server is shown for it.
    pub fn source<'a>(&self, user: &'a UserCard) -> Option<&'a str> {
        self.picture_key.as_ref()?;
        self.other_hosts(user).map(|(_, address)| address)
    }

    /// Whether a signature is that of the picture that the server draws for a user; all pass where none is needed.
    pub fn open_avatar(&self, user: UserId, signature: Option<&str>) -> bool {
        let is_signed = |key: &AddressKey| signature.is_some_and(|text| key.has_signed(&drawn(user), text));
        self.avatar_key.as_ref().is_none_or(is_signed)
    }

    /// The user's picture of another host as it is stored, where a signature is that of its address.
    pub fn open_picture<'a>(&self, user: &'a UserCard, signature: &str) -> Option<&'a str> {
        let key = self.picture_key.as_ref()?;
        let (stored, _) = self.other_hosts(user)?;
        key.has_signed(&proxied(user.id, stored), signature).then_some(stored)
    }

    /// Whether an address of this server stands for one of another host, and so is none that a picture may have.
    pub fn is_proxied(&self, address: &str) -> bool {
        let is_below = Url::parse(address).is_ok_and(|url| url.path().starts_with(PICTURES));
        is_below && self.pictures.is_own_address(address)
    }

    /// A user's picture, as it is stored and its address, where it is shown and of another host.
    fn other_hosts<'a>(&self, user: &'a UserCard) -> Option<(&'a str, &'a str)> {
        let stored = user.avatar_url.as_deref()?;
        let address = self.pictures.shown(stored)?;
        (!self.pictures.is_own_address(address)).then_some((stored, address))
    }
}

/// What the addresses begin with that stand for pictures of other hosts.
const PICTURES: &str = "/messages/pictures/";
