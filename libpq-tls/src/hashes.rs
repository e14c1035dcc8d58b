//! Hashes for SCRAM and for the old authentication by MD5, random bytes, and a comparison in constant time.

use std::{
    ffi::{c_int, c_uchar, c_uint, c_void},
    ptr, slice,
};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::{FAILED, OK, give, release};

/// `EVP_MD`: the name of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Md5,
    Sha256,
    Sha384,
    Sha512,
}

static MD5: Hash = Hash::Md5;
static SHA256: Hash = Hash::Sha256;
static SHA384: Hash = Hash::Sha384;
static SHA512: Hash = Hash::Sha512;

impl Hash {
    /// Returns the hash of some bytes.
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

enum Hasher {
    Md5(Md5),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    fn new(hash: Hash) -> Self {
        match hash {
            Hash::Md5 => Self::Md5(Md5::new()),
            Hash::Sha256 => Self::Sha256(Sha256::new()),
            Hash::Sha384 => Self::Sha384(Sha384::new()),
            Hash::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Md5(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha384(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// `EVP_MD_CTX`: a hash in the making.
pub struct HashContext(Option<Hasher>);

/// `HMAC_CTX`: an HMAC in the making. libpq uses none but that of SHA-256.
pub struct HmacContext(Option<Hmac<Sha256>>);

/// Writes a result to where libpq wants it, where it has made room for it.
unsafe fn write(result: &[u8], out: *mut c_uchar, length: *mut c_uint) -> c_int {
    if out.is_null() {
        return FAILED;
    }
    // SAFETY: libpq gives as much room as the hash has bytes, and a length or NULL.
    unsafe {
        ptr::copy_nonoverlapping(result.as_ptr(), out, result.len());
        if let Some(length) = length.as_mut() {
            *length = result.len() as c_uint;
        }
    }
    OK
}

/// Returns bytes of libpq.
unsafe fn bytes<'a>(data: *const c_void, length: usize) -> &'a [u8] {
    if data.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: libpq's pointer and length belong together.
    unsafe { slice::from_raw_parts(data.cast(), length) }
}

#[unsafe(no_mangle)]
pub extern "C" fn EVP_md5() -> *const Hash {
    &raw const MD5
}

#[unsafe(no_mangle)]
pub extern "C" fn EVP_sha256() -> *const Hash {
    &raw const SHA256
}

#[unsafe(no_mangle)]
pub extern "C" fn EVP_sha384() -> *const Hash {
    &raw const SHA384
}

#[unsafe(no_mangle)]
pub extern "C" fn EVP_sha512() -> *const Hash {
    &raw const SHA512
}

/// Returns the hash with one of OpenSSL's numbers.
#[unsafe(no_mangle)]
pub extern "C" fn EVP_get_digestbynid(number: c_int) -> *const Hash {
    match number {
        672 => &raw const SHA256,
        673 => &raw const SHA384,
        674 => &raw const SHA512,
        _ => ptr::null(),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn EVP_MD_CTX_create() -> *mut HashContext {
    give(HashContext(None))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn EVP_MD_CTX_destroy(context: *mut HashContext) {
    // SAFETY: it is from `EVP_MD_CTX_create`.
    unsafe { release(context) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn EVP_DigestInit_ex(
    context: *mut HashContext,
    hash: *const Hash,
    _engine: *mut c_void,
) -> c_int {
    // SAFETY: they are from `EVP_MD_CTX_create` and from a function above.
    let (Some(context), Some(hash)) = (unsafe { (context.as_mut(), hash.as_ref()) }) else { return FAILED };
    context.0 = Some(Hasher::new(*hash));
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn EVP_DigestUpdate(
    context: *mut HashContext,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: it is from `EVP_MD_CTX_create`.
    let Some(hasher) = (unsafe { context.as_mut() }).and_then(|context| context.0.as_mut()) else {
        return FAILED;
    };
    // SAFETY: libpq's pointer and length belong together.
    hasher.update(unsafe { bytes(data, length) });
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn EVP_DigestFinal_ex(
    context: *mut HashContext,
    out: *mut c_uchar,
    length: *mut c_uint,
) -> c_int {
    // SAFETY: it is from `EVP_MD_CTX_create`.
    let Some(hasher) = (unsafe { context.as_mut() }).and_then(|context| context.0.take()) else {
        return FAILED;
    };
    // SAFETY: libpq gives enough room.
    unsafe { write(&hasher.finish(), out, length) }
}

#[unsafe(no_mangle)]
pub extern "C" fn HMAC_CTX_new() -> *mut HmacContext {
    give(HmacContext(None))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn HMAC_CTX_free(context: *mut HmacContext) {
    // SAFETY: it is from `HMAC_CTX_new`.
    unsafe { release(context) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn HMAC_Init_ex(
    context: *mut HmacContext,
    key: *const c_void,
    length: c_int,
    hash: *const Hash,
    _engine: *mut c_void,
) -> c_int {
    // SAFETY: they are from `HMAC_CTX_new` and from a function above.
    let (Some(context), Some(Hash::Sha256)) = (unsafe { (context.as_mut(), hash.as_ref()) }) else {
        return FAILED;
    };
    // SAFETY: libpq's pointer and length belong together.
    let key = unsafe { bytes(key, usize::try_from(length).unwrap_or(0)) };
    context.0 = Hmac::new_from_slice(key).ok();
    if context.0.is_some() { OK } else { FAILED }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn HMAC_Update(
    context: *mut HmacContext,
    data: *const c_uchar,
    length: usize,
) -> c_int {
    // SAFETY: it is from `HMAC_CTX_new`.
    let Some(hmac) = (unsafe { context.as_mut() }).and_then(|context| context.0.as_mut()) else {
        return FAILED;
    };
    // SAFETY: libpq's pointer and length belong together.
    hmac.update(unsafe { bytes(data.cast(), length) });
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn HMAC_Final(
    context: *mut HmacContext,
    out: *mut c_uchar,
    length: *mut c_uint,
) -> c_int {
    // SAFETY: it is from `HMAC_CTX_new`.
    let Some(hmac) = (unsafe { context.as_mut() }).and_then(|context| context.0.take()) else {
        return FAILED;
    };
    // SAFETY: libpq gives enough room.
    unsafe { write(&hmac.finalize().into_bytes(), out, length) }
}

#[unsafe(no_mangle)]
#[expect(
    clippy::disallowed_methods,
    reason = "the door for randomness is in Greenroom, which this does not know"
)]
pub unsafe extern "C" fn RAND_bytes(out: *mut c_uchar, length: c_int) -> c_int {
    let Ok(length) = usize::try_from(length) else { return FAILED };
    if out.is_null() || length == 0 {
        return FAILED;
    }
    // SAFETY: libpq's pointer and length belong together. It may be uninitialised, so it is filled first.
    let room = unsafe {
        ptr::write_bytes(out, 0, length);
        slice::from_raw_parts_mut(out, length)
    };
    if getrandom::fill(room).is_ok() { OK } else { FAILED }
}

/// Returns 0 if both are equal, in a time that does not depend on where they differ.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn CRYPTO_memcmp(a: *const c_void, b: *const c_void, length: usize) -> c_int {
    // SAFETY: libpq's pointers and length belong together.
    let equal = unsafe { bytes(a, length).ct_eq(bytes(b, length)) };
    c_int::from(!bool::from(equal))
}
