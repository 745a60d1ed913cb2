//! Commands.

use adyton_destination::{Channel, Destination};
use adyton_seal::Code;
use adyton_services::{MessageOptions, ServiceId};
use adyton_tenancy::Caller;

use crate::{AttemptId, Outcome, Subject, Subjects, VerificationId};

/// Send a code; resends if one is live for this destination.
pub struct Start {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// The person's address.
    pub destination: Destination,
    /// Its keyed hashes.
    pub subjects: Subjects,
    /// How to send.
    pub channel: Channel,
    /// A code that the caller supplies.
    pub custom_code: Option<Code>,
    /// Options of the message.
    pub look: MessageOptions,
    /// Its cost, in millionths of the policy's unit.
    pub cost: u64,
}

/// Compare a code.
pub struct Check {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// Which verification.
    pub target: Target,
    /// The code that the person typed.
    pub code: Code,
}

/// End a live verification.
pub struct Cancel {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// Which verification.
    pub target: Target,
}

/// Call a verification with a supplied code approved, as the policy may let a service do.
pub struct Approve {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// Which verification.
    pub target: Target,
}

/// Support looks up one verification.
pub struct LookUp {
    /// The caller.
    pub caller: Caller,
    /// The verification whose SID a person read out.
    pub verification: VerificationId,
}

/// How an attempt to send ended.
pub struct ReportDelivery {
    /// The verification.
    pub verification: VerificationId,
    /// The attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// The last route that was tried, by its place in the policy.
    pub route: Option<u8>,
}

/// An attempt may have left without an answer, and its carrier deduplicates: it is to be handed
/// over once more, which counts as a message.
pub struct CountRepeat {
    /// The verification.
    pub verification: VerificationId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The counters it adds to.
    pub subjects: Subjects,
    /// Its cost.
    pub cost: u64,
}

/// How a request names its verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its SID.
    Sid(VerificationId),
    /// By `To`: its keyed hash in the service.
    Subject(Subject),
    /// By both, which must name one verification.
    Both(VerificationId, Subject),
}

impl Target {
    /// The SID that it names, if it names one.
    pub fn sid(self) -> Option<VerificationId> {
        match self {
            Self::Sid(sid) | Self::Both(sid, _) => Some(sid),
            Self::Subject(_) => None,
        }
    }
}

/// All that changes something here. Reads are functions of a view ([`crate::fetch`]).
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every command is a start or a check; a box for each would cost more"
)]
pub enum Command {
    /// See [`Start`].
    Start(Start),
    /// See [`Check`].
    Check(Check),
    /// See [`Cancel`].
    Cancel(Cancel),
    /// See [`Approve`].
    Approve(Approve),
    /// See [`LookUp`].
    LookUp(LookUp),
    /// See [`ReportDelivery`].
    ReportDelivery(ReportDelivery),
    /// See [`CountRepeat`].
    CountRepeat(CountRepeat),
}
