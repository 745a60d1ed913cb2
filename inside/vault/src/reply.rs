//! What may come out of a decider: a closed list, without a code in it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Channel, Destination, Event, Loosening, Message, Scopes, Seconds, ServiceSettings, Sid, Subjects};

/// How an attempt to send ended, as far as the vault can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A carrier took the message.
    Accepted,
    /// A carrier says that no carrier will deliver to this destination.
    Refused,
    /// No carrier took it: the code's life ended first, every route refused this message, or there was no room to wait.
    GaveUp,
    /// No carrier could even be reached while the code lived.
    Unreachable,
    /// It left completely and no readable answer came: a carrier may have taken it. It is not sent again.
    Unconfirmed,
    /// It was withdrawn before a carrier had it: its verification ended, or a newer attempt took its place.
    Withdrawn,
}

/// What a decider answers when it agrees.
pub struct Decision {
    /// What happened; the state evolves by these.
    pub events: Vec<Event>,
    /// The predefined output.
    pub reply: Reply,
    /// What to do once the events are durable.
    pub effects: Vec<Effect>,
}

impl Decision {
    /// Only an answer.
    pub(crate) fn reply(reply: Reply) -> Self {
        Self { events: Vec::new(), reply, effects: Vec::new() }
    }
}

/// The predefined outputs.
pub enum Reply {
    /// A tenant.
    Tenant(TenantView),
    /// A tenant with its keys.
    Account(AccountView),
    /// A service.
    Service(ServiceView),
    /// Services, and whether more follow.
    Services(Vec<ServiceView>, bool),
    /// A verification, for the tenant that started it.
    Verification(VerificationView),
    /// A verification, for the tenant's support.
    Support(SupportView),
    /// Nothing to say.
    Done,
}

/// A tenant as its client sees it.
pub struct TenantView {
    /// Its SID.
    pub account: Sid,
    /// Its name.
    pub friendly_name: String,
    /// When it was created.
    pub created: Seconds,
}

/// A tenant with its keys, as its admins see it.
pub struct AccountView {
    /// The tenant.
    pub tenant: TenantView,
    /// OpenSSH public key of its signed requests; empty for none.
    pub ssh_key: Vec<u8>,
    /// Sequence of its next signed request.
    pub next_sequence: u64,
    /// Its API keys, by SID.
    pub keys: Vec<(Sid, Scopes)>,
    /// Services of its that will become weaker, and how, soonest first.
    pub loosenings: Vec<(Sid, Loosening)>,
}

/// A service as its tenant sees it.
pub struct ServiceView {
    /// Its SID.
    pub service: Sid,
    /// Its tenant.
    pub account: Sid,
    /// What it is like.
    pub settings: ServiceSettings,
    /// A loosening that waits.
    pub loosening: Option<Loosening>,
    /// When it was created.
    pub created: Seconds,
    /// When it last changed.
    pub updated: Seconds,
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

/// Why a verification is over.
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
    pub verification: Sid,
    /// Its service.
    pub service: Sid,
    /// Its tenant.
    pub account: Sid,
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
    pub sid: Sid,
    /// When.
    pub at: Seconds,
    /// What became of it, as far as known.
    pub outcome: Option<Outcome>,
    /// The last route that was tried, by its place in the policy, once the outcome is known.
    pub route: Option<u8>,
    /// Times it was handed over again after it may have left; each counts as a message.
    pub repeats: u8,
}

impl Attempt {
    /// An attempt that begins.
    pub(crate) fn new(sid: Sid, at: Seconds) -> Self {
        Self { sid, at, outcome: None, route: None, repeats: 0 }
    }
}

/// A verification as support sees it: no address, no digits.
pub struct SupportView {
    /// Whether it is live.
    pub live: bool,
    /// Why it is over, if it is.
    pub reason: Option<Reason>,
    /// Of a live one: how the code went.
    pub channel: Option<Channel>,
    /// Of a live one: calling code of the number.
    pub calling_code: Option<u16>,
    /// Of a live one: what became of each sending, as far as known.
    pub outcomes: Vec<Option<Outcome>>,
}

/// What to do once the events are durable.
#[allow(clippy::large_enum_variant, reason = "nearly every effect is a message; a box for each would cost more")]
pub enum Effect {
    /// Hand a message to a carrier.
    Send {
        /// The verification.
        verification: Sid,
        /// The attempt: also the idempotency key.
        attempt: Sid,
        /// The address.
        to: Destination,
        /// How.
        channel: Channel,
        /// The message, code included.
        message: Message,
        /// When the code stops being worth sending.
        until: Seconds,
        /// What handing it over once more counts for, and its cost ([`crate::Command::CountRepeat`]).
        counts: (Subjects, u64),
        /// A route, by its place in the policy, that did not confirm an earlier attempt: others come first.
        avoid: Option<u8>,
    },
    /// End the delivery of these verifications' attempts: nothing of them is to leave any more.
    Stop {
        /// The verifications.
        verifications: Vec<Sid>,
        /// Their codes' life ended. Otherwise they are over, or a newer attempt takes the older one's place.
        expired: bool,
    },
}

/// Why a command was refused; nothing changed. Answers never depend on whether another tenant's thing exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The user is unknown or the token is wrong; the two are one answer.
    Unauthorized,
    /// The token is right, but may not do this.
    Scope,
    /// No such service or verification for this caller, or it is over; why, if it was named by its SID.
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
    /// This destination bears no wrong code now.
    ChecksClosed {
        /// Seconds until it is worth trying again.
        retry_after: Seconds,
    },
    /// A ceiling of sending is reached.
    SendLimit {
        /// Which one.
        ceiling: Ceiling,
        /// Seconds until it is worth trying again.
        retry_after: Seconds,
    },
    /// The policy does not open this channel.
    ChannelClosed,
    /// The policy does not open this country.
    CountryClosed,
    /// Codes supplied by the caller, or approval by API, are off for this service.
    CustomCode,
    /// This makes the service weaker: it needs the tenant's signature, and waits.
    Loosening,
    /// Another domain or app for the codes, or no warning: another service is needed for that.
    FixedAtCreation,
    /// The request names an app that is not one of the service's.
    AppHash,
    /// A name brings eleven letters and digits in a row that the service's name does not have: they could be an app's hash.
    LongWord {
        /// The name is one request's, and not a new one of the service.
        custom: bool,
    },
    /// A message of this service would not fit into a text message.
    ServiceTooLong {
        /// Characters that are too many.
        excess: usize,
    },
    /// With the name or the code that the request brings, the message does not fit into a text message.
    MessageTooLong {
        /// Characters that are too many.
        excess: usize,
    },
    /// This makes the service no weaker: it need not wait.
    NotWeaker,
    /// A signed request has another sequence than the next one.
    Sequence {
        /// The next one.
        expected: u64,
    },
    /// The account SID is taken by another token or SSH key.
    AccountTaken,
    /// A key's SID is taken.
    KeyTaken,
    /// A key's SID stands twice in a list of a keys request.
    KeyTwice(KeyList),
    /// A list of a keys request has more than 100 keys.
    TooManyKeys(KeyList),
    /// As many loosenings of this tenant wait already as may wait ([`crate::MAX_WAITING_LOOSENINGS`]).
    TooManyLoosenings,
    /// What happens by this command is larger than the log's largest batch.
    TooLarge,
    /// The vault admits no further tenant without its owners.
    TenantsClosed,
    /// The code length is outside what the policy allows.
    CodeLength {
        /// Where it was given.
        given: CodeLengthGiven,
        /// The policy's floor; the longest is [`crate::LONGEST_CODE`].
        shortest: u8,
    },
    /// The vault, or the tenant's share of it, is full.
    Full,
}

/// A list of a keys request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyList {
    /// The keys that go.
    Removed,
    /// The keys that come.
    Added,
}

/// Where a request gives the length of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeLengthGiven {
    /// In a service's settings.
    Service,
    /// In a loosening of a service.
    Loosening,
    /// By the code that the request itself supplies.
    CustomCode,
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
    /// What the tenant's messages cost.
    Spend,
    /// Looks of the tenant's support.
    Support,
}
