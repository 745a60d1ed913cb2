//! Requests to one vault, and its refusals. Owners' and tenants' commands get a client by `trust`, which appraises evidence;
//! `up` and the drill trust this machine, on which they started the vault.

use std::fmt;
use std::net::SocketAddr;

use adyton_api::ErrorBody;
use adyton_client::{ClientError, Request};
use bytes::Bytes;

type Error = Box<dyn std::error::Error>;

/// Speaks with one vault.
pub(crate) struct Client(adyton_client::Client);

impl From<adyton_client::Client> for Client {
    fn from(client: adyton_client::Client) -> Self {
        Self(client)
    }
}

impl Client {
    /// For a vault that this process started: trusts its CA (DER) and asks for no evidence.
    pub(crate) fn new(address: SocketAddr, ca: &[u8]) -> Result<Self, Error> {
        Ok(Self(adyton_client::Client::trusting_the_operator(address.into(), ca)?))
    }

    /// One request: status and body.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<(u16, Bytes), Error> {
        let answer = self.0.send(&Request { method, path, headers, body: body.into() }).await?;
        Ok((answer.status, answer.body))
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
}

impl Refused {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let message = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(error) => format!("the vault answered {status} ({}): {}", error.code, error.message),
            Err(_) => format!("the vault answered {status}: {}", String::from_utf8_lossy(body)),
        };
        Self { status, message, hint: None }
    }

    /// Whether nothing happened; of a fault on the vault's side that is not known.
    pub(crate) fn is_final(&self) -> bool {
        (400..500).contains(&self.status)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n{hint}"))
    }
}

impl std::error::Error for Refused {}

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
    fn only_what_was_sent_and_not_refused_may_have_happened() {
        let unknown = || ClientError::OutcomeUnknown(Box::new(ClientError::TimedOut));
        let errors: [(Error, bool); 7] = [
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
