//! Entries, the public log's records, heads, the tree: `adyton-ledger`.

use std::sync::OnceLock;

use adyton_ledger::{
    Body, Entry, Frontier, GovError, GovRecord, HEADER_LEN, Hash, Head, HeadError, Header, LogId, SshPublicKey,
    SshSignature, SshSignatureError, TileKind, TilePath, VaultId, consistency_proof, inclusion_proof, leaf_hash,
    origin, verify_consistency, verify_inclusion,
};
use adyton_seal::{Secret, SigningKey};
use data_encoding::BASE64;

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] =
    &[&[2, 1, 1, 0], &[2, 4, 0, 1], &[2, 1, 5, 1], &[0, 1, 0, 0], &[0, 1, 0, 1], &[0; 32], &[0xFF; 8]];
pub(crate) const TILES: &[&[u8]] = &[
    b"tile/",
    b"entries/",
    b"x000/",
    b"x999/",
    b"/001",
    b".p/",
    b".p/255",
    b"0",
    b"63/",
    b"/checkpoint",
    b"/gov/",
    b"/ops-0/",
];
pub(crate) const NOTES: &[&[u8]] = &[
    b"\n",
    b"\n\n",
    "\u{2014} ".as_bytes(),
    "\u{2003}".as_bytes(),
    "\u{2028}".as_bytes(),
    b"+",
    b"\r",
    b"\x7F",
    b"0",
    b"9223372036854775808",
    b"18446744073709551615",
    b"=",
    b"witness.example AAAAAAA=\n",
];

pub(crate) const SSH: &[&[u8]] = &[
    b"SSHSIG\0\0\0\x01",
    b"\0\0\0\x0bssh-ed25519\0\0\0 ",
    b"\0\0\0\x13ecdsa-sha2-nistp256\0\0\0\x08nistp256",
    b"\0\0\0\x1ask-ssh-ed25519@openssh.com",
    b"\0\0\0\x04ssh:",
    b"\0\0\0\x06sha512",
    b"-----BEGIN SSH SIGNATURE-----\n",
    b"\n-----END SSH SIGNATURE-----\n",
    b"\0\0\0\0",
];

/// The vault and log of the vectors.
pub(crate) const VAULT: VaultId = VaultId([
    0x20, 0x2B, 0xCF, 0x32, 0xF1, 0x18, 0x97, 0x2D, 0xD3, 0x03, 0xCE, 0x9A, 0x2D, 0xB8, 0xB8, 0xE2, 0x34, 0x5F, 0x22,
    0x07, 0xA3, 0x2D, 0xAB, 0x32, 0xDD, 0xB6, 0x93, 0x2D, 0xB7, 0x07, 0xA0, 0xC0,
]);
/// Its log.
pub(crate) const OPS: LogId = LogId::from_number(1);

fn log_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_seed(&Secret::init_with(|seed| seed.fill(9))).expect("32 bytes are a seed"))
}

/// A header, or an entry whose first 112 bytes are one: written back to the same bytes.
pub(crate) fn entry(input: &[u8]) {
    if let Ok(bytes) = <&[u8; HEADER_LEN]>::try_from(input)
        && let Ok(header) = Header::decode(bytes)
    {
        accepted();
        assert_eq!(header.encode(), *bytes);
    }
    let Ok(bytes) = <[u8; 176]>::try_from(input) else { return };
    let entry = Entry::from_bytes(bytes);
    assert_eq!(entry.as_bytes(), &bytes);
    assert_eq!(entry.leaf_hash(), leaf_hash(&bytes));
    assert_eq!(entry.header(), Header::decode(&entry.header_bytes()));
    let Ok(header) = entry.header() else { return };
    accepted();
    let hashes = Body::ALL.map(|body| entry.body_hash(body).0);
    assert_eq!([&header.encode()[..], &hashes.concat()].concat(), bytes);
    let made = Entry::new(&header, Some(b"another"), None);
    assert_eq!(made.header_bytes(), entry.header_bytes());
    assert_ne!(made.body_hash(Body::Hot), entry.body_hash(Body::Hot));
    assert_eq!(made.body_hash(Body::Kept), Hash::default());
}

/// What decodes is written back to the same bytes, and is no record with a byte more or less.
pub(crate) fn gov_record(input: &[u8]) {
    let Ok(record) = GovRecord::decode(input) else { return };
    accepted();
    assert_eq!(record.encode(), input);
    assert_eq!(GovRecord::decode(&[input, &[0]].concat()), Err(GovError::TrailingBytes));
    assert_eq!(GovRecord::decode(&input[..input.len() - 1]), Err(GovError::Truncated));
}

/// A signature's blob, or its armor: written back to the same bytes, and nothing may follow it. What is read does not
/// verify, for nobody has signed the message.
pub(crate) fn ssh_signature(input: &[u8]) {
    let armored = str::from_utf8(input).ok().and_then(|text| SshSignature::from_armored(text).ok());
    if let Ok(signature) = SshSignature::from_blob(input) {
        accepted();
        assert_eq!(signature.blob(), input);
        assert_eq!(SshSignature::from_blob(&[input, &[0]].concat()), Err(SshSignatureError::Form));
        assert!(signature.verify("adyton", b"nobody signed this").is_err());
    }
    if let Some(signature) = armored {
        accepted();
        assert_eq!(SshSignature::from_blob(signature.blob()), Ok(signature));
    }
}

/// A key's blob, or its line: each in its one spelling.
pub(crate) fn ssh_key(input: &[u8]) {
    if let Ok(key) = SshPublicKey::from_blob(input) {
        accepted();
        assert_eq!(key.blob(), input);
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    let Ok(line) = str::from_utf8(input) else { return };
    if let Ok(key) = line.parse::<SshPublicKey>() {
        accepted();
        assert!(line.starts_with(&key.to_string()));
    }
}

/// A note, as it came and with its text signed anew, so that what stands before the signature is reached: what opens
/// says what its three lines say, in their one spelling.
pub(crate) fn head(input: &[u8]) {
    let Ok(note) = str::from_utf8(input) else { return };
    let (origin, key) = (origin(&VAULT, OPS), log_key().public_key());
    if let Ok(head) = Head::open(note, &origin, &key) {
        opened(&head, note, &origin);
    }
    let Some(middle) = note.rfind("\n\n") else { return };
    let (text, lines) = (&note[..=middle], &note[middle + 2..]);
    let mut hashed = origin.clone().into_bytes();
    hashed.extend_from_slice(&[0x0A, 0x01]);
    hashed.extend_from_slice(&key);
    let mut signature = adyton_ledger::sha256(&hashed).0[..4].to_vec();
    signature.extend_from_slice(&log_key().sign(text.as_bytes()));
    let mut signed = format!("{text}\n\u{2014} {origin} {}\n", BASE64.encode(&signature));
    let ours = format!("\u{2014} {origin} ");
    let strangers = lines.split_inclusive('\n').filter(|line| !line.starts_with(&ours));
    signed.extend(strangers);
    match Head::open(&signed, &origin, &key) {
        Ok(head) => {
            opened(&head, &signed, &origin);
            let other = adyton_ledger::origin(&VAULT, LogId::GOV);
            assert_eq!(Head::open(&signed, &other, &key), Err(HeadError::Origin));
            assert_eq!(Head::open(&signed, &origin, &[3; 32]), Err(HeadError::NoSignature));
        }
        Err(HeadError::NoSignature | HeadError::Signature) => panic!("the signature is good"),
        Err(_) => {}
    }
}

fn opened(head: &Head, note: &str, origin: &str) {
    accepted();
    assert_eq!(head.origin, origin);
    let signatures = note.strip_prefix(&head.text()).and_then(|rest| rest.strip_prefix('\n'));
    let signatures = signatures.expect("the text is the head's, and an empty line follows");
    assert!(note.len() <= 16 * 1024 && note.chars().all(|c| c == '\n' || !c.is_ascii_control()));
    for line in signatures.lines() {
        // C2SP signed-note: a key name has no Unicode space and no plus; a hash of four bytes comes first.
        let words: Vec<&str> = line.split(char::is_whitespace).collect();
        let [dash, name, signature] = words[..] else { panic!("{line:?} has not three words") };
        assert!(dash == "\u{2014}" && !name.is_empty() && !name.contains('+'), "{line:?}");
        assert!(BASE64.decode(signature.as_bytes()).is_ok_and(|signature| signature.len() > 4), "{line:?}");
    }
}

/// What decodes is written back to the bytes it took, no more than 64 roots, and grows like the tree it stands for.
pub(crate) fn frontier(input: &[u8]) {
    let Ok((mut frontier, taken)) = Frontier::decode(input) else { return };
    accepted();
    let mut again = Vec::new();
    frontier.encode(&mut again);
    assert_eq!(again, input[..taken]);
    assert!(taken <= 9 + 64 * 32);
    assert!(Frontier::decode(&input[..taken - 1]).is_err());
    let size = frontier.size();
    if size < u64::MAX {
        frontier.push(Hash([7; 32]));
        assert_eq!(frontier.size(), size + 1);
        again.clear();
        frontier.encode(&mut again);
        assert_eq!(Frontier::decode(&again), Ok((frontier, again.len())));
    }
}

/// `u8 size || u8 index || u8 old size || hashes`: honest proofs hold, and no other ones do.
pub(crate) fn proof(input: &[u8]) {
    let Some(([size, index, old], hashes)) = input.split_first_chunk() else { return };
    let hashes: Vec<Hash> = hashes.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect();
    let (size, index, old) = (u64::from(size % 66), u64::from(index % 66), u64::from(old % 66));
    let leaf = |number: u64| leaf_hash(&number.to_be_bytes());
    let mut range = |start: u64, end: u64| {
        let mut frontier = Frontier::new();
        (start..end).for_each(|number| frontier.push(leaf(number)));
        frontier.root()
    };
    let root = range(0, size);
    match inclusion_proof(index, size, &mut range) {
        Ok(honest) => {
            accepted();
            assert_eq!(verify_inclusion(&leaf(index), index, size, &honest, &root), Ok(()));
            if hashes != honest {
                assert!(verify_inclusion(&leaf(index), index, size, &hashes, &root).is_err(), "a forged path holds");
            }
        }
        Err(_) => assert!(index >= size),
    }
    let old_root = range(0, old);
    match consistency_proof(old, size, &mut range) {
        Ok(honest) => {
            accepted();
            assert_eq!(verify_consistency(old, &old_root, size, &root, &honest), Ok(()));
            if hashes != honest {
                assert!(verify_consistency(old, &old_root, size, &root, &hashes).is_err(), "a forged proof holds");
            }
        }
        Err(_) => assert!(old > size),
    }
}

/// A tile's path has one spelling, and an independent reading of it names the same tile.
pub(crate) fn tile_path(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(path) = text.parse::<TilePath>() else { return };
    accepted();
    assert_eq!(path.to_string(), text);
    let (kind, rest) = text.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).unwrap();
    match path.kind {
        TileKind::Hashes(level) => assert!(level < 64 && kind == level.to_string(), "{text}"),
        TileKind::Entries => assert_eq!(kind, "entries"),
    }
    let (digits, width) = rest.split_once(".p/").unwrap_or((rest, "256"));
    assert!(width == path.width.to_string() && (1..=256).contains(&path.width), "{text}");
    let elements: Vec<&str> = digits.split('/').collect();
    for (place, element) in elements.iter().enumerate() {
        let last = place + 1 == elements.len();
        assert!(element.len() == if last { 3 } else { 4 } && element.starts_with('x') != last, "{text}");
    }
    assert!(elements.len() == 1 || elements[0] != "x000", "{text} has more than one spelling");
    assert_eq!(digits.replace(['/', 'x'], "").parse(), Ok(path.number));
    // None of this overflows.
    assert!(!path.exists(0));
    let _ = (path.first(), path.exists(u64::MAX));
}

/// A vault id has one spelling.
pub(crate) fn vault_id(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(id) = text.parse::<VaultId>() else { return };
    accepted();
    assert_eq!(id.to_string(), text);
}
