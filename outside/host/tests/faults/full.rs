//! A disk without room: the append is refused as full, nothing of it is there, and with room again the same bytes are
//! taken. Once in memory and once on a real file system of a few MiB.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use adyton_host::{RedbStore, StoreError};
use adyton_ledger::{AppendOutcome, LogReader, LogStore};

use crate::disk::Disk;
use crate::not_run::not_run;
use crate::vault::{Batch, OPS, Vault, checked_size};

/// Appends batches until one is refused three times for want of room; that one. A single refusal may not last: what the
/// failed try had taken is free once the file is open again.
fn fill(store: &mut RedbStore, vault: &mut Vault) -> Batch {
    'batches: loop {
        let batch = vault.batch(64);
        for _ in 0..3 {
            match append(store, &batch) {
                Ok(outcome) => {
                    assert_eq!(outcome, AppendOutcome::Appended { size: batch.size() });
                    continue 'batches;
                }
                Err(StoreError::Full) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        return batch;
    }
}

fn append(store: &mut RedbStore, batch: &Batch) -> Result<AppendOutcome, StoreError> {
    store.append(OPS, batch.expected_size, &batch.record, &batch.head)
}

#[test]
fn without_room_nothing_changes_and_the_same_bytes_are_taken_later() {
    let disk = Disk::default();
    let mut store = disk.store().unwrap();
    let mut vault = Vault::new(&mut store);
    let first = vault.batch(1);
    append(&mut store, &first).unwrap();
    let second = vault.batch(16);
    for _ in 0..3 {
        disk.set_full(true);
        for _ in 0..3 {
            let refused = append(&mut store, &second);
            assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        }
        disk.set_full(false);
        assert_eq!(checked_size(&store), first.size());
    }
    assert_eq!(append(&mut store, &second).unwrap(), AppendOutcome::Appended { size: second.size() });
    assert_eq!(checked_size(&store), second.size());
}

/// A file system in memory with room for so many MiB, gone at the end.
struct SmallFileSystem(PathBuf);

impl SmallFileSystem {
    /// `None` if this process may not mount.
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "adyton-test"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.into()))
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        // Lazily: a test that fails may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_file_system_loses_nothing_and_is_used_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = SmallFileSystem::mount(folder.path(), 8) else {
        return not_run(
            "a_full_file_system_loses_nothing_and_is_used_again_when_there_is_room",
            "this process may not mount a file system",
        );
    };
    let ballast = folder.path().join("ballast");
    std::fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    let data = folder.path().join("data");
    let mut store = RedbStore::open(&data).unwrap();
    let mut vault = Vault::new(&mut store);
    let refused = fill(&mut store, &mut vault);

    // A host that is started now finds all that was answered and nothing else, once there is room to open its file.
    std::fs::remove_file(&ballast).unwrap();
    drop(store);
    let mut store = RedbStore::open(&data).unwrap();
    assert_eq!(store.status(OPS).unwrap().size, refused.expected_size);
    assert_eq!(checked_size(&store), refused.expected_size);
    assert_eq!(append(&mut store, &refused).unwrap(), AppendOutcome::Appended { size: refused.size() });

    // Full a second time; now the process stays.
    let ballast = folder.path().join("more ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    let refused = fill(&mut store, &mut vault);
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(append(&mut store, &refused).unwrap(), AppendOutcome::Appended { size: refused.size() });
    assert_eq!(checked_size(&store), refused.size());
}
