//! Reading a log back that this process has written: what a snapshot rests on, without a second
//! state.

use adyton_ledger::{Frontier, Hash, LogId, Record, VaultId};
use adyton_seal::KeyTree;

use crate::ReplayError;
use crate::replay::{Uncovered, next_header, open_whole};
use crate::sealing::Opener;

/// The log as it is read back: every entry in its place, and every body opened.
pub struct ReadBack<'a> {
    opener: Opener<'a>,
    frontier: Frontier,
    uncovered: Uncovered,
    /// Where the tree was last compared, and what was counted there.
    compared: (Frontier, Uncovered),
}

impl<'a> ReadBack<'a> {
    /// Begins at a frontier that is known to be right; `uncovered` is what no snapshot covers below
    /// it.
    pub fn new(keys: &'a KeyTree, vault: VaultId, log: LogId, frontier: Frontier, uncovered: Uncovered) -> Self {
        Self {
            opener: Opener::new(keys, vault, log),
            frontier: frontier.clone(),
            uncovered,
            compared: (frontier, uncovered),
        }
    }

    /// Entries read.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// What was read and is not covered by a snapshot.
    pub fn uncovered(&self) -> Uncovered {
        self.uncovered
    }

    /// Takes the next entry in. One that is refused changes nothing.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn entry(&mut self, record: &Record) -> Result<(), ReplayError> {
        let header = next_header(&self.frontier, record)?;
        open_whole(&mut self.opener, record, &header)?;
        self.uncovered.add(&header, record);
        self.frontier.push(record.entry.leaf_hash());
        Ok(())
    }

    /// Compares the tree with the root that the writer knows of this size.
    ///
    /// # Errors
    /// [`ReplayError::Root`]: what was read since the last comparison is not the log.
    pub fn compare(&mut self, root: Hash) -> Result<(), ReplayError> {
        // Public values.
        if self.frontier.root() != root {
            return Err(ReplayError::Root);
        }
        self.compared = (self.frontier.clone(), self.uncovered);
        Ok(())
    }

    /// Goes back to where the tree was last compared.
    pub fn restart(&mut self) {
        (self.frontier, self.uncovered) = self.compared.clone();
    }

    /// A snapshot was taken of all that was read and compared: counting begins again.
    pub fn covered(&mut self) {
        self.uncovered = Uncovered::default();
        self.compared.1 = Uncovered::default();
    }
}
