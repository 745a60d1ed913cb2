#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

mod delivery;
mod equal;
mod limits;
mod random;
mod reads;
mod service;
mod sweeps;
mod tenants;
mod verifications;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use adyton_engine::Machine as _;
use adyton_engine::sealing::padded;
use adyton_seal::{Code, Plaintext, Secret};

use crate::*;

/// A vault driven by hand: deterministic randomness, a clock that the test moves, and every event
/// kept.
struct Bench {
    state: State,
    rules: Rules,
    log: Vec<Vec<u8>>,
    now: Seconds,
    counter: u8,
    /// How often the counter began anew.
    round: u8,
    service: ServiceId,
    /// Attempts that delivery was to send and that were neither canceled nor reported, by
    /// verification.
    under_way: BTreeMap<VerificationId, AttemptId>,
}

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const TOKEN: TokenHash = TokenHash::from_bytes([2; 32]);
const NUMBER: &str = "+12025550123";

fn id<K>(byte: u8) -> Id<K> {
    Id::from_bytes([byte; 16])
}

fn token(byte: u8) -> TokenHash {
    TokenHash::from_bytes([byte; 32])
}

fn new_key(key: KeyId, scope: Scope, token_hash: TokenHash) -> NewKey {
    NewKey { key, scopes: Scopes::from_slice(&[scope]), token_hash }
}

fn caller() -> Caller {
    Caller::account(ACCOUNT, TOKEN)
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

fn tenant(account: AccountId, token_hash: TokenHash, admitted: Option<u64>) -> CreateTenant {
    CreateTenant {
        account,
        token_hash,
        friendly_name: "Acme Ltd".into(),
        ssh_key: b"ssh-ed25519 key".to_vec(),
        admitted,
    }
}

fn fresh(counter: u8, round: u8) -> Fresh {
    Fresh::new(Secret::init_with(|bytes| {
        bytes.fill(counter);
        bytes[0] ^= round;
    }))
}

/// Bytes of both bodies, padded, of an entry with these events alone, and with the operation's record in any case.
fn needed(events: &[Event], recorded: bool) -> usize {
    // A record takes 80 bytes with its length.
    let mut lengths = [0, if recorded { 0 } else { 80 }];
    for event in events {
        let mut out = Plaintext::with_capacity(64);
        event.encode(&mut out);
        let kept = matches!(event.class(), Class::S | Class::A);
        lengths[usize::from(kept)] += 4 + out.as_bytes().len();
    }
    let [hot, kept] = lengths;
    padded(hot, kept)
}

impl Bench {
    fn new() -> Self {
        let mut rules = Rules::default();
        rules.tenancy.admission = Admission::Open;
        rules.verification.channels = BTreeSet::from([Channel::Sms, Channel::Email]);
        rules.verification.calling_codes = BTreeSet::from([1, 44]);
        let (state, log, service, under_way) = (State::new(), Vec::new(), id(0), BTreeMap::new());
        let mut bench = Self { state, rules, log, now: 1_800_000_000, counter: 0, round: 0, service, under_way };
        bench.boot();
        bench.run(tenant(ACCOUNT, TOKEN, None)).unwrap();
        let service = bench.run(CreateService { caller: caller(), settings: settings() }).unwrap().0;
        bench.service = service.service;
        bench
    }

    fn apply_live(&mut self, event: Event) {
        let mut out = Plaintext::with_capacity(64);
        event.encode(&mut out);
        self.log.push(out.as_bytes().to_vec());
        self.state.apply_live(event);
    }

    fn boot(&mut self) {
        self.under_way.clear();
        self.apply_live(Event { at: self.now, kind: EventKind::Booted(BootId([5; 16])) });
    }

    fn decide(&mut self, command: Command) -> Decision {
        self.counter = self.counter.wrapping_add(1);
        self.round += u8::from(self.counter == 0);
        let mut fresh = fresh(self.counter, self.round);
        let mut context = Context { now: self.now, fresh: &mut fresh, rules: &self.rules };
        // A sweep is the vault's own, and nobody pays for it.
        let charged = (!matches!(command, Command::Tick(_))).then(|| State::cost(&self.state.view(), &command).bytes);
        let decision = decide(&self.state, command, &mut context);
        if let Some(charged) = charged {
            let needed = needed(&decision.draft.events, self.rules.records_operations);
            assert!(charged >= needed, "charged {charged} bytes for {needed}");
        }
        decision
    }

    /// The SID of what the next command makes.
    fn next_id<K>(&self) -> Id<K> {
        fresh(self.counter + 1, self.round).id()
    }

    fn run<A: Ask>(&mut self, ask: A) -> Result<(A::Reply, Vec<Effect>), A::Refusal> {
        match self.submit(ask.into()) {
            (Ok(reply), effects) => Ok((A::reply(reply).unwrap(), effects)),
            (Err(refusal), _) => Err(A::refusal(refusal).unwrap()),
        }
    }

    fn submit(&mut self, command: Command) -> (Answer, Vec<Effect>) {
        let reported = match &command {
            Command::Verification(verification::Command::ReportDelivery(report)) => {
                Some((report.verification, report.attempt))
            }
            _ => None,
        };
        let decision = self.decide(command);
        decision.draft.events.into_iter().for_each(|event| self.apply_live(event));
        if let Some((verification, attempt)) = reported
            && self.under_way.get(&verification) == Some(&attempt)
        {
            self.under_way.remove(&verification);
        }
        self.deliver(&decision.draft.effects);
        (decision.answer, decision.draft.effects)
    }

    /// Simulates delivery. For any commands: one message of a verification at a time, none of one
    /// that has ended.
    fn deliver(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Send { verification, attempt, .. } => {
                    let older = self.under_way.insert(*verification, *attempt);
                    assert!(older.is_none(), "an older attempt is under way beside a new one");
                }
                Effect::CancelDelivery { verifications, .. } => {
                    self.under_way.retain(|verification, _| !verifications.contains(verification));
                }
            }
        }
        // In the order of their SIDs.
        let facts = self.state.hot_facts();
        for verification in self.under_way.keys() {
            let found = facts.binary_search_by_key(verification, |facts| facts.verification).ok();
            assert!(found.is_some(), "under way after its end");
        }
    }

    fn refused<A: Ask>(&mut self, ask: A) -> A::Refusal {
        let (before, logged) = ((self.state.cold_bytes(), self.state.hot_facts()), self.log.len());
        let refusal = self.run(ask).err().unwrap();
        assert_eq!((self.state.cold_bytes(), self.state.hot_facts()), before);
        assert!(self.log.len() <= logged + 1, "at most that it was asked for");
        refusal
    }

    /// Reads what a view of this moment has.
    fn read<R: Read>(&self, read: R) -> Result<R::Reply, R::Refusal> {
        read.answer(&self.state.view(), &self.rules, self.now)
    }

    fn start_command(&self, to: &str, custom_code: Option<&str>) -> Start {
        let custom_code = custom_code.map(|code| Code::parse(code).unwrap());
        Start { custom_code, ..self.start_with(to, subjects(to)) }
    }

    fn start_with(&self, to: &str, subjects: Subjects) -> Start {
        let (destination, channel) = destination(to);
        let (service, look) = (self.service, MessageOptions::default());
        Start { caller: caller(), service, destination, subjects, channel, custom_code: None, look, cost: 10_000 }
    }

    /// Runs a command; the ceilings that it brings near.
    fn near<A: Ask>(&mut self, ask: A) -> Vec<Ceiling> {
        let decision = self.decide(ask.into());
        let mut near = Vec::new();
        for event in decision.draft.events {
            near.extend(self.state.ceilings_near(&event, &self.rules.verification.limits));
            self.apply_live(event);
        }
        near
    }

    fn start(&mut self, to: &str) -> Result<(VerificationView, String), verification::Refusal> {
        let (view, effects) = self.run(self.start_command(to, None))?;
        let Some(Effect::Send { to: sent_to, .. }) = effects.last() else { panic!("no message") };
        assert_eq!(sent_to.expose(), to);
        Ok((view, sent_code(&effects)))
    }

    fn check(&mut self, verification: VerificationId, code: &str) -> Result<Status, verification::Refusal> {
        let (service, code) = (self.service, Code::parse(code).unwrap());
        let command = Check { caller: caller(), service, target: Target::Sid(verification), code };
        let view = self.run(command)?.0;
        Ok(view.status)
    }

    /// A wrong code for a new verification of a destination.
    fn guess(&mut self, to: &str) -> Result<Status, verification::Refusal> {
        let (view, code) = self.start(to)?;
        self.check(view.verification, &wrong(&code))
    }

    fn replay(&self) -> State {
        let mut state = State::new();
        self.log.iter().for_each(|event| state.apply_live(Event::decode_all(event).unwrap()));
        state
    }

    /// As a boot does it: only what survives a restart, then the boot.
    fn reboot(&mut self) {
        let mut state = State::new();
        self.log.iter().for_each(|event| state.apply_cold(Event::decode_all(event).unwrap()));
        self.state = state;
        self.boot();
    }
}

fn destination(to: &str) -> (Destination, Channel) {
    let channel = if to.contains('@') { Channel::Email } else { Channel::Sms };
    (Destination::parse(channel, to).unwrap(), channel)
}

fn sent_code(effects: &[Effect]) -> String {
    let Some(Effect::Send { message, .. }) = effects.last() else { panic!("no message") };
    let mut words = message.text.expose().split(|char: char| !char.is_ascii_digit());
    words.find(|word| word.len() >= 4).unwrap().to_string()
}

/// Stands for the keyed hashes that the edge computes.
fn subjects(to: &str) -> Subjects {
    let hash = |salt: u8, text: &str| {
        let mut hash = [salt; 16];
        hash.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place ^= byte);
        hash
    };
    let (destination, _) = destination(to);
    hashed(to, hash(0x80, to), hash(0x90, to), hash(0xA0, destination.prefix()))
}

fn hashed(to: &str, in_service: [u8; 16], in_tenant: [u8; 16], shared: [u8; 16]) -> Subjects {
    Subjects {
        in_service: KeyedHash::from_bytes(in_service),
        in_tenant: KeyedHash::from_bytes(in_tenant),
        shared: match destination(to).1 {
            Channel::Sms => SharedSubject::NumberBlock(KeyedHash::from_bytes(shared)),
            Channel::Email => SharedSubject::MailDomain(KeyedHash::from_bytes(shared)),
        },
    }
}

fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    [first, &code[1..]].concat()
}
