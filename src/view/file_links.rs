//! URLs of attachments: where uploads are received, where files are served, and links that open without a credential.

use url::Url;

use super::{AddressKey, Links};
use crate::core::model::{Attachment, AttachmentId, Timestamp, UserId};

/// Path prefix of files.
const FILES: &str = "/messages/api/files/";

/// Path prefix of the addresses at which uploads are received.
const UPLOADS: &str = "/messages/uploads/";

/// A link that opens a file for whoever has it, with the rights of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLink {
    pub user: UserId,
    pub expires_at: Timestamp,
}

/// Returns the text that is signed for the address at which an upload is received.
fn received(upload: AttachmentId) -> String {
    format!("upload {upload}")
}

/// Returns the text that is signed for a link to a file.
fn linked(file: AttachmentId, link: FileLink) -> String {
    format!("file {file} {} {}", link.user, link.expires_at.0)
}

impl Links {
    /// Returns the URL of an attachment.
    pub fn file(&self, shown: &Attachment) -> String {
        format!("{}{FILES}{}/{}", self.public_url, shown.id, encoded(&shown.name))
    }

    /// Returns the URL at which the bytes of an upload are received. Its key replaces a credential.
    pub fn upload(&self, id: AttachmentId) -> Option<String> {
        let signature = self.file_key.as_ref()?.sign(&received(id));
        Some(format!("{}{UPLOADS}{id}/{signature}", self.public_url))
    }

    /// Returns whether a key opens the address of an upload.
    pub fn open_upload(&self, id: AttachmentId, key: &str) -> bool {
        self.file_key.as_ref().is_some_and(|own| own.has_signed(&received(id), key))
    }

    /// Returns the URL of an attachment with a link of a user.
    pub fn file_with_link(&self, shown: &Attachment, link: FileLink) -> Option<String> {
        let signature = self.file_key.as_ref()?.sign(&linked(shown.id, link));
        Some(format!("{}?v={}.{}.{signature}", self.file(shown), link.user, link.expires_at.0))
    }

    /// Returns the link of a URL, if it was signed for this attachment and its time is not over.
    pub fn open_file_link(&self, id: AttachmentId, text: &str) -> Option<FileLink> {
        let mut parts = text.splitn(3, '.');
        let (user, expires, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let link = FileLink { user: UserId::parse(user)?, expires_at: Timestamp(expires.parse().ok()?) };
        let is_open = |key: &AddressKey| key.has_signed(&linked(id, link), signature);
        let is_signed = self.file_key.as_ref().is_some_and(is_open);
        (is_signed && link.expires_at > Timestamp::now()).then_some(link)
    }
}

/// Encodes a name for the path of a URL. The name that the path of links has gets another one, since any name will do.
fn encoded(name: &str) -> String {
    let mut url = Url::parse("http://localhost/").expect("it is a URL");
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(if name == "link" { "_link" } else { name });
    }
    url.path().trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_a_path() {
        assert_eq!(encoded("a b?#%/ü.txt"), "a%20b%3F%23%25%2F%C3%BC.txt");
        assert_eq!(encoded("link"), "_link");
        assert_eq!(encoded("..."), "...");
    }

    #[test]
    fn a_link_opens_one_file_until_it_expires() {
        let links = Links { file_key: Some(AddressKey::new(b"secret")), ..Links::default() };
        let signed = |id: i64, seconds: i64| {
            let link = FileLink { user: UserId(7), expires_at: Timestamp::now().plus(seconds * 1_000_000) };
            let key = links.file_key.as_ref().unwrap();
            let signature = key.sign(&linked(AttachmentId(id), link));
            (link, format!("7.{}.{signature}", link.expires_at.0))
        };
        let (link, text) = signed(5, 60);
        assert_eq!(links.open_file_link(AttachmentId(5), &text), Some(link));
        assert_eq!(links.open_file_link(AttachmentId(6), &text), None);
        assert_eq!(links.open_file_link(AttachmentId(5), &text.replacen('7', "8", 1)), None);
        let (_, late) = signed(5, -1);
        assert_eq!(links.open_file_link(AttachmentId(5), &late), None);
        for bad in ["", "7", "7.1", "7.1.x", "x.1.y", "7..", "...."] {
            assert_eq!(links.open_file_link(AttachmentId(5), bad), None, "{bad}");
        }
    }
}
