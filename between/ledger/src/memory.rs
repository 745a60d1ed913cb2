//! A store in memory: the model that other stores are tested against, and the place for tools and tests.
//!
//! It keeps nothing when it is dropped; a vault never runs on it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::{
    AppendOutcome, Body, Kind, LogId, LogReader, LogStore, Record, Retirement, Status, TileBuilder, head_is_kept,
    is_fenced, is_repeat, retires,
};

/// Logs in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    logs: BTreeMap<LogId, MemoryLog>,
}

#[derive(Clone, Debug, Default)]
struct MemoryLog {
    records: Vec<Record>,
    heads: BTreeMap<u64, String>,
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
    builder: TileBuilder,
    latest_snapshot: Option<u64>,
    chunks: BTreeMap<([u8; 16], u32), Vec<u8>>,
}

impl MemoryStore {
    /// Empty logs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that stands for one log, to be tampered with: what an insider can do to a real store.
    pub fn records_mut(&mut self, log: LogId) -> &mut Vec<Record> {
        &mut self.logs.entry(log).or_default().records
    }

    /// The heads of one log by size, to be tampered with.
    pub fn heads_mut(&mut self, log: LogId) -> &mut BTreeMap<u64, String> {
        &mut self.logs.entry(log).or_default().heads
    }

    /// The full tiles of one log by level and number, to be tampered with.
    pub fn tiles_mut(&mut self, log: LogId) -> &mut BTreeMap<(u8, u64), Vec<u8>> {
        &mut self.logs.entry(log).or_default().tiles
    }

    fn log(&self, log: LogId) -> Option<&MemoryLog> {
        self.logs.get(&log)
    }
}

impl LogReader for MemoryStore {
    type Error = Infallible;

    fn status(&self, log: LogId) -> Result<Status, Infallible> {
        let found = self.log(log);
        Ok(Status {
            size: found.map_or(0, |log| log.records.len() as u64),
            latest_snapshot: found.and_then(|log| log.latest_snapshot),
            head: found.and_then(|log| log.heads.last_key_value()).map(|(_, head)| head.clone()).unwrap_or_default(),
        })
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, Infallible> {
        let records = self.log(log).map(|log| &log.records[..]).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(records.len());
        let mut bytes = 0usize;
        let fits = |(place, record): &(usize, &Record)| {
            bytes += record.stored_len();
            *place == 0 || bytes <= max_bytes
        };
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Ok(records[from..].iter().take(max).enumerate().take_while(fits).map(|(_, record)| record.clone()).collect())
    }

    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, Infallible> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let heads = self.log(log).into_iter().flat_map(|log| log.heads.range(from..));
        Ok(heads.take(max).map(|(_, head)| head.clone()).collect())
    }

    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.log(log).and_then(|log| log.tiles.get(&(level, number)).cloned()))
    }
}

impl LogStore for MemoryStore {
    fn append(
        &mut self,
        log: LogId,
        expected_size: u64,
        record: &Record,
        head: &str,
    ) -> Result<AppendOutcome, Infallible> {
        let found = self.logs.entry(log).or_default();
        let size = found.records.len() as u64;
        if size != expected_size {
            let newest = found.records.last().map(|record| &record.entry);
            let repeat = is_repeat(size, newest, expected_size, record);
            return Ok(if repeat { AppendOutcome::Appended { size } } else { AppendOutcome::Conflict { size } });
        }
        if record.entry.header().is_ok_and(|header| header.kind == Kind::Snapshot) {
            found.latest_snapshot = Some(size);
        }
        let tiles = &mut found.tiles;
        found.builder.push(record.entry.leaf_hash(), &mut |level, number, bytes| {
            tiles.insert((level, number), bytes);
        });
        found.records.push(record.clone());
        let new = found.records.len() as u64;
        if !head_is_kept(size, new) {
            found.heads.remove(&size);
        }
        found.heads.insert(new, head.into());
        Ok(AppendOutcome::Appended { size: new })
    }

    fn put_chunk(&mut self, log: LogId, snapshot: [u8; 16], number: u32, bytes: &[u8]) -> Result<(), Infallible> {
        self.logs.entry(log).or_default().chunks.insert((snapshot, number), bytes.to_vec());
        Ok(())
    }

    fn chunk(&self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.log(log).and_then(|log| log.chunks.get(&(snapshot, number)).cloned()))
    }

    fn retire(&mut self, log: LogId, retirement: Retirement) -> Result<(), Infallible> {
        let found = self.logs.entry(log).or_default();
        if is_fenced(&retirement, found.records.last().map(|record| &record.entry)) {
            return Ok(());
        }
        found.chunks.retain(|(snapshot, _), _| *snapshot == retirement.snapshot);
        for record in &mut found.records {
            if retires(&retirement, &record.entry, Body::Hot) {
                record.hot = None;
            }
            if retires(&retirement, &record.entry, Body::Kept) {
                record.kept = None;
            }
        }
        Ok(())
    }
}
