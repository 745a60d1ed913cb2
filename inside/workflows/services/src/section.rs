//! This workflow's section of snapshots (`docs/spec/04-snapshots.md`).

use adyton_decider::{Corrupt, SectionOut, read_each, read_flag};
use adyton_tenancy::AccountId;
use adyton_wire::{Put, Reader};

use crate::state::Service;
use crate::{Loosening, ServiceId, ServiceSettings, State};

/// Number of this workflow among sections, and version of the layout.
pub const SECTION: (u16, u16) = (2, 1);

impl State {
    /// Writes everything.
    pub fn save(&self, out: &mut impl SectionOut) {
        out.list(self.services.iter(), |out, (id, service)| {
            out.put(id.as_bytes());
            out.put(service.account.as_bytes());
            out.put_u64(service.created);
            out.put_u64(service.updated);
            service.settings.encode(out);
            out.put_u8(u8::from(service.loosening.is_some()));
            service.loosening.iter().for_each(|waiting| waiting.encode(out));
        });
    }

    /// Reads what [`State::save`] wrote beside that state of tenancy.
    ///
    /// # Errors
    /// [`Corrupt`], also for SIDs that do not ascend and for services of tenants that are not
    /// there.
    pub fn load(reader: &mut Reader<'_>, tenancy: &adyton_tenancy::State) -> Result<Self, Corrupt> {
        let (mut state, mut last) = (Self::default(), None);
        read_each(reader, |reader| {
            let id = ServiceId::read(reader)?;
            let service = Service {
                account: AccountId::read(reader)?,
                created: reader.u64()?,
                updated: reader.u64()?,
                settings: ServiceSettings::decode(reader)?,
                loosening: if read_flag(reader)? { Some(Loosening::decode(reader)?) } else { None },
            };
            if !tenancy.has_account(service.account) || last.is_some_and(|last| last >= id) {
                return Err(Corrupt);
            }
            last = Some(id);
            state.insert(id, service);
            Ok(())
        })?;
        Ok(state)
    }
}
