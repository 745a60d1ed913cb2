//! Reading and writing the conventions' integers and `lp` (`docs/spec/00-conventions.md`).

use alloc::vec::Vec;

/// Longest `lp` field of a public record, in bytes.
const MAX_FIELD: usize = 65_536;

/// Bytes are missing, or a length is beyond what a field may have.
pub(crate) struct Short;

pub(crate) fn put_lp(out: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

pub(crate) fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Short> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or(Short)?;
    *rest = left;
    Ok(*taken)
}

pub(crate) fn u64(rest: &mut &[u8]) -> Result<u64, Short> {
    array(rest).map(u64::from_be_bytes)
}

pub(crate) fn lp(rest: &mut &[u8]) -> Result<Vec<u8>, Short> {
    let length = usize::try_from(u32::from_be_bytes(array(rest)?)).map_err(|_| Short)?;
    let (taken, left) = rest.split_at_checked(length).filter(|_| length <= MAX_FIELD).ok_or(Short)?;
    *rest = left;
    Ok(taken.to_vec())
}
