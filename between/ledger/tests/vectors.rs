//! `vectors/entries.json` and `vectors/heads.json`, made by an independent script.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_ledger::{Entry, Head, sha256};
use data_encoding::HEXLOWER;
use serde::Deserialize;

#[derive(Deserialize)]
struct EntryVector {
    name: String,
    hex: String,
    body: Option<String>,
    leaf: Option<String>,
    sha256: Option<String>,
    index: Option<u64>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct HeadVector {
    name: String,
    note: String,
    origin: String,
    key: String,
    size: Option<u64>,
    root: Option<String>,
    refusal: Option<String>,
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

#[test]
fn entries() {
    let vectors: Vec<EntryVector> = serde_json::from_str(include_str!("../../../vectors/entries.json")).unwrap();
    assert!(vectors.len() >= 10);
    for v in vectors {
        let entry = Entry::from_bytes(hex(&v.hex));
        assert_eq!(v.refusal.is_some(), v.name.starts_with("fail_"), "{}", v.name);
        if let Some(refusal) = v.refusal {
            assert_eq!(format!("{:?}", entry.header().unwrap_err()), refusal, "{}", v.name);
            continue;
        }
        let header = entry.header().unwrap();
        let body = HEXLOWER.decode(v.body.unwrap().as_bytes()).unwrap();
        assert_eq!(Entry::new(&header, &body), entry, "{}", v.name);
        assert_eq!(Some(header.index), v.index);
        assert_eq!(Some(entry.leaf_hash().to_string()), v.leaf);
        assert_eq!(Some(sha256(entry.as_bytes()).to_string()), v.sha256);
    }
}

#[test]
fn heads() {
    let vectors: Vec<HeadVector> = serde_json::from_str(include_str!("../../../vectors/heads.json")).unwrap();
    assert!(vectors.len() >= 15);
    for v in vectors {
        let got = Head::open(&v.note, &v.origin, &hex(&v.key));
        assert_eq!(v.refusal.is_some(), v.name.starts_with("fail_"), "{}", v.name);
        match v.refusal {
            Some(refusal) => assert_eq!(format!("{:?}", got.unwrap_err()), refusal, "{}", v.name),
            None => {
                let head = got.unwrap();
                assert_eq!((Some(head.size), Some(head.root.to_string())), (v.size, v.root), "{}", v.name);
            }
        }
    }
}
