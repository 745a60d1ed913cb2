//! Requests that owners and tenants sign (`docs/spec/08-signed-requests.md`, "A signed request").
//!
//! [`SignedRequest`] was read; [`VerifiedRequest`] has signatures by the keys that may sign it. Code that acts on a request takes the latter.
//! Whether its sequence is the next one is decided where the sequence is kept.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use data_encoding::HEXLOWER;

use crate::{MAX_SIGNATURES, Signers, SignersError, SshSignature, SshSignatureError, VaultId, sha256};

/// Longest body, in bytes.
pub const MAX_REQUEST_BODY: usize = 65_536;

/// The action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Other settings.
    Settings,
    /// A tenant is admitted.
    TenantCreate,
    /// A tenant's keys change.
    TenantKeys,
    /// A service becomes weaker, later.
    ServiceLoosen,
    /// Another policy.
    Policy,
    /// The settings' text is asked for; nothing changes.
    SettingsShow,
}

impl Action {
    /// The word in the signed text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::TenantCreate => "tenant-create",
            Self::TenantKeys => "tenant-keys",
            Self::ServiceLoosen => "service-loosen",
            Self::Policy => "policy",
            Self::SettingsShow => "settings-show",
        }
    }
}

impl FromStr for Action {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        [Self::Settings, Self::TenantCreate, Self::TenantKeys, Self::ServiceLoosen, Self::Policy, Self::SettingsShow]
            .into_iter()
            .find(|action| action.text() == text)
            .ok_or(RequestError::Action)
    }
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The vault's owners.
    Owners,
    /// The tenant of this account SID.
    Tenant([u8; 16]),
}

impl FromStr for Signer {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        if text == "owners" {
            return Ok(Self::Owners);
        }
        let sid = text.strip_prefix("AC").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
        sid.and_then(|sid| sid.try_into().ok()).map(Self::Tenant).ok_or(RequestError::Signer)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owners => f.write_str("owners"),
            Self::Tenant(sid) => write!(f, "AC{}", HEXLOWER.encode(sid)),
        }
    }
}

/// Why something is not a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The action is none of the list.
    Action,
    /// The signer is neither `owners` nor an account SID.
    Signer,
    /// The sequence is 0.
    Sequence,
    /// The body is longer than 65 536 bytes.
    Body,
    /// There are no signatures, or more than 32.
    Count,
    /// This signature cannot be read.
    Signature(SshSignatureError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action => f.write_str(
                "action: expected settings, settings-show, tenant-create, tenant-keys, service-loosen or policy",
            ),
            Self::Signer => f.write_str("signer: expected owners, or AC and 32 hexadecimal digits in lower case"),
            Self::Sequence => f.write_str("sequence: expected at least 1"),
            Self::Body => write!(f, "body: expected at most {MAX_REQUEST_BODY} bytes"),
            Self::Count => write!(f, "signatures: expected 1 to {MAX_SIGNATURES} of them"),
            Self::Signature(error) => write!(f, "signatures: {error}"),
        }
    }
}

impl core::error::Error for RequestError {}

/// A request, but for its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The action.
    pub action: Action,
    /// Who signs.
    pub signer: Signer,
    /// The signer's next number.
    pub sequence: u64,
    /// The action's parameters.
    pub body: String,
    /// SHA-256 of the policy that this one replaces: with [`Action::Policy`], and with no other. It does not come with the
    /// request; who verifies knows which policy is in force.
    pub replaces: Option<[u8; 32]>,
}

impl Request {
    /// The text that is signed, for one vault.
    pub fn text(&self, vault: &VaultId) -> String {
        let Self { action, signer, sequence, body, replaces } = self;
        let (action, hash) = (action.text(), HEXLOWER.encode(&sha256(body.as_bytes()).0));
        let replaces = replaces.map(|old| format!("replaces {}\n", HEXLOWER.encode(&old))).unwrap_or_default();
        format!(
            "adyton request v1\nvault {vault}\nsigner {signer}\nsequence {sequence}\naction {action}\n{replaces}sha256 {hash}\n"
        )
    }

    /// Adds signatures, armored.
    ///
    /// # Errors
    /// [`RequestError`], the first rule that is broken.
    pub fn signed(self, armored: &[impl AsRef<str>]) -> Result<SignedRequest, RequestError> {
        if self.sequence == 0 {
            return Err(RequestError::Sequence);
        }
        if self.body.len() > MAX_REQUEST_BODY {
            return Err(RequestError::Body);
        }
        if !(1..=MAX_SIGNATURES).contains(&armored.len()) {
            return Err(RequestError::Count);
        }
        let signatures = armored.iter().map(|text| SshSignature::from_armored(text.as_ref()));
        let signatures = signatures.collect::<Result<_, _>>().map_err(RequestError::Signature)?;
        Ok(SignedRequest { request: self, signatures })
    }
}

/// A request with signatures that were read. Nothing was verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    request: Request,
    signatures: Vec<SshSignature>,
}

impl SignedRequest {
    /// The parsed request. Its signer is not verified yet.
    pub fn unverified(&self) -> &Request {
        &self.request
    }

    /// The same, as an approval of a policy in place of the one with this hash.
    pub fn replacing(mut self, old: [u8; 32]) -> Self {
        self.request.replaces = Some(old);
        self
    }

    /// Checks that need no verified signature.
    ///
    /// # Errors
    /// Those of [`Signers::admit`].
    pub fn admit(&self, signers: &Signers) -> Result<(), SignersError> {
        signers.admit(&self.signatures)
    }

    /// Whether those who may have signed it, for this vault.
    ///
    /// # Errors
    /// [`SignersError`], the first rule that is broken.
    pub fn verify(self, vault: &VaultId, signers: &Signers) -> Result<VerifiedRequest, SignersError> {
        signers.verify(self.request.text(vault).as_bytes(), &self.signatures)?;
        Ok(VerifiedRequest(self))
    }
}

/// A request that was signed by those who may. Only [`SignedRequest::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRequest(SignedRequest);

impl VerifiedRequest {
    /// The signed text.
    pub fn request(&self) -> &Request {
        &self.0.request
    }

    /// SHA-256 of its body.
    pub fn body_hash(&self) -> [u8; 32] {
        sha256(self.0.request.body.as_bytes()).0
    }

    /// Blobs of its signatures, for the public log.
    pub fn signatures(&self) -> Vec<Vec<u8>> {
        self.0.signatures.iter().map(|signature| signature.blob().to_vec()).collect()
    }
}
