//! Events, and their bytes (`docs/spec/02-entries.md`, "Events").

use adyton_decider::{Class, Corrupt, read_flag};
use adyton_seal::Plaintext;
use adyton_tenancy::AccountId;
use adyton_wire::{Put, Reader};

use crate::{Loosening, ServiceId, ServiceSettings};

/// Events of services.
pub enum Event {
    /// A service was created.
    ServiceCreated {
        /// Its tenant.
        account: AccountId,
        /// Its SID.
        service: ServiceId,
        /// Its settings.
        settings: ServiceSettings,
    },
    /// A service changed at once.
    ServiceUpdated {
        /// Its SID.
        service: ServiceId,
        /// Its new settings.
        settings: ServiceSettings,
    },
    /// A service was deleted.
    ServiceDeleted {
        /// Its SID.
        service: ServiceId,
    },
    /// A service will become weaker.
    LooseningScheduled {
        /// Its tenant.
        account: AccountId,
        /// Sequence of the tenant's signed request.
        sequence: u64,
        /// The service.
        service: ServiceId,
        /// The change, and when it takes effect.
        loosening: Loosening,
    },
    /// A loosening no longer waits.
    LooseningEnded {
        /// The service.
        service: ServiceId,
        /// It took effect; otherwise it was taken back.
        in_effect: bool,
    },
}

impl Event {
    /// Numbers of this workflow's events; no other workflow has them.
    pub const NUMBERS: &[u8] = &[3, 13, 14, 15, 16];

    /// The event's number.
    pub fn number(&self) -> u8 {
        match self {
            Self::ServiceCreated { .. } => 3,
            Self::ServiceUpdated { .. } => 13,
            Self::ServiceDeleted { .. } => 14,
            Self::LooseningScheduled { .. } => 15,
            Self::LooseningEnded { .. } => 16,
        }
    }

    /// The freshness class.
    pub fn class(&self) -> Class {
        Class::S
    }

    /// Writes the fields.
    pub fn encode(&self, out: &mut Plaintext) {
        match self {
            Self::ServiceCreated { account, service, settings } => {
                out.put(account.as_bytes());
                out.put(service.as_bytes());
                settings.encode(out);
            }
            Self::ServiceUpdated { service, settings } => {
                out.put(service.as_bytes());
                settings.encode(out);
            }
            Self::ServiceDeleted { service } => out.put(service.as_bytes()),
            Self::LooseningScheduled { account, sequence, service, loosening } => {
                out.put(account.as_bytes());
                out.put_u64(*sequence);
                out.put(service.as_bytes());
                loosening.encode(out);
            }
            Self::LooseningEnded { service, in_effect } => {
                out.put(service.as_bytes());
                out.put_u8(u8::from(*in_effect));
            }
        }
    }

    /// Reads the fields of the event of a number.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn decode(number: u8, reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(match number {
            3 => Self::ServiceCreated {
                account: AccountId::read(reader)?,
                service: ServiceId::read(reader)?,
                settings: ServiceSettings::decode(reader)?,
            },
            13 => {
                Self::ServiceUpdated { service: ServiceId::read(reader)?, settings: ServiceSettings::decode(reader)? }
            }
            14 => Self::ServiceDeleted { service: ServiceId::read(reader)? },
            15 => Self::LooseningScheduled {
                account: AccountId::read(reader)?,
                sequence: reader.u64()?,
                service: ServiceId::read(reader)?,
                loosening: Loosening::decode(reader)?,
            },
            16 => Self::LooseningEnded { service: ServiceId::read(reader)?, in_effect: read_flag(reader)? },
            _ => return Err(Corrupt),
        })
    }
}
