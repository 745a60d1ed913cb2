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
        // Records ascend by their bytes, and a service's begin with its account.
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
    /// [`SnapshotError`] for anything else; records out of order, repeated SIDs and unknown tenants included.
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
