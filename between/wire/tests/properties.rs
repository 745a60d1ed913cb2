//! What is written is read back; anything less, or more, is refused for the right reason.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_wire::{Put, Reader, WireError, length};
use proptest::collection::vec;
use proptest::prelude::*;

/// A field of any format.
#[derive(Clone, Debug, PartialEq)]
enum Field {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    Array([u8; 16]),
    Bytes(Vec<u8>),
    Text(String),
    Nested(Vec<Field>),
    /// `u32 n || n × u16`.
    List(Vec<u16>),
}

fn field() -> impl Strategy<Value = Field> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Field::U8),
        any::<u16>().prop_map(Field::U16),
        any::<u32>().prop_map(Field::U32),
        any::<u64>().prop_map(Field::U64),
        any::<[u8; 16]>().prop_map(Field::Array),
        vec(any::<u8>(), 0..40).prop_map(Field::Bytes),
        ".{0,10}".prop_map(Field::Text),
        vec(any::<u16>(), 0..5).prop_map(Field::List),
    ];
    leaf.prop_recursive(3, 32, 4, |field| vec(field, 0..4).prop_map(Field::Nested))
}

fn write(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        match field {
            Field::U8(value) => out.put_u8(*value),
            Field::U16(value) => out.put_u16(*value),
            Field::U32(value) => out.put_u32(*value),
            Field::U64(value) => out.put_u64(*value),
            Field::Array(bytes) => out.put(bytes),
            Field::Bytes(bytes) => out.put_lp(bytes),
            Field::Text(text) => out.put_lp(text.as_bytes()),
            Field::Nested(fields) => out.put_nested(|out| write(fields, out)),
            Field::List(items) => {
                out.put_u32(u32::try_from(items.len()).unwrap());
                items.iter().for_each(|item| out.put_u16(*item));
            }
        }
    }
}

/// Reads fields of the same kinds as `like`.
fn read(like: &[Field], reader: &mut Reader<'_>) -> Result<Vec<Field>, WireError> {
    let one = |like: &Field| {
        Ok(match like {
            Field::U8(_) => Field::U8(reader.u8()?),
            Field::U16(_) => Field::U16(reader.u16()?),
            Field::U32(_) => Field::U32(reader.u32()?),
            Field::U64(_) => Field::U64(reader.u64()?),
            Field::Array(_) => Field::Array(reader.array()?),
            Field::Bytes(_) => Field::Bytes(reader.lp()?.to_vec()),
            Field::Text(_) => Field::Text(reader.text()?.to_owned()),
            Field::Nested(fields) => {
                let mut nested = reader.nested()?;
                let fields = read(fields, &mut nested)?;
                nested.finish()?;
                Field::Nested(fields)
            }
            Field::List(_) => {
                let count = reader.u32()?;
                Field::List(reader.list(count, 2, Reader::u16)?)
            }
        })
    };
    like.iter().map(one).collect()
}

proptest! {
    #[test]
    fn written_fields_are_read_back(fields in vec(field(), 0..8)) {
        let mut bytes = Vec::new();
        write(&fields, &mut bytes);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(read(&fields, &mut reader), Ok(fields));
        prop_assert_eq!(reader.rest(), b"");
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn every_truncation_is_refused(fields in vec(field(), 1..6)) {
        let mut bytes = Vec::new();
        write(&fields, &mut bytes);
        for end in 0..bytes.len() {
            prop_assert_eq!(read(&fields, &mut Reader::new(&bytes[..end])), Err(WireError::Truncated), "{} bytes", end);
        }
    }

    #[test]
    fn random_bytes_never_panic(like in vec(field(), 0..8), bytes in vec(any::<u8>(), 0..200), bound in 0..300usize) {
        let mut reader = Reader::bounded(&bytes, bound);
        if let Ok(fields) = read(&like, &mut reader) {
            let mut again = Vec::new();
            write(&fields, &mut again);
            again.put(reader.rest());
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn a_nested_field_is_the_lp_of_its_content(before in vec(any::<u8>(), 0..20), content in vec(any::<u8>(), 0..300)) {
        let (mut nested, mut plain) = (before.clone(), before.clone());
        nested.put_nested(|out| out.put(&content));
        plain.put_lp(&content);
        prop_assert_eq!(&nested, &plain);
        prop_assert_eq!(nested, [&before, &length(&content)[..], &content].concat());
    }

    #[test]
    fn a_field_bound_replaces_the_reader_bound(content in vec(any::<u8>(), 1..50)) {
        let mut bytes = Vec::new();
        bytes.put_lp(&content);
        let size = content.len();
        prop_assert_eq!(Reader::bounded(&bytes, size).lp(), Ok(&content[..]));
        prop_assert_eq!(Reader::bounded(&bytes, size - 1).lp(), Err(WireError::TooLong));
        prop_assert_eq!(Reader::bounded(&bytes, size - 1).lp_within(size), Ok(&content[..]));
        prop_assert_eq!(Reader::new(&bytes).lp_within(size - 1), Err(WireError::TooLong));
        // The bound is checked first: how many bytes follow does not matter.
        prop_assert_eq!(Reader::bounded(&bytes[..4], size - 1).lp(), Err(WireError::TooLong));
        let mut outer = Vec::new();
        outer.put_nested(|out| out.put_lp(&content));
        let nested = |bound: usize| Reader::bounded(&outer, bound).nested().map(|mut nested| nested.lp_within(size));
        prop_assert_eq!(nested(size + 4), Ok(Ok(&content[..])));
        prop_assert_eq!(nested(size + 3).err(), Some(WireError::TooLong));
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut reader = Reader::new(&[1, 2]);
    assert_eq!(reader.u8(), Ok(1));
    assert_eq!(reader.rest(), [2]);
    assert_eq!(reader.finish(), Err(WireError::TrailingBytes));
}

#[test]
fn text_is_utf8() {
    assert_eq!(Reader::new(&[0, 0, 0, 2, 0xC3, 0xA4]).text(), Ok("ä"));
    assert_eq!(Reader::new(&[0, 0, 0, 1, 0xC3]).text(), Err(WireError::Utf8));
}

#[test]
fn a_count_beyond_the_bytes_is_refused_before_any_item() {
    let mut reader = Reader::new(&[0; 8]);
    let all = reader.list(u32::MAX, 1, |_| -> Result<(), WireError> { unreachable!("no item is read") });
    assert_eq!(all, Err(WireError::Truncated));
    assert_eq!(reader.list(3, 3, Reader::array::<3>), Err(WireError::Truncated));
    assert_eq!(reader.list(2, 3, Reader::array::<3>), Ok(vec![[0; 3]; 2]));
    assert_eq!(reader.rest().len(), 2);
}
