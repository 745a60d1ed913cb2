//! Evidence: what proves what runs.
//!
//! Scope for now: the identity bundle ([`Bundle`], `docs/spec/05-identity-bundle.md`), whose hash an attestation
//! document carries, and reading the claims of a document that came from one's *own* platform ([`OwnDocument`]).
//! What this crate is not (yet): a verifier. [`OwnDocument`] checks no signature and must never be used on evidence
//! that somebody else presents; the verifier gets types of its own.

mod bundle;
mod own;

pub use bundle::{Bundle, BundleError, NotarySet};
pub use own::{OwnDocument, OwnDocumentError};
