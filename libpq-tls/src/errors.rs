//! Why a function failed: the last reason of each thread.

use std::{
    cell::RefCell,
    ffi::{CString, c_char, c_ulong},
    fmt::Display,
    ptr,
};

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// OpenSSL's code of an error of TLS, without a reason.
const IN_TLS: c_ulong = 20 << 23;
/// A reason that libpq does not tell apart from others.
const OTHER: c_ulong = 1;
/// `SSL_R_UNSUPPORTED_PROTOCOL`. libpq adds which versions of TLS it has offered.
const UNSUPPORTED_PROTOCOL: c_ulong = 258;

/// libpq cuts a reason after as many bytes.
const LONGEST: usize = 127;

#[derive(Default)]
struct LastError {
    /// Zero after libpq has taken it. The text stays valid until the next failure.
    code: c_ulong,
    text: CString,
}

thread_local! {
    static LAST: RefCell<LastError> = RefCell::default();
}

/// Remembers why a function fails.
pub(crate) fn fail(reason: impl Display) {
    remember(OTHER, reason.to_string());
}

/// Remembers an error of rustls.
pub(crate) fn fail_in_tls(error: &Error) {
    let code = if is_about_versions(error) { UNSUPPORTED_PROTOCOL } else { OTHER };
    remember(code, describe(error));
}

fn remember(reason: c_ulong, mut text: String) {
    text.retain(|letter| letter != '\0');
    let end = (0..=LONGEST).rfind(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    let text = CString::new(text).unwrap_or_default();
    // A connection may be closed while the thread ends, when this is gone.
    let _ = LAST.try_with(|last| *last.borrow_mut() = LastError { code: IN_TLS | reason, text });
}

fn is_about_versions(error: &Error) -> bool {
    matches!(
        error,
        Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            )
    )
}

/// Returns a sentence about an error, in the words of OpenSSL where users search for them.
fn describe(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => {
            format!("certificate verify failed: {}", describe_certificate(reason))
        }
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server requires a client certificate".to_owned(),
            AlertDescription::UnknownCA => {
                "the server does not know the client certificate's authority".to_owned()
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError => {
                format!("the server refused the client certificate ({alert:?})")
            }
            _ => format!("the server ended the handshake ({alert:?})"),
        },
        Error::InvalidMessage(_) => "the server's answer is not TLS".to_owned(),
        other => other.to_string(),
    }
}

fn describe_certificate(reason: &CertificateError) -> String {
    match reason {
        // With a bad signature, an authority of the same name has not signed it.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority of sslrootcert has signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::Revoked => "it is revoked".to_owned(),
        CertificateError::UnknownRevocationStatus => {
            "no list of sslcrl or sslcrldir covers its authority".to_owned()
        }
        CertificateError::Other(reason) => reason.to_string(),
        other => format!("{other:?}"),
    }
}

/// Returns the code of the thread's last error once, then 0.
#[unsafe(no_mangle)]
pub extern "C" fn ERR_get_error() -> c_ulong {
    LAST.try_with(|last| std::mem::take(&mut last.borrow_mut().code)).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn ERR_clear_error() {
    ERR_get_error();
}

/// Returns the text of the thread's last error, which is the one with the code that libpq has just taken.
#[unsafe(no_mangle)]
pub extern "C" fn ERR_reason_error_string(code: c_ulong) -> *const c_char {
    if code == 0 {
        return ptr::null();
    }
    LAST.try_with(|last| last.borrow().text.as_ptr()).unwrap_or(ptr::null())
}
