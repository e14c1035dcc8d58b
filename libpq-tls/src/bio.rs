//! How a session reads and writes: by functions of libpq, which know how to fail without signals.

use std::{
    ffi::{c_char, c_int, c_void},
    io::{self, ErrorKind, Read, Write},
    ptr,
};

use crate::{FAILED, OK, give, release};

type ReadFunction = unsafe extern "C" fn(*mut Bio, *mut c_char, c_int) -> c_int;
type WriteFunction = unsafe extern "C" fn(*mut Bio, *const c_char, c_int) -> c_int;

/// `BIO_METHOD`: libpq makes one for the whole process.
#[derive(Default)]
pub struct Method {
    read: Option<ReadFunction>,
    write: Option<WriteFunction>,
}

/// `BIO`: libpq makes one for each session, which owns it.
pub struct Bio {
    method: *const Method,
    /// libpq's connection.
    data: *mut c_void,
    /// Whether the last call would have blocked.
    retry: bool,
}

/// A session's access to its connection.
pub(crate) struct Socket(*mut Bio);

impl Socket {
    /// Returns the access to a connection that lives as long as the session.
    pub(crate) fn new(bio: *mut Bio) -> Self {
        Self(bio)
    }

    /// Calls a function of libpq. Fails with `WouldBlock` where it can be repeated.
    fn call(&self, function: impl FnOnce(*mut Bio, &Method) -> Option<c_int>) -> io::Result<usize> {
        // SAFETY: libpq's object and method outlive the session. No reference remains during the call.
        let method = unsafe { self.0.as_ref().and_then(|bio| bio.method.as_ref()) };
        let result = method.and_then(|method| function(self.0, method)).ok_or(ErrorKind::NotConnected)?;
        match usize::try_from(result) {
            Ok(count) => Ok(count),
            // SAFETY: as above.
            Err(_) if unsafe { (*self.0).retry } => Err(ErrorKind::WouldBlock.into()),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

fn limited(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the pointer and the length belong together.
        self.call(|bio, method| unsafe {
            Some(method.read?(bio, buffer.as_mut_ptr().cast(), limited(buffer.len())))
        })
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // SAFETY: the pointer and the length belong together.
        self.call(|bio, method| unsafe {
            Some(method.write?(bio, data.as_ptr().cast(), limited(data.len())))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the session owned it.
        unsafe { release(self.0) }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn BIO_meth_new(_kind: c_int, _name: *const c_char) -> *mut Method {
    give(Method::default())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_meth_free(method: *mut Method) {
    // SAFETY: it is from `BIO_meth_new`.
    unsafe { release(method) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_meth_set_read(method: *mut Method, function: Option<ReadFunction>) -> c_int {
    // SAFETY: it is from `BIO_meth_new`.
    let Some(method) = (unsafe { method.as_mut() }) else { return FAILED };
    method.read = function;
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_meth_set_write(method: *mut Method, function: Option<WriteFunction>) -> c_int {
    // SAFETY: it is from `BIO_meth_new`.
    let Some(method) = (unsafe { method.as_mut() }) else { return FAILED };
    method.write = function;
    OK
}

#[unsafe(no_mangle)]
pub extern "C" fn BIO_new(method: *const Method) -> *mut Bio {
    give(Bio { method, data: ptr::null_mut(), retry: false })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_set_data(bio: *mut Bio, data: *mut c_void) {
    // SAFETY: it is from `BIO_new`.
    if let Some(bio) = unsafe { bio.as_mut() } {
        bio.data = data;
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_get_data(bio: *mut Bio) -> *mut c_void {
    // SAFETY: it is from `BIO_new`.
    unsafe { bio.as_ref() }.map_or(ptr::null_mut(), |bio| bio.data)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_clear_retry_flags(bio: *mut Bio) {
    // SAFETY: it is from `BIO_new`.
    unsafe { set_retry(bio, false) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_set_retry_read(bio: *mut Bio) {
    // SAFETY: it is from `BIO_new`.
    unsafe { set_retry(bio, true) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn BIO_set_retry_write(bio: *mut Bio) {
    // SAFETY: it is from `BIO_new`.
    unsafe { set_retry(bio, true) }
}

unsafe fn set_retry(bio: *mut Bio, retry: bool) {
    // SAFETY: the callers'.
    if let Some(bio) = unsafe { bio.as_mut() } {
        bio.retry = retry;
    }
}
