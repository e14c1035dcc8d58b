//! PostgreSQL over TLS: certificates of both sides, and what the errors say.

use std::{fs, path::PathBuf};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    program::{Program, command, fails, greenroom},
    support::database::Cluster,
};

const PASSWORD: &str = "not-to-be-shown";

/// Everyone may connect, with or without TLS.
const OPEN: &str = "host all all 127.0.0.1/32 trust";

/// An authority, and files of certificates.
struct Authority {
    folder: TempDir,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        Self::named("Our authority")
    }

    fn named(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self::of(params)
    }

    fn of(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { folder: tempfile::tempdir().unwrap(), pem, issuer: Issuer::new(params, key) }
    }

    /// Returns the certificate and key for a host, in PEM form.
    fn certificate(&self, host: &str) -> [String; 2] {
        self.signed(CertificateParams::new([host.to_owned()]).unwrap())
    }

    fn signed(&self, params: CertificateParams) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        [params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem()]
    }

    /// Returns a list in which a certificate is revoked.
    fn revokes(&self, serial_number: u64) -> String {
        let one = RevokedCertParams {
            serial_number: SerialNumber::from(serial_number),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![one],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Writes a file that only its owner can read.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    /// Returns the parameters of a URL that trusts this authority, and the name in the certificate.
    fn verifies(&self) -> String {
        format!("sslmode=verify-full&sslrootcert={}", self.file("ca.pem", &self.pem).display())
    }

    /// Returns the parameters of a URL with a client certificate.
    fn identifies(&self, [certificate, key]: &[String; 2]) -> String {
        let (certificate, key) = (self.file("client.pem", certificate), self.file("client.key", key));
        format!("{}&sslcert={}&sslkey={}", self.verifies(), certificate.display(), key.display())
    }
}

/// Returns the parameters of a certificate for a subject.
fn named(subject: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

/// A PostgreSQL on a port of 127.0.0.1, with a database `chat`.
struct Postgres {
    cluster: Cluster,
    port: u16,
}

impl Postgres {
    fn start() -> Self {
        let (cluster, port) = Cluster::start_on_port();
        cluster.execute("CREATE DATABASE chat").unwrap();
        Self { cluster, port }
    }

    /// Has the server write a file that only it can read, in its folder of data.
    fn write(&self, name: &str, text: &str) {
        let lines = format!("SELECT regexp_split_to_table($pem${}$pem$, E'\\n')", text.trim_end());
        self.cluster.execute(&format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {name}'")).unwrap();
    }

    /// Restarts the server with a certificate. `access` is its `pg_hba.conf` for connections with TCP.
    fn speaks_tls(&mut self, authority: &Authority, [certificate, key]: [String; 2], access: &str) {
        self.write("server.crt", &certificate);
        self.write("server.key", &key);
        self.write("ca.crt", &authority.pem);
        self.write("pg_hba.conf", &format!("local all all trust\n{access}"));
        for setting in ["ssl = on", "ssl_ca_file = 'ca.crt'"] {
            self.cluster.execute(&format!("ALTER SYSTEM SET {setting}")).unwrap();
        }
        self.cluster.command("restart fast");
    }

    fn url(&self, parameters: &str) -> String {
        let port = self.port;
        format!("postgres://postgres:{PASSWORD}@localhost:{port}/chat?hostaddr=127.0.0.1&{parameters}")
    }

    /// Returns how many connections of Greenroom use TLS, and how many do not.
    fn connections(&self) -> (i64, i64) {
        let count = |condition: &str| {
            let mut conn = PgConnection::establish(&self.cluster.url("chat")).unwrap();
            let query = format!(
                "SELECT count(*) AS count FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                 WHERE client_port > 0 AND {condition}"
            );
            sql_query(query).get_result::<Count>(&mut conn).unwrap().count
        };
        (count("ssl"), count("NOT ssl"))
    }

    /// Starts a server of ours, posts a message and reads it.
    async fn serves(&self, parameters: &str) {
        let database = self.url(parameters);
        let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
        let server = Program::serve(&database);
        let body = json!({"content": "hi"});
        let posted = server.request("POST", "chats/1/messages/", &token, Some(body)).await.unwrap();
        assert_eq!(posted.0, 201, "{parameters}: {}", posted.1);
        let (_, page) = server.request("GET", "chats/1/messages/", &token, None).await.unwrap();
        assert_eq!(page["results"][0]["id"], posted.1["id"], "{parameters}");
        let (encrypted, plain) = self.connections();
        assert!(encrypted > 0 && plain == 0, "{parameters}: {encrypted} with TLS, {plain} without");
    }

    /// Creates a user and a chat.
    async fn has_a_chat(&self, parameters: &str) {
        let database = self.url(parameters);
        greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
        let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
        let body = json!({"chat_type": "group", "title": "Team"});
        let made = Program::serve(&database).request("POST", "chats/", &token, Some(body)).await.unwrap();
        assert_eq!(made.0, 201, "{}", made.1);
    }

    /// Asserts that the server and a command refuse to start, with one sentence that has `reason`.
    fn is_refused(&self, parameters: &str, reason: &str) {
        let commands: [&[&str]; 2] = [&["serve", "--bind", "127.0.0.1:0"], &["check"]];
        for command in commands {
            let sentence = fails(&self.url(parameters), command, 1);
            assert!(sentence.contains(reason), "{parameters} {command:?}: {sentence}");
            assert!(!sentence.contains(PASSWORD), "{sentence}");
        }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn tls_to_postgres_is_used_and_verified() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    let whole = authority.certificate("localhost");
    postgres.speaks_tls(&authority, whole, OPEN);
    postgres.has_a_chat(&authority.verifies()).await;
    for parameters in [&authority.verifies(), "sslmode=require", "sslmode=prefer", "connect_timeout=5"] {
        postgres.serves(parameters).await;
    }
    for version in ["TLSv1.2", "TLSv1.3"] {
        let only = format!("ssl_min_protocol_version={version}&ssl_max_protocol_version={version}");
        postgres.serves(&format!("{}&{only}", authority.verifies())).await;
    }
    assert!(greenroom(&postgres.url(&authority.verifies()), &["check"]).ends_with(" 0 differences found\n"));
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn tls_to_postgres_carries_long_messages_and_survives_a_restart_of_postgres() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    postgres.speaks_tls(&authority, authority.certificate("localhost"), OPEN);
    postgres.has_a_chat(&authority.verifies()).await;
    let database = postgres.url(&authority.verifies());
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let server = Program::serve(&database);
    for number in 0..200 {
        let body = json!({"content": format!("{number} {}", "y".repeat(4000))});
        assert_eq!(server.request("POST", "chats/1/messages/", &token, Some(body)).await.unwrap().0, 201);
        if number == 100 {
            postgres.cluster.command("restart immediate");
            let again = json!({"content": "again", "client_id": "again"});
            while server.request("POST", "chats/1/messages/", &token, Some(again.clone())).await.unwrap().0
                != 201
            {
                crate::support::pause().await;
            }
        }
    }
    // A connection that the restart broke is detected on its next use, which answers 503.
    let page = loop {
        match server.request("GET", "chats/1/messages/?page_size=100", &token, None).await.unwrap() {
            (503, _) => {}
            (_, page) => break page,
        }
    };
    assert_eq!(page["results"].as_array().unwrap().len(), 100);
    assert_eq!(page["count"], 201);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tls_to_postgres_is_refused_with_a_reason() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    postgres.is_refused("sslmode=require", "server does not support SSL, but SSL was required");

    postgres.speaks_tls(&authority, authority.certificate("localhost"), OPEN);
    let unsigned = "certificate verify failed: no authority of sslrootcert has signed it";
    let [namesake, stranger] = [Authority::new(), Authority::named("Another")];
    for other in [namesake.verifies(), stranger.verifies()] {
        postgres.is_refused(&other, unsigned);
    }
    postgres.is_refused("sslmode=verify-full&sslrootcert=/no/such.pem", "\"/no/such.pem\" does not exist");
    let empty = stranger.file("empty.pem", "");
    let wrong = format!("sslmode=verify-full&sslrootcert={}", empty.display());
    postgres.is_refused(&wrong, &format!("\"{}\": it has no certificate in PEM form", empty.display()));
    postgres.is_refused("sslrootcert=system", "certificate verify failed");
    postgres.is_refused("sslmode=disabled", "invalid sslmode value: \"disabled\"");

    postgres.speaks_tls(&authority, authority.certificate("other.example"), OPEN);
    let misnamed = "server certificate for \"other.example\" does not match host name \"localhost\"";
    postgres.is_refused(&authority.verifies(), misnamed);
    greenroom(&postgres.url(&authority.verifies().replace("full", "ca")), &["migrate"]);

    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2020, 1, 1);
    postgres.speaks_tls(&authority, authority.signed(params), OPEN);
    postgres.is_refused(&authority.verifies(), "certificate verify failed: it has expired");
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tls_to_postgres_takes_the_authorities_of_the_system() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    postgres.speaks_tls(&authority, authority.certificate("localhost"), OPEN);
    let mut migrate = command(&postgres.url("sslrootcert=system"));
    migrate.arg("migrate").env("SSL_CERT_FILE", authority.file("ca.pem", &authority.pem));
    let output = migrate.env_remove("SSL_CERT_DIR").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tls_to_postgres_refuses_a_revoked_certificate() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from(7));
    postgres.speaks_tls(&authority, authority.signed(params), OPEN);
    let with = |serial| {
        let list = authority.file("revoked.pem", &authority.revokes(serial));
        format!("{}&sslcrl={}", authority.verifies(), list.display())
    };
    greenroom(&postgres.url(&with(8)), &["migrate"]);
    postgres.is_refused(&with(7), "certificate verify failed: it is revoked");
    // Lists that cannot be used are no reason to accept what they may revoke.
    let none = "certificate verify failed: no list of sslcrl or sslcrldir covers its authority";
    let broken = authority.file("broken.pem", "no list");
    postgres.is_refused(&format!("{}&sslcrl={}", authority.verifies(), broken.display()), none);
    postgres.is_refused(&format!("{}&sslcrldir=/nowhere", authority.verifies()), none);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tls_to_postgres_obeys_an_authority_that_may_sign_for_some_names_only() {
    let mut postgres = Postgres::start();
    let limited = |suffix: &str| {
        let mut params = named("Limited");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(suffix.to_owned())],
            excluded_subtrees: Vec::new(),
        });
        Authority::of(params)
    };
    let (ours, others) = (limited("localhost"), limited("partner.example"));
    postgres.speaks_tls(&ours, ours.certificate("localhost"), OPEN);
    greenroom(&postgres.url(&ours.verifies()), &["migrate"]);
    postgres.speaks_tls(&others, others.certificate("localhost"), OPEN);
    postgres.is_refused(&others.verifies(), "certificate verify failed");
    // A common name does not count then.
    postgres.speaks_tls(&others, others.signed(named("localhost")), OPEN);
    postgres.is_refused(&others.verifies(), "server");
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tls_to_postgres_trusts_no_signature_of_a_pinned_server() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    // One server's own certificate is trusted. Its key signs one for another server.
    let (params, key) =
        (CertificateParams::new(["localhost".to_owned()]).unwrap(), KeyPair::generate().unwrap());
    let pinned = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, &key);
    let other_key = KeyPair::generate().unwrap();
    let other =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&other_key, &issuer).unwrap();
    let trusts =
        format!("sslmode=verify-full&sslrootcert={}", authority.file("pinned.pem", &pinned).display());
    postgres.speaks_tls(&authority, [pinned, key.serialize_pem()], OPEN);
    greenroom(&postgres.url(&trusts), &["migrate"]);
    postgres.speaks_tls(&authority, [other.pem(), other_key.serialize_pem()], OPEN);
    postgres.is_refused(&trusts, "certificate verify failed");
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn tls_to_postgres_trusts_a_certificate_that_signed_itself() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    // As `openssl req -x509` makes it.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let itself = authority.file("itself.pem", &certificate);
    postgres.speaks_tls(&authority, [certificate, key.serialize_pem()], OPEN);
    let parameters = format!("sslmode=verify-full&sslrootcert={}", itself.display());
    greenroom(&postgres.url(&parameters), &["migrate"]);
    postgres.is_refused(&authority.verifies(), "no authority of sslrootcert has signed it");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn tls_to_postgres_has_client_certificates() {
    let (mut postgres, authority, stranger) = (Postgres::start(), Authority::new(), Authority::new());
    let server = authority.certificate("localhost");
    postgres.speaks_tls(&authority, server, "hostssl all all 127.0.0.1/32 cert");
    let ours = authority.signed(named("postgres"));
    postgres.has_a_chat(&authority.identifies(&ours)).await;
    postgres.serves(&authority.identifies(&ours)).await;

    postgres.is_refused(&authority.verifies(), "connection requires a valid client certificate");
    let other = authority.signed(named("mallory"));
    postgres
        .is_refused(&authority.identifies(&other), "certificate authentication failed for user \"postgres\"");
    let foreign = stranger.signed(named("postgres"));
    postgres.is_refused(&authority.identifies(&foreign), "SSL error: the server");
    let [certificate, _] = ours;
    let mixed = [certificate, KeyPair::generate().unwrap().serialize_pem()];
    postgres.is_refused(&authority.identifies(&mixed), "it is the key of another certificate");
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn tls_to_postgres_binds_the_password_to_the_channel() {
    let (mut postgres, authority) = (Postgres::start(), Authority::new());
    postgres.cluster.execute(&format!("ALTER ROLE postgres PASSWORD '{PASSWORD}'")).unwrap();
    let scram = "host all all 127.0.0.1/32 scram-sha-256";
    postgres.speaks_tls(&authority, authority.certificate("localhost"), scram);
    let bound = format!("{}&channel_binding=require", authority.verifies());
    postgres.has_a_chat(&bound).await;
    postgres.serves(&bound).await;
    postgres.is_refused("sslmode=disable&channel_binding=require", "channel binding required");
    postgres.cluster.execute("ALTER ROLE postgres PASSWORD 'another'").unwrap();
    postgres.is_refused(&bound, "password authentication failed");
    // The old way, which libpq hashes by itself.
    let set = format!("SET password_encryption = md5; ALTER ROLE postgres PASSWORD '{PASSWORD}'");
    postgres.cluster.execute(&set).unwrap();
    postgres.speaks_tls(
        &authority,
        authority.certificate("localhost"),
        &scram.replace("scram-sha-256", "md5"),
    );
    postgres.serves(&authority.verifies()).await;
}
