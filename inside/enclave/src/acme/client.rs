//! One conversation with a CA (RFC 8555).
//!
//! Every address that the CA names must be at the policy's host and port: another place is not one that the policy names. What
//! it says is public, and is believed only as far as a certificate that it gives holds ([`crate::public`]).

use std::fmt;

use adyton_seal::{EcdsaKey, Opaque};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::jws;
use crate::egress::http::{Answer, Connection};
use crate::egress::{EgressError, Endpoint};

/// Longest address of an account.
const LONGEST_ADDRESS: usize = 1024;
/// Wait between two looks at what the CA is about.
const PAUSE: Duration = Duration::from_secs(2);
/// Looks until it must have come to an end: four minutes.
const LOOKS: usize = 120;
/// Times that a request is made anew because its nonce was too old.
const TRIES: usize = 3;

/// Why there is no certificate. All of it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeError {
    /// The CA cannot be spoken with.
    Egress(EgressError),
    /// It names an address that is not at its host, or none.
    Address,
    /// What it says is not what the protocol allows; says where.
    Form(&'static str),
    /// It refused; its word for the reason (RFC 8555 §6.7).
    Refused(String),
    /// It offers no challenge that is answered inside.
    Challenge,
    /// It did not come to an end in time.
    Slow,
    /// A key could not be made, sealed or opened.
    Key,
    /// What it gave does not hold.
    Certificate(crate::public::PublicCertificateError),
    /// It is not for all of the public names.
    Names,
    /// Two thirds of the certificate's life are over already.
    Life,
    /// Another vault writes the public log.
    Fenced,
}

impl fmt::Display for AcmeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Egress(error) => write!(f, "the CA: {error}"),
            Self::Address => f.write_str("the CA names an address that is not at its host"),
            Self::Form(place) => write!(f, "the CA: {place}: not what the protocol allows"),
            Self::Refused(reason) => write!(f, "the CA refused: {reason}"),
            Self::Challenge => f.write_str("the CA offers no tls-alpn-01"),
            Self::Slow => f.write_str("the CA did not come to an end in time"),
            Self::Key => f.write_str("a key could not be made or opened"),
            Self::Certificate(error) => error.fmt(f),
            Self::Names => f.write_str("the CA's certificate is not for all public names"),
            Self::Life => f.write_str("the CA's certificate would have to be renewed at once"),
            Self::Fenced => f.write_str("another vault writes the public log"),
        }
    }
}

impl std::error::Error for AcmeError {}

impl From<EgressError> for AcmeError {
    fn from(error: EgressError) -> Self {
        Self::Egress(error)
    }
}

impl From<Opaque> for AcmeError {
    fn from(_: Opaque) -> Self {
        Self::Key
    }
}

/// Where a CA is, and how its addresses begin.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    /// `https://HOST` or `https://HOST:PORT`.
    pub(super) origins: Vec<String>,
    /// Path of the directory.
    pub(super) directory: String,
}

impl Place {
    /// The path of an address, if it is here.
    pub(super) fn path<'a>(&self, address: &'a str) -> Result<&'a str, AcmeError> {
        let plain =
            |path: &&str| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let path = self.origins.iter().find_map(|origin| address.strip_prefix(&origin[..]).filter(plain));
        path.ok_or(AcmeError::Address)
    }
}

/// A conversation under one account, or under a key that has none yet.
pub(super) struct Conversation<'a> {
    place: &'a Place,
    key: &'a EcdsaKey,
    account: Option<String>,
    connection: Connection,
    nonce: Option<String>,
    new_nonce: String,
    new_account: String,
    new_order: String,
}

/// What a list of names needs before it is certified.
pub(super) struct Order {
    pub(super) address: String,
    pub(super) authorizations: Vec<String>,
    pub(super) finalize: String,
}

/// A challenge that proves control of a name.
pub(super) struct Challenge {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) token: String,
}

impl<'a> Conversation<'a> {
    /// Reads the CA's directory.
    pub(super) async fn begin(place: &'a Place, key: &'a EcdsaKey, account: Option<String>) -> Result<Self, AcmeError> {
        let mut connection = Connection::open(&place.endpoint).await?;
        let answer = connection.get(&place.directory, headers()).await?;
        let directory = body(&answer)?;
        let address = |name: &'static str| text(&directory, name).map(str::to_owned);
        let (new_nonce, new_account, new_order) = (address("newNonce")?, address("newAccount")?, address("newOrder")?);
        Ok(Self { place, key, account, connection, nonce: None, new_nonce, new_account, new_order })
    }

    /// The account of this key, which is made if there is none: its address.
    pub(super) async fn account(&mut self, contact: Option<&str>) -> Result<String, AcmeError> {
        let mut payload = json!({ "termsOfServiceAgreed": true });
        if let Some(contact) = contact {
            payload["contact"] = json!([format!("mailto:{contact}")]);
        }
        let answer = self.post(&self.new_account.clone(), Some(&payload)).await?;
        let address = located(&answer)?;
        self.place.path(&address)?;
        self.account = Some(address.clone());
        Ok(address)
    }

    /// Asks for a certificate of these names.
    pub(super) async fn order(&mut self, names: &[String]) -> Result<Order, AcmeError> {
        let names: Vec<Value> = names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let answer = self.post(&self.new_order.clone(), Some(&json!({ "identifiers": names }))).await?;
        let (address, order) = (located(&answer)?, body(&answer)?);
        let authorizations = order["authorizations"].as_array().ok_or(AcmeError::Form("authorizations"))?;
        // One for each name (RFC 8555 §7.1.3).
        if authorizations.len() > names.len() {
            return Err(AcmeError::Form("authorizations"));
        }
        let authorizations = authorizations.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Order { address, authorizations, finalize: text(&order, "finalize")?.to_owned() })
    }

    /// The challenge of an authorization that is still open; `None` if it is not.
    pub(super) async fn challenge(&mut self, authorization: &str) -> Result<Option<Challenge>, AcmeError> {
        let authorization = body(&self.post(authorization, None).await?)?;
        if text(&authorization, "status")? == "valid" {
            return Ok(None);
        }
        let challenges = authorization["challenges"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours = challenges.iter().find(|challenge| challenge["type"] == "tls-alpn-01");
        let ours = ours.ok_or(AcmeError::Challenge)?;
        Ok(Some(Challenge {
            name: text(&authorization["identifier"], "value")?.to_ascii_lowercase(),
            address: text(ours, "url")?.to_owned(),
            token: text(ours, "token")?.to_owned(),
        }))
    }

    /// Says that a challenge's answer is there, and waits until its authorization is valid.
    pub(super) async fn prove(&mut self, challenge: &Challenge, authorization: &str) -> Result<(), AcmeError> {
        self.post(&challenge.address, Some(&json!({}))).await?;
        let authorization = self.until_over(authorization).await?;
        let reason = authorization["challenges"].as_array().into_iter().flatten();
        let reason = reason.filter_map(|challenge| challenge["error"]["type"].as_str()).next();
        match text(&authorization, "status")? {
            "valid" => Ok(()),
            status => Err(AcmeError::Refused(word(reason.unwrap_or(status)))),
        }
    }

    /// Hands the request in, and fetches what was signed, in PEM.
    pub(super) async fn finalize(&mut self, order: &Order, request: &[u8]) -> Result<String, AcmeError> {
        let csr = data_encoding::BASE64URL_NOPAD.encode(request);
        self.post(&order.finalize, Some(&json!({ "csr": csr }))).await?;
        let done = self.until_over(&order.address).await?;
        match text(&done, "status")? {
            "valid" => {}
            status => return Err(AcmeError::Refused(word(done["error"]["type"].as_str().unwrap_or(status)))),
        }
        let answer = self.post(text(&done, "certificate")?, None).await?;
        String::from_utf8(answer.body.to_vec()).map_err(|_| AcmeError::Form("the certificate"))
    }

    /// What an order or authorization says once it is neither pending nor processing.
    async fn until_over(&mut self, address: &str) -> Result<Value, AcmeError> {
        for _ in 0..LOOKS {
            let now = body(&self.post(address, None).await?)?;
            if !matches!(text(&now, "status")?, "pending" | "ready" | "processing") {
                return Ok(now);
            }
            sleep(PAUSE).await;
        }
        Err(AcmeError::Slow)
    }

    async fn post(&mut self, address: &str, payload: Option<&Value>) -> Result<Answer, AcmeError> {
        let path = self.place.path(address)?.to_owned();
        for _ in 0..TRIES {
            let nonce = match self.nonce.take() {
                Some(nonce) => nonce,
                None => self.fresh_nonce().await?,
            };
            let signed = jws::signed(self.key, self.account.as_deref(), (&nonce, address), payload)?;
            self.reconnect().await?;
            let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/jose+json"))];
            let answer = self.connection.post(&path, headers().into_iter().chain(kind), Bytes::from(signed)).await?;
            self.nonce = nonce_of(&answer);
            if answer.status.is_success() {
                return Ok(answer);
            }
            let problem = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
            let reason = word(problem["type"].as_str().unwrap_or(answer.status.as_str()));
            if reason != "badNonce" {
                return Err(AcmeError::Refused(reason));
            }
        }
        Err(AcmeError::Form("nonces"))
    }

    async fn fresh_nonce(&mut self) -> Result<String, AcmeError> {
        let path = self.place.path(&self.new_nonce)?.to_owned();
        self.reconnect().await?;
        let answer = self.connection.get(&path, headers()).await?;
        nonce_of(&answer).ok_or(AcmeError::Form("nonces"))
    }

    async fn reconnect(&mut self) -> Result<(), AcmeError> {
        if self.connection.is_closed() {
            self.connection = Connection::open(&self.place.endpoint).await?;
        }
        Ok(())
    }
}

fn headers() -> [(HeaderName, HeaderValue); 1] {
    [(USER_AGENT, HeaderValue::from_static(concat!("adyton/", env!("CARGO_PKG_VERSION"))))]
}

fn nonce_of(answer: &Answer) -> Option<String> {
    let nonce = answer.headers.get("replay-nonce")?.to_str().ok()?;
    nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_').then(|| nonce.to_owned())
}

fn located(answer: &Answer) -> Result<String, AcmeError> {
    let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    // It is kept in the public log for ever, and printed into a record of the DNS.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?=&%+".contains(&byte);
    let location = location.filter(|location| location.len() <= LONGEST_ADDRESS && location.bytes().all(plain));
    location.map(str::to_owned).ok_or(AcmeError::Form("location"))
}

fn body(answer: &Answer) -> Result<Value, AcmeError> {
    serde_json::from_slice(&answer.body).map_err(|_| AcmeError::Form("an answer"))
}

fn text<'a>(value: &'a Value, name: &'static str) -> Result<&'a str, AcmeError> {
    value[name].as_str().ok_or(AcmeError::Form(name))
}

/// The last part of a problem's type, as far as it is a word: what a CA says is not passed on as it is.
fn word(kind: &str) -> String {
    let last = kind.rsplit(':').next().unwrap_or_default();
    last.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_transport::Address;

    use super::*;
    use crate::egress::{AnswerBudget, Trust};

    #[tokio::test]
    async fn a_ca_that_does_not_end_its_answer_is_cut_off() {
        use crate::egress::played::{Begins, Flood, HTTP, NAME};
        for (first, again) in HTTP {
            let flood = Flood::start(Begins::AskedInTls, first, again);
            let endpoint = Endpoint::new(NAME, 443, &flood.trust, flood.service.clone(), AnswerBudget::CA).unwrap();
            let place = Place { endpoint, origins: Vec::new(), directory: "/directory".into() };
            let key = EcdsaKey::generate().unwrap();
            let refused = Conversation::begin(&place, &key, None).await.err();
            assert_eq!(refused, Some(AcmeError::Egress(EgressError::TooLong)), "{}", first.escape_ascii());
            flood.assert_bounded(AnswerBudget::CA);
        }
    }

    #[test]
    fn a_cas_addresses_are_at_its_host() {
        let service = Address::Unix("host.sock".into());
        let endpoint = Endpoint::new("acme.example", 443, &Trust::PublicRoots, service, AnswerBudget::CA).unwrap();
        let origins = vec!["https://acme.example".into(), "https://acme.example:443".into()];
        let place = Place { endpoint, origins, directory: "/directory".into() };
        assert_eq!(place.path("https://acme.example/acct/1"), Ok("/acct/1"));
        assert_eq!(place.path("https://acme.example:443/a?b=c"), Ok("/a?b=c"));
        for address in [
            "https://acme.example",
            "https://acme.example.evil.net/a",
            "https://acme.example@evil.net/a",
            "https://acme.example:8443/a",
            "https://evil.net/acme.example/a",
            "http://acme.example/a",
            "https://acme.example/a b",
            "https://acme.example/a\r\nHost: evil",
            "/a",
            "",
        ] {
            assert_eq!(place.path(address), Err(AcmeError::Address), "{address}");
        }
    }

    /// It goes into the public log for ever, which reads no field beyond its limit, and into a record of the DNS.
    #[test]
    fn an_accounts_address_is_short_and_plain() {
        let located = |location: &str| {
            let headers = [(LOCATION, HeaderValue::from_str(location).unwrap())].into_iter().collect();
            located(&Answer { status: hyper::StatusCode::OK, headers, body: Bytes::new() })
        };
        assert!(located("https://acme.example/acme/acct/1?x=%20~").is_ok());
        for refused in ["https://acme.example/a\"b", "https://acme.example/a;b", "https://acme.example/a b"] {
            assert_eq!(located(refused), Err(AcmeError::Form("location")), "{refused}");
        }
        assert!(located(&"a".repeat(LONGEST_ADDRESS)).is_ok());
        assert_eq!(located(&"a".repeat(LONGEST_ADDRESS + 1)), Err(AcmeError::Form("location")));
    }

    #[test]
    fn a_reason_is_a_word() {
        assert_eq!(word("urn:ietf:params:acme:error:caa"), "caa");
        assert_eq!(word("403"), "403");
        assert_eq!(word("<script>\n\"x\""), "scriptx");
        assert_eq!(word(&"x".repeat(100)).len(), 40);
    }
}
