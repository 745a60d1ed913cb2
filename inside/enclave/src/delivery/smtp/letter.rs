//! A letter as a mail (RFC 5322). The code stands in the body only: headers are what servers log.

use std::time::{Duration, UNIX_EPOCH};

use adyton_vault::Seconds;
use data_encoding::HEXLOWER;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use zeroize::Zeroizing;

use super::{Failure, Letter};

/// The mail's bytes.
pub(super) fn render(
    letter: &Letter,
    from: &Mailbox,
    to: Address,
    now: Seconds,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let random = || adyton_seal::random::<16>().map(|bytes| HEXLOWER.encode(&bytes)).map_err(|_| Failure::Busy(None));
    let builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(letter.subject.as_deref().unwrap_or_default())
        .date(UNIX_EPOCH + Duration::from_secs(now))
        .message_id(Some(format!("<{}@{}>", random()?, from.email.domain())))
        // No vacation notice is to answer (RFC 3834 §5).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()));
    let plain = SinglePart::plain(letter.text.expose().to_owned());
    let message = match &letter.html {
        None => builder.singlepart(plain),
        Some(html) => builder.multipart(
            MultiPart::alternative()
                .boundary(random()?)
                .singlepart(plain)
                .singlepart(SinglePart::html(html.expose().to_owned())),
        ),
    };
    message.map(|message| Zeroizing::new(message.formatted())).map_err(|_| Failure::NotThisRoute)
}
