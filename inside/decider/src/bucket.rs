//! A token bucket in the form of the generic cell rate algorithm (ITU-T I.371): one instant,
//! `full_again`, at which the bucket will be full. A spent token moves it by one refill. The
//! instant is computed by a decider and stands in its event, so replay needs no limits.

use crate::Seconds;

/// The size of a bucket, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// Tokens of a full bucket.
    pub size: u32,
    /// Seconds until a token comes back.
    pub refill: Seconds,
}

/// The bucket has no token now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoToken {
    /// Seconds until it has one.
    pub retry_after: Seconds,
}

impl TokenBucket {
    /// Seconds in which an empty bucket fills.
    pub fn span(&self) -> Seconds {
        self.refill.saturating_mul(self.size.into())
    }

    /// What `full_again` becomes if a token is spent now.
    ///
    /// # Errors
    /// [`NoToken`].
    pub fn spend(&self, full_again: Seconds, now: Seconds) -> Result<Seconds, NoToken> {
        let full_again = full_again.max(now).saturating_add(self.refill);
        let latest = now.saturating_add(self.span());
        if full_again > latest { Err(NoToken { retry_after: full_again - latest }) } else { Ok(full_again) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A full bucket gives its size and no more at once; later one for each refill; and a wait
        /// that is named suffices.
        #[test]
        fn tokens_come_back_at_their_pace(size in 1u32..20, refill in 1u64..500, now in 0u64..1_000_000, later in 0u64..5000) {
            let bucket = TokenBucket { size, refill };
            let mut full_again = 0;
            for _ in 0..size {
                full_again = bucket.spend(full_again, now).ok().ok_or_else(|| TestCaseError::fail("too few"))?;
            }
            prop_assert_eq!(bucket.spend(full_again, now), Err(NoToken { retry_after: refill }));
            let mut got = 0;
            let mut state = full_again;
            while let Ok(next) = bucket.spend(state, now + later) {
                (state, got) = (next, got + 1);
            }
            prop_assert_eq!(got, (later / refill).min(size.into()));
        }
    }
}
