//! SSH signatures of owners and tenants (`docs/spec/08-signed-requests.md`; OpenSSH's `PROTOCOL.sshsig`, `PROTOCOL.u2f`).
//!
//! Why our own reader: the crates that parse these formats bring a second crypto library along. The formats are a few
//! length-prefixed fields; the signatures are checked by aws-lc.
//!
//! Scope: public keys and signatures of Ed25519 and ECDSA P-256, and of hardware keys of both. What it is *not*: there
//! are no private keys, no certificates, no RSA, and no memory of a hardware key's counter.
//!
//! Every comparison here is of public values, so none is constant time.

mod key;
mod signature;
mod signers;

pub use key::{SshKeyError, SshPublicKey};
pub use signature::{SshSignature, SshSignatureError};
pub use signers::{MAX_SIGNATURES, Signers, SignersError};
