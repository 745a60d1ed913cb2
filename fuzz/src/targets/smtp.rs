//! What mail servers say: `adyton-enclave`.

use adyton_enclave::delivery::{MAX_LINES, MAX_TEXT, Reply, ReplyReader};

use crate::accepted;

pub(crate) const REPLIES: &[&[u8]] = &[
    b"250 ",
    b"250-",
    b"250\t",
    b"250\r\n",
    b"250\n",
    b"220 mail ESMTP\r\n",
    b"550 5.1.1 ",
    b"554 5.2.252 SendAsDenied\r\n",
    b"(#5.7.1)",
    b"AUTH PLAIN LOGIN\r\n",
    b"STARTTLS\r\n",
    b"\r",
    b"\n",
    b"\xE4",
    b"\x00",
];

/// The first reply, and how many bytes it takes.
fn read(input: &[u8]) -> Option<(Reply, usize)> {
    let mut reader = ReplyReader::default();
    for (at, byte) in input.iter().enumerate() {
        let known = reader.code_so_far();
        match reader.push(*byte) {
            Ok(None) => {}
            Ok(Some(reply)) => {
                assert!(known.is_none_or(|code| code == reply.code), "{known:?}, then {}", reply.code);
                return Some((reply, at + 1));
            }
            Err(_) => return None,
        }
    }
    None
}

/// A reply is bounded, ends where it ends whatever follows, and written plainly it is read as the same reply.
pub(crate) fn reply(input: &[u8]) {
    let Some((reply, length)) = read(input) else { return };
    accepted();
    assert!((200..600).contains(&reply.code));
    assert!((1..=MAX_LINES).contains(&reply.lines.len()));
    assert!(reply.lines.iter().all(|line| line.len() <= MAX_TEXT && !line.contains(&b'\n')));
    assert_eq!(read(&input[..length - 1]), None);
    assert_eq!(read(&[&input[..length], b"250 ok\r\n"].concat()), Some((reply.clone(), length)));
    let mut plain = Vec::new();
    for (at, line) in reply.lines.iter().enumerate() {
        let separator = if at + 1 == reply.lines.len() { ' ' } else { '-' };
        plain.extend_from_slice(format!("{}{separator}", reply.code).as_bytes());
        plain.extend_from_slice(&[line, &b"\r\n"[..]].concat());
    }
    if let Some((class, subject, detail)) = reply.enhanced() {
        assert!(class == reply.code / 100 && subject < 1000 && detail < 1000);
    }
    assert!(reply.offers().flatten().all(|word| !word.is_empty() && word == word.to_ascii_uppercase()));
    assert_eq!(read(&plain), Some((reply, plain.len())));
}
