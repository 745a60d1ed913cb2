//! Evidence: what proves what runs.
//!
//! Scope for now: the identity bundle ([`Bundle`], `docs/spec/05-identity-bundle.md`), whose hash an attestation
//! document carries; many nonces under one document ([`NonceTree`]) and what binds a TLS connection to a bundle
//! ([`channel_message`], `docs/spec/09-evidence.md`); and reading the claims of a document that came from one's *own*
//! platform ([`OwnDocument`]).
//!
//! What this crate is not (yet): a verifier. [`OwnDocument`] checks no signature and must never be used on evidence
//! that somebody else presents; the verifier gets types of its own.

mod binding;
mod bundle;
mod nonces;
mod own;

pub use binding::{CHANNEL_EXPORTER_LABEL, channel_message};
pub use bundle::{Bundle, BundleError, NotarySet};
pub use nonces::{MAX_NONCES, NonceProof, NonceTree};
pub use own::{OwnDocument, OwnDocumentError};
