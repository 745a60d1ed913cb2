//! The key tree (`docs/spec/00-conventions.md`, "The key tree").

use alloc::vec::Vec;

use adyton_wire::Put;
use aws_lc_rs::hkdf;

use crate::random::expand;
use crate::{AeadKey, Nonce, Opaque, Plaintext, Secret};

/// The 32-byte root key of a vault, born inside.
pub struct RootKey(Secret<32>);

impl RootKey {
    /// Takes 32 mixed random bytes over ([`crate::mix_random`]).
    pub fn new(key: Secret<32>) -> Self {
        Self(key)
    }
}

/// What a derived key is for. The list is the table of the spec page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// K_boot: seals the bodies of one log in one boot.
    Log,
    /// Salts of the leaves of bodies.
    Commitment,
    /// Seed of the Ed25519 key that signs heads.
    LogSigning,
    /// Chunks of one snapshot.
    Snapshot,
    /// X25519 private key of the vault.
    Hpke,
    /// Seals the vault CA's private key.
    CaWrap,
    /// Seals the private keys of public certificates, which the owners keep.
    PublicKeyWrap,
    /// Keyed hashes of tenants' tokens.
    Token,
    /// Keyed hashes of one tenant's destinations.
    Subject,
}

impl Label {
    fn text(self) -> &'static [u8] {
        match self {
            Self::Log => b"log",
            Self::Commitment => b"commitment",
            Self::LogSigning => b"log signing",
            Self::Snapshot => b"snapshot",
            Self::Hpke => b"hpke",
            Self::CaWrap => b"ca wrap",
            Self::PublicKeyWrap => b"public key wrap",
            Self::Token => b"token",
            Self::Subject => b"subject",
        }
    }
}

/// The root of the derived keys. Holds HKDF's PRK, not the root key itself.
pub struct KeyTree {
    prk: hkdf::Prk,
    epoch: u32,
}

impl KeyTree {
    /// `PRK = HKDF-Extract(salt = "adyton key tree v1", IKM = root key)`.
    pub fn new(root: &RootKey, epoch: u32) -> Self {
        Self { prk: hkdf::Salt::new(hkdf::HKDF_SHA256, b"adyton key tree v1").extract(root.0.expose()), epoch }
    }

    /// `derive(label, u32 epoch, part…)`; every table row begins with the epoch, so it is not repeated by callers.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses, which it does not for 32 bytes.
    pub fn derive(&self, label: Label, parts: &[&[u8]]) -> Result<Secret<32>, Opaque> {
        let mut info = Vec::with_capacity(64);
        info.put_lp(label.text());
        info.put_lp(&self.epoch.to_be_bytes());
        for part in parts {
            info.put_lp(part);
        }
        expand(&self.prk, &[&info])
    }
}

/// K_wrap: wraps the root key under what a KMS (later also a quorum) releases (`docs/spec/03-heads.md`).
pub struct WrapKey(AeadKey);

impl WrapKey {
    /// `HKDF-Expand(HKDF-Extract("adyton root wrap v1", KMS secret), lp("root wrap"), 32)`.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses, which it does not for 32 bytes.
    pub fn from_kms_secret(secret: &Secret<32>) -> Result<Self, Opaque> {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"adyton root wrap v1").extract(secret.expose());
        let mut info = Vec::new();
        info.put_lp(b"root wrap");
        Ok(Self(AeadKey::new(&expand(&prk, &[&info])?)?))
    }

    /// `nonce || AES-256-GCM(K_wrap, nonce, aad, root key)`.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn wrap(&self, nonce: [u8; 12], aad: &[u8], root: &RootKey) -> Result<Vec<u8>, Opaque> {
        let mut out = nonce.to_vec();
        self.0.seal_bytes(Nonce::random(nonce), aad, root.0.expose(), &mut out)?;
        Ok(out)
    }

    /// Opens what [`WrapKey::wrap`] made.
    ///
    /// # Errors
    /// [`Opaque`], whatever is wrong.
    pub fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<RootKey, Opaque> {
        let (nonce, sealed) = wrapped.split_first_chunk::<12>().ok_or(Opaque)?;
        let opened: Plaintext = self.0.open(Nonce::random(*nonce), aad, sealed)?;
        Ok(RootKey(Secret::try_from(opened.as_bytes())?))
    }
}
