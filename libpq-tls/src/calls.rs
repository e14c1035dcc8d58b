//! The functions of a session that libpq calls.

use std::{
    ffi::{CStr, c_char, c_int, c_uchar, c_uint, c_void},
    fs, ptr, slice,
    sync::{Arc, atomic::Ordering},
};

use rustls::{
    Error, InconsistentKeys, ProtocolVersion,
    crypto::ring,
    pki_types::{PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};

use crate::{
    FAILED, OK,
    bio::{Bio, Socket},
    certificate::Certificate,
    context::Context,
    errors::fail,
    give, path, release,
    session::{Session, State},
};

/// Result of a call that has not done its work. [`SSL_get_error`] says why.
const UNDONE: c_int = -1;

/// Reads a private key. Returns a reason that libpq puts behind the file's name.
fn read_key(bytes: &[u8], is_pem: bool) -> Result<PrivateKeyDer<'static>, String> {
    if !is_pem {
        return PrivateKeyDer::try_from(bytes.to_vec()).map_err(ToOwned::to_owned);
    }
    if bytes.windows(9).any(|word| word == b"ENCRYPTED") {
        return Err("it is encrypted; give one without a password (openssl pkey)".to_owned());
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|_| "it has no private key in PEM form".to_owned())
}

/// Makes a session. The context is not used any more afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_new(context: *mut Context) -> *mut Session {
    // SAFETY: it is from `SSL_CTX_new`.
    let Some(context) = (unsafe { context.as_mut() }) else { return ptr::null_mut() };
    give(Session::new(context))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_free(session: *mut Session) {
    // SAFETY: it is from `SSL_new`.
    unsafe { release(session) }
}

/// Gives a session its socket, which it owns. libpq gives the same twice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_set_bio(session: *mut Session, reader: *mut Bio, _writer: *mut Bio) {
    // SAFETY: it is from `SSL_new`.
    if let Some(session) = unsafe { session.as_mut() } {
        session.socket = Some(Socket::new(reader));
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_set_tlsext_host_name(session: *mut Session, host: *const c_char) -> c_int {
    // SAFETY: they are from `SSL_new` and libpq's.
    let Some(session) = (unsafe { session.as_mut() }).filter(|_| !host.is_null()) else { return FAILED };
    // SAFETY: libpq's strings end with NUL.
    let host = unsafe { CStr::from_ptr(host) }.to_str().ok();
    // A name that does not fit into the extension is left out. libpq compares the certificate's name anyway.
    session.host = host.and_then(|host| ServerName::try_from(host.to_owned()).ok());
    OK
}

/// Sets the protocols inside of TLS, each after its length. Unlike others, it returns 0 on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_set_alpn_protos(
    session: *mut Session,
    protocols: *const c_uchar,
    length: c_uint,
) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let Some(session) = (unsafe { session.as_mut() }).filter(|_| !protocols.is_null()) else { return 1 };
    // SAFETY: libpq's pointer and length belong together.
    let mut rest = unsafe { slice::from_raw_parts(protocols, length as usize) };
    while let Some((&length, after)) = rest.split_first() {
        let Some((protocol, after)) = after.split_at_checked(usize::from(length)) else { return 1 };
        session.protocols.push(protocol.to_vec());
        rest = after;
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_use_PrivateKey_file(
    session: *mut Session,
    file: *const c_char,
    kind: c_int,
) -> c_int {
    // SAFETY: they are from `SSL_new` and libpq's.
    let (Some(session), Some(file)) = (unsafe { (session.as_mut(), path(file)) }) else { return FAILED };
    let key = fs::read(file).map_err(|error| error.to_string()).and_then(|bytes| read_key(&bytes, kind == 1));
    let key = key.and_then(|key| {
        let loaded = ring::default_provider().key_provider.load_private_key(key);
        loaded.map_err(|error| error.to_string())
    });
    match key {
        Ok(key) => {
            session.key = Some(Arc::new(CertifiedKey::new(session.chain.clone(), key)));
            OK
        }
        Err(reason) => {
            fail(reason);
            FAILED
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_check_private_key(session: *mut Session) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let Some(key) = (unsafe { session.as_ref() }).and_then(|session| session.key.as_ref()) else {
        fail("there is no private key");
        return FAILED;
    };
    match key.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            fail("it is the key of another certificate");
            FAILED
        }
        _ => OK,
    }
}

/// Turns on the verification of the server's certificate. libpq calls it if there are roots.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_set_verify(session: *mut Session, _mode: c_int, _function: *const c_void) {
    // SAFETY: it is from `SSL_new`.
    if let Some(session) = unsafe { session.as_mut() } {
        session.verifies = true;
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_connect(pointer: *mut Session) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let Some(session) = (unsafe { pointer.as_mut() }) else { return UNDONE };
    session.state = session.connect();
    let is_requested = session.is_certificate_requested.swap(false, Ordering::Relaxed);
    if let Some((function, data)) = session.on_certificate_request.filter(|_| is_requested) {
        // SAFETY: libpq gave the function with its argument. No reference to the session is left.
        unsafe { function(pointer, data) };
    }
    // SAFETY: it is from `SSL_new`.
    match unsafe { (*pointer).state } {
        State::Done => OK,
        // libpq reports the end of the connection, and no stale `errno`.
        State::Closed => {
            // SAFETY: as above.
            unsafe { (*pointer).state = State::Broken };
            0
        }
        _ => UNDONE,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_read(session: *mut Session, buffer: *mut c_void, length: c_int) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let Some(session) = (unsafe { session.as_mut() }) else { return UNDONE };
    let Ok(length) = usize::try_from(length) else {
        session.state = State::Failed;
        return UNDONE;
    };
    if buffer.is_null() || length == 0 {
        session.state = State::WantsRead;
        return UNDONE;
    }
    // SAFETY: libpq's pointer and length belong together. rustls only writes into it.
    let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast(), length) };
    match session.read(buffer) {
        Ok(count) => {
            session.state = State::Done;
            count as c_int
        }
        Err(state) => {
            session.state = state;
            if state == State::Closed { 0 } else { UNDONE }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_write(session: *mut Session, data: *const c_void, length: c_int) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let Some(session) = (unsafe { session.as_mut() }) else { return UNDONE };
    let Ok(length) = usize::try_from(length) else {
        session.state = State::Failed;
        return UNDONE;
    };
    if data.is_null() || length == 0 {
        session.state = State::Done;
        return 0;
    }
    // SAFETY: libpq's pointer and length belong together.
    match session.write(unsafe { slice::from_raw_parts(data.cast(), length) }) {
        Ok(count) => {
            session.state = State::Done;
            count as c_int
        }
        Err(state) => {
            session.state = state;
            UNDONE
        }
    }
}

/// Returns how many decrypted bytes wait for `SSL_read`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_pending(session: *mut Session) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let connection = unsafe { session.as_mut() }.and_then(|session| session.connection.as_mut());
    let waiting = connection.and_then(|connection| connection.process_new_packets().ok());
    waiting.map_or(0, |state| state.plaintext_bytes_to_read() as c_int)
}

/// Says goodbye, if the socket has room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_shutdown(session: *mut Session) -> c_int {
    // SAFETY: it is from `SSL_new`.
    let Some(session) = (unsafe { session.as_mut() }) else { return UNDONE };
    if let Some(connection) = &mut session.connection {
        connection.send_close_notify();
    }
    session.flush();
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get_error(session: *const Session, _result: c_int) -> c_int {
    // SAFETY: it is from `SSL_new`.
    unsafe { session.as_ref() }.map_or(State::Failed, |session| session.state) as c_int
}

/// Returns whether there is a client certificate: NULL or not. libpq does not look at it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get_certificate(session: *const Session) -> *const c_void {
    // SAFETY: it is from `SSL_new`.
    let key = unsafe { session.as_ref() }.and_then(|session| session.key.as_ref());
    key.map_or(ptr::null(), |key| Arc::as_ptr(key).cast())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get_peer_certificate(session: *const Session) -> *mut Certificate {
    // SAFETY: it is from `SSL_new`.
    let connection = unsafe { session.as_ref() }.and_then(|session| session.connection.as_ref());
    let chain = connection.and_then(|connection| connection.peer_certificates());
    // SAFETY: it is from `SSL_new`.
    let limits_names =
        unsafe { session.as_ref() }.is_some_and(|one| one.limits_names.load(Ordering::Relaxed));
    chain.and_then(|chain| chain.first()).map_or(ptr::null_mut(), |one| Certificate::give(one, !limits_names))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get0_alpn_selected(
    session: *const Session,
    protocol: *mut *const c_uchar,
    length: *mut c_uint,
) {
    // SAFETY: it is from `SSL_new`.
    let connection = unsafe { session.as_ref() }.and_then(|session| session.connection.as_ref());
    let chosen = connection.and_then(|connection| connection.alpn_protocol());
    // SAFETY: they are libpq's.
    if let (Some(protocol), Some(length)) = unsafe { (protocol.as_mut(), length.as_mut()) } {
        *protocol = chosen.map_or(ptr::null(), <[u8]>::as_ptr);
        *length = chosen.map_or(0, <[u8]>::len) as c_uint;
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get_cipher(session: *const Session) -> *const c_char {
    // SAFETY: it is from `SSL_new`.
    unsafe { session.as_ref() }.map_or(ptr::null(), |session| session.cipher.as_ptr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get_version(session: *const Session) -> *const c_char {
    // SAFETY: it is from `SSL_new`.
    let connection = unsafe { session.as_ref() }.and_then(|session| session.connection.as_ref());
    let name = match connection.and_then(|connection| connection.protocol_version()) {
        Some(ProtocolVersion::TLSv1_3) => c"TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => c"TLSv1.2",
        _ => c"unknown",
    };
    name.as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_get_cipher_bits(session: *const Session, bits: *mut c_int) -> c_int {
    // SAFETY: they are from `SSL_new` and libpq's.
    let (Some(session), Some(bits)) = (unsafe { (session.as_ref(), bits.as_mut()) }) else { return 0 };
    let is_short = session.cipher.to_string_lossy().contains("AES_128");
    *bits = if is_short { 128 } else { 256 };
    *bits
}
