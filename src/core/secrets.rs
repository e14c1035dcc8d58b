//! Random secrets and their hashes. Sessions and tokens are stored only as hashes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256, Sha512};

/// Generates a secret of 256 random bits, in letters, digits, `-` and `_` (base64url).
pub fn draw() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// Returns random bytes from the operating system. Panics if it provides none.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Returns the SHA-256 of a secret in hexadecimal, under which it is stored and looked up. A random secret
/// needs no salt.
pub fn hash(secret: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(secret.as_ref()))
}

/// Encodes bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// Generates a random name of `BYTES` bytes, in hexadecimal.
pub fn random_name<const BYTES: usize>() -> String {
    hex(&random::<BYTES>())
}

/// Derives the key that signs cookies from the secret in the settings or the database.
pub fn cookie_key(secret: &str) -> [u8; 64] {
    Sha512::digest(secret.as_bytes()).into()
}
