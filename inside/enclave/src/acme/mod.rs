//! Certificates of a public CA without anybody's doing (RFC 8555), where the policy names one (`[acme]`).
//!
//! 1. the account: its key is born here once, and sealed in the public log with the account's address, which is shown
//!    ([`Shared::status`]) so that the owner of the names can allow this account only (CAA `accounturi`, RFC 8657);
//! 2. when there is no certificate, or its names are not the policy's, or two thirds of its life are over: an order;
//! 3. each name is proven by TLS-ALPN-01 (RFC 8737), which is answered in here ([`Shared::challenge`]): the host never holds
//!    an answer, only the connection in which it is given;
//! 4. a fresh key and its request; the chain that comes back must hold as an imported one must ([`crate::public`]), and be for
//!    all public names;
//! 5. key and chain go to the public log, and are shown from then on. A boot takes them from there.
//!
//! A fault is tried again after a minute at first, after twelve hours at last: CAs count failures.
//!
//! Why a client of our own: what a CA says here is a page of JSON over the connector that there is, and a library would bring
//! five crates, two of them second versions, and hold keys in types that can be printed.
//!
//! Limits: one certificate for all public names, so that one of them that cannot be proven keeps all of them without; no
//! revocation, no change of the account's key, no other challenge. The clock is the vault's. What it is not: a
//! protection from whoever holds the host or the names' zone. Without the CAA record he gets a certificate too, under an
//! account of his own (`docs/THREATS.md`).

mod client;
mod jws;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use adyton_ledger::{CertificateRecord, GovRecord, sha256};
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
use crate::identity::{IdentityError, provider};
use crate::public::{ACCOUNT_KEY, PublicCertificate, PublicKeys};
use client::{Challenge, Conversation, Place};

pub use client::AcmeError;

/// The protocol (ALPN) by which a CA asks for a challenge's answer.
pub const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";
/// Waits after faults, the last one for every further fault.
const WAITS: [u64; 5] = [60, 300, 1800, 7200, 43_200];
/// Shortest wait for a renewal, should a CA give certificates of seconds.
const SHORTEST: u64 = 5;

/// What others may know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Address of the directory.
    pub directory: String,
    /// Address of the account, once there is one.
    pub account: Option<String>,
    /// When the next certificate is asked for, Unix seconds.
    pub renews_at: Option<u64>,
    /// Faults since the last success.
    pub failures: u32,
    /// The last one.
    pub last_failure: Option<String>,
}

/// What is shown, and what others may know.
#[derive(Default)]
pub struct Shared {
    challenges: RwLock<BTreeMap<String, Arc<CertifiedKey>>>,
    certificate: RwLock<Option<Arc<PublicCertificate>>>,
    status: RwLock<Status>,
}

impl Shared {
    /// 3. The answer to a challenge for a name, which is in lower case.
    pub fn challenge(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.challenges.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// 5. The certificate that is for a name, which is in lower case.
    pub fn certified(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.certificate().filter(|certificate| certificate.names(name)).map(|found| Arc::clone(found.certified()))
    }

    /// The certificate that there is.
    pub fn certificate(&self) -> Option<Arc<PublicCertificate>> {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What others may know.
    pub fn status(&self) -> Status {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn show(&self, certificate: Arc<PublicCertificate>) {
        *self.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
    }
}

/// What it takes besides.
pub struct Surroundings {
    /// Seals and opens keys.
    pub keys: Arc<PublicKeys>,
    /// The public log.
    pub gov: Arc<Mutex<GovLog>>,
    /// Time.
    pub clock: Arc<Clock>,
}

/// An account at the CA.
struct Account {
    key: EcdsaKey,
    sealed_key: Vec<u8>,
    address: String,
}

/// The one who asks the CA.
pub struct Acme {
    place: Place,
    contact: Option<String>,
    shared: Arc<Shared>,
    account: Option<Account>,
}

impl Acme {
    /// Prepares the CA of a policy; `service` is the host's address.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(policy: &adyton_policy::Acme, service: Address) -> Result<Self, EndpointError> {
        let adyton_policy::Acme { host, port, path, trust, contact } = policy;
        let trust = Trust::parse(trust).ok_or(EndpointError::Certificate)?;
        let endpoint = Endpoint::new(host, *port, &trust, service, AnswerBudget::CA)?;
        let mut origins = vec![format!("https://{host}:{port}")];
        if *port == 443 {
            origins.push(format!("https://{host}"));
        }
        let shared = Arc::<Shared>::default();
        let directory = format!("{}{path}", origins.last().map_or("", String::as_str));
        shared.note(|status| status.directory = directory);
        let place = Place { endpoint, origins, directory: path.clone() };
        Ok(Self { place, contact: contact.clone(), shared, account: None })
    }

    /// What is shown, and what others may know.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Takes over what the public log shows, as far as it is this CA's and this vault's.
    pub fn resume(&mut self, record: &CertificateRecord, keys: &PublicKeys, now: u64) {
        let address = String::from_utf8(record.account.clone()).ok().filter(|here| self.place.path(here).is_ok());
        let key = keys.unseal(ACCOUNT_KEY, &record.sealed_account_key);
        let key = key.and_then(|(pkcs8, _)| EcdsaKey::from_pkcs8(&pkcs8));
        if let (Some(address), Ok(key)) = (address, key) {
            self.shared.note(|status| status.account = Some(address.clone()));
            self.account = Some(Account { key, sealed_key: record.sealed_account_key.clone(), address });
        }
        // One that has expired, or is for names that are the policy's no longer, is not shown.
        if let Ok(certificate) = keys.certify(&record.sealed_key, record.chain.clone(), now) {
            self.shared.show(Arc::new(certificate));
        }
    }

    /// Keeps a certificate, for ever.
    pub async fn run(mut self, surroundings: Surroundings) {
        let mut failures = 0u32;
        loop {
            let now = surroundings.clock.now();
            let due = self.due(&surroundings.keys);
            self.shared.note(|status| status.renews_at = Some(due.max(now)));
            if due > now {
                // Looked at again every hour: a clock may be set, and a sleep does not know.
                sleep(Duration::from_secs((due - now).clamp(SHORTEST, 3600))).await;
                continue;
            }
            let renewed = self.renew(&surroundings).await;
            self.shared.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
            // What is due at once would be asked for again and again, and each is in the log for ever.
            let due = self.due(&surroundings.keys);
            let renewed =
                renewed.and_then(|()| if due > surroundings.clock.now() { Ok(()) } else { Err(AcmeError::Life) });
            let wait = match renewed {
                Ok(()) => {
                    failures = 0;
                    self.shared.note(|status| {
                        (status.renews_at, status.failures, status.last_failure) = (Some(due), 0, None);
                    });
                    SHORTEST
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let said = Some(error.to_string());
                    self.shared.note(|status| (status.failures, status.last_failure) = (failures, said));
                    if matches!(error, AcmeError::Fenced) {
                        // Nothing more is written by this boot.
                        return;
                    }
                    let place = usize::try_from(failures).unwrap_or(usize::MAX).min(WAITS.len()) - 1;
                    WAITS[place]
                }
            };
            sleep(Duration::from_secs(wait)).await;
        }
    }

    /// 2. When the next certificate is asked for.
    fn due(&self, keys: &PublicKeys) -> u64 {
        let Some(certificate) = self.shared.certificate() else { return 0 };
        match certificate.validity() {
            Some((from, until)) if keys.names().iter().all(|name| certificate.names(name)) => {
                from.saturating_add(until.saturating_sub(from) / 3 * 2)
            }
            _ => 0,
        }
    }

    async fn renew(&mut self, surroundings: &Surroundings) -> Result<(), AcmeError> {
        let Surroundings { keys, clock, .. } = surroundings;
        // 1.
        if self.account.is_none() {
            let account = self.enrol(keys).await?;
            record(surroundings, &account, Vec::new(), Vec::new()).await?;
            self.shared.note(|status| status.account = Some(account.address.clone()));
            self.account = Some(account);
        }
        let account = self.account.as_ref().ok_or(AcmeError::Key)?;
        // 2.
        let mut ca = Conversation::begin(&self.place, &account.key, Some(account.address.clone())).await?;
        let order = ca.order(keys.names()).await?;
        // 3.
        for authorization in &order.authorizations {
            let Some(challenge) = ca.challenge(authorization).await? else { continue };
            if !keys.names().contains(&challenge.name) {
                return Err(AcmeError::Form("identifier"));
            }
            let answer = answer(&challenge, &account.key).map_err(|_| AcmeError::Key)?;
            let challenges = &self.shared.challenges;
            challenges.write().unwrap_or_else(PoisonError::into_inner).insert(challenge.name.clone(), answer);
            ca.prove(&challenge, authorization).await?;
        }
        // 4.
        let asked = keys.asked().map_err(|_| AcmeError::Key)?.ok_or(AcmeError::Names)?;
        let pem = ca.finalize(&order, asked.request.der()).await?;
        let chain = adyton_policy::certificates(&pem).ok_or(AcmeError::Form("the certificate"))?;
        if !(2..=adyton_ledger::MAX_CHAIN).contains(&chain.len()) {
            return Err(AcmeError::Form("the certificate"));
        }
        let certificate =
            keys.certify(&asked.sealed_key, chain.clone(), clock.now()).map_err(AcmeError::Certificate)?;
        if !keys.names().iter().all(|name| certificate.names(name)) {
            return Err(AcmeError::Names);
        }
        // 5.
        record(surroundings, account, asked.sealed_key, chain).await?;
        self.shared.show(Arc::new(certificate));
        Ok(())
    }

    /// 1. A key, and an account for it.
    async fn enrol(&self, keys: &PublicKeys) -> Result<Account, AcmeError> {
        let key = EcdsaKey::generate()?;
        let sealed_key = keys.seal(ACCOUNT_KEY, &key.public_der()?, key.to_pkcs8()?)?;
        let address = Conversation::begin(&self.place, &key, None).await?.account(self.contact.as_deref()).await?;
        Ok(Account { key, sealed_key, address })
    }
}

async fn record(
    surroundings: &Surroundings,
    account: &Account,
    sealed_key: Vec<u8>,
    chain: Vec<Vec<u8>>,
) -> Result<(), AcmeError> {
    let record = CertificateRecord {
        account: account.address.clone().into_bytes(),
        sealed_account_key: account.sealed_key.clone(),
        sealed_key,
        chain,
    };
    let appended =
        surroundings.gov.lock().await.append(&GovRecord::Certificate(record), surroundings.clock.now()).await;
    appended.map_err(|error| match error {
        AppendError::Record => AcmeError::Form("the certificate"),
        AppendError::Stopped => AcmeError::Fenced,
    })
}

/// 3. A certificate that answers a challenge (RFC 8737 §3), under a key of its own.
fn answer(challenge: &Challenge, key: &EcdsaKey) -> Result<Arc<CertifiedKey>, IdentityError> {
    let digest = sha256(jws::key_authorization(key, &challenge.token).as_bytes()).0;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new([challenge.name.clone()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let certificate = params.self_signed(&key)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Not compared with the certificate: the library reads none with an extension that it does not know and must.
    let private = provider().key_provider.load_private_key(private).map_err(|_| IdentityError::Tls)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], private)))
}

#[cfg(test)]
mod tests;
