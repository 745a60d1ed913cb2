//! The state that survives a restart, as bytes (`docs/spec/04-snapshots.md`, `state`).

use alloc::vec::Vec;
use core::fmt;

use adyton_seal::{Plaintext, Reader};

use crate::state::{Service, Tenant};
use crate::{Sid, State};

const VERSION: u32 = 1;
const TENANT: u8 = 1;
const SERVICE: u8 = 2;

/// A snapshot's bytes do not decode. They were authentic, so this is a bug or another version's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotError;

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot does not decode: written by another version?")
    }
}

impl core::error::Error for SnapshotError {}

impl From<adyton_seal::Opaque> for SnapshotError {
    fn from(_: adyton_seal::Opaque) -> Self {
        Self
    }
}

impl State {
    /// Writes classes S and P; nothing hot.
    pub fn encode_cold(&self, out: &mut Plaintext) {
        out.put_u32(VERSION);
        let count = self.tenants.len() + self.services.len();
        out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
        for (account, tenant) in &self.tenants {
            out.put_nested(|out| {
                out.put_u8(TENANT);
                out.put(&account.0);
                out.put(&tenant.token_hash);
                out.put_u64(tenant.created);
                out.put_lp(tenant.friendly_name.as_bytes());
            });
        }
        // The records ascend by their bytes, and a service's begin with its account.
        let mut services: Vec<_> = self.services.iter().collect();
        services.sort_by_key(|(sid, service)| (service.account, **sid));
        for (sid, service) in services {
            out.put_nested(|out| {
                out.put_u8(SERVICE);
                out.put(&service.account.0);
                out.put(&sid.0);
                out.put_u8(service.code_length);
                out.put_u64(service.created);
                out.put_lp(service.friendly_name.as_bytes());
            });
        }
    }

    /// Reads what [`State::encode_cold`] wrote; the whole input is one state.
    ///
    /// # Errors
    /// [`SnapshotError`] for anything else: records that do not ascend, repeated SIDs and unknown tenants included.
    pub fn decode_cold(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(bytes);
        if reader.u32()? != VERSION {
            return Err(SnapshotError);
        }
        let mut state = Self::new();
        let count = reader.u32()?;
        let mut last: &[u8] = &[];
        for _ in 0..count {
            let bytes = reader.lp()?;
            if bytes <= last {
                return Err(SnapshotError);
            }
            last = bytes;
            let mut record = Reader::new(bytes);
            let new = match record.u8()? {
                TENANT => state.read_tenant(&mut record)?,
                SERVICE => state.read_service(&mut record)?,
                _ => false,
            };
            record.finish()?;
            if !new {
                return Err(SnapshotError);
            }
        }
        reader.finish()?;
        Ok(state)
    }

    fn read_tenant(&mut self, record: &mut Reader<'_>) -> Result<bool, SnapshotError> {
        let account = Sid(record.array()?);
        let tenant =
            Tenant { token_hash: record.array()?, created: record.u64()?, friendly_name: record.text()?.into() };
        Ok(self.tenants.insert(account, tenant).is_none())
    }

    fn read_service(&mut self, record: &mut Reader<'_>) -> Result<bool, SnapshotError> {
        let account = Sid(record.array()?);
        let sid = Sid(record.array()?);
        let service = Service {
            account,
            code_length: record.u8()?,
            created: record.u64()?,
            friendly_name: record.text()?.into(),
        };
        let known = self.tenants.contains_key(&account);
        Ok(known && self.services.insert(sid, service).is_none())
    }

    /// [`State::encode_cold`] as a comparable value, for tests that hold two states side by side.
    pub fn cold_bytes(&self) -> Vec<u8> {
        let mut out = Plaintext::with_capacity(256);
        self.encode_cold(&mut out);
        out.as_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::{Event, EventKind};

    /// Two tenants, and services whose SIDs ascend the other way round than their accounts.
    fn state() -> State {
        let mut state = State::new();
        for (account, service) in [(1, 9), (2, 8)] {
            let (account, service) = (Sid([account; 16]), Sid([service; 16]));
            let name = "Example";
            for kind in [
                EventKind::TenantCreated { account, token_hash: [7; 32], friendly_name: name.into() },
                EventKind::ServiceCreated { account, service, code_length: 6, friendly_name: name.into() },
            ] {
                state.evolve(Event { at: 1_780_000_000, kind });
            }
        }
        state
    }

    fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut reader = Reader::new(&bytes[8..]);
        core::iter::from_fn(|| reader.lp().ok().map(<[u8]>::to_vec)).collect()
    }

    fn bytes(records: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Plaintext::with_capacity(256);
        out.put_u32(VERSION);
        out.put_u32(u32::try_from(records.len()).unwrap());
        records.iter().for_each(|record| out.put_lp(record));
        out.as_bytes().to_vec()
    }

    #[test]
    fn records_ascend() {
        let written = state().cold_bytes();
        let records = records(&written);
        assert_eq!(records.len(), 4);
        assert!(records.is_sorted_by(|a, b| a < b));
        assert_eq!(State::decode_cold(&written).unwrap().cold_bytes(), written);
    }

    #[test]
    fn another_order_is_refused() {
        let mut records = records(&state().cold_bytes());
        assert!(State::decode_cold(&bytes(&records)).is_ok());
        records.swap(2, 3);
        assert_eq!(State::decode_cold(&bytes(&records)).err(), Some(SnapshotError));
        records.swap(2, 3);
        records.swap(0, 1);
        assert_eq!(State::decode_cold(&bytes(&records)).err(), Some(SnapshotError));
    }
}
