#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::{Context, Fresh, TokenHash};
use adyton_seal::Secret;
use adyton_tenancy::{AccountId, Caller, SubjectSalt};

use crate::state::Service;
use crate::*;

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const TOKEN: TokenHash = TokenHash::from_bytes([2; 32]);

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

/// Proves codes and nothing else.
struct Codes;

impl Prover for Codes {
    fn proves(&self, requirement: Requirement) -> bool {
        requirement == Requirement::Code
    }
}

fn tenancy() -> adyton_tenancy::State {
    let mut tenancy = adyton_tenancy::State::default();
    let created = adyton_tenancy::Event::TenantCreated {
        account: ACCOUNT,
        token_hash: TOKEN,
        salt: SubjectSalt::from_bytes([3; 16]),
        ssh_key: Vec::new(),
        admitted: None,
        friendly_name: String::new(),
    };
    tenancy.apply(0, created);
    tenancy
}

#[test]
fn services_of_many_tenants_fill_no_vault() {
    let (tenancy, mut state) = (tenancy(), State::default());
    let of = |account| Service { account, settings: settings(), created: 1, updated: 1, loosening: None };
    for number in 0..999_999u128 {
        // Without the indexes, which only make the test slower.
        let account = AccountId::from_bytes([9; 16]);
        state.services.insert(ServiceId::from_bytes(number.to_be_bytes()), of(account).into());
    }
    let create = |state: &State| {
        let caller = Caller::account(ACCOUNT, TOKEN);
        let command = Command::CreateService(CreateService { caller, settings: settings() });
        let (mut fresh, mut draft) = (Fresh::new(Secret::init_with(|bytes| bytes.fill(7))), Draft::default());
        let rules = Rules::default();
        let mut context = Context { now: 1, fresh: &mut fresh, rules: &rules };
        decide(state, &tenancy, &Codes, command, &mut context, &mut draft).map(|_| draft.events)
    };
    create(&state).unwrap().into_iter().for_each(|event| state.apply(1, event));
    assert_eq!(create(&state).err(), Some(Refusal::Full));
}

#[test]
fn of_one_tenant_only_its_own_loosenings_are_visited() {
    let mut state = State::default();
    let loosening = |at| Loosening { code_length: Some(6), custom_code: false, at };
    for number in 0..1000u64 {
        let account = AccountId::from_bytes([u8::try_from(number % 250).unwrap(); 16]);
        let service = ServiceId::from_bytes((u128::from(number) << 64).to_be_bytes());
        state.apply(1, Event::ServiceCreated { account, service, settings: settings() });
        let loosening = loosening(2000 - number);
        state.apply(1, Event::LooseningScheduled { account, sequence: 1, service, loosening });
    }
    let at = |account: u8| -> Vec<u64> {
        state.loosenings_of(AccountId::from_bytes([account; 16])).map(|(_, loosening)| loosening.at).collect()
    };
    // Soonest first.
    assert_eq!(at(7), [1243, 1493, 1743, 1993]);
    assert_eq!(state.share_of(AccountId::from_bytes([7; 16])).loosenings.len(), 4);
    assert!(at(251).is_empty());
}
