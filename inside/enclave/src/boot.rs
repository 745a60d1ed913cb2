//! From nothing to serving.
//!
//! 1. the policy, hashed as it was measured;
//! 2. the platform: entropy mixed, a boot id;
//! 3. the host and its store;
//! 4. the genesis of the public log, and the root key: unwrapped by the custodian, or both born here;
//! 5. the public log replayed against its signed head; its policy in force must be this one, or the owners have approved
//!    this one (`release`);
//! 6. the operations log replayed;
//! 7. identity: a TLS key, the bundle, the platform's document over it; the clock against that document's time;
//! 8. approval, policy and this boot in the logs; a wait, if the vault boots too often (never in profile `dev`); then the API,
//!    delivery, snapshots.
//!
//! A step that fails refuses the boot. The reason goes out as a number ([`BootError::reason`]); the text is for the
//! process's own stderr and holds public facts only.

mod error;
mod genesis;
mod release;

use std::sync::Arc;
use std::time::Instant;

use adyton_attest::{Bundle, NotarySet, OwnDocument};
use adyton_decider::{BootId, Gate};
use adyton_engine::sealing::Sealer;
use adyton_engine::{LogTip, Replay, Shard};
use adyton_frame::Event;
use adyton_ledger::{BootRecord, GovRecord, LogId, OpsRoot, sha256};
use adyton_policy::ProfileName;
use adyton_seal::{HmacKey, Label, RecipientKey, SigningKey, mix_random};
use adyton_transport::{Address, Listener};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, sleep};

use crate::acme::{self, Acme};
use crate::clock::Clock;
use crate::custody::Custodian;
use crate::delivery::{self, CredentialKey};
use crate::engine::gov::{self, GovLog, GovReplay};
use crate::engine::log_writer::LogWriter;
use crate::engine::replay::replay;
use crate::engine::snapshots::{self, LastRoots, Snapshots};
use crate::engine::writer::Deps;
use crate::engine::{Engine, StopReporter, WriterStopped};
use crate::events::Events;
use crate::evidence::Evidence;
use crate::http::{self, Api, Hosts, Owners, certificate_answer};
use crate::identity::{self, Ca, SealedCa};
use crate::metrics;
use crate::platform::{Claims, Nsm, NsmAddress, PlatformError};
use crate::policy::{InForce, Measured, Watch};
use crate::public::{PublicKeys, Resolver};
use crate::store::Store;

pub use error::BootError;

/// The generation of the root key's children.
const EPOCH: u32 = 1;
/// The one shard there is.
const OPS: LogId = LogId::from_number(1);

/// Where things are; nothing here decides anything.
pub struct Config {
    /// Where clients' connections arrive.
    pub ingress: Address,
    /// The host's service address.
    pub service: Address,
    /// The NSM.
    pub nsm: NsmAddress,
    /// The measured policy.
    pub policy: Vec<u8>,
    /// Whether this is an image on a machine of its own, and not a process on somebody's.
    pub in_image: bool,
}

/// Boots and serves until a writer stops; the event that says so was sent. The process must end then, for nothing is answered
/// any more.
///
/// # Errors
/// [`BootError`]; the event with its number was sent.
pub async fn run(config: Config) -> Result<WriterStopped, BootError> {
    let events = Events::start(config.service.clone());
    let result = boot(config, &events).await;
    let last = match &result {
        Ok(WriterStopped { log, reason }) => Event::WriterStopped { log: log.number(), reason: *reason },
        Err(error) => Event::BootRefused { reason: error.reason() },
    };
    events.emit_last(last).await;
    result
}

async fn boot(config: Config, events: &Events) -> Result<WriterStopped, BootError> {
    let began = Instant::now();
    // 1.
    report_phase(&config, events, 1);
    let measured = Measured::parse(&config.policy)?;
    let policy = &measured.policy;
    if config.in_image && policy.profile == ProfileName::Dev {
        return Err(BootError::DevInImage);
    }
    let kms = Custodian::new(policy, &config.service).map_err(|_| BootError::Route("custody".into()))?;
    // 2.
    report_phase(&config, events, 2);
    let mut nsm = Nsm::connect(&config.nsm).await?;
    let boot_id: [u8; 16] = {
        let mixed = mix_random(&nsm.random().await?)?;
        let mut id = [0; 16];
        id.copy_from_slice(&mixed.expose()[..16]);
        id
    };
    // 3.
    report_phase(&config, events, 3);
    let mut store = connect(&config.service).await?;
    let clock = Arc::new(Clock::new());
    // 4.
    report_phase(&config, events, 4);
    let vault = genesis::vault(&mut store, &measured, &kms, &mut nsm, boot_id, &clock).await?;
    let signer = || SigningKey::from_seed(&vault.keys.derive(Label::LogSigning, &[])?);
    // 5.
    report_phase(&config, events, 5);
    let GovReplay { frontier, bucket, releases, ops_root, boots, certificate, order } = match vault.newborn {
        Some(_) => GovReplay::newborn(&vault.genesis),
        None => gov::replay(&mut store, &vault.id, &vault.genesis).await?,
    };
    clock.at_least(bucket * 10);
    let release = release::admit(&mut store, &vault.id, &releases, &measured).await?;
    // 6.
    report_phase(&config, events, 6);
    let known = ops_root.filter(|root| root.log == OPS);
    let roots = LastRoots::default();
    if let Some(OpsRoot { size, root, .. }) = &known {
        roots.push(*size, *root);
    }
    let named = known.as_ref().map(|root| root.size);
    let replayed = replay(&mut store, &vault.keys, vault.id, OPS, &vault.genesis.log_key, known.as_ref()).await;
    let Replay { state, frontier: ops_frontier, bucket: ops_bucket, events: replayed_events, uncovered, .. } =
        replayed.map_err(BootError::Replay)?;
    clock.at_least(ops_bucket * 10);
    // 7.
    report_phase(&config, events, 7);
    let sealed_ca =
        SealedCa { certificate: vault.genesis.ca_certificate.clone(), sealed_key: vault.genesis.sealed_ca_key.clone() };
    let ca = Ca::open(&policy.api, &vault.keys, &vault.genesis.nonce, &sealed_ca)?;
    let ca_key = ca.spki_hash();
    let own = Arc::new(ca.boot_key(&policy.api, Arc::clone(&clock))?);
    let bundle = Bundle {
        vault_id: vault.id.0,
        release: release.number,
        policy_hash: measured.hash,
        boot_id,
        profile: vault.genesis.profile.number(),
        tls_key: own.spki_hash(),
        hpke_key: vault.genesis.hpke_key,
        log_key: vault.genesis.log_key,
        ca_key,
        notaries: NotarySet::default(),
        reveals: Vec::new(),
    };
    let bundle = bundle.encode().map_err(|_| BootError::Crypto)?;
    let bundle_hash = sha256(&bundle).0;
    let document = nsm.attest(Claims { user_data: Some(&bundle_hash), ..Claims::default() }).await?;
    let document = OwnDocument::parse(&document).map_err(|_| BootError::Platform(PlatformError::Answer))?;
    if !clock.agrees(document.timestamp_ms) {
        return Err(BootError::ClockParts);
    }
    // Both are public certificates.
    if document.root != measured.attestation_root {
        return Err(BootError::AttestationRoot);
    }
    // Whatever could refuse this policy comes before the logs show it: from then on no other one boots.
    let recipient = Arc::new(RecipientKey::new(&vault.keys.derive(Label::Hpke, &[])?)?);
    let key = CredentialKey { recipient: Arc::clone(&recipient), vault_id: vault.id.0 };
    let public = Arc::new(PublicKeys::new(&vault.keys, vault.id.0, &policy.api.public_names)?);
    let public_request = public.request()?.and_then(|request| certificate_answer(request).ok());
    let acme = policy.acme.as_ref().map(|acme| Acme::new(acme, config.service.clone(), Arc::clone(&clock))).transpose();
    let mut acme = acme.map_err(|_| BootError::Route("acme".into()))?;
    if let (Some(acme), Some(certificate)) = (&mut acme, &certificate) {
        acme.resume(certificate, order.as_ref(), &public);
    }
    let in_force = InForce::new(policy.clone(), key, Arc::clone(&public)).map_err(|error| BootError::Route(error.0))?;
    // A credential that the present policy's routes cannot use lets its route rest; it refuses no boot.
    let effective = in_force.with_kept(state.settings(), state.next_owners_sequence() - 1, clock.now());
    let effective = Watch::new(effective.map_err(BootError::Settings)?);
    let obtained = acme.as_ref().map(Acme::shared);
    let tls = identity::server(Arc::new(Resolver::new(own, effective.clone(), obtained.clone())), acme.is_some())?;
    let carriers = delivery::prepare(in_force.routes(), &config.service, &clock);
    let carriers = carriers.map_err(|error| BootError::Route(error.0))?;
    // 8.
    report_phase(&config, events, 8);
    let log = LogWriter::start(config.service.clone(), LogId::GOV, events.clone());
    let (stop, mut stopped) = StopReporter::channel();
    let tip = LogTip::new(&vault.id, LogId::GOV, signer()?, frontier, bucket);
    let mut gov = GovLog::new(tip, boot_id, release.number, log, stop.clone());
    if let Some(genesis) = vault.newborn {
        gov.append_entry(genesis).await.map_err(|_| BootError::Fenced)?;
    }
    let time = clock.now();
    for record in &release.records {
        gov.append(record, time).await.map_err(|_| BootError::Fenced)?;
    }
    let record = BootRecord { boot_id, release: release.number, policy_hash: measured.hash, bundle_hash, time };
    gov.append(&GovRecord::Boot(record), time).await.map_err(|_| BootError::Fenced)?;

    let sealer = Sealer::new(&vault.keys, vault.id, OPS, boot_id, release.number)?;
    let mut shard = Shard::new(state, &vault.id, sealer, signer()?, ops_frontier.clone(), ops_bucket);
    shard.boot(BootId(boot_id), clock.now());
    let mut log = LogWriter::start(config.service.clone(), OPS, events.clone());
    if let Some(sealed) = shard.seal(clock.now())? {
        log.send(&sealed).map_err(|_| BootError::Fenced)?;
        log.settle().await.map_err(|_| BootError::Fenced)?;
        shard.reached(Gate::Certified, shard.size());
    }
    // Boots in the logs count, so this one does even if it is ended while it waits.
    if let Some(boots) = release::too_many_boots(vault.genesis.profile, &boots, time) {
        events.emit(Event::BootDelayed { boots, seconds: release::DELAY_SECONDS });
        sleep(Duration::from_secs(release::DELAY_SECONDS)).await;
    }
    let renewed = log.renewed();
    let (effects, outbox) = mpsc::unbounded_channel();
    let deps =
        Deps { clock: Arc::clone(&clock), events: events.clone(), effects, log, effective: effective.clone(), stop };
    let engine = Engine::start(shard, renewed, deps);
    let deps = delivery::Deps { engine: engine.clone(), clock: Arc::clone(&clock), events: events.clone() };
    delivery::start(carriers, effective.clone(), deps, outbox);
    tokio::spawn(metrics::report(engine.clone(), events.clone(), metrics::REPORT_INTERVAL));
    let snapshots = Snapshots {
        service: config.service.clone(),
        keys: Arc::clone(&vault.keys),
        vault: vault.id,
        log: OPS,
        uncovered,
        boot_id,
        engine: engine.clone(),
        clock: Arc::clone(&clock),
        events: events.clone(),
        retention: u64::from(policy.retention_days) * 86_400,
        roots: roots.clone(),
        every_bytes: snapshots::SNAPSHOT_BYTES,
    };
    tokio::spawn(snapshots.run(ops_frontier));
    let gov = Arc::new(Mutex::new(gov));
    tokio::spawn(hourly_roots(Arc::clone(&gov), engine.clone(), Arc::clone(&clock), named, roots));
    if let Some(acme) = acme {
        let deps = acme::Deps { keys: public, records: Arc::clone(&gov), effective: effective.clone() };
        tokio::spawn(acme.run(deps));
    }

    let evidence = Evidence::start((nsm, config.nsm), &bundle, bundle_hash, signer()?, events.clone());
    let api = Api {
        evidence,
        engine,
        token_key: HmacKey::new(&vault.keys.derive(Label::Token, &[])?),
        recipient,
        hosts: Hosts::new(&policy.api),
        public_request,
        acme: obtained,
        effective,
        release: release.number,
        policy_hash: measured.hash,
        profile: vault.genesis.profile,
        owners: Owners::new(Arc::new(in_force), gov, clock),
        vault_id: vault.id.0,
        keys: vault.keys,
        budget: http::Budget::default(),
        workers: http::Workers::default(),
    };
    let listener = Listener::bind(&config.ingress).map_err(BootError::Ingress)?;
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    events.emit(Event::Ready { replayed: replayed_events, micros });
    tokio::select! {
        Some(stopped) = stopped.recv() => Ok(stopped),
        () = http::serve(listener, tls, http::router(Arc::new(api))) => {
            Err(BootError::Ingress(std::io::Error::other("it takes no more connections")))
        }
    }
}

/// A step begins: its number is reported to the host, and to an image's console.
#[allow(clippy::print_stderr, reason = "an image's stderr is its console, and this is a number")]
fn report_phase(config: &Config, events: &Events, phase: u8) {
    if config.in_image {
        eprintln!("adyton-enclave: boot {phase}");
    }
    events.emit(Event::BootPhase { phase });
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

/// Writes size and root of the operations log, as the writer knows them to be durable, into the public log every hour in which
/// the log grew; `named` is the size that was written last.
async fn hourly_roots(
    gov: Arc<Mutex<GovLog>>,
    engine: Engine,
    clock: Arc<Clock>,
    mut named: Option<u64>,
    roots: LastRoots,
) {
    let mut hour = clock.now() / 3600;
    loop {
        sleep(Duration::from_secs(10)).await;
        let now = clock.now();
        if now / 3600 == hour {
            continue;
        }
        hour = now / 3600;
        let (size, root) = engine.durable_root();
        if named.is_some_and(|named| size <= named) {
            continue;
        }
        // First, so that no snapshot covers a size that the public log may name and the snapshot does not.
        roots.push(size, root);
        let record = GovRecord::OpsRoot(OpsRoot { log: OPS, size, root });
        if gov.lock().await.append(&record, now).await.is_err() {
            return;
        }
        named = Some(size);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    /// How a boot under a policy of profile `dev` ends.
    async fn refused(in_image: bool) -> BootError {
        let policy = format!(
            "version = 1\nprofile = \"dev\"\nretention_days = 30\n[attestation]\nroot = \"\"\"\n{PEM}\"\"\"\n\
             [tenants]\nadmission = \"open\"\nloosening_hours = 24\n[api]\nnames = [\"localhost\"]\naddresses = []\n\
             [custody]\nhost = \"kms.adyton.test\"\nport = 443\ntrust = \"\"\"\n{PEM}\"\"\"\n\
             [verification]\nchannels = []\ncountries = []\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let nowhere = || Address::Unix(folder.path().join("nowhere"));
        let config = Config {
            ingress: nowhere(),
            service: nowhere(),
            nsm: NsmAddress::Socket(folder.path().join("nowhere")),
            policy: policy.into_bytes(),
            in_image,
        };
        run(config).await.unwrap_err()
    }

    #[tokio::test]
    async fn profile_dev_is_refused_in_an_image_before_anything_else() {
        assert!(matches!(refused(true).await, BootError::DevInImage));
        assert!(!matches!(refused(false).await, BootError::DevInImage));
    }
}
