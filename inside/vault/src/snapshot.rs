//! The state that survives a restart, as bytes (`docs/spec/04-snapshots.md`, `state`).

use alloc::vec::Vec;

use adyton_seal::{Plaintext, Reader};

use crate::budgets::Budget;
use crate::event::{flag, loosening, put_loosening, put_settings, settings};
use crate::state::{ApiKey, Service, Tenant};
use crate::{Corrupt, Scopes, Sid, State};

const VERSION: u32 = 1;
const TENANT: u8 = 1;
const SERVICE: u8 = 2;
const SETTINGS: u8 = 3;
const API_KEY: u8 = 4;
const BUDGET: u8 = 5;
const COUNTERS: u8 = 6;

impl State {
    /// Writes classes S and P; nothing hot.
    pub fn encode_cold(&self, out: &mut Plaintext) {
        out.put_u32(VERSION);
        let budgets = || self.budgets.iter().filter(|(_, budget)| budget.consecutive > 0);
        let settings = usize::from(!self.settings.is_empty());
        let count = self.tenants.len() + self.services.len() + settings + self.keys.len() + budgets().count() + 1;
        out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
        for (account, tenant) in &self.tenants {
            out.put_nested(|out| {
                out.put_u8(TENANT);
                out.put(&account.0);
                out.put(&tenant.token_hash);
                out.put_u64(tenant.sequence);
                out.put_u64(tenant.created);
                out.put_lp(&tenant.ssh_key);
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
                out.put_u64(service.created);
                out.put_u64(service.updated);
                put_settings(out, &service.settings);
                out.put_u8(u8::from(service.loosening.is_some()));
                service.loosening.iter().for_each(|waiting| put_loosening(out, waiting));
            });
        }
        if !self.settings.is_empty() {
            out.put_nested(|out| {
                out.put_u8(SETTINGS);
                out.put_lp(self.settings.as_bytes());
            });
        }
        for (sid, key) in &self.keys {
            out.put_nested(|out| {
                out.put_u8(API_KEY);
                out.put(&sid.0);
                out.put(&key.account.0);
                out.put_u8(key.scopes.bits());
                out.put(&key.token_hash);
            });
        }
        for ((service, subject), budget) in budgets() {
            out.put_nested(|out| {
                out.put_u8(BUDGET);
                out.put(&service.0);
                out.put(subject);
                out.put_u32(budget.consecutive);
                out.put_u64(budget.last);
            });
        }
        out.put_nested(|out| {
            out.put_u8(COUNTERS);
            out.put_u64(self.budgets.boots);
            out.put_u64(self.owners_sequence);
        });
    }

    /// Reads what [`State::encode_cold`] wrote; the whole input is one state.
    ///
    /// # Errors
    /// [`Corrupt`] for anything else: records that do not ascend, repeated SIDs and unknown tenants included.
    pub fn decode_cold(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        if reader.u32()? != VERSION {
            return Err(Corrupt);
        }
        let mut state = Self::new();
        let count = reader.u32()?;
        let mut last: &[u8] = &[];
        let mut counted = false;
        for _ in 0..count {
            let bytes = reader.lp()?;
            if bytes <= last {
                return Err(Corrupt);
            }
            last = bytes;
            let mut record = Reader::new(bytes);
            let new = match record.u8()? {
                TENANT => state.read_tenant(&mut record)?,
                SERVICE => state.read_service(&mut record)?,
                SETTINGS => {
                    let first = state.settings.is_empty();
                    state.settings = record.text()?.into();
                    first && !state.settings.is_empty()
                }
                API_KEY => state.read_api_key(&mut record)?,
                BUDGET => state.read_budget(&mut record)?,
                COUNTERS => {
                    state.budgets.boots = record.u64()?;
                    state.owners_sequence = record.u64()?;
                    !core::mem::replace(&mut counted, true)
                }
                _ => false,
            };
            record.finish()?;
            if !new {
                return Err(Corrupt);
            }
        }
        reader.finish()?;
        // Every snapshot ends with its counters.
        if last.first() == Some(&COUNTERS) { Ok(state) } else { Err(Corrupt) }
    }

    fn read_tenant(&mut self, record: &mut Reader<'_>) -> Result<bool, Corrupt> {
        let account = Sid(record.array()?);
        let tenant = Tenant {
            token_hash: record.array()?,
            sequence: record.u64()?,
            created: record.u64()?,
            ssh_key: record.lp()?.to_vec(),
            friendly_name: record.text()?.into(),
            services: 0,
            loosenings: 0,
        };
        Ok(self.tenants.insert(account, tenant).is_none())
    }

    fn read_service(&mut self, record: &mut Reader<'_>) -> Result<bool, Corrupt> {
        let (account, sid) = (Sid(record.array()?), Sid(record.array()?));
        let service = Service {
            account,
            created: record.u64()?,
            updated: record.u64()?,
            settings: settings(record)?,
            loosening: if flag(record)? { Some(loosening(record)?) } else { None },
        };
        let tenant = self.tenants.get_mut(&account);
        let known = tenant.is_some();
        tenant.into_iter().for_each(|tenant| tenant.services = tenant.services.saturating_add(1));
        self.services_of.insert((account, service.created, sid));
        if let Some(waiting) = service.loosening {
            self.put_loosening(account, sid, waiting.at);
        }
        Ok(known && self.services.insert(sid, service).is_none())
    }

    fn read_api_key(&mut self, record: &mut Reader<'_>) -> Result<bool, Corrupt> {
        let (sid, account) = (Sid(record.array()?), Sid(record.array()?));
        let scopes = Scopes::from_bits(record.u8()?).ok_or(Corrupt)?;
        let key = ApiKey { account, scopes, token_hash: record.array()? };
        let known = self.tenants.contains_key(&account);
        Ok(known && self.keys.insert(sid, key).is_none())
    }

    fn read_budget(&mut self, record: &mut Reader<'_>) -> Result<bool, Corrupt> {
        let place = (Sid(record.array()?), record.array()?);
        let budget = Budget { full_again: 0, consecutive: record.u32()?, last: record.u64()? };
        // Counting nothing, it would not have been written.
        // Older snapshots kept those of a service that is gone; they count for nobody until they are forgotten.
        let account = self.services.get(&place.0).map(|service| service.account);
        Ok(budget.consecutive > 0 && self.budgets.put(account, place, budget))
    }

    /// [`State::encode_cold`] as a comparable value, for tests that hold two states side by side.
    pub fn cold_bytes(&self) -> Vec<u8> {
        let mut out = Plaintext::with_capacity(256);
        self.encode_cold(&mut out);
        out.as_bytes().to_vec()
    }
}
