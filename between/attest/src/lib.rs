//! Evidence: what proves what runs.
//!
//! 1. a document is [`Received`]: it has the right form, and nothing of it is believed;
//! 2. it is [`Verified`]: a platform that is trusted vouches for it;
//! 3. it is [`Appraised`]: it is fresh, and shows what somebody wants. Only from here are there keys to pin or to seal to.
//!
//! Each is made by one function from the one before it, so that none can be skipped. Root, time and demands are arguments;
//! the crate has no clock, no file and no network. AWS Nitro is the one platform yet; another brings a `Received` of its own
//! that ends in the same [`Verified`].
//!
//! Beside that: the identity bundle that a document binds ([`Bundle`]), many nonces under one document ([`NonceTree`]), what
//! binds a TLS connection to a bundle ([`channel_message`]), and the claims of one's *own* platform ([`OwnDocument`]), which
//! needs no signature and must never be used on what somebody else presents.
//!
//! What it is not: it fetches nothing (that is `adyton-client`), and it says nothing of what the code does that it names.

mod appraisal;
mod appraised;
mod binding;
mod bundle;
mod nitro;
mod nonces;
mod platform;
mod refusal;
mod root;

pub use appraisal::{AppraisalPolicy, CLOCKS_PART_MS, Freshness, Measurements, Pcr, REGISTERS, Release};
pub use appraised::Appraised;
pub use binding::{ATTESTED_PROTOCOL, CHANNEL_EXPORTER_LABEL, channel_message};
pub use bundle::{Bundle, BundleError, NotarySet};
pub use nitro::{OwnDocument, Received, RememberedChains, Verified, validity};
pub use nonces::{MAX_NONCES, NonceProof, NonceTree};
pub use platform::Platform;
pub use refusal::{CertificateFault, Claim, Refusal};
pub use root::Root;
