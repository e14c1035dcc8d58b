//! Key sets of identity providers: what they hold, how they rotate, and what happens while their host is away.

use std::{
    cell::Cell,
    process::{Command, Stdio},
    time::Instant,
};

use awc::Client;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    program::{Program, command, fails},
    support::{DEADLINE, Listener, jwt::SigningKey, key_host::KeyHost, pause},
};

const ISSUER: &str = "https://login.example/";

/// A server that accepts the tokens of a key host.
struct Fixture {
    server: Program,
    _folder: TempDir,
}

fn serve(host: &KeyHost) -> (Command, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = command(&format!("sqlite://{}", folder.path().join("test.db").display()));
    serve
        .args(["serve", "--bind", "127.0.0.1:0", "--log", "off"])
        .args(["--jwks-url", &host.url(), "--jwt-issuer", ISSUER])
        .env("SSL_CERT_FILE", host.authority())
        .env_remove("SSL_CERT_DIR");
    (serve, folder)
}

impl Fixture {
    fn start(host: &KeyHost) -> Self {
        let (serve, folder) = serve(host);
        Self { server: Program::start(serve), _folder: folder }
    }

    /// Sends a request with a token. Returns the status and the body.
    async fn asks(&self, token: &str) -> (u16, Value) {
        let url = format!("http://{}/messages/api/users/me/", self.server.address());
        let request =
            self.server.client().get(url).insert_header(("Authorization", format!("Bearer {token}")));
        let mut answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }
}

fn claims(subject: &str) -> Value {
    json!({"iss": ISSUER, "sub": subject})
}

/// Adds members to a key of a set.
fn with(mut key: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

fn without(mut key: Value, member: &str) -> Value {
    key.as_object_mut().unwrap().remove(member);
    key
}

#[actix_rt::test(system = "crate::System")]
async fn sets_as_providers_publish_them_work_and_what_is_not_for_us_is_skipped() {
    let (rsa, p256, ed25519) = (SigningKey::rsa(), SigningKey::p256(), SigningKey::ed25519());
    let unusable = [
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "a"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "b"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "c"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43), "kid": "d"}),
        json!({"kty": "oct", "k": "AAAA", "kid": "e"}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "small"}),
        json!({"kty": "RSA", "n": "!", "e": "AQAB", "kid": "f"}),
        json!({"kid": "no kty"}),
        json!("a text"),
        json!({"kty": "RSA", "kid": 7}),
        with(rsa.jwk("enc"), json!({"use": "enc"})),
        with(rsa.jwk("wrap"), json!({"key_ops": ["wrapKey"]})),
        with(rsa.jwk("ps"), json!({"alg": "PS256"})),
        with(rsa.jwk("512"), json!({"alg": "RS512"})),
        with(rsa.jwk("mixed"), json!({"alg": "ES256"})),
    ];
    // As Auth0 and Keycloak (x5c, x5t, an encryption key beside), Cognito, Firebase, Supabase (ES256, key_ops, ext) and
    // Clerk publish them.
    let good = [
        (
            "auth0",
            &rsa,
            with(rsa.jwk("auth0"), json!({"use": "sig", "alg": "RS256", "x5c": ["MIIC"], "x5t": "AA"})),
        ),
        ("cognito", &rsa, with(rsa.jwk("cognito"), json!({"alg": "RS256", "use": "sig"}))),
        (
            "keycloak",
            &rsa,
            with(
                rsa.jwk("keycloak"),
                json!({"alg": "RS256", "use": "sig", "x5c": ["MIIC"], "x5t": "AA", "x5t#S256": "AA"}),
            ),
        ),
        ("firebase", &rsa, with(rsa.jwk("firebase"), json!({"alg": "RS256", "use": "sig"}))),
        ("clerk", &rsa, with(rsa.jwk("clerk"), json!({"use": "sig", "alg": "RS256"}))),
        ("azure", &rsa, with(rsa.jwk("azure"), json!({"use": "sig", "issuer": ISSUER}))),
        (
            "supabase",
            &p256,
            with(
                p256.jwk("supabase"),
                json!({"alg": "ES256", "ext": true, "key_ops": ["verify"], "use": "sig"}),
            ),
        ),
        ("plain", &p256, p256.jwk("plain")),
        ("ed", &ed25519, with(ed25519.jwk("ed"), json!({"alg": "EdDSA", "use": "sig"}))),
        ("zeros", &rsa, {
            let key = rsa.jwk("zeros");
            let n = format!("AAAA{}", key["n"].as_str().unwrap());
            with(key, json!({"n": n}))
        }),
    ];
    let set: Vec<Value> = unusable.iter().chain(good.iter().map(|(_, _, key)| key)).cloned().collect();
    let host = KeyHost::start(&set).await;
    let fixture = Fixture::start(&host);
    for (id, key, _) in &good {
        let (status, me) = fixture.asks(&key.token_of(id, claims(id))).await;
        assert_eq!((status, &me["external_id"]), (200, &json!(id)), "{me}");
        // A token without a kid is tried with each key of its algorithm.
        assert_eq!(fixture.asks(&key.token(claims(id))).await.0, 200, "{id}");
    }
    for id in ["small", "enc", "wrap", "ps", "512", "mixed"] {
        let (status, answer) = fixture.asks(&rsa.token_of(id, claims("9"))).await;
        assert_eq!(
            (status, &answer["detail"]),
            (401, &json!("The token is invalid or has expired.")),
            "{id}"
        );
    }
    // The issuer is part of what is trusted.
    assert_eq!(fixture.asks(&rsa.token_of("auth0", json!({"sub": "7"}))).await.0, 401);
    let evil = json!({"iss": "https://evil.example/", "sub": "7"});
    assert_eq!(fixture.asks(&rsa.token_of("auth0", evil)).await.0, 401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_key_without_an_id_verifies_any_token_of_its_algorithm() {
    let key = SigningKey::ed25519();
    let host = KeyHost::start(&[without(key.jwk(""), "kid")]).await;
    let fixture = Fixture::start(&host);
    assert_eq!(fixture.asks(&key.token(claims("7"))).await.0, 200);
    let other = SigningKey::ed25519();
    assert_eq!(fixture.asks(&other.token(claims("7"))).await.0, 401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_flood_of_unknown_keys_causes_one_fetch_and_delays_nobody() {
    let (key, other) = (SigningKey::p256(), SigningKey::p256());
    let host = KeyHost::start(&[key.jwk("one")]).await;
    let fixture = Fixture::start(&host);
    let good = key.token_of("one", claims("7"));
    assert_eq!(fixture.asks(&good).await.0, 200);
    assert_eq!(host.fetches(), 1);
    // The host hangs: whoever waited for it would wait for seconds.
    host.hangs();
    let began = Instant::now();
    let tokens: Vec<String> =
        (0..50).map(|number| other.token_of(&format!("k{number}"), claims("7"))).collect();
    let refused = join_all(tokens.iter().map(|token| fixture.asks(token))).await;
    assert!(refused.iter().all(|(status, _)| *status == 401), "{refused:?}");
    assert_eq!(fixture.asks(&good).await.0, 200);
    assert!(began.elapsed() < DEADLINE);
    assert_eq!(host.fetches(), 1, "the set was fetched less than half a minute ago");
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_that_does_not_answer_as_it_should_is_503_until_it_does() {
    let key = SigningKey::p256();
    for bytes in [
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]".to_owned(),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{}", " ".repeat(70_000)),
    ] {
        let host = KeyHost::start(&[]).await;
        host.answers(bytes.clone());
        let fixture = Fixture::start(&host);
        let (status, answer) = fixture.asks(&key.token_of("one", claims("7"))).await;
        assert_eq!(status, 503, "{answer} {bytes:.40}");
        // Sessions and access tokens do not depend on it.
        let health = fixture.server.client().get(format!("http://{}/healthz", fixture.server.address()));
        assert_eq!(health.send().await.unwrap().status(), 200);
    }
}

/// The shortest time between fetches in tests that rotate keys.
const SHORT_INTERVAL: &str = "jwks-interval=return(50)";

/// Opens a socket with a token. Returns its events.
async fn socket(fixture: &Fixture, token: &str) -> Listener {
    let address = fixture.server.address();
    let client = Client::builder().timeout(DEADLINE).max_http_version(awc::http::Version::HTTP_11).finish();
    let request = client.ws(format!("http://{address}/messages/ws/"));
    let request = request.set_header("Sec-WebSocket-Protocol", format!("greenroom.jwt.{token}"));
    Listener::of(request.connect().await.unwrap().1)
}

#[actix_rt::test(system = "crate::System")]
async fn keys_rotate_under_load_and_a_key_that_leaves_the_set_is_dead() {
    let (old, new, other) = (SigningKey::p256(), SigningKey::ed25519(), SigningKey::p256());
    let host = KeyHost::start(&[old.jwk("old")]).await;
    let (mut serve, folder) = serve(&host);
    serve.env("FAILPOINTS", SHORT_INTERVAL);
    let fixture = Fixture { server: Program::start(serve), _folder: folder };
    let (uses_new, is_over, count) = (Cell::new(false), Cell::new(false), Cell::new(0));
    let load = async |subject: &str| {
        while !is_over.get() {
            // A new token each time: none is remembered.
            let claims = with(claims(subject), json!({"jti": count.get()}));
            let token =
                if uses_new.get() { new.token_of("new", claims) } else { old.token_of("old", claims) };
            assert_eq!(fixture.asks(&token).await.0, 200);
            count.set(count.get() + 1);
        }
    };
    let some_requests = async || {
        let wanted = count.get() + 20;
        while count.get() < wanted {
            pause().await;
        }
    };
    let rotation = async {
        some_requests().await;
        let first = old.token_of("old", claims("first"));
        let mut first_socket = socket(&fixture, &first).await;
        first_socket.receives("hello").await;
        host.has(&[old.jwk("old"), new.jwk("new")]);
        some_requests().await;
        uses_new.set(true);
        some_requests().await;
        host.has(&[new.jwk("new")]);
        // Its tokens live until the next fetch, which a token with an unknown key causes.
        assert_eq!(fixture.asks(&first).await.0, 200);
        let unknown = async {
            while fixture.asks(&first).await.0 == 200 {
                assert_eq!(fixture.asks(&other.token_of("other", claims("7"))).await.0, 401);
            }
        };
        timeout(DEADLINE, unknown).await.expect("the old key is gone in time");
        assert_eq!(first_socket.is_closed().await, 4401);
        some_requests().await;
        is_over.set(true);
    };
    join(join_all(["a", "b", "c"].map(load)), rotation).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_that_was_away_at_the_start_is_asked_again() {
    let key = SigningKey::p256();
    let host = KeyHost::start(&[]).await;
    host.answers("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let (mut serve, folder) = serve(&host);
    serve.env("FAILPOINTS", SHORT_INTERVAL);
    let fixture = Fixture { server: Program::start(serve), _folder: folder };
    let token = key.token_of("one", claims("7"));
    assert_eq!(fixture.asks(&token).await.0, 503);
    host.has(&[key.jwk("one")]);
    let recovered = async {
        while fixture.asks(&token).await.0 == 503 {
            pause().await;
        }
    };
    timeout(DEADLINE, recovered).await.expect("the set is fetched in time");
    assert_eq!(fixture.asks(&token).await.0, 200);
    // Away again: the last set is used, and an unknown key is no reason to wait for long.
    host.answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(fixture.asks(&key.token_of("two", claims("7"))).await.0, 401);
    assert_eq!(fixture.asks(&key.token_of("one", claims("8"))).await.0, 200);
}

#[actix_rt::test(system = "crate::System")]
async fn settings_that_cannot_work_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("test.db").display());
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (rsa, small) = (SigningKey::rsa(), include_str!("../support/keys/rsa_1024_public.pem"));
    let private = file("private.pem", include_str!("../support/keys/rsa.pem"));
    let empty = file("empty.pem", "no keys here");
    let small = file("small.pem", &format!("{}{small}", rsa.pem()));
    let broken = file("broken.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    for (args, reason) in [
        (&["--jwks-url", "https://login.example/keys"][..], "--jwks-url needs --jwt-issuer"),
        (&["--jwt-issuer", "a"], "--jwt-issuer and --jwt-audience need keys"),
        (&["--jwt-keys", "/nowhere/keys.pem"], "cannot read --jwt-keys /nowhere/keys.pem"),
        (&["--jwt-keys", &private], "it has a private key"),
        (&["--jwt-keys", &empty], "no PEM section \"PUBLIC KEY\""),
        (&["--jwt-keys", &small], "key 2 is none of"),
        (&["--jwt-keys", &broken], "key 1 is none of"),
    ] {
        let sentence =
            fails(&database, &[&["serve", "--bind", "127.0.0.1:0", "--log", "off"], args].concat(), 1);
        assert!(sentence.contains(reason), "{sentence}");
    }
    for args in [
        &["--jwt-secret", "short"][..],
        &["--jwks-url", "http://login.example/keys"],
        &["--jwt-staff-claim", "admin"],
        &["--jwt-max-seconds", "0"],
    ] {
        let serve = [&["serve", "--bind", "127.0.0.1:0"], args].concat();
        let done = command(&database).args(serve).stdout(Stdio::null()).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{args:?}");
    }
}
