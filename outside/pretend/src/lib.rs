//! Plays what a laptop lacks: the NSM with a test root, KMSs, a carrier and a phone.
//!
//! Why: so that the enclave's code has one path for laptop and hardware. A simulated enclave is the same code whose
//! evidence is signed by a test root, which a verifier must be given by name.
//!
//! It protects nothing from this machine's root, and is started by `adyton up` only. No shipped binary depends on it.

pub mod carriers;
pub mod certificates;
pub mod credentials;
pub mod faults;
pub mod folder;
pub mod inbox;
pub mod kms;
pub mod mail;
pub mod nsm;
pub mod peers;
pub mod phone;
pub mod serve;
