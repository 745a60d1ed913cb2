//! A vault with two tenants, and requests to it.

use std::path::PathBuf;

use adyton_frame::{Frame, Message};
use adyton_ledger::{Frontier, LogId, Request as SignedByPerson, SshPublicKey, VaultId, sha256};
use adyton_policy::Policy;
use adyton_seal::{HmacKey, KeyTree, Label, RecipientKey, RootKey, Secret, SigningKey};
use adyton_transport::{Address, FrameReader, FrameWriter, Listener, Stream, accept_channel};
use adyton_vault::{
    AccountId, Admission, ChangeKeys, Context, CreateTenant, Fresh, KeyChanges, KeyId, NewKey, Rules, Scope, Scopes,
    State, User, tenancy,
};
use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{Method, Request, Response};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::{Mutex, mpsc, watch};
use tower_service::Service;

use crate::clock::Clock;
use crate::delivery::CredentialKey;
use crate::engine::StopReporter;
use crate::engine::gov::GovLog;
use crate::engine::log_writer::LogWriter;
use crate::engine::writer::Deps;
use crate::events::Events;
use crate::evidence::Channel;
use crate::hashes;
use crate::http::*;
use crate::platform::{Nsm, NsmAddress};
use crate::policy::InForce;
use crate::public::PublicKeys;
use crate::ssh_signer::SshSigner;
use adyton_decider::Gate;
use adyton_engine::sealing::Sealer;
use adyton_engine::{LogTip, Shard};

const OPS: LogId = LogId::from_number(1);
const VAULT: VaultId = VaultId([9; 32]);
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
/// Every tenant's token.
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Account SID of a tenant, 1 or 2; others do not exist.
pub(super) fn account(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

/// A vault, and what it needs to live.
pub(super) struct World {
    pub(super) api: Arc<Api>,
    pub(super) router: Router,
    pub(super) store: Store,
    _folder: TempDir,
    _platform: Option<UnixListener>,
}

impl World {
    /// A vault with this byte budget.
    pub(super) async fn new(budget: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (api, platform, store) = api(folder.path().to_owned(), budget).await;
        let api = Arc::new(api);
        // From here on the lease holds for a while, whatever the store does.
        drop(api.engine.view().await.unwrap());
        Self { router: router(Arc::clone(&api)), api, store, _folder: folder, _platform: Some(platform) }
    }

    /// The same, whose platform gives no document and says so at once.
    pub(super) async fn without_platform(budget: usize) -> Self {
        Self { _platform: None, ..Self::new(budget).await }
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(Channel::for_test());
        self.router.clone().call(request).await.unwrap()
    }

    /// Status and code of the answer to a request.
    pub(super) async fn ask(&self, request: Request<Body>) -> (u16, Option<u64>) {
        let answer = self.send(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        (status, body.and_then(|body| body["code"].as_u64()))
    }
}

/// A request of a tenant to the vault's own name.
pub(super) fn request(method: Method, path: &str, of: u8) -> Builder {
    request_by(method, path, &account(of).text())
}

/// A request by an account or an API key, which have all the same token.
pub(super) fn request_by(method: Method, path: &str, user: &str) -> Builder {
    let credentials = BASE64.encode(format!("{user}:{TOKEN}").as_bytes());
    let request = Request::builder().method(method).uri(path);
    request.header("Host", "localhost").header("Authorization", format!("Basic {credentials}"))
}

/// SID of a tenant's API key of scope `verify`.
pub(super) fn api_key(number: u8) -> KeyId {
    key_of(number, Scope::Verify)
}

/// SID of a tenant's API key of each scope.
pub(super) fn key_of(number: u8, scope: Scope) -> KeyId {
    let sixteens = match scope {
        Scope::Verify => 1,
        Scope::Admin => 2,
        Scope::Support => 3,
    };
    KeyId::from_bytes([number + 16 * sixteens; 16])
}

/// Sequence of the next request of each tenant.
pub(super) const NEXT: u64 = 2;

/// Signs as a person does: the tenants by their numbers, the owners' only one by 9.
pub(super) fn person(number: u8) -> SshSigner<impl Fn(&[u8]) -> [u8; 64]> {
    let key = SigningKey::from_seed(&Secret::init_with(|bytes| bytes.fill(number))).unwrap();
    SshSigner { public: key.public_key(), sign: move |text: &[u8]| key.sign(text) }
}

/// A request that a person signed, so many times.
pub(super) fn signed(by: u8, request: &SignedByPerson, copies: usize) -> Request<Body> {
    let hash = sha256(request.text(&VAULT).as_bytes()).0;
    let body = adyton_api::SignedRequest {
        action: request.action.text().into(),
        signer: request.signer.to_string(),
        sequence: request.sequence,
        body: request.body.clone(),
        signatures: vec![person(by).armored(&hash); copies],
    };
    let asked = Request::post("/adyton/v1/requests").header("Host", "localhost");
    asked.body(Body::from(serde_json::to_vec(&body).unwrap())).unwrap()
}

fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

fn token_key() -> HmacKey {
    HmacKey::new(&keys().derive(Label::Token, &[]).unwrap())
}

fn signer() -> SigningKey {
    SigningKey::from_seed(&keys().derive(Label::LogSigning, &[]).unwrap()).unwrap()
}

/// The request by which a tenant came into being.
pub(super) fn tenant(number: u8) -> CreateTenant {
    let account = account(number);
    let token_hash = hashes::token_hash(&token_key(), User::Account(account), TOKEN.as_bytes());
    let friendly_name = format!("Tenant {number}");
    let ssh_key = person(number).line().parse::<SshPublicKey>().unwrap().blob().to_vec();
    CreateTenant { account, token_hash, friendly_name, ssh_key, admitted: None }
}

/// A shard that holds both tenants, as if they were durable.
fn shard() -> Shard<adyton_vault::State, crate::engine::Ticket> {
    let sealer = Sealer::new(&keys(), VAULT, OPS, [0; 16], 1).unwrap();
    let mut shard = Shard::new(State::new(), &VAULT, sealer, signer(), Frontier::default(), 0);
    let rules = Rules { tenancy: tenancy::Rules { admission: Admission::Open }, ..Rules::default() };
    for number in [1, 2] {
        let (account, command) = (account(number), tenant(number).into());
        let mut fresh = Fresh::new(Secret::init_with(|bytes| bytes.fill(number)));
        drop(shard.submit(command, &mut Context { now: 1_800_000_000, fresh: &mut fresh, rules: &rules }, None));
        let added = [Scope::Verify, Scope::Admin, Scope::Support].map(|scope| {
            let key = key_of(number, scope);
            let token_hash = hashes::token_hash(&token_key(), User::Key(key), TOKEN.as_bytes());
            NewKey { key, scopes: Scopes::from_slice(&[scope]), token_hash }
        });
        let changes = KeyChanges { added: added.into(), ..KeyChanges::default() };
        let mut fresh = Fresh::new(Secret::init_with(|bytes| bytes.fill(number)));
        let command = ChangeKeys { account, sequence: NEXT - 1, changes }.into();
        drop(shard.submit(command, &mut Context { now: 1_800_000_000, fresh: &mut fresh, rules: &rules }, None));
    }
    drop(shard.seal(1_800_000_000).unwrap().unwrap());
    drop(shard.reached(Gate::Certified, shard.size()));
    shard
}

/// A host's store, which keeps nothing: batches that it was given, and how many of them it may acknowledge.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) given: watch::Sender<u64>,
    pub(super) allowed: watch::Sender<u64>,
}

impl Store {
    fn start(listener: Listener) -> Self {
        let store = Self { given: watch::Sender::new(0), allowed: watch::Sender::new(u64::MAX) };
        let serving = store.clone();
        tokio::spawn(async move {
            while let Ok(stream) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        store
    }

    async fn serve(&self, mut stream: Stream) -> Option<()> {
        accept_channel(&mut stream).await.ok()?;
        let (read, write) = tokio::io::split(stream);
        let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
        while let Some(Frame { id, message: Message::Append(append) }) = reader.read().await.ok()? {
            self.given.send_modify(|given| *given += 1);
            let number = *self.given.borrow();
            self.allowed.subscribe().wait_for(|allowed| *allowed >= number).await.ok()?;
            let message = Message::Appended { size: append.expected_size + 1 };
            writer.write(&Frame { id, message }).await.ok()?;
        }
        Some(())
    }
}

async fn api(folder: PathBuf, budget: usize) -> (Api, UnixListener, Store) {
    let (service, nsm) = (Address::Unix(folder.join("host")), folder.join("nsm"));
    let store = Store::start(Listener::bind(&service).unwrap());
    let policy = Policy::parse(
        format!(
            "version = 1\nprofile = \"dev\"\nretention_days = 30\n[attestation]\nroot = \"\"\"\n{PEM}\"\"\"\n\
             [owners]\nthreshold = 1\nkeys = [{:?}]\n[tenants]\nadmission = \"open\"\nloosening_hours = 24\n[api]\nnames = [\"localhost\"]\naddresses = []\n\
             [custody]\nhost = \"kms.adyton.test\"\nport = 443\ntrust = \"\"\"\n{PEM}\"\"\"\n\
             [verification]\nchannels = []\ncountries = []\n",
            person(9).line()
        )
        .as_bytes(),
    )
    .unwrap();
    let platform = UnixListener::bind(&nsm).unwrap();
    let address = NsmAddress::Socket(nsm);
    let nsm = Nsm::connect(&address).await.unwrap();
    let events = Events::silent();
    let clock = Arc::new(Clock::new());
    let recipient = Arc::new(RecipientKey::new(&keys().derive(Label::Hpke, &[]).unwrap()).unwrap());
    let public = Arc::new(PublicKeys::new(&keys(), VAULT.0, &[]).unwrap());
    let credentials = CredentialKey { recipient: Arc::clone(&recipient), vault_id: VAULT.0 };
    let in_force = Arc::new(InForce::new(policy.clone(), credentials, public).unwrap());
    let gov = LogWriter::start(service.clone(), LogId::GOV, events.clone());
    let tip = LogTip::new(&VAULT, LogId::GOV, signer(), Frontier::default(), 0);
    let gov = GovLog::new(tip, [0; 16], 1, gov, StopReporter::channel().0);
    let effective = crate::policy::tests::effective();
    let effective = Watch::new(effective);
    let deps = Deps {
        clock: Arc::clone(&clock),
        events: events.clone(),
        effects: mpsc::unbounded_channel().0,
        log: LogWriter::start(service, OPS, events.clone()),
        effective: effective.clone(),
        stop: StopReporter::channel().0,
    };
    let shard = shard();
    let api = Api {
        evidence: Evidence::start((nsm, address), b"bundle", [7; 32], signer(), events),
        engine: Engine::start(shard, None, deps),
        keys: Arc::new(keys()),
        token_key: token_key(),
        recipient,
        vault_id: VAULT.0,
        hosts: Hosts::new(&policy.api),
        public_request: None,
        acme: None,
        effective,
        release: 1,
        policy_hash: [0; 32],
        profile: Profile::Dev,
        owners: Owners::new(in_force, Arc::new(Mutex::new(gov)), clock),
        budget: Budget::new(budget),
        workers: Workers::default(),
    };
    (api, platform, store)
}
