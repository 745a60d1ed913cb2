//! From a command to a message at a carrier and back, over the engine, the real host and its store.

use std::collections::BTreeMap;

use adyton_ledger::{Frontier, LogId, VaultId};
use adyton_seal::{KeyTree, Label, RootKey, Secret, SigningKey};
use adyton_vault::{
    AccountId, Admission, Ask, Caller, Cancel, Ceiling, Check, CreateService, CreateTenant, Destination, Event,
    EventKind, KeyedHash, Limits, MessageOptions, Record as _, Requirements, Rules, ServiceId, ServiceSettings,
    SharedSubject, Start, State, Status, Subject, Subjects, Target, TokenHash, VerificationView, services, tenancy,
    verification::{self, Refusal},
};
use tokio::time::sleep;

use super::super::Sender as DeliverySender;
use super::http::Server;
use super::*;
use crate::ask::AskError;
use crate::delivery::table::tests::{credentials, route};
use crate::engine::log_writer::LogWriter;
use crate::engine::{StopReporter, writer};
use crate::policy::Effective;
use crate::store::Store;
use adyton_engine::Shard;
use adyton_engine::sealing::{BodyError, Opener, Sealer};

const OPS: LogId = LogId::from_number(1);
const VAULT: VaultId = VaultId([9; 32]);
const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const SUBJECT: Subject = Subject::from_bytes([3; 16]);

fn caller() -> Caller {
    Caller::account(ACCOUNT, TokenHash::from_bytes([2; 32]))
}

fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

/// An engine that delivers by a table.
fn engine(world: &World, table: RoutingTable, limits: Limits) -> (Engine, Watch, mpsc::UnboundedReceiver<Effect>) {
    let keys = keys();
    let signer = SigningKey::from_seed(&keys.derive(Label::LogSigning, &[]).unwrap()).unwrap();
    let sealer = Sealer::new(&keys, VAULT, OPS, [0; 16], 1).unwrap();
    let shard = Shard::new(State::new(), &VAULT, sealer, signer, Frontier::default(), 0);
    let (effects, outbox) = mpsc::unbounded_channel();
    let log = LogWriter::start(world.service.clone(), OPS, Events::silent());
    // A new vault's budgets begin at none.
    let limits = Limits { failed_checks_refill: 0, ..limits };
    let rules = Rules {
        records_operations: false,
        tenancy: tenancy::Rules { admission: Admission::Open },
        services: services::Rules::default(),
        verification: verification::Rules { channels: [Channel::Sms].into(), calling_codes: [1].into(), limits },
    };
    let effective = Watch::new(Effective { rules, table: Arc::new(table), ..crate::policy::tests::effective() });
    let deps = writer::Deps {
        clock: Arc::clone(&world.clock),
        events: Events::silent(),
        effects,
        log,
        effective: effective.clone(),
        stop: StopReporter::channel().0,
    };
    (Engine::start(shard, None, deps), effective, outbox)
}

async fn verification<A: Ask<Reply = VerificationView, Refusal = Refusal>>(
    engine: &Engine,
    request: A,
) -> VerificationView {
    ask(engine, request).await.unwrap()
}

/// The reports that the log holds: of which attempt, how it ended, at which route.
async fn reports(world: &World) -> Vec<(AttemptId, Outcome, Option<u8>)> {
    let (keys, mut reports) = (keys(), Vec::new());
    let mut opener = Opener::new(&keys, VAULT, OPS);
    for record in Store::connect(&world.service).await.unwrap().read(OPS, 0, 100).await.unwrap() {
        let header = record.entry.header().unwrap();
        let read = |bytes: &[u8]| {
            let event = Event::decode_all(bytes).map_err(|_| BodyError)?;
            let EventKind::Verification(event) = event.kind else { return Ok(()) };
            if let verification::Event::DeliveryReported { attempt, outcome, route, .. } = event {
                reports.push((attempt, outcome, route));
            }
            Ok(())
        };
        opener.open(&record, &header).unwrap().each(read).unwrap();
    }
    reports
}

/// Waits until it is so; a test that waits for ever fails by its runner's limit.
async fn until(so: impl Fn() -> bool) {
    while !so() {
        sleep(Duration::from_millis(2)).await;
    }
}

/// A service of a new tenant.
async fn service(engine: &Engine) -> ServiceId {
    let tenant = CreateTenant {
        account: ACCOUNT,
        token_hash: TokenHash::from_bytes([2; 32]),
        ssh_key: Vec::new(),
        admitted: None,
        friendly_name: "Acme".into(),
    };
    ask(engine, tenant).await.unwrap();
    let service = CreateService {
        caller: caller(),
        settings: ServiceSettings {
            friendly_name: "Acme".into(),
            code_length: 6,
            custom_code: false,
            do_not_share: false,
            requirements: Requirements::CODE,
            web_otp_domain: String::new(),
            app_hashes: Vec::new(),
        },
    };
    ask(engine, service).await.unwrap().service
}

fn start_of(service: ServiceId) -> Start {
    Start {
        caller: caller(),
        service,
        destination: Destination::phone("+12025550123").unwrap(),
        subjects: Subjects {
            in_service: SUBJECT,
            in_tenant: KeyedHash::from_bytes([3; 16]),
            shared: SharedSubject::NumberBlock(KeyedHash::from_bytes([3; 16])),
        },
        channel: Channel::Sms,
        custom_code: None,
        look: MessageOptions::default(),
        cost: 0,
    }
}

/// A vault that delivers by one route.
struct Vault {
    server: Arc<Server>,
    world: World,
    engine: Engine,
    service: ServiceId,
}

impl Vault {
    /// `answers` are the carrier's.
    async fn new(kind: RouteKind, answers: &[(u16, &'static str)], limits: Limits) -> Self {
        let identity = identity();
        let (server, address) = Server::start(answers, false, identity.acceptor).await;
        let world = World::new(address);
        let plaintext: &[u8] = if let RouteKind::Webhook { .. } = kind { &[b'a'; 64] } else { b"user:password" };
        let credential = Arc::new(Credential::parse(&kind, plaintext).unwrap());
        let routes = [world.route(&kind, identity.trust)];
        let table = RoutingTable::new(&routes, &BTreeMap::new(), vec![Some(credential)]);
        let (engine, effective, outbox) = engine(&world, table, limits);
        let deps = Deps { engine: engine.clone(), clock: Arc::clone(&world.clock), events: Events::silent() };
        start(prepare(&routes, &world.service, &world.clock).unwrap(), effective, deps, outbox);
        let service = service(&engine).await;
        Self { server, world, engine, service }
    }

    fn asked(&self) -> usize {
        self.server.asked.lock().unwrap().len()
    }
}

fn twilio() -> RouteKind {
    let (sender, retention) = (DeliverySender::From("A".into()), Retention::default());
    RouteKind::TwilioMessages { account: super::http::ACCOUNT.into(), sender, retention }
}

/// What is not confirmed: the carrier took the request, and its answer never came.
const CUT: &[(u16, &str)] = &[(0, "")];

#[tokio::test]
async fn a_message_whose_answer_is_cut_off_leaves_once() {
    let vault = Vault::new(twilio(), CUT, Limits::default()).await;
    let started = verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.engine.counters().reported().unconfirmed == 1).await;
    assert_eq!(vault.asked(), 1);
    let attempt = started.attempts[0].sid;
    assert_eq!(reports(&vault.world).await, [(attempt, Outcome::Unconfirmed, Some(0))]);
}

#[tokio::test]
async fn server_error_of_messages_resource_is_not_repeated() {
    let vault = Vault::new(twilio(), &[(500, r#"{"code":20500}"#)], Limits::default()).await;
    verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.engine.counters().reported().unconfirmed == 1).await;
    assert_eq!(vault.asked(), 1);
}

#[tokio::test]
async fn server_error_of_gateway_is_repeated_under_the_same_id_and_counted() {
    let limits = Limits { sends_per_destination_hour: 2, ..Limits::default() };
    let vault = Vault::new(super::http::webhook(), &[(500, ""), (204, "")], limits).await;
    verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.engine.counters().reported().accepted == 1).await;
    {
        let asked = vault.server.asked.lock().unwrap();
        let id = |at: usize| serde_json::from_str::<serde_json::Value>(&asked[at].body).unwrap()["id"].to_string();
        assert_eq!((asked.len(), id(0)), (2, id(1)));
    }
    let refused = ask(&vault.engine, start_of(vault.service)).await.err();
    assert!(matches!(refused, Some(AskError::Refused(Refusal::SendLimit { ceiling: Ceiling::Destination, .. }))));
}

#[tokio::test]
async fn a_gateway_that_deduplicates_sees_as_many_repeats_as_are_counted() {
    for (most, seen) in [(1, 1), (2, 2), (3, 3)] {
        let limits = Limits { sends_per_destination_hour: most, ..Limits::default() };
        let vault = Vault::new(super::http::webhook(), CUT, limits).await;
        verification(&vault.engine, start_of(vault.service)).await;
        until(|| vault.engine.counters().reported().unconfirmed == 1).await;
        let ids: std::collections::BTreeSet<String> = {
            let asked = vault.server.asked.lock().unwrap();
            assert_eq!(asked.len(), seen, "of at most {most}");
            let id = |body: &String| serde_json::from_str::<serde_json::Value>(body).unwrap()["id"].to_string();
            asked.iter().map(|asked| id(&asked.body)).collect()
        };
        assert_eq!(ids.len(), 1, "one id");
        // All that it saw is counted: the ceiling is reached.
        let Some(AskError::Refused(Refusal::SendLimit { ceiling, .. })) =
            ask(&vault.engine, start_of(vault.service)).await.err()
        else {
            unreachable!("not refused")
        };
        assert_eq!(ceiling, Ceiling::Destination);
    }
}

#[tokio::test]
async fn a_message_of_a_canceled_verification_does_not_leave_when_its_carrier_gets_well() {
    let vault = Vault::new(super::http::webhook(), &[(429, "")], Limits::default()).await;
    verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.asked() >= 1).await;
    let cancel = Cancel { caller: caller(), service: vault.service, target: Target::Subject(SUBJECT) };
    assert_eq!(verification(&vault.engine, cancel).await.status, Status::Canceled);
    until(|| vault.engine.counters().reported().withdrawn == 1).await;
    let before = vault.asked();
    vault.server.answers.lock().unwrap()[0] = (204, "");
    // Another message of the same number passes; the canceled one is not before or behind it.
    verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.engine.counters().reported().accepted == 1).await;
    assert_eq!(vault.asked(), before + 1);
}

#[tokio::test]
async fn a_resend_takes_the_place_of_an_attempt_that_was_not_handed_over() {
    let vault = Vault::new(super::http::webhook(), &[(429, "")], Limits::default()).await;
    let first = verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.asked() >= 1).await;
    verification(&vault.engine, start_of(vault.service)).await;
    until(|| vault.engine.counters().reported().withdrawn == 1).await;
    vault.server.answers.lock().unwrap()[0] = (204, "");
    until(|| vault.engine.counters().reported().accepted == 1).await;
    let reports = reports(&vault.world).await;
    assert_eq!((reports[0].0, reports[0].1), (first.attempts[0].sid, Outcome::Withdrawn));
    assert_eq!(reports[1].1, Outcome::Accepted);
}

#[tokio::test]
async fn a_code_passes_a_dead_route_and_its_end_is_counted() {
    let identity = identity();
    let (server, address) = Server::start(&[(201, "")], false, identity.acceptor).await;
    let world = World::new(address);
    let route = |name: &str, host: &str| RouteConfig {
        host: host.into(),
        trust: identity.trust.clone(),
        ..route(name, &[Channel::Sms])
    };
    let routes = [route("dead", DEAD_NAME), route("alive", NAME)];
    let table = RoutingTable::new(&routes, &BTreeMap::new(), credentials(&routes, &["dead", "alive"]));
    let (engine, effective, outbox) = engine(&world, table, Limits::default());
    let deps = Deps { engine: engine.clone(), clock: Arc::clone(&world.clock), events: Events::silent() };
    let carriers = prepare(&routes, &world.service, &world.clock).unwrap();
    start(carriers, effective, deps, outbox);

    let service = service(&engine).await;
    let started = verification(&engine, start_of(service)).await;
    until(|| engine.counters().reported().accepted == 1).await;

    let body = server.asked.lock().unwrap()[0].body.clone();
    let message: serde_json::Value = serde_json::from_str(&body).unwrap();
    let attempt = started.attempts[0].sid;
    assert_eq!(reports(&world).await, [(attempt, Outcome::Accepted, Some(1))]);
    assert_eq!(message["id"], format!("{}-1", attempt.text()));
    assert_eq!(message["to"], "+12025550123");
    assert_eq!(message["valid_until"], started.created + adyton_vault::CODE_LIFE);
    let code = message["text"].as_str().unwrap().rsplit(' ').next().unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for (code, status) in [(wrong, Status::Pending), (wrong, Status::Pending), (code, Status::Approved)] {
        let check =
            Check { caller: caller(), service, target: Target::Subject(SUBJECT), code: Code::parse(code).unwrap() };
        assert_eq!(verification(&engine, check).await.status, status);
    }
    let again = Check { caller: caller(), service, target: Target::Subject(SUBJECT), code: Code::parse(code).unwrap() };
    let refused = ask(&engine, again).await.err();
    assert_eq!(refused, Some(AskError::Refused(Refusal::NotFound(None))));
    let expected = adyton_frame::Counters { starts: 1, checks: 4, accepted: 1, ..Default::default() };
    assert_eq!(engine.counters().reported(), expected);
}
