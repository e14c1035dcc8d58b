//! Pictures fetched over HTTPS: the host's certificate must be signed by an authority that the system trusts.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{
    program::{Program, command, greenroom},
    support::picture_host::{PNG, read_head},
};

/// Creates a certificate authority. Returns its certificate and issuer.
fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), Issuer::new(params, key))
}

/// Starts a host with a certificate for a name. Returns its port.
async fn host(issuer: &Issuer<'static, KeyPair>, name: &str) -> u16 {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    let chain = vec![CertificateDer::from(certificate)];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    actix_web::rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PNG.len());
            let _ = stream.write_all(&[head.as_bytes(), PNG].concat()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[actix_rt::test(system = "crate::System")]
async fn a_certificate_must_be_of_a_known_authority_and_of_the_hosts_name() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("test.db").display());
    let (known, authorities) = (authority(), folder.path().join("authorities.pem"));
    std::fs::write(&authorities, &known.0).unwrap();
    let (good, misnamed) = (host(&known.1, "localhost").await, host(&known.1, "other.example").await);
    let unknown = host(&authority().1, "localhost").await;
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let mut serve = command(&database);
    let hosts = [good, misnamed, unknown].map(|port| format!("localhost:{port}")).join(",");
    serve
        .args(["serve", "--bind", "127.0.0.1:0", "--log", "off", "--picture-proxy", "on"])
        .args(["--picture-hosts", &hosts, "--picture-proxy-allow", "127.0.0.0/8"])
        .env("SSL_CERT_FILE", &authorities)
        .env_remove("SSL_CERT_DIR");
    let server = Program::start(serve);
    for (port, status) in [(good, 200), (misnamed, 404), (unknown, 404)] {
        let change = json!({"avatar_url": format!("https://localhost:{port}/a.png")});
        let (changed, me) = server.request("PATCH", "users/me/", &token, Some(change)).await.unwrap();
        assert_eq!(changed, 200, "{me}");
        let shown = me["avatar_url"].as_str().unwrap();
        let reply = server.request_at("GET", shown, &token, None).await.unwrap();
        assert_eq!(reply.0, status, "{port}");
    }
}
