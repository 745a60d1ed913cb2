//! Events: what happened. Encoded as `docs/spec/02-entries.md` says; there is no serde here on purpose.

use alloc::string::String;
use core::fmt;

use adyton_seal::{Plaintext, Reader, SlotKey};

use crate::{Destination, Outcome, Seconds, Sid};

/// Stands for "no route" in `DeliveryReported`.
const NO_ROUTE: u8 = u8::MAX;

/// Freshness class of an event (DESIGN §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Hot: matters within one boot; its body goes at the next snapshot.
    H,
    /// Sync: survives everything.
    S,
}

/// How a code is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Text message.
    Sms,
}

impl Channel {
    /// The API's word for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sms => "sms",
        }
    }

    /// Parses the API's word.
    pub fn parse(text: &str) -> Option<Self> {
        (text == "sms").then_some(Self::Sms)
    }
}

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
        /// Its name.
        friendly_name: String,
    },
    /// A service was created.
    ServiceCreated {
        /// Its tenant.
        account: Sid,
        /// Its SID.
        service: Sid,
        /// Digits of its codes.
        code_length: u8,
        /// Its name.
        friendly_name: String,
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
        /// Keyed hash of the destination.
        subject: [u8; 16],
        /// The attempt.
        attempt: Sid,
        /// The destination; *not written*.
        destination: Option<Destination>,
    },
    /// The same code was sent again.
    VerificationResent {
        /// Its SID.
        verification: Sid,
        /// The attempt.
        attempt: Sid,
    },
    /// A wrong code was tried.
    CheckFailed {
        /// Its SID.
        verification: Sid,
    },
    /// The right code was tried; the verification is over.
    VerificationApproved {
        /// Its SID.
        verification: Sid,
    },
    /// Whatever ended at or before this event's time is gone.
    Expired,
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
}

/// An event's bytes do not decode. They were authentic, so this is a bug or another version's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventError;

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event in the log does not decode: written by another version?")
    }
}

impl core::error::Error for EventError {}

impl From<adyton_seal::Opaque> for EventError {
    fn from(_: adyton_seal::Opaque) -> Self {
        Self
    }
}

impl Event {
    /// The freshness class.
    pub fn class(&self) -> Class {
        match self.kind {
            EventKind::TenantCreated { .. } | EventKind::ServiceCreated { .. } => Class::S,
            EventKind::Booted { .. }
            | EventKind::SlotOpened { .. }
            | EventKind::VerificationStarted { .. }
            | EventKind::VerificationResent { .. }
            | EventKind::CheckFailed { .. }
            | EventKind::VerificationApproved { .. }
            | EventKind::Expired
            | EventKind::DeliveryReported { .. } => Class::H,
        }
    }

    /// Writes the event.
    pub fn encode(&self, out: &mut Plaintext) {
        let head = |out: &mut Plaintext, kind: u8| {
            out.put_u8(kind);
            out.put_u64(self.at);
        };
        match &self.kind {
            EventKind::Booted { boot_id } => {
                head(out, 1);
                out.put(boot_id);
            }
            EventKind::TenantCreated { account, token_hash, friendly_name } => {
                head(out, 2);
                out.put(&account.0);
                out.put(token_hash);
                out.put_lp(friendly_name.as_bytes());
            }
            EventKind::ServiceCreated { account, service, code_length, friendly_name } => {
                head(out, 3);
                out.put(&account.0);
                out.put(&service.0);
                out.put_u8(*code_length);
                out.put_lp(friendly_name.as_bytes());
            }
            EventKind::SlotOpened { slot, key: _ } => {
                head(out, 4);
                out.put_u32(*slot);
            }
            EventKind::VerificationStarted {
                verification,
                account,
                service,
                channel,
                subject,
                attempt,
                destination: _,
            } => {
                head(out, 5);
                out.put(&verification.0);
                out.put(&account.0);
                out.put(&service.0);
                out.put_u8(match channel {
                    Channel::Sms => 1,
                });
                out.put(subject);
                out.put(&attempt.0);
            }
            EventKind::VerificationResent { verification, attempt } => {
                head(out, 6);
                out.put(&verification.0);
                out.put(&attempt.0);
            }
            EventKind::CheckFailed { verification } => {
                head(out, 7);
                out.put(&verification.0);
            }
            EventKind::VerificationApproved { verification } => {
                head(out, 8);
                out.put(&verification.0);
            }
            EventKind::Expired => head(out, 9),
            EventKind::DeliveryReported { verification, attempt, outcome, route } => {
                head(out, 10);
                out.put(&verification.0);
                out.put(&attempt.0);
                out.put_u8(match outcome {
                    Outcome::Accepted => 1,
                    Outcome::Refused => 2,
                    Outcome::GaveUp => 3,
                    Outcome::Unreachable => 4,
                });
                out.put_u8(route.unwrap_or(NO_ROUTE));
            }
        }
    }

    /// Reads an event; the whole input is one event. Fields that are not written come back as `None`.
    ///
    /// # Errors
    /// [`EventError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        let at = reader.u64()?;
        let mut sid = || reader.array().map(Sid);
        let kind = match kind {
            1 => EventKind::Booted { boot_id: sid()?.0 },
            2 => EventKind::TenantCreated {
                account: sid()?,
                token_hash: reader.array()?,
                friendly_name: reader.text()?.into(),
            },
            3 => EventKind::ServiceCreated {
                account: sid()?,
                service: sid()?,
                code_length: reader.u8()?,
                friendly_name: reader.text()?.into(),
            },
            4 => EventKind::SlotOpened { slot: reader.u32()?, key: None },
            5 => EventKind::VerificationStarted {
                verification: sid()?,
                account: sid()?,
                service: sid()?,
                channel: match reader.u8()? {
                    1 => Channel::Sms,
                    _ => return Err(EventError),
                },
                subject: reader.array()?,
                attempt: reader.array().map(Sid)?,
                destination: None,
            },
            6 => EventKind::VerificationResent { verification: sid()?, attempt: sid()? },
            7 => EventKind::CheckFailed { verification: sid()? },
            8 => EventKind::VerificationApproved { verification: sid()? },
            9 => EventKind::Expired,
            10 => EventKind::DeliveryReported {
                verification: sid()?,
                attempt: sid()?,
                outcome: match reader.u8()? {
                    1 => Outcome::Accepted,
                    2 => Outcome::Refused,
                    3 => Outcome::GaveUp,
                    4 => Outcome::Unreachable,
                    _ => return Err(EventError),
                },
                route: Some(reader.u8()?).filter(|route| *route != NO_ROUTE),
            },
            _ => return Err(EventError),
        };
        reader.finish()?;
        Ok(Self { at, kind })
    }
}
