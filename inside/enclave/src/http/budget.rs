//! The byte budget of requests and large answers in flight, over all connections.
//!
//! 1. a body is charged in steps, as it arrives (`upload`). One that is not complete makes room for
//!    those that come after it;
//! 2. an answer of more than [`SMALL_ANSWER`] bytes is measured and charged before it is made.
//!    Smaller ones are part of what a connection costs, so nobody can use them up;
//! 3. bytes are given back when the buffer that they stand for is freed ([`Reservation::hold`]):
//!    for an answer, once the TLS layer has taken its last byte;
//! 4. each payer has a share (`ledger`): an account, and in it each of its users, that is its token
//!    or an API key. Requests with signatures, and requests without a verified token, have pools of
//!    their own. So a stranger who names an account takes nothing of that account's share, and a
//!    key leaves the account's other keys as much as it holds.
//!
//! What it does not cover: what each connection may have at any time, whatever others do. These are
//! the buffers of TLS and HTTP, small answers, and one answer with evidence. Their sizes are
//! constants; `docs/LIMITS.md` has the sum.

mod ledger;
mod upload;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adyton_vault::{AccountId, User};
use axum::body::Bytes;
use zeroize::Zeroizing;

use ledger::{Ledger, PoolName, Share};
use upload::Pieces;

pub(crate) use upload::{STEP, Upload, UploadError};

/// Bytes of all requests and large answers in flight.
pub const BUDGET: usize = 384 * 1024 * 1024;
/// Largest answer that costs nothing besides its connection.
pub(crate) const SMALL_ANSWER: usize = 4 * 1024;

/// Who pays for the bytes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payer {
    /// An account's token or one of its keys, which was verified.
    User(AccountId, User),
    /// The sender of signatures that are not verified yet.
    Signer,
    /// Nobody known.
    Stranger,
}

impl Payer {
    fn share(self) -> Share {
        let nobody = ([0; 16], (false, [0; 16]));
        let (pool, (account, user)) = match self {
            Self::User(account, User::Account(user)) => {
                (PoolName::Accounts, (*account.as_bytes(), (false, *user.as_bytes())))
            }
            Self::User(account, User::Key(user)) => {
                (PoolName::Accounts, (*account.as_bytes(), (true, *user.as_bytes())))
            }
            Self::Signer => (PoolName::Signed, nobody),
            Self::Stranger => (PoolName::Strangers, nobody),
        };
        Share { pool, account, user }
    }
}

/// The payer's share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverShare;

/// The budget.
#[derive(Clone)]
pub struct Budget(Arc<Mutex<Ledger>>);

impl Default for Budget {
    fn default() -> Self {
        Self::new(BUDGET)
    }
}

impl Budget {
    /// A budget of this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Ledger::new(bytes))))
    }

    /// Takes bytes of a payer's share. Bodies that are not complete make room.
    pub(crate) fn take(&self, payer: Payer, bytes: usize) -> Result<Reservation, OverShare> {
        let share = payer.share();
        self.with_room(&share, |ledger| ledger.take(&share, bytes))?;
        Ok(Reservation { budget: self.clone(), share, bytes })
    }

    /// Whether so many bytes could be taken now.
    pub(crate) fn has_room(&self, payer: Payer, bytes: usize) -> bool {
        self.ledger().has_room(&payer.share(), bytes)
    }

    /// Takes further bytes of an incomplete body; its number, which it gets with the first ones.
    fn upload(
        &self,
        share: &Share,
        number: Option<u64>,
        bytes: usize,
        pieces: &Arc<Pieces>,
    ) -> Result<u64, UploadError> {
        let taken = self.with_room(share, |ledger| match number {
            None => ledger.begin(share, bytes, pieces).map(Some),
            // It has made room itself, perhaps for this very step.
            Some(number) if !ledger.arrives(share, number) => Ok(None),
            Some(number) => ledger.grow(share, number, bytes).map(|()| Some(number)),
        });
        taken.map_err(|OverShare| UploadError::OverShare)?.ok_or(UploadError::MadeRoom)
    }

    /// Tries until it fits or nobody is left who makes room.
    fn with_room<T>(
        &self,
        share: &Share,
        mut attempt: impl FnMut(&mut Ledger) -> Result<T, OverShare>,
    ) -> Result<T, OverShare> {
        loop {
            let mut ledger = self.ledger();
            let OverShare = match attempt(&mut ledger) {
                Ok(done) => return Ok(done),
                Err(over) => over,
            };
            let victim = ledger.victim(share).ok_or(OverShare)?;
            drop(ledger);
            // Its bytes count until they are freed.
            victim.pieces.make_room();
            self.ledger().give_back(&victim.share, victim.bytes);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.ledger().free()
    }
}

/// Bytes that were taken; dropping it gives them back.
pub(crate) struct Reservation {
    budget: Budget,
    share: Share,
    bytes: usize,
}

impl Reservation {
    /// Counts the size that a buffer turned out to have.
    fn settle(&mut self, bytes: usize) {
        let mut ledger = self.budget.ledger();
        if bytes <= self.bytes {
            ledger.give_back(&self.share, self.bytes - bytes);
        } else {
            // The buffer is there already: it is counted, whatever the share.
            ledger.count(&self.share, bytes - self.bytes);
        }
        drop(ledger);
        self.bytes = bytes;
    }

    /// 3. Ties a buffer to its charge. It is zeroized when it is freed: a body may hold a code.
    pub(crate) fn hold(mut self, buffer: Zeroizing<Vec<u8>>) -> Bytes {
        self.settle(buffer.capacity());
        Bytes::from_owner(Reserved { buffer, _charge: self })
    }

    /// 3. The same for an answer.
    pub(crate) fn hold_answer(mut self, answer: Vec<u8>) -> Bytes {
        self.settle(answer.capacity());
        Bytes::from_owner(Reserved { buffer: answer, _charge: self })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.ledger().give_back(&self.share, self.bytes);
    }
}

/// Frees its buffer before it gives its bytes back: fields are dropped in order.
struct Reserved<T> {
    buffer: T,
    _charge: Reservation,
}

impl AsRef<[u8]> for Reserved<Vec<u8>> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl AsRef<[u8]> for Reserved<Zeroizing<Vec<u8>>> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
#[path = "budget/tests.rs"]
mod tests;
