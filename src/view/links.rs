//! URLs of this server in JSON: those of pictures. The signatures of all kinds of URLs.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::{Url, form_urlencoded};

use crate::core::model::{Pictures, UserCard, UserId};

/// Builds and checks this server's public URLs.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// `https://chat.example.com`, without a trailing slash; empty if not configured.
    pub public_url: String,
    /// The hosts whose pictures are shown.
    pub pictures: Arc<Pictures>,
    /// Signs avatar URLs; set if users may not find each other. Then an avatar opens only to clients that
    /// were given its URL.
    pub avatar_key: Option<AddressKey>,
    /// Signs URLs of proxied pictures; set if this server fetches other hosts' pictures. Only pictures whose
    /// URL it has signed are fetched.
    pub picture_key: Option<AddressKey>,
    /// Signs the addresses of previews' pictures. `None`: there are no previews.
    pub preview_key: Option<AddressKey>,
    /// Signs the addresses at which uploads are received, and links to files. `None`: there are none.
    pub file_key: Option<AddressKey>,
}

/// Key that signs picture URLs. Each kind of URL signs a text that no other kind does.
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

    pub(super) fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(text).finalize().into_bytes())
    }

    pub(super) fn has_signed(&self, text: &str, signature: &str) -> bool {
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| self.mac(text).verify_slice(&bytes).is_ok())
    }
}

/// Returns the text that is signed for the avatar that the server draws.
fn drawn(user: UserId) -> String {
    format!("avatar {user}")
}

/// Returns the text that is signed for a user's picture on another host. A new picture has a new signature.
fn proxied(user: UserId, stored: &str) -> String {
    format!("picture {user} {stored}")
}

impl Links {
    /// Returns the URL of a user's picture for clients.
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

    /// Returns the user's own picture URL if a proxy URL is shown in its place.
    pub fn source<'a>(&self, user: &'a UserCard) -> Option<&'a str> {
        self.picture_key.as_ref()?;
        self.other_hosts(user).map(|(_, address)| address)
    }

    /// Returns whether a signature opens the avatar drawn for a user. Any request passes if no signature is
    /// required.
    pub fn open_avatar(&self, user: UserId, signature: Option<&str>) -> bool {
        let is_signed = |key: &AddressKey| signature.is_some_and(|text| key.has_signed(&drawn(user), text));
        self.avatar_key.as_ref().is_none_or(is_signed)
    }

    /// Returns the stored URL of a user's picture on another host, if the signature is valid for it.
    pub fn open_picture<'a>(&self, user: &'a UserCard, signature: &str) -> Option<&'a str> {
        let key = self.picture_key.as_ref()?;
        let (stored, _) = self.other_hosts(user)?;
        key.has_signed(&proxied(user.id, stored), signature).then_some(stored)
    }

    /// Returns whether a URL is a proxy URL of this server. A user may not set one as their picture.
    pub fn is_proxied(&self, address: &str) -> bool {
        let is_below = Url::parse(address).is_ok_and(|url| url.path().starts_with(PICTURES));
        is_below && self.pictures.is_own_address(address)
    }

    /// Returns a user's picture on another host, if it is shown: the stored text and its URL.
    fn other_hosts<'a>(&self, user: &'a UserCard) -> Option<(&'a str, &'a str)> {
        let stored = user.avatar_url.as_deref()?;
        let address = self.pictures.shown(stored)?;
        (!self.pictures.is_own_address(address)).then_some((stored, address))
    }
}

impl Links {
    /// Returns the URL at which this server shows the picture of a page.
    pub fn preview_image(&self, image: &str) -> Option<String> {
        let signature = self.preview_key.as_ref()?.sign(&previewed(image));
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", image).finish();
        Some(format!("{}{PREVIEWS}{signature}?{query}", self.public_url))
    }

    /// Returns whether a signature opens the picture of a page.
    pub fn open_preview_image(&self, image: &str, signature: &str) -> bool {
        self.preview_key.as_ref().is_some_and(|key| key.has_signed(&previewed(image), signature))
    }
}

/// Returns the text that is signed for the picture of a page.
fn previewed(image: &str) -> String {
    format!("preview {image}")
}

/// Path prefix of the pictures of pages.
const PREVIEWS: &str = "/messages/previews/";

/// Path prefix of proxied pictures.
const PICTURES: &str = "/messages/pictures/";
