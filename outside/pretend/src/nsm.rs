//! The NSM: its own CBOR over a Unix socket, documents signed under the folder's test root.
//!
//! Requests and answers are those of `aws-nitro-enclaves-nsm-api`; each message is preceded by its `u32` length here,
//! where hardware has an ioctl. What is measured is in [`Measured`]; no real image has such values.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use ciborium::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::certificates::Ca;
use crate::folder::Folder;

/// `{1: -35}`: ES384.
const PROTECTED: [u8; 4] = [0xA1, 0x01, 0x38, 0x22];
const MAX_REQUEST: usize = 4096;
const MAX_DATA: usize = 512;
const MAX_PUBLIC_KEY: usize = 1024;

/// Why a document attests no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// This NSM did not sign it.
    Foreign,
    /// It was signed without a `public_key`.
    NoPublicKey,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the document is not of this NSM",
            Self::NoPublicKey => "the document has no public_key",
        })
    }
}

impl std::error::Error for DocumentError {}

/// What the platform measures before it starts an enclave. On hardware that is the image and the parent; here the
/// enclave's program and its policy, so that other code or another policy has other evidence on a laptop too. Files are read
/// when something connects: one that is replaced under a running enclave shows when that connects again.
#[derive(Clone)]
pub struct Measured {
    /// The enclave's program: PCR 0 and 2.
    pub enclave: PathBuf,
    /// Its policy: PCR 16.
    pub policy: PathBuf,
}

/// Registers of one connection.
#[derive(Clone)]
pub struct Pcrs(Vec<(u8, Vec<u8>)>);

impl Pcrs {
    /// As if of one program and no policy: for documents that nobody compares.
    pub fn made_up() -> Self {
        let made_up = |number: u8| digest(&SHA384, format!("adyton-pretend pcr{number}").as_bytes()).as_ref().to_vec();
        Self::new(made_up(0), made_up(2), None)
    }

    fn of(measured: &Measured) -> io::Result<Self> {
        let program = digest(&SHA384, &std::fs::read(&measured.enclave)?);
        let policy = digest(&SHA256, &std::fs::read(&measured.policy)?);
        let program = extended(program.as_ref());
        Ok(Self::new(program.clone(), program, Some(extended(policy.as_ref()))))
    }

    fn new(image: Vec<u8>, application: Vec<u8>, policy: Option<Vec<u8>>) -> Self {
        let kernel = digest(&SHA384, b"adyton-pretend pcr1").as_ref().to_vec();
        let locked = (3..16).map(|number| (number, vec![0; 48]));
        let registers = [(0, image), (1, kernel), (2, application)].into_iter().chain(locked);
        Self(registers.chain(policy.map(|policy| (16, policy))).collect())
    }
}

/// What a register holds once it was extended by `data`.
fn extended(data: &[u8]) -> Vec<u8> {
    digest(&SHA384, &[&[0; 48], data].concat()).as_ref().to_vec()
}

/// Signs documents.
pub struct Nsm {
    key: EcdsaKeyPair,
    pem: String,
    leaf: Vec<u8>,
    cabundle: Vec<Vec<u8>>,
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn map(members: Vec<(&str, Value)>) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (text(name), value)).collect())
}

fn error(name: &str) -> Value {
    map(vec![("Error", text(name))])
}

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(value, &mut out);
    out
}

fn to_be_signed(payload: &[u8]) -> Vec<u8> {
    let parts =
        [text("Signature1"), Value::Bytes(PROTECTED.to_vec()), Value::Bytes(vec![]), Value::Bytes(payload.into())];
    encode(&Value::Array(parts.into()))
}

impl Nsm {
    /// A new leaf under the folder's root.
    ///
    /// # Errors
    /// The library's.
    pub fn new(root: &Ca) -> io::Result<Self> {
        let (pair, leaf, intermediate) = root.attestation_leaf()?;
        let der = pair.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der).map_err(io::Error::other)?;
        Ok(Self { key, pem: pair.serialize_pem(), leaf, cabundle: vec![root.certificate.clone(), intermediate] })
    }

    /// Writes what an emulated machine needs to sign documents as this NSM does: `key.pem`, `leaf.der`, and `ca0.der` (the
    /// root) to `ca1.der`.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_signer(&self, folder: &Path) -> io::Result<()> {
        let folder = Folder::open(folder)?;
        let files = self.cabundle.iter().enumerate().map(|(place, ca)| (format!("ca{place}.der"), ca));
        for (name, bytes) in files.chain([("leaf.der".into(), &self.leaf)]) {
            folder.write(&name, bytes)?;
        }
        folder.write("key.pem", self.pem.as_bytes())
    }

    /// A document over the claims.
    ///
    /// # Errors
    /// The library's.
    pub fn document(&self, pcrs: &Pcrs, claims: Vec<(&str, Value)>) -> io::Result<Vec<u8>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let pcrs = pcrs.0.iter().map(|(number, pcr)| (Value::from(*number), Value::Bytes(pcr.clone()))).collect();
        let mut members = vec![
            ("module_id", text("i-adyton-pretend-enc0")),
            ("digest", text("SHA384")),
            ("timestamp", Value::from(u64::try_from(now.as_millis()).map_err(io::Error::other)?)),
            ("pcrs", Value::Map(pcrs)),
            ("certificate", Value::Bytes(self.leaf.clone())),
            ("cabundle", Value::Array(self.cabundle.iter().cloned().map(Value::Bytes).collect())),
        ];
        members.extend(claims);
        let payload = encode(&map(members));
        let signature = self.key.sign(&SystemRandom::new(), &to_be_signed(&payload)).map_err(io::Error::other)?;
        Ok(encode(&Value::Array(vec![
            Value::Bytes(PROTECTED.to_vec()),
            Value::Map(vec![]),
            Value::Bytes(payload),
            Value::Bytes(signature.as_ref().to_vec()),
        ])))
    }

    /// The `public_key` of a document that this NSM signed.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn attested_key(&self, document: &[u8]) -> Result<Vec<u8>, DocumentError> {
        let claims = self.claims(document).ok_or(DocumentError::Foreign)?;
        let found = claims.into_iter().find(|(name, _)| name.as_text() == Some("public_key"));
        found.and_then(|(_, key)| key.into_bytes().ok()).ok_or(DocumentError::NoPublicKey)
    }

    fn claims(&self, document: &[u8]) -> Option<Vec<(Value, Value)>> {
        let parts = ciborium::from_reader::<Value, _>(document).ok()?.into_array().ok()?;
        let [_, _, Value::Bytes(payload), Value::Bytes(signature)] = &parts[..] else { return None };
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, self.key.public_key().as_ref())
            .verify(&to_be_signed(payload), signature)
            .ok()?;
        ciborium::from_reader::<Value, _>(&payload[..]).ok()?.into_map().ok()
    }

    fn answer(&self, pcrs: &Pcrs, request: &[u8]) -> Value {
        let Ok(request) = ciborium::from_reader::<Value, _>(request) else { return error("InvalidArgument") };
        match request {
            Value::Text(name) if name == "GetRandom" => {
                let mut random = vec![0; 256];
                match adyton_seal::fill_random(&mut random) {
                    Ok(()) => map(vec![("GetRandom", map(vec![("random", Value::Bytes(random))]))]),
                    Err(_) => error("InternalError"),
                }
            }
            Value::Text(name) if name == "DescribeNSM" => {
                let locked = (0..16u8).map(Value::from).collect();
                let members = vec![
                    ("version_major", Value::from(1)),
                    ("version_minor", Value::from(0)),
                    ("version_patch", Value::from(0)),
                    ("module_id", text("i-adyton-pretend-enc0")),
                    ("max_pcrs", Value::from(32)),
                    ("locked_pcrs", Value::Array(locked)),
                    ("digest", text("SHA384")),
                ];
                map(vec![("DescribeNSM", map(members))])
            }
            Value::Map(members) => match members.into_iter().next() {
                Some((Value::Text(name), Value::Map(claims))) if name == "Attestation" => self.attest(pcrs, claims),
                _ => error("InvalidOperation"),
            },
            _ => error("InvalidOperation"),
        }
    }

    fn attest(&self, pcrs: &Pcrs, claims: Vec<(Value, Value)>) -> Value {
        let mut given = vec![("public_key", Value::Null), ("user_data", Value::Null), ("nonce", Value::Null)];
        for (name, value) in claims {
            let Some(place) = given.iter_mut().find(|(known, _)| name.as_text() == Some(known)) else {
                return error("InvalidArgument");
            };
            let limit = if place.0 == "public_key" { MAX_PUBLIC_KEY } else { MAX_DATA };
            match &value {
                Value::Null => {}
                Value::Bytes(bytes) if bytes.len() <= limit => {}
                Value::Bytes(_) => return error("InputTooLarge"),
                _ => return error("InvalidArgument"),
            }
            place.1 = value;
        }
        match self.document(pcrs, given) {
            Ok(document) => map(vec![("Attestation", map(vec![("document", Value::Bytes(document))]))]),
            Err(_) => error("InternalError"),
        }
    }
}

/// Serves the socket for ever. What connects is measured as it connects.
///
/// # Errors
/// If the socket cannot be bound.
pub fn serve(path: &Path, nsm: Arc<Nsm>, measured: Measured) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, most likely: let some go before trying again.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let (nsm, measured) = (Arc::clone(&nsm), measured.clone());
            tokio::spawn(async move {
                // What cannot be measured gets no answer.
                if let Ok(pcrs) = Pcrs::of(&measured) {
                    let _ = converse(stream, &nsm, &pcrs).await;
                }
            });
        }
    });
    Ok(())
}

async fn converse(mut stream: UnixStream, nsm: &Nsm, pcrs: &Pcrs) -> io::Result<()> {
    loop {
        let length = stream.read_u32().await? as usize;
        if length > MAX_REQUEST {
            return Ok(());
        }
        let mut request = vec![0; length];
        stream.read_exact(&mut request).await?;
        let answer = encode(&nsm.answer(pcrs, &request));
        stream.write_u32(u32::try_from(answer.len()).map_err(io::Error::other)?).await?;
        stream.write_all(&answer).await?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn nsm() -> (tempfile::TempDir, Nsm) {
        let folder = tempfile::tempdir().unwrap();
        let nsm = Nsm::new(&Ca::attestation_root(&Folder::open(folder.path()).unwrap()).unwrap()).unwrap();
        (folder, nsm)
    }

    #[test]
    fn a_document_is_known_again_and_another_ones_is_not() {
        let ((_a, ours), (_b, theirs)) = (nsm(), nsm());
        let document = ours.document(&Pcrs::made_up(), vec![("public_key", Value::Bytes(vec![7; 32]))]).unwrap();
        assert_eq!(ours.attested_key(&document), Ok(vec![7; 32]));
        assert_eq!(theirs.attested_key(&document), Err(DocumentError::Foreign));
        let mut tampered = document.clone();
        let last = tampered.len() - 1;
        tampered[last] ^= 1;
        assert_eq!(ours.attested_key(&tampered), Err(DocumentError::Foreign));
        let keyless = ours.document(&Pcrs::made_up(), vec![("public_key", Value::Null)]).unwrap();
        assert_eq!(ours.attested_key(&keyless), Err(DocumentError::NoPublicKey));
    }

    #[test]
    fn limits_are_the_nsms() {
        let (_folder, nsm) = nsm();
        let ask = |size| {
            let claims = map(vec![("user_data", Value::Bytes(vec![0; size]))]);
            nsm.answer(&Pcrs::made_up(), &encode(&map(vec![("Attestation", claims)])))
        };
        assert_eq!(ask(513), error("InputTooLarge"));
        assert_ne!(ask(512), error("InputTooLarge"));
        assert_eq!(nsm.answer(&Pcrs::made_up(), &encode(&text("Nonsense"))), error("InvalidOperation"));
        assert_eq!(nsm.answer(&Pcrs::made_up(), b"\xFF"), error("InvalidArgument"));
    }

    #[test]
    fn other_code_and_another_policy_are_measured_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            std::fs::write(folder.path().join(name), content).unwrap();
            folder.path().join(name)
        };
        let of = |enclave, policy| {
            Pcrs::of(&Measured { enclave: file("enclave", enclave), policy: file("policy", policy) }).unwrap().0
        };
        let (registers, code, policy) = (of("a", "p"), of("b", "p"), of("a", "q"));
        let differ = |other: &[(u8, Vec<u8>)]| {
            let pairs = registers.iter().zip(other).filter(|(ours, theirs)| ours != theirs);
            pairs.map(|(ours, _)| ours.0).collect::<Vec<_>>()
        };
        assert_eq!(differ(&code), [0, 2]);
        assert_eq!(differ(&policy), [16]);
        let missing = Measured { enclave: folder.path().join("none"), policy: folder.path().join("policy") };
        assert_eq!(Pcrs::of(&missing).err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}
