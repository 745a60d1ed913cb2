//! Deletes retired bodies and chunks in steps, so that no append waits for all of them.
//!
//! 1. hot bodies below the snapshot, from where the last retirement ended;
//! 2. kept bodies below it that are old enough. Time buckets of a log do not fall, so the first one
//!    that is too young ends the walk;
//! 3. chunks of other snapshots.
//!
//! Only the last step waits for the disk: what a crash restores is deleted by the next retirement.

use adyton_ledger::{Body, Kind, LogId, Retirement, is_fenced, retires};
use redb::{Durability, ReadableTable, StorageError, Table};

use crate::row::Row;
use crate::tables::{BATCHES, CHUNKS, HOT_RETIRED, KEPT_RETIRED, MARKS, newest};
use crate::{RedbStore, StoreError};

impl RedbStore {
    /// Deletes a part of what a retirement names, after scanning `max` batches. Returns true if
    /// work remains.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retire_some(&mut self, log: LogId, retirement: &Retirement, max: u64) -> Result<bool, StoreError> {
        self.write(|database| {
            let mut write = database.begin_write()?;
            let number = log.number();
            let has_more = {
                let mut batches = write.open_table(BATCHES)?;
                let newest = newest(&batches, log, |index, row| (index, row.entry()))?;
                let Some((last, entry)) = newest else { return Ok(false) };
                if is_fenced(retirement, Some(&entry)) {
                    return Ok(false);
                }
                let mut marks = write.open_table(MARKS)?;
                let mut walk =
                    Walk { log: number, end: retirement.below.min(last + 1), remaining: max.max(1), retirement };
                let mut has_more = false;
                for (mark, body) in [(HOT_RETIRED, Body::Hot), (KEPT_RETIRED, Body::Kept)] {
                    let from = marks.get((number, mark))?.map_or(0, |index| index.value());
                    let (reached, is_complete) = walk.step(&mut batches, from, body)?;
                    if reached > from {
                        marks.insert((number, mark), reached)?;
                    }
                    has_more |= !is_complete;
                }
                if !has_more {
                    let all = (number, [0; 16], 0)..=(number, [0xFF; 16], u32::MAX);
                    write.open_table(CHUNKS)?.retain_in(all, |(_, id, _), _| id == retirement.snapshot)?;
                }
                has_more
            };
            if has_more {
                write.set_durability(Durability::None)?;
            }
            write.commit()?;
            Ok(has_more)
        })
    }
}

/// Scan budget of one step.
struct Walk<'a> {
    log: u16,
    /// Batches at or above this index stay as they are.
    end: u64,
    /// Batches that may still be scanned.
    remaining: u64,
    retirement: &'a Retirement,
}

impl Walk<'_> {
    /// Deletes one kind of body from `from` on. Returns the index reached and whether the walk is
    /// complete.
    fn step(
        &mut self,
        batches: &mut Table<'_, (u16, u64), &'static [u8]>,
        from: u64,
        which: Body,
    ) -> Result<(u64, bool), StorageError> {
        let until = self.end.min(from.saturating_add(self.remaining));
        let (mut reached, mut is_too_young) = (from, false);
        let mut rewritten = Vec::new();
        for found in batches.range((self.log, from)..(self.log, until.max(from)))? {
            let (key, row) = found?;
            let row = Row::decode(row.value())?;
            let entry = row.entry();
            if which == Body::Kept && self.is_too_young(&row) {
                is_too_young = true;
                break;
            }
            reached = key.value().1 + 1;
            if let Some(stripped) = row.without(|body| body == which && retires(self.retirement, &entry, body)) {
                rewritten.push((key.value(), stripped.encode()?));
            }
        }
        for (key, row) in rewritten {
            batches.insert(key, &row[..])?;
        }
        self.remaining -= reached - from;
        Ok((reached, is_too_young || reached >= self.end))
    }

    fn is_too_young(&self, row: &Row<'_>) -> bool {
        let header = row.entry().header();
        header.is_ok_and(|header| header.kind != Kind::Gov && header.time_bucket >= self.retirement.bucket)
    }
}
