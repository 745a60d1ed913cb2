//! Properties of the tree, its proofs, its tiles and every decoder, against the definitions of RFC 9162 §2.1.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use adyton_ledger::{
    Body, Entry, Frontier, GovRecord, HEADER_LEN, Hash, Head, Header, Kind, LogId, LogIdError, ProofError, Size,
    TileBuilder, TileKind, TilePath, TilePathError, consistency_proof, full_subtrees, inclusion_proof, leaf_hash,
    leaves_of, leaves_root, node_hash, sha256, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

/// MTH of RFC 9162 §2.1.1, over hashed leaves.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [one] => *one,
        many => {
            let split = many.len().next_power_of_two() / 2;
            node_hash(&naive(&many[..split]), &naive(&many[split..]))
        }
    }
}

fn range(leaves: &[Hash]) -> impl FnMut(u64, u64) -> Hash {
    |start, end| naive(&leaves[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()])
}

fn frontier(leaves: &[Hash]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier
}

#[test]
fn every_small_inclusion_proof_verifies_and_no_changed_one() {
    for size in 1..=33 {
        let all = leaves(size);
        let root = naive(&all);
        for index in 0..size {
            let leaf = &all[usize::try_from(index).unwrap()];
            let proof = inclusion_proof(index, size, &mut range(&all)).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));

            let mut long = proof.clone();
            long.push(root);
            assert_eq!(verify_inclusion(leaf, index, size, &long, &root), Err(ProofError::Length));
            if let Some((_, short)) = proof.split_last() {
                assert_eq!(verify_inclusion(leaf, index, size, short, &root), Err(ProofError::Length));
            }
            for place in 0..proof.len() {
                let mut changed = proof.clone();
                changed[place].0[place % 32] ^= 1;
                let refused = verify_inclusion(leaf, index, size, &changed, &root);
                assert!(matches!(refused, Err(ProofError::Root { expected, .. }) if expected == root), "{refused:?}");
            }
        }
        assert_eq!(inclusion_proof(size, size, &mut range(&all)), Err(ProofError::OutOfRange));
        assert_eq!(verify_inclusion(&root, size, size, &[], &root), Err(ProofError::OutOfRange));
    }
}

#[test]
fn every_small_consistency_proof_verifies_and_no_changed_one() {
    for new in 0..=33u64 {
        let all = leaves(new);
        let new_root = naive(&all);
        for old in 0..=new {
            let old_root = naive(&all[..usize::try_from(old).unwrap()]);
            let proof = consistency_proof(old, new, &mut range(&all)).unwrap();
            assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof), Ok(()), "{old} {new}");

            let mut long = proof.clone();
            long.push(new_root);
            assert_eq!(verify_consistency(old, &old_root, new, &new_root, &long), Err(ProofError::Length));
            if let Some((_, short)) = proof.split_last() {
                assert_eq!(verify_consistency(old, &old_root, new, &new_root, short), Err(ProofError::Length));
            }
            for place in 0..proof.len() {
                let mut changed = proof.clone();
                changed[place].0[31] ^= 0x80;
                let refused = verify_consistency(old, &old_root, new, &new_root, &changed);
                assert!(matches!(refused, Err(ProofError::Root { .. })), "{old} {new} {place}: {refused:?}");
            }
            let forked = sha256(b"a fork");
            let refused = verify_consistency(old, &forked, new, &new_root, &proof);
            assert!(matches!(refused, Err(ProofError::Root { .. })), "{old} {new}: {refused:?}");
        }
        assert_eq!(consistency_proof(new + 1, new, &mut range(&all)), Err(ProofError::OutOfRange));
        assert_eq!(verify_consistency(new + 1, &new_root, new, &new_root, &[]), Err(ProofError::OutOfRange));
    }
}

/// Pushes `from..to` and keeps what completes.
fn grow(builder: &mut TileBuilder, tiles: &mut BTreeMap<(u8, u64), Vec<u8>>, all: &[Hash], from: usize, to: usize) {
    for leaf in &all[from..to] {
        builder.push(*leaf, &mut |level, number, bytes| {
            assert_eq!(bytes.len(), 8192);
            assert_eq!(tiles.insert((level, number), bytes), None, "a tile completes once");
        });
    }
}

#[test]
fn a_tile_of_level_one_holds_the_roots_of_the_tiles_below() {
    let all = leaves(65_536);
    let mut tiles = BTreeMap::new();
    grow(&mut TileBuilder::new(), &mut tiles, &all, 0, all.len());
    assert_eq!(tiles.keys().filter(|(level, _)| *level == 0).count(), 256);
    let expected: Vec<u8> = all.chunks(256).flat_map(|tile| naive(tile).0).collect();
    assert_eq!(tiles[&(1, 0)], expected);
    assert_eq!(tiles.len(), 257);
}

/// The example of C2SP tlog-tiles, "Partial Tiles".
#[test]
fn a_tree_of_70_000_has_the_tiles_that_c2sp_says() {
    let exists = |path: &str| path.parse::<TilePath>().unwrap().exists(70_000);
    for there in
        ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]
    {
        assert!(exists(there), "{there}");
    }
    for not_there in [
        "tile/0/273",
        "tile/0/273.p/113",
        "tile/1/001.p/18",
        "tile/1/001",
        "tile/2/000.p/2",
        "tile/3/000.p/1",
        "tile/63/000.p/1",
    ] {
        assert!(!exists(not_there), "{not_there}");
    }
}

#[test]
fn what_is_no_tile_path_is_refused() {
    assert!("tile/1/x001/x234/067".parse::<TilePath>().is_ok_and(|path| path.number == 1_234_067 && path.is_full()));
    for text in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/64/000",
        "tile/00/000",
        "tile/+1/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/\u{661}\u{661}\u{661}",
        "tile/Entries/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/001.p/1.p/2",
    ] {
        assert_eq!(text.parse::<TilePath>(), Err(TilePathError), "{text}");
    }
}

#[test]
fn a_log_has_one_name() {
    for log in [LogId::GOV, LogId::ops(0), LogId::ops(10), LogId::ops(65_534)] {
        assert_eq!(log.name().parse(), Ok(log));
    }
    for text in ["", "ops", "ops-", "ops-01", "ops-+1", "ops-65535", "OPS-0", "gov/"] {
        assert_eq!(text.parse::<LogId>(), Err(LogIdError), "{text}");
    }
}

/// Numbers of every length.
fn any_number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_frontier_has_the_naive_root(size in 0u64..700) {
        let all = leaves(size);
        prop_assert_eq!(frontier(&all).root(), naive(&all));
        prop_assert_eq!(leaves_root(&all), naive(&all));
    }

    #[test]
    fn a_frontier_reads_back_and_goes_on(size in 0u64..700, more in 0u64..300, tail in proptest::collection::vec(any::<u8>(), 0..40)) {
        let all = leaves(size + more);
        let mut bytes = Vec::new();
        frontier(&all[..usize::try_from(size).unwrap()]).encode(&mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(&tail);
        let (mut read, taken) = Frontier::decode(&bytes).unwrap();
        prop_assert_eq!(taken, length);
        prop_assert_eq!(read.size(), size);
        all[usize::try_from(size).unwrap()..].iter().for_each(|leaf| read.push(*leaf));
        prop_assert_eq!(read, frontier(&all));
    }

    #[test]
    fn a_tile_path_has_one_spelling(level in 0u8..64, entries: bool, number in any_number(), width in 1u16..=256) {
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
        let path = TilePath { kind, number, width };
        let text = path.to_string();
        prop_assert_eq!(text.parse(), Ok(path));
        let (digits, partial) = text.split_once(".p/").unwrap_or((&text, "256"));
        prop_assert_eq!(partial.parse(), Ok(width));
        let elements: Vec<&str> = digits.split('/').skip(2).collect();
        let all: String = elements.iter().map(|element| element.trim_start_matches('x')).collect();
        prop_assert_eq!((all.len(), all.parse()), (3 * elements.len(), Ok(number)));
        for other in [format!("/{text}"), format!("{text}/"), text.replacen("tile/", "tile//", 1), text.to_uppercase()] {
            prop_assert_eq!(other.parse::<TilePath>(), Err(TilePathError));
        }
        // A full tile's path with a width is the path of a partial one.
        let expected = if path.is_full() { Ok(TilePath { width: 1, ..path }) } else { Err(TilePathError) };
        prop_assert_eq!(format!("{text}.p/1").parse::<TilePath>(), expected);
    }

    #[test]
    fn any_text_that_is_a_tile_path_is_written_as_it_was_read(text in "tile/([0-9]{1,2}|entries)/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
            prop_assert!((1..=256).contains(&path.width));
        }
    }

    #[test]
    fn what_exists_is_what_the_tree_has(size in 0u64..200_000, level in 0u8..4, number in 0u64..800, width in 1u16..=256) {
        let hashes = (0..level).fold(size, |below, _| below / 256);
        let path = TilePath { kind: TileKind::Hashes(level), number, width };
        prop_assert_eq!(path.exists(size), number * 256 + u64::from(width) <= hashes);
        prop_assert_eq!(full_subtrees(size, level), hashes);
    }

    #[test]
    fn leaves_are_a_power_of_two_and_no_fewer_than_the_operations(operations in 0usize..70_000) {
        let leaves = leaves_of(operations);
        prop_assert!(leaves.is_power_of_two() && leaves >= operations.max(16));
        prop_assert!(leaves == 16 || leaves / 2 < operations);
    }

    #[test]
    fn a_size_is_the_smallest_that_holds(length in 0usize..2_000_000) {
        let sizes = [1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
        let expected = sizes.into_iter().find(|size| length <= *size);
        prop_assert_eq!(Size::holding(length).map(Size::bytes), expected);
    }

    #[test]
    fn a_header_reads_back(
        kind in prop_oneof![Just(Kind::Ops), Just(Kind::Boot), Just(Kind::Snapshot), Just(Kind::Gov)],
        (index, time_bucket, release) in any::<(u64, u64, u64)>(),
        (boot_id, hot_root, kept_root) in any::<([u8; 16], [u8; 32], [u8; 32])>(),
        (hot, kept) in any::<(Option<Vec<u8>>, Option<Vec<u8>>)>(),
    ) {
        let of = |body: &Option<Vec<u8>>, root| {
            body.as_ref().map_or_else(Default::default, |body| (Size::holding(body.len()).unwrap(), Hash(root)))
        };
        let ((hot_size, hot_root), (kept_size, kept_root)) = (of(&hot, hot_root), of(&kept, kept_root));
        let header = Header { kind, hot_size, kept_size, index, time_bucket, boot_id, release, hot_root, kept_root };
        prop_assert_eq!(Header::decode(&header.encode()), Ok(header.clone()));
        let entry = Entry::new(&header, hot.as_deref(), kept.as_deref());
        prop_assert_eq!(entry.header(), Ok(header));
        let hash = |body: &Option<Vec<u8>>| body.as_ref().map_or(Hash::default(), |body| sha256(body));
        prop_assert_eq!(entry.body_hash(Body::Hot), hash(&hot));
        prop_assert_eq!(entry.body_hash(Body::Kept), hash(&kept));
        prop_assert_eq!(Entry::from_bytes(*entry.as_bytes()), entry);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), tag in 0u8..5) {
        if let Some(first) = bytes.first_mut() {
            *first = tag;
        }
        if let Ok(record) = GovRecord::decode(&bytes) {
            prop_assert_eq!(record.encode(), bytes.clone());
        }
        if let Ok((frontier, taken)) = Frontier::decode(&bytes) {
            let mut again = Vec::new();
            frontier.encode(&mut again);
            prop_assert_eq!(&again[..], &bytes[..taken]);
        }
        if let Some(header) = bytes.first_chunk::<HEADER_LEN>() && let Ok(decoded) = Header::decode(header) {
            prop_assert_eq!(&decoded.encode(), header);
        }
    }

    #[test]
    fn no_text_opens_as_a_head_by_chance(note in "(adyton/x/gov\n)?([0-9]{0,3}\n)?([A-Za-z0-9+/=\n \u{2014}]{0,80})") {
        prop_assert!(Head::open(&note, "adyton/x/gov", &[7; 32]).is_err());
    }
}
