//! Events as bytes (`docs/spec/02-entries.md`, "Events").

use adyton_decider::Corrupt;
use adyton_destination::Channel;
use adyton_seal::Plaintext;
use adyton_services::ServiceId;
use adyton_tenancy::{AccountId, KeyId, User};
use adyton_wire::{Put, Reader};

use super::{CheckOutcome, Event};
use crate::{AttemptId, Outcome, Subject, VerificationId};

/// Stands for "no route" in `DeliveryReported`.
const NO_ROUTE: u8 = u8::MAX;
/// Padding that makes `VerificationResent` as long as `VerificationStarted`: which of the two a
/// start leads to, an earlier code that was right or wrong decides.
const RESENT_ZEROS: usize = 50;

impl Event {
    /// Writes the fields.
    pub fn encode(&self, out: &mut Plaintext) {
        match self {
            Self::VerificationStarted {
                verification,
                account,
                service,
                channel,
                subject,
                attempt,
                code_length,
                sent: _,
                destination: _,
                custom_code: _,
                slot_key: _,
            } => {
                out.put(verification.as_bytes());
                out.put(account.as_bytes());
                out.put(service.as_bytes());
                out.put_u8(match channel {
                    Channel::Sms => 1,
                    Channel::Email => 2,
                });
                out.put(subject.as_bytes());
                out.put(attempt.as_bytes());
                out.put_u8(*code_length);
            }
            Self::VerificationResent { verification, attempt, sent: _ } => {
                out.put(verification.as_bytes());
                out.put(attempt.as_bytes());
                out.put(&[0; RESENT_ZEROS]);
            }
            Self::SendRepeated { verification, attempt, sent: _ } => {
                out.put(verification.as_bytes());
                out.put(attempt.as_bytes());
            }
            Self::Checked { verification, service, subject, full_again, outcome } => {
                out.put(verification.as_bytes());
                out.put(service.as_bytes());
                out.put(subject.as_bytes());
                out.put_u64(*full_again);
                out.put_u8(match outcome {
                    CheckOutcome::Proven => 1,
                    CheckOutcome::Supplied => 2,
                    CheckOutcome::Wrong => 3,
                    CheckOutcome::TooMany => 4,
                    CheckOutcome::Closed => 5,
                    CheckOutcome::Unknown => 6,
                    CheckOutcome::ByApi => 7,
                });
            }
            Self::VerificationCanceled { verification } => out.put(verification.as_bytes()),
            Self::Swept => {}
            Self::DeliveryReported { verification, attempt, outcome, route } => {
                out.put(verification.as_bytes());
                out.put(attempt.as_bytes());
                out.put_u8(match outcome {
                    Outcome::Accepted => 1,
                    Outcome::Refused => 2,
                    Outcome::GaveUp => 3,
                    Outcome::Unreachable => 4,
                    Outcome::Unconfirmed => 5,
                    Outcome::Withdrawn => 6,
                });
                out.put_u8(route.unwrap_or(NO_ROUTE));
            }
            Self::SupportLooked { account, user, verification } => {
                out.put(account.as_bytes());
                let (kind, sid) = match user {
                    User::Account(account) => (1, account.as_bytes()),
                    User::Key(key) => (2, key.as_bytes()),
                };
                out.put_u8(kind);
                out.put(sid);
                out.put(verification.as_bytes());
            }
        }
    }

    /// Reads the fields of the event of a number. Fields that are not written come back as `None`.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn decode(number: u8, reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(match number {
            5 => Self::VerificationStarted {
                verification: VerificationId::read(reader)?,
                account: AccountId::read(reader)?,
                service: ServiceId::read(reader)?,
                channel: match reader.u8()? {
                    1 => Channel::Sms,
                    2 => Channel::Email,
                    _ => return Err(Corrupt),
                },
                subject: Subject::read(reader)?,
                attempt: AttemptId::read(reader)?,
                code_length: reader.u8()?,
                sent: None,
                destination: None,
                custom_code: None,
                slot_key: None,
            },
            6 => {
                let (verification, attempt) = (VerificationId::read(reader)?, AttemptId::read(reader)?);
                if reader.array::<RESENT_ZEROS>()? != [0; RESENT_ZEROS] {
                    return Err(Corrupt);
                }
                Self::VerificationResent { verification, attempt, sent: None }
            }
            7 => Self::Checked {
                verification: VerificationId::read(reader)?,
                service: ServiceId::read(reader)?,
                subject: Subject::read(reader)?,
                full_again: reader.u64()?,
                outcome: match reader.u8()? {
                    1 => CheckOutcome::Proven,
                    2 => CheckOutcome::Supplied,
                    3 => CheckOutcome::Wrong,
                    4 => CheckOutcome::TooMany,
                    5 => CheckOutcome::Closed,
                    6 => CheckOutcome::Unknown,
                    7 => CheckOutcome::ByApi,
                    _ => return Err(Corrupt),
                },
            },
            9 => Self::Swept,
            10 => Self::DeliveryReported {
                verification: VerificationId::read(reader)?,
                attempt: AttemptId::read(reader)?,
                outcome: match reader.u8()? {
                    1 => Outcome::Accepted,
                    2 => Outcome::Refused,
                    3 => Outcome::GaveUp,
                    4 => Outcome::Unreachable,
                    5 => Outcome::Unconfirmed,
                    6 => Outcome::Withdrawn,
                    _ => return Err(Corrupt),
                },
                route: Some(reader.u8()?).filter(|route| *route != NO_ROUTE),
            },
            17 => Self::VerificationCanceled { verification: VerificationId::read(reader)? },
            19 => Self::SupportLooked {
                account: AccountId::read(reader)?,
                user: match reader.u8()? {
                    1 => User::Account(AccountId::read(reader)?),
                    2 => User::Key(KeyId::read(reader)?),
                    _ => return Err(Corrupt),
                },
                verification: VerificationId::read(reader)?,
            },
            20 => Self::SendRepeated {
                verification: VerificationId::read(reader)?,
                attempt: AttemptId::read(reader)?,
                sent: None,
            },
            _ => return Err(Corrupt),
        })
    }
}
