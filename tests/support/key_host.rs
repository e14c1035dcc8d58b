//! The host of an identity provider's key set: HTTPS with a certificate of the test's own authority.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpListener, sync::watch};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::picture_host::read_head;

/// A running host.
pub(crate) struct KeyHost {
    port: u16,
    folder: TempDir,
    answer: watch::Sender<Option<Vec<u8>>>,
    fetches: Arc<AtomicUsize>,
}

impl KeyHost {
    /// Starts a host with these keys on a free port.
    pub(crate) async fn start(keys: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (acceptor, authority) = acceptor();
        std::fs::write(folder.path().join("authority.pem"), authority).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, answers) = watch::channel(None);
        let fetches = Arc::new(AtomicUsize::new(0));
        let host = Self { port, folder, answer, fetches: fetches.clone() };
        host.has(keys);
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, mut answers, fetches) = (acceptor.clone(), answers.clone(), fetches.clone());
                actix_web::rt::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    read_head(&mut stream).await;
                    fetches.fetch_add(1, Ordering::SeqCst);
                    let Ok(answer) = answers.wait_for(Option::is_some).await.map(|answer| answer.clone())
                    else {
                        return;
                    };
                    let _ = stream.write_all(&answer.unwrap()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        host
    }

    /// Serves these keys from now on.
    pub(crate) fn has(&self, keys: &[Value]) {
        let body = json!({"keys": keys}).to_string();
        self.answers(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }

    /// Answers with these bytes from now on.
    pub(crate) fn answers(&self, bytes: impl Into<Vec<u8>>) {
        self.answer.send_replace(Some(bytes.into()));
    }

    /// Accepts connections and does not answer, from now on.
    pub(crate) fn hangs(&self) {
        self.answer.send_replace(None);
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/keys", self.port)
    }

    /// The certificate of the authority, for `SSL_CERT_FILE`.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Counts the requests so far.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

/// Creates an authority and a certificate for `localhost`. Returns the authority's certificate too.
fn acceptor() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from(certificate)];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority)
}
