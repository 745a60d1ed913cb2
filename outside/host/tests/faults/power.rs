//! Guarantees of redb, under our use of it: when the power fails in the middle of anything, an
//! append that was answered is there, the one that was not is there whole or not at all, and the
//! log still checks.
//!
//! Each case fails the power at a random operation on the disk and then drops or tears, sector by
//! sector, whatever no sync had followed.

use adyton_ledger::{AppendOutcome, LogReader, LogStore, Record, Retirement};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::disk::Disk;
use crate::vault::{BOOT, Batch, OPS, Vault, checked_size};

#[derive(Clone, Debug)]
enum Step {
    Append { kibibytes: usize },
    Snapshot,
    BuildTiles,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop_oneof![Just(1usize), Just(16), Just(256)].prop_map(|kibibytes| Step::Append { kibibytes }),
        2 => Just(Step::BuildTiles),
        1 => Just(Step::Snapshot),
    ]
}

/// Coins from a seed: splitmix64.
fn coins(mut seed: u64) -> impl FnMut() -> bool {
    move || {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

/// Runs until the power fails or the steps end. What was answered, earlier included, and the append that was not.
fn work(disk: &Disk, vault: &mut Vault, steps: &[Step], mut answered: Vec<Record>) -> (Vec<Record>, Option<Batch>) {
    // The power may not even last until the store is open.
    let Ok(mut store) = disk.store() else { return (answered, None) };
    for step in steps {
        let (batch, snapshot) = match step {
            Step::Append { kibibytes } => (vault.batch(*kibibytes), None),
            Step::BuildTiles if store.build_tiles(OPS, 1).is_err() => return (answered, None),
            Step::BuildTiles => continue,
            Step::Snapshot => {
                let below = answered.len() as u64;
                if store.put_chunk(OPS, [1; 16], 0, &[7; 9000]).is_err() {
                    return (answered, None);
                }
                (vault.snapshot(), Some(Retirement { below, bucket: 0, snapshot: [1; 16], boot_id: BOOT }))
            }
        };
        match store.append(OPS, batch.expected_size, &batch.record, &batch.head) {
            Ok(outcome) => assert_eq!(outcome, AppendOutcome::Appended { size: batch.size() }),
            Err(_) => return (answered, Some(batch)),
        }
        answered.push(batch.record);
        if snapshot.is_some_and(|retirement| store.retire(OPS, retirement).is_err()) {
            return (answered, None);
        }
    }
    (answered, None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn acknowledged_appends_survive_and_others_are_atomic(
        // So many entries that there may be tiles to build, or none.
        before in prop_oneof![4 => Just(0u64), 1 => 250..520u64],
        steps in vec(step(), 1..24), operations in 0..500u64, seed in any::<u64>(),
    ) {
        let disk = Disk::default();
        let (mut vault, before) = {
            let mut store = disk.store().unwrap();
            let mut vault = Vault::new(&mut store);
            let append = |_| {
                let batch = vault.batch(1);
                store.append(OPS, batch.expected_size, &batch.record, &batch.head).unwrap();
                batch.record
            };
            let before: Vec<Record> = (0..before).map(append).collect();
            (vault, before)
        };
        disk.fail_power_after(operations);
        let (answered, unanswered) = work(&disk, &mut vault, &steps, before);

        let disk = disk.after_power_failure(coins(seed));
        let mut store = disk.store().unwrap();
        let size = store.status(OPS).unwrap().size;
        let attempted = u64::from(unanswered.is_some());
        prop_assert!(size == answered.len() as u64 || size == answered.len() as u64 + attempted, "{}", size);
        let all = answered.iter().chain(unanswered.iter().map(|batch| &batch.record));
        let stored = store.read(OPS, 0, u32::MAX, usize::MAX).unwrap();
        prop_assert_eq!(stored.len() as u64, size);
        for (written, found) in all.zip(stored) {
            prop_assert_eq!(&written.entry, &found.entry);
            prop_assert_eq!(&written.kept, &found.kept);
            prop_assert!(found.hot.is_none() || found.hot == written.hot);
        }
        prop_assert_eq!(checked_size(&store), size);

        // The same bytes again are appended once, and the log goes on.
        if let Some(batch) = unanswered {
            let outcome = store.append(OPS, batch.expected_size, &batch.record, &batch.head).unwrap();
            prop_assert_eq!(outcome, AppendOutcome::Appended { size: batch.size() });
            let next = vault.batch(1);
            store.append(OPS, next.expected_size, &next.record, &next.head).unwrap();
            prop_assert_eq!(checked_size(&store), next.size());
        }
        // Tiles that are gone are built again, and are those of the entries.
        while store.build_tiles(OPS, 1).unwrap() {}
        for number in 0..store.status(OPS).unwrap().size / 256 {
            prop_assert!(store.tile(OPS, 0, number).unwrap().is_some());
        }
        let size = store.status(OPS).unwrap().size;
        prop_assert_eq!(checked_size(&store), size);
    }
}
