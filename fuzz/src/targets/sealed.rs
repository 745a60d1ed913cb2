//! What stands behind the enclave's seals: the input is the plaintext, sealed here with the right key, as the spec pages
//! say and not as the code does.

use std::sync::OnceLock;

use adyton_engine::sealing::{BodyError, Opener, Parts};
use adyton_engine::snapshot::{Manifest, SnapshotContext};
use adyton_ledger::{Entry, Hash, Header, Kind, Record, Size, sha256};
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Plaintext, RootKey, Secret};
use adyton_vault::State;
use adyton_wire::Put;

use super::ledger::{OPS, VAULT};
use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] =
    &[&[0, 0, 0, 1], &[0; 16], &[0, 0, 0, 4, 0, 0, 0, 0], &[0, 0, 0, 1, 0, 0, 0, 0], &[0xFF; 4], &[0; 32]];

const BOOT: [u8; 16] = [3; 16];
const SNAPSHOT: [u8; 16] = [4; 16];

fn keys() -> &'static KeyTree {
    static KEYS: OnceLock<KeyTree> = OnceLock::new();
    KEYS.get_or_init(|| KeyTree::new(&RootKey::new(Secret::init_with(|key| key.fill(7))), 1))
}

fn seal(label: Label, parts: &[&[u8]], counter: u64, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut bytes = Plaintext::with_capacity(plaintext.len());
    bytes.put(plaintext);
    let key = keys().derive(label, parts).and_then(|key| AeadKey::new(&key)).expect("32 bytes are a key");
    let mut sealed = Vec::new();
    key.seal(Nonce::counter(counter), aad, bytes, &mut sealed).expect("the library seals");
    sealed
}

/// What decodes is written back to the same bytes, and is no manifest with a byte more or less.
pub(crate) fn manifest(input: &[u8]) {
    let Ok(manifest) = Manifest::decode(input) else { return };
    accepted();
    assert_eq!(manifest.encode(), input);
    assert_eq!(Manifest::decode(&[input, &[0]].concat()), Err(BodyError));
    assert_eq!(Manifest::decode(&input[..input.len() - 1]), Err(BodyError));
}

/// The plaintext of an entry's hot body (`docs/spec/02-entries.md`): parts and padding are what was sealed, to the byte,
/// and under another header or with a changed bit the body does not open.
pub(crate) fn entry_body(input: &[u8]) {
    let header = Header {
        kind: Kind::Ops,
        hot_size: Size::holding(input.len()).expect("an input is shorter than a frame"),
        kept_size: Size::ABSENT,
        index: 5,
        time_bucket: 178_000_000,
        boot_id: BOOT,
        release: 1,
        hot_root: Hash::default(),
        kept_root: Hash::default(),
    };
    let mut aad = Vec::new();
    aad.put_lp(b"adyton entry v2");
    aad.put(&VAULT.0);
    aad.put_lp(b"ops-0");
    aad.put_u64(5);
    aad.put_u8(0);
    aad.put(&header.encode());
    let mut body = seal(Label::Log, &[b"ops-0", &BOOT], 5, &aad, input);
    let mut opener = Opener::new(keys(), VAULT, OPS);
    let mut open = |header: &Header, body: &[u8]| {
        let record = Record { entry: Entry::new(header, Some(body), None), hot: Some(body.to_vec()), kept: None };
        let opened = opener.open(&record, header)?;
        let parts: Vec<Vec<u8>> = opened.hot.iter().flat_map(Parts::iter).map(<[u8]>::to_vec).collect();
        // Whatever the parts hold, they are read or refused.
        let _ = opened.each(|_| Ok(()));
        Ok::<_, BodyError>(parts)
    };
    let Ok(parts) = open(&header, &body) else { return };
    accepted();
    let mut nested = Vec::new();
    parts.iter().for_each(|part| nested.put_lp(part));
    let mut expected = u32::try_from(nested.len()).unwrap().to_be_bytes().to_vec();
    expected.extend_from_slice(&u16::try_from(parts.len()).unwrap().to_be_bytes());
    expected.extend_from_slice(&nested);
    expected.resize(input.len(), 0);
    assert_eq!(expected, input);
    let other = Header { release: 2, ..header.clone() };
    assert_eq!(open(&other, &body), Err(BodyError));
    let at = parts.len() % body.len();
    body[at] ^= 1;
    assert_eq!(open(&header, &body), Err(BodyError));
}

/// The plaintext of a snapshot of one chunk (`docs/spec/04-snapshots.md`): what opens is written back to the same bytes.
pub(crate) fn snapshot(input: &[u8]) {
    let Some(covered) = input.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else { return };
    let mut aad = Vec::new();
    aad.put_lp(b"adyton snapshot v3");
    aad.put(&VAULT.0);
    aad.put_lp(b"ops-0");
    aad.put(&SNAPSHOT);
    aad.put_u64(covered);
    aad.put(&[0, 0, 0, 0, 0, 0, 0, 1]);
    let chunk = seal(Label::Snapshot, &[b"ops-0", &BOOT, &SNAPSHOT], 0, &aad, input);
    let mut manifest = Manifest { id: SNAPSHOT, covered, chunks: vec![sha256(&chunk)] };
    let scope = SnapshotContext { keys: keys(), vault: VAULT, log: OPS, boot_id: BOOT };
    let Ok((state, base)) = scope.open::<State>(&manifest, std::slice::from_ref(&chunk)) else { return };
    accepted();
    let frozen = adyton_engine::Machine::freeze(&state);
    let mut again = Vec::new();
    let sealed = scope.seal::<State>(SNAPSHOT, &frozen, &base, |chunk| {
        again.push(chunk);
        true
    });
    assert_eq!((again, sealed.map(|manifest| manifest.encode())), (vec![chunk.clone()], Ok(manifest.encode())));
    assert_eq!(base.frontier.size(), covered);
    manifest.covered = covered.wrapping_add(1);
    assert_eq!(scope.open::<State>(&manifest, &[chunk]).err(), Some(BodyError));
}
