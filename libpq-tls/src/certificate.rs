//! The server's certificate, for channel binding and for libpq's comparison of names.

use std::{
    ffi::{c_int, c_uchar, c_uint, c_void},
    ptr,
};

use crate::{
    FAILED, OK,
    der::{self, SignatureHash},
    give,
    hashes::Hash,
    release,
};

const GEN_DNS: c_int = 2;
const GEN_IPADD: c_int = 7;
const COMMON_NAME: c_int = 13;
const SUBJECT_ALT_NAME: c_int = 85;

/// `ASN1_STRING`: text or an address in a certificate.
pub struct Asn1String(Vec<u8>);

/// `GENERAL_NAME`, as `include/openssl/ssl.h` declares it.
#[repr(C)]
pub struct GeneralName {
    kind: c_int,
    text: *const Asn1String,
}

/// `STACK_OF(GENERAL_NAME)`: the subject alternative names.
pub struct GeneralNames {
    names: Vec<GeneralName>,
    /// What the names point to. It stays as it is, so its elements do not move.
    _texts: Vec<Asn1String>,
}

/// `X509`. A pointer to it is also its `X509_NAME` and the `X509_NAME_ENTRY` of its common name.
pub struct Certificate {
    der: Vec<u8>,
    common_name: Option<Asn1String>,
}

impl Certificate {
    /// Returns a copy for libpq, which frees it. `has_common_name`: libpq may compare it.
    pub(crate) fn give(der: &[u8], has_common_name: bool) -> *mut Self {
        let common_name = der::parts(der).and_then(|parts| parts.common_name).filter(|_| has_common_name);
        give(Self { der: der.to_vec(), common_name: common_name.map(|name| Asn1String(name.to_vec())) })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_free(certificate: *mut Certificate) {
    // SAFETY: it is from `give`.
    unsafe { release(certificate) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_digest(
    certificate: *const Certificate,
    hash: *const Hash,
    out: *mut c_uchar,
    length: *mut c_uint,
) -> c_int {
    // SAFETY: they are from `give` and from `hashes`.
    let (Some(certificate), Some(hash)) = (unsafe { (certificate.as_ref(), hash.as_ref()) }) else {
        return FAILED;
    };
    let result = hash.of(&certificate.der);
    // SAFETY: libpq has room for the longest hash, EVP_MAX_MD_SIZE.
    unsafe {
        ptr::copy_nonoverlapping(result.as_ptr(), out, result.len());
        *length = result.len() as c_uint;
    }
    OK
}

/// Writes OpenSSL's number of the hash in the certificate's signature. The other pointers are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_get_signature_info(
    certificate: *const Certificate,
    hash: *mut c_int,
    _key: *mut c_int,
    _bits: *mut c_int,
    _flags: *mut c_uint,
) -> c_int {
    // SAFETY: it is from `give`, and the other is libpq's.
    let (Some(certificate), Some(hash)) = (unsafe { (certificate.as_ref(), hash.as_mut()) }) else {
        return FAILED;
    };
    let Some(found) = der::parts(&certificate.der).and_then(|parts| parts.signature_hash) else {
        return FAILED;
    };
    *hash = match found {
        SignatureHash::Md5 => 4,
        SignatureHash::Sha1 => 64,
        SignatureHash::Sha256 => 672,
        SignatureHash::Sha384 => 673,
        SignatureHash::Sha512 => 674,
        SignatureHash::Sha224 => 675,
    };
    OK
}

/// Returns the subject alternative names, or NULL if there are none. libpq asks for no other extension.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_get_ext_d2i(
    certificate: *const Certificate,
    extension: c_int,
    _critical: *mut c_int,
    _index: *mut c_int,
) -> *mut c_void {
    // SAFETY: it is from `give`.
    let certificate = unsafe { certificate.as_ref() }.filter(|_| extension == SUBJECT_ALT_NAME);
    let Some(found) = certificate.and_then(|certificate| der::parts(&certificate.der)?.names) else {
        return ptr::null_mut();
    };
    let texts: Vec<_> = found.iter().map(|name| Asn1String(name.bytes().to_vec())).collect();
    let kind = |name: &der::Name<'_>| if matches!(name, der::Name::Dns(_)) { GEN_DNS } else { GEN_IPADD };
    let named = found.iter().zip(&texts).map(|(name, text)| GeneralName { kind: kind(name), text });
    let names = named.collect();
    give(GeneralNames { names, _texts: texts }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_GENERAL_NAME_num(names: *const GeneralNames) -> c_int {
    // SAFETY: it is from `X509_get_ext_d2i`.
    unsafe { names.as_ref() }.map_or(0, |names| names.names.len() as c_int)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_GENERAL_NAME_value(
    names: *const GeneralNames,
    index: c_int,
) -> *const GeneralName {
    // SAFETY: it is from `X509_get_ext_d2i`.
    let names = unsafe { names.as_ref() };
    let name = names.zip(usize::try_from(index).ok()).and_then(|(names, index)| names.names.get(index));
    name.map_or(ptr::null(), ptr::from_ref)
}

/// Does nothing: `sk_GENERAL_NAME_pop_free` frees all names at once.
#[unsafe(no_mangle)]
pub extern "C" fn GENERAL_NAME_free(_name: *mut GeneralName) {}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_GENERAL_NAME_pop_free(names: *mut GeneralNames, _function: *const c_void) {
    // SAFETY: it is from `X509_get_ext_d2i`.
    unsafe { release(names) }
}

#[unsafe(no_mangle)]
pub extern "C" fn X509_get_subject_name(certificate: *const Certificate) -> *const Certificate {
    certificate
}

/// Returns the place of the first common name, or -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_NAME_get_index_by_NID(
    subject: *const Certificate,
    kind: c_int,
    after: c_int,
) -> c_int {
    // SAFETY: it is from `give`.
    let has_name = unsafe { subject.as_ref() }.is_some_and(|certificate| certificate.common_name.is_some());
    if has_name && kind == COMMON_NAME && after < 0 { 0 } else { -1 }
}

#[unsafe(no_mangle)]
pub extern "C" fn X509_NAME_get_entry(subject: *const Certificate, _index: c_int) -> *const Certificate {
    subject
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_NAME_ENTRY_get_data(entry: *const Certificate) -> *const Asn1String {
    // SAFETY: it is from `give`.
    let name = unsafe { entry.as_ref() }.and_then(|certificate| certificate.common_name.as_ref());
    name.map_or(ptr::null(), ptr::from_ref)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ASN1_STRING_get0_data(string: *const Asn1String) -> *const c_uchar {
    // SAFETY: it is from a function above.
    unsafe { string.as_ref() }.map_or(ptr::null(), |string| string.0.as_ptr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ASN1_STRING_length(string: *const Asn1String) -> c_int {
    // SAFETY: it is from a function above.
    unsafe { string.as_ref() }.map_or(0, |string| c_int::try_from(string.0.len()).unwrap_or(0))
}
