//! The boot of a log of a million events, as a whole and by its parts.
//!
//! 1. a log of [`EVENTS`] is appended: starts, and a service for each nineteen of them, of one tenant;
//! 2. it is replayed as a boot does, over the socket;
//! 3. the same is done again part by part: what the host's answer takes, hashing into the tree, opening bodies, and
//!    decoding and applying events.

use std::path::Path;
use std::time::{Duration, Instant};

use adyton_decider::Record as _;
use adyton_enclave::engine::log_writer::LogWriter;
use adyton_enclave::engine::replay::replay;
use adyton_enclave::events::Events;
use adyton_engine::sealing::{Opener, Operations};
use adyton_engine::{Machine as _, Mode};
use adyton_ledger::{Frontier, Hash};
use adyton_vault::{
    AccountId, Event, EventKind, Requirements, ServiceId, ServiceSettings, State, SubjectSalt, TokenHash, services,
    tenancy,
};
use adyton_wire::Reader;

use crate::log::{BUSY, Host, OPS, VAULT, Writer, add, keys};
use crate::{Error, Row};

/// Events of the log.
const EVENTS: usize = 1_000_000;
/// One event of so many is a service; the others are starts, which a boot opens, decodes and drops.
const SERVICE_EACH: u64 = 20;
const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);

pub(crate) async fn run(folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let host = Host::start(folder)?;
    let mut store = host.store().await?;
    // 1.
    let mut writer = Writer::new()?;
    append(&host, &mut writer).await?;
    let root = writer.frontier.root();
    // 2.
    let keys = keys();
    let began = Instant::now();
    let replayed = replay(&mut store, &keys, VAULT, OPS, &writer.signer.public_key(), None).await?;
    let whole = began.elapsed();
    if (replayed.events, replayed.frontier.root()) != (writer.events, root) {
        return Err("the replay is not what was written".into());
    }
    drop(replayed);
    // 3.
    let mut parts = Parts::default();
    let found = by_parts(&mut store, writer.frontier.size(), &mut parts).await?;
    if found != (writer.events, root) {
        return Err("the parts are not what was written".into());
    }
    for (name, took) in [
        ("boot, a million events", whole),
        ("boot: reading", parts.read),
        ("boot: hashing", parts.hash),
        ("boot: opening", parts.open),
        ("boot: applying", parts.apply),
    ] {
        print(Row::new(name, "ms", took.as_secs_f64() * 1000.0));
    }
    Ok(())
}

/// Time of each part.
#[derive(Default)]
struct Parts {
    read: Duration,
    hash: Duration,
    open: Duration,
    apply: Duration,
}

async fn append(host: &Host, writer: &mut Writer) -> Result<(), Error> {
    let mut log = LogWriter::start(host.address.clone(), OPS, Events::silent());
    let mut left = EVENTS;
    while left > 0 {
        let mut operations = Operations::default();
        for _ in 0..BUSY.min(left) {
            let event = event(writer);
            add(&mut operations, event)?;
            left -= 1;
        }
        let sealed = writer.seal(&operations)?;
        log.send(&sealed).map_err(|_| "the host refused an append")?;
        log.settle().await.map_err(|_| "the host refused an append")?;
    }
    Ok(())
}

/// The next event: the tenant first.
fn event(writer: &mut Writer) -> EventKind {
    let number = writer.events;
    if number == 0 {
        writer.events += 1;
        return tenancy::Event::TenantCreated {
            account: ACCOUNT,
            token_hash: TokenHash::from_bytes([1; 32]),
            salt: SubjectSalt::from_bytes([1; 16]),
            ssh_key: Vec::new(),
            admitted: None,
            friendly_name: "Tenant".into(),
        }
        .into();
    }
    if !number.is_multiple_of(SERVICE_EACH) {
        return writer.start();
    }
    let service = ServiceId::from_bytes(writer.next_sid());
    let settings = ServiceSettings {
        friendly_name: "Corner Shop Login".into(),
        code_length: 6,
        custom_code: false,
        do_not_share: false,
        requirements: Requirements::CODE,
        web_otp_domain: String::new(),
        app_hashes: Vec::new(),
    };
    services::Event::ServiceCreated { account: ACCOUNT, service, settings }.into()
}

/// What [`replay`] does, with a clock around each part; events and root.
async fn by_parts(
    store: &mut adyton_enclave::store::Store,
    size: u64,
    parts: &mut Parts,
) -> Result<(u64, Hash), Error> {
    let keys = keys();
    let mut opener = Opener::new(&keys, VAULT, OPS);
    let (mut state, mut frontier, mut events) = (State::default(), Frontier::new(), 0);
    while frontier.size() < size {
        let records = timed_async(&mut parts.read, store.read(OPS, frontier.size(), 4096)).await?;
        if records.is_empty() {
            return Err("the host shows no more".into());
        }
        for record in &records {
            let header = timed(&mut parts.hash, || {
                frontier.push(record.entry.leaf_hash());
                record.entry.header()
            });
            let header = header.map_err(|error| error.to_string())?;
            let opened = timed(&mut parts.open, || opener.open(record, &header))?;
            timed(&mut parts.apply, || {
                opened.each(|bytes| {
                    let mut reader = Reader::new(bytes);
                    let event = Event::decode(&mut reader)?;
                    reader.finish()?;
                    state.apply(event, Mode::Cold);
                    events += 1;
                    Ok(())
                })
            })?;
        }
    }
    Ok((events, frontier.root()))
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *total += began.elapsed();
    done
}

async fn timed_async<T>(total: &mut Duration, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    *total += began.elapsed();
    done
}
