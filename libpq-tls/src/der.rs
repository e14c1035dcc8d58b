//! What libpq asks of a certificate beyond its verification: names, and the hash of its signature.

/// `dNSName` and `iPAddress` of subject alternative names, by their numbers in X.509.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
/// 1.2.840.113549.1.1, RSA with PKCS #1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4, ECDSA.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
/// 2.16.840.1.101.3.4.2, the hashes of NIST.
const NIST_HASH: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// A name in a certificate, by `GEN_DNS` or `GEN_IPADD` of OpenSSL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    Dns(&'a [u8]),
    Ip(&'a [u8]),
}

impl<'a> Name<'a> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Dns(bytes) | Self::Ip(bytes) => bytes,
        }
    }
}

/// The hash of a certificate's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureHash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The parts of a certificate that libpq asks for.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    /// The whole `SubjectPublicKeyInfo`.
    pub(crate) public_key: &'a [u8],
    /// The first common name of the subject.
    pub(crate) common_name: Option<&'a [u8]>,
    /// DNS names and IP addresses, or `None` without subject alternative names.
    pub(crate) names: Option<Vec<Name<'a>>>,
    pub(crate) signature_hash: Option<SignatureHash>,
    /// Whether the certificate may sign others: `cA`, or a root of X.509 version 1, which has no extensions.
    pub(crate) is_authority: bool,
    /// Whether it limits the names that certificates below it may have.
    pub(crate) has_name_constraints: bool,
}

/// One value in DER.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    /// With its tag and length.
    whole: &'a [u8],
}

/// Reads values one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Value<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Value { tag, content, whole })
    }

    fn expect(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }
}

/// Returns the parts of a certificate, or `None` if it is none.
pub(crate) fn parts(certificate: &[u8]) -> Option<Parts<'_>> {
    let mut outer = Reader(Reader(certificate).expect(SEQUENCE)?.content);
    let mut inner = Reader(outer.expect(SEQUENCE)?.content);
    let signature_hash = signature_hash(outer.expect(SEQUENCE)?.content);
    let has_version = inner.0.first() == Some(&VERSION);
    if has_version {
        inner.next()?;
    }
    // Serial number and signature.
    inner.next()?;
    inner.next()?;
    let issuer = inner.expect(SEQUENCE)?.content;
    // Validity.
    inner.next()?;
    let subject = inner.expect(SEQUENCE)?.content;
    let public_key = inner.expect(SEQUENCE)?.whole;
    let mut extensions: &[u8] = &[];
    while let Some(value) = inner.next() {
        if value.tag == EXTENSIONS {
            extensions = value.content;
        }
    }
    let is_root_of_version_1 = !has_version && issuer == subject;
    Some(Parts {
        public_key,
        common_name: common_name(subject),
        names: extension(extensions, SUBJECT_ALT_NAME).and_then(alternative_names),
        signature_hash,
        is_authority: is_root_of_version_1 || extension(extensions, BASIC_CONSTRAINTS).is_some_and(is_ca),
        has_name_constraints: extension(extensions, NAME_CONSTRAINTS).is_some(),
    })
}

/// Returns the value of an extension.
fn extension<'a>(extensions: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut extensions = Reader(Reader(extensions).expect(SEQUENCE)?.content);
    while let Some(extension) = extensions.expect(SEQUENCE) {
        let mut extension = Reader(extension.content);
        if extension.expect(OBJECT)?.content != wanted {
            continue;
        }
        let mut value = extension.next()?;
        // Whether it is critical.
        if value.tag == BOOLEAN {
            value = extension.next()?;
        }
        return Some(value).filter(|value| value.tag == OCTETS).map(|value| value.content);
    }
    None
}

fn is_ca(constraints: &[u8]) -> bool {
    let flag = Reader(constraints).expect(SEQUENCE).and_then(|value| Reader(value.content).expect(BOOLEAN));
    flag.is_some_and(|flag| flag.content == [0xff])
}

fn common_name(subject: &[u8]) -> Option<&[u8]> {
    let mut sets = Reader(subject);
    while let Some(set) = sets.expect(SET) {
        let mut attributes = Reader(set.content);
        while let Some(attribute) = attributes.expect(SEQUENCE) {
            let mut attribute = Reader(attribute.content);
            if attribute.expect(OBJECT)?.content == COMMON_NAME {
                return Some(attribute.next()?.content);
            }
        }
    }
    None
}

fn alternative_names(value: &[u8]) -> Option<Vec<Name<'_>>> {
    let mut names = Reader(Reader(value).expect(SEQUENCE)?.content);
    let mut found = Vec::new();
    while let Some(name) = names.next() {
        match name.tag {
            DNS_NAME => found.push(Name::Dns(name.content)),
            IP_ADDRESS => found.push(Name::Ip(name.content)),
            _ => {}
        }
    }
    Some(found)
}

/// Returns the hash of an `AlgorithmIdentifier`. Ed25519 has none.
fn signature_hash(algorithm: &[u8]) -> Option<SignatureHash> {
    use SignatureHash::{Md5, Sha1, Sha224, Sha256, Sha384, Sha512};
    let mut algorithm = Reader(algorithm);
    let object = algorithm.expect(OBJECT)?.content;
    match (object.strip_prefix(RSA), object.strip_prefix(ECDSA)) {
        (Some([4]), _) => Some(Md5),
        (Some([5]), _) | (_, Some([1])) => Some(Sha1),
        (Some([14]), _) | (_, Some([3, 1])) => Some(Sha224),
        (Some([11]), _) | (_, Some([3, 2])) => Some(Sha256),
        (Some([12]), _) | (_, Some([3, 3])) => Some(Sha384),
        (Some([13]), _) | (_, Some([3, 4])) => Some(Sha512),
        // RSA-PSS has its hash in its parameters: SEQUENCE { [0] { SEQUENCE { OBJECT } } }. Without, it is SHA-1.
        (Some([10]), _) => {
            let parameters = algorithm.expect(SEQUENCE)?.content;
            if parameters.first() != Some(&0xa0) {
                return Some(Sha1);
            }
            let hash = Reader(parameters).expect(0xa0)?.content;
            let hash = Reader(Reader(hash).expect(SEQUENCE)?.content).expect(OBJECT)?.content;
            match hash.strip_prefix(NIST_HASH) {
                Some([1]) => Some(Sha256),
                Some([2]) => Some(Sha384),
                Some([3]) => Some(Sha512),
                _ => None,
            }
        }
        _ => None,
    }
}
