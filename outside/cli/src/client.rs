//! Requests to one vault, and its refusals. Owners' and tenants' commands get a client by `trust`, which appraises evidence, and
//! wait if the vault asks them to (`patience`); `up` and the drill trust this machine, on which they started the vault, and take
//! every answer as it is.

use std::fmt;
use std::net::SocketAddr;

use adyton_api::ErrorBody;
use adyton_client::{ClientError, Request};
use bytes::Bytes;

use crate::patience::Patience;

type Error = Box<dyn std::error::Error>;

/// Speaks with one vault.
pub(crate) struct Client {
    sender: adyton_client::Client,
    /// `None` takes every answer as it is.
    patience: Option<Patience>,
}

/// What a vault answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// Whether the request was sent before and answered with 503: it may have been carried out then.
    pub(crate) is_repeated: bool,
}

impl Client {
    /// For a vault that this process started: trusts its CA (DER) and asks for no evidence.
    pub(crate) fn new(address: SocketAddr, ca: &[u8]) -> Result<Self, Error> {
        let sender = adyton_client::Client::trusting_the_operator(address.into(), ca)?;
        Ok(Self { sender, patience: None })
    }

    /// Waits and tries again if the vault asks for that.
    pub(crate) fn patient(sender: adyton_client::Client, patience: Patience) -> Self {
        Self { sender, patience: Some(patience) }
    }

    /// One request: status and body of the answer.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<(u16, Bytes), Error> {
        let Answer { status, body, is_repeated } = self.ask(method, path, headers, body).await?;
        if is_repeated && (400..500).contains(&status) {
            eprintln!("adyton: the vault answered 503 before this: it may have carried out the request then");
        }
        Ok((status, body))
    }

    /// The same, and whether the request may have been carried out before.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, Error> {
        let request = Request { method, path, headers, body: body.into() };
        let mut is_repeated = false;
        loop {
            match (self.sender.send(&request).await, &self.patience) {
                (Ok(answer), Some(patience)) if patience.waits(answer.status, answer.retry_after).await => {
                    // Of a 429 nothing happened.
                    is_repeated |= answer.status == 503;
                }
                (Ok(answer), _) => return Ok(Answer { status: answer.status, body: answer.body, is_repeated }),
                // It was the evidence for another connection that was refused: the request has not left.
                (Err(error), Some(patience)) if patience.waits_for(&error).await => {}
                // One of 503 may have been carried out, whatever became of its repetition.
                (Err(error), _) if is_repeated && !matches!(error, ClientError::OutcomeUnknown(_)) => {
                    return Err(ClientError::OutcomeUnknown(Box::new(error)).into());
                }
                (Err(error), _) => return Err(error.into()),
            }
        }
    }
}

/// What the vault answered in place of what was asked for.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The HTTP status.
    pub(crate) status: u16,
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// Whether the request was answered with 503 before.
    is_repeated: bool,
}

impl Refused {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let message = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(error) => format!("the vault answered {status} ({}): {}", error.code, indented(&error.message)),
            Err(_) => format!("the vault answered {status}: {}", indented(&String::from_utf8_lossy(body))),
        };
        Self { status, message, hint: None, is_repeated: false }
    }

    pub(crate) fn of(answer: &Answer) -> Self {
        Self { is_repeated: answer.is_repeated, ..Self::new(answer.status, &answer.body) }
    }

    /// Whether nothing happened; of a fault on the vault's side that is not known.
    pub(crate) fn is_final(&self) -> bool {
        (400..500).contains(&self.status) && !self.is_repeated
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n{hint}"))
    }
}

impl std::error::Error for Refused {}

/// A text of the server's whose further lines do not look like the command's own.
fn indented(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("\n    ")
}

/// A failure on this side of the connection, before a request left.
#[derive(Debug)]
pub(crate) struct Unsent(pub(crate) Error);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unsent {}

/// Whether it is known that nothing happened: no request left, or the vault has refused it.
pub(crate) fn nothing_happened(error: &Error) -> bool {
    let unsent = |error: &ClientError| !matches!(error, ClientError::OutcomeUnknown(_));
    error.is::<Unsent>()
        || error.downcast_ref().is_some_and(unsent)
        || error.downcast_ref().is_some_and(Refused::is_final)
}

/// Says what to do about a refusal with this status.
pub(crate) fn hinted(error: Error, status: u16, hint: &str) -> Error {
    match error.downcast::<Refused>() {
        Ok(mut refused) if refused.status == status => {
            refused.hint = Some(hint.into());
            refused
        }
        Ok(refused) => refused,
        Err(error) => error,
    }
}

/// The body of an answer with this status.
pub(crate) fn expect(status: u16, (got, body): (u16, Bytes)) -> Result<Bytes, Error> {
    if got == status { Ok(body) } else { Err(Refused::new(got, &body).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_lines_of_a_refusal_are_indented() {
        let body = br#"{"code": 1, "message": "a\nadyton: done", "more_info": "", "status": 400}"#;
        assert_eq!(Refused::new(400, body).to_string(), "the vault answered 400 (1): a\n    adyton: done");
        assert_eq!(Refused::new(502, b"a\r\nb\n").to_string(), "the vault answered 502: a\n    b");
    }

    #[test]
    fn only_what_was_sent_and_not_refused_may_have_happened() {
        let unknown = || ClientError::OutcomeUnknown(Box::new(ClientError::TimedOut));
        let repeated = Answer { status: 409, body: Bytes::new(), is_repeated: true };
        let errors: [(Error, bool); 8] = [
            (Box::new(Refused::of(&repeated)), false),
            (Box::new(Unsent("no key".into())), true),
            (Box::new(ClientError::TimedOut), true),
            (Box::new(Refused::new(409, b"{}")), true),
            (Box::new(Refused::new(500, b"")), false),
            (Box::new(Refused::new(302, b"")), false),
            (Box::new(unknown()), false),
            ("whatever else".into(), false),
        ];
        for (error, nothing) in errors {
            assert_eq!(nothing_happened(&error), nothing, "{error:?}");
        }
        assert_eq!(Unsent(Box::new(unknown())).to_string(), unknown().to_string());
    }
}
