//! A CA that follows a script: RFC 8555 as far as a client sees it, with faults where a test wants them. Time is tokio's, paused,
//! and the vault's clock follows it. Signatures are not verified here (`e2e/python/acme_server.py` does).

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use rcgen::{BasicConstraints, IsCa, Issuer, KeyUsagePurpose, date_time_ymd};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::egress::EgressError;
use crate::egress::http::Answer;
use crate::public::tests::Subject;

pub(super) const CA: &str = "https://acme.example";

/// One request as the CA saw it: seconds since the test began, and the path.
pub(super) type Seen = (u64, String);

/// Answers in place of the CA: given the path and how often it was asked for (from 1). The headers are pairs of name and value.
pub(super) type Fault = Box<dyn FnMut(&str, usize) -> Option<Faulty> + Send>;

pub(super) enum Faulty {
    /// A page of something before the CA, in place of its answer.
    Page(u16),
    /// A status, a problem's type, and `Retry-After`.
    Problem(u16, &'static str, Option<String>),
    /// The connection breaks once the CA has carried the request out.
    Lost,
    /// A problem as above, once the CA has carried the request out.
    Late(u16, &'static str),
}

pub(super) struct Placed {
    pub(super) names: Vec<String>,
    proven: Vec<String>,
    failed: Vec<String>,
    pub(super) status: &'static str,
    chain: Option<String>,
    /// Polls that are answered `processing`, with this `Retry-After`.
    pub(super) processing: (usize, Option<u64>),
}

pub(super) struct State {
    began: Instant,
    start: u64,
    clock: Arc<Clock>,
    shared: Option<Arc<AcmeStatus>>,
    nonces: Vec<String>,
    made: usize,
    /// How many nonces are refused, of each 256.
    pub(super) refused_nonces: u32,
    seed: u32,
    pub(super) seen: Vec<Seen>,
    pub(super) fault: Option<Fault>,
    pub(super) accounts: Vec<Value>,
    /// Key of each request for an account.
    pub(super) account_keys: Vec<Value>,
    /// Addresses of accounts that the CA does not know any more.
    pub(super) forgotten: Vec<String>,
    pub(super) orders: Vec<Placed>,
    pub(super) issued: usize,
    pub(super) with_issuer: bool,
    /// Seconds for which a certificate lives.
    pub(super) life: u64,
    pub(super) processing: (usize, Option<u64>),
    /// How many seconds after a challenge was posted its answer is looked at; at once by default.
    pub(super) validates_after: Option<u64>,
    /// `Retry-After` of an authorization that is looked at later.
    pub(super) pending_retry_after: Option<u64>,
    /// `Retry-After` of the answers to a challenge's post.
    pub(super) challenge_retry_after: Option<u64>,
    /// `Retry-After` of the answer to a finalization, whose order is then shown as `processing`.
    pub(super) finalize_retry_after: Option<u64>,
    pub(super) nonce_refusals: usize,
    root: Issuer<'static, KeyPair>,
    root_der: Vec<u8>,
}

/// The CA, and a transport that reaches it.
#[derive(Clone)]
pub(super) struct ScriptedCa(Arc<Mutex<State>>);

impl ScriptedCa {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let root_der = params.self_signed(&key).unwrap().der().to_vec();
        let clock = clock(NOW);
        Self(Arc::new(Mutex::new(State {
            began: Instant::now(),
            start: clock.now(),
            clock,
            shared: None,
            nonces: Vec::new(),
            made: 0,
            refused_nonces: 0,
            seed: 1,
            seen: Vec::new(),
            fault: None,
            accounts: Vec::new(),
            account_keys: Vec::new(),
            forgotten: Vec::new(),
            orders: Vec::new(),
            issued: 0,
            with_issuer: true,
            life: 90 * 86_400,
            processing: (0, None),
            validates_after: None,
            pending_retry_after: None,
            challenge_retry_after: None,
            finalize_retry_after: None,
            nonce_refusals: 0,
            root: Issuer::new(params, key),
            root_der,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn clock(&self) -> Arc<Clock> {
        Arc::clone(&self.state().clock)
    }

    /// The vault whose challenges the CA looks at.
    pub(super) fn meets(&self, shared: Arc<AcmeStatus>) {
        self.state().shared = Some(shared);
    }
}

impl Transport for ScriptedCa {
    async fn send(&mut self, path: &str, body: Option<Bytes>) -> Result<Answer, EgressError> {
        let (answered, later) = {
            let mut state = self.state();
            (state.answer(path, body.as_deref()), state.validates_after)
        };
        if let (Some(later), Some(number)) = (later, path.strip_prefix("/chall/")) {
            let (ca, (order, name)) = (self.clone(), numbers(number));
            tokio::spawn(async move {
                sleep(Duration::from_secs(later)).await;
                ca.state().validate(order, name);
            });
        }
        answered
    }
}

/// The numbers of an order and of a name in it.
fn numbers(text: &str) -> (usize, usize) {
    let (order, name) = text.split_once('-').unwrap_or((text, "0"));
    (order.parse().unwrap(), name.parse().unwrap())
}

impl State {
    /// Looks at the answer for a name, as a CA does: an authorization is decided once.
    fn validate(&mut self, order: usize, name: usize) {
        let placed = &mut self.orders[order];
        let asked = placed.names[name].clone();
        if placed.proven.contains(&asked) || placed.failed.contains(&asked) {
            return;
        }
        if self.shared.as_ref().unwrap().challenge(&asked).is_none() {
            placed.failed.push(asked);
            placed.status = "invalid";
            return;
        }
        placed.proven.push(asked);
        if placed.proven.len() == placed.names.len() && placed.status == "pending" {
            placed.status = "ready";
        }
    }

    fn answer(&mut self, path: &str, body: Option<&[u8]>) -> Result<Answer, EgressError> {
        let elapsed = self.began.elapsed().as_secs();
        self.clock.at_least(self.start + elapsed);
        self.seen.push((elapsed, path.to_owned()));
        let shown = self.shared.as_ref().and_then(|shared| shared.status().renews_at);
        assert_eq!(shown, None, "while the CA is asked there is no next time");
        let times = self.seen.iter().filter(|(_, seen)| seen == path).count();
        let fault = self.fault.as_mut().and_then(|fault| fault(path, times));
        if let Some(Faulty::Page(status)) = fault {
            return Ok(self.reply(status, None, "<html>no</html>".into()));
        }
        if let Some(Faulty::Problem(status, kind, retry_after)) = fault {
            return Ok(self.problem(status, kind, retry_after));
        }
        let answered = self.carry_out(path, body);
        match fault {
            Some(Faulty::Lost) => Err(EgressError::Protocol),
            Some(Faulty::Late(status, kind)) => Ok(self.problem(status, kind, None)),
            _ => Ok(answered),
        }
    }

    fn problem(&mut self, status: u16, kind: &str, retry_after: Option<String>) -> Answer {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        let headers = retry_after.map(|after| ("retry-after", after));
        self.reply(status, headers, json!({ "type": kind }).to_string())
    }

    fn reply(&mut self, status: u16, header: Option<(&'static str, String)>, body: String) -> Answer {
        self.made += 1;
        let nonce = format!("nonce-{}", self.made);
        self.nonces.push(nonce.clone());
        let headers = [("replay-nonce", nonce)].into_iter().chain(header);
        let headers: HeaderMap = headers
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap()))
            .collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body) }
    }

    fn carry_out(&mut self, path: &str, body: Option<&[u8]>) -> Answer {
        let Some(body) = body else {
            let directory = json!({
                "newNonce": format!("{CA}/new-nonce"), "newAccount": format!("{CA}/new-account"),
                "newOrder": format!("{CA}/new-order"),
            });
            return self.reply(200, None, directory.to_string());
        };
        let signed: Value = serde_json::from_slice(body).unwrap();
        let decoded = |name: &str| BASE64URL_NOPAD.decode(signed[name].as_str().unwrap().as_bytes()).unwrap();
        let protected: Value = serde_json::from_slice(&decoded("protected")).unwrap();
        assert_eq!(protected["url"], format!("{CA}{path}"));
        assert_eq!(protected.get("kid").is_some(), path != "/new-account", "an account signs once there is one");
        // xorshift32: the same nonces are refused on every run.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        let known = self.nonces.iter().position(|nonce| protected["nonce"] == **nonce);
        let known = known.map(|place| self.nonces.swap_remove(place)).is_some();
        assert!(known, "a nonce is used once");
        if self.seed % 256 < self.refused_nonces {
            self.nonce_refusals += 1;
            return self.problem(400, "badNonce", None);
        }
        if self.forgotten.iter().any(|account| protected["kid"] == **account) {
            return self.problem(400, "accountDoesNotExist", None);
        }
        let payload = serde_json::from_slice(&decoded("payload")).unwrap_or(Value::Null);
        if path == "/new-account" {
            return self.account(&protected["jwk"], payload);
        }
        self.granted(path, &payload)
    }

    /// RFC 8555 §7.3.1: the same account for the same key.
    fn account(&mut self, jwk: &Value, payload: Value) -> Answer {
        let known = self.account_keys.iter().position(|key| key == jwk).map(|place| {
            let before = &self.account_keys[..place];
            before.iter().enumerate().filter(|(at, key)| !before[..*at].contains(key)).count() + 1
        });
        self.account_keys.push(jwk.clone());
        if known.is_none() {
            self.accounts.push(payload);
        }
        let number = known.unwrap_or(self.accounts.len());
        let status = if known.is_some() { 200 } else { 201 };
        self.reply(status, Some(("location", format!("{CA}/account/{number}"))), "{}".into())
    }

    fn granted(&mut self, path: &str, payload: &Value) -> Answer {
        let (kind, number) = path[1..].split_once('/').unwrap_or((&path[1..], "0"));
        let (order, name) = numbers(number);
        match kind {
            "new-order" => {
                let names = payload["identifiers"].as_array().unwrap().iter();
                let names = names.map(|name| name["value"].as_str().unwrap().to_owned()).collect();
                let processing = self.processing;
                let (proven, failed) = (Vec::new(), Vec::new());
                self.orders.push(Placed { names, proven, failed, status: "pending", chain: None, processing });
                let number = self.orders.len() - 1;
                let order = self.order(number).to_string();
                self.reply(201, Some(("location", format!("{CA}/order/{number}"))), order)
            }
            "order" => {
                let placed = &mut self.orders[order];
                let mut shown = None;
                if placed.status == "valid" && placed.processing.0 > 0 {
                    placed.processing.0 -= 1;
                    shown = placed.processing.1.map(|seconds| ("retry-after", seconds.to_string()));
                    let mut answer = self.order(order);
                    answer["status"] = "processing".into();
                    return self.reply(200, shown, answer.to_string());
                }
                let answer = self.order(order).to_string();
                self.reply(200, shown, answer)
            }
            "auth" => {
                let Placed { names, proven, failed, .. } = &self.orders[order];
                let asked = &names[name];
                let status = match () {
                    () if proven.contains(asked) => "valid",
                    () if failed.contains(asked) => "invalid",
                    () => "pending",
                };
                let challenge = json!({ "type": "tls-alpn-01", "url": format!("{CA}/chall/{number}"), "token": "t" });
                let answer = json!({
                    "status": status, "identifier": { "type": "dns", "value": asked }, "challenges": [challenge],
                });
                let later = self.pending_retry_after.filter(|_| status == "pending");
                self.reply(200, later.map(|seconds| ("retry-after", seconds.to_string())), answer.to_string())
            }
            "chall" => {
                let asked = &self.orders[order].names[name];
                if self.orders[order].proven.contains(asked) {
                    return self.problem(400, "malformed", None);
                }
                if self.validates_after.is_none() {
                    self.validate(order, name);
                }
                let later = self.challenge_retry_after.map(|seconds| ("retry-after", seconds.to_string()));
                self.reply(200, later, "{}".into())
            }
            "finalize" => {
                if self.orders[order].status != "ready" {
                    return self.problem(403, "orderNotReady", None);
                }
                let chain = self.sign(&self.orders[order].names.clone(), payload["csr"].as_str().unwrap());
                self.issued += 1;
                (self.orders[order].chain, self.orders[order].status) = (Some(chain), "valid");
                let mut answer = self.order(order);
                if self.finalize_retry_after.is_some() {
                    answer["status"] = "processing".into();
                }
                let later = self.finalize_retry_after.map(|seconds| ("retry-after", seconds.to_string()));
                self.reply(200, later, answer.to_string())
            }
            "certificate" => {
                let chain = self.orders[order].chain.clone().unwrap();
                self.reply(200, None, chain)
            }
            other => panic!("{other}"),
        }
    }

    fn order(&self, number: usize) -> Value {
        let Placed { names, status, chain, .. } = &self.orders[number];
        let identifiers: Vec<_> = names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let mut order = json!({
            "status": status, "identifiers": identifiers, "finalize": format!("{CA}/finalize/{number}"),
            "authorizations": (0..names.len()).map(|name| format!("{CA}/auth/{number}-{name}")).collect::<Vec<_>>(),
        });
        if chain.is_some() {
            order["certificate"] = format!("{CA}/certificate/{number}").into();
        }
        order
    }

    /// A certificate for the key of a request.
    fn sign(&self, names: &[String], csr: &str) -> String {
        let csr = BASE64URL_NOPAD.decode(csr.as_bytes()).unwrap();
        // The end of a P-256 key's header; its point of 65 bytes follows.
        let header = [0x03, 0x01, 0x07, 0x03, 0x42, 0x00];
        let at = csr.windows(6).position(|bytes| bytes == header).unwrap() + 6;
        let mut leaf = CertificateParams::new(names.to_vec()).unwrap();
        let at_second = |seconds: u64| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        let now = self.clock.now();
        (leaf.not_before, leaf.not_after) = (at_second(now), at_second(now + self.life));
        let leaf = leaf.signed_by(&Subject(csr[at..at + 65].to_vec()), &self.root).unwrap().der().to_vec();
        let chain = if self.with_issuer { vec![leaf, self.root_der.clone()] } else { vec![leaf] };
        let pem =
            |der: &Vec<u8>| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(der));
        chain.iter().map(pem).collect()
    }
}
