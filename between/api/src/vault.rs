//! The vault's own API: tenants, signed requests, what the vault says of itself.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Body of `POST /adyton/v1/requests`, and the file of an approval: what owners or tenants signed
/// (`docs/spec/08-signed-requests.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRequest {
    /// What is asked for.
    pub action: String,
    /// `owners`, or an account SID.
    pub signer: String,
    /// The signer's next number.
    pub sequence: u64,
    /// What the action needs.
    pub body: String,
    /// Armored SSH signatures.
    pub signatures: Vec<String>,
}

/// Answer of `POST /adyton/v1/requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRequest {
    /// What was asked for.
    pub action: String,
    /// Its sequence; the signer's next one is one more.
    pub sequence: u64,
}

/// Answer of a signed request `settings-show` (`docs/spec/08-signed-requests.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSettings {
    /// Sequence of the owners' request that they came by; 0 for none.
    pub sequence: u64,
    /// The text that was signed; empty for none.
    pub text: String,
    /// The policy's routes, and the credential that each needs in the settings.
    pub routes: Vec<RouteCredential>,
}

/// A route of the policy and the name of its credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteCredential {
    /// The route's name.
    pub route: String,
    /// The name of its credential in the settings.
    pub credential: String,
}

/// Answer of `GET /adyton/v1/vault`. Nothing of it is attested: it is for tools that then look at the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// Hexadecimal.
    pub vault_id: String,
    /// The release in force.
    pub release: u64,
    /// SHA-256 of its policy.
    pub policy_hash: String,
    /// Custody profile.
    pub profile: String,
    /// What is known of the log's freshness: `none` without notaries.
    pub freshness: String,
    /// X25519 key that values are sealed to.
    pub hpke_key: String,
    /// Sequence of the owners' last request; the next one is one more.
    pub owners_sequence: u64,
    /// SHA-256 of the settings' text; of nothing if there are none.
    pub settings_sha256: String,
    /// SHA-256 of the public certificate that is shown under the public names; null if there is none.
    pub public_certificate_sha256: Option<String>,
}

/// Answer of `GET /adyton/v1/acme`: what the vault has with a public CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acme {
    /// Address of the CA's directory.
    pub directory: String,
    /// Address of the vault's account there (CAA `accounturi`); null until there is one.
    pub account: Option<String>,
    /// When the CA is asked next, never a moment that has passed; null while it is being asked.
    pub renews_at: Option<String>,
    /// Faults since the last success.
    pub failures: u32,
    /// The last of them; null after a success.
    pub last_failure: Option<String>,
}

/// Answer of `GET /adyton/v1/public-certificate-request` (`docs/spec/06-sealed-values.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRequest {
    /// The policy's public names, which the request carries.
    pub names: Vec<String>,
    /// PKCS #10, in PEM.
    pub request: String,
    /// Base64 of the key that it is for, which only the vault opens.
    pub sealed_key: String,
}

/// Answer of `GET /.well-known/adyton/evidence` (`docs/spec/09-evidence.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whose document it is: `aws-nitro`.
    pub platform: String,
    /// Base64 of the attestation document.
    pub document: String,
    /// Base64 of the identity bundle.
    pub bundle: String,
    /// That the document is fresh for the nonce.
    pub nonce_proof: NonceProof,
}

/// The path from a nonce to the one that a document carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceProof {
    /// Position among the nonces of the document.
    pub index: u64,
    /// How many nonces the document has.
    pub count: u64,
    /// Siblings from the leaf to the root, hexadecimal.
    pub path: Vec<String>,
}

/// Answer of `GET /.well-known/adyton/binding` (`docs/spec/09-evidence.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBinding {
    /// Base64 of the signature by the bundle's log key.
    pub signature: String,
}
