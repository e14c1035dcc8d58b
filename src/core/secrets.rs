//! Secret keys: drawn here, stored only as hashes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256, Sha512};

/// A new secret of 256 random bits, in letters, digits, `-` and `_`.
pub fn draw() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// Random bytes from the operating system, without which nothing here may go on.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Under what a secret is stored and found: its SHA-256, in hexadecimal. It has no need of salt, being random.
pub fn hash(secret: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(secret.as_ref()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// The key that signs cookies, of the secret that the setting or the database has.
pub fn cookie_key(secret: &str) -> [u8; 64] {
    Sha512::digest(secret.as_bytes()).into()
}
