//! One conversation with a CA (RFC 8555).
//!
//! 1. every address that the CA names must be at the policy's host and port: the policy names no
//!    other place. What the CA says is public, and is believed only as far as a certificate that it
//!    gives holds ([`crate::public`]);
//! 2. a request whose nonce is refused is signed anew with the nonce that came with the refusal
//!    (§6.5), [`MAX_NONCES`] times. A refusal that is temporary as well, by its status, counts as
//!    temporary;
//! 3. a temporary refusal ([`retry::is_temporary`]) is repeated after the time of `Retry-After`, at
//!    most [`MAX_PAUSE`], and as often in a conversation as [`PAUSES`] has entries. Beyond that the
//!    conversation ends with [`AcmeError::Busy`], which names the time to wait;
//! 4. polling waits as `Retry-After` of the answer before it says, but at most [`MAX_POLL`]: on an
//!    answer of 200 it is a suggestion (RFC 8555 §7.5.1), and some CAs suggest a day for what takes
//!    minutes. Without it polls come after [`POLL_INTERVAL`] at first, then after a tenth of the
//!    time since the first one. Polling ends after [`POLL_TIMEOUT`];
//! 5. an answer to a challenge or a finalization can be lost although the CA acted. So what the CA
//!    refuses then is held against what the authorization or the order says: that decides what is
//!    done next;
//! 6. a refusal without a problem document (RFC 8555 §6.7) comes from what stands before the CA. It
//!    ends the conversation ([`AcmeError::NoProblem`]) and tells nothing about an account or an
//!    order.

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
const MAX_ADDRESS: usize = 1024;
/// Shortest polling interval, unless the CA names another one.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Longest wait before a poll that a CA may ask for, in seconds.
const MAX_POLL: u64 = 600;
/// Longest time that one order or authorization is polled for in one attempt.
const POLL_TIMEOUT: Duration = Duration::from_secs(3600);
/// Most nonces that one request is signed with. A CA that refuses every second one refuses as many in a row once in a million.
pub(super) const MAX_NONCES: usize = 20;
/// Waits after temporary answers without `Retry-After`, in seconds; as many as a conversation makes.
const PAUSES: [u64; 5] = [5, 10, 20, 40, 60];
/// Longest wait within a conversation, in seconds.
const MAX_PAUSE: u64 = 60;

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

    /// The address in an answer's `Location`; a path alone is one of the CA's own host (RFC 9110 §10.2.2).
    fn located(&self, answer: &Answer) -> Result<String, AcmeError> {
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.map(|location| match self.origins.last() {
            Some(origin) if location.starts_with('/') && !location.starts_with("//") => format!("{origin}{location}"),
            _ => location.to_owned(),
        });
        // It is kept in the public log for ever, and printed into a record of the DNS.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?=&%+".contains(&byte);
        let location = location.filter(|location| location.len() <= MAX_ADDRESS && location.bytes().all(plain));
        let location = location.ok_or(AcmeError::Form("location"))?;
        self.path(&location)?;
        Ok(location)
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
    retry_after: Option<u64>,
}

/// The next step of an order.
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
    fn read(address: String, order: &Value, retry_after: Option<u64>) -> Result<Self, AcmeError> {
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
            retry_after,
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
        let account = self.place.located(&self.post(&address, Some(&payload)).await?)?;
        self.account = Some(account.clone());
        Ok(account)
    }

    /// Asks for a certificate of these names.
    pub(super) async fn place_order(&mut self, names: &[String]) -> Result<Order, AcmeError> {
        let names: Vec<Value> = names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let answer = self.post(&self.new_order.clone(), Some(&json!({ "identifiers": names }))).await?;
        let address = self.place.located(&answer)?;
        Order::read(address, &body(&answer)?, None)
    }

    /// An order as it is now.
    pub(super) async fn order(&mut self, address: &str) -> Result<Order, AcmeError> {
        let answer = self.post(address, None).await?;
        Order::read(address.to_owned(), &body(&answer)?, self.retry_after(&answer.headers))
    }

    /// The name of an authorization, in lower case, and its challenge; `None` once the authorization is valid.
    pub(super) async fn challenge(&mut self, authorization: &str) -> Result<(String, Option<Challenge>), AcmeError> {
        let authorization = body(&self.post(authorization, None).await?)?;
        let name = text(&authorization["identifier"], "value")?.to_ascii_lowercase();
        match text(&authorization, "status")? {
            "valid" => return Ok((name, None)),
            "pending" | "processing" => {}
            _ => return Err(failed(&authorization)),
        }
        let challenges = authorization["challenges"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours = challenges.iter().find(|challenge| challenge["type"] == "tls-alpn-01");
        let ours = ours.ok_or(AcmeError::Challenge)?;
        let (address, token) = (text(ours, "url")?.to_owned(), text(ours, "token")?.to_owned());
        Ok((name.clone(), Some(Challenge { name, address, token })))
    }

    /// Tells the CA that a challenge's answer is there, and waits until its authorization is valid.
    pub(super) async fn prove(&mut self, challenge: &Challenge, authorization: &str) -> Result<(), AcmeError> {
        let first = match self.post(&challenge.address, Some(&json!({}))).await {
            Ok(answer) => self.retry_after(&answer.headers),
            // 5.
            Err(AcmeError::Refused(reason)) => {
                let answer = self.post(authorization, None).await?;
                if !is_taken(&body(&answer)?, challenge) {
                    return Err(AcmeError::Refused(reason));
                }
                self.retry_after(&answer.headers)
            }
            Err(error) => return Err(error),
        };
        let waits = |status: &str| matches!(status, "pending" | "processing");
        let (authorization, _) = self.poll(authorization, first, waits).await?;
        if text(&authorization, "status")? == "valid" { Ok(()) } else { Err(failed(&authorization)) }
    }

    /// The order once its names are proven: ready, or beyond that.
    pub(super) async fn until_ready(&mut self, address: &str) -> Result<Order, AcmeError> {
        let (order, retry_after) = self.poll(address, None, |status| status == "pending").await?;
        Order::read(address.to_owned(), &order, retry_after)
    }

    /// Hands the request in. The order is as the CA shows it afterwards. It is ready again if the CA did not take the request;
    /// a pause goes before that, so a conversation meets it at most as often as [`PAUSES`] has entries.
    pub(super) async fn finalize(&mut self, order: &Order, request: &[u8]) -> Result<Order, AcmeError> {
        let payload = json!({ "csr": data_encoding::BASE64URL_NOPAD.encode(request) });
        let answer = match self.signed(&order.finalize, Some(&payload)).await {
            Ok(answer) => answer,
            Err(broken @ AcmeError::Egress(_)) => {
                self.pause(None, broken).await?;
                return self.order(&order.address).await;
            }
            Err(error) => return Err(error),
        };
        let retry_after = self.retry_after(&answer.headers);
        if answer.status.is_success() {
            return self.until_issued(&order.address, retry_after).await;
        }
        // 5.
        if is_temporary(&answer) || problem(&answer).is_some_and(|kind| kind == "orderNotReady") {
            self.pause(retry_after, AcmeError::Busy { reason: reason(&answer), retry_after }).await?;
            return self.order(&order.address).await;
        }
        let refused = self.refusal(&answer);
        let now = self.order(&order.address).await?;
        if matches!(&now.status[..], "pending" | "ready") { Err(refused) } else { Ok(now) }
    }

    /// An order that is in processing, once its certificate is there or it has failed.
    pub(super) async fn until_processed(&mut self, order: &Order) -> Result<Order, AcmeError> {
        self.until_issued(&order.address, order.retry_after).await
    }

    async fn until_issued(&mut self, address: &str, first: Option<u64>) -> Result<Order, AcmeError> {
        let waits = |status: &str| matches!(status, "pending" | "ready" | "processing");
        let (order, retry_after) = self.poll(address, first, waits).await?;
        Order::read(address.to_owned(), &order, retry_after)
    }

    /// Fetches what was signed, in PEM.
    pub(super) async fn fetch(&mut self, order: &Order) -> Result<String, AcmeError> {
        let address = order.certificate.clone().ok_or(AcmeError::Form("certificate"))?;
        let answer = self.post(&address, None).await?;
        String::from_utf8(answer.body.to_vec()).map_err(|_| AcmeError::Form("the certificate"))
    }

    /// An order or authorization, once its status is no longer one to wait for, with its `Retry-After` (4). `first` is that of
    /// the answer before.
    async fn poll(
        &mut self,
        address: &str,
        first: Option<u64>,
        waits: fn(&str) -> bool,
    ) -> Result<(Value, Option<u64>), AcmeError> {
        let bounded = |asked: u64| Duration::from_secs(asked.clamp(1, MAX_POLL));
        let began = Instant::now();
        let mut wait = first.map_or(Duration::ZERO, bounded);
        loop {
            if began.elapsed() + wait > POLL_TIMEOUT {
                return Err(AcmeError::Slow { retry_after: wait.as_secs() });
            }
            sleep(wait).await;
            let answer = self.post(address, None).await?;
            let (now, retry_after) = (body(&answer)?, self.retry_after(&answer.headers));
            if !waits(text(&now, "status")?) {
                return Ok((now, retry_after));
            }
            wait = retry_after.map_or_else(|| POLL_INTERVAL.max(began.elapsed() / 10), bounded);
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<u64> {
        retry::retry_after(headers, self.clock.now())
    }

    /// 3. Waits after a temporary answer, or ends the conversation with `error`.
    async fn pause(&mut self, retry_after: Option<u64>, error: AcmeError) -> Result<(), AcmeError> {
        match (PAUSES.get(self.pauses), retry_after) {
            (Some(pause), asked) if asked.is_none_or(|asked| asked <= MAX_PAUSE) => {
                self.pauses += 1;
                sleep(Duration::from_secs(asked.unwrap_or(*pause).max(1))).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// The answer to a request that may be repeated.
    async fn post(&mut self, address: &str, payload: Option<&Value>) -> Result<Answer, AcmeError> {
        loop {
            let answer = self.signed(address, payload).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            if !is_temporary(&answer) {
                return Err(self.refusal(&answer));
            }
            let retry_after = self.retry_after(&answer.headers);
            self.pause(retry_after, AcmeError::Busy { reason: reason(&answer), retry_after }).await?;
        }
    }

    /// The answer to a request with a nonce that the CA took (2).
    async fn signed(&mut self, address: &str, payload: Option<&Value>) -> Result<Answer, AcmeError> {
        let path = self.place.path(address)?.to_owned();
        for _ in 0..MAX_NONCES {
            let nonce = match self.nonce.take() {
                Some(nonce) => nonce,
                None => self.fresh_nonce().await?,
            };
            let signed = jws::signed(self.key, self.account.as_deref(), (&nonce, address), payload)?;
            let answer = self.transport.send(&path, Some(Bytes::from(signed))).await?;
            self.nonce = nonce_of(&answer);
            let refused = !answer.status.is_success() && problem(&answer).is_some_and(|kind| kind == "badNonce");
            if !refused || is_temporary(&answer) {
                return Ok(answer);
            }
        }
        Err(AcmeError::Nonces)
    }

    fn refusal(&self, answer: &Answer) -> AcmeError {
        match (problem(answer), &self.account) {
            // 6.
            (None, _) => AcmeError::NoProblem { status: answer.status.as_u16() },
            (Some(kind), Some(account)) if kind == "accountDoesNotExist" => {
                AcmeError::Account { address: account.clone() }
            }
            (Some(kind), _) => AcmeError::Refused(kind),
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
            if !is_temporary(&answer) {
                return Err(AcmeError::Unserved(reason));
            }
            let retry_after = self.retry_after(&answer.headers);
            self.pause(retry_after, AcmeError::Busy { reason, retry_after }).await?;
        }
    }
}

/// 5. Whether the CA has taken a challenge, or is beyond it.
fn is_taken(authorization: &Value, challenge: &Challenge) -> bool {
    let mut challenges = authorization["challenges"].as_array().into_iter().flatten();
    let taken = |shown: &Value| {
        shown["url"] == challenge.address && matches!(shown["status"].as_str(), Some("processing" | "valid"))
    };
    authorization["status"] == "valid" || challenges.any(taken)
}

/// Why an authorization has failed: the problem of one of its challenges, or its status.
fn failed(authorization: &Value) -> AcmeError {
    let reasons = authorization["challenges"].as_array().into_iter().flatten();
    let reason = reasons.filter_map(|challenge| challenge["error"]["type"].as_str()).next();
    AcmeError::Refused(word(reason.or(authorization["status"].as_str()).unwrap_or_default()))
}

/// The kind of a problem document, without its namespace; `None` if the answer is none.
fn problem(answer: &Answer) -> Option<String> {
    let problem = serde_json::from_slice::<Value>(&answer.body).ok()?;
    problem["type"].as_str().filter(|kind| kind.starts_with("urn:")).map(word)
}

/// The CA's word for a refusal, or its status.
fn reason(answer: &Answer) -> String {
    problem(answer).unwrap_or_else(|| answer.status.as_str().to_owned())
}

fn is_temporary(answer: &Answer) -> bool {
    retry::is_temporary(answer.status, problem(answer).as_deref())
}

fn nonce_of(answer: &Answer) -> Option<String> {
    let nonce = answer.headers.get("replay-nonce")?.to_str().ok()?;
    nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_').then(|| nonce.to_owned())
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
mod tests;
