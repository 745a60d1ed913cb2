//! From nothing to serving.
//!
//! 1. the policy, hashed as it was measured;
//! 2. the platform: entropy mixed, a boot id;
//! 3. the host's public log: a vault, or none yet;
//! 4. the root key: born here (genesis), or unwrapped by the custodian;
//! 5. the public log replayed against its signed head; its policy must be this one;
//! 6. the operations log replayed;
//! 7. identity: a TLS key, the bundle, the platform's document over it; the clock against that document's time;
//! 8. this boot in both logs; then the API, delivery, snapshots.
//!
//! A step that fails refuses the boot. The reason goes out as a number ([`BootError::reason`]); the text is for the
//! process's own stderr and holds public facts only.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use adyton_attest::{Bundle, NotarySet, OwnDocument};
use adyton_frame::Event;
use adyton_ledger::{BootRecord, Frontier, Genesis, GovRecord, Head, LogId, OpsRoot, Record, VaultId, origin, sha256};
use adyton_seal::{HmacKey, KeyTree, Label, Opaque, RecipientKey, RootKey, SigningKey, mix_random, put_lp, random};
use adyton_transport::{Address, Listener};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, sleep};

use crate::clock::Clock;
use crate::custody::{self, CustodyError};
use crate::delivery::{self, TableError};
use crate::egress::{Endpoint, EndpointError, Trust};
use crate::engine::appender::Appender;
use crate::engine::follower::{self, Follower};
use crate::engine::gov::{self, GovLog};
use crate::engine::replay::{Replay, ReplayError, replay};
use crate::engine::sealing::Sealer;
use crate::engine::writer::Surroundings;
use crate::engine::{Engine, Shard};
use crate::events::Events;
use crate::http::{self, Api};
use crate::identity::{Ca, IdentityError, SealedCa, make_ca};
use crate::metrics;
use crate::platform::{Nsm, PlatformError};
use crate::policy::{Policy, PolicyError, certificate};
use crate::store::{Store, StoreError};

/// The generation of the root key's children.
const EPOCH: u32 = 1;
/// The release, until owners approve another.
const RELEASE: u64 = 1;
/// The one shard there is.
const OPS: LogId = LogId::from_number(1);

/// Where things are; nothing here decides anything.
pub struct Config {
    /// Where clients' connections arrive.
    pub ingress: Address,
    /// The host's service address.
    pub service: Address,
    /// The NSM.
    pub nsm: PathBuf,
    /// The measured policy.
    pub policy: PathBuf,
}

/// Why a boot was refused.
#[derive(Debug)]
pub enum BootError {
    /// The policy cannot be read.
    PolicyFile(std::io::Error),
    /// The policy is wrong.
    Policy(PolicyError),
    /// The platform is not there.
    Platform(PlatformError),
    /// The host's store is not there.
    Store(StoreError),
    /// The root key cannot be had.
    Custody(CustodyError),
    /// The library refused, or a key does not open.
    Crypto,
    /// The public log does not begin with a genesis, or does not hold together.
    Gov,
    /// The vault was made under another policy.
    OtherPolicy,
    /// The operations log does not replay.
    Replay(ReplayError),
    /// The identity cannot be made.
    Identity(IdentityError),
    /// The guest's clock and the platform's part by more than two seconds.
    ClockParts,
    /// The platform's attestation root is not the policy's.
    AttestationRoot,
    /// Another enclave writes this vault's log.
    Fenced,
    /// The ingress address cannot be bound.
    Ingress(std::io::Error),
    /// An endpoint of the policy cannot be used.
    Endpoint(EndpointError),
    /// The settings do not fit the policy's routes.
    Routes(TableError),
}

impl BootError {
    /// The number of the reason in the `BootRefused` event.
    pub fn reason(&self) -> u8 {
        match self {
            Self::PolicyFile(_) => 1,
            Self::Policy(_) => 2,
            Self::Platform(_) => 3,
            Self::Store(_) => 4,
            Self::Custody(_) => 5,
            Self::Crypto => 6,
            Self::Gov => 7,
            Self::OtherPolicy => 8,
            Self::Replay(_) => 9,
            Self::Identity(_) => 10,
            Self::ClockParts => 11,
            Self::AttestationRoot => 12,
            Self::Fenced => 13,
            Self::Ingress(_) => 14,
            Self::Endpoint(_) => 15,
            Self::Routes(_) => 16,
        }
    }
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyFile(error) => write!(f, "the policy cannot be read: {error}"),
            Self::Policy(error) => error.fmt(f),
            Self::Platform(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Custody(error) => error.fmt(f),
            Self::Crypto => f.write_str("a key of the vault does not open: is this its own KMS?"),
            Self::Gov => f.write_str("the public log does not hold together; `adyton log check` names the first fault"),
            Self::OtherPolicy => f.write_str("the vault was made under another policy, and this one is not approved"),
            Self::Replay(error) => error.fmt(f),
            Self::Identity(error) => error.fmt(f),
            Self::ClockParts => f.write_str("this machine's clock and the platform's part by more than two seconds"),
            Self::AttestationRoot => f.write_str("the platform's attestation root is not the policy's"),
            Self::Fenced => f.write_str("another enclave writes this vault's log"),
            Self::Ingress(error) => write!(f, "the ingress address cannot be bound: {error}"),
            Self::Endpoint(error) => write!(f, "the policy: {error}"),
            Self::Routes(error) => write!(f, "the settings: {error}"),
        }
    }
}

impl std::error::Error for BootError {}

impl From<Opaque> for BootError {
    fn from(_: Opaque) -> Self {
        Self::Crypto
    }
}

impl From<EndpointError> for BootError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(error)
    }
}

impl From<TableError> for BootError {
    fn from(error: TableError) -> Self {
        Self::Routes(error)
    }
}

impl From<PolicyError> for BootError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<PlatformError> for BootError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl From<StoreError> for BootError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CustodyError> for BootError {
    fn from(error: CustodyError) -> Self {
        Self::Custody(error)
    }
}

impl From<IdentityError> for BootError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

/// The vault as its genesis made it, with its keys.
struct Vault {
    id: VaultId,
    genesis: Genesis,
    keys: Arc<KeyTree>,
    /// The genesis entry, if it was born just now.
    newborn: Option<Record>,
}

/// Boots and serves until a fault ends it.
///
/// # Errors
/// [`BootError`]; the event with its number was sent.
pub async fn run(config: Config) -> Result<(), BootError> {
    let events = Events::start(config.service.clone());
    let result = boot(config, &events).await;
    if let Err(error) = &result {
        events.emit(Event::BootRefused { reason: error.reason() });
        sleep(Duration::from_millis(100)).await;
    }
    result
}

async fn boot(config: Config, events: &Events) -> Result<(), BootError> {
    let began = Instant::now();
    // 1.
    events.emit(Event::BootPhase { phase: 1 });
    let policy = std::fs::read(&config.policy).map_err(BootError::PolicyFile)?;
    let policy = Policy::parse(&policy)?;
    let peer = &policy.content.custody;
    let trust = Trust::Ca(certificate(&peer.trust, "custody.trust")?);
    let kms = Endpoint::new(&peer.host, peer.port, &trust, config.service.clone())?;
    let routes = delivery::routes(&policy)?;
    let (_table, table) = watch::channel(Arc::new(delivery::table(&routes)?));
    // 2.
    events.emit(Event::BootPhase { phase: 2 });
    let mut nsm = Nsm::connect(&config.nsm).await?;
    let boot_id: [u8; 16] = {
        let mixed = mix_random(&nsm.random().await?)?;
        let mut id = [0; 16];
        id.copy_from_slice(&mixed.expose()[..16]);
        id
    };
    // 3. and 4.
    events.emit(Event::BootPhase { phase: 3 });
    let mut store = connect(&config.service).await?;
    let clock = Arc::new(Clock::new());
    let vault = open_vault(&mut store, &policy, &kms, &mut nsm, boot_id, &clock).await?;
    let signer = || SigningKey::from_seed(&vault.keys.derive(Label::LogSigning, &[])?);
    // 5.
    events.emit(Event::BootPhase { phase: 5 });
    let (frontier, bucket) = replay_gov(&mut store, &vault).await?;
    clock.at_least(bucket * 10);
    // 6.
    events.emit(Event::BootPhase { phase: 6 });
    let replayed = replay(&mut store, &vault.keys, vault.id, OPS, &vault.genesis.log_key).await;
    let Replay { state, frontier: ops_frontier, bucket: ops_bucket, events: replayed_events, .. } =
        replayed.map_err(BootError::Replay)?;
    clock.at_least(ops_bucket * 10);
    // 7.
    events.emit(Event::BootPhase { phase: 7 });
    let sealed_ca =
        SealedCa { certificate: vault.genesis.ca_certificate.clone(), sealed_key: vault.genesis.sealed_ca_key.clone() };
    let ca = Ca::open(&policy.content.api, &vault.keys, &vault.genesis.nonce, &sealed_ca)?;
    let (tls, tls_key) = ca.server(&policy.content.api)?;
    let bundle = Bundle {
        vault_id: vault.id.0,
        release: RELEASE,
        policy_hash: policy.hash,
        boot_id,
        profile: vault.genesis.profile.number(),
        tls_key,
        hpke_key: vault.genesis.hpke_key,
        log_key: vault.genesis.log_key,
        ca_key: ca.spki_hash(),
        notaries: NotarySet::default(),
        reveals: Vec::new(),
    };
    let bundle_hash = bundle.hash().map_err(|_| BootError::Crypto)?;
    let document = nsm.attest(Some(&bundle_hash), None).await?;
    let document = OwnDocument::parse(&document).map_err(|_| BootError::Platform(PlatformError::Answer))?;
    if !clock.agrees(document.timestamp_ms) {
        return Err(BootError::ClockParts);
    }
    // Both are public certificates.
    if document.root != policy.attestation_root {
        return Err(BootError::AttestationRoot);
    }
    // 8.
    events.emit(Event::BootPhase { phase: 8 });
    let appender = Appender::start(config.service.clone(), LogId::GOV, events.clone());
    let mut gov = GovLog::new(vault.id, signer()?, frontier, bucket, boot_id, RELEASE, appender);
    if let Some(genesis) = vault.newborn {
        gov.append_entry(genesis).await.map_err(|_| BootError::Fenced)?;
    }
    let time = clock.now();
    let record = BootRecord { boot_id, release: RELEASE, policy_hash: policy.hash, bundle_hash, time };
    gov.append(&GovRecord::Boot(record), time).await.map_err(|_| BootError::Fenced)?;

    let sealer = Sealer::new(&vault.keys, vault.id, OPS, boot_id, RELEASE)?;
    let cold = adyton_vault::State::decode_cold(&state.cold_bytes()).map_err(|_| BootError::Crypto)?;
    let mut shard = Shard::new(state, &vault.id, sealer, signer()?, ops_frontier.clone(), ops_bucket);
    shard.boot(boot_id, clock.now());
    let mut appender = Appender::start(config.service.clone(), OPS, events.clone());
    if let Some(sealed) = shard.seal(clock.now())? {
        let appended = appender.append(sealed.frame(sealed.size, OPS.number())?).await;
        if appended != Some(sealed.size) {
            return Err(BootError::Fenced);
        }
        shard.durable();
    }
    let durable = shard.size();
    let (effects, outbox) = mpsc::unbounded_channel();
    let surroundings = Surroundings { clock: Arc::clone(&clock), events: events.clone(), effects, appender };
    let engine = Engine::start(shard, OPS, durable, surroundings);
    let surroundings = delivery::Surroundings {
        service: config.service.clone(),
        engine: engine.clone(),
        clock: Arc::clone(&clock),
        events: events.clone(),
    };
    delivery::start(&routes, table, surroundings, outbox)?;
    tokio::spawn(metrics::report(engine.clone(), events.clone(), metrics::EVERY));
    let follower = Follower {
        service: config.service.clone(),
        keys: Arc::clone(&vault.keys),
        vault: vault.id,
        log: OPS,
        boot_id,
        engine: engine.clone(),
        clock: Arc::clone(&clock),
        events: events.clone(),
        retention: u64::from(policy.content.retention_days) * 86_400,
        every: follower::EVERY,
    };
    tokio::spawn(follower.run(cold, ops_frontier));
    tokio::spawn(hourly_roots(gov, config.service.clone(), vault.id, vault.genesis.log_key, clock));

    let api = Api {
        engine,
        token_key: HmacKey::new(&vault.keys.derive(Label::Token, &[])?),
        recipient: RecipientKey::new(&vault.keys.derive(Label::Hpke, &[])?)?,
        vault_id: vault.id.0,
        keys: vault.keys,
    };
    let listener = Listener::bind(&config.ingress).map_err(BootError::Ingress)?;
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    events.emit(Event::Ready { replayed: replayed_events, micros });
    http::serve(listener, tls, http::router(Arc::new(api))).await;
    Ok(())
}

/// The host may come up after the enclave: it is waited for, for a while.
async fn connect(service: &Address) -> Result<Store, BootError> {
    let mut tries = 0;
    loop {
        match Store::connect(service).await {
            Ok(store) => return Ok(store),
            Err(error) if tries == 500 => return Err(error.into()),
            Err(_) => tries += 1,
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn open_vault(
    store: &mut Store,
    policy: &Policy,
    kms: &Endpoint,
    nsm: &mut Nsm,
    boot_id: [u8; 16],
    clock: &Clock,
) -> Result<Vault, BootError> {
    let first = store.read(LogId::GOV, 0, 1).await?;
    let Some(record) = first.into_iter().next() else {
        return born(policy, kms, nsm, boot_id, clock).await;
    };
    let body = record.body.ok_or(BootError::Gov)?;
    if sha256(&body) != record.entry.body_hash() {
        return Err(BootError::Gov);
    }
    let Ok(GovRecord::Genesis(genesis)) = GovRecord::decode(&body) else { return Err(BootError::Gov) };
    // Public values, all of them.
    let profile = policy.content.profile.profile();
    if genesis.policy_hash != policy.hash || genesis.profile != profile {
        return Err(BootError::OtherPolicy);
    }
    let wrap = custody::decrypt(kms, nsm, &genesis.kms_ciphertext).await?;
    let root = wrap.unwrap(&wrap_aad(&genesis.nonce, &genesis.policy_hash), &genesis.wrapped_root)?;
    let keys = KeyTree::new(&root, EPOCH);
    // The genesis is only this vault's if its keys are ours.
    if SigningKey::from_seed(&keys.derive(Label::LogSigning, &[])?)?.public_key() != genesis.log_key {
        return Err(BootError::Crypto);
    }
    Ok(Vault { id: VaultId::of_genesis(&record.entry), genesis, keys: Arc::new(keys), newborn: None })
}

/// Genesis: everything that is born is born here, and exists once its one record is durable.
async fn born(
    policy: &Policy,
    kms: &Endpoint,
    nsm: &mut Nsm,
    boot_id: [u8; 16],
    clock: &Clock,
) -> Result<Vault, BootError> {
    let root = RootKey::new(mix_random(&nsm.random().await?)?);
    let custodian = custody::generate(kms, nsm).await?;
    let nonce: [u8; 32] = random()?;
    let wrapped_root = custodian.wrap.wrap(random()?, &wrap_aad(&nonce, &policy.hash), &root)?;
    let keys = KeyTree::new(&root, EPOCH);
    let ca = make_ca(&policy.content.api, &keys, &nonce)?;
    let genesis = Genesis {
        profile: policy.content.profile.profile(),
        nonce,
        attestation_root: sha256(&policy.attestation_root).0,
        policy_hash: policy.hash,
        log_key: SigningKey::from_seed(&keys.derive(Label::LogSigning, &[])?)?.public_key(),
        hpke_key: RecipientKey::new(&keys.derive(Label::Hpke, &[])?)?.public_key().0,
        ca_certificate: ca.certificate,
        sealed_ca_key: ca.sealed_key,
        wrapped_root,
        kms_ciphertext: custodian.ciphertext,
    };
    let record = gov::entry(&GovRecord::Genesis(genesis.clone()), 0, clock.now() / 10, boot_id, RELEASE);
    Ok(Vault { id: VaultId::of_genesis(&record.entry), genesis, keys: Arc::new(keys), newborn: Some(record) })
}

fn wrap_aad(genesis_nonce: &[u8; 32], policy_hash: &[u8; 32]) -> Vec<u8> {
    let mut aad = Vec::new();
    put_lp(&mut aad, b"adyton root wrap v1");
    aad.extend_from_slice(genesis_nonce);
    aad.extend_from_slice(policy_hash);
    aad
}

/// The public log recomputed against its head: its frontier and last time bucket.
async fn replay_gov(store: &mut Store, vault: &Vault) -> Result<(Frontier, u64), BootError> {
    let mut frontier = Frontier::new();
    let mut bucket = 0;
    let status = store.status(LogId::GOV).await?;
    if vault.newborn.is_some() || status.size == 0 {
        return Ok((frontier, bucket));
    }
    let head = Head::open(&status.head, &origin(&vault.id, LogId::GOV), &vault.genesis.log_key);
    let head = head.map_err(|_| BootError::Gov)?;
    while frontier.size() < head.size {
        let records = store.read(LogId::GOV, frontier.size(), 1024).await?;
        if records.is_empty() {
            return Err(BootError::Gov);
        }
        for record in &records {
            let header = record.entry.header().map_err(|_| BootError::Gov)?;
            bucket = bucket.max(header.time_bucket);
            frontier.push(record.entry.leaf_hash());
        }
    }
    if frontier.size() != head.size || frontier.root() != head.root {
        return Err(BootError::Gov);
    }
    Ok((frontier, bucket))
}

/// Writes the operations log's head into the public log every hour.
async fn hourly_roots(mut gov: GovLog, service: Address, vault: VaultId, log_key: [u8; 32], clock: Arc<Clock>) {
    let mut hour = clock.now() / 3600;
    loop {
        sleep(Duration::from_secs(10)).await;
        let now = clock.now();
        if now / 3600 == hour {
            continue;
        }
        let Ok(mut store) = Store::connect(&service).await else { continue };
        let Ok(status) = store.status(OPS).await else { continue };
        // Signed by this vault, so it is a head that the log had.
        let Ok(head) = Head::open(&status.head, &origin(&vault, OPS), &log_key) else { continue };
        let record = GovRecord::OpsRoot(OpsRoot { log: OPS, size: head.size, root: head.root });
        if gov.append(&record, now).await.is_err() {
            return;
        }
        hour = now / 3600;
    }
}
