//! What a vault's first policy fixes, so that no later one changes it (`docs/spec/08-signed-requests.md`, "Approval of a policy").
//!
//! The enclave asks before it boots under an approved policy, people's tools before an owner signs: what no boot takes is not
//! worth a signature.
//!
//! 1. the profile: it says who keeps the root key;
//! 2. the attestation root: clients know the vault by it;
//! 3. the KMS key: the genesis holds the root key wrapped under it, and no other key unwraps that;
//! 4. names and addresses: the vault's CA was made for those of the first policy, and every client that trusts it refuses a
//!    certificate with one more. Names below them are covered.

use core::fmt;
use core::net::IpAddr;

use crate::{Policy, certificate};

/// Why a policy cannot follow the first one of a vault: what it has is fixed at genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuccessionError {
    /// Another profile.
    Profile,
    /// Another attestation root.
    AttestationRoot,
    /// Another KMS key.
    CustodyKey,
    /// A name that the vault's CA may not certify.
    Name(String),
    /// An address that the vault's CA may not certify.
    Address(IpAddr),
}

impl fmt::Display for SuccessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile => f.write_str("profile: fixed at genesis: no boot takes this policy, another profile is another vault"),
            Self::AttestationRoot => f.write_str(
                "attestation.root: fixed at genesis: no boot takes this policy, another attestation root is another vault",
            ),
            Self::CustodyKey => f.write_str(
                "custody.key: fixed at genesis: no boot takes this policy, the vault's root key is wrapped under the first key",
            ),
            Self::Name(name) => write!(
                f,
                "api.names: fixed at genesis: no boot takes this policy, the vault's CA may not certify {name}; another name \
                 can be one of api.public_names"
            ),
            Self::Address(address) => write!(
                f,
                "api.addresses: fixed at genesis: no boot takes this policy, the vault's CA may not certify {address}"
            ),
        }
    }
}

impl core::error::Error for SuccessionError {}

/// Whether a policy can follow the first one of a vault, approved or not.
///
/// # Errors
/// [`SuccessionError`], the first that stands against it.
pub fn may_follow(first: &Policy, next: &Policy) -> Result<(), SuccessionError> {
    obstacles(first, next).into_iter().next().map_or(Ok(()), Err)
}

/// Everything that stands against it.
pub(crate) fn obstacles(first: &Policy, next: &Policy) -> Vec<SuccessionError> {
    let mut found = Vec::new();
    // 1.
    if next.profile != first.profile {
        found.push(SuccessionError::Profile);
    }
    // 2. As the genesis has it: the certificate, however its text is spaced.
    if certificate(&next.attestation.root) != certificate(&first.attestation.root) {
        found.push(SuccessionError::AttestationRoot);
    }
    // 3. Of another profile's key the profile says enough.
    if next.profile == first.profile && next.custody.key != first.custody.key {
        found.push(SuccessionError::CustodyKey);
    }
    // 4.
    let names = next.api.names.iter().filter(|name| !first.api.names.iter().any(|known| is_below(name, known)));
    found.extend(names.cloned().map(SuccessionError::Name));
    let addresses = next.api.addresses.iter().filter(|address| !first.api.addresses.contains(address));
    found.extend(addresses.copied().map(SuccessionError::Address));
    found
}

/// Whether a DNS name is another one or below it (RFC 5280 §4.2.1.10).
fn is_below(name: &str, known: &str) -> bool {
    let (name, known) = (name.to_ascii_lowercase(), known.to_ascii_lowercase());
    name.strip_suffix(&known).is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::parse::tests::{kms, text};

    fn parsed(text: &str) -> Policy {
        Policy::parse(text.as_bytes()).unwrap()
    }

    fn follows(first: &str, from: &str, to: &str) -> Result<(), SuccessionError> {
        assert!(first.contains(from), "{from}");
        may_follow(&parsed(first), &parsed(&first.replacen(from, to, 1)))
    }

    #[test]
    fn what_a_genesis_fixes_no_later_policy_changes() {
        let first = text();
        assert_eq!(may_follow(&parsed(&first), &parsed(&first)), Ok(()));
        assert_eq!(may_follow(&parsed(&first), &parsed(&kms())), Err(SuccessionError::Profile));
        let root = (first.find("[attestation]").unwrap(), first.find("MAA=").unwrap());
        assert!(root.0 < root.1, "the first certificate is the root's");
        assert_eq!(follows(&first, "MAA=", "MAEA"), Err(SuccessionError::AttestationRoot));
        // The same certificate, and a line more in the text.
        assert_eq!(follows(&first, "-----END CERTIFICATE-----\n\"\"\"", "-----END CERTIFICATE-----\n\n\"\"\""), Ok(()));
        assert_eq!(follows(&kms(), "00112233aabb", "00112233aabc"), Err(SuccessionError::CustodyKey));
    }

    #[test]
    fn names_and_addresses_are_within_those_of_the_vaults_ca() {
        let first = parsed(&text());
        let with = |names: &[&str], addresses: &[&str]| {
            let mut next = first.clone();
            next.api.names = names.iter().map(|name| (*name).into()).collect();
            next.api.addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            next
        };
        let first = with(&["verify.example.com", "localhost"], &["127.0.0.1"]);
        for (names, addresses) in [
            (&["verify.example.com"][..], &["127.0.0.1"][..]),
            (&["localhost"], &[]),
            (&["eu.verify.example.com", "VERIFY.example.com"], &[]),
        ] {
            assert_eq!(may_follow(&first, &with(names, addresses)), Ok(()), "{names:?}");
        }
        for name in ["verify.example.org", "example.com", "xverify.example.com"] {
            let refused = SuccessionError::Name(name.into());
            assert_eq!(may_follow(&first, &with(&["localhost", name], &[])), Err(refused));
        }
        let refused = SuccessionError::Address("127.0.0.2".parse().unwrap());
        assert_eq!(may_follow(&first, &with(&["localhost"], &["127.0.0.2"])), Err(refused));
    }
}
