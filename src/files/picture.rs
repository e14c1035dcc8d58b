//! Pictures: their size, a placeholder, thumbnails, and their bytes without metadata and as they are seen.

use std::{io::Cursor, panic::catch_unwind};

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, ImageResult,
    Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    metadata::Orientation,
};

use super::{
    metadata::{Format, strip},
    turned::{Turned, is_upright},
};
use crate::core::model::Thumbnail;

/// Most pixels of a picture. A larger one is a plain file.
const MOST_PIXELS: u64 = 50_000_000;

/// Most bytes of the decoded pixels, and of what the decoder needs beside them. What needs more is a plain file.
const MOST_MEMORY: u64 = 184 << 20;

/// Halves of a byte for each pixel that a decoder may need if the structure of the picture cannot be read.
const UNKNOWN_HALF_BYTES: u64 = 16;

/// Longer edges of the thumbnails, in pixels.
const EDGES: [u32; 2] = [320, 1_280];

/// Quality of the thumbnails, from 0 to 100.
const THUMBNAIL_QUALITY: f32 = 80.0;

/// Quality of a JPEG that had to be turned.
const TURNED_QUALITY: u8 = 92;

/// Parts of the placeholder in each direction.
const BLURHASH_PARTS: (u32, u32) = (4, 3);

/// Longer edge of the picture from which the placeholder is made, in pixels.
const BLURHASH_EDGE: u32 = 32;

/// What is made of a picture.
#[derive(Debug)]
pub struct Picture {
    /// Without metadata, and with the orientation applied.
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub blurhash: Option<String>,
    /// In WebP. An animation has none: it would not move.
    pub thumbnails: Vec<(Thumbnail, Vec<u8>)>,
}

/// Returns whether files of a content type may be pictures.
pub fn is_one(content_type: &str) -> bool {
    Format::of(content_type).is_some()
}

/// Returns the name of a thumbnail in the folder of its file.
pub fn thumbnail_name(edge: i64) -> Option<String> {
    EDGES.iter().any(|known| i64::from(*known) == edge).then(|| format!("{edge}.webp"))
}

/// Makes a picture of the bytes of a file; `None`: it is a plain file. The size is read before anything is decoded.
pub fn make(content_type: &str, bytes: Vec<u8>) -> Option<Picture> {
    let format = Format::of(content_type)?;
    // A fault of a decoder must not be one of the server.
    catch_unwind(|| decode(format, bytes)).ok().flatten()
}

fn image_format(format: Format) -> ImageFormat {
    match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Gif => ImageFormat::Gif,
        Format::WebP => ImageFormat::WebP,
    }
}

/// Opens a picture whose pixels are not too many.
fn open(format: Format, bytes: &[u8]) -> Option<impl ImageDecoder> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format(format));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let decoder = reader.into_decoder().ok()?;
    let is_small = pixels_of(&decoder) <= MOST_PIXELS && decoder.total_bytes() <= MOST_MEMORY;
    is_small.then_some(decoder)
}

fn pixels_of(decoder: &impl ImageDecoder) -> u64 {
    let (width, height) = decoder.dimensions();
    u64::from(width) * u64::from(height)
}

fn decode(format: Format, bytes: Vec<u8>) -> Option<Picture> {
    let mut decoder = open(format, &bytes)?;
    let profile = decoder.icc_profile().ok().flatten();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (pixels, size) = (pixels_of(&decoder), decoder.total_bytes());
    drop(decoder);
    let stripped = strip(format, &bytes);
    let is_animated = stripped.as_ref().is_some_and(|stripped| stripped.is_animated);
    let orientation = if is_animated { Orientation::NoTransforms } else { orientation };
    let is_whole = stripped.is_some();
    let half_bytes = stripped.as_ref().map_or(UNKNOWN_HALF_BYTES, |stripped| stripped.half_bytes);
    // The decoder of JPEG copies the file.
    let copies = if format == Format::Jpeg { 2 } else { 1 };
    if size + pixels * half_bytes / 2 + copies * bytes.len() as u64 > MOST_MEMORY {
        return None;
    }
    // One copy of the bytes is enough, beside the pixels.
    let bytes = stripped.map_or(bytes, |stripped| stripped.bytes);
    let image = DynamicImage::from_decoder(open(format, &bytes)?).ok()?;
    // They are small, and turned after they are made.
    let blurhash = blurhash(&image, orientation);
    let thumbnails = if is_animated { Vec::new() } else { thumbnails(&image, orientation) };
    let (width, height) = (image.width(), image.height());
    let (width, height) = if is_upright(orientation) { (width, height) } else { (height, width) };
    let bytes = match orientation {
        Orientation::NoTransforms if is_whole => bytes,
        orientation => {
            // Room for the result, so that it is not copied while it grows. What is not used takes no memory.
            let room = 4 * bytes.len();
            drop(bytes);
            encode(format, image, orientation, profile, Vec::with_capacity(room))?
        }
    };
    Some(Picture { bytes, width, height, blurhash, thumbnails })
}

/// Encodes a picture anew, turned, in its own format.
fn encode(
    format: Format,
    image: DynamicImage,
    orientation: Orientation,
    profile: Option<Vec<u8>>,
    mut bytes: Vec<u8>,
) -> Option<Vec<u8>> {
    if format == Format::Jpeg {
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, TURNED_QUALITY);
        set_profile(&mut encoder, profile).ok()?;
        let encoded = match image {
            DynamicImage::ImageLuma8(image) => encoder.encode_image(&Turned { image: &image, orientation }),
            image => encoder.encode_image(&Turned { image: &image.into_rgb8(), orientation }),
        };
        return encoded.ok().map(|()| bytes);
    }
    // These have to be copied to be turned. Few are: cameras make JPEG.
    let is_copied = !is_upright(orientation);
    if is_copied && image.as_bytes().len() as u64 > MOST_MEMORY / 2 {
        return None;
    }
    let mut image = image;
    image.apply_orientation(orientation);
    let encoded = match format {
        Format::Png => with_profile(PngEncoder::new(&mut bytes), profile, &image),
        Format::WebP => {
            let plain = DynamicImage::ImageRgba8(image.into_rgba8());
            with_profile(WebPEncoder::new_lossless(&mut bytes), profile, &plain)
        }
        // A GIF has no orientation, and one whose structure cannot be read is no picture.
        Format::Jpeg | Format::Gif => return None,
    };
    encoded.ok().map(|()| bytes)
}

fn with_profile(
    mut encoder: impl ImageEncoder,
    profile: Option<Vec<u8>>,
    image: &DynamicImage,
) -> ImageResult<()> {
    set_profile(&mut encoder, profile)?;
    let colour: ExtendedColorType = image.color().into();
    encoder.write_image(image.as_bytes(), image.width(), image.height(), colour)
}

/// Without its profile, a picture would have other colours: better none.
fn set_profile(encoder: &mut impl ImageEncoder, profile: Option<Vec<u8>>) -> ImageResult<()> {
    match profile {
        Some(profile) => encoder.set_icc_profile(profile).map_err(image::ImageError::Unsupported),
        None => Ok(()),
    }
}

/// Returns the thumbnails of a picture, none of them larger than it.
fn thumbnails(image: &DynamicImage, orientation: Orientation) -> Vec<(Thumbnail, Vec<u8>)> {
    let longer = image.width().max(image.height());
    let edges = EDGES.into_iter().filter(|edge| *edge < longer);
    let thumbnail = |edge: u32| {
        let mut small = image.thumbnail(edge, edge);
        small.apply_orientation(orientation);
        let small = small.into_rgba8();
        let (width, height) = small.dimensions();
        let bytes = webp::Encoder::from_rgba(&small, width, height).encode(THUMBNAIL_QUALITY).to_vec();
        (Thumbnail { width: width.into(), height: height.into() }, bytes)
    };
    edges.map(thumbnail).collect()
}

fn blurhash(image: &DynamicImage, orientation: Orientation) -> Option<String> {
    let mut small = image.thumbnail(BLURHASH_EDGE, BLURHASH_EDGE);
    small.apply_orientation(orientation);
    let small = small.into_rgba8();
    let (across, down) = BLURHASH_PARTS;
    blurhash::encode(across, down, small.width(), small.height(), &small).ok()
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// A picture whose left half is red and whose right half is blue.
    fn halves(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(
            width,
            height,
            |x, _| if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) },
        )
        .into()
    }

    fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// Adds EXIF with an orientation and a text to a JPEG.
    fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let exif = [
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0",
            &[orientation, 0, 0, 0, 0, 0, 0, 0][..],
            b"a secret place",
        ]
        .concat();
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
    }

    fn has_secret(bytes: &[u8]) -> bool {
        bytes.windows(6).any(|part| part == b"secret")
    }

    #[test]
    fn a_picture_has_a_size_a_placeholder_and_thumbnails() {
        let kinds = [
            ("image/png", ImageFormat::Png),
            ("image/jpeg", ImageFormat::Jpeg),
            ("image/webp", ImageFormat::WebP),
        ];
        for (kind, format) in kinds {
            let made = make(kind, written(&halves(2_000, 1_000), format)).unwrap();
            assert_eq!((made.width, made.height), (2_000, 1_000), "{kind}");
            assert_eq!(made.blurhash.as_deref().map(str::len), Some(28), "{kind}");
            let sizes: Vec<(i64, i64)> =
                made.thumbnails.iter().map(|(size, _)| (size.width, size.height)).collect();
            assert_eq!(sizes, [(320, 160), (1_280, 640)], "{kind}");
            for (size, bytes) in &made.thumbnails {
                let shown = image::load_from_memory_with_format(bytes, ImageFormat::WebP).unwrap();
                assert_eq!((i64::from(shown.width()), i64::from(shown.height())), (size.width, size.height));
            }
        }
        let small = make("image/png", written(&halves(320, 10), ImageFormat::Png)).unwrap();
        assert!(small.thumbnails.is_empty(), "never enlarged");
    }

    #[test]
    fn a_picture_is_turned_as_it_was_seen_and_says_nothing_of_where() {
        let jpeg = written(&halves(64, 32), ImageFormat::Jpeg);
        let upright = make("image/jpeg", with_exif(&jpeg, 1)).unwrap();
        assert_eq!((upright.width, upright.height, upright.bytes == jpeg), (64, 32, true));
        // 6: the camera was turned, and the left side is at the top.
        let turned = make("image/jpeg", with_exif(&jpeg, 6)).unwrap();
        assert_eq!((turned.width, turned.height), (32, 64));
        let shown = image::load_from_memory(&turned.bytes).unwrap().to_rgb8();
        assert!(shown.get_pixel(16, 4).0[0] > 200 && shown.get_pixel(16, 60).0[2] > 200);
        assert!(!has_secret(&upright.bytes) && !has_secret(&turned.bytes));
    }

    #[test]
    fn a_profile_is_kept_also_when_a_picture_is_turned() {
        let mut bytes = Vec::new();
        let image = halves(64, 32);
        let encoder = JpegEncoder::new(&mut bytes);
        with_profile(encoder, Some(b"a profile".to_vec()), &image).unwrap();
        for orientation in [1, 6] {
            let made = make("image/jpeg", with_exif(&bytes, orientation)).unwrap();
            let mut decoder =
                ImageReader::with_format(Cursor::new(&made.bytes), ImageFormat::Jpeg).into_decoder().unwrap();
            assert_eq!(decoder.icc_profile().unwrap().as_deref(), Some(&b"a profile"[..]));
        }
    }

    #[test]
    fn what_is_no_picture_is_a_plain_file() {
        for kind in ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain"] {
            for bytes in [&b""[..], b"x", &[0xff; 100]] {
                assert!(make(kind, bytes.to_vec()).is_none(), "{kind}");
            }
        }
        let whole = written(&halves(64, 64), ImageFormat::Png);
        assert!(make("image/png", whole[..whole.len() / 2].to_vec()).is_none());
        // A header that announces more pixels than are allowed is enough.
        let mut huge = whole.clone();
        huge[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
        assert!(make("image/png", huge).is_none());
    }
}
