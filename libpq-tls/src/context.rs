//! What a session is made of: versions of TLS, roots, revocation lists and the client's certificate.

use std::{
    ffi::{c_char, c_int, c_void},
    fmt::Display,
    fs,
    io::ErrorKind,
    path::Path,
    ptr,
};

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};

use crate::{
    FAILED, OK,
    errors::fail,
    give, path, release,
    session::Session,
    verifier::{RevocationList, Roots},
};

/// Called with the session when the server asks for a client certificate.
pub(crate) type CertificateRequested = unsafe extern "C" fn(*mut Session, *mut c_void) -> c_int;

const TLS_1_2: c_int = 0x0303;
const TLS_1_3: c_int = 0x0304;

/// `SSL_CTX`. libpq makes one for each connection, and frees it when it has the session.
pub struct Context {
    pub(crate) versions: Versions,
    pub(crate) roots: Roots,
    /// The client's certificate, then those between it and a root.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) on_certificate_request: Option<(CertificateRequested, *mut c_void)>,
}

/// Lowest and highest version of TLS.
#[derive(Clone, Copy)]
pub(crate) struct Versions {
    lowest: c_int,
    highest: c_int,
}

impl Versions {
    /// Returns those that rustls speaks.
    pub(crate) fn supported(self) -> Vec<&'static rustls::SupportedProtocolVersion> {
        let known = [(TLS_1_2, &rustls::version::TLS12), (TLS_1_3, &rustls::version::TLS13)];
        let wanted = known.into_iter().filter(|(version, _)| (self.lowest..=self.highest).contains(version));
        wanted.map(|(_, version)| version).collect()
    }
}

/// Remembers the reason of a failure. Returns OpenSSL's result.
fn result(outcome: Result<(), impl Display>) -> c_int {
    match outcome {
        Ok(()) => OK,
        Err(reason) => {
            fail(reason);
            FAILED
        }
    }
}

/// Reads the certificates of a file in PEM form, at least one.
fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("it has no certificate in PEM form".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn SSLv23_method() -> *const c_void {
    ptr::null()
}

#[unsafe(no_mangle)]
pub extern "C" fn SSL_CTX_new(_method: *const c_void) -> *mut Context {
    give(Context {
        versions: Versions { lowest: TLS_1_2, highest: TLS_1_3 },
        roots: Roots::default(),
        chain: Vec::new(),
        on_certificate_request: None,
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_free(context: *mut Context) {
    // SAFETY: it is from `SSL_CTX_new`.
    unsafe { release(context) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_set_min_proto_version(context: *mut Context, version: c_int) -> c_int {
    // SAFETY: it is from `SSL_CTX_new`.
    let Some(context) = (unsafe { context.as_mut() }) else { return FAILED };
    context.versions.lowest = version;
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_set_max_proto_version(context: *mut Context, version: c_int) -> c_int {
    // SAFETY: it is from `SSL_CTX_new`.
    let Some(context) = (unsafe { context.as_mut() }) else { return FAILED };
    if version < TLS_1_2 {
        return result(Err("TLS before 1.2 is not supported"));
    }
    context.versions.highest = version;
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_set_cert_cb(
    context: *mut Context,
    function: Option<CertificateRequested>,
    data: *mut c_void,
) {
    // SAFETY: it is from `SSL_CTX_new`.
    if let Some(context) = unsafe { context.as_mut() } {
        context.on_certificate_request = function.map(|function| (function, data));
    }
}

/// Reads the authorities of the system, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_set_default_verify_paths(context: *mut Context) -> c_int {
    // SAFETY: it is from `SSL_CTX_new`.
    let Some(context) = (unsafe { context.as_mut() }) else { return FAILED };
    let found = rustls_native_certs::load_native_certs();
    for certificate in found.certs {
        // A system may have some that rustls does not understand.
        let _ = context.roots.add(certificate);
    }
    match (context.roots.is_empty(), found.errors.first()) {
        (false, _) => OK,
        (true, Some(error)) => result(Err(error)),
        (true, None) => result(Err("there are none; install ca-certificates, or set SSL_CERT_FILE")),
    }
}

/// Reads the authorities of a file. libpq gives no folder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_load_verify_locations(
    context: *mut Context,
    file: *const c_char,
    _folder: *const c_char,
) -> c_int {
    // SAFETY: they are from `SSL_CTX_new` and libpq's.
    let (Some(context), Some(file)) = (unsafe { (context.as_mut(), path(file)) }) else { return FAILED };
    let add = |certificates: Vec<_>| certificates.into_iter().try_for_each(|one| context.roots.add(one));
    result(read_certificates(&file).and_then(add))
}

/// Reads the client's certificate, and those between it and a root.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SSL_CTX_use_certificate_chain_file(
    context: *mut Context,
    file: *const c_char,
) -> c_int {
    // SAFETY: they are from `SSL_CTX_new` and libpq's.
    let (Some(context), Some(file)) = (unsafe { (context.as_mut(), path(file)) }) else { return FAILED };
    result(read_certificates(&file).map(|chain| context.chain = chain))
}

#[unsafe(no_mangle)]
pub extern "C" fn SSL_CTX_get_cert_store(context: *mut Context) -> *mut Context {
    context
}

/// Reads revocation lists of a file, and of all files of a folder. They are checked from then on. If they are there and
/// none can be used, every certificate is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_STORE_load_locations(
    store: *mut Context,
    file: *const c_char,
    folder: *const c_char,
) -> c_int {
    // SAFETY: they are from `SSL_CTX_new` and libpq's.
    let (Some(context), file, folder) = (unsafe { (store.as_mut(), path(file), path(folder)) }) else {
        return FAILED;
    };
    // libpq also gives the path of a default file, which need not exist.
    let mut is_configured = folder.is_some();
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let files = file.into_iter().chain(entries.map(|entry| entry.path()).filter(|path| path.is_file()));
    for file in files {
        let bytes = fs::read(&file);
        is_configured |= !matches!(&bytes, Err(error) if error.kind() == ErrorKind::NotFound);
        for list in CertificateRevocationListDer::pem_slice_iter(&bytes.unwrap_or_default()).flatten() {
            context.roots.revoked.extend(RevocationList::from_der(&list).map(Into::into));
        }
    }
    context.roots.checks_revocation |= is_configured;
    if is_configured { OK } else { FAILED }
}
