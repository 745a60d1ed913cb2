//! This workflow's section of snapshots (`docs/spec/04-snapshots.md`).

use adyton_decider::{Corrupt, SectionOut, TokenHash, read_each};
use adyton_wire::{Put, Reader};

use crate::state::{ApiKey, Tenant};
use crate::{AccountId, KeyId, Scopes, State, SubjectSalt};

/// Number of this workflow among sections, and version of the layout.
pub const SECTION: (u16, u16) = (1, 1);

impl State {
    /// Writes everything.
    pub fn save(&self, out: &mut impl SectionOut) {
        out.part(|out| {
            out.put_u64(self.owners_sequence);
            out.put_lp(self.settings.as_bytes());
        });
        out.list(self.tenants.iter(), |out, (account, tenant)| {
            out.put(account.as_bytes());
            out.put(tenant.token_hash.as_bytes());
            out.put(tenant.salt.as_bytes());
            out.put_u64(tenant.sequence);
            out.put_u64(tenant.created);
            out.put_lp(&tenant.ssh_key);
            out.put_lp(tenant.friendly_name.as_bytes());
        });
        out.list(self.keys.iter(), |out, (sid, account, key)| {
            out.put(sid.as_bytes());
            out.put(account.as_bytes());
            out.put_u8(key.scopes.bits());
            out.put(key.token_hash.as_bytes());
        });
    }

    /// Reads what [`State::save`] wrote.
    ///
    /// # Errors
    /// [`Corrupt`], also for SIDs that do not ascend and for keys of tenants that are not there.
    pub fn load(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let mut state = Self { owners_sequence: reader.u64()?, settings: reader.text()?.into(), ..Self::default() };
        read_each(reader, |reader| state.read_tenant(reader))?;
        read_each(reader, |reader| state.read_key(reader))?;
        Ok(state)
    }

    fn read_tenant(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        let account = AccountId::read(reader)?;
        let tenant = Tenant {
            token_hash: TokenHash::read(reader)?,
            salt: SubjectSalt::read(reader)?,
            sequence: reader.u64()?,
            created: reader.u64()?,
            ssh_key: reader.lp()?.to_vec(),
            friendly_name: reader.text()?.into(),
        };
        if self.tenants.last().is_some_and(|(last, _)| *last >= account) {
            return Err(Corrupt);
        }
        self.tenants.insert(account, tenant.into());
        Ok(())
    }

    fn read_key(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        let (sid, account) = (KeyId::read(reader)?, AccountId::read(reader)?);
        let scopes = Scopes::from_bits(reader.u8()?).ok_or(Corrupt)?;
        let key = ApiKey { scopes, token_hash: TokenHash::read(reader)? };
        if !self.has_account(account) || self.keys.last_key().is_some_and(|last| *last >= sid) {
            return Err(Corrupt);
        }
        self.keys.insert(account, sid, key);
        Ok(())
    }
}
