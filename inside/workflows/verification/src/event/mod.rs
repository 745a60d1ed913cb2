//! Events: what happened. Fields marked *not written* live in the memory of one boot only; replay
//! cannot bring them back, and need not: a boot voids everything hot. Their bytes are in `codec`.

mod codec;

use adyton_decider::{Class, Seconds};
use adyton_destination::{Channel, Destination};
use adyton_seal::{Code, SlotKey};
use adyton_services::ServiceId;
use adyton_tenancy::{AccountId, User};

use crate::{AttemptId, Outcome, Subject, Subjects, VerificationId};

/// What happened to verifications.
pub enum Event {
    /// A ten-minute slot was opened.
    SlotOpened {
        /// Number of the slot: Unix seconds / 600.
        slot: u32,
        /// Its key; *not written*.
        key: Option<SlotKey>,
    },
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
        /// What sending counts for, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
        /// The destination; *not written*.
        destination: Option<Destination>,
        /// A code that the caller supplied; *not written*.
        custom_code: Option<Code>,
    },
    /// The same code was sent again.
    VerificationResent {
        /// Its SID.
        verification: VerificationId,
        /// The attempt.
        attempt: AttemptId,
        /// What sending counts for, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
    },
    /// A wrong code was tried.
    CheckFailed {
        /// Its SID.
        verification: VerificationId,
        /// Its service.
        service: ServiceId,
        /// Keyed hash of the destination, in the service.
        subject: Subject,
        /// When the destination's budget is full again, if nothing else happens.
        full_again: Seconds,
    },
    /// The right code was tried, or approval came by API; the verification is over.
    VerificationApproved {
        /// Its SID.
        verification: VerificationId,
        /// Its service.
        service: ServiceId,
        /// Keyed hash of the destination, in the service.
        subject: Subject,
        /// A code that the vault made was tried, so the person got it.
        proven: bool,
    },
    /// Its tenant ended a verification, or another start took its place.
    VerificationCanceled {
        /// Its SID.
        verification: VerificationId,
    },
    /// A sweep took out what was over or gone, as far as one sweep goes.
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
        /// What it counts for, and its cost; *not written*.
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

impl Event {
    /// Numbers of this workflow's events; no other workflow has them.
    pub const NUMBERS: &[u8] = &[4, 5, 6, 7, 8, 9, 10, 17, 19, 20];

    /// The event's number.
    pub fn number(&self) -> u8 {
        match self {
            Self::SlotOpened { .. } => 4,
            Self::VerificationStarted { .. } => 5,
            Self::VerificationResent { .. } => 6,
            Self::CheckFailed { .. } => 7,
            Self::VerificationApproved { .. } => 8,
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
            Self::CheckFailed { .. } | Self::VerificationApproved { .. } => Class::P,
            Self::SlotOpened { .. }
            | Self::VerificationStarted { .. }
            | Self::VerificationResent { .. }
            | Self::VerificationCanceled { .. }
            | Self::Swept
            | Self::SendRepeated { .. }
            | Self::DeliveryReported { .. } => Class::H,
            Self::SupportLooked { .. } => Class::A,
        }
    }
}
