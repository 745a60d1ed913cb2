//! Events of all workflows: what is logged (`docs/spec/02-entries.md`, "Events").

use adyton_decider::{BootId, Class, Corrupt, OperationRecord, Record, Seconds};
use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

use crate::{OperationKind, services, tenancy, verification};

/// An event, and its time.
pub struct Event {
    /// When it happened.
    pub at: Seconds,
    /// The event.
    pub kind: EventKind,
}

/// The closed list of events. Numbers, classes and fields are the table of the spec page.
pub enum EventKind {
    /// A boot began: everything hot is void.
    Booted(BootId),
    /// An authenticated caller asked for something, whatever came of it.
    Operation(OperationRecord),
    /// About tenants.
    Tenancy(tenancy::Event),
    /// About services.
    Services(services::Event),
    /// About verifications.
    Verification(verification::Event),
}

/// Number of [`EventKind::Booted`].
const BOOTED: u8 = 1;
/// Number of [`EventKind::Operation`].
const OPERATION: u8 = 4;

impl Record for Event {
    fn class(&self) -> Class {
        match &self.kind {
            EventKind::Booted(_) => Class::P,
            EventKind::Operation(_) => Class::A,
            EventKind::Tenancy(event) => event.class(),
            EventKind::Services(event) => event.class(),
            EventKind::Verification(event) => event.class(),
        }
    }

    fn encode(&self, out: &mut Plaintext) {
        out.put_u8(match &self.kind {
            EventKind::Booted(_) => BOOTED,
            EventKind::Operation(_) => OPERATION,
            EventKind::Tenancy(event) => event.number(),
            EventKind::Services(event) => event.number(),
            EventKind::Verification(event) => event.number(),
        });
        out.put_u64(self.at);
        match &self.kind {
            EventKind::Booted(boot_id) => out.put(&boot_id.0),
            EventKind::Operation(record) => record.encode(out),
            EventKind::Tenancy(event) => event.encode(out),
            EventKind::Services(event) => event.encode(out),
            EventKind::Verification(event) => event.encode(out),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let (number, at) = (reader.u8()?, reader.u64()?);
        let kind = match number {
            BOOTED => EventKind::Booted(BootId::read(reader)?),
            OPERATION => {
                let record = OperationRecord::decode(reader)?;
                EventKind::Operation(Some(record).filter(|record| OperationKind::exists(record.kind)).ok_or(Corrupt)?)
            }
            _ if tenancy::Event::NUMBERS.contains(&number) => tenancy::Event::decode(number, reader)?.into(),
            _ if services::Event::NUMBERS.contains(&number) => services::Event::decode(number, reader)?.into(),
            _ if verification::Event::NUMBERS.contains(&number) => verification::Event::decode(number, reader)?.into(),
            _ => return Err(Corrupt),
        };
        Ok(Self { at, kind })
    }
}

impl From<tenancy::Event> for EventKind {
    fn from(event: tenancy::Event) -> Self {
        Self::Tenancy(event)
    }
}

impl From<services::Event> for EventKind {
    fn from(event: services::Event) -> Self {
        Self::Services(event)
    }
}

impl From<verification::Event> for EventKind {
    fn from(event: verification::Event) -> Self {
        Self::Verification(event)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn no_two_workflows_share_a_number() {
        let lists =
            [&[BOOTED, OPERATION][..], tenancy::Event::NUMBERS, services::Event::NUMBERS, verification::Event::NUMBERS];
        let mut numbers: Vec<u8> = lists.concat();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).filter(|number| ![8, 18].contains(number)).collect::<Vec<u8>>());
    }
}
