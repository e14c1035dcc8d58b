//! Keys that verify signatures of JSON Web Tokens, from a secret, a PEM file or a JSON Web Key Set (RFC 7517).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde::Deserialize;
use serde_json::Value;
use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{Decode, Reader, SliceReader, asn1::UintRef},
};

use crate::core::model::KeyLife;

/// Algorithms of signatures that are accepted (RFC 7518, RFC 8037). A key has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Finds an algorithm by its name in `alg`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// The smallest secret, in bytes: the size of the hash (RFC 7518, section 3.2).
const MIN_SECRET: usize = 32;

/// Sizes of RSA keys that are accepted, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// Size of a coordinate of P-256, and of a key of Ed25519, in bytes.
const COORDINATE: usize = 32;

/// A key without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Secret(Vec<u8>),
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// An uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key that verifies signatures.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    /// `kid`: the id by which tokens name the key.
    pub(super) id: Option<String>,
    material: Material,
    pub(super) life: KeyLife,
}

impl VerifyingKey {
    fn new(id: Option<String>, material: Material) -> Self {
        Self { id, material, life: KeyLife::default() }
    }

    /// Creates a key for HMAC. `None`: the secret is too short.
    pub(super) fn secret(secret: &str) -> Option<Self> {
        (secret.len() >= MIN_SECRET).then(|| Self::new(None, Material::Secret(secret.into())))
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Secret(_) => Algorithm::Hs256,
            Material::Rsa(..) => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.material == other.material
    }

    /// Whether this key made the signature of a message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(secret) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, signature).is_ok()
            }
            Material::Rsa(n, e) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }
}

/// Returns the material of an RSA key. `None`: the key is too small or too large.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Material> {
    let trimmed = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let (n, e) = (trimmed(modulus), trimmed(exponent));
    let bits = 8 * n.len() - n.first()?.leading_zeros() as usize;
    (RSA_BITS.contains(&bits) && !e.is_empty()).then_some(Material::Rsa(n, e))
}

/// Why a file of keys is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PemError {
    #[error("it has no PEM section \"PUBLIC KEY\"")]
    Empty,
    #[error("it is not valid PEM")]
    Malformed,
    #[error("it has a private key; only the public keys belong here")]
    Private,
    #[error("key {0} is none of: RSA of 2,048 to 8,192 bits, P-256, Ed25519")]
    Unsupported(usize),
}

/// Reads the public keys of a PEM file.
pub(super) fn of_pem(pem: &[u8]) -> Result<Vec<VerifyingKey>, PemError> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        match section.map_err(|_| PemError::Malformed)? {
            (SectionKind::PublicKey, der) => {
                let material = of_spki(&der).ok_or(PemError::Unsupported(keys.len() + 1))?;
                keys.push(VerifyingKey::new(None, material));
            }
            (SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _) => {
                return Err(PemError::Private);
            }
            _ => {}
        }
    }
    if keys.is_empty() { Err(PemError::Empty) } else { Ok(keys) }
}

/// Object identifiers of keys: RFC 8017, RFC 5480, RFC 8410.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// First byte of an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// Reads a SubjectPublicKeyInfo (RFC 5280). `None`: malformed, or a kind that is not accepted.
fn of_spki(der: &[u8]) -> Option<Material> {
    let info = SubjectPublicKeyInfoRef::from_der(der).ok()?;
    let key = info.subject_public_key.as_bytes()?;
    match info.algorithm.oid {
        RSA_ENCRYPTION => {
            let mut reader = SliceReader::new(key).ok()?;
            let read = reader.sequence(|inner| {
                Ok::<_, spki::der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?))
            });
            let (n, e) = read.ok()?;
            rsa(n.as_bytes(), e.as_bytes())
        }
        EC_PUBLIC_KEY if info.algorithm.parameters_oid().ok()? == PRIME256V1 => {
            let is_point = key.len() == 1 + 2 * COORDINATE && key[0] == UNCOMPRESSED;
            is_point.then(|| Material::P256(key.to_vec()))
        }
        ID_ED25519 => (key.len() == COORDINATE).then(|| Material::Ed25519(key.to_vec())),
        _ => None,
    }
}

/// A JSON Web Key. Members that are not listed are ignored.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a JSON Web Key Set. Skips keys that are malformed, or not for one of the accepted algorithms.
/// `None`: this is no set.
pub(super) fn of_set(json: &[u8]) -> Option<Vec<VerifyingKey>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(json).ok()?;
    Some(set.keys.into_iter().filter_map(of_jwk).collect())
}

fn of_jwk(value: Value) -> Option<VerifyingKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !is_for_signatures {
        return None;
    }
    let bytes = |field: &Option<String>| URL_SAFE_NO_PAD.decode(field.as_deref()?).ok();
    let coordinate = |field| bytes(field).filter(|bytes| bytes.len() == COORDINATE);
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => rsa(&bytes(&jwk.n)?, &bytes(&jwk.e)?)?,
        ("EC", Some("P-256")) => {
            Material::P256([vec![UNCOMPRESSED], coordinate(&jwk.x)?, coordinate(&jwk.y)?].concat())
        }
        ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(&jwk.x)?),
        _ => return None,
    };
    let key = VerifyingKey::new(jwk.kid, material);
    let is_its_own = jwk.alg.is_none_or(|alg| Algorithm::named(&alg) == Some(key.algorithm()));
    is_its_own.then_some(key)
}
