//! Many nonces under one document (`docs/spec/09-evidence.md`, "Nonces").
//!
//! A platform signs few documents a second, and many clients want one that is fresh for them. So an enclave collects the
//! nonces that arrive together, asks for one document over the root of their tree, and gives each client the path from its
//! own nonce to that root. The tree is RFC 9162's (§2.1), so `ledger` checks the paths.

use adyton_ledger::{Hash, ProofError, leaf_hash, node_hash, verify_inclusion};

/// Separates these leaves from those of logs.
const PREFIX: &[u8; 16] = b"adyton nonce v1\n";
/// Most nonces of one document.
pub const MAX_NONCES: usize = 4096;

/// Nonces of one document, in the order in which they arrived.
pub struct NonceTree {
    /// Leaves first, the root's level last.
    levels: Vec<Vec<Hash>>,
}

/// What shows a client that a document is fresh for its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceProof {
    /// Position among the nonces of the document.
    pub index: u64,
    /// How many nonces the document has.
    pub count: u64,
    /// Siblings from the leaf to the root.
    pub path: Vec<[u8; 32]>,
}

impl NonceTree {
    /// The tree of 1 to [`MAX_NONCES`] nonces; `None` for another number.
    pub fn new(nonces: &[[u8; 32]]) -> Option<Self> {
        if !(1..=MAX_NONCES).contains(&nonces.len()) {
            return None;
        }
        let mut levels = vec![nonces.iter().map(leaf).collect::<Vec<_>>()];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            // A node without a sibling goes up as it is.
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(left, right),
                alone => alone[0],
            });
            levels.push(above.collect());
        }
        Some(Self { levels })
    }

    /// What a document's `nonce` holds.
    pub fn root(&self) -> [u8; 32] {
        // The last level has exactly one node.
        self.levels.last().and_then(|level| level.first()).map_or([0; 32], |root| root.0)
    }

    /// The proof of the nonce at a position; `None` past the end.
    pub fn proof(&self, index: usize) -> Option<NonceProof> {
        let count = self.levels.first()?.len();
        if index >= count {
            return None;
        }
        let siblings = self.levels.iter().enumerate().filter_map(|(height, level)| level.get((index >> height) ^ 1));
        let path = siblings.map(|hash| hash.0).collect();
        Some(NonceProof { index: u64::try_from(index).ok()?, count: u64::try_from(count).ok()?, path })
    }
}

impl NonceProof {
    /// Checks that a document with this `nonce` was made after the client chose its own.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, nonce: &[u8; 32], root: &[u8; 32]) -> Result<(), ProofError> {
        let path: Vec<Hash> = self.path.iter().copied().map(Hash).collect();
        verify_inclusion(&leaf(nonce), self.index, self.count, &path, &Hash(*root))
    }
}

fn leaf(nonce: &[u8; 32]) -> Hash {
    leaf_hash(&[&PREFIX[..], nonce].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn nonces(count: usize) -> Vec<[u8; 32]> {
        (0..count).map(|number| adyton_ledger::sha256(&number.to_be_bytes()).0).collect()
    }

    #[test]
    fn each_nonce_is_proven_and_no_other() {
        for count in (1..=17).chain([1000, MAX_NONCES]) {
            let nonces = nonces(count);
            let tree = NonceTree::new(&nonces).unwrap();
            for index in [0, count / 2, count - 1] {
                let proof = tree.proof(index).unwrap();
                assert_eq!(proof.verify(&nonces[index], &tree.root()), Ok(()), "{index} of {count}");
                let other = proof.verify(&[7; 32], &tree.root());
                assert!(matches!(other, Err(ProofError::Root { .. })), "{index} of {count}: {other:?}");
                let other = proof.verify(&nonces[index], &[7; 32]);
                assert!(matches!(other, Err(ProofError::Root { .. })), "{index} of {count}: {other:?}");
            }
            assert_eq!(tree.proof(count), None);
        }
    }

    #[test]
    fn a_tree_has_one_nonce_at_least_and_not_too_many() {
        assert!(NonceTree::new(&[]).is_none());
        assert!(NonceTree::new(&nonces(MAX_NONCES + 1)).is_none());
    }

    #[test]
    fn a_path_of_another_length_is_refused() {
        let nonces = nonces(5);
        let tree = NonceTree::new(&nonces).unwrap();
        let proof = tree.proof(3).unwrap();
        let longer = NonceProof { path: [&proof.path[..], &[[0; 32]]].concat(), ..proof.clone() };
        let shorter = NonceProof { path: proof.path[1..].to_vec(), ..proof.clone() };
        let past = NonceProof { index: 5, ..proof };
        assert_eq!(longer.verify(&nonces[3], &tree.root()), Err(ProofError::Length));
        assert_eq!(shorter.verify(&nonces[3], &tree.root()), Err(ProofError::Length));
        assert_eq!(past.verify(&nonces[3], &tree.root()), Err(ProofError::OutOfRange));
    }
}
