//! Replies: a closed list. Codes are in messages to people only.

use alloc::vec::Vec;

use adyton_decider::{Id, IdKind, Seconds};
use adyton_destination::{Channel, Destination};
use adyton_services::{Message, ServiceId};
use adyton_tenancy::{AccountId, Denied};

use crate::Subjects;

/// One verification.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerificationKind {}

/// One attempt to send.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptKind {}

impl IdKind for VerificationKind {
    const LETTERS: &'static str = "VE";
}

impl IdKind for AttemptKind {
    const LETTERS: &'static str = "VL";
}

/// Names a verification.
pub type VerificationId = Id<VerificationKind>;
/// Names an attempt to send.
pub type AttemptId = Id<AttemptKind>;

/// How an attempt to send ended, as far as the vault can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A carrier took the message.
    Accepted,
    /// A carrier says that no carrier will deliver to this destination.
    Refused,
    /// No carrier took it: the code's life ended first, every route refused this message, or there
    /// was no room to wait.
    GaveUp,
    /// No carrier could even be reached while the code lived.
    Unreachable,
    /// It left completely and no readable answer came: a carrier may have taken it. It is not sent
    /// again.
    Unconfirmed,
    /// It was withdrawn before a carrier had it: its verification ended, or a newer attempt took
    /// its place.
    Withdrawn,
}

/// The predefined outputs.
pub enum Reply {
    /// A verification, for the tenant that started it.
    Verification(VerificationView),
    /// A verification, for the tenant's support.
    Support(SupportView),
    /// No content.
    Done,
}

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The right code has not been seen.
    Pending,
    /// The right code has been seen.
    Approved,
    /// Its tenant has ended it.
    Canceled,
}

/// Why a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its life ended.
    Expired,
    /// The right code was tried.
    Approved,
    /// Its tenant ended it, or another start took its place.
    Canceled,
    /// Its life ended after five wrong codes.
    MaxAttemptsReached,
    /// The vault was restarted, which voids live codes.
    VaultRestarted,
}

/// A verification as its tenant sees it.
pub struct VerificationView {
    /// Its SID.
    pub verification: VerificationId,
    /// Its service.
    pub service: ServiceId,
    /// Its tenant.
    pub account: AccountId,
    /// Where the code went: what the tenant itself gave.
    pub to: Destination,
    /// How it went there.
    pub channel: Channel,
    /// Where it stands.
    pub status: Status,
    /// When it was started.
    pub created: Seconds,
    /// When it last changed.
    pub updated: Seconds,
    /// Attempts to send, in order.
    pub attempts: Vec<Attempt>,
}

/// An attempt to send, as its tenant sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its SID.
    pub sid: AttemptId,
    /// When.
    pub at: Seconds,
    /// Its outcome, as far as known.
    pub outcome: Option<Outcome>,
    /// The last route that was tried, by its place in the policy, once the outcome is known.
    pub route: Option<u8>,
    /// Times it was handed over again after it may have left; each counts as a message.
    pub repeats: u8,
}

impl Attempt {
    /// An attempt that begins.
    pub(crate) fn new(sid: AttemptId, at: Seconds) -> Self {
        Self { sid, at, outcome: None, route: None, repeats: 0 }
    }
}

/// A verification as support sees it: no address, no digits.
pub struct SupportView {
    /// Whether it is live.
    pub live: bool,
    /// Why it ended, if it has.
    pub reason: Option<Reason>,
    /// Of a live one: how the code went.
    pub channel: Option<Channel>,
    /// Of a live one: calling code of the number.
    pub calling_code: Option<u16>,
    /// Of a live one: what became of each sending, as far as known.
    pub outcomes: Vec<Option<Outcome>>,
}

/// Effects, run once the events are durable.
#[allow(clippy::large_enum_variant, reason = "nearly every effect is a message; a box for each would cost more")]
pub enum Effect {
    /// Hand a message to a carrier.
    Send {
        /// The verification.
        verification: VerificationId,
        /// The attempt: also the idempotency key.
        attempt: AttemptId,
        /// The address.
        to: Destination,
        /// How.
        channel: Channel,
        /// The message, code included.
        message: Message,
        /// When the code expires and is no longer sent.
        until: Seconds,
        /// Counters and cost of another hand-over ([`crate::CountRepeat`]).
        counts: (Subjects, u64),
        /// The verification whose message was the last one to this destination; this one itself if it
        /// is sent again. A route that its message waits for comes last.
        older: Option<VerificationId>,
        /// A route, by its place in the policy, that did not confirm an earlier attempt: others
        /// come first.
        avoid: Option<u8>,
    },
    /// End the delivery of these verifications' attempts: nothing of them is to leave any more.
    CancelDelivery {
        /// The verifications.
        verifications: Vec<VerificationId>,
        /// Their codes' life ended. Otherwise they have ended, or a newer attempt replaces the
        /// older one.
        expired: bool,
    },
}

/// Why a command was refused; nothing changed. Answers never depend on whether another tenant's
/// object exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller may not.
    Denied(Denied),
    /// No such service or verification for this caller, or it has ended; the reason, if it was
    /// named by its SID.
    NotFound(Option<Reason>),
    /// Five codes went out for this verification.
    TooManySends {
        /// Seconds until its life ends and another can be started.
        retry_after: Seconds,
    },
    /// Five wrong codes were tried for this verification.
    TooManyChecks {
        /// Seconds until its life ends and another can be started.
        retry_after: Seconds,
    },
    /// This destination accepts no check now.
    ChecksClosed {
        /// Retry after this many seconds.
        retry_after: Seconds,
    },
    /// A ceiling of sending is reached.
    SendLimit {
        /// Which one.
        ceiling: Ceiling,
        /// Retry after this many seconds.
        retry_after: Seconds,
    },
    /// The policy does not open this channel.
    ChannelClosed,
    /// The policy does not open this country.
    CountryClosed,
    /// Codes supplied by the caller, or approval by API, are off for this service.
    CustomCode,
    /// The request names an app that is not one of the service's.
    AppHash,
    /// The name that the request brings has eleven letters and digits in a row that the service's
    /// name does not have: they could be an app's hash.
    LongWord,
    /// With the name or the code that the request brings, the message does not fit into a text
    /// message.
    MessageTooLong {
        /// Characters that are too many.
        excess: usize,
    },
    /// The code that the request supplies is shorter than the policy allows.
    CodeLength {
        /// The policy's floor.
        shortest: u8,
    },
    /// The vault, or the tenant's share of it, is full.
    Full,
}

/// A ceiling of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ceiling {
    /// Messages to one destination.
    Destination,
    /// Messages to one block of telephone numbers.
    NumberBlock,
    /// Messages to one mail domain.
    MailDomain,
    /// Messages of the tenant.
    Tenant,
    /// Cost of the tenant's messages.
    Spend,
    /// Look-ups by the tenant's support.
    Support,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}
