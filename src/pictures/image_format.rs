//! Detection of image formats.

/// Image formats that the proxy serves. SVG is excluded, because it can contain scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    Png,
    Jpeg,
    Gif,
    Webp,
    Avif,
}

/// `Accept` header of the requests.
pub(super) const ACCEPTED: &str = "image/avif,image/webp,image/png,image/jpeg,image/gif";

impl ImageFormat {
    /// Detects the format by the first bytes. The `Content-Type` of the response is ignored.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ if is_avif(bytes) => Some(Self::Avif),
            _ => None,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
        }
    }
}

/// Maximum number of bytes of the first box that are searched for the AVIF brand.
const FIRST_BOX: usize = 256;

/// Whether the first box is `ftyp` (ISO/IEC 14496-12) with an AVIF brand.
fn is_avif(bytes: &[u8]) -> bool {
    let Some((size, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let Some(brands) = rest.strip_prefix(b"ftyp") else { return false };
    let length = (u32::from_be_bytes(*size) as usize).clamp(8, FIRST_BOX) - 8;
    // The version after the major brand is compared too; it can equal a brand only on purpose.
    brands[..length.min(brands.len())].chunks_exact(4).any(|brand| brand == b"avif" || brand == b"avis")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        let known: [(&[u8], ImageFormat); 7] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ImageFormat::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", ImageFormat::Jpeg),
            (b"GIF87a\x01\0", ImageFormat::Gif),
            (b"GIF89a\x01\0", ImageFormat::Gif),
            (b"RIFF\x24\0\0\0WEBPVP8 ", ImageFormat::Webp),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", ImageFormat::Avif),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", ImageFormat::Avif),
        ];
        for (bytes, kind) in known {
            assert_eq!(ImageFormat::of(bytes), Some(kind), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_else_is_a_picture() {
        let others: [&[u8]; 10] = [
            b"",
            b"\x89PNG",
            b"GIF8",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"<!doctype html>",
            b"RIFF\x24\0\0\0WAVEfmt ",
            b"\0\0\0\x18ftypisom\0\0\0\0mp42",
            // The brand is after the end of the box.
            b"\0\0\0\x10ftypisom\0\0\0\0avif",
            b"\xff\xff\xff\xffftyp",
        ];
        for bytes in others {
            assert_eq!(ImageFormat::of(bytes), None, "{bytes:?}");
        }
    }
}
