//! The identity bundle and one's own attestation document: `adyton-attest`.

use adyton_attest::{Bundle, BundleError, OwnDocument, OwnDocumentError};

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] = &[
    b"adyton bundle v1\n",
    &[0, 0, 0, 1, b'a'],
    &[0, 0, 0, 64],
    &[0, 0, 0, 65],
    &[33],
    b".",
    b"-",
    &[0; 32],
    &[0xFF; 32],
];
pub(crate) const CBOR: &[&[u8]] = &[
    &[0xD2],
    &[0x84],
    &[0x9F],
    &[0xBF],
    &[0x5F],
    &[0xFF],
    &[0xF6],
    &[0x40],
    &[0xC2, 0x41, 1],
    &[0x3B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x5B, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xC1; 200],
    &[0x81; 200],
    b"\x69timestamp",
    b"\x68cabundle",
];

/// What decodes is written back to the same bytes, and is no bundle with a byte more or less.
pub(crate) fn bundle(input: &[u8]) {
    let Ok(bundle) = Bundle::decode(input) else { return };
    accepted();
    assert_eq!(bundle.encode().as_deref(), Ok(input));
    assert_eq!(bundle.hash(), Ok(adyton_ledger::sha256(input).0));
    assert_eq!(Bundle::decode(&[input, &[0]].concat()), Err(BundleError::TrailingBytes));
    assert_eq!(Bundle::decode(&input[..input.len() - 1]), Err(BundleError::Truncated));
    assert!(bundle.reveals.len() <= 32 && usize::from(bundle.notaries.quorum) <= bundle.notaries.keys.len());
}

/// CBOR has many spellings of one document, but nothing follows it, and no claim is larger than the document.
pub(crate) fn own_document(input: &[u8]) {
    let Ok(document) = OwnDocument::parse(input) else { return };
    accepted();
    assert!(document.root.len() <= input.len());
    assert_eq!(OwnDocument::parse(&[input, &[0]].concat()), Err(OwnDocumentError));
    assert_eq!(OwnDocument::parse(&input[..input.len() - 1]), Err(OwnDocumentError));
}
