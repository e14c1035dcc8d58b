//! TLS of outgoing HTTPS requests.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// Builds the TLS configuration of a client, with the system's root certificates or those of `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`. HTTP/2 is not offered.
pub(crate) fn client_config() -> ClientConfig {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!(
            "no root certificates found; nothing can be fetched over HTTPS; install ca-certificates or set SSL_CERT_FILE"
        );
    }
    let provider = rustls::crypto::ring::default_provider();
    let config =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    config.expect("ring has the usual versions").with_root_certificates(roots).with_no_client_auth()
}
