//! A command costs O(log n) and what it names: its steps in a vault with many times as much of everything, counted.
//!
//! A step is a comparison of two ids, or an entry of a table that is walked over (`adyton_decider::steps`).

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use std::collections::BTreeSet;

use adyton_decider::steps::counted;
use adyton_engine::Machine;
use adyton_seal::{Code, Secret};
use adyton_vault::{
    AccountId, Admission, Caller, ChangeKeys, Channel, Check, Command, Context, DeleteService, Destination, Event,
    EventKind, Fresh, Id, KeyChanges, KeyId, KeyedHash, MessageOptions, NewKey, Requirements, Rules, Scope, Scopes,
    ServiceId, ServiceSettings, SharedSubject, Start, State, Subject, SubjectSalt, Subjects, Target, Tick, TokenHash,
    decide, services, tenancy, verification,
};

const NOW: u64 = 1_800_000_000;
const TOKEN: TokenHash = TokenHash::from_bytes([2; 32]);

/// Scattered ids.
fn bytes(number: u32) -> [u8; 16] {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B1).to_be_bytes());
    bytes
}

fn id<K>(number: u32) -> Id<K> {
    Id::from_bytes(bytes(number))
}

fn caller() -> Caller {
    Caller::account(id(0), TOKEN)
}

struct Vault {
    state: State,
    rules: Rules,
    draws: u8,
}

impl Vault {
    /// `size` tenants, with a key and a service each; the first has as many services, keys, live verifications and budgets.
    fn new(size: u32) -> Self {
        let mut rules = Rules::default();
        rules.tenancy.admission = Admission::Open;
        rules.verification.channels = BTreeSet::from([Channel::Sms]);
        rules.verification.calling_codes = BTreeSet::from([1]);
        let mut vault = Self { state: State::new(), rules, draws: 0 };
        for number in 0..size {
            let account: AccountId = id(number);
            vault.happened(tenancy::Event::TenantCreated {
                account,
                token_hash: TOKEN,
                salt: SubjectSalt::from_bytes([3; 16]),
                ssh_key: Vec::new(),
                admitted: None,
                friendly_name: "Acme".into(),
            });
            let new = |key| NewKey { key: id(key), scopes: Scopes::from_slice(&[Scope::Verify]), token_hash: TOKEN };
            vault.happened(tenancy::Event::KeysChanged {
                account,
                sequence: 1,
                reset: false,
                token_hash: None,
                removed: Vec::new(),
                added: vec![new(number)],
            });
            for (account, service) in [(account, id(number)), (id(0), id(size + number))] {
                vault.happened(services::Event::ServiceCreated { account, service, settings: settings() });
            }
            let (subject, verification) = (Subject::from_bytes(bytes(number)), id(number));
            let service = id(0);
            vault.happened(verification::Event::VerificationStarted {
                verification,
                account: id(0),
                service,
                channel: Channel::Sms,
                subject,
                attempt: id(number),
                code_length: 6,
                sent: None,
                destination: Some(number_of("+12025550123")),
                custom_code: Some(Code::parse("123456").unwrap()),
                slot_key: None,
            });
            vault.happened(verification::Event::Checked {
                verification,
                service,
                subject,
                full_again: NOW,
                outcome: verification::CheckOutcome::Wrong,
            });
        }
        vault
    }

    fn happened(&mut self, kind: impl Into<EventKind>) {
        self.state.apply_live(Event { at: NOW, kind: kind.into() });
    }

    /// Steps of a command, its events included, which must be granted.
    fn steps(&mut self, command: impl Into<Command>) -> usize {
        self.draws += 1;
        let draws = self.draws;
        let mut fresh = Fresh::new(Secret::init_with(|bytes| bytes.fill(draws)));
        let mut context = Context { now: NOW + 1, fresh: &mut fresh, rules: &self.rules };
        let ((), steps) = counted(|| {
            let decision = decide(&self.state, command.into(), &mut context);
            assert!(decision.answer.is_ok());
            decision.draft.events.into_iter().for_each(|event| self.state.apply_live(event));
        });
        steps
    }

    /// Steps of each kind of command.
    fn all(&mut self) -> Vec<(&'static str, usize)> {
        let added = vec![NewKey { key: KeyId::MAX, scopes: Scopes::from_slice(&[Scope::Admin]), token_hash: TOKEN }];
        let changes = KeyChanges { added, removed: vec![id(0)], ..KeyChanges::default() };
        let change = self.steps(ChangeKeys { account: id(0), sequence: 2, changes });
        let ((), account) = counted(|| {
            let view = self.state.view();
            tenancy::account(&view.tenancy, &caller()).ok().unwrap();
            assert_eq!(view.services.loosenings_of(id(0)).count(), 0);
        });
        let service: ServiceId = id(0);
        let start = self.steps(Start {
            caller: caller(),
            service,
            destination: number_of("+12025550124"),
            subjects: Subjects {
                in_service: Subject::from_bytes([9; 16]),
                in_tenant: KeyedHash::from_bytes([9; 16]),
                shared: SharedSubject::NumberBlock(KeyedHash::from_bytes([9; 16])),
            },
            channel: Channel::Sms,
            custom_code: None,
            look: MessageOptions::default(),
            cost: 1,
        });
        let target = Target::Subject(Subject::from_bytes(bytes(1)));
        let code = Code::parse("654321").unwrap();
        let check = self.steps(Check { caller: caller(), service, target, code });
        let delete = self.steps(DeleteService { caller: caller(), service });
        let sweep = self.steps(Tick);
        vec![
            ("change of keys", change),
            ("account read", account),
            ("start", start),
            ("check", check),
            ("service delete", delete),
            ("sweep after it", sweep),
        ]
    }
}

fn number_of(number: &str) -> Destination {
    Destination::parse(Channel::Sms, number).unwrap()
}

fn settings() -> ServiceSettings {
    ServiceSettings {
        friendly_name: "Acme".into(),
        code_length: 6,
        custom_code: false,
        do_not_share: false,
        requirements: Requirements::CODE,
        web_otp_domain: String::new(),
        app_hashes: Vec::new(),
    }
}

#[test]
fn a_command_costs_the_logarithm_of_what_there_is_and_what_it_names() {
    // Both have more than a sweep takes.
    let (few, many) = (Vault::new(5_000).all(), Vault::new(80_000).all());
    for ((what, few), (_, many)) in few.into_iter().zip(many) {
        // log(80,000) / log(5,000) is 1.3; a walk would be sixteen times as much.
        assert!(few > 0 && many <= 2 * few, "{what}: {few} steps, and {many} with sixteen times as much");
    }
}
