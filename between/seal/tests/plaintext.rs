//! A plaintext holds the same bytes as any other buffer, however it grows.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_seal::{Plaintext, ReadSecret};
use adyton_wire::{Put, WireError};
use proptest::collection::vec;
use proptest::prelude::*;

fn write(pieces: &[(u8, Vec<u8>)], out: &mut impl Put) {
    for (operation, bytes) in pieces {
        match operation % 4 {
            0 => out.put(bytes),
            1 => out.put_lp(bytes),
            2 => out.put_nested(|out| write(&[(*operation / 4, bytes.clone())], out)),
            _ => out.put_u32(u32::from(*operation)),
        }
    }
}

proptest! {
    #[test]
    fn a_plaintext_holds_what_a_vec_holds(
        capacity in 0..600usize,
        pieces in vec((any::<u8>(), vec(any::<u8>(), 0..200)), 0..20),
        padding in 0..600usize,
    ) {
        let (mut plaintext, mut plain) = (Plaintext::with_capacity(capacity), Vec::new());
        write(&pieces, &mut plaintext);
        write(&pieces, &mut plain);
        prop_assert_eq!(plaintext.as_bytes(), &plain);
        let size = plain.len() + padding;
        plaintext.pad_to(size);
        plain.resize(size, 0);
        prop_assert_eq!(plaintext.as_bytes(), &plain);
        prop_assert_eq!(plaintext.reader().rest(), &plain);
    }
}

#[test]
fn a_secret_is_read_whole_or_not_at_all() {
    let mut plaintext = Plaintext::with_capacity(0);
    plaintext.put(&[7; 33]);
    let mut reader = plaintext.reader();
    assert_eq!(reader.secret::<32>().unwrap().expose(), &[7; 32]);
    assert_eq!(reader.secret::<2>().err(), Some(WireError::Truncated));
    assert_eq!(reader.secret::<1>().unwrap().expose(), &[7]);
    assert_eq!(reader.finish(), Ok(()));
}
