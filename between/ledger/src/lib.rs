//! Merkle log, heads, governance entries and the store that keeps them.
