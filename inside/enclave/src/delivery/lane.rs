//! One route's own: how many messages it takes at once, whether it is worth trying, its connections, its credential.

use std::sync::{Arc, Mutex, PoisonError};

use adyton_frame::DeliveryFailure;
use adyton_policy::Route;
use adyton_seal::{RecipientKey, SealedPurpose, SecretText};
use tokio::sync::Semaphore;

use super::kind::Kind;
use super::{Outgoing, Tried};
use crate::egress::{Connection, Peer};
use adyton_ledger::base64;

/// Messages that one route is handed at once; a carrier that is slow holds up these and no more.
const AT_ONCE: usize = 64;
/// Connections that are kept open.
const KEPT: usize = 16;
/// Failures in a row after which a route is left alone.
const FAILURES: u32 = 5;
/// Seconds that it is left alone; then one message tries it.
const LEFT_ALONE: u64 = 5;

/// One route of the policy.
pub(crate) struct Lane {
    kind: Kind,
    peer: Peer,
    host: String,
    port: u16,
    credential: Option<String>,
    recipient: Arc<RecipientKey>,
    vault_id: [u8; 32],
    permits: Semaphore,
    connections: Mutex<Vec<Connection>>,
    breaker: Mutex<Breaker>,
    opened: Mutex<Option<Opened>>,
}

/// The credential that was opened last, and what it was opened from.
struct Opened {
    sealed: String,
    secret: Arc<SecretText>,
}

#[derive(Default)]
struct Breaker {
    failures: u32,
    closed_until: u64,
}

impl Breaker {
    /// Whether a message may try the route now. Past the time, one may, and the others wait for what becomes of it.
    fn lets_through(&mut self, now: u64) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        let again = now >= self.closed_until;
        if again {
            self.closed_until = now + LEFT_ALONE;
        }
        again
    }

    fn note(&mut self, tried: Tried, now: u64) {
        match tried {
            Tried::Accepted | Tried::Refused => self.failures = 0,
            Tried::Failed(_) => {
                self.failures = self.failures.saturating_add(1);
                self.closed_until = now + LEFT_ALONE;
            }
        }
    }
}

impl Lane {
    pub(crate) fn new(route: &Route, kind: Kind, peer: Peer, recipient: Arc<RecipientKey>, vault_id: [u8; 32]) -> Self {
        Self {
            kind,
            peer,
            host: route.host.clone(),
            port: route.port,
            credential: route.credential.clone(),
            recipient,
            vault_id,
            permits: Semaphore::new(AT_ONCE),
            connections: Mutex::default(),
            breaker: Mutex::default(),
            opened: Mutex::default(),
        }
    }

    /// Name of its credential in the settings.
    pub(crate) fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// Hands a message over, once. `sealed` is the credential as the settings have it.
    pub(crate) async fn send(&self, outgoing: &Outgoing, sealed: Option<&str>, now: u64) -> Tried {
        // A full lane is not waited for: the next route, or the next round, is better.
        let Ok(_permit) = self.permits.try_acquire() else { return Tried::Failed(DeliveryFailure::Timeout) };
        if !lock(&self.breaker).lets_through(now) {
            return Tried::Failed(DeliveryFailure::Connect);
        }
        let secret = match (&self.credential, sealed.map(|sealed| self.open(sealed))) {
            (None, _) => None,
            (Some(_), Some(Some(secret))) => Some(secret),
            // The settings have none, or one that belongs elsewhere.
            (Some(_), _) => return Tried::Failed(DeliveryFailure::Refused),
        };
        let tried = self.kind.send(self, outgoing, secret.as_deref(), now).await;
        lock(&self.breaker).note(tried, now);
        tried
    }

    /// An HTTP connection that is open already, or a new one; and whether it was used before.
    pub(super) async fn connection(&self) -> Result<(Connection, bool), DeliveryFailure> {
        let kept = lock(&self.connections).pop();
        match kept {
            Some(kept) => Ok((kept, true)),
            None => Ok((self.peer.connect().await.map_err(|error| error.class())?, false)),
        }
    }

    /// Keeps a connection that is in order.
    pub(super) fn keep(&self, connection: Connection) {
        let mut kept = lock(&self.connections);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }

    /// Opens a credential, or finds it opened. It is bound to vault, name, host and port: moved elsewhere it does not
    /// open.
    fn open(&self, sealed: &str) -> Option<Arc<SecretText>> {
        let mut opened = lock(&self.opened);
        if let Some(found) = opened.as_ref().filter(|found| found.sealed == sealed) {
            return Some(Arc::clone(&found.secret));
        }
        let name = self.credential.as_deref()?;
        let purpose = SealedPurpose::credential(&self.vault_id, name, &self.host, self.port);
        let plaintext = self.recipient.open(&purpose, &base64::decode(sealed.as_bytes())?).ok()?;
        let secret = Arc::new(SecretText::join(&[std::str::from_utf8(plaintext.as_bytes()).ok()?]));
        *opened = Some(Opened { sealed: sealed.into(), secret: Arc::clone(&secret) });
        Some(secret)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_fails_is_left_alone_and_tried_by_one() {
        let mut breaker = Breaker::default();
        for now in 0..u64::from(FAILURES) {
            assert!(breaker.lets_through(now));
            breaker.note(Tried::Failed(DeliveryFailure::Connect), now);
        }
        assert!(!breaker.lets_through(8));
        assert!(breaker.lets_through(9), "one tries it");
        assert!(!breaker.lets_through(9), "and the others wait");
        breaker.note(Tried::Accepted, 10);
        assert!(breaker.lets_through(10) && breaker.lets_through(10));
        breaker.note(Tried::Refused, 10);
        assert!(breaker.lets_through(10), "a refusal is an answer");
    }
}
