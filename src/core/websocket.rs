//! Headers of WebSocket frames (RFC 6455, section 5.2).

use bytes::BufMut;

/// The bit of the first byte that marks the last fragment of a message.
pub(crate) const FIN: u8 = 0x80;

/// Opcodes: the lower half of the first byte.
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// The bit of the second byte that marks a masked payload.
pub(crate) const MASKED: u8 = 0x80;

/// Size of the longest header in bytes, without a masking key.
pub(crate) const LONGEST_HEADER: usize = 10;

/// Size of a masking key in bytes.
pub(crate) const MASKING_KEY: usize = 4;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    /// Length of the payload in bytes.
    pub(crate) length: u64,
    /// Size of the header in bytes, with its masking key.
    pub(crate) size: usize,
}

impl Header {
    pub(crate) fn opcode(self) -> u8 {
        self.first & 0x0f
    }
}

/// Reads the header at the beginning of `bytes`. `None`: it is incomplete.
pub(crate) fn read_header(bytes: &[u8]) -> Option<Header> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (size, length) = match (second & !MASKED, rest) {
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        (126 | 127, _) => return None,
        (short, _) => (2, u64::from(short)),
    };
    let size = if second & MASKED == 0 { size } else { size + MASKING_KEY };
    (bytes.len() >= size).then_some(Header { first: *first, length, size })
}

/// Appends a header with the length in its shortest form. A masked header has a key of zeros, which leaves the
/// payload unchanged.
pub(crate) fn write_header(out: &mut impl BufMut, first: u8, length: usize, is_masked: bool) {
    let mask = if is_masked { MASKED } else { 0 };
    out.put_u8(first);
    match length {
        0..=125 => out.put_u8(mask | length as u8),
        126..=0xffff => {
            out.put_u8(mask | 126);
            out.put_u16(length as u16);
        }
        _ => {
            out.put_u8(mask | 127);
            out.put_u64(length as u64);
        }
    }
    if is_masked {
        out.put_u32(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_length_in_the_shortest_form() {
        for (length, header) in [
            (125, &[0x81, 125][..]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut written = Vec::new();
            write_header(&mut written, FIN | TEXT, length, false);
            assert_eq!(written, header);
        }
    }

    #[test]
    fn a_header_is_read_once_it_is_complete() {
        for length in [0, 125, 126, 65_535, 65_536, usize::MAX] {
            for is_masked in [false, true] {
                let mut bytes = Vec::new();
                write_header(&mut bytes, FIN | PING, length, is_masked);
                let size = bytes.len();
                assert!((0..size).all(|cut| read_header(&bytes[..cut]).is_none()));
                let header = Header { first: FIN | PING, length: length as u64, size };
                bytes.extend([1; 20]);
                assert_eq!(read_header(&bytes), Some(header));
                assert!(header.opcode() == PING && size <= LONGEST_HEADER + MASKING_KEY);
            }
        }
    }
}
