//! This workflow's section of snapshots (`docs/spec/04-snapshots.md`).

use adyton_decider::{Corrupt, SectionOut};
use adyton_services::ServiceId;
use adyton_wire::{Put, Reader};

use crate::budgets::{Budget, Budgets};
use crate::{State, Subject};

/// Number of this workflow among sections, and version of the layout.
pub const SECTION: (u16, u16) = (3, 1);

/// This workflow's part of a snapshot: class P, as it was when it was frozen.
pub struct Frozen {
    budgets: Budgets,
}

impl Frozen {
    /// Writes it. Token buckets are not written: a boot that is not the first begins with empty
    /// ones.
    pub fn save(&self, out: &mut impl SectionOut) {
        out.part(|out| {
            out.put_u64(self.budgets.boots);
            // At most `MAX_BUDGETS`.
            out.put_u32(u32::try_from(self.budgets.counts().count()).unwrap_or(u32::MAX));
        });
        for ((service, subject), consecutive, last) in self.budgets.counts() {
            out.part(|out| {
                out.put(service.as_bytes());
                out.put(subject.as_bytes());
                out.put_u32(consecutive);
                out.put_u64(last);
            });
        }
    }
}

impl State {
    /// The frozen current state for a snapshot, in O(1).
    pub fn freeze(&self) -> Frozen {
        Frozen { budgets: self.budgets.clone() }
    }

    /// Reads what [`Frozen::save`] wrote beside that state of services.
    ///
    /// # Errors
    /// [`Corrupt`], also for places that do not ascend, of services that are not there, and for
    /// counts of nothing.
    pub fn load(reader: &mut Reader<'_>, services: &adyton_services::State) -> Result<Self, Corrupt> {
        let (mut state, mut last) = (Self::default(), None);
        state.budgets.boots = reader.u64()?;
        adyton_decider::read_each(reader, |reader| {
            let place = (ServiceId::read(reader)?, Subject::read(reader)?);
            let (consecutive, at) = (reader.u32()?, reader.u64()?);
            let owner = services.owner(place.0).ok_or(Corrupt)?;
            if consecutive == 0 || last.is_some_and(|last| last >= place) {
                return Err(Corrupt);
            }
            last = Some(place);
            state.budgets.put(owner, place, Budget::counted(consecutive, at));
            Ok(())
        })?;
        Ok(state)
    }
}
