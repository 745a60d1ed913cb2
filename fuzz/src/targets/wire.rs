//! The reader and the writer under every binary format: `adyton-wire`.

use adyton_seal::ReadSecret;
use adyton_wire::{Put, Reader, WireError};

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] =
    &[&[0; 4], &[0, 0, 0, 1], &[0xFF; 4], &[0; 32], "ä".as_bytes(), b"\xC3", &[3 | 4 << 3], &[4 | 1 << 3]];

/// `u8 n || n operations || bytes`: the reader gives what a plain index over the bytes gives, with the same refusals,
/// and what it took is written back to the same bytes.
pub(crate) fn reader(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let Some((operations, bytes)) = rest.split_at_checked((*count).into()) else { return };
    let (mut reader, mut again) = (Reader::new(bytes), Vec::new());
    for operation in operations {
        let expected = expected(*operation, &bytes[again.len()..]);
        let got = read(*operation, &mut reader);
        assert_eq!(got, expected, "operation {operation:#04x}");
        let Ok(field) = got else { return };
        write(*operation, &field, &mut again);
        assert_eq!(again, bytes[..again.len()]);
    }
    accepted();
    assert_eq!(reader.rest(), &bytes[again.len()..]);
    let all = again.len() == bytes.len();
    assert_eq!(reader.finish(), if all { Ok(()) } else { Err(WireError::TrailingBytes) });
}

#[derive(Debug, PartialEq)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn read(operation: u8, reader: &mut Reader<'_>) -> Result<Field, WireError> {
    let bytes = |bytes: &[u8]| Field::Bytes(bytes.to_vec());
    match (operation % 8, operation >> 3) {
        (0, _) => reader.u8().map(u64::from).map(Field::Number),
        (1, 0) => reader.u32().map(u64::from).map(Field::Number),
        (1, _) => reader.u16().map(u64::from).map(Field::Number),
        (2, _) => reader.u64().map(Field::Number),
        (3, 0) => reader.lp().map(bytes),
        (3, bound) => reader.lp_within(bound.into()).map(bytes),
        (4, 0) => reader.text().map(str::as_bytes).map(bytes),
        (4, _) => reader.nested().map(|nested| bytes(nested.rest())),
        (5, length) => reader.take(length.into()).map(bytes),
        (6, _) => reader.array::<16>().map(|array| bytes(&array)),
        (_, 0) => reader.secret::<32>().map(|secret| bytes(secret.expose())),
        (_, count) => reader.list(count.into(), 2, Reader::array::<2>).map(|items| bytes(items.as_flattened())),
    }
}

fn expected(operation: u8, rest: &[u8]) -> Result<Field, WireError> {
    let bytes = |from: usize, length: usize| rest[from..].get(..length).ok_or(WireError::Truncated);
    let number = |length| Ok(bytes(0, length)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    let lp = |bound: u64| {
        let length = number(4)?;
        if length > bound { Err(WireError::TooLong) } else { bytes(4, usize::try_from(length).unwrap()) }
    };
    let field = |bytes: &[u8]| Field::Bytes(bytes.to_vec());
    match (operation % 8, operation >> 3) {
        (0, _) => number(1).map(Field::Number),
        (1, 0) => number(4).map(Field::Number),
        (1, _) => number(2).map(Field::Number),
        (2, _) => number(8).map(Field::Number),
        (3, bound @ 1..) => lp(bound.into()).map(field),
        (4, 0) => {
            lp(u64::MAX).and_then(|bytes| str::from_utf8(bytes).map_err(|_| WireError::Utf8).map(|_| field(bytes)))
        }
        (3 | 4, _) => lp(u64::MAX).map(field),
        (5, length) => bytes(0, length.into()).map(field),
        (6, _) => bytes(0, 16).map(field),
        (_, 0) => bytes(0, 32).map(field),
        (_, count) => bytes(0, usize::from(count) * 2).map(field),
    }
}

fn write(operation: u8, field: &Field, out: &mut Vec<u8>) {
    match (operation % 8, operation >> 3, field) {
        (0, _, Field::Number(number)) => out.put_u8(u8::try_from(*number).unwrap()),
        (1, 0, Field::Number(number)) => out.put_u32(u32::try_from(*number).unwrap()),
        (1, _, Field::Number(number)) => out.put_u16(u16::try_from(*number).unwrap()),
        (_, _, Field::Number(number)) => out.put_u64(*number),
        (3, _, Field::Bytes(bytes)) | (4, 0, Field::Bytes(bytes)) => out.put_lp(bytes),
        (4, _, Field::Bytes(bytes)) => out.put_nested(|out| out.put(bytes)),
        (_, _, Field::Bytes(bytes)) => out.put(bytes),
    }
}
