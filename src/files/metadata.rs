//! Removes metadata from pictures without decoding them: EXIF with its places, XMP, comments, hidden pictures, and what
//! follows the picture. Pixels, colour profiles and animations stay as they are.

/// The formats of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
}

impl Format {
    /// Returns the format of a content type.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type {
            "image/png" => Some(Self::Png),
            "image/jpeg" => Some(Self::Jpeg),
            "image/gif" => Some(Self::Gif),
            "image/webp" => Some(Self::WebP),
            _ => None,
        }
    }
}

/// A picture without metadata.
#[derive(Debug, PartialEq, Eq)]
pub struct Stripped {
    pub bytes: Vec<u8>,
    pub is_animated: bool,
    /// What decoders need for each pixel beside the pixels, in halves of a byte.
    pub half_bytes: u64,
}

/// Returns a picture without its metadata; `None` if its structure cannot be read.
pub fn strip(format: Format, bytes: &[u8]) -> Option<Stripped> {
    match format {
        Format::Png => png(bytes),
        Format::Jpeg => jpeg(bytes),
        Format::Gif => gif(bytes),
        Format::WebP => webp(bytes),
    }
}

/// Bytes that are read from the beginning to the end.
struct PictureBytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> PictureBytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Chunks of PNG that change how a picture looks, or move it.
const PNG_CHUNKS: [&[u8; 4]; 16] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP",
    b"pHYs", b"acTL", b"fcTL", b"fdAT", b"bKGD",
];

fn png(bytes: &[u8]) -> Option<Stripped> {
    let mut from = PictureBytes { bytes, at: 0 };
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(from.take(8).filter(|signature| *signature == PNG_SIGNATURE)?);
    let mut is_animated = false;
    loop {
        let start = from.at;
        let length = u32::from_be_bytes(from.take(4)?.try_into().ok()?);
        let kind = from.take(4)?;
        from.take(usize::try_from(length).ok()?.checked_add(4)?)?;
        is_animated |= kind == b"acTL";
        if PNG_CHUNKS.iter().any(|known| known.as_slice() == kind) {
            kept.extend_from_slice(&bytes[start..from.at]);
        }
        if kind == b"IEND" {
            return Some(Stripped { bytes: kept, is_animated, half_bytes: 0 });
        }
    }
}

/// Frames of JPEG whose scans refine all pixels. Decoders keep all coefficients until the last one.
const JPEG_PROGRESSIVE: [u8; 4] = [0xc2, 0xc6, 0xca, 0xce];

/// Halves of a byte that these take for each pixel and component.
const JPEG_COEFFICIENTS: u64 = 4;

fn jpeg(bytes: &[u8]) -> Option<Stripped> {
    let mut from = PictureBytes { bytes, at: 0 };
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(from.take(2).filter(|start| *start == b"\xff\xd8")?);
    let mut half_bytes = 0;
    loop {
        let mut marker = from.byte().filter(|byte| *byte == 0xff)?;
        while marker == 0xff {
            marker = from.byte()?;
        }
        match marker {
            0xd9 => {
                kept.extend_from_slice(b"\xff\xd9");
                return Some(Stripped { bytes: kept, is_animated: false, half_bytes });
            }
            0x01 | 0xd0..=0xd8 => return None,
            _ => {}
        }
        let length = from.take(2)?;
        let body = from.take(usize::from(u16::from_be_bytes(length.try_into().ok()?)).checked_sub(2)?)?;
        if JPEG_PROGRESSIVE.contains(&marker) {
            half_bytes = JPEG_COEFFICIENTS * u64::from(*body.get(5)?);
        }
        if is_kept_in_jpeg(marker, body) {
            kept.extend_from_slice(&[0xff, marker]);
            kept.extend_from_slice(length);
            kept.extend_from_slice(body);
        }
        if marker == 0xda {
            let data = from.at;
            skip_scan(&mut from)?;
            kept.extend_from_slice(&bytes[data..from.at]);
        }
    }
}

/// Returns whether a segment of JPEG matters for how the picture looks.
fn is_kept_in_jpeg(marker: u8, body: &[u8]) -> bool {
    match marker {
        0xe0 => body.starts_with(b"JFIF\0"),
        0xe2 => body.starts_with(b"ICC_PROFILE\0"),
        0xee => body.starts_with(b"Adobe"),
        0xe1..=0xef | 0xfe => false,
        _ => true,
    }
}

/// Skips the data of a scan, up to the next marker.
fn skip_scan(from: &mut PictureBytes) -> Option<()> {
    loop {
        if from.byte()? == 0xff {
            match *from.bytes.get(from.at)? {
                0x00 | 0xd0..=0xd7 => from.at += 1,
                // Fill bytes before a marker.
                0xff => {}
                _ => {
                    from.at -= 1;
                    return Some(());
                }
            }
        }
    }
}

/// Extensions of GIF that make it move.
const GIF_LOOPS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

/// Halves of a byte that the indexes of the colours take for each pixel.
const GIF_INDEXES: u64 = 2;

fn gif(bytes: &[u8]) -> Option<Stripped> {
    let mut from = PictureBytes { bytes, at: 0 };
    from.take(6).filter(|signature| matches!(*signature, b"GIF87a" | b"GIF89a"))?;
    let flags = from.take(7)?[4];
    from.take(gif_colours(flags))?;
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(&bytes[..from.at]);
    let mut frames = 0;
    loop {
        let start = from.at;
        let is_kept = match from.byte()? {
            0x3b => {
                kept.push(0x3b);
                let is_animated = frames > 1;
                return (frames > 0).then_some(Stripped {
                    bytes: kept,
                    is_animated,
                    half_bytes: GIF_INDEXES,
                });
            }
            0x2c => {
                frames += 1;
                let flags = from.take(9)?[8];
                from.take(gif_colours(flags))?;
                from.byte()?;
                true
            }
            0x21 => match from.byte()? {
                0xf9 => true,
                0xff => {
                    let block = from.at;
                    let length = usize::from(from.byte()?);
                    let name = from.take(length)?;
                    from.at = block;
                    GIF_LOOPS.contains(&name)
                }
                _ => false,
            },
            _ => return None,
        };
        loop {
            let length = usize::from(from.byte()?);
            from.take(length)?;
            if length == 0 {
                break;
            }
        }
        if is_kept {
            kept.extend_from_slice(&bytes[start..from.at]);
        }
    }
}

/// Returns the bytes of a table of colours.
fn gif_colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 0x07) + 1) }
}

/// Chunks of WebP with pixels, colours and movement.
const WEBP_CHUNKS: [&[u8; 4]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];

/// Flags of a WebP header: EXIF and XMP follow.
const WEBP_METADATA: u8 = 0x08 | 0x04;

/// Halves of a byte that decoders take for each pixel: the planes of a lossy picture, and all four channels of others, twice in
/// an animation.
const WEBP_LOSSY: u64 = 3;
const WEBP_LOSSLESS: u64 = 8;
const WEBP_ANIMATED: u64 = 16;

fn webp(bytes: &[u8]) -> Option<Stripped> {
    let mut from = PictureBytes { bytes, at: 0 };
    from.take(4).filter(|name| *name == b"RIFF")?;
    let end = usize::try_from(u32::from_le_bytes(from.take(4)?.try_into().ok()?)).ok()?.checked_add(8)?;
    from.take(4).filter(|name| *name == b"WEBP")?;
    from.bytes = bytes.get(..end.min(bytes.len()))?;
    let mut kept = Vec::with_capacity(bytes.len() + 1);
    kept.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    let (mut is_animated, mut half_bytes) = (false, WEBP_LOSSY);
    while from.at < from.bytes.len() {
        let start = from.at;
        let kind = from.take(4)?;
        let length = usize::try_from(u32::from_le_bytes(from.take(4)?.try_into().ok()?)).ok()?;
        from.take(length)?;
        if length % 2 == 1 && from.at < from.bytes.len() {
            from.at += 1;
        }
        match kind {
            b"VP8L" => half_bytes = half_bytes.max(WEBP_LOSSLESS),
            b"ANIM" => (is_animated, half_bytes) = (true, WEBP_ANIMATED),
            _ => {}
        }
        if !WEBP_CHUNKS.iter().any(|known| known.as_slice() == kind) {
            continue;
        }
        let place = kept.len();
        kept.extend_from_slice(&from.bytes[start..from.at]);
        if kind == b"VP8X" {
            *kept.get_mut(place + 8)? &= !WEBP_METADATA;
        }
        if kept.len() % 2 == 1 {
            kept.push(0);
        }
    }
    let size = u32::try_from(kept.len().checked_sub(8)?).ok()?;
    kept[4..8].copy_from_slice(&size.to_le_bytes());
    Some(Stripped { bytes: kept, is_animated, half_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = (body.len() as u32).to_be_bytes().to_vec();
        chunk.extend_from_slice(kind);
        chunk.extend_from_slice(body);
        chunk.extend_from_slice(b"crc!");
        chunk
    }

    fn riff(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = kind.to_vec();
        chunk.extend_from_slice(&(body.len() as u32).to_le_bytes());
        chunk.extend_from_slice(body);
        chunk.extend_from_slice(&[0][..body.len() % 2]);
        chunk
    }

    #[test]
    fn png_keeps_pixels_and_profile() {
        let kept = [
            chunk(b"IHDR", b"head"),
            chunk(b"iCCP", b"colours"),
            chunk(b"IDAT", b"pixels"),
            chunk(b"IEND", b""),
        ];
        let [head, profile, data, end] = &kept;
        let (text, place) = (chunk(b"tEXt", b"secret"), chunk(b"eXIf", b"secret"));
        let all = [PNG_SIGNATURE, head, &text, profile, &place, data, end, b"tail secret"].concat();
        let bytes = [PNG_SIGNATURE, head, profile, data, end].concat();
        assert_eq!(strip(Format::Png, &all), Some(Stripped { bytes, is_animated: false, half_bytes: 0 }));
    }

    #[test]
    fn jpeg_keeps_pixels_and_profile() {
        let segment = |marker: u8, body: &[u8]| {
            [&[0xff, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
        };
        let (jfif, profile, table) =
            (segment(0xe0, b"JFIF\0rest"), segment(0xe2, b"ICC_PROFILE\0p"), segment(0xdb, b"table"));
        let scan = [segment(0xda, b"scan"), b"data\xff\x00more\xff\xd0rest".to_vec()].concat();
        let secrets =
            [segment(0xe1, b"Exif\0\0secret"), segment(0xfe, b"secret"), segment(0xe2, b"MPF\0secret")];
        let all = [
            b"\xff\xd8",
            &jfif[..],
            &secrets[0],
            &profile,
            &secrets[1],
            &table,
            &secrets[2],
            &scan,
            b"\xff\xd9tail secret",
        ]
        .concat();
        let bytes = [b"\xff\xd8", &jfif[..], &profile, &table, &scan, b"\xff\xd9"].concat();
        assert_eq!(strip(Format::Jpeg, &all), Some(Stripped { bytes, is_animated: false, half_bytes: 0 }));
        // A progressive one with three components.
        let frame = segment(0xc2, b"\x08\0\x10\0\x10\x03rest");
        let progressive = [b"\xff\xd8", &frame[..], &scan, b"\xff\xd9"].concat();
        assert_eq!(strip(Format::Jpeg, &progressive).unwrap().half_bytes, 12);
    }

    #[test]
    fn gif_keeps_frames_and_their_loop() {
        let head = b"GIF89a\x01\0\x01\0\x80\0\0abcdef";
        let frame = b"\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x4c\x01\0";
        let repeat = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
        let secrets = b"\x21\xfe\x06secret\0\x21\xff\x0bXMP DataXMP\x06secret\0";
        let all = [&head[..], repeat, secrets, frame, secrets, frame, b"\x3btail secret"].concat();
        let bytes = [&head[..], repeat, frame, frame, b"\x3b"].concat();
        assert_eq!(
            strip(Format::Gif, &all),
            Some(Stripped { bytes, is_animated: true, half_bytes: GIF_INDEXES })
        );
    }

    #[test]
    fn webp_keeps_pixels_and_profile() {
        let kept = |flags: u8| {
            [
                riff(b"VP8X", &[flags, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                riff(b"ICCP", b"odd"),
                riff(b"VP8L", b"pixels"),
            ]
            .concat()
        };
        let file =
            |body: &[u8]| [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WEBP", body].concat();
        let all = file(&[kept(0x2c), riff(b"EXIF", b"secret"), riff(b"XMP ", b"secret")].concat());
        let all = [all, b"tail secret".to_vec()].concat();
        assert_eq!(
            strip(Format::WebP, &all),
            Some(Stripped { bytes: file(&kept(0x20)), is_animated: false, half_bytes: WEBP_LOSSLESS })
        );
    }

    #[test]
    fn what_is_cut_off_or_wrong_is_no_picture() {
        let pictures = [
            (Format::Png, [PNG_SIGNATURE, &chunk(b"IHDR", b"head"), &chunk(b"IEND", b"")].concat()),
            (Format::Jpeg, b"\xff\xd8\xff\xdb\0\x04ab\xff\xda\0\x04cddata\xff\xd9".to_vec()),
            (Format::Gif, b"GIF89a\x01\0\x01\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x01\x4c\0\x3b".to_vec()),
        ];
        for (format, whole) in pictures {
            assert!(strip(format, &whole).is_some(), "{format:?}");
            for end in 0..whole.len() {
                assert_eq!(strip(format, &whole[..end]), None, "{format:?} up to {end}");
            }
        }
        for format in [Format::Png, Format::Jpeg, Format::Gif, Format::WebP] {
            assert_eq!(strip(format, b""), None);
            assert_eq!(strip(format, &[0xff; 64]), None);
        }
    }
}
