//! The policy: the closed sets and floors that are measured (DESIGN §3).
//!
//! Its bytes are hashed as they are; a vault remembers that hash from genesis on and boots under no other one. An
//! unknown key refuses the whole file.

use std::fmt;

use adyton_ledger::{Profile, sha256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Deserialize;

/// A policy and the hash of its bytes.
pub struct Policy {
    /// Its content.
    pub content: Content,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// DER of the attestation root.
    pub attestation_root: Vec<u8>,
}

/// `adyton.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Version of the format: 1.
    pub version: u32,
    /// Custody profile; fixed at genesis.
    pub profile: ProfileName,
    /// Days that bodies are kept after a snapshot.
    pub retention_days: u32,
    /// What attests the enclave.
    pub attestation: Attestation,
    /// The API.
    pub api: Api,
    /// Who releases the root key.
    pub custody: Peer,
    /// Where messages go.
    pub carrier: Peer,
}

/// The profiles that this release can boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// A laptop.
    Dev,
}

impl ProfileName {
    /// The profile in records.
    pub fn profile(self) -> Profile {
        match self {
            Self::Dev => Profile::Dev,
        }
    }
}

/// `[attestation]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// PEM of the attestation root certificate.
    pub root: String,
}

/// `[api]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// DNS names that the vault's certificate may carry.
    pub names: Vec<String>,
    /// IP addresses that the vault's certificate may carry.
    pub addresses: Vec<std::net::IpAddr>,
}

/// A place outside that the enclave may speak TLS with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// DNS name; never an address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// PEM of the only certificate that may sign its certificate.
    pub trust: String,
}

/// Why a file is not a policy.
#[derive(Debug)]
pub enum PolicyError {
    /// It is not UTF-8.
    Text,
    /// TOML, or a key or value in it; it says where.
    Toml(Box<toml::de::Error>),
    /// Another version.
    Version {
        /// What stands there.
        got: u32,
    },
    /// It is not one certificate in PEM; names the key.
    Certificate(&'static str),
    /// What stands there is not a DNS name; names the key.
    Address(&'static str),
    /// `api` has neither names nor addresses.
    NoNames,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("the policy is not UTF-8"),
            Self::Toml(error) => write!(f, "the policy: {error}"),
            Self::Version { got } => write!(f, "the policy: version: expected 1, got {got}"),
            Self::Certificate(key) => write!(f, "the policy: {key}: not one certificate in PEM"),
            Self::Address(key) => write!(f, "the policy: {key}: a DNS name is needed, not an address"),
            Self::NoNames => f.write_str("the policy: api: names or addresses are needed"),
        }
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// Parses the measured bytes.
    ///
    /// # Errors
    /// [`PolicyError`], the first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let text = std::str::from_utf8(bytes).map_err(|_| PolicyError::Text)?;
        let content: Content = toml::from_str(text).map_err(|error| PolicyError::Toml(Box::new(error)))?;
        if content.version != 1 {
            return Err(PolicyError::Version { got: content.version });
        }
        if content.api.names.is_empty() && content.api.addresses.is_empty() {
            return Err(PolicyError::NoNames);
        }
        for (key, peer) in [("custody.host", &content.custody), ("carrier.host", &content.carrier)] {
            if !matches!(ServerName::try_from(peer.host.as_str()), Ok(ServerName::DnsName(_))) {
                return Err(PolicyError::Address(key));
            }
        }
        certificate(&content.custody.trust, "custody.trust")?;
        certificate(&content.carrier.trust, "carrier.trust")?;
        let attestation_root = certificate(&content.attestation.root, "attestation.root")?.to_vec();
        Ok(Self { content, hash: sha256(bytes).0, attestation_root })
    }
}

/// DER of the one certificate that a text is: nothing stands around it, and its lines have their one spelling, so that
/// nobody reads another certificate there than the vault does.
pub(crate) fn certificate(pem: &str, key: &'static str) -> Result<CertificateDer<'static>, PolicyError> {
    let refused = PolicyError::Certificate(key);
    let section = pem.trim().strip_prefix("-----BEGIN CERTIFICATE-----\n");
    let section = section.and_then(|section| section.strip_suffix("\n-----END CERTIFICATE-----"));
    if section.is_none_or(|base64| base64.contains('-')) {
        return Err(refused);
    }
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| refused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn policy(host: &str, trust: &str) -> Result<Policy, String> {
        let text = format!(
            "version = 1\nprofile = \"dev\"\nretention_days = 30\n[attestation]\nroot = \"\"\"\n{PEM}\"\"\"\n\
             [api]\nnames = [\"localhost\"]\naddresses = []\n\
             [custody]\nhost = \"{host}\"\nport = 443\ntrust = \"\"\"\n{trust}\"\"\"\n\
             [carrier]\nhost = \"carrier.adyton.test\"\nport = 443\ntrust = \"\"\"\n{PEM}\"\"\"\n"
        );
        Policy::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn trust_is_one_certificate() {
        let read = policy("kms.adyton.test", PEM).unwrap();
        assert_eq!(read.attestation_root, [0x30, 0x00]);
        for trust in [
            "",
            "MAA=",
            &PEM.repeat(2),
            &PEM.replace("MAA=", "MA?="),
            &PEM.replace("CERTIFICATE-----", "CERTIFICATE- ----"),
            &format!("Of our CA:\n{PEM}"),
        ] {
            let refusal = policy("kms.adyton.test", trust).err();
            assert_eq!(refusal.as_deref(), Some("the policy: custody.trust: not one certificate in PEM"), "{trust}");
        }
    }

    #[test]
    fn peers_are_named() {
        for host in ["", "127.0.0.1", "127.1", "::1", "kms adyton.test", "kms.adyton.test:443"] {
            let refusal = policy(host, PEM).err();
            let expected = "the policy: custody.host: a DNS name is needed, not an address";
            assert_eq!(refusal.as_deref(), Some(expected), "{host}");
        }
    }
}
