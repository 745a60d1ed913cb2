//! From a command to a message at a carrier and back, over the engine, the real host and its store.

use std::collections::BTreeMap;

use adyton_ledger::{Frontier, LogId, VaultId};
use adyton_seal::{KeyTree, Label, RootKey, Secret, SigningKey};
use adyton_vault::{
    Admission, Caller, Destination, Event, EventKind, MessageLook, Reply, Rules, ServiceSettings, Sid, Start, State,
    Status, Subjects, Target, User, VerificationView,
};
use tokio::time::sleep;

use super::http::Server;
use super::*;
use crate::delivery::table::tests::{credentials, route};
use crate::engine::appender::Appender;
use crate::engine::sealing::{BodyError, Opener, Sealer};
use crate::engine::{Failure, Shard, writer};
use crate::policy::Current;
use crate::store::Store;

const OPS: LogId = LogId::from_number(1);
const VAULT: VaultId = VaultId([9; 32]);
const ACCOUNT: Sid = Sid([1; 16]);
const SUBJECT: [u8; 16] = [3; 16];

fn caller() -> Caller {
    Caller { user: User::Account(ACCOUNT), token_hash: [2; 32] }
}

fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

/// An engine that delivers by a table.
fn engine(world: &World, table: RoutingTable) -> (Engine, Holder, mpsc::UnboundedReceiver<Effect>) {
    let keys = keys();
    let signer = SigningKey::from_seed(&keys.derive(Label::LogSigning, &[]).unwrap()).unwrap();
    let sealer = Sealer::new(&keys, VAULT, OPS, [0; 16], 1).unwrap();
    let shard = Shard::new(State::new(), &VAULT, sealer, signer, Frontier::default(), 0);
    let (effects, outbox) = mpsc::unbounded_channel();
    let appender = Appender::start(world.service.clone(), OPS, Events::silent());
    let mut rules = Rules {
        admission: Admission::Open,
        channels: [Channel::Sms].into(),
        calling_codes: [1].into(),
        ..Rules::default()
    };
    // A new vault's budgets begin at none.
    rules.limits.failed_checks_refill = 0;
    let current = Holder::new(Current {
        rules,
        table: Arc::new(table),
        public: None,
        external: Ok(None),
        sequence: 0,
        settings_hash: [0; 32],
    });
    let surroundings = writer::Surroundings {
        clock: Arc::clone(&world.clock),
        events: Events::silent(),
        effects,
        appender,
        current: current.clone(),
    };
    (Engine::start(shard, OPS, 0, surroundings), current, outbox)
}

async fn verification(engine: &Engine, command: Command) -> VerificationView {
    match engine.submit(command).await.unwrap() {
        Reply::Verification(view) => view,
        _ => unreachable!("not a verification"),
    }
}

/// The reports that the log holds: of which attempt, how it ended, at which route.
async fn reports(world: &World) -> Vec<(Sid, Outcome, Option<u8>)> {
    let (keys, mut reports) = (keys(), Vec::new());
    let mut opener = Opener::new(&keys, VAULT, OPS);
    for record in Store::connect(&world.service).await.unwrap().read(OPS, 0, 100).await.unwrap() {
        let header = record.entry.header().unwrap();
        let read = |bytes: &[u8]| {
            let event = Event::decode(bytes).map_err(|_| BodyError)?;
            if let EventKind::DeliveryReported { attempt, outcome, route, .. } = event.kind {
                reports.push((attempt, outcome, route));
            }
            Ok(())
        };
        opener.open(&record.entry, &header, &record.body.unwrap(), read).unwrap();
    }
    reports
}

/// Waits until it is so; a test that waits for ever fails by its runner's limit.
async fn until(so: impl Fn() -> bool) {
    while !so() {
        sleep(Duration::from_millis(2)).await;
    }
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
    let (engine, current, outbox) = engine(&world, table);
    let surroundings =
        Surroundings { engine: engine.clone(), clock: Arc::clone(&world.clock), events: Events::silent() };
    let carriers = prepare(&routes, &world.service, &world.clock).unwrap();
    start(carriers, current, surroundings, outbox);

    let tenant = Command::CreateTenant {
        account: ACCOUNT,
        token_hash: [2; 32],
        ssh_key: Vec::new(),
        admitted: None,
        friendly_name: "Acme".into(),
    };
    engine.submit(tenant).await.unwrap();
    let service = Command::CreateService {
        caller: caller(),
        settings: ServiceSettings {
            friendly_name: "Acme".into(),
            code_length: 6,
            custom_code: false,
            do_not_share: false,
            web_otp_domain: String::new(),
        },
    };
    let Reply::Service(service) = engine.submit(service).await.unwrap() else { unreachable!("not a service") };
    let started = Start {
        service: service.service,
        destination: Destination::phone("+12025550123").unwrap(),
        subjects: Subjects { in_service: SUBJECT, in_tenant: SUBJECT, prefix: SUBJECT },
        channel: Channel::Sms,
        custom_code: None,
        look: MessageLook::default(),
        cost: 0,
    };
    let started = Command::Start(caller(), started);
    let started = verification(&engine, started).await;
    until(|| engine.counters().told().accepted == 1).await;

    let body = server.asked.lock().unwrap()[0].body.clone();
    let message: serde_json::Value = serde_json::from_str(&body).unwrap();
    let attempt = started.attempts[0].sid;
    assert_eq!(reports(&world).await, [(attempt, Outcome::Accepted, Some(1))]);
    assert_eq!(message["id"], format!("{}-1", attempt.text(SidKind::Attempt)));
    assert_eq!(message["to"], "+12025550123");
    assert_eq!(message["valid_until"], started.created + adyton_vault::CODE_LIFE);
    let code = message["text"].as_str().unwrap().rsplit(' ').next().unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for (code, status) in [(wrong, Status::Pending), (wrong, Status::Pending), (code, Status::Approved)] {
        let check = Command::Check {
            caller: caller(),
            service: service.service,
            target: Target::Subject(SUBJECT),
            code: Code::parse(code).unwrap(),
        };
        assert_eq!(verification(&engine, check).await.status, status);
    }
    let again = Command::Check {
        caller: caller(),
        service: service.service,
        target: Target::Subject(SUBJECT),
        code: Code::parse(code).unwrap(),
    };
    let refused = engine.submit(again).await.err();
    assert_eq!(refused, Some(Failure::Refused(adyton_vault::Refusal::NotFound(None))));
    let expected =
        adyton_frame::Counters { starts: 1, checks_passed: 1, checks_failed: 2, accepted: 1, ..Default::default() };
    assert_eq!(engine.counters().told(), expected);
}
