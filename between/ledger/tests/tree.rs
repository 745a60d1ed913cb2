//! The tree against RFC 9162's definition.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use adyton_ledger::*;
use proptest::prelude::*;

fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive(left), &naive(right))
        }
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

#[test]
fn proofs_verify_and_changed_ones_do_not() {
    let leaves = leaves(70);
    let mut range = |start: u64, end: u64| naive(&leaves[start as usize..end as usize]);
    let mut frontier = Frontier::new();
    for size in 1..=70 {
        frontier.push(leaves[size as usize - 1]);
        let root = naive(&leaves[..size as usize]);
        assert_eq!(frontier.root(), root);
        for index in 0..size {
            let leaf = &leaves[index as usize];
            let mut proof = inclusion_proof(index, size, &mut range).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
            let wrong = verify_inclusion(&Hash([0; 32]), index, size, &proof, &root);
            assert!(matches!(wrong, Err(ProofError::Root { .. })));
            proof.push(root);
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Err(ProofError::Length));
            let old = index + 1;
            let old_root = naive(&leaves[..old as usize]);
            let mut proof = consistency_proof(old, size, &mut range).unwrap();
            assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()), "{old} {size}");
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at].0[3] ^= 1;
                let got = verify_consistency(old, &old_root, size, &root, &wrong);
                assert!(matches!(got, Err(ProofError::Root { .. })), "{old} {size}");
            }
            proof.push(root);
            assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Err(ProofError::Length));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 176..400), index: u64, size: u64) {
        let _ = Entry::from_bytes(bytes[..176].try_into().unwrap()).header();
        let _ = (GovRecord::decode(&bytes), Frontier::decode(&bytes), Head::open(&String::from_utf8_lossy(&bytes), "a", &[1; 32]).is_err());
        let proof: Vec<Hash> = bytes.as_chunks::<32>().0.iter().map(|h| Hash(*h)).collect();
        prop_assert!(verify_inclusion(&proof[0], index, size, &proof, &proof[1]).is_err());
        prop_assert!(verify_consistency(index, &proof[0], size, &proof[1], &proof).is_err());
    }
}
