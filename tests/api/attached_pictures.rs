//! Pictures among the attachments: without metadata, turned as they are seen, and with thumbnails.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    attachments::Store,
    support::{
        User,
        attachments::{announces, completes, fetches, sends_bytes, shares, uploads},
    },
};

/// The formats that are pictures, with the content type and the name.
const FORMATS: [(ImageFormat, &str, &str); 4] = [
    (ImageFormat::Png, "image/png", "a.png"),
    (ImageFormat::Jpeg, "image/jpeg", "a.jpg"),
    (ImageFormat::Gif, "image/gif", "a.gif"),
    (ImageFormat::WebP, "image/webp", "a.webp"),
];

/// Encodes a picture whose left half is red and whose right half is blue.
fn halves(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let colour = |x| if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) };
    let image = DynamicImage::from(RgbImage::from_fn(width, height, |x, _| colour(x)));
    let image = if format == ImageFormat::Gif { DynamicImage::from(image.to_rgba8()) } else { image };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Adds EXIF to a JPEG: it is turned, and there is a text.
fn turned(jpeg: &[u8]) -> Vec<u8> {
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0a secret place";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, exif, &jpeg[2..]].concat()
}

/// Uploads any bytes as they are. Returns the attachment.
async fn takes(user: &User, chat: i64, name: &str, bytes: &[u8]) -> Value {
    let upload = announces(user, chat, name, bytes.len()).await.expect(201).json;
    sends_bytes(user, &upload, bytes).await.expect(200);
    completes(user, &upload).await.expect(200).json
}

#[actix_rt::test(system = "crate::System")]
async fn a_picture_is_turned_and_says_nothing_of_its_place() {
    let store = Store::start().await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let original = turned(&halves(ImageFormat::Jpeg, 1_600, 800));
    let picture = uploads(&ann, chat, "a.jpg", &original).await;
    assert_eq!((&picture["width"], &picture["height"]), (&json!(800), &json!(1_600)));
    assert_eq!(
        (&picture["content_type"], picture["blurhash"].as_str().map(str::len)),
        (&json!("image/jpeg"), Some(28))
    );
    shares(&ann, chat, "", &[&picture]).await;
    let served = fetches(&bob, &picture).await.expect(200);
    assert_eq!(served.header("content-disposition"), "inline; filename=\"a.jpg\"");
    assert_eq!(served.body.len() as i64, picture["size"].as_i64().unwrap());
    assert!(!served.body.windows(6).any(|part| part == b"secret"));
    let shown = image::load_from_memory(&served.body).unwrap().to_rgb8();
    assert!(shown.get_pixel(400, 100).0[0] > 200 && shown.get_pixel(400, 1_500).0[2] > 200);
    let thumbnails = picture["thumbnails"].as_array().unwrap();
    let sizes: Vec<_> =
        thumbnails.iter().map(|small| (small["width"].clone(), small["height"].clone())).collect();
    assert_eq!(sizes, [(json!(160), json!(320)), (json!(640), json!(1_280))]);
    for thumbnail in thumbnails {
        let small = fetches(&bob, thumbnail).await.expect(200);
        assert_eq!(small.header("content-type"), "image/webp");
        let shown = image::load_from_memory_with_format(&small.body, ImageFormat::WebP).unwrap();
        assert_eq!(json!(shown.height()), thumbnail["height"]);
        let known = bob.clone().with("If-None-Match", small.header("etag"));
        fetches(&known, thumbnail).await.expect(304);
    }
    bob.send("GET", &format!("{}?thumbnail=321", picture["url"].as_str().unwrap()), None).await.expect(404);
    // The original went; the picture and two thumbnails stay.
    store.has_files(3).await;
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn each_format_is_a_picture_and_goes_with_its_thumbnails() {
    let store = Store::start().await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let mut pictures = Vec::new();
    for (format, kind, name) in FORMATS {
        let picture = uploads(&ann, chat, name, &halves(format, 400, 200)).await;
        assert_eq!(
            (
                &picture["content_type"],
                &picture["width"],
                &picture["height"],
                &picture["thumbnails"][0]["width"]
            ),
            (&json!(kind), &json!(400), &json!(200), &json!(320)),
            "{name}"
        );
        pictures.push(picture);
    }
    let all: Vec<&Value> = pictures.iter().collect();
    let message = shares(&ann, chat, "", &all).await;
    store.has_files(8).await;
    ann.deletes(&message).await;
    store.has_files(0).await;
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn malformed_pictures_are_taken_as_files_or_pictures_and_harm_nothing() {
    let store = Store::start_with(|config| config.files.uploads_pending_max = 100).await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let mut random = StdRng::seed_from_u64(1);
    for (format, _, name) in FORMATS {
        let whole = halves(format, 64, 48);
        for number in 0..30 {
            let mut bytes = whole.clone();
            match number % 3 {
                // Cut off.
                0 => bytes.truncate(random.random_range(1..whole.len())),
                // Some bytes are others. The format is still recognized.
                1 => (0..8).for_each(|_| bytes[random.random_range(12..whole.len())] = random.random()),
                // Bytes are missing in the middle, and there are more at the end.
                _ => {
                    let from = random.random_range(12..whole.len());
                    bytes.drain(from..(from + 5).min(whole.len()));
                    bytes.extend_from_slice(b"tail <script>");
                }
            }
            let file = takes(&ann, chat, name, &bytes).await;
            let served = fetches(&ann, &file).await.expect(200);
            assert_eq!(json!(served.body.len()), file["size"], "{name} {number}");
        }
    }
    // A header that announces too many pixels is enough to know that it is a file.
    let mut huge = halves(ImageFormat::Png, 64, 48);
    huge[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let file = takes(&ann, chat, "huge.png", &huge).await;
    assert_eq!((&file["width"], &file["size"]), (&Value::Null, &json!(huge.len())));
    store.is_consistent().await;
}
