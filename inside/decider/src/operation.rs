//! The record of an operation that an authenticated caller asked for: who, what and when, and no
//! destination (DESIGN §4).
//!
//! Why one fixed length, and an outcome that is a class: a record is written for every outcome, and
//! neither its size nor its position reveals what a secret decided.

use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

use crate::{Corrupt, Id, IdKind, KeyedHash};

/// An object whose type depends on the operation's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnyKind {}

impl IdKind for AnyKind {
    const LETTERS: &'static str = "";
}

/// An address from which requests came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientAddress {}

/// By what an operation was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An account's own token.
    Account,
    /// An API key.
    Key,
    /// The SSH key of an account.
    Signer,
    /// The SSH keys of the owners.
    Owners,
}

/// Outcome of an operation, without what a secret decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationOutcome {
    /// It was done; of an operation that secrets decide: it was permitted.
    Done,
    /// It was refused.
    Refused,
    /// The credential may not do this.
    NotPermitted,
}

/// One operation of an authenticated caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationRecord {
    /// The credential that authenticated it.
    pub credential: CredentialKind,
    /// The account or API key that did; zeros for the owners.
    pub sid: Id<AnyKind>,
    /// The service that it named; zeros for none.
    pub service: Id<AnyKind>,
    /// Its number, which the composition of the workflows gives.
    pub kind: u8,
    /// The object that it named or made; zeros for none.
    pub object: Id<AnyKind>,
    /// Its outcome.
    pub outcome: OperationOutcome,
    /// Keyed hash of the client's address; zeros where it is not known.
    pub client: KeyedHash<ClientAddress>,
}

impl OperationRecord {
    /// Bytes of a record.
    pub const LEN: usize = 67;

    /// Writes it.
    pub fn encode(&self, out: &mut Plaintext) {
        out.put_u8(match self.credential {
            CredentialKind::Account => 1,
            CredentialKind::Key => 2,
            CredentialKind::Signer => 3,
            CredentialKind::Owners => 4,
        });
        out.put(self.sid.as_bytes());
        out.put(self.service.as_bytes());
        out.put_u8(self.kind);
        out.put(self.object.as_bytes());
        out.put_u8(match self.outcome {
            OperationOutcome::Done => 1,
            OperationOutcome::Refused => 2,
            OperationOutcome::NotPermitted => 3,
        });
        out.put(self.client.as_bytes());
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Corrupt`] for bytes that [`OperationRecord::encode`] does not write.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            credential: match reader.u8()? {
                1 => CredentialKind::Account,
                2 => CredentialKind::Key,
                3 => CredentialKind::Signer,
                4 => CredentialKind::Owners,
                _ => return Err(Corrupt),
            },
            sid: Id::read(reader)?,
            service: Id::read(reader)?,
            kind: reader.u8()?,
            object: Id::read(reader)?,
            outcome: match reader.u8()? {
                1 => OperationOutcome::Done,
                2 => OperationOutcome::Refused,
                3 => OperationOutcome::NotPermitted,
                _ => return Err(Corrupt),
            },
            client: KeyedHash::read(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn record_round_trips(bytes in proptest::collection::vec(any::<u8>(), OperationRecord::LEN)) {
            if let Ok(record) = OperationRecord::decode(&mut Reader::new(&bytes)) {
                let mut out = Plaintext::with_capacity(OperationRecord::LEN);
                record.encode(&mut out);
                prop_assert_eq!(out.as_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn every_record_has_one_length(
            credential in 1..5u8, kind: u8, outcome in 1..4u8, ids: [[u8; 16]; 3], client: [u8; 16],
        ) {
            let [sid, service, object] = ids;
            let bytes = [&[credential][..], &sid, &service, &[kind], &object, &[outcome], &client].concat();
            prop_assert_eq!(bytes.len(), OperationRecord::LEN);
            prop_assert!(OperationRecord::decode(&mut Reader::new(&bytes)).is_ok());
        }
    }

    #[test]
    fn unknown_credentials_and_outcomes_are_refused() {
        let record = |credential: u8, outcome: u8| {
            let bytes = [&[credential][..], &[0; 49], &[outcome], &[0; 16]].concat();
            OperationRecord::decode(&mut Reader::new(&bytes))
        };
        assert!(record(1, 1).is_ok());
        for (credential, outcome) in [(0, 1), (5, 1), (1, 0), (1, 4)] {
            assert_eq!(record(credential, outcome), Err(Corrupt));
        }
    }
}
