//! Reading the claims of a document that one's own platform just made.
//!
//! An enclave asks its NSM for a document and needs three facts of it: the platform's time, which root the platform says it
//! has, and what the registers hold that a KMS's key policy has to name. The NSM is part of what the enclave trusts, so no signature is checked here; what comes is not
//! [`crate::Verified`], and cannot become it.

use std::collections::BTreeMap;

use super::Received;
use crate::Refusal;

/// Claims of a document from one's own NSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDocument {
    /// The platform's time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// DER of the root certificate that the platform presents.
    pub root: Vec<u8>,
    /// The registers, by number.
    pub pcrs: BTreeMap<u8, [u8; 48]>,
}

impl OwnDocument {
    /// Reads the claims of a document that has the right form; the whole input is one.
    ///
    /// # Errors
    /// [`Refusal`] of the form, as [`Received::parse`].
    pub fn parse(document: &[u8]) -> Result<Self, Refusal> {
        Received::parse(document).map(Received::into_own)
    }
}
