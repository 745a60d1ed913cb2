//! A message as DATA carries it (RFC 5321 §4.5.2, §2.3.8).
//!
//! 1. Every line ends with CRLF, the last one too: a lone CR or LF, by which two servers could disagree where a message ends,
//!    becomes one;
//! 2. a line that begins with a point gets another one in front.
//!
//! The final point is not part of it: its sender has to know that from then on the message may have been taken.

use zeroize::Zeroizing;

/// The message's lines.
pub(super) fn stuffed(message: &[u8]) -> Zeroizing<Vec<u8>> {
    // At most two bytes for each one, and a line end: it never grows and leaves no copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(2 * message.len() + 2));
    let mut line_begins = true;
    let mut bytes = message.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            // 1.
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if_eq(&b'\n');
                }
                out.extend_from_slice(b"\r\n");
                line_begins = true;
                continue;
            }
            // 2.
            b'.' if line_begins => out.extend_from_slice(b".."),
            _ => out.push(byte),
        }
        line_begins = false;
    }
    if !line_begins {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn points_are_doubled_at_the_beginning_of_lines_only() {
        for (message, expected) in [
            (&b""[..], &b""[..]),
            (b".", b"..\r\n"),
            (b"a.b\r\n.\r\n..c\r\n", b"a.b\r\n..\r\n...c\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
            (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n"),
            (b"a\r\r\n.b", b"a\r\n\r\n..b\r\n"),
        ] {
            assert_eq!(*stuffed(message), expected, "{}", message.escape_ascii());
        }
    }

    /// What a server makes of a message and what follows it: it looks for `ends`, and undoes points.
    fn received(wire: &[u8], ends: &[u8]) -> Vec<u8> {
        let end = wire.windows(ends.len()).position(|bytes| bytes == ends).unwrap();
        let mut message = Vec::new();
        for line in wire[..end].split_inclusive(|byte| *byte == b'\n') {
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        message
    }

    proptest! {
        #[test]
        fn every_server_sees_one_message_and_the_same(
            message in prop::collection::vec(prop::sample::select(&b".\r\nab"[..]), 0..40)
        ) {
            let wire = [b"\r\n", &stuffed(&message)[..], b".\r\n"].concat();
            // The lines, however they ended.
            let text = String::from_utf8(message).unwrap().replace("\r\n", "\n").replace('\r', "\n");
            let mut expected = text.replace('\n', "\r\n");
            if !expected.is_empty() && !expected.ends_with("\r\n") {
                expected += "\r\n";
            }
            prop_assert_eq!(received(&wire, b"\r\n.\r\n"), [b"\r\n", expected.as_bytes()].concat()[..expected.len()].to_vec());
            // Nobody finds an end before that one, whatever line ends he believes in.
            for ends in [&b"\n.\n"[..], b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r"] {
                let found = wire.windows(ends.len()).position(|bytes| bytes == ends);
                prop_assert!(found.is_none_or(|at| at + 6 >= wire.len()), "{}", wire.escape_ascii());
            }
        }
    }
}
