//! TLS for libpq, by rustls: the functions of OpenSSL that libpq calls.
//!
//! libpq calls them from C, so their names, arguments and results are those of OpenSSL's manual. `include/`
//! has their declarations. `session` drives rustls for the functions in `calls`. `verifier` checks the
//! server's certificate, and libpq itself compares the name in it.
//!
//! All pointers come from libpq, which uses a connection and its objects in one thread at a time. Every
//! function accepts NULL.

#![expect(clippy::missing_safety_doc, reason = "libpq calls them as OpenSSL's")]

pub mod bio;
pub mod calls;
pub mod certificate;
pub mod context;
mod der;
pub mod errors;
pub mod hashes;
pub mod session;
mod verifier;

use std::{
    ffi::{CStr, OsStr, c_char, c_int},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

/// OpenSSL's result of success.
const OK: c_int = 1;
/// OpenSSL's result of failure. The reason is in [`errors`].
const FAILED: c_int = 0;

/// Returns a path that libpq has given.
unsafe fn path(path: *const c_char) -> Option<PathBuf> {
    if path.is_null() {
        return None;
    }
    // SAFETY: libpq's strings end with NUL.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Some(OsStr::from_bytes(bytes).into())
}

/// Gives an object to libpq, which passes it to `release` later.
fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// Drops an object that [`give`] gave.
unsafe fn release<T>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: `give` made it, and libpq does not use it again.
        drop(unsafe { Box::from_raw(object) });
    }
}
