//! What a carrier is to delivery: it takes a letter, or the hand-over ends in another way ([`Failure`]).

use std::sync::Arc;

use adyton_frame::DeliveryFailure;
use adyton_seal::{Code, SecretText};
use adyton_vault::{Channel, Seconds, Text};
use tokio::time::{Duration, Instant};

use super::Credential;
use super::progress::Progress;
use crate::egress::EgressError;

/// A message on its way to a person.
pub(super) struct Letter {
    /// SID of the attempt: a repeat under it is the same letter.
    pub(super) attempt: String,
    /// How far it has come.
    pub(super) progress: Arc<Progress>,
    /// Where it goes.
    pub(super) to: SecretText,
    /// How.
    pub(super) channel: Channel,
    /// Subject, for channels that have one. It holds no code.
    pub(super) subject: Option<String>,
    /// The text, code included.
    pub(super) text: Text,
    /// The same as HTML, for channels that show it.
    pub(super) html: Option<Text>,
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

/// How a hand-over ended if the carrier did not confirm that it took the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It failed before the letter can have left: no connection, no TLS, the request not completely written.
    Transport(EgressError),
    /// The carrier refused for now; not to be tried again before this has passed, if it named a time.
    Busy(Option<Duration>),
    /// This route will not take this letter; another may.
    NotThisRoute,
    /// The refusal concerns the vault's account or sender at the carrier: credential, quota, suspension.
    Sender,
    /// The carrier refused for now, by a reply that may concern the vault's account or sender.
    SenderForNow,
    /// This route will not take this letter, and the reply does not say whether that concerns the sender.
    PerhapsSender,
    /// No carrier will deliver to this address: it does not exist, or its owner wants no messages.
    Recipient,
    /// This route refused when it heard the recipient, by a reply that does not say whether it concerns the recipient or the
    /// sender.
    PerhapsRecipient,
    /// The whole letter left and no readable answer came: the carrier may have taken it.
    Unconfirmed,
}

impl Failure {
    /// The class that an operational event names.
    pub(super) fn class(self) -> DeliveryFailure {
        match self {
            Self::Transport(error) => error.class(),
            Self::Busy(_) | Self::SenderForNow | Self::Unconfirmed => DeliveryFailure::Timeout,
            Self::NotThisRoute | Self::Sender | Self::PerhapsSender | Self::Recipient | Self::PerhapsRecipient => {
                DeliveryFailure::Refused
            }
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

    /// Whether it takes a repeat under the same idempotency key for the same message, by its contract.
    fn deduplicates(&self) -> bool;

    /// Hands a letter over. `Ok` means that the carrier says it took it; whether it lies cannot be known. Before the last byte
    /// of the letter is handed to the connection it calls [`Progress::leaves`]; a future that is dropped sends nothing more.
    fn hand_over(
        &self,
        letter: &Letter,
        credential: &Arc<Credential>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
