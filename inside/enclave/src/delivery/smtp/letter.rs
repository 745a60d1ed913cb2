//! A letter as a mail (RFC 5322). The code stands in the body only: headers are what servers log.
//!
//! Message-ID and boundary are made from the attempt's SID, so that a letter has the same ones however often, and over
//! whichever route, it is handed over (`docs/spec/07-delivery.md`). They are hashes: a header shows no SID of the vault's.

use std::time::{Duration, UNIX_EPOCH};

use adyton_ledger::sha256;
use adyton_vault::Seconds;
use data_encoding::HEXLOWER;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use zeroize::Zeroizing;

use super::{Failure, Letter};

/// Longest line without its end (RFC 5321 §4.5.3.1.6).
const MAX_LINE: usize = 998;

/// The mail's bytes: ASCII, in lines of at most [`MAX_LINE`], so that no extension of a server's is needed.
pub(super) fn render(
    letter: &Letter,
    from: &Mailbox,
    to: Address,
    now: Seconds,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(letter.subject.as_deref().unwrap_or_default())
        .date(UNIX_EPOCH + Duration::from_secs(now))
        .message_id(Some(format!("<{}@{}>", derived(b"message id", &letter.attempt), from.email.domain())))
        // No vacation notice is to answer (RFC 3834 §5).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()));
    let plain = SinglePart::plain(letter.text.expose().to_owned());
    let message = match &letter.html {
        None => builder.singlepart(plain),
        Some(html) => builder.multipart(
            MultiPart::alternative()
                .boundary(derived(b"boundary", &letter.attempt))
                .singlepart(plain)
                .singlepart(SinglePart::html(html.expose().to_owned())),
        ),
    };
    let message = message.map(|message| Zeroizing::new(message.formatted())).map_err(|_| Failure::NotThisRoute)?;
    is_plain(&message).then_some(message).ok_or(Failure::NotThisRoute)
}

/// 32 hexadecimal digits that are the same for every repeat of an attempt.
fn derived(what: &[u8], attempt: &str) -> String {
    let hash = sha256(&[b"adyton mail ", what, b" v1:", attempt.as_bytes()].concat()).0;
    HEXLOWER.encode(&hash[..16])
}

fn is_plain(message: &[u8]) -> bool {
    let lines = message.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    message.is_ascii() && lines.into_iter().all(|line| line.len() <= MAX_LINE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use adyton_vault::{Part, Text};
    use proptest::prelude::*;

    use super::*;

    fn rendered(letter: &Letter, from: &str) -> Result<String, Failure> {
        let to = letter.to.expose().parse().unwrap();
        let message = render(letter, &from.parse().unwrap(), to, 1_790_000_000)?;
        Ok(String::from_utf8(message.to_vec()).unwrap())
    }

    fn header(mail: &str, name: &str) -> String {
        let line = mail.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap().to_owned()
    }

    #[test]
    fn message_id_and_boundary_come_from_the_attempt() {
        let letter = crate::delivery::tests::letter("person@example.org");
        let mail = rendered(&letter, "codes@example.com").unwrap();
        // SHA-256 of `adyton mail message id v1:VL0123456789abcdef0123456789abcdef`, computed elsewhere.
        assert_eq!(header(&mail, "Message-ID"), "<50e3312f0a6af096e07a3624a2ddd308@example.com>");
        assert_eq!(mail, rendered(&letter, "codes@example.com").unwrap(), "every repeat is the same mail");
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains(&letter.attempt[2..]), "{head}");
        let other = Letter { attempt: "VL0123456789abcdef0123456789abcdee".into(), ..letter };
        assert_ne!(header(&rendered(&other, "codes@example.com").unwrap(), "Message-ID"), header(&mail, "Message-ID"));
    }

    #[test]
    fn a_long_line_is_not_plain() {
        assert!(is_plain(&[b'a'; MAX_LINE]));
        assert!(is_plain(&[&[b'a'; MAX_LINE][..], b"\r\n", &[b'a'; MAX_LINE]].concat()));
        assert!(!is_plain(&[b'a'; MAX_LINE + 1]));
        assert!(!is_plain("ü".as_bytes()));
    }

    proptest! {
        /// The builder picks an encoding that needs nothing of a server, whatever the texts are.
        #[test]
        fn every_mail_is_ascii_in_short_lines(subject in ".{0,200}", text in "(?s).{0,2000}", html in "(?s).{0,2000}") {
            let mut letter = crate::delivery::tests::letter("person@example.org");
            letter.subject = Some(subject);
            letter.text = Text::new(&[Part::Literal(&text)], &letter.code);
            letter.html = Some(Text::new(&[Part::Literal(&html)], &letter.code));
            prop_assert!(rendered(&letter, "Exämple <codes@example.com>").is_ok());
        }
    }
}
