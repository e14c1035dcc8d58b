//! Stored password hashes: argon2, and the kinds that Django makes. Each can be verified in bounded time and
//! memory; anything else is refused when it is parsed.

use std::time::Duration;

use argon2::{Argon2, Params, PasswordVerifier, password_hash::phc::PasswordHash};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::core::secrets;

/// Maximum length of a stored hash, in bytes. Django's column has 128 characters.
const MAX_LENGTH: usize = 512;

/// Maximum memory for verifying one hash. Django's default for argon2 is 100 MiB.
const MAX_BYTES: u64 = 256 << 20;

/// Maximum number of rounds of PBKDF2. Django's default is about a million.
const MAX_ROUNDS: u32 = 10_000_000;

/// Accepted costs of bcrypt. Django's default is 12.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// Maximum of argon2's passes, each over one KiB.
const MAX_KIB_PASSES: u64 = 4 << 20;

/// Maximum of scrypt's product of N, r and p. Django's default is about 0.6 million.
const MAX_SCRYPT_STEPS: u64 = 8 << 20;

// Twice the time that a core of 3 GHz needs.
const NANOS_PER_PBKDF2_ROUND: u64 = 800;
const NANOS_PER_BCRYPT_ROUND: u64 = 160_000;
const NANOS_PER_KIB_PASS: u64 = 3_000;
const NANOS_PER_SCRYPT_STEP: u64 = 1_000;

/// Why a text is not accepted as a stored hash. The sentences do not contain the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error(
        "This is no hash of a known kind: argon2, bcrypt, bcrypt_sha256, pbkdf2_sha1, pbkdf2_sha256, scrypt."
    )]
    Unknown,
    #[error("This {0} hash is malformed.")]
    Malformed(&'static str),
    #[error("Verifying this {0} hash would take too much time or memory.")]
    TooCostly(&'static str),
}

/// A stored hash that can be verified.
#[derive(Debug)]
pub enum StoredHash<'a> {
    Argon2 { hash: Box<PasswordHash>, params: Box<Params>, is_djangos: bool },
    Bcrypt { cost: u32, salt: [u8; 16], expected: Vec<u8>, is_prehashed: bool },
    Pbkdf2 { digest: Digest, rounds: u32, salt: &'a str, expected: Vec<u8> },
    Scrypt { params: scrypt::Params, salt: &'a str, expected: Vec<u8> },
}

/// Hash function of PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    Sha1,
    Sha256,
}

impl<'a> StoredHash<'a> {
    /// Parses a hash in PHC format, or in one of Django's formats.
    pub fn parse(text: &'a str) -> Result<Self, HashError> {
        if text.len() > MAX_LENGTH {
            return Err(HashError::Unknown);
        }
        let (kind, rest) = text.split_once('$').ok_or(HashError::Unknown)?;
        match kind {
            "" if rest.starts_with("argon2") => argon2(text, false),
            // Django puts the word before the PHC format.
            "argon2" => argon2(&text[kind.len()..], true),
            "bcrypt" => bcrypt("bcrypt", rest, false),
            "bcrypt_sha256" => bcrypt("bcrypt_sha256", rest, true),
            "pbkdf2_sha1" => pbkdf2("pbkdf2_sha1", rest, Digest::Sha1),
            "pbkdf2_sha256" => pbkdf2("pbkdf2_sha256", rest, Digest::Sha256),
            "scrypt" => scrypt(rest),
            _ => Err(HashError::Unknown),
        }
    }

    /// Returns whether the password has this hash.
    pub fn fits(&self, password: &str) -> bool {
        let password = password.as_bytes();
        let equals = |actual: &[u8], expected: &[u8]| actual.ct_eq(expected).into();
        match self {
            Self::Argon2 { hash, .. } => {
                PasswordVerifier::<PasswordHash>::verify_password(&argon2id(), password, hash).is_ok()
            }
            Self::Bcrypt { cost, salt, expected, is_prehashed: true } => {
                equals(&bcrypt_of(*cost, *salt, secrets::hash(password).as_bytes()), expected)
            }
            Self::Bcrypt { cost, salt, expected, is_prehashed: false } => {
                equals(&bcrypt_of(*cost, *salt, password), expected)
            }
            Self::Pbkdf2 { digest: Digest::Sha1, rounds, salt, expected } => {
                let actual = pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt.as_bytes(), *rounds);
                equals(&actual, expected)
            }
            Self::Pbkdf2 { digest: Digest::Sha256, rounds, salt, expected } => {
                let actual = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt.as_bytes(), *rounds);
                equals(&actual, expected)
            }
            Self::Scrypt { params, salt, expected } => {
                let mut actual = [0; 64];
                let is_made = scrypt::scrypt(password, salt.as_bytes(), params, &mut actual).is_ok();
                is_made && equals(&actual, expected)
            }
        }
    }

    /// Returns whether a new hash would have the same kind and costs.
    pub fn is_current(&self) -> bool {
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        match self {
            Self::Argon2 { hash, params, is_djangos: false } => {
                let is_newest = hash.algorithm.as_str() == "argon2id" && hash.version == Some(19);
                is_newest && costs(params) == costs(argon2id().params())
            }
            _ => false,
        }
    }

    /// Estimates the time of verifying this hash, generously, in whole milliseconds. Zero for a current hash.
    pub fn estimate(&self) -> Duration {
        let nanos = match self {
            _ if self.is_current() => 0,
            Self::Argon2 { params, .. } => kib_passes(params) * NANOS_PER_KIB_PASS,
            Self::Bcrypt { cost, .. } => (1 << cost) * NANOS_PER_BCRYPT_ROUND,
            Self::Pbkdf2 { rounds, .. } => u64::from(*rounds) * NANOS_PER_PBKDF2_ROUND,
            Self::Scrypt { params, .. } => scrypt_steps(params).unwrap_or(0) * NANOS_PER_SCRYPT_STEP,
        };
        Duration::from_millis(nanos.div_ceil(1_000_000))
    }
}

/// Returns argon2id with 19 MiB, two passes and one lane, as OWASP's Password Storage Cheat Sheet recommends.
pub(super) fn argon2id() -> Argon2<'static> {
    Argon2::from(Params::new(19_456, 2, 1, None).expect("the parameters are valid"))
}

fn argon2(text: &str, is_djangos: bool) -> Result<StoredHash<'static>, HashError> {
    let malformed = HashError::Malformed("argon2");
    let hash = PasswordHash::new(text).map_err(|_| malformed)?;
    let params = Params::try_from(&hash).map_err(|_| malformed)?;
    let is_known = ["argon2id", "argon2i", "argon2d"].contains(&hash.algorithm.as_str());
    if !is_known || hash.salt.is_none() || hash.hash.is_none() {
        return Err(malformed);
    }
    if u64::from(params.m_cost()) << 10 > MAX_BYTES || kib_passes(&params) > MAX_KIB_PASSES {
        return Err(HashError::TooCostly("argon2"));
    }
    Ok(StoredHash::Argon2 { hash: Box::new(hash), params: Box::new(params), is_djangos })
}

fn kib_passes(params: &Params) -> u64 {
    u64::from(params.m_cost()).saturating_mul(params.t_cost().into())
}

/// Bcrypt's own Base64. The last character of a salt has bits to spare.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Parses `$2b$12$`, then 22 characters of salt and 31 of the hash.
fn bcrypt(kind: &'static str, text: &str, is_prehashed: bool) -> Result<StoredHash<'static>, HashError> {
    let parsed = || {
        let (version, rest) = text.strip_prefix('$')?.split_once('$')?;
        let (cost, rest) = rest.split_once('$')?;
        let cost: u32 = cost.parse().ok()?;
        let is_known = ["2a", "2b", "2y"].contains(&version) && rest.len() == 53;
        let (salt, hash) = is_known.then(|| rest.split_at_checked(22))??;
        let salt: [u8; 16] = BCRYPT_BASE64.decode(salt).ok()?.try_into().ok()?;
        Some((cost, salt, BCRYPT_BASE64.decode(hash).ok()?))
    };
    let (cost, salt, expected) = parsed().ok_or(HashError::Malformed(kind))?;
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(HashError::TooCostly(kind));
    }
    Ok(StoredHash::Bcrypt { cost, salt, expected, is_prehashed })
}

/// Returns the 23 bytes that a bcrypt hash keeps. The key is the password and a zero, cut at 72 bytes.
fn bcrypt_of(cost: u32, salt: [u8; 16], password: &[u8]) -> [u8; 23] {
    let key: Vec<u8> = password.iter().copied().chain([0]).take(72).collect();
    let whole = ::bcrypt::bcrypt(cost, salt, &key);
    std::array::from_fn(|index| whole[index])
}

/// Parses `iterations$salt$hash`: the salt is plain text, the hash is Base64.
fn pbkdf2<'a>(kind: &'static str, text: &'a str, digest: Digest) -> Result<StoredHash<'a>, HashError> {
    let length = match digest {
        Digest::Sha1 => 20,
        Digest::Sha256 => 32,
    };
    let parsed = || {
        let [rounds, salt, hash] = parts(text)?;
        let rounds: u32 = rounds.parse().ok().filter(|rounds| *rounds > 0)?;
        let expected = STANDARD.decode(hash).ok().filter(|expected| expected.len() == length)?;
        Some((rounds, salt, expected))
    };
    let (rounds, salt, expected) = parsed().ok_or(HashError::Malformed(kind))?;
    if rounds > MAX_ROUNDS {
        return Err(HashError::TooCostly(kind));
    }
    Ok(StoredHash::Pbkdf2 { digest, rounds, salt, expected })
}

/// Parses `N$salt$r$p$hash`: the salt is plain text, the hash is Base64.
fn scrypt(text: &str) -> Result<StoredHash<'_>, HashError> {
    let parsed = || {
        let [n, salt, r, p, hash] = parts(text)?;
        let n: u64 = n.parse().ok().filter(|n: &u64| *n > 1 && n.is_power_of_two())?;
        let [r, p] = [r, p].map(|number| number.parse::<u32>().ok().filter(|number| *number > 0));
        let expected = STANDARD.decode(hash).ok().filter(|expected| expected.len() == 64)?;
        Some((n, salt, r?, p?, expected))
    };
    let (n, salt, r, p, expected) = parsed().ok_or(HashError::Malformed("scrypt"))?;
    let too_costly = HashError::TooCostly("scrypt");
    let bytes = n.checked_add(p.into()).and_then(|blocks| blocks.checked_mul(u64::from(r) * 128));
    if bytes.is_none_or(|bytes| bytes > MAX_BYTES) {
        return Err(too_costly);
    }
    let params = scrypt::Params::new(n.ilog2() as u8, r, p).map_err(|_| too_costly)?;
    if scrypt_steps(&params).is_none_or(|steps| steps > MAX_SCRYPT_STEPS) {
        return Err(too_costly);
    }
    Ok(StoredHash::Scrypt { params, salt, expected })
}

fn scrypt_steps(params: &scrypt::Params) -> Option<u64> {
    params.n().checked_mul(params.r().into())?.checked_mul(params.p().into())
}

/// Splits a text at `$` into exactly `N` parts.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Django 5.2 for the password `greenroom`, with low costs.
    const CHEAP: [&str; 9] = [
        "pbkdf2_sha256$1000$boW39DVcgoeIFjEl5PCY2i$+sSDcexmN1bqdJi7HQ4hz1eA+qGzArUynbFllMIUlKU=",
        "pbkdf2_sha1$1000$WRz11DgY5eYso6hK0wL1B1$GLdsFGiIOlrgsuMgrja/3d3AtW0=",
        "argon2$argon2id$v=19$m=1024,t=2,p=8$SFJOelJaR25peHZGWUxCYkNFOWZzTw$UPzScfL/3Qf4o6qwWC1yx7AnxN86/9+DNIsENf1+9So",
        "argon2$argon2i$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0$A/rAUxhNivHSig8fSJmLDkZQVMVs/oBeTqjH7OVGqPs",
        "argon2$argon2d$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0$eAWVe7nLRZQW8NLT6eauj0acuvKiLWI4M0NGyswAEpo",
        "argon2$argon2i$v=16$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0$b/Z7aCSv2J6G1TsWUeQIkkHw5s64VkyzY9J3oDCAV2Q",
        "bcrypt_sha256$$2b$05$RWA4b/Se3uwrfQwVLAlxH.oo7TFGW9Cx9BPd.QvVlpmPz42vO6RvG",
        "bcrypt$$2b$05$TPvYVsfs3Tyoe9jBb5pWA.qEGWo5vx5LmFCHHpsKipxFNeZx3LRu.",
        "scrypt$1024$8XsI1UwFkLi7k5IIMymH2P$8$2$rdV4FKxviz63cMRW2S4Ic/fzZ2zYq8zDy/Ys4Vvt732uGoAxwFJ6zIbmILf3Yyr2aZCOSP7mUU71tueXmXK2cg==",
    ];

    /// Made by Django 5.2 with its default costs.
    const DEFAULT: [&str; 6] = [
        "pbkdf2_sha256$1000000$CjQ7zUn1Z4Pff6sej4OIKD$v3Q9Mvb34YYUqIrjws3ttxlJGiRu3ALww6mVg2/H8fQ=",
        "pbkdf2_sha1$1000000$ue2E2PCsRUPjq9xtcteuI5$ygRTcMyNdITBPnjapxT/XnZDvDM=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$SGdEY05yZFVFV1RIdE1PMWRNOVEzQw$pKeh7yN3U+6PyNPeyYUSLKOXNWRL2b9eL4EAwyILSog",
        "bcrypt_sha256$$2b$12$vuSUCm/7LYjMR/QI4ydUDOfiVnEU9s9Ku//yQz.j5tGt956j.0LVG",
        "bcrypt$$2b$12$GjtIZjStSv1RruvkbUW/9udyTwsGF4peP3.JBS74UDmOr6GbJrmaG",
        "scrypt$16384$2iCIsqTPllcRbjaJ4ja4gi$8$5$NkgGZWhDBUjn63+r114V6NPC+wkP6z0Lw+KB54ngX4gV1zQ1bdZBS8HXjNpk+Stk3tiy1ZtPEzQucS5olOaTMA==",
    ];

    fn fits(password: &str, hash: &str) -> bool {
        StoredHash::parse(hash).unwrap().fits(password)
    }

    #[test]
    fn hashes_of_django_fit_their_password_only() {
        for hash in CHEAP {
            assert!(fits("greenroom", hash), "{hash}");
            assert!(!fits("Greenroom", hash) && !fits("", hash), "{hash}");
            assert!(!StoredHash::parse(hash).unwrap().is_current(), "{hash}");
        }
    }

    #[test]
    fn hashes_with_djangos_default_costs_are_accepted_and_take_less_than_a_second() {
        for hash in DEFAULT {
            assert!(fits("correct horse battery žąsis", hash), "{hash}");
            let estimate = StoredHash::parse(hash).unwrap().estimate();
            assert!(Duration::from_millis(300) < estimate && estimate < Duration::from_secs(1), "{hash}");
        }
    }

    #[test]
    fn bcrypt_cuts_a_password_at_72_bytes_and_takes_an_empty_one() {
        let long = "bcrypt$$2b$05$F2yMSvfuzHR7hpLfpbms0utgOKbwYKfWsuXZSuDT3KnP3Oeh1emMC";
        for (length, is_right) in [(71, false), (72, true), (73, true), (80, true)] {
            assert_eq!(fits(&"x".repeat(length), long), is_right, "{length}");
        }
        assert!(fits("", "bcrypt$$2b$05$urhnkiQlO5Kt3mSECQliCuZhXA0W060efI.ZQU4NoskvhlHAC./6a"));
        for version in ["2a", "2y"] {
            let hash = format!("bcrypt$${version}$05$abcdefghijklmnopqrstuuRaW1Z9EnU5OKOxSNIRHiaFAH7Aup8Qm");
            assert!(fits("greenroom", &hash), "{version}");
        }
    }

    #[test]
    fn a_hash_of_another_kind_is_unknown() {
        for text in ["", "!", "greenroom", "md5$salt$hash", "$2b$05$abc", "$pbkdf2$x", "sha1$a$b", "Argon2$x"]
        {
            assert_eq!(StoredHash::parse(text).unwrap_err(), HashError::Unknown, "{text:?}");
        }
        assert_eq!(StoredHash::parse(&"scrypt$".repeat(100)).unwrap_err(), HashError::Unknown);
    }

    #[test]
    fn a_damaged_hash_is_malformed() {
        for hash in CHEAP {
            let last = hash.rfind('$').unwrap();
            for damaged in [&hash[..last], &hash[..last + 1], &hash[..last + 9], &format!("{hash}é")] {
                assert!(matches!(StoredHash::parse(damaged), Err(HashError::Malformed(_))), "{damaged}");
            }
        }
        for damaged in [
            "pbkdf2_sha256$x$y",
            "pbkdf2_sha256$0$salt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY=",
            "pbkdf2_sha1$1$salt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY=",
            "argon2$argon2x$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0$A/rAUxhNivHSig8fSJmLDkZQVMVs/oBeTqjH7OVGqPs",
            "argon2$argon2id$v=19$m=0,t=2,p=2$c2FsdHNhbHRzYWx0$A/rAUxhNivHSig8fSJmLDkZQVMVs/oBeTqjH7OVGqPs",
            "bcrypt$$2x$05$TPvYVsfs3Tyoe9jBb5pWA.qEGWo5vx5LmFCHHpsKipxFNeZx3LRu.",
        ] {
            assert!(matches!(StoredHash::parse(damaged), Err(HashError::Malformed(_))), "{damaged}");
        }
        let scrypt = CHEAP[8];
        for n in ["0", "1", "1000", "-1"] {
            let damaged = scrypt.replacen("1024", n, 1);
            assert_eq!(StoredHash::parse(&damaged).unwrap_err(), HashError::Malformed("scrypt"), "{n}");
        }
    }

    #[test]
    fn a_hash_that_would_exhaust_the_machine_is_refused() {
        let [pbkdf2, argon2, bcrypt, scrypt] = [CHEAP[0], CHEAP[2], CHEAP[7], CHEAP[8]];
        let costly = [
            pbkdf2.replacen("1000", "10000001", 1),
            argon2.replacen("m=1024", "m=262145", 1),
            argon2.replacen("m=1024", "m=4294967295", 1),
            argon2.replacen("t=2", "t=4097", 1),
            argon2.replacen("t=2", "t=4294967295", 1),
            bcrypt.replacen("05", "17", 1),
            bcrypt.replacen("05", "31", 1),
            scrypt.replacen("1024", "1048576", 1),
            scrypt.replacen("1024", "9223372036854775808", 1),
            scrypt.replacen("$8$2$", "$262144$1$", 1),
            scrypt.replacen("$8$2$", "$8$1025$", 1),
            scrypt.replacen("$8$2$", "$4294967295$4294967295$", 1),
        ];
        for hash in costly {
            assert!(matches!(StoredHash::parse(&hash), Err(HashError::TooCostly(_))), "{hash}");
        }
        for hash in [
            pbkdf2.replacen("1000", "10000000", 1),
            argon2.replacen("m=1024", "m=262144", 1),
            bcrypt.replacen("05", "16", 1),
            scrypt.replacen("1024", "131072", 1),
        ] {
            let estimate = StoredHash::parse(&hash).unwrap().estimate();
            assert!(estimate < Duration::from_secs(13), "{hash}");
        }
    }
}
