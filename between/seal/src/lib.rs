//! Secrets, AEAD, HPKE, the key tree and what a KMS seals: the one façade over the crypto library.
//!
//! Why: so that the rest of the vault cannot pick an algorithm, forget to zeroize, or put a secret where it can be
//! printed. Everything here is a thin, typed use of `aws-lc-rs` (and of rustls' RFC 9180 HPKE over it); this crate
//! contains no primitive of its own.
//!
//! Scope: key derivation, keyed hashes, one-time codes, sealing of log bodies and snapshots, sealed values, head
//! signatures. Layouts: `docs/spec/00-conventions.md`, `02-entries.md`, `04-snapshots.md`, `06-sealed-values.md`,
//! `12-custody-kms.md`.
//!
//! Limits: zeroizing is best effort. A compiler may leave copies in registers or on the stack, and a swapped page is
//! out of reach; inside an enclave there is no swap. What this crate is *not*: a clock, a file, a socket or a
//! source of policy. It reads no environment.
//!
//! Errors: anything that depends on a secret is [`Opaque`], one value without a reason.

#![no_std]

extern crate alloc;

mod aead;
mod ber;
mod code;
mod ecdsa;
mod hpke;
mod keyed;
mod keys;
mod plaintext;
mod random;
#[cfg(test)]
#[path = "../../../vectors/reader.rs"]
mod reader;
mod recipient;
mod secret;
mod signing;

pub use aead::{AeadKey, Nonce, TAG_LEN};
pub use code::{Code, MAX_CODE_DIGITS, SlotKey};
pub use ecdsa::EcdsaKey;
pub use hpke::{RecipientKey, RecipientPublicKey, SealedPurpose, Suite1Error};
pub use keyed::{HmacKey, keyed_hash, keyed_hash_16, same};
pub use keys::{KeyTree, Label, RootKey, WrapKey};
pub use plaintext::{Plaintext, ReadSecret};
pub use random::{fill_random, mix_random, random};
pub use recipient::KmsRecipientKey;
pub use secret::{Secret, SecretText};
pub use signing::SigningKey;

/// The one answer to everything that depends on a secret: it did not work. It has no reason on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opaque;

impl core::fmt::Display for Opaque {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("it does not open")
    }
}

impl core::error::Error for Opaque {}
