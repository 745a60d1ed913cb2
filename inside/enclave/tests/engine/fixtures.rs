//! One vault's keys, one tenant's commands, and what a process is made of.

use std::sync::LazyLock;

use adyton_enclave::engine::replay::replay;
use adyton_enclave::store::Store;
use adyton_engine::sealing::Sealer;
use adyton_engine::{Replay, SectionReader, Shard};
use adyton_ledger::{LogId, VaultId};
use adyton_seal::{KeyTree, Label, Plaintext, RootKey, Secret, SigningKey};
use adyton_vault::{
    AccountId, Admission, Caller, Channel, Command, Context, CreateService, CreateTenant, Destination, Event, Fresh,
    KeyedHash, Limits, MessageOptions, Record as _, Requirements, Rules, ServiceId, ServiceSettings, SharedSubject,
    Start, State, Subjects, TokenHash, services, tenancy, verification,
};

use crate::disk::Disk;
use crate::host::{Heard, Host, address};

pub(crate) const OPS: LogId = LogId::from_number(1);
pub(crate) const VAULT: VaultId = VaultId([9; 32]);
pub(crate) const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
pub(crate) const TOKEN: TokenHash = TokenHash::from_bytes([2; 32]);

pub(crate) static KEYS: LazyLock<KeyTree> = LazyLock::new(keys);

pub(crate) fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

pub(crate) fn signer() -> SigningKey {
    SigningKey::from_seed(&KEYS.derive(Label::LogSigning, &[]).unwrap()).unwrap()
}

pub(crate) fn caller() -> Caller {
    Caller::account(ACCOUNT, TOKEN)
}

pub(crate) fn create_tenant() -> Command {
    tenant(TOKEN)
}

pub(crate) fn tenant(token_hash: TokenHash) -> Command {
    let friendly_name = "Acme".into();
    CreateTenant { account: ACCOUNT, token_hash, friendly_name, ssh_key: Vec::new(), admitted: None }.into()
}

pub(crate) fn create_service() -> Command {
    service_of(caller())
}

pub(crate) fn service_of(caller: Caller) -> Command {
    let settings = ServiceSettings {
        friendly_name: "Acme".into(),
        code_length: 6,
        custom_code: false,
        do_not_share: false,
        requirements: Requirements::CODE,
        web_otp_domain: String::new(),
        app_hashes: Vec::new(),
    };
    CreateService { caller, settings }.into()
}

pub(crate) fn start(service: ServiceId, who: u8) -> Command {
    let destination = Destination::phone(&format!("+1202555012{who}")).unwrap();
    let subjects = Subjects {
        in_service: KeyedHash::from_bytes([who; 16]),
        in_tenant: KeyedHash::from_bytes([who; 16]),
        shared: SharedSubject::NumberBlock(KeyedHash::from_bytes([9; 16])),
    };
    let (channel, look) = (Channel::Sms, MessageOptions::default());
    Start { caller: caller(), service, destination, subjects, channel, custom_code: None, look, cost: 0 }.into()
}

/// Everything is open and nothing has a ceiling that a test would reach.
pub(crate) static RULES: LazyLock<Rules> = LazyLock::new(|| Rules {
    records_operations: false,
    tenancy: tenancy::Rules { admission: Admission::Open },
    services: services::Rules::default(),
    verification: verification::Rules {
        channels: [Channel::Sms].into(),
        calling_codes: [1].into(),
        limits: Limits {
            failed_checks: u32::MAX,
            failed_checks_refill: 0,
            failed_checks_consecutive: u32::MAX,
            sends_per_destination_hour: u32::MAX,
            sends_per_number_block_hour: u32::MAX,
            sends_per_mail_domain_hour: u32::MAX,
            sends_per_tenant_hour: u32::MAX,
            ..Limits::default()
        },
    },
});

pub(crate) fn context(now: u64, fresh: &mut Fresh) -> Context<'_> {
    Context { now, fresh, rules: &RULES }
}

pub(crate) fn fresh(counter: u64) -> Fresh {
    Fresh::new(Secret::init_with(|bytes| {
        bytes.chunks_mut(8).zip(1u64..).for_each(|(chunk, part)| {
            chunk.copy_from_slice(&(counter << 8 | part).to_be_bytes()[..chunk.len()]);
        });
    }))
}

/// What kept bodies alone rebuild of a cold state: all but what stands in it by its sum, which verification has.
pub(crate) fn kept_of(cold: &[u8]) -> Vec<Vec<u8>> {
    let (mut sections, mut kept) = (SectionReader::new(cold), Vec::new());
    while let Some(section) = sections.section().unwrap() {
        if section.workflow != verification::SECTION.0 {
            kept.push(section.bytes.to_vec());
        }
    }
    kept
}

pub(crate) fn encoded(event: &Event) -> Vec<u8> {
    let mut out = Plaintext::with_capacity(64);
    event.encode(&mut out);
    out.as_bytes().to_vec()
}

/// What a process finds on a disk whose host it asks over a socket.
pub(crate) fn boot(disk: &Disk) -> Replay<'static, State> {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(disk.store().unwrap(), folder.path(), &Heard::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let replayed = runtime.block_on(async {
        let mut store = Store::connect(&address(folder.path())).await.unwrap();
        replay(&mut store, &KEYS, VAULT, OPS, &signer().public_key(), None).await
    });
    drop(host);
    replayed.unwrap()
}

/// A writer that goes on from what a boot found.
pub(crate) fn shard<T>(replayed: Replay<'_, State>, boot_id: [u8; 16]) -> Shard<State, T> {
    let sealer = Sealer::new(&KEYS, VAULT, OPS, boot_id, 1).unwrap();
    let Replay { state, frontier, bucket, .. } = replayed;
    Shard::new(state, &VAULT, sealer, signer(), frontier, bucket)
}
