//! Batches that are full: whatever is decided, what is sealed fits a size of bodies and a frame, and nobody stops the writer.

use std::pin::Pin;
use std::task::Poll;

use adyton_decider::Gate;
use adyton_enclave::ask::read;
use adyton_enclave::engine::Failure;
use adyton_engine::Shard;
use adyton_engine::sealing::Sealer;
use adyton_frame::MAX_FRAME;
use adyton_host::RedbStore;
use adyton_ledger::{AppendOutcome, Frontier, LogStore};
use adyton_vault::{
    AccountId, AppHash, Caller, ChangeKeys, ChangeSettings, Command, CreateService, CreateTenant, DeleteService, Event,
    EventKind, FetchAccount, Id, KeyChanges, KeyId, Loosen, Loosening, NewKey, Refusal, Reply, Requirements, Scope,
    Scopes, ServiceId, ServiceSettings, ServiceUpdate, State, SubjectSalt, Tick, TokenHash, UpdateService, services,
    tenancy,
};
use proptest::prelude::*;
use tokio::time::{Duration, sleep, timeout};

use crate::disk::Disk;
use crate::fixtures::{
    ACCOUNT, KEYS, OPS, TOKEN, VAULT, boot, caller, context, create_tenant, fresh, shard, signer, start,
};
use crate::host::TEST_TIMEOUT;
use crate::live::Live;

/// Long before the clock of any machine that runs this.
const LONG_AGO: u64 = 1_700_000_000;

/// The longest settings of a service whose messages fit, in bytes of an event.
fn longest_settings() -> ServiceSettings {
    let app_hashes = (0..8).map(|at| format!("He42w354ol{at}")).collect::<Vec<_>>().join(",");
    ServiceSettings {
        friendly_name: "é".repeat(30),
        code_length: 7,
        custom_code: false,
        do_not_share: true,
        requirements: Requirements::CODE,
        web_otp_domain: String::new(),
        app_hashes: AppHash::parse_list(&app_hashes).unwrap(),
    }
}

fn numbered<K>(first: u8, number: u32) -> Id<K> {
    let mut sid = [first; 16];
    sid[..4].copy_from_slice(&number.to_be_bytes());
    Id::from_bytes(sid)
}

fn tenant(account: AccountId, ssh_key: usize) -> Command {
    let friendly_name = "\u{1D11E}".repeat(64);
    CreateTenant { account, token_hash: TOKEN, friendly_name, ssh_key: vec![7; ssh_key], admitted: None }.into()
}

/// The largest change of keys: a hundred that go, and the same hundred with new secrets.
fn all_keys(sequence: u64) -> Command {
    let keys: Vec<KeyId> = (0..100).map(|number| numbered(6, number)).collect();
    let (scopes, token_hash) = (Scopes::from_slice(&[Scope::Verify]), TokenHash::from_bytes([6; 32]));
    let added = keys.iter().map(|key| NewKey { key: *key, scopes, token_hash }).collect();
    // The first request has none to take.
    let removed = if sequence == 1 { Vec::new() } else { keys };
    let changes = KeyChanges { reset: false, token_hash: Some(TOKEN), removed, added };
    ChangeKeys { account: ACCOUNT, sequence, changes }.into()
}

/// A shard without a store.
struct Full {
    shard: Shard<State, ()>,
    counter: u64,
    now: u64,
}

impl Full {
    fn over(state: State) -> Self {
        let sealer = Sealer::new(&KEYS, VAULT, OPS, [1; 16], 1).unwrap();
        Self { shard: Shard::new(state, &VAULT, sealer, signer(), Frontier::new(), 0), counter: 0, now: LONG_AGO }
    }

    fn new() -> Self {
        let mut full = Self::over(State::new());
        full.submit(create_tenant());
        full
    }

    fn submit(&mut self, command: Command) {
        self.counter += 1;
        self.shard.submit(command, &mut context(self.now, &mut fresh(self.counter)), ());
    }

    /// The SID of what the last command made.
    fn made(&self) -> ServiceId {
        fresh(self.counter).id()
    }

    /// Seals all that is open, as the writer does; batches and answers.
    fn drain(&mut self) -> (usize, Vec<Result<Reply, Refusal>>) {
        let (mut batches, mut answers) = (0, Vec::new());
        while let Some(sealed) = self.shard.seal(self.now).unwrap() {
            let frame = sealed.frame(sealed.size, OPS.number()).unwrap();
            assert!(frame.len() <= 4 + MAX_FRAME);
            batches += 1;
            answers.extend(
                self.shard
                    .reached(Gate::Certified, self.shard.size())
                    .releases
                    .into_iter()
                    .map(|release| release.answer),
            );
        }
        (batches, answers)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Tenants(u16),
    Services(u16),
    ServicesOfTenants(u16),
    Keys(u16),
    Settings(usize),
    Starts(u8),
    Snapshot(usize),
    Tick,
    Seal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1..512u16).prop_map(Step::Tenants),
        2 => (1..512u16).prop_map(Step::Services),
        2 => (1..512u16).prop_map(Step::ServicesOfTenants),
        2 => (1..200u16).prop_map(Step::Keys),
        2 => (1..65_536usize).prop_map(Step::Settings),
        1 => (1..9u8).prop_map(Step::Starts),
        1 => (1..600_000usize).prop_map(Step::Snapshot),
        1 => Just(Step::Tick),
        2 => Just(Step::Seal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_decision_seals_frames_and_replays(steps in proptest::collection::vec(step(), 1..12)) {
        let mut full = Full::new();
        let (mut tenants, mut sequence, mut owners) = (0u32, 0, 0);
        for step in steps {
            match step {
                Step::Tenants(count) => for _ in 0..count {
                    tenants += 1;
                    full.submit(tenant(numbered(0xDD, tenants), 300));
                },
                Step::Services(count) => for _ in 0..count {
                    full.submit(CreateService { caller: caller(), settings: longest_settings() }.into());
                },
                Step::ServicesOfTenants(count) => for number in 1..=tenants.min(count.into()) {
                    let caller = Caller::account(numbered(0xDD, number), TOKEN);
                    full.submit(CreateService { caller, settings: longest_settings() }.into());
                },
                Step::Keys(count) => for _ in 0..count {
                    sequence += 1;
                    full.submit(all_keys(sequence));
                },
                Step::Settings(length) => {
                    owners += 1;
                    full.submit(ChangeSettings { sequence: owners, text: "#".repeat(length) }.into());
                }
                Step::Starts(count) => (0..count).for_each(|who| full.submit(start(ServiceId::from_bytes([3; 16]), who))),
                Step::Snapshot(length) => {
                    // The largest size less the head of the plaintext, and the lengths of part and record.
                    let refused = full.shard.snapshot(&vec![1; length], ()).is_err();
                    prop_assert_eq!(refused, length > 256 * 1024 - 6 - 4 - 4);
                }
                Step::Tick => full.submit(Tick.into()),
                Step::Seal => drop(full.drain()),
            }
        }
        full.drain();
        // Each was decided in its turn: none was lost, and none came before another.
        prop_assert_eq!(full.shard.state().signer(ACCOUNT).unwrap().1, sequence + 1);
        prop_assert_eq!(full.shard.state().next_owners_sequence(), owners + 1);
        prop_assert_eq!(full.shard.state().tenants(), usize::try_from(tenants).unwrap() + 1);
    }
}

/// What fills most of a batch, of each kind of command that a client or the owners can cause; the others log less.
#[test]
fn the_largest_of_each_command_fits_a_batch() {
    let service = ServiceId::from_bytes([3; 16]);
    let settled = || {
        let mut state = State::new();
        let created = [
            EventKind::from(tenancy::Event::TenantCreated {
                account: ACCOUNT,
                token_hash: TOKEN,
                salt: SubjectSalt::from_bytes([3; 16]),
                ssh_key: Vec::new(),
                admitted: None,
                friendly_name: String::new(),
            }),
            services::Event::ServiceCreated { account: ACCOUNT, service, settings: longest_settings() }.into(),
        ];
        created.into_iter().for_each(|kind| state.apply_live(Event { at: LONG_AGO, kind }));
        state
    };
    let update = ServiceUpdate { friendly_name: Some("é".repeat(30)), ..ServiceUpdate::default() };
    for command in [
        // A body has 64 KiB, and the key stands in it in base64.
        tenant(AccountId::from_bytes([9; 16]), 48 * 1024),
        all_keys(1),
        // The longest text that settings may have.
        ChangeSettings { sequence: 1, text: "#".repeat(64 * 1024) }.into(),
        CreateService { caller: caller(), settings: longest_settings() }.into(),
        UpdateService { caller: caller(), service, update }.into(),
        Loosen { caller: caller(), account: ACCOUNT, sequence: 1, service, code_length: Some(6), custom_code: false }
            .into(),
        DeleteService { caller: caller(), service }.into(),
        start(service, 1),
    ] {
        let mut full = Full::over(settled());
        full.submit(command);
        let (batches, answers) = full.drain();
        assert!(matches!(answers[..], [Ok(_)]), "refused before it joined a batch");
        assert_eq!(batches, 1);
    }
}

/// A state in which one loosening of each account is due, as a log of before the limits may give it.
fn due(accounts: impl Iterator<Item = AccountId>) -> State {
    let mut state = State::new();
    let mut apply = |kind: EventKind| state.apply_live(Event { at: LONG_AGO, kind });
    let mut known = std::collections::BTreeSet::new();
    for (number, account) in (0..).zip(accounts) {
        if known.insert(account) {
            let created = tenancy::Event::TenantCreated {
                account,
                token_hash: TOKEN,
                salt: SubjectSalt::from_bytes([3; 16]),
                ssh_key: Vec::new(),
                admitted: None,
                friendly_name: String::new(),
            };
            apply(created.into());
        }
        let (service, settings) = (numbered(0xEE, number), longest_settings());
        let loosening = Loosening { code_length: Some(6), custom_code: false, at: LONG_AGO };
        apply(services::Event::ServiceCreated { account, service, settings }.into());
        apply(services::Event::LooseningScheduled { account, sequence: 1, service, loosening }.into());
    }
    state
}

#[test]
fn twenty_thousand_loosenings_of_one_tenant_and_of_three_thousand_that_fall_due_at_once_are_sealed() {
    let one = std::iter::repeat_n(ACCOUNT, 20_000);
    let many = (0..3000).map(|number| numbered(0xDD, number));
    for state in [due(one), due(many)] {
        let mut full = Full::over(state);
        let mut ticks = 0;
        while full.shard.state().is_due(LONG_AGO) {
            full.submit(Tick.into());
            assert_eq!(full.drain().0, 1, "a tick is one batch");
            ticks += 1;
        }
        assert!(ticks > 10);
    }
}

/// A disk with a log of 3,000 tenants, each with a loosening that is due since long ago.
fn long_due() -> Disk {
    let disk = Disk::default();
    let mut full = Full { shard: shard(boot(&disk), [1; 16]), counter: 0, now: LONG_AGO };
    full.shard.boot(adyton_decider::BootId([1; 16]), LONG_AGO);
    let mut store = disk.store().unwrap();
    for number in 0..3000 {
        let account = numbered(0xDD, number);
        let caller = || Caller::account(account, TOKEN);
        full.submit(tenant(account, 300));
        full.submit(CreateService { caller: caller(), settings: longest_settings() }.into());
        let service = full.made();
        let (code_length, custom_code) = (Some(6), false);
        full.submit(Loosen { caller: caller(), account, sequence: 1, service, code_length, custom_code }.into());
        while full.shard.is_full() {
            append(&mut full, &mut store);
        }
    }
    while append(&mut full, &mut store) {}
    disk
}

fn append(full: &mut Full, store: &mut RedbStore) -> bool {
    let Some(sealed) = full.shard.seal(full.now).unwrap() else { return false };
    let appended = store.append(OPS, sealed.expected_size, &sealed.record, &sealed.head).unwrap();
    assert_eq!(appended, AppendOutcome::Appended { size: sealed.size });
    full.shard.reached(Gate::Certified, full.shard.size());
    true
}

#[tokio::test]
async fn a_vault_boots_though_everything_is_due() {
    let disk = std::thread::spawn(long_due).join().unwrap();
    let mut live = Live::start(disk, 2).await;
    let waiting = async {
        loop {
            // The last one that is due: the SIDs ascend.
            let caller = Caller::account(numbered(0xDD, 2999), TOKEN);
            if read(&live.engine, &FetchAccount { caller }, &live.effective, &live.clock)
                .await
                .unwrap()
                .loosenings
                .is_empty()
            {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TEST_TIMEOUT, waiting).await.unwrap();
    assert!(live.stopped.try_recv().is_err());
}

#[tokio::test]
async fn a_burst_of_the_largest_commands_is_taken_in_order() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    type Asked<'a> = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + 'a>>;
    let engine = live.engine.clone();
    let mut asked: Vec<Asked<'_>> =
        (1..=450).map(|turn| Box::pin(engine.submit(all_keys(turn))) as Asked<'_>).collect();
    // All stand in the queue, where one payer has 8 MiB, before the writer looks.
    for asked in &mut asked {
        let poll = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context).is_pending())).await;
        assert!(poll);
    }
    for asked in asked {
        // Each counts only if the one before it was decided.
        assert!(matches!(timeout(TEST_TIMEOUT, asked).await.unwrap(), Ok(Reply::Tenancy(tenancy::Reply::Done))));
    }
    assert!(live.stopped.try_recv().is_err());
}
