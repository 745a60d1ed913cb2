//! Certificates of a public CA without anybody's doing (RFC 8555), where the policy names one
//! (`[acme]`).
//!
//! 1. the account: its key is born here once, and sealed in the public log before it is sent to the
//!    CA: a CA gives the same account to the same key (RFC 8555 §7.3.1), so an answer that is lost
//!    makes no second one. The account's address follows in the log, and is shown
//!    ([`AcmeStatus::status`]) so that the owner of the names can allow this account only (CAA
//!    `accounturi`, RFC 8657). Where the policy names an external account, the first request is
//!    bound to it ([`ExternalAccount`]). Another account is made only if the settings retire this
//!    one by its address: the names may be bound to it, so a new one is the owners' decision;
//! 2. when there is no certificate, or its names are not the policy's, or two thirds of its life
//!    are over: an order. Its address and the sealed key of its certificate go to the public log at
//!    once;
//! 3. each name is proven by TLS-ALPN-01 (RFC 8737), which is answered in here
//!    ([`AcmeStatus::challenge`]): the host never holds an answer, only the connection in which it
//!    is given. An answer stays, over failed attempts too, until its authorization is seen valid or
//!    its order ends or is given up: a CA may ask at any time while the authorization is pending.
//!    There is at most one answer for each public name;
//! 4. a request for that key is handed in;
//! 5. the chain that comes back must hold as an imported one must ([`crate::public`]), and be for
//!    all public names. Key and chain go to the public log, and are shown from then on. A boot
//!    takes them from there;
//! 6. what fails is tried again: after a minute at first, after twelve hours at last, for CAs count
//!    failures, and never before the CA's `Retry-After` is over. The order is resumed, by a later
//!    boot too, as long as it can still come to a certificate: CAs limit how many certificates they
//!    give for the same names.
//!
//! Why a client of our own: what a CA says here is a page of JSON over the connector that there is,
//! and a library would bring five crates, two of them second versions, and hold keys in types that
//! can be printed.
//!
//! Limits: one certificate for all public names, so that one of them that cannot be proven keeps
//! all of them without; no revocation, no change of the account's key, no other challenge. The
//! clock is the vault's. What it is not: a protection from those who hold the host or the names'
//! zone. Without the CAA record they get a certificate too, under an account of their own
//! (`docs/THREATS.md`).

mod client;
mod error;
mod external;
mod jws;
mod retry;
mod shared;
mod transport;

use std::future::Future;
use std::sync::Arc;

use adyton_ledger::{CertificateRecord, GovRecord, OrderRecord, sha256};
use adyton_seal::EcdsaKey;
use adyton_transport::Address;
use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::Mutex;
use tokio::time::{Duration, sleep};

use crate::clock::Clock;
use crate::egress::{AnswerBudget, Endpoint, EndpointError, Trust};
use crate::engine::gov::{AppendError, GovLog};
use crate::identity::{IdentityError, provider, short_lived};
use crate::policy::{Effective, Watch};
use crate::public::{ACCOUNT_KEY, PublicCertificate, PublicKeys};
use client::{Challenge, Conversation, Place, Step};

pub use error::AcmeError;
pub use external::{ExternalAccount, ExternalAccountError};
pub use shared::{AcmeStatus, Status};
pub use transport::{Transport, Wire};

/// The protocol (ALPN) by which a CA asks for a challenge's answer.
pub const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";
/// Waits after faults, the last one for every further fault.
const WAITS: [u64; 5] = [60, 300, 1800, 7200, 43_200];
/// Attempts with one order.
const ORDER_ATTEMPTS: u32 = 10;
/// Shortest wait of the loop.
const SHORTEST: u64 = 5;
/// How long a certificate must be of use before its renewal is due: each one stays in the public log, which every boot reads.
const LEAST_USE: u64 = 3600;
/// Longest chain that is logged, in bytes of DER.
const MAX_CHAIN_BYTES: usize = 16 * 1024;

/// Writes records of the public log.
pub trait Records: Send + Sync {
    /// Appends a record and waits until it is durable.
    fn append(&self, record: GovRecord, now: u64) -> impl Future<Output = Result<(), AppendError>> + Send;
}

impl Records for Arc<Mutex<GovLog>> {
    async fn append(&self, record: GovRecord, now: u64) -> Result<(), AppendError> {
        self.lock().await.append(&record, now).await
    }
}

/// Dependencies.
pub struct Deps<R> {
    /// Seals and opens keys.
    pub keys: Arc<PublicKeys>,
    /// The public log.
    pub records: R,
    /// The settings in force, which hold the external account.
    pub effective: Watch,
}

/// An account at the CA.
struct Account {
    key: EcdsaKey,
    sealed_key: Vec<u8>,
    /// `None` until the CA has given one.
    address: Option<String>,
}

/// An order that has not ended.
#[derive(Clone)]
struct Placed {
    address: String,
    sealed_key: Vec<u8>,
    attempts: u32,
}

/// Obtains and renews the certificate.
pub struct Acme<T = Wire> {
    place: Place,
    transport: T,
    clock: Arc<Clock>,
    contact: Option<String>,
    external_account: Option<String>,
    shared: Arc<AcmeStatus>,
    account: Option<Account>,
    order: Option<Placed>,
    obtained: Obtained,
}

/// The sealed key of the certificate that is shown, and its chain; empty if there is none.
type Obtained = (Vec<u8>, Vec<Vec<u8>>);

impl Acme {
    /// Prepares the CA of a policy; `service` is the host's address.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(policy: &adyton_policy::Acme, service: Address, clock: Arc<Clock>) -> Result<Self, EndpointError> {
        let trust = Trust::parse(&policy.trust).ok_or(EndpointError::Certificate)?;
        let endpoint = Endpoint::new(&policy.host, policy.port, &trust, service, AnswerBudget::CA)?;
        Ok(Self::over(policy, Wire::new(endpoint), clock))
    }
}

impl<T: Transport> Acme<T> {
    /// The same over any transport.
    fn over(policy: &adyton_policy::Acme, transport: T, clock: Arc<Clock>) -> Self {
        let adyton_policy::Acme { host, port, path, trust: _, contact, external_account } = policy;
        let mut origins = vec![format!("https://{host}:{port}")];
        if *port == 443 {
            origins.push(format!("https://{host}"));
        }
        let shared = Arc::new(AcmeStatus::new(Arc::clone(&clock)));
        let directory = format!("{}{path}", origins.last().map_or("", String::as_str));
        shared.note(|status| status.directory = directory);
        let place = Place { origins, directory: path.clone() };
        let (contact, external_account) = (contact.clone(), external_account.clone());
        Self {
            place,
            transport,
            clock,
            contact,
            external_account,
            shared,
            account: None,
            order: None,
            obtained: Obtained::default(),
        }
    }

    /// The status that is shown to other tasks.
    pub fn shared(&self) -> Arc<AcmeStatus> {
        Arc::clone(&self.shared)
    }

    /// Takes over what the public log shows, as far as it is this CA's and this vault's: account, certificate, and an order that has
    /// not ended.
    pub fn resume(&mut self, record: &CertificateRecord, order: Option<&OrderRecord>, keys: &PublicKeys) {
        let here = |address: &[u8]| {
            String::from_utf8(address.to_vec()).ok().filter(|address| self.place.path(address).is_ok())
        };
        let (address, placed) = (here(&record.account), order.and_then(|order| Some((here(&order.address)?, order))));
        let key = keys.unseal(ACCOUNT_KEY, &record.sealed_account_key);
        let key = key.and_then(|(pkcs8, _)| EcdsaKey::from_pkcs8(&pkcs8));
        // Without an address it is a key that the CA may not know yet.
        if let (true, Ok(key)) = (address.is_some() || record.account.is_empty(), key) {
            self.shared.note(|status| status.account.clone_from(&address));
            self.account = Some(Account { key, sealed_key: record.sealed_account_key.clone(), address });
            let placed = placed.filter(|(_, order)| keys.spki(&order.sealed_key).is_ok());
            self.order =
                placed.map(|(address, order)| Placed { address, sealed_key: order.sealed_key.clone(), attempts: 0 });
        }
        // One that has expired, or is for names that are the policy's no longer, is not shown.
        if let Ok(certificate) = keys.certify(&record.sealed_key, record.chain.clone(), self.clock.now()) {
            self.obtained = (record.sealed_key.clone(), record.chain.clone());
            self.shared.show(Arc::new(certificate));
        }
    }

    /// Keeps a certificate, for ever.
    pub async fn run<R: Records>(mut self, deps: Deps<R>) {
        let mut failures = 0u32;
        loop {
            let now = self.clock.now();
            let due = self.due(&deps.keys);
            if due > now {
                self.shared.note(|status| status.renews_at = Some(due));
                // Looked at again every hour: a clock may be set, and a sleep does not know.
                sleep(Duration::from_secs((due - now).clamp(SHORTEST, 3600))).await;
                continue;
            }
            self.shared.note(|status| status.renews_at = None);
            let settings = deps.effective.now().sequence;
            let renewed = self.renew(&deps).await;
            let (now, due) = (self.clock.now(), self.due(&deps.keys));
            // What is due at once would be asked for again and again, and each is in the log for ever.
            let renewed = renewed.and(if due > now { Ok(()) } else { Err(AcmeError::Life) });
            if let Err(error) = &renewed {
                self.give_up_order(error);
            }
            if self.order.is_none() || renewed == Err(AcmeError::Fenced) {
                self.shared.withdraw_all();
            }
            match renewed {
                Ok(()) => {
                    failures = 0;
                    self.shared.note(|status| {
                        (status.renews_at, status.failures, status.last_failure) = (Some(due), 0, None);
                    });
                    sleep(Duration::from_secs(SHORTEST)).await;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let (said, fenced) = (Some(error.to_string()), error == AcmeError::Fenced);
                    let wait = wait_after(&error, failures);
                    self.shared.note(|status| {
                        let next = (!fenced).then(|| now.saturating_add(wait));
                        (status.renews_at, status.failures, status.last_failure) = (next, failures, said);
                    });
                    if fenced {
                        // Nothing more is written by this boot.
                        return;
                    }
                    // New settings may bring the external account that an account needs, or another account.
                    let has_account = self.account.as_ref().is_some_and(|account| account.address.is_some());
                    let unbound = !has_account && self.external_account.is_some();
                    tokio::select! {
                        () = sleep(Duration::from_secs(wait)) => {}
                        () = deps.effective.after(settings), if unbound => failures = 0,
                        () = retired(&deps.effective, &error) => failures = 0,
                    }
                }
            }
        }
    }

    /// 2. When the next certificate is asked for.
    fn due(&self, keys: &PublicKeys) -> u64 {
        let certificate = self.shared.certificate();
        let certificate = certificate.filter(|found| keys.names().iter().all(|name| found.names(name)));
        certificate.and_then(|certificate| due(&certificate)).unwrap_or(0)
    }

    /// 6. Another order is placed once this one cannot come to a certificate, or was tried often enough.
    fn give_up_order(&mut self, error: &AcmeError) {
        self.order = self.order.take().filter(|order| !error.ends_order() && order.attempts < ORDER_ATTEMPTS);
    }

    /// 1. An account that the owners retired is given up, and its order with it.
    fn retire_account(&mut self, effective: &Effective) {
        let retired = |account: &Account| account.address.is_some() && effective.retired_account == account.address;
        if self.account.as_ref().is_some_and(retired) {
            (self.account, self.order) = (None, None);
            self.shared.withdraw_all();
            self.shared.note(|status| status.account = None);
        }
    }

    async fn renew<R: Records>(&mut self, deps: &Deps<R>) -> Result<(), AcmeError> {
        let Deps { keys, records, effective } = deps;
        // 1.
        self.retire_account(&effective.now());
        self.enrol(deps).await?;
        let account = self.account.as_ref().ok_or(AcmeError::Key)?;
        let signer = (&account.key, account.address.clone());
        let mut ca = Conversation::begin(&self.place, signer, (&mut self.transport, &self.clock)).await?;
        // 2.
        let (mut order, placed) = match &mut self.order {
            Some(placed) => {
                placed.attempts += 1;
                (ca.order(&placed.address).await?, placed.clone())
            }
            none => {
                let sealed_key = keys.asked().map_err(|_| AcmeError::Key)?.ok_or(AcmeError::Names)?.sealed_key;
                let order = ca.place_order(keys.names()).await?;
                let placed = Placed { address: order.address.clone(), sealed_key, attempts: 1 };
                let record =
                    OrderRecord { address: placed.address.clone().into_bytes(), sealed_key: placed.sealed_key.clone() };
                append(records, GovRecord::Order(record), self.clock.now()).await?;
                *none = Some(placed.clone());
                (order, placed)
            }
        };
        if !order.is_for(keys.names()) {
            // The policy's names have changed.
            self.order = None;
            return Err(AcmeError::Names);
        }
        let pem = loop {
            let step = order.step()?;
            if !matches!(step, Step::Prove) {
                self.shared.withdraw_all();
            }
            match step {
                // 3.
                Step::Prove => {
                    for authorization in &order.authorizations {
                        let (name, challenge) = ca.challenge(authorization).await?;
                        let Some(challenge) = challenge else {
                            self.shared.withdraw(&name);
                            continue;
                        };
                        if !keys.names().contains(&challenge.name) {
                            return Err(AcmeError::Form("identifier"));
                        }
                        let answer = answer(&challenge, &account.key, self.clock.now()).map_err(|_| AcmeError::Key)?;
                        self.shared.answer(&challenge.name, answer);
                        ca.prove(&challenge, authorization).await?;
                        self.shared.withdraw(&name);
                    }
                    order = ca.until_ready(&placed.address).await?;
                }
                // 4.
                Step::Finalize => {
                    let request = keys.request_for(&placed.sealed_key).map_err(|_| AcmeError::Key)?;
                    order = ca.finalize(&order, request.der()).await?;
                }
                Step::Wait => order = ca.until_processed(&order).await?,
                Step::Fetch => break ca.fetch(&order).await?,
            }
        };
        // 5.
        let (certificate, chain) = self.judged(&pem, keys, &placed)?;
        let obtained = (placed.sealed_key, chain);
        append(records, certificate_record(account, obtained.clone()), self.clock.now()).await?;
        (self.order, self.obtained) = (None, obtained);
        self.shared.show(Arc::new(certificate));
        Ok(())
    }

    /// 5. What the CA gave, if it can be used.
    fn judged(
        &self,
        pem: &str,
        keys: &PublicKeys,
        placed: &Placed,
    ) -> Result<(PublicCertificate, Vec<Vec<u8>>), AcmeError> {
        let chain = adyton_policy::certificates(pem).ok_or(AcmeError::Form("the certificate"))?;
        let bytes: usize = chain.iter().map(Vec::len).sum();
        if !(1..=adyton_ledger::MAX_CHAIN).contains(&chain.len()) || bytes > MAX_CHAIN_BYTES {
            return Err(AcmeError::Form("the certificate"));
        }
        let certificate = keys.certify(&placed.sealed_key, chain.clone(), self.clock.now());
        let certificate = certificate.map_err(AcmeError::Certificate)?;
        if !keys.names().iter().all(|name| certificate.names(name)) {
            return Err(AcmeError::Names);
        }
        if due(&certificate).is_none_or(|due| due < self.clock.now().saturating_add(LEAST_USE)) {
            return Err(AcmeError::Life);
        }
        Ok((certificate, chain))
    }

    /// 1. Sees to it that there is an account.
    async fn enrol<R: Records>(&mut self, deps: &Deps<R>) -> Result<(), AcmeError> {
        let Deps { keys, records, effective } = deps;
        if self.account.as_ref().is_some_and(|account| account.address.is_some()) {
            return Ok(());
        }
        let effective = effective.now();
        let external = match &self.external_account {
            None => None,
            Some(_) => Some(effective.external.as_ref().map_err(|error| AcmeError::External(error.clone()))?),
        };
        if self.account.is_none() {
            let key = EcdsaKey::generate()?;
            let sealed_key = keys.seal(ACCOUNT_KEY, &key.public_der()?, key.to_pkcs8()?)?;
            let account = Account { key, sealed_key, address: None };
            append(records, certificate_record(&account, self.obtained.clone()), self.clock.now()).await?;
            self.account = Some(account);
        }
        let account = self.account.as_mut().ok_or(AcmeError::Key)?;
        let mut ca = Conversation::begin(&self.place, (&account.key, None), (&mut self.transport, &self.clock)).await?;
        let address = ca.account(self.contact.as_deref(), external.and_then(|external| external.as_deref())).await?;
        // It would be given up again in each attempt.
        if effective.retired_account.as_ref() == Some(&address) {
            return Err(AcmeError::Form("the address of a new account"));
        }
        account.address = Some(address.clone());
        if let Err(error) = append(records, certificate_record(account, self.obtained.clone()), self.clock.now()).await
        {
            account.address = None;
            return Err(error);
        }
        self.shared.note(|status| status.account = Some(address));
        Ok(())
    }
}

/// 2. When two thirds of a certificate's life are over.
fn due(certificate: &PublicCertificate) -> Option<u64> {
    let (from, until) = certificate.validity()?;
    Some(from.saturating_add(until.saturating_sub(from) / 3 * 2))
}

/// Waits until the owners have retired the account that the CA does not know, and for ever after another error.
async fn retired(effective: &Watch, error: &AcmeError) {
    let AcmeError::Account { address } = error else { return std::future::pending().await };
    loop {
        let now = effective.now();
        if now.retired_account.as_ref() == Some(address) {
            return;
        }
        effective.after(now.sequence).await;
    }
}

/// Seconds until the next attempt, by the number of faults: never before the CA wants to be asked again.
fn wait_after(error: &AcmeError, failures: u32) -> u64 {
    let place = usize::try_from(failures).unwrap_or(usize::MAX).clamp(1, WAITS.len()) - 1;
    WAITS[place].max(error.retry_after().unwrap_or(0))
}

fn certificate_record(account: &Account, (sealed_key, chain): Obtained) -> GovRecord {
    GovRecord::Certificate(CertificateRecord {
        account: account.address.clone().unwrap_or_default().into_bytes(),
        sealed_account_key: account.sealed_key.clone(),
        sealed_key,
        chain,
    })
}

async fn append(records: &impl Records, record: GovRecord, now: u64) -> Result<(), AcmeError> {
    records.append(record, now).await.map_err(|error| match error {
        AppendError::Record => AcmeError::Form("the certificate"),
        AppendError::Stopped => AcmeError::Fenced,
    })
}

/// 3. A certificate that answers a challenge (RFC 8737 §3), under a key of its own.
fn answer(challenge: &Challenge, key: &EcdsaKey, now: u64) -> Result<Arc<CertifiedKey>, IdentityError> {
    let digest = sha256(jws::key_authorization(key, &challenge.token).as_bytes()).0;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new([challenge.name.clone()])?;
    short_lived(&mut params, now);
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let certificate = params.self_signed(&key)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Not compared with the certificate: the library reads none with an extension that it does not know and must.
    let private = provider().key_provider.load_private_key(private).map_err(|_| IdentityError::Tls)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], private)))
}

#[cfg(test)]
mod tests;
