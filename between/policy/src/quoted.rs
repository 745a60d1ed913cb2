//! Texts of others in a line of words: a difference or an error stays one line, and shows what it quotes, wherever it is printed.

use std::borrow::Cow;

/// A text, quoted and escaped unless it is printable ASCII.
pub fn quoted(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) { text.into() } else { format!("{text:?}").into() }
}

/// A key of TOML, quoted unless it may stand bare there. A dot of its own does not look like one between two keys.
pub(crate) fn quoted_key(key: &str) -> Cow<'_, str> {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(is_bare) { key.into() } else { format!("{key:?}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ends a line, moves a cursor or turns the direction around.
    pub(crate) const HOSTILE: [&str; 5] = ["a\nb", "\u{1B}[1A\u{1B}[2Kx", "a\u{202E}b", "a\u{2028}b", "a\rb\u{85}"];

    #[test]
    fn what_is_not_plain_is_quoted() {
        for (text, as_text, as_key) in [
            ("mail-1_a", "mail-1_a", "mail-1_a"),
            ("", "", "\"\""),
            ("a.b", "a.b", "\"a.b\""),
            ("ssh-ed25519 AAAA anna", "ssh-ed25519 AAAA anna", "\"ssh-ed25519 AAAA anna\""),
            ("Müller", "\"Müller\"", "\"Müller\""),
            ("a\nb", "\"a\\nb\"", "\"a\\nb\""),
        ] {
            assert_eq!((&*quoted(text), &*quoted_key(text)), (as_text, as_key));
        }
        for text in HOSTILE {
            assert!(quoted(text).bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
            assert_eq!(quoted(text), quoted_key(text));
        }
    }
}
