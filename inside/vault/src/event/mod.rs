//! Events: what happened. Encoded as `docs/spec/02-entries.md` says (`codec`); there is no serde here on purpose.

mod codec;

pub(crate) use codec::{flag, loosening, put_loosening, put_settings, settings};

use alloc::string::String;
use alloc::vec::Vec;

use adyton_seal::{Code, SlotKey};

use crate::{Channel, Class, Destination, Loosening, Outcome, Scopes, Seconds, ServiceSettings, Sid, Subjects, User};

/// What happened, and when. Fields marked *not written* live in the memory of one boot only; replay cannot bring them
/// back, and need not: a boot voids everything hot.
pub struct Event {
    /// When it happened.
    pub at: Seconds,
    /// What happened.
    pub kind: EventKind,
}

/// The closed list of events. Kinds, classes and fields are the table of the spec page.
pub enum EventKind {
    /// A boot began: everything hot is void.
    Booted {
        /// Its boot id.
        boot_id: [u8; 16],
    },
    /// A tenant was created.
    TenantCreated {
        /// Its SID.
        account: Sid,
        /// Keyed hash of its token.
        token_hash: [u8; 32],
        /// OpenSSH public key of its own signed requests; empty for none.
        ssh_key: Vec<u8>,
        /// Sequence of the owners' signed request that admitted it, if one did.
        admitted: Option<u64>,
        /// Its name.
        friendly_name: String,
    },
    /// A tenant's keys changed.
    KeysChanged {
        /// The tenant.
        account: Sid,
        /// Sequence of its signed request.
        sequence: u64,
        /// Every API key went first.
        reset: bool,
        /// New token of the account itself.
        token_hash: Option<[u8; 32]>,
        /// API keys that went.
        removed: Vec<Sid>,
        /// API keys that came.
        added: Vec<(Sid, Scopes, [u8; 32])>,
    },
    /// The owners' settings changed.
    SettingsChanged {
        /// Sequence of the owners' signed request.
        sequence: u64,
        /// The settings, as they were signed.
        text: String,
    },
    /// A service was created.
    ServiceCreated {
        /// Its tenant.
        account: Sid,
        /// Its SID.
        service: Sid,
        /// What it is like.
        settings: ServiceSettings,
    },
    /// A service changed at once.
    ServiceUpdated {
        /// Its SID.
        service: Sid,
        /// What it is like now.
        settings: ServiceSettings,
    },
    /// A service was deleted; its verifications are over.
    ServiceDeleted {
        /// Its SID.
        service: Sid,
    },
    /// A service will become weaker.
    LooseningScheduled {
        /// Its tenant.
        account: Sid,
        /// Sequence of the tenant's signed request.
        sequence: u64,
        /// The service.
        service: Sid,
        /// What changes, and when.
        loosening: Loosening,
    },
    /// A loosening no longer waits.
    LooseningEnded {
        /// The service.
        service: Sid,
        /// It took effect; otherwise it was taken back.
        in_effect: bool,
    },
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
        verification: Sid,
        /// Its tenant.
        account: Sid,
        /// Its service.
        service: Sid,
        /// How it is sent.
        channel: Channel,
        /// Keyed hash of the destination, in the service.
        subject: [u8; 16],
        /// The attempt.
        attempt: Sid,
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
        verification: Sid,
        /// The attempt.
        attempt: Sid,
        /// What sending counts for, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
    },
    /// A wrong code was tried.
    CheckFailed {
        /// Its SID.
        verification: Sid,
        /// Its service.
        service: Sid,
        /// Keyed hash of the destination, in the service.
        subject: [u8; 16],
        /// When the destination's budget is full again, if nothing else happens.
        full_again: Seconds,
    },
    /// The right code was tried, or approval came by API; the verification is over.
    VerificationApproved {
        /// Its SID.
        verification: Sid,
        /// Its service.
        service: Sid,
        /// Keyed hash of the destination, in the service.
        subject: [u8; 16],
        /// A code that the vault made was tried, so the person got it.
        proven: bool,
    },
    /// Its tenant ended a verification, or another start took its place.
    VerificationCanceled {
        /// Its SID.
        verification: Sid,
    },
    /// Whatever ended at or before this event's time is gone.
    Expired,
    /// Counts of wrong codes that are older than thirty days are forgotten.
    BudgetsForgotten,
    /// An attempt to send ended.
    DeliveryReported {
        /// The verification.
        verification: Sid,
        /// The attempt.
        attempt: Sid,
        /// How.
        outcome: Outcome,
        /// The last route that was tried, by its place in the policy.
        route: Option<u8>,
    },
    /// An attempt that may have left is handed over once more.
    SendRepeated {
        /// The verification.
        verification: Sid,
        /// The attempt.
        attempt: Sid,
        /// What it counts for, and its cost; *not written*.
        sent: Option<(Subjects, u64)>,
    },
    /// Support looked at a verification.
    SupportLooked {
        /// The tenant.
        account: Sid,
        /// Whose key.
        user: User,
        /// The verification that was asked for.
        verification: Sid,
    },
}

impl Event {
    /// The freshness class.
    pub fn class(&self) -> Class {
        match self.kind {
            EventKind::TenantCreated { .. }
            | EventKind::KeysChanged { .. }
            | EventKind::SettingsChanged { .. }
            | EventKind::ServiceCreated { .. }
            | EventKind::ServiceUpdated { .. }
            | EventKind::ServiceDeleted { .. }
            | EventKind::LooseningScheduled { .. }
            | EventKind::LooseningEnded { .. } => Class::S,
            EventKind::Booted { .. }
            | EventKind::CheckFailed { .. }
            | EventKind::VerificationApproved { .. }
            | EventKind::BudgetsForgotten => Class::P,
            EventKind::SlotOpened { .. }
            | EventKind::VerificationStarted { .. }
            | EventKind::VerificationResent { .. }
            | EventKind::VerificationCanceled { .. }
            | EventKind::Expired
            | EventKind::SendRepeated { .. }
            | EventKind::DeliveryReported { .. } => Class::H,
            EventKind::SupportLooked { .. } => Class::A,
        }
    }
}
