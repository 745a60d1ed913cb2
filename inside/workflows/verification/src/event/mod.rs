//! Events: what happened. Fields marked *not written* live in the memory of one boot only; replay
//! cannot bring them back, and need not: a boot voids everything hot. Their bytes are in `codec`.

mod codec;

use adyton_decider::{Class, Seconds};
use adyton_destination::{Channel, Destination};
use adyton_seal::{Code, SlotKey};
use adyton_services::ServiceId;
use adyton_tenancy::{AccountId, User};

use crate::{AttemptId, Outcome, Subject, Subjects, VerificationId};

/// Events of verifications.
pub enum Event {
    /// A verification was started and its first code sent.
    VerificationStarted {
        /// Its SID.
        verification: VerificationId,
        /// Its tenant.
        account: AccountId,
        /// Its service.
        service: ServiceId,
        /// How it is sent.
        channel: Channel,
        /// Keyed hash of the destination, in the service.
        subject: Subject,
        /// The attempt.
        attempt: AttemptId,
        /// Digits of its code.
        code_length: u8,
        /// The counters that sending adds to, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
        /// The destination; *not written*.
        destination: Option<Destination>,
        /// A code that the caller supplied; *not written*.
        custom_code: Option<Code>,
        /// The key of its ten-minute slot, if it is the slot's first code that is live; *not
        /// written*. It has no event of its own: whether a slot's last live code is gone, a right
        /// code decides.
        slot_key: Option<SlotKey>,
    },
    /// The same code was sent again.
    VerificationResent {
        /// Its SID.
        verification: VerificationId,
        /// The attempt.
        attempt: AttemptId,
        /// The counters that sending adds to, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
    },
    /// A code was checked, or approval by API was asked for, whatever came of it: the log shows no
    /// outcome by its size.
    Checked {
        /// The verification's SID; of an unknown one what the caller named, else zeros.
        verification: VerificationId,
        /// The service.
        service: ServiceId,
        /// Keyed hash of the destination, in the service; of an unknown verification what the
        /// caller named, else zeros.
        subject: Subject,
        /// When the destination's budget is full again, if the code was wrong and nothing else
        /// happens; 0 if none was compared.
        full_again: Seconds,
        /// Its outcome.
        outcome: CheckOutcome,
    },
    /// Its tenant ended a verification, or asked for the end of one that is not there or approved
    /// already; or another start took its place.
    VerificationCanceled {
        /// Its SID; zeros if the service has none that was named.
        verification: VerificationId,
    },
    /// A sweep removed what had ended or was deleted, up to its caps.
    Swept,
    /// An attempt to send ended.
    DeliveryReported {
        /// The verification.
        verification: VerificationId,
        /// The attempt.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
        /// The last route that was tried, by its place in the policy.
        route: Option<u8>,
    },
    /// An attempt that may have left is handed over once more.
    SendRepeated {
        /// The verification.
        verification: VerificationId,
        /// The attempt.
        attempt: AttemptId,
        /// The counters it adds to, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
    },
    /// Support looked at a verification.
    SupportLooked {
        /// The tenant.
        account: AccountId,
        /// Whose key.
        user: User,
        /// The verification that was asked for.
        verification: VerificationId,
    },
}

/// Outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The right code, which the vault made: the person got it. The verification is approved.
    Proven,
    /// The right code, which the caller had supplied. The verification is approved.
    Supplied,
    /// A wrong code.
    Wrong,
    /// None was compared: the verification has used its checks.
    TooMany,
    /// None was compared: the destination's budget is spent, or there is no room for one.
    Closed,
    /// None was compared: there is no such live verification.
    Unknown,
    /// Its tenant approved it by API, as only one whose code it had supplied.
    ByApi,
}

impl CheckOutcome {
    /// Whether it was the right code.
    pub fn is_right(self) -> bool {
        matches!(self, Self::Proven | Self::Supplied)
    }

    /// Whether a code was compared.
    pub fn is_compared(self) -> bool {
        self.is_right() || self == Self::Wrong
    }
}

impl Event {
    /// Numbers of this workflow's events; no other workflow has them.
    pub const NUMBERS: &[u8] = &[5, 6, 7, 9, 10, 17, 19, 20];

    /// The event's number.
    pub fn number(&self) -> u8 {
        match self {
            Self::VerificationStarted { .. } => 5,
            Self::VerificationResent { .. } => 6,
            Self::Checked { .. } => 7,
            Self::Swept => 9,
            Self::DeliveryReported { .. } => 10,
            Self::VerificationCanceled { .. } => 17,
            Self::SupportLooked { .. } => 19,
            Self::SendRepeated { .. } => 20,
        }
    }

    /// The freshness class.
    pub fn class(&self) -> Class {
        match self {
            Self::Checked { .. } => Class::P,
            Self::VerificationStarted { .. }
            | Self::VerificationResent { .. }
            | Self::VerificationCanceled { .. }
            | Self::Swept
            | Self::SendRepeated { .. }
            | Self::DeliveryReported { .. } => Class::H,
            Self::SupportLooked { .. } => Class::A,
        }
    }
}
