//! AWS Nitro attestation documents, received and verified (`docs/spec/10-appraisal.md`, whose numbers stand in the code).
//!
//! 1. the size, and COSE_Sign1: an array of four, ES384 protected and nothing unprotected ([`Received::parse`]);
//! 2. the payload: one map with AWS's members, none twice, none unknown, each within its limits;
//! 3. the chain: the bundle begins with the root that is trusted, and the rest of it, in its order, leads to the leaf;
//! 4. the signature of the whole by the leaf's P-384 key ([`Received::verify`]).
//!
//! Source: AWS's `attestation_process.md` (aws/aws-nitro-enclaves-nsm-api) and RFC 9052. Where AWS's texts contradict each
//! other about the length of `user_data` and `nonce`, 512 and 1024 bytes, the longer one is taken.
//!
//! What it is not: a verified document says what platform vouches for what registers. Whether they are those that somebody
//! wants is decided by [`crate::appraisal`].

mod chain;
mod claims;
mod facts;
mod own;
mod received;
mod verified;

pub use chain::RememberedChains;
pub use facts::validity;
pub use own::OwnDocument;
pub use received::Received;
pub use verified::Verified;
