//! What goes into a decider and what may come out of it.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_seal::{Code, Secret, SecretText};

use crate::{Channel, Destination, Event, Seconds, Sid};

/// Who asks: an account and the keyed hash of the token it presented. The decider compares it in constant time.
pub struct Caller {
    /// The account named in the request.
    pub account: Sid,
    /// `token hash` of `docs/spec/00-conventions.md`.
    pub token_hash: [u8; 32],
}

/// 80 fresh random bytes for one command.
pub struct Fresh(Secret<80>);

impl Fresh {
    /// Takes 80 random bytes over.
    pub fn new(bytes: Secret<80>) -> Self {
        Self(bytes)
    }

    /// A SID for the main thing the command makes.
    pub(crate) fn sid(&self) -> Sid {
        Sid(self.part(0))
    }

    /// A SID for the attempt to send.
    pub(crate) fn attempt(&self) -> Sid {
        Sid(self.part(16))
    }

    /// A slot key, should this command open a slot.
    pub(crate) fn slot_key(&self) -> Secret<32> {
        Secret::init_with(|out| out.copy_from_slice(&self.0.expose()[32..64]))
    }

    fn part(&self, from: usize) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&self.0.expose()[from..from + 16]);
        out
    }
}

/// Everything a decider may know besides its state and the command.
pub struct Context {
    /// The platform's time, never below the last logged one.
    pub now: Seconds,
    /// Fresh randomness.
    pub fresh: Fresh,
}

/// One request to the vault, parsed and normalised.
pub enum Command {
    /// A tenant comes into being; its client made the token.
    CreateTenant {
        /// The account SID its client chose.
        account: Sid,
        /// Keyed hash of its token.
        token_hash: [u8; 32],
        /// A name for people; public to the tenant.
        friendly_name: String,
    },
    /// A verification service of the caller's account.
    CreateService {
        /// Who asks.
        caller: Caller,
        /// A name for people; it stands in the message.
        friendly_name: String,
        /// Digits of its codes.
        code_length: u8,
    },
    /// Send a code; resends if one is live for this destination.
    Start {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// The person's number.
        destination: Destination,
        /// Its keyed hash.
        subject: [u8; 16],
        /// How to send.
        channel: Channel,
    },
    /// Compare a code.
    Check {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// Which verification.
        target: Target,
        /// What the person typed.
        code: Code,
    },
    /// How an attempt to send ended.
    ReportDelivery {
        /// The verification.
        verification: Sid,
        /// The attempt.
        attempt: Sid,
        /// How it ended.
        outcome: Outcome,
        /// The last route that was tried, by its place in the policy.
        route: Option<u8>,
    },
    /// Time passed: erase what has expired.
    Tick,
}

/// How a check names its verification.
pub enum Target {
    /// By `VerificationSid`.
    Sid(Sid),
    /// By `To`: its keyed hash.
    Subject([u8; 16]),
}

/// How an attempt to send ended, as far as the vault can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The carrier took the message.
    Accepted,
    /// The carrier refused it.
    Refused,
    /// No carrier took it while the code lived, or there was no room to wait for one.
    GaveUp,
    /// No carrier could even be reached while the code lived.
    Unreachable,
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

/// The predefined outputs: a closed list without a code in it.
pub enum Reply {
    /// A tenant.
    Tenant(TenantView),
    /// A service.
    Service(ServiceView),
    /// A verification, for the tenant that started it.
    Verification(VerificationView),
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

/// A service as its tenant sees it.
pub struct ServiceView {
    /// Its SID.
    pub service: Sid,
    /// Its tenant.
    pub account: Sid,
    /// Its name.
    pub friendly_name: String,
    /// Digits of its codes.
    pub code_length: u8,
    /// When it was created.
    pub created: Seconds,
}

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The right code has not been seen.
    Pending,
    /// The right code has been seen.
    Approved,
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
    /// Attempts to send: when, and the attempt's SID.
    pub attempts: Vec<(Seconds, Sid)>,
}

/// What to do once the events are durable.
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
        /// The text, code included.
        body: SecretText,
        /// The code alone, for a gateway that it is sealed to.
        code: Code,
        /// When the code stops being worth sending.
        until: Seconds,
    },
}

/// Why a command was refused; nothing changed. Answers never depend on whether another tenant's thing exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account is unknown or the token is wrong; the two are one answer.
    Unauthorized,
    /// No such service or verification for this caller, or it is over.
    NotFound,
    /// Five codes went out for this verification.
    TooManySends,
    /// Five wrong codes were tried for this verification.
    TooManyChecks,
    /// The account SID is taken by another token.
    AccountTaken,
    /// The vault admits no further tenant without its owners.
    TenantsClosed,
    /// The code length is outside what the policy allows.
    CodeLength,
    /// The vault holds as many live verifications as it may.
    Full,
}
