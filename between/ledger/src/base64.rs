//! Base64 (RFC 4648 §4, with padding) in its one form.

use alloc::vec::Vec;

use data_encoding::BASE64;

/// What a text says. The decoder alone would take several padded texts, one after the other, as well.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
    BASE64.decode(text).ok().filter(|_| text[padding..].iter().all(|byte| *byte == b'='))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn there_is_one_form() {
        assert_eq!(decode(b"Zm8=").as_deref(), Some(&b"fo"[..]));
        assert_eq!(decode(b"").as_deref(), Some(&b""[..]));
        for refused in [&b"Zg==Zm8="[..], b"Zm8=Zm9v", b"Zm8", b"Zm9=", b"Zm8=\n", b"Zm8==", b"="] {
            assert_eq!(decode(refused), None, "{refused:?}");
        }
    }
}
