//! What no archive in the vectors can be: entries that have no place in one.
#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use proptest::prelude::*;

use super::*;

fn file(name: &str, permissions: u32) -> Entry {
    Entry { name: name.into(), permissions, content: Content::File(b"content".to_vec()) }
}

#[test]
fn entries_without_a_place_are_not_written() {
    assert_eq!(write(&[file("a", 0o10000)]), Err(CpioError::Permissions { entry: 0, got: 0o10000 }));
    assert_eq!(write(&[file("a", 0), file("TRAILER!!!", 0)]), Err(CpioError::Name { entry: 1 }));
    assert_eq!(write(&[file("a/b", 0)]), Err(CpioError::Parent { entry: 0 }));
    assert_eq!(write(&[file("a", 0), file("a", 1)]), Err(CpioError::Twice { entry: 1 }));
    let many: Vec<_> = (0..=MAX_ENTRIES).map(|number| file(&number.to_string(), 0)).collect();
    assert_eq!(write(&many), Err(CpioError::Entries { limit: MAX_ENTRIES }));
    assert_eq!(parse(&write(&many[1..]).unwrap()).unwrap(), many[1..]);
}

proptest! {
    #[test]
    fn what_is_written_is_read(files in prop::collection::vec((0u32..0o10000, prop::collection::vec(any::<u8>(), 0..9)), 0..9)) {
        let entry = |(number, (permissions, content))| Entry {
            name: format!("f{number}"),
            permissions,
            content: Content::File(content),
        };
        let entries: Vec<_> = files.into_iter().enumerate().map(entry).collect();
        prop_assert_eq!(parse(&write(&entries).unwrap()), Ok(entries));
    }

    #[test]
    fn one_changed_byte_is_another_archive_or_none(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let entries = [Entry { name: "d".into(), permissions: 0o755, content: Content::Folder }, file("d/f", 0o444)];
        let mut archive = write(&entries).unwrap();
        let at = at.index(archive.len());
        archive[at] ^= 1 << bit;
        if let Ok(read) = parse(&archive) {
            prop_assert_ne!(&read[..], &entries[..]);
            prop_assert_eq!(write(&read), Ok(archive));
        }
    }
}
