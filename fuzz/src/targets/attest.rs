//! The identity bundle, and evidence as a whole: `adyton-attest`.

use std::sync::LazyLock;

use adyton_attest::{
    AppraisalPolicy, Bundle, BundleError, NonceProof, OwnDocument, Received, Refusal, RememberedChains, Root,
};
use data_encoding::HEXLOWER;
use serde_json::Value;

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

/// Evidence, from the document to the connection: `u16` length of the document, the document, the bundle. What is asked for
/// stands in the vectors, and so does the time; documents of AWS's are looked at at their own.
pub(crate) fn evidence(input: &[u8]) {
    let Some((length, rest)) = input.split_first_chunk::<2>() else { return };
    let Some((document, bundle)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else { return };
    let Ok(own) = OwnDocument::parse(document) else { return };
    assert!(own.root.len() <= document.len());
    assert_eq!(OwnDocument::parse(&[document, &[0]].concat()), Err(Refusal::DocumentCbor));
    assert_eq!(OwnDocument::parse(&document[..document.len() - 1]), Err(Refusal::DocumentCbor));
    let verify = |root: &Root, now: u64, chains: &mut RememberedChains| {
        Received::parse(document).and_then(|received| received.verify(root, now, chains))
    };
    if verify(&Root::aws(), own.timestamp_ms, &mut RememberedChains::new(0)).is_ok() {
        accepted();
    }
    let Wanted { first, root, nonce, proof, policy, now } = wanted();
    let judge = |chains: &mut RememberedChains| {
        verify(&root, now, chains)?.appraise(bundle, &proof, &nonce, now, &policy).map(|appraised| appraised.explain())
    };
    let judged = judge(&mut RememberedChains::new(0));
    // A chain that is remembered from another document says the same.
    let mut chains = RememberedChains::new(2);
    assert!(Received::parse(&first).and_then(|received| received.verify(&root, now, &mut chains)).is_ok());
    assert_eq!(judged, judge(&mut chains));
    if let Ok(words) = judged {
        accepted();
        assert!(words.contains("not AWS"));
    }
}

struct Wanted {
    first: Vec<u8>,
    root: Root,
    nonce: [u8; 32],
    proof: NonceProof,
    policy: AppraisalPolicy,
    now: u64,
}

/// What the first vector asks for.
fn wanted() -> Wanted {
    static FIRST: LazyLock<Value> = LazyLock::new(|| {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../../vectors/attestation.json")).expect("vectors are a list");
        vectors.into_iter().next().expect("there is a vector")
    });
    let hex = |text: &Value| HEXLOWER.decode(text.as_str().unwrap_or_default().as_bytes()).unwrap_or_default();
    let fixed = |text: &Value| <[u8; 32]>::try_from(hex(text)).expect("32 bytes");
    let proof = &FIRST["nonce_proof"];
    Wanted {
        first: hex(&FIRST["document"]),
        root: Root::explicit(hex(&FIRST["root"])),
        nonce: fixed(&FIRST["nonce"]),
        proof: NonceProof {
            index: proof["index"].as_u64().unwrap_or_default(),
            count: proof["count"].as_u64().unwrap_or_default(),
            path: proof["path"].as_array().into_iter().flatten().map(fixed).collect(),
        },
        policy: AppraisalPolicy::any_code(fixed(&FIRST["policy"]["vault_id"])),
        now: FIRST["now_ms"].as_u64().unwrap_or_default(),
    }
}
