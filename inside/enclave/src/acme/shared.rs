//! Status of the certificates that the vault obtains, for connections and the API: answers to
//! challenges, the certificate, and how it goes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::sign::CertifiedKey;

use crate::clock::Clock;
use crate::public::PublicCertificate;

/// The status for other tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Address of the directory.
    pub directory: String,
    /// Address of the account, once there is one.
    pub account: Option<String>,
    /// When the CA is asked next, Unix seconds: not a moment that has passed. `None` while it is being asked, and if it never is.
    pub renews_at: Option<u64>,
    /// Faults since the last success.
    pub failures: u32,
    /// The last one.
    pub last_failure: Option<String>,
}

/// The status that is shown to other tasks.
#[derive(Default)]
pub struct AcmeStatus {
    clock: Option<Arc<Clock>>,
    challenges: RwLock<BTreeMap<String, Arc<CertifiedKey>>>,
    certificate: RwLock<Option<Arc<PublicCertificate>>>,
    status: RwLock<Status>,
}

impl AcmeStatus {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        Self { clock: Some(clock), ..Self::default() }
    }

    /// The answer to a challenge for a name, which is in lower case.
    pub fn challenge(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.challenges.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The certificate that is for a name, which is in lower case.
    pub fn certified(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.certificate().filter(|certificate| certificate.names(name)).map(|found| Arc::clone(found.certified()))
    }

    /// The certificate that there is.
    pub fn certificate(&self) -> Option<Arc<PublicCertificate>> {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The status for other tasks.
    pub fn status(&self) -> Status {
        let mut status = self.status.read().unwrap_or_else(PoisonError::into_inner).clone();
        // A sleep ends a moment late, or much later if the machine was suspended.
        let now = self.clock.as_ref().map_or(0, |clock| clock.now());
        status.renews_at = status.renews_at.map(|at| at.max(now));
        status
    }

    pub(super) fn answer(&self, name: &str, answer: Arc<CertifiedKey>) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), answer);
    }

    /// The authorization of a name is valid.
    pub(super) fn withdraw(&self, name: &str) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// There is no order whose authorizations could be asked for.
    pub(super) fn withdraw_all(&self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn show(&self, certificate: Arc<PublicCertificate>) {
        *self.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
    }
}
