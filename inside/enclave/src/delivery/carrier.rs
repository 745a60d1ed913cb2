//! What a carrier is to delivery: it takes a letter, or the hand-over ends in one of six other ways ([`Failure`]).

use std::sync::Arc;

use adyton_frame::DeliveryFailure;
use adyton_seal::{Code, SecretText};
use adyton_vault::{Channel, Seconds};
use tokio::time::{Duration, Instant};

use super::Credential;
use crate::egress::EgressError;

/// A message on its way to a person.
pub(super) struct Letter {
    /// SID of the attempt: a repeat under it is the same letter.
    pub(super) attempt: String,
    /// Where it goes.
    pub(super) to: SecretText,
    /// How.
    pub(super) channel: Channel,
    /// Subject, for channels that have one. It holds no code.
    pub(super) subject: Option<String>,
    /// The text, code included.
    pub(super) text: SecretText,
    /// The same as HTML, for channels that show it.
    pub(super) html: Option<SecretText>,
    /// The code alone.
    pub(super) code: Code,
    /// When the code ends.
    pub(super) until: Seconds,
    /// The same, on the clock that waits are measured by.
    pub(super) deadline: Instant,
}

impl Letter {
    /// What a carrier knows the letter by: no two routes share it, for two routes may lead to one carrier.
    pub(super) fn idempotency_key(&self, route: u8) -> String {
        format!("{}-{route}", self.attempt)
    }

    /// Whole seconds for which the code still lives.
    pub(super) fn seconds_left(&self) -> u64 {
        self.deadline.saturating_duration_since(Instant::now()).as_secs()
    }
}

/// How a hand-over ended, if the carrier did not say that it took the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It failed before anything of the letter can have been taken: it may be tried again.
    Transport(EgressError),
    /// It answered, and is to be asked again; not before this has passed, if it says so.
    Busy(Option<Duration>),
    /// It will not take this letter; another carrier may.
    NotThisRoute,
    /// The refusal concerns the sender or its account: another carrier may take the letter.
    Sender,
    /// No carrier will: the address is wrong, or its owner wants no messages.
    Recipient,
    /// The letter left and no readable answer came: it may have been taken, so it must not be repeated.
    Unconfirmed,
}

impl Failure {
    /// The class that an operational event names.
    pub(super) fn class(self) -> DeliveryFailure {
        match self {
            Self::Transport(error) => error.class(),
            Self::Busy(_) | Self::Unconfirmed => DeliveryFailure::Timeout,
            Self::NotThisRoute | Self::Sender | Self::Recipient => DeliveryFailure::Refused,
        }
    }
}

impl From<EgressError> for Failure {
    fn from(error: EgressError) -> Self {
        Self::Transport(error)
    }
}

/// Something that takes letters.
pub(super) trait Carrier: Send + Sync + 'static {
    /// Letters that it is handed at once.
    const AT_ONCE: usize;

    /// Hands a letter over. `Ok` means that the carrier says it took it; whether it lies cannot be known.
    fn hand_over(
        &self,
        letter: &Letter,
        credential: &Arc<Credential>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
