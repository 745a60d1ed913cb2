//! One row of the store: a batch as it was appended (`docs/spec/13-store.md`, "Row").
//!
//! The entry and the head stand before the bodies, so that both are found without reading a body.

use adyton_ledger::{Body, ENTRY_LEN, Entry, Record};
use redb::StorageError;

/// Bytes before the entry: `u8 flags || u32 head || u32 hot`.
const PREFIX: usize = 9;
const HOT: u8 = 1;
const KEPT: u8 = 2;

/// A stored batch, as it lies in the table.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    entry: &'a [u8; ENTRY_LEN],
    /// The signed head over the log up to this entry.
    pub(crate) head: &'a str,
    hot: Option<&'a [u8]>,
    kept: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    /// The row of a batch that is appended under `head`.
    pub(crate) fn of(record: &'a Record, head: &'a str) -> Self {
        Self { entry: record.entry.as_bytes(), head, hot: record.hot.as_deref(), kept: record.kept.as_deref() }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`StorageError::Corrupted`] if the bytes are not one.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, StorageError> {
        Self::parse(bytes).ok_or_else(|| StorageError::Corrupted("a row is not a batch".into()))
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (flags, rest) = bytes.split_first()?;
        let (head, rest) = rest.split_first_chunk()?;
        let (hot, rest) = rest.split_first_chunk()?;
        let (entry, rest) = rest.split_first_chunk()?;
        let (head, rest) = rest.split_at_checked(length(*head)?)?;
        let (hot, kept) = rest.split_at_checked(length(*hot)?)?;
        let body = |flag, bytes: &'a [u8]| match (flags & flag != 0, bytes) {
            (true, bytes) => Some(Some(bytes)),
            (false, []) => Some(None),
            (false, _) => None,
        };
        let known = flags & !(HOT | KEPT) == 0;
        let head = str::from_utf8(head).ok()?;
        known.then_some(())?;
        Some(Self { entry, head, hot: body(HOT, hot)?, kept: body(KEPT, kept)? })
    }

    /// The bytes of the row.
    ///
    /// # Errors
    /// [`StorageError::ValueTooLarge`] if a length does not fit; no frame is that long.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StorageError> {
        let Self { entry, head, hot, kept } = self;
        let flag = |is_there, flag| if is_there { flag } else { 0 };
        let flags = flag(hot.is_some(), HOT) | flag(kept.is_some(), KEPT);
        let (hot, kept) = (hot.unwrap_or_default(), kept.unwrap_or_default());
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| StorageError::ValueTooLarge(bytes.len()));
        let mut out = Vec::with_capacity(PREFIX + ENTRY_LEN + head.len() + hot.len() + kept.len());
        out.push(flags);
        out.extend_from_slice(&length(head.as_bytes())?.to_be_bytes());
        out.extend_from_slice(&length(hot)?.to_be_bytes());
        out.extend_from_slice(*entry);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(hot);
        out.extend_from_slice(kept);
        Ok(out)
    }

    /// The entry.
    pub(crate) fn entry(&self) -> Entry {
        Entry::from_bytes(*self.entry)
    }

    /// The entry's bytes.
    pub(crate) fn entry_bytes(&self) -> &'a [u8; ENTRY_LEN] {
        self.entry
    }

    /// The entry and the bodies that are there.
    pub(crate) fn record(&self) -> Record {
        Record { entry: self.entry(), hot: self.hot.map(<[u8]>::to_vec), kept: self.kept.map(<[u8]>::to_vec) }
    }

    /// The row without the bodies that `goes` names; `None` if the row has none of them.
    pub(crate) fn without(self, goes: impl Fn(Body) -> bool) -> Option<Self> {
        let stays = |which, body: Option<&'a [u8]>| body.filter(|_| !goes(which));
        let left = Self { hot: stays(Body::Hot, self.hot), kept: stays(Body::Kept, self.kept), ..self };
        (left.hot.is_some() != self.hot.is_some() || left.kept.is_some() != self.kept.is_some()).then_some(left)
    }
}

fn length(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn row_round_trips_and_prefixes_are_refused(
            entry in any::<[u8; ENTRY_LEN]>(), head in ".{0,40}",
            hot in option::of(vec(any::<u8>(), 0..40)), kept in option::of(vec(any::<u8>(), 0..40)),
        ) {
            let record = Record { entry: Entry::from_bytes(entry), hot, kept };
            let bytes = Row::of(&record, &head).encode().unwrap();
            let row = Row::decode(&bytes).unwrap();
            prop_assert_eq!((row.record(), row.head), (record.clone(), &head[..]));
            // The kept body has no length of its own: the row has.
            let needed = bytes.len() - record.kept.as_ref().map_or(0, Vec::len);
            for short in 0..needed {
                prop_assert!(Row::decode(&bytes[..short]).is_err());
            }
        }

        #[test]
        fn any_bytes_are_refused_or_written_back(bytes in vec(any::<u8>(), 0..400)) {
            if let Ok(row) = Row::decode(&bytes) {
                prop_assert_eq!(row.encode().unwrap(), bytes);
            }
        }
    }

    #[test]
    fn retired_body_leaves_the_rest_of_the_row() {
        let record = Record { entry: Entry::from_bytes([7; ENTRY_LEN]), hot: Some(vec![1]), kept: Some(vec![2]) };
        let row = Row::of(&record, "head");
        assert!(row.without(|_| false).is_none());
        let left = row.without(|body| body == Body::Hot).unwrap();
        assert_eq!((left.record(), left.head), (Record { hot: None, ..record.clone() }, "head"));
        assert!(left.without(|body| body == Body::Hot).is_none());
        assert_eq!(left.without(|_| true).unwrap().record(), Record { hot: None, kept: None, ..record });
    }
}
