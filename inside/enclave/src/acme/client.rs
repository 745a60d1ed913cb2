//! One conversation with a CA (RFC 8555).
//!
//! 1. every address that the CA names must be at the policy's host and port: the policy names no other place. What the CA
//!    says is public, and is believed only as far as a certificate that it gives holds ([`crate::public`]);
//! 2. a request whose nonce is refused is signed anew with the nonce that came with the refusal (§6.5), [`MAX_NONCES`] times;
//! 3. a temporary refusal ([`retry::is_temporary`]) is repeated after the time of `Retry-After`, at most [`LONGEST_PAUSE`], and as
//!    often in a conversation as [`PAUSES`] has entries. Beyond that the conversation ends with [`AcmeError::Busy`], which names
//!    the time to wait;
//! 4. polling waits as `Retry-After` says, else [`POLL_INTERVAL`], and ends after [`POLL_TIMEOUT`].

use adyton_seal::EcdsaKey;
use bytes::Bytes;
use hyper::header::{HeaderMap, LOCATION};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::error::AcmeError;
use super::external::ExternalAccount;
use super::transport::Transport;
use super::{jws, retry};
use crate::clock::Clock;
use crate::egress::http::Answer;

/// Longest address of an account or an order.
const LONGEST_ADDRESS: usize = 1024;
/// Polling interval, unless the CA names another one.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Longest time that one order or authorization is polled for.
const POLL_TIMEOUT: Duration = Duration::from_secs(600);
/// Most nonces that one request is signed with. A CA that refuses every second one refuses as many in a row once in a million.
pub(super) const MAX_NONCES: usize = 20;
/// Waits after temporary answers without `Retry-After`, in seconds; as many as a conversation makes.
const PAUSES: [u64; 5] = [5, 10, 20, 40, 60];
/// Longest wait within a conversation, in seconds.
const LONGEST_PAUSE: u64 = 60;

/// Where a CA is, and how its addresses begin.
pub(super) struct Place {
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
pub(super) struct Conversation<'a, T> {
    place: &'a Place,
    key: &'a EcdsaKey,
    account: Option<String>,
    transport: &'a mut T,
    clock: &'a Clock,
    nonce: Option<String>,
    pauses: usize,
    new_nonce: String,
    new_account: String,
    new_order: String,
}

/// An order, as the CA shows it.
pub(super) struct Order {
    pub(super) address: String,
    status: String,
    names: Vec<String>,
    pub(super) authorizations: Vec<String>,
    finalize: String,
    certificate: Option<String>,
    error: Option<String>,
}

/// What is to be done with an order.
pub(super) enum Step {
    /// Prove the names.
    Prove,
    /// Hand in the request.
    Finalize,
    /// Wait.
    Wait,
    /// Fetch the certificate.
    Fetch,
}

/// A challenge that proves control of a name.
pub(super) struct Challenge {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) token: String,
}

impl Order {
    fn read(address: String, order: &Value) -> Result<Self, AcmeError> {
        let list = |name: &'static str| order[name].as_array().ok_or(AcmeError::Form(name));
        let names = list("identifiers")?.iter().map(|name| text(name, "value").map(str::to_ascii_lowercase));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let authorizations: Vec<_> =
            list("authorizations")?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        // One for each name (RFC 8555 §7.1.3).
        if authorizations.len() > names.len() {
            return Err(AcmeError::Form("authorizations"));
        }
        Ok(Self {
            address,
            status: text(order, "status")?.to_owned(),
            names,
            authorizations,
            finalize: text(order, "finalize")?.to_owned(),
            certificate: order["certificate"].as_str().map(str::to_owned),
            error: order["error"]["type"].as_str().map(word),
        })
    }

    /// Whether it is for these names and no others.
    pub(super) fn is_for(&self, names: &[String]) -> bool {
        self.names.len() == names.len() && names.iter().all(|name| self.names.contains(name))
    }

    /// By its status (RFC 8555 §7.1.6).
    ///
    /// # Errors
    /// [`AcmeError::Refused`] if it has failed.
    pub(super) fn step(&self) -> Result<Step, AcmeError> {
        Ok(match &self.status[..] {
            "pending" => Step::Prove,
            "ready" => Step::Finalize,
            "processing" => Step::Wait,
            "valid" => Step::Fetch,
            status => return Err(AcmeError::Refused(self.error.clone().unwrap_or_else(|| word(status)))),
        })
    }
}

impl<'a, T: Transport> Conversation<'a, T> {
    /// Reads the CA's directory.
    pub(super) async fn begin(
        place: &'a Place,
        (key, account): (&'a EcdsaKey, Option<String>),
        (transport, clock): (&'a mut T, &'a Clock),
    ) -> Result<Self, AcmeError> {
        let (nonce, pauses, none) = (None, 0, String::new);
        let (new_nonce, new_account, new_order) = (none(), none(), none());
        let mut begun =
            Self { place, key, account, transport, clock, nonce, pauses, new_nonce, new_account, new_order };
        let directory = body(&begun.get(&place.directory).await?)?;
        let address = |name: &'static str| text(&directory, name).map(str::to_owned);
        (begun.new_nonce, begun.new_account, begun.new_order) =
            (address("newNonce")?, address("newAccount")?, address("newOrder")?);
        Ok(begun)
    }

    /// The account of this key, which is made if there is none: its address.
    pub(super) async fn account(
        &mut self,
        contact: Option<&str>,
        external: Option<&ExternalAccount>,
    ) -> Result<String, AcmeError> {
        let address = self.new_account.clone();
        let mut payload = json!({ "termsOfServiceAgreed": true });
        if let Some(contact) = contact {
            payload["contact"] = json!([format!("mailto:{contact}")]);
        }
        if let Some(external) = external {
            payload["externalAccountBinding"] = jws::binding(self.key, external, &address);
        }
        let account = located(&self.post(&address, Some(&payload)).await?)?;
        self.place.path(&account)?;
        self.account = Some(account.clone());
        Ok(account)
    }

    /// Asks for a certificate of these names.
    pub(super) async fn place_order(&mut self, names: &[String]) -> Result<Order, AcmeError> {
        let names: Vec<Value> = names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let answer = self.post(&self.new_order.clone(), Some(&json!({ "identifiers": names }))).await?;
        let address = located(&answer)?;
        self.place.path(&address)?;
        Order::read(address, &body(&answer)?)
    }

    /// An order as it is now.
    pub(super) async fn order(&mut self, address: &str) -> Result<Order, AcmeError> {
        Order::read(address.to_owned(), &body(&self.post(address, None).await?)?)
    }

    /// The challenge of an authorization that is still open; `None` if it is not.
    pub(super) async fn challenge(&mut self, authorization: &str) -> Result<Option<Challenge>, AcmeError> {
        let authorization = body(&self.post(authorization, None).await?)?;
        match text(&authorization, "status")? {
            "valid" => return Ok(None),
            "pending" | "processing" => {}
            _ => return Err(failed(&authorization)),
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

    /// Tells the CA that a challenge's answer is there, and waits until its authorization is valid.
    pub(super) async fn prove(&mut self, challenge: &Challenge, authorization: &str) -> Result<(), AcmeError> {
        self.post(&challenge.address, Some(&json!({}))).await?;
        let authorization = self.poll(authorization, |status| matches!(status, "pending" | "processing")).await?;
        if text(&authorization, "status")? == "valid" { Ok(()) } else { Err(failed(&authorization)) }
    }

    /// The order once its names are proven: ready, or beyond that.
    pub(super) async fn until_ready(&mut self, address: &str) -> Result<Order, AcmeError> {
        let order = self.poll(address, |status| status == "pending").await?;
        Order::read(address.to_owned(), &order)
    }

    /// Hands the request in. The order is as it was answered.
    pub(super) async fn finalize(&mut self, order: &Order, request: &[u8]) -> Result<(), AcmeError> {
        let csr = data_encoding::BASE64URL_NOPAD.encode(request);
        self.post(&order.finalize, Some(&json!({ "csr": csr }))).await.map(drop)
    }

    /// The order once its certificate is there, or it has failed.
    pub(super) async fn until_issued(&mut self, address: &str) -> Result<Order, AcmeError> {
        let order = self.poll(address, |status| matches!(status, "pending" | "ready" | "processing")).await?;
        Order::read(address.to_owned(), &order)
    }

    /// Fetches what was signed, in PEM.
    pub(super) async fn fetch(&mut self, order: &Order) -> Result<String, AcmeError> {
        let address = order.certificate.clone().ok_or(AcmeError::Form("certificate"))?;
        let answer = self.post(&address, None).await?;
        String::from_utf8(answer.body.to_vec()).map_err(|_| AcmeError::Form("the certificate"))
    }

    /// 4. An order or authorization, once its status is no longer one to wait for.
    async fn poll(&mut self, address: &str, waits: fn(&str) -> bool) -> Result<Value, AcmeError> {
        let began = Instant::now();
        loop {
            let answer = self.post(address, None).await?;
            let now = body(&answer)?;
            if !waits(text(&now, "status")?) {
                return Ok(now);
            }
            let wait = match self.retry_after(&answer.headers) {
                Some(seconds) if seconds > LONGEST_PAUSE => {
                    return Err(AcmeError::Busy { reason: word(text(&now, "status")?), retry_after: Some(seconds) });
                }
                Some(seconds) => Duration::from_secs(seconds.max(1)),
                None => POLL_INTERVAL,
            };
            if began.elapsed() + wait > POLL_TIMEOUT {
                return Err(AcmeError::Slow);
            }
            sleep(wait).await;
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<u64> {
        retry::retry_after(headers, self.clock.now())
    }

    /// 3. Waits after a temporary answer, or ends the conversation.
    async fn pause(&mut self, answer: &Answer, reason: String) -> Result<(), AcmeError> {
        let retry_after = self.retry_after(&answer.headers);
        match (PAUSES.get(self.pauses), retry_after) {
            (Some(pause), asked) if asked.is_none_or(|asked| asked <= LONGEST_PAUSE) => {
                self.pauses += 1;
                sleep(Duration::from_secs(asked.unwrap_or(*pause).max(1))).await;
                Ok(())
            }
            _ => Err(AcmeError::Busy { reason, retry_after }),
        }
    }

    async fn post(&mut self, address: &str, payload: Option<&Value>) -> Result<Answer, AcmeError> {
        let path = self.place.path(address)?.to_owned();
        let mut nonces = 0;
        loop {
            let nonce = match self.nonce.take() {
                Some(nonce) => nonce,
                None => self.fresh_nonce().await?,
            };
            let signed = jws::signed(self.key, self.account.as_deref(), (&nonce, address), payload)?;
            let answer = self.transport.send(&path, Some(Bytes::from(signed))).await?;
            self.nonce = nonce_of(&answer);
            if answer.status.is_success() {
                return Ok(answer);
            }
            let reason = reason(&answer);
            if reason == "badNonce" {
                // 2.
                nonces += 1;
                if nonces == MAX_NONCES {
                    return Err(AcmeError::Nonces);
                }
            } else if retry::is_temporary(answer.status, &reason) {
                self.pause(&answer, reason).await?;
            } else {
                return Err(AcmeError::Refused(reason));
            }
        }
    }

    async fn fresh_nonce(&mut self) -> Result<String, AcmeError> {
        let path = self.place.path(&self.new_nonce)?.to_owned();
        nonce_of(&self.get(&path).await?).ok_or(AcmeError::Form("nonces"))
    }

    async fn get(&mut self, path: &str) -> Result<Answer, AcmeError> {
        loop {
            let answer = self.transport.send(path, None).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            let reason = reason(&answer);
            if !retry::is_temporary(answer.status, &reason) {
                return Err(AcmeError::Refused(reason));
            }
            self.pause(&answer, reason).await?;
        }
    }
}

/// Why an authorization has failed: the problem of one of its challenges, or its status.
fn failed(authorization: &Value) -> AcmeError {
    let reasons = authorization["challenges"].as_array().into_iter().flatten();
    let reason = reasons.filter_map(|challenge| challenge["error"]["type"].as_str()).next();
    AcmeError::Refused(word(reason.or(authorization["status"].as_str()).unwrap_or_default()))
}

/// The CA's word for a refusal, or its status.
fn reason(answer: &Answer) -> String {
    let problem = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    word(problem["type"].as_str().unwrap_or(answer.status.as_str()))
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

    use hyper::header::HeaderValue;

    use super::*;
    use crate::acme::Wire;
    use crate::egress::{AnswerBudget, EgressError, Endpoint};

    #[tokio::test]
    async fn a_ca_that_does_not_end_its_answer_is_cut_off() {
        use crate::egress::played::{Begins, Flood, HTTP, NAME};
        for (first, again) in HTTP {
            let flood = Flood::start(Begins::AskedInTls, first, again);
            let endpoint = Endpoint::new(NAME, 443, &flood.trust, flood.service.clone(), AnswerBudget::CA).unwrap();
            let place = Place { origins: Vec::new(), directory: "/directory".into() };
            let key = EcdsaKey::generate().unwrap();
            let (mut wire, clock) = (Wire::new(endpoint), Clock::new());
            let refused = Conversation::begin(&place, (&key, None), (&mut wire, &clock)).await.err();
            assert_eq!(refused, Some(AcmeError::Egress(EgressError::TooLong)), "{}", first.escape_ascii());
            flood.assert_bounded(AnswerBudget::CA);
        }
    }

    #[test]
    fn a_cas_addresses_are_at_its_host() {
        let origins = vec!["https://acme.example".into(), "https://acme.example:443".into()];
        let place = Place { origins, directory: "/directory".into() };
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
