//! Real documents of AWS's (`vectors/nitro/README.md`), at the time that they were made and at others.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use std::fs;
use std::path::PathBuf;

use adyton_attest::{
    AppraisalPolicy, CertificateFault, NonceProof, OwnDocument, Received, Refusal, RememberedChains, Root, Verified,
};

/// Name, the document's own time in Unix milliseconds, whether it is of an enclave in debug mode.
const DOCUMENTS: [(&str, u64, bool); 10] = [
    ("anjuna-2021", 1_616_018_515_685, false),
    ("anjuna-2021-key", 1_616_602_241_734, false),
    ("anjuna-2023", 1_695_337_797_673, false),
    ("anjuna-2024-debug", 1_706_120_065_635, true),
    ("evervault-2022", 1_665_651_482_136, false),
    ("evervault-2023-debug", 1_695_049_410_860, true),
    ("yawn-2025", 1_736_179_625_472, false),
    ("base-2026", 1_767_472_867_402, false),
    ("dstack-2025", 1_766_668_537_578, false),
    ("fastcrypto-2025", 1_762_795_210_812, false),
];

fn document(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/nitro");
    fs::read(folder.join(format!("{name}.cbor"))).unwrap()
}

fn verify(document: &[u8], root: &Root, now_ms: u64) -> Result<Verified, Refusal> {
    Received::parse(document)?.verify(root, now_ms, &mut RememberedChains::new(0))
}

#[test]
fn aws_documents_verify_at_their_time() {
    for (name, time, debug) in DOCUMENTS {
        let verified = verify(&document(name), &Root::aws(), time).map_err(|refusal| refusal.to_string());
        let verified = verified.unwrap();
        assert_eq!((verified.timestamp_ms(), verified.is_debug()), (time, debug), "{name}");
        assert!(verified.root().is_aws() && verified.module_id().starts_with("i-"), "{name}");
    }
}

#[test]
fn ones_own_platform_says_time_and_root() {
    for (name, time, _) in DOCUMENTS {
        let own = OwnDocument::parse(&document(name)).unwrap();
        assert_eq!((own.timestamp_ms, &own.root[..]), (time, Root::aws().der()), "{name}");
        assert_eq!(own.pcrs.keys().copied().take(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4], "{name}");
        assert_eq!(OwnDocument::parse(&[document(name), vec![0]].concat()), Err(Refusal::DocumentCbor));
    }
}

#[test]
fn they_are_refused_at_another_time() {
    for (name, time, _) in DOCUMENTS {
        let refused = verify(&document(name), &Root::aws(), time + 30 * 86_400_000).err();
        assert!(matches!(refused, Some(Refusal::Certificate(CertificateFault::Expired { .. }))), "{name}: {refused:?}");
        let refused = verify(&document(name), &Root::aws(), time - 30 * 86_400_000).err();
        let expected = matches!(refused, Some(Refusal::Certificate(CertificateFault::NotYetValid { .. })));
        assert!(expected, "{name}: {refused:?}");
    }
}

#[test]
fn they_are_refused_under_another_root() {
    let other = Root::explicit(b"another certificate".to_vec());
    for (name, time, _) in DOCUMENTS {
        let refused = verify(&document(name), &other, time).err();
        let expected = Refusal::Root { expected: other.fingerprint(), got: Root::aws().fingerprint() };
        assert_eq!(refused, Some(expected), "{name}");
    }
    // The same bytes given by name are the same root.
    assert!(Root::explicit(Root::aws().der().to_vec()).is_aws());
}

#[test]
fn aws_root_is_the_published_one() {
    let published = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";
    assert_eq!(data_encoding::HEXLOWER.encode(&Root::aws().fingerprint()), published);
}

/// No byte of any document can be another one: each is of the form, signed, or the signature.
#[test]
fn every_changed_byte_is_noticed() {
    let every_byte = |name: &str, time: u64| {
        let document = document(name);
        assert!(verify(&document, &Root::aws(), time).is_ok(), "{name}");
        for at in 0..document.len() {
            let mut changed = document.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(verify(&changed, &Root::aws(), time).is_err(), "{name}: byte {at}");
        }
    };
    // 46,000 checks of signatures: a thread for each document.
    std::thread::scope(|threads| {
        for (name, time, _) in DOCUMENTS {
            threads.spawn(move || every_byte(name, time));
        }
    });
}

#[test]
fn a_remembered_chain_says_the_same_and_never_past_its_time() {
    let (name, time, _) = DOCUMENTS[6];
    let document = document(name);
    let mut chains = RememberedChains::new(2);
    for _ in 0..3 {
        assert!(Received::parse(&document).unwrap().verify(&Root::aws(), time, &mut chains).is_ok());
    }
    let late = Received::parse(&document).unwrap().verify(&Root::aws(), time + 30 * 86_400_000, &mut chains).err();
    assert!(matches!(late, Some(Refusal::Certificate(CertificateFault::Expired { .. }))), "{late:?}");
    // The leaf is looked at each time.
    let mut changed = document.clone();
    let at = changed.windows(11).position(|window| window == b"certificate").unwrap() + 300;
    changed[at] ^= 1;
    assert!(Received::parse(&changed).unwrap().verify(&Root::aws(), time, &mut chains).is_err());
    let other = Root::explicit(b"another certificate".to_vec());
    let refused = Received::parse(&document).unwrap().verify(&other, time, &mut chains).err();
    assert!(matches!(refused, Some(Refusal::Root { .. })), "{refused:?}");
}

/// The deepest and the widest that fit are read or refused within a worker's stack, in the document and in its payload.
#[test]
fn nesting_ends_before_the_stack_does() {
    let judge = |document: &[u8]| Received::parse(document).err();
    for unit in [&[0x81][..], &[0x9F], &[0xA1, 0x00], &[0xBF, 0x00], &[0xA1], &[0xC1], &[0xD8, 0x2A], &[0x99, 3, 0xFF]]
    {
        let deep = unit.repeat(12 * 1024 / unit.len());
        assert_eq!(judge(&deep), Some(Refusal::DocumentCbor), "{unit:?}");
        let payload = unit.repeat(12_000 / unit.len());
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&[0x84, 0x44, 0xA1, 0x01, 0x38, 0x22, 0xA0, 0x59][..], &length];
        let document = [&head.concat()[..], &payload, &[0x58, 96], &[0; 96]].concat();
        assert_eq!(judge(&document), Some(Refusal::PayloadCbor), "{unit:?}");
    }
    // Lengths that nobody has the memory for.
    for major in [0x5B, 0x7B, 0x9B, 0xBB] {
        assert_eq!(judge(&[&[major][..], &[0xFF; 8]].concat()), Some(Refusal::DocumentCbor), "{major:x}");
    }
}

#[test]
fn debug_mode_is_refused_whatever_is_demanded() {
    let proof = NonceProof { index: 0, count: 1, path: Vec::new() };
    for (name, time, debug) in DOCUMENTS {
        let verified = verify(&document(name), &Root::aws(), time).unwrap();
        let refused = verified.appraise(b"", &proof, &[0; 32], time, &AppraisalPolicy::any_code([0; 32])).err();
        // The others were not made for a vault's bundle.
        assert_eq!(refused == Some(Refusal::DebugMode), debug, "{name}: {refused:?}");
        assert!(debug || matches!(refused, Some(Refusal::BundleHash { .. })), "{name}: {refused:?}");
    }
}
