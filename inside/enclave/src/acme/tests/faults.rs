//! What a CA does wrong or late, and that one order comes to one certificate all the same.

use std::sync::Mutex;

use adyton_seal::{HmacKey, SecretText};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::scripted::{CA, Fault, Faulty, ScriptedCa};
use super::*;

/// The public log, in memory.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<GovRecord>>>);

impl Records for Log {
    async fn append(&self, record: GovRecord, _: u64) -> Result<(), AppendError> {
        self.0.lock().unwrap().push(record);
        Ok(())
    }
}

impl Log {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    /// As `gov::replay` reads it.
    pub(super) fn replayed(&self) -> (CertificateRecord, Option<OrderRecord>) {
        let (mut certificate, mut order) = (None, None);
        for record in self.0.lock().unwrap().iter().cloned() {
            match record {
                GovRecord::Certificate(record) => {
                    let same =
                        certificate.as_ref().is_some_and(|last: &CertificateRecord| last.account == record.account);
                    order = order.filter(|_| record.chain.is_empty() && same);
                    certificate = Some(record);
                }
                GovRecord::Order(record) => order = Some(record),
                _ => {}
            }
        }
        (certificate.unwrap(), order)
    }
}

/// A vault, its CA and its log.
pub(super) struct Vault {
    pub(super) ca: ScriptedCa,
    pub(super) log: Log,
    pub(super) shared: Arc<AcmeStatus>,
    pub(super) effective: Watch,
    running: tokio::task::JoinHandle<()>,
}

pub(super) fn boot(ca: &ScriptedCa, log: &Log, change: impl FnOnce(&mut adyton_policy::Acme)) -> Vault {
    let mut policy = policy("acme.example");
    change(&mut policy);
    let mut effective = crate::policy::tests::effective();
    if let Some(credential) = &policy.external_account {
        effective.external = Err(ExternalAccountError::Missing { credential: credential.clone() });
    }
    let keys = Arc::new(keys(1));
    let mut acme = Acme::over(&policy, ca.clone(), ca.clock());
    if !log.is_empty() {
        let (certificate, order) = log.replayed();
        acme.resume(&certificate, order.as_ref(), &keys);
    }
    let (shared, effective) = (acme.shared(), Watch::new(effective));
    ca.meets(acme.shared());
    let deps = Deps { keys, records: log.clone(), effective: effective.clone() };
    let running = tokio::spawn(acme.run(deps));
    Vault { ca: ca.clone(), log: log.clone(), shared, effective, running }
}

impl Vault {
    pub(super) fn new(ca: &ScriptedCa) -> Self {
        boot(ca, &Log::default(), |_| ())
    }

    /// Waits, at most for a month of paused time.
    pub(super) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..30 * 86_400 {
            if holds(self) {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{:?}: {:?}", self.shared.status(), self.ca.state().seen);
    }

    pub(super) async fn certified(&self) {
        self.until(|vault| vault.shared.certified(NAME).is_some() && vault.shared.status().renews_at.is_some()).await;
    }

    pub(super) async fn failed(&self, failures: u32) -> Status {
        self.until(|vault| vault.shared.status().failures >= failures).await;
        self.shared.status()
    }

    /// Orders that were placed, and certificates that were given.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.ca.state();
        (state.orders.len(), state.issued)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// One fault at the first request for a path that begins so.
pub(super) fn once(begins: &'static str, status: u16, kind: &'static str, retry_after: Option<String>) -> Fault {
    let mut left = 1;
    Box::new(move |path, _| {
        let hit = left > 0 && path.starts_with(begins);
        left -= usize::from(hit);
        hit.then(|| Faulty::Problem(status, kind, retry_after.clone()))
    })
}

/// The same with a page of something before the CA.
fn once_page(begins: &'static str, status: u16) -> Fault {
    let mut left = 1;
    Box::new(move |path, _| {
        let hit = left > 0 && path.starts_with(begins);
        left -= usize::from(hit);
        hit.then_some(Faulty::Page(status))
    })
}

/// Seconds between the first request for a path that begins so and the next request.
pub(super) fn pause_after(ca: &ScriptedCa, begins: &str) -> u64 {
    let state = ca.state();
    let at = state.seen.iter().position(|(_, seen)| seen.starts_with(begins)).unwrap();
    state.seen[at + 1].0 - state.seen[at].0
}

#[tokio::test(start_paused = true)]
async fn half_of_all_nonces_may_be_refused() {
    for refused in [1, 64, 128, 160] {
        let ca = ScriptedCa::new();
        ca.state().refused_nonces = refused;
        let vault = Vault::new(&ca);
        vault.certified().await;
        assert_eq!((vault.counts(), vault.shared.status().failures), ((1, 1), 0), "{refused} of 256");
        assert!(refused < 64 || ca.state().nonce_refusals > 2, "{refused} of 256");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_signed_with_twenty_nonces_at_most() {
    let ca = ScriptedCa::new();
    ca.state().refused_nonces = 256;
    let vault = Vault::new(&ca);
    let status = vault.failed(1).await;
    assert_eq!(status.last_failure.as_deref(), Some("the CA refused 20 nonces of one request"));
    assert_eq!(ca.state().seen.iter().filter(|(_, path)| path == "/new-account").count(), 20);
}

/// One temporary answer anywhere: it is waited for as long as the CA says, and the order goes on.
#[tokio::test(start_paused = true)]
async fn one_temporary_answer_ends_nothing_wherever_it_comes() {
    for path in [
        "/directory",
        "/new-nonce",
        "/new-account",
        "/new-order",
        "/auth",
        "/chall",
        "/order",
        "/finalize",
        "/certificate",
    ] {
        // A refused nonce is repeated at once, unless the status says to wait.
        for (status, kind) in [
            (429, "rateLimited"),
            (503, "x"),
            (500, "serverInternal"),
            (502, "x"),
            (403, "rateLimited"),
            (429, "badNonce"),
            (425, "x"),
            (501, "x"),
            // Of networks before a CA.
            (520, "x"),
            (522, "x"),
            (599, "x"),
        ] {
            for (asked, least) in [(None, 5), (Some("17"), 17), (Some("date"), 17)] {
                let ca = ScriptedCa::new();
                let date = std::time::UNIX_EPOCH + Duration::from_secs(ca.clock().now() + 18);
                let asked = asked.map(|text| if text == "date" { httpdate::fmt_http_date(date) } else { text.into() });
                ca.state().fault = Some(once(path, status, kind, asked));
                let vault = Vault::new(&ca);
                vault.certified().await;
                let said = format!("{path} {status}");
                assert_eq!((vault.counts(), vault.shared.status().failures), ((1, 1), 0), "{said}");
                assert!(pause_after(&ca, path) >= least, "{said}");
            }
        }
    }
}

/// A page of what stands before the CA says nothing of an order.
#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_problem_document_ends_no_order() {
    for path in ["/new-account", "/new-order", "/auth", "/chall", "/order", "/finalize", "/certificate"] {
        for status in [403, 404, 451] {
            let ca = ScriptedCa::new();
            ca.state().fault = Some(once_page(path, status));
            let vault = Vault::new(&ca);
            let said = format!("the CA's address answered {status} without ACME's reason: a proxy or a wrong address?");
            assert_eq!(vault.failed(1).await.last_failure, Some(said), "{path}");
            vault.certified().await;
            assert_eq!((vault.counts(), ca.state().accounts.len()), ((1, 1), 1), "{path} {status}");
        }
    }
}

/// "150 s" was asked, and the client came back after 60.
#[tokio::test(start_paused = true)]
async fn a_long_retry_after_is_honoured_and_shown_as_the_next_attempt() {
    for path in ["/directory", "/new-account", "/new-order", "/order", "/finalize", "/certificate"] {
        let ca = ScriptedCa::new();
        ca.state().fault = Some(once(path, 429, "rateLimited", Some("150".into())));
        let vault = Vault::new(&ca);
        let status = vault.failed(1).await;
        let said = "the CA cannot answer now: rateLimited: it wants to be asked again after 150 s";
        assert_eq!(status.last_failure.as_deref(), Some(said));
        let now = ca.clock().now();
        assert!(status.renews_at.unwrap() >= now + 149, "{path}: {status:?} {now}");
        vault.certified().await;
        assert!(pause_after(&ca, path) >= 150, "{path}");
        assert_eq!(vault.counts(), (1, 1), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn polling_waits_as_the_ca_says() {
    let ca = ScriptedCa::new();
    ca.state().processing = (3, Some(30));
    let vault = Vault::new(&ca);
    vault.certified().await;
    let polls: Vec<u64> = {
        let state = ca.state();
        state.seen.iter().filter(|(_, path)| path == "/order/0").map(|(at, _)| *at).collect()
    };
    let last = &polls[polls.len() - 4..];
    assert!(last.windows(2).all(|pair| pair[1] - pair[0] >= 30), "{polls:?}");
    assert_eq!((vault.counts(), vault.shared.status().failures), ((1, 1), 0));
}

/// A CA that cannot give its certificate for hours, or whose connections break: the order is resumed, not placed again.
#[tokio::test(start_paused = true)]
async fn an_order_outlives_attempts() {
    for (path, times, status) in
        [("/certificate", 14, 503), ("/order", 20, 500), ("/auth", 14, 429), ("/finalize", 12, 502)]
    {
        let ca = ScriptedCa::new();
        let mut left = times;
        ca.state().fault = Some(Box::new(move |asked, _| {
            let hit = left > 0 && asked.starts_with(path);
            left -= usize::from(hit);
            hit.then_some(Faulty::Problem(status, "x", None))
        }));
        let vault = Vault::new(&ca);
        vault.failed(1).await;
        vault.certified().await;
        assert_eq!(vault.counts(), (1, 1), "{path}");
    }
    // The answer to the finalization is lost: the certificate of that order is fetched, with the key of that order.
    let ca = ScriptedCa::new();
    ca.state().fault = Some(Box::new(|path, times| (path == "/finalize/0" && times == 1).then_some(Faulty::Lost)));
    let vault = Vault::new(&ca);
    vault.certified().await;
    assert_eq!(vault.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_order_outlives_a_restart() {
    for path in ["/auth", "/order", "/finalize", "/certificate"] {
        let (ca, log) = (ScriptedCa::new(), Log::default());
        ca.state().fault = Some(once(path, 503, "x", Some("100".into())));
        let first = boot(&ca, &log, |_| ());
        first.failed(1).await;
        drop(first);
        let placed = log.replayed().1.unwrap();
        assert_eq!(placed.address, format!("{CA}/order/0").into_bytes());
        let second = boot(&ca, &log, |_| ());
        second.certified().await;
        assert_eq!((second.counts(), second.log.replayed().1), ((1, 1), None), "{path}");
        assert_eq!(log.replayed().0.sealed_key, placed.sealed_key, "the key of the order");
        // Nothing is left to be resumed.
        drop(second);
        let third = boot(&ca, &log, |_| ());
        assert!(third.shared.certified(NAME).is_some());
        assert_eq!(third.counts(), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_has_failed_or_is_for_other_names_is_given_up() {
    let ca = ScriptedCa::new();
    ca.state().fault = Some(once("/certificate", 503, "x", Some("100".into())));
    let vault = Vault::new(&ca);
    vault.failed(1).await;
    ca.state().orders[0].status = "invalid";
    assert_eq!(vault.failed(2).await.last_failure.as_deref(), Some("the CA refused: invalid"));
    vault.certified().await;
    assert_eq!(vault.counts(), (2, 2));

    let ca = ScriptedCa::new();
    ca.state().fault = Some(once("/certificate", 503, "x", Some("100".into())));
    let vault = Vault::new(&ca);
    vault.failed(1).await;
    ca.state().orders[0].names[0] = "other.example.com".into();
    let said = "the CA's certificate is not for all public names";
    assert_eq!(vault.failed(2).await.last_failure.as_deref(), Some(said));
    vault.certified().await;
    assert_eq!(vault.counts(), (2, 2));

    // One that the CA never answers for is tried ten times.
    let ca = ScriptedCa::new();
    ca.state().fault =
        Some(Box::new(|path, _| (path == "/order/0").then(|| Faulty::Problem(503, "x", Some("61".into())))));
    let vault = Vault::new(&ca);
    vault.failed(9).await;
    assert_eq!(vault.counts().0, 1);
    vault.certified().await;
    assert_eq!((vault.counts(), ca.state().seen.iter().filter(|(_, path)| path == "/order/0").count()), ((2, 1), 10));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_minutes_is_neither_logged_nor_ordered_again() {
    let ca = ScriptedCa::new();
    // Two thirds of it are a second less than an hour.
    ca.state().life = 5398;
    let vault = Vault::new(&ca);
    let status = vault.failed(1).await;
    assert_eq!(status.last_failure.unwrap(), "the CA's certificate would have to be renewed within an hour");
    vault.failed(6).await;
    assert_eq!(vault.counts(), (1, 1), "the order is fetched again, and no other is placed");
    assert!(vault.log.replayed().0.chain.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() {
    let ca = ScriptedCa::new();
    ca.state().life = 3 * 86_400;
    let vault = Vault::new(&ca);
    vault.certified().await;
    let (first, status) = (vault.log.replayed().0, vault.shared.status());
    let due = status.renews_at.unwrap();
    ca.clock().at_least(due - 60);
    sleep(Duration::from_secs(59)).await;
    assert_eq!(vault.counts(), (1, 1));
    ca.clock().at_least(due);
    vault.until(|vault| vault.counts() == (2, 2) && vault.log.replayed().0.chain != first.chain).await;
    assert_eq!(vault.shared.status().account, status.account);
    assert_ne!(vault.log.replayed().0.sealed_key, first.sealed_key);
}

#[tokio::test(start_paused = true)]
async fn a_chain_may_be_the_leaf_alone() {
    let ca = ScriptedCa::new();
    ca.state().with_issuer = false;
    let vault = Vault::new(&ca);
    vault.certified().await;
    assert_eq!(vault.shared.certified(NAME).unwrap().cert.len(), 1);
    assert_eq!(vault.log.replayed().0.chain.len(), 1);
    // A boot takes it from the log.
    let again = boot(&ca, &vault.log, |_| ());
    assert!(again.shared.certified(NAME).is_some());
    assert_eq!(again.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_account_is_bound_to_the_one_that_the_policy_names() {
    let ca = ScriptedCa::new();
    let bound = |policy: &mut adyton_policy::Acme| policy.external_account = Some("ca-account".into());
    let vault = boot(&ca, &Log::default(), bound);
    let status = vault.failed(1).await;
    let said = "the settings have no credential ca-account (acme.external_account): seal it with `adyton seal --policy FILE --for ca-account`";
    assert_eq!(status.last_failure.as_deref(), Some(said));
    assert!(ca.state().seen.is_empty(), "the CA is not asked without it");
    // Settings with it end the wait.
    let text = format!("kid-1:{}", BASE64URL_NOPAD.encode(&[9; 32]));
    let mut effective = crate::policy::tests::effective();
    effective.external = Ok(ExternalAccount::parse(SecretText::join(&[&text]).expose().as_bytes()).map(Arc::new));
    effective.sequence = 1;
    vault.effective.set(effective.into());
    vault.certified().await;
    assert!(ca.state().seen[0].0 < 60, "before the next attempt was due");
    let binding = ca.state().accounts[0]["externalAccountBinding"].clone();
    let protected = BASE64URL_NOPAD.decode(binding["protected"].as_str().unwrap().as_bytes()).unwrap();
    let protected: Value = serde_json::from_slice(&protected).unwrap();
    assert_eq!(protected, serde_json::json!({ "alg": "HS256", "kid": "kid-1", "url": format!("{CA}/new-account") }));
    let signed = format!("{}.{}", binding["protected"].as_str().unwrap(), binding["payload"].as_str().unwrap());
    let tag = HmacKey::from_shared(&[9; 32]).unwrap().tag(&[signed.as_bytes()]);
    assert_eq!(binding["signature"], BASE64URL_NOPAD.encode(&tag));
}
