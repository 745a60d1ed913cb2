//! The byte budget of requests and answers in flight, over all connections.
//!
//! 1. bytes are taken before a body is read and before an answer is made; what does not fit is refused, and nothing is
//!    allocated;
//! 2. they are given back when the buffer that they stand for is freed ([`Charge::hold`]): for an answer, once the TLS layer has
//!    taken its last byte;
//! 3. each payer has a share: it may hold as many bytes as are free for others (Choudhury and Hahne's dynamic threshold). One
//!    payer alone gets half of the budget, two get a third each. Each leaves as much as it holds to those who come later.
//!
//! Payers are accounts whose token was verified, and, as two payers of their own, the bodies and the answers of all requests
//! without a verified token. So a stranger who names an account takes nothing of that account's share, and uploads do not keep
//! anybody from evidence.
//!
//! What it does not cover: buffers that each connection has at any time. Their sizes are constants; `docs/LIMITS.md` has the sum.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adyton_vault::AccountId;
use axum::body::Bytes;
use zeroize::Zeroizing;

/// Bytes of all requests and answers in flight.
pub const BUDGET: usize = 256 * 1024 * 1024;

/// Who pays for the bytes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// An account whose token was verified.
    Account(AccountId),
    /// Nobody known.
    Stranger,
}

/// A share of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Share {
    Account([u8; 16]),
    StrangersBodies,
    StrangersAnswers,
}

impl Payer {
    fn body(self) -> Share {
        match self {
            Self::Account(account) => Share::Account(*account.as_bytes()),
            Self::Stranger => Share::StrangersBodies,
        }
    }

    fn answer(self) -> Share {
        match self {
            Self::Account(account) => Share::Account(*account.as_bytes()),
            Self::Stranger => Share::StrangersAnswers,
        }
    }
}

/// The payer's share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverShare;

/// The budget.
#[derive(Clone)]
pub struct Budget(Arc<Mutex<Ledger>>);

struct Ledger {
    free: usize,
    /// What each share holds; entries are never 0.
    held: HashMap<Share, usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(BUDGET)
    }
}

impl Budget {
    /// A budget of this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Ledger { free: bytes, held: HashMap::new() })))
    }

    /// Takes bytes for a body.
    pub(crate) fn body(&self, payer: Payer, bytes: usize) -> Result<Charge, OverShare> {
        self.take(payer.body(), bytes)
    }

    /// Takes bytes for an answer.
    pub(crate) fn answer(&self, payer: Payer, bytes: usize) -> Result<Charge, OverShare> {
        self.take(payer.answer(), bytes)
    }

    fn take(&self, share: Share, bytes: usize) -> Result<Charge, OverShare> {
        let mut ledger = self.ledger();
        let held = ledger.held.get(&share).copied().unwrap_or(0);
        // 3.
        let fits = ledger.free.checked_sub(bytes).is_some_and(|left| held.saturating_add(bytes) <= left);
        if bytes > 0 && !fits {
            return Err(OverShare);
        }
        ledger.add(share, bytes);
        Ok(Charge { budget: self.clone(), share, bytes })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.ledger().free
    }
}

impl Ledger {
    fn add(&mut self, share: Share, bytes: usize) {
        if bytes > 0 {
            self.free = self.free.saturating_sub(bytes);
            *self.held.entry(share).or_default() += bytes;
        }
    }

    fn give_back(&mut self, share: Share, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.free += bytes;
        if let Some(held) = self.held.get_mut(&share) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.held.remove(&share);
            }
        }
    }
}

/// Bytes that were taken; dropping it gives them back.
pub(crate) struct Charge {
    budget: Budget,
    share: Share,
    bytes: usize,
}

impl Charge {
    /// Counts the size that a buffer turned out to have.
    pub(crate) fn settle(&mut self, bytes: usize) {
        let mut ledger = self.budget.ledger();
        if bytes <= self.bytes {
            ledger.give_back(self.share, self.bytes - bytes);
        } else {
            // The buffer is there already: it is counted, whatever the share.
            ledger.add(self.share, bytes - self.bytes);
        }
        drop(ledger);
        self.bytes = bytes;
    }

    /// 2. Ties a body to its charge. The buffer is zeroized when it is freed: it may hold a code.
    pub(crate) fn hold(mut self, body: Zeroizing<Vec<u8>>) -> Bytes {
        self.settle(body.capacity());
        Bytes::from_owner(Held { buffer: body, _charge: self })
    }

    /// 2. Ties an answer to its charge.
    pub(crate) fn hold_answer(mut self, answer: Bytes) -> Bytes {
        self.settle(answer.len());
        Bytes::from_owner(Held { buffer: answer, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.ledger().give_back(self.share, self.bytes);
    }
}

/// Frees its buffer before it gives its bytes back: fields are dropped in order.
struct Held<T> {
    buffer: T,
    _charge: Charge,
}

impl AsRef<[u8]> for Held<Bytes> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl AsRef<[u8]> for Held<Zeroizing<Vec<u8>>> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use proptest::prelude::*;

    use super::*;

    fn account(number: u8) -> Payer {
        Payer::Account(AccountId::from_bytes([number; 16]))
    }

    #[test]
    fn one_payer_alone_gets_half_and_leaves_a_share_to_the_next() {
        let budget = Budget::new(1200);
        let first = budget.answer(account(1), 600).unwrap();
        assert_eq!(budget.body(account(1), 1).err(), Some(OverShare));
        // Another has its share at once: half of what is left.
        let second = budget.body(account(2), 300).unwrap();
        assert_eq!(budget.body(account(2), 1).err(), Some(OverShare));
        let third = budget.answer(account(3), 150).unwrap();
        drop(first);
        assert!(budget.answer(account(1), 375).is_ok());
        drop((second, third));
        assert_eq!(budget.free(), 1200);
        assert!(budget.ledger().held.is_empty());
    }

    #[test]
    fn strangers_uploads_take_nothing_of_their_answers_and_of_accounts() {
        let budget = Budget::new(1000);
        let _uploads: Vec<_> = (0..5).map(|_| budget.body(Payer::Stranger, 100).unwrap()).collect();
        assert_eq!(budget.body(Payer::Stranger, 1).err(), Some(OverShare));
        assert!(budget.answer(Payer::Stranger, 250).is_ok());
        assert!(budget.body(account(1), 250).is_ok());
    }

    #[test]
    fn an_answers_bytes_are_given_back_with_its_last_reference() {
        let budget = Budget::new(1000);
        let answer = budget.answer(account(1), 400).unwrap().hold_answer(Bytes::from(vec![7; 100]));
        assert_eq!(budget.free(), 900);
        let rest = answer.slice(99..);
        drop(answer);
        assert_eq!(budget.free(), 900);
        drop(rest);
        assert_eq!(budget.free(), 1000);
        let body = budget.body(account(1), 400).unwrap().hold(Zeroizing::new(vec![7; 64]));
        assert_eq!((budget.free(), &body[..]), (936, &[7; 64][..]));
        drop(body);
        assert_eq!(budget.free(), 1000);
    }

    proptest! {
        #[test]
        fn what_is_held_and_free_is_always_the_budget(steps in prop::collection::vec((0u8..5, 0usize..300, any::<bool>()), 0..200)) {
            let budget = Budget::new(1000);
            let mut charges = Vec::new();
            for (payer, bytes, release) in steps {
                if release && !charges.is_empty() {
                    charges.swap_remove(bytes % charges.len());
                } else {
                    let payer = if payer == 0 { Payer::Stranger } else { account(payer) };
                    charges.extend(budget.answer(payer, bytes));
                }
                let held: usize = charges.iter().map(|charge: &Charge| charge.bytes).sum();
                prop_assert_eq!(budget.free() + held, 1000);
                prop_assert_eq!(budget.ledger().held.values().sum::<usize>(), held);
            }
            drop(charges);
            prop_assert_eq!(budget.free(), 1000);
        }
    }
}
