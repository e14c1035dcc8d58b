//! Verification of the server's certificate.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime},
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::der;

pub(crate) use webpki::OwnedCertRevocationList as RevocationList;

/// The authorities that a server's certificate can be of.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    /// If there are any, each authority of a chain needs one.
    pub(crate) revoked: Vec<CertRevocationList<'static>>,
    /// Whether revocation lists were configured. If none of them can be used, no certificate is accepted.
    pub(crate) checks_revocation: bool,
}

impl Roots {
    /// Trusts a certificate, and those that it has signed if it is one of an authority.
    pub(crate) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), String> {
        let anchor = anchor_from_trusted_cert(&certificate).map_err(|error| error.to_string())?;
        if der::parts(&certificate).is_some_and(|parts| parts.is_authority) {
            self.anchors.push(anchor.to_owned());
        }
        self.certificates.push(certificate);
        Ok(())
    }

    /// Takes them out of a context that is not used any more.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

/// Verifies chains and signatures. libpq compares the name, where `sslmode` asks for that.
#[derive(Debug)]
pub(crate) struct Verifier {
    /// `None` if any certificate will do: `sslmode=require` without `sslrootcert`.
    pub(crate) roots: Option<Roots>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
    /// Set if an authority of the chain limits names. webpki does not apply that to common names, so they do not count
    /// then.
    pub(crate) limits_names: Arc<AtomicBool>,
}

impl Verifier {
    fn verify_chain(
        &self,
        roots: &Roots,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        if roots.checks_revocation && roots.revoked.is_empty() {
            return Err(webpki::Error::UnknownRevocationStatus);
        }
        let lists: Vec<_> = roots.revoked.iter().collect();
        let parsed = EndEntityCert::try_from(certificate)?;
        let verified = parsed.verify_for_usage(
            self.algorithms.all,
            &roots.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            revocation(&lists),
            None,
        );
        match verified {
            // A server whose own certificate is trusted, as `openssl req -x509` makes it. Its dates are
            // right: webpki checks them first. No list says whether it is revoked.
            Err(webpki::Error::CaUsedAsEndEntity | webpki::Error::UnknownIssuer)
                if !roots.checks_revocation && roots.certificates.contains(certificate) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
            Ok(path) => {
                let limits = |certificate: &[u8]| {
                    der::parts(certificate).is_none_or(|parts| parts.has_name_constraints)
                };
                let below_root = path.intermediate_certificates().any(|one| limits(&one.der()));
                let is_limited = below_root || path.anchor().name_constraints.is_some();
                self.limits_names.store(is_limited, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// Returns how to check revocation: of each certificate in the chain, by lists that have not expired.
fn revocation<'a>(lists: &'a [&'a CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
    if lists.is_empty() {
        return None;
    }
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    let options = options.with_depth(RevocationCheckDepth::Chain);
    let options = options.with_status_policy(UnknownStatusPolicy::Deny);
    Some(options.with_expiration_policy(ExpirationPolicy::Enforce).build())
}

/// Returns an error of webpki as rustls has it, which chooses the alert for the server.
fn translate(error: webpki::Error) -> CertificateError {
    match error {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        // `CaUsedAsEndEntity`: a certificate that was made for itself, and is not trusted.
        webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity => CertificateError::UnknownIssuer,
        webpki::Error::CertRevoked => CertificateError::Revoked,
        webpki::Error::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::UnsupportedCertVersion => because("it is of X.509 version 1, and not 3"),
        webpki::Error::UnsupportedSignatureAlgorithmContext(_)
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            because("its signature algorithm is not supported")
        }
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
}

/// A sentence for users, as an error.
#[derive(Debug)]
struct Because(&'static str);

impl fmt::Display for Because {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for Because {}

fn because(reason: &'static str) -> CertificateError {
    CertificateError::Other(OtherError(Arc::new(Because(reason))))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            self.verify_chain(roots, certificate, intermediates, now)
                .map_err(|error| Error::InvalidCertificate(translate(error)))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    /// Verifies by the key alone, since webpki does not read certificates of X.509 version 1. Some servers
    /// have one, with `sslmode=require`.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let parts = der::parts(certificate).ok_or(CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(parts.public_key);
        crypto::verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
