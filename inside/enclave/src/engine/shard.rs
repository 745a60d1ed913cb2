//! The single writer of a shard, without its IO.
//!
//! 1. A command is decided on the state as it stands, and the state evolves at once.
//! 2. Its events join the open batch; its answer and effects are held with them. A refusal is held too whenever
//!    anything before it is not durable yet, so that no answer tells of what may still be lost.
//! 3. When nothing is in flight, the open batch is sealed at the next indexes and signed: from then on those bytes are
//!    the only ones that these indexes will ever see in this boot.
//! 4. Once the store says they are durable, answers and effects are released, in order.
//!
//! A store that fails leaves the batch in flight; the shell retries the same bytes. A conflict fences the shard.

use adyton_frame::{MAX_FRAME, encode_append};
use adyton_ledger::VaultId;
use adyton_ledger::{Frontier, Head, Keep, Kind, Record, origin};
use adyton_seal::{Opaque, SigningKey};
use adyton_vault::{Class, Command, Context, Effect, Event, EventKind, Refusal, Reply, Seconds, Sid, State, decide};

use super::sealing::{Place, Records, Sealer};

/// Entries of one batch at the most.
const MAX_ENTRIES: usize = 512;
/// Bytes of records after which a batch takes no more. The commands that the writer had taken by then still join it, so
/// that this is far below the largest size class, and below half a frame, which padding can fill.
const MAX_BYTES: usize = 256 * 1024;

/// An answer whose time has come.
pub struct Release<T> {
    /// Who waits for it.
    pub ticket: T,
    /// The answer.
    pub answer: Result<Reply, Refusal>,
}

/// A sealed batch: the bytes to append, and to append again if the store fails.
pub struct Sealed {
    /// Size that the log must have.
    pub expected_size: u64,
    /// Size that it has then.
    pub size: u64,
    /// The records.
    pub records: Vec<Record>,
    /// The signed head after them.
    pub head: String,
}

impl Sealed {
    /// The `Append` frame, length first.
    ///
    /// # Errors
    /// [`Opaque`] if it does not fit a frame, which the batch's limits rule out.
    pub fn frame(&self, id: u64, log: u16) -> Result<Vec<u8>, Opaque> {
        let mut out = Vec::with_capacity(4096);
        let records = self.records.iter().map(|record| (record.entry.as_bytes(), &record.body[..]));
        encode_append(id, log, self.expected_size, records, &self.head, &mut out).map_err(|_| Opaque)?;
        debug_assert!(out.len() <= MAX_FRAME + 4);
        Ok(out)
    }
}

struct Held<T> {
    releases: Vec<Release<T>>,
    effects: Vec<Effect>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { releases: Vec::new(), effects: Vec::new() }
    }
}

struct OpenEntry {
    kind: Kind,
    keep: Keep,
    tenant: Option<Sid>,
    records: Records,
}

/// The writer of one shard. `T` is whoever waits for an answer.
pub struct Shard<T> {
    state: State,
    sealer: Sealer,
    signer: SigningKey,
    origin: String,
    frontier: Frontier,
    bucket: u64,
    open: Vec<OpenEntry>,
    open_bytes: usize,
    open_held: Held<T>,
    in_flight: Option<Held<T>>,
}

impl<T> Shard<T> {
    /// Continues a log: `state` and `frontier` are what replay gave, `bucket` its last time bucket.
    pub fn new(
        state: State,
        vault: &VaultId,
        sealer: Sealer,
        signer: SigningKey,
        frontier: Frontier,
        bucket: u64,
    ) -> Self {
        let origin = origin(vault, sealer.log());
        Self {
            state,
            sealer,
            signer,
            origin,
            frontier,
            bucket,
            open: Vec::new(),
            open_bytes: 0,
            open_held: Held::default(),
            in_flight: None,
        }
    }

    /// The state, evolved by everything decided, durable or not.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Entries sealed so far, those in flight included.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The frontier at [`Shard::size`].
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Whether the open batch takes no more until it is sealed.
    pub fn is_full(&self) -> bool {
        self.open.len() >= MAX_ENTRIES || self.open_bytes >= MAX_BYTES
    }

    /// Decides a command; the answer comes back at once only if nothing is waiting to be durable.
    pub fn submit(&mut self, command: Command, context: &Context<'_>, ticket: T) -> Option<Release<T>> {
        let answer = match decide(&self.state, command, context) {
            Err(refusal) => Err(refusal),
            Ok(decision) => {
                for event in decision.events {
                    self.record(event);
                }
                self.open_held.effects.extend(decision.effects);
                Ok(decision.reply)
            }
        };
        let release = Release { ticket, answer };
        if !self.open.is_empty() {
            self.open_held.releases.push(release);
        } else if let Some(held) = &mut self.in_flight {
            held.releases.push(release);
        } else {
            return Some(release);
        }
        None
    }

    /// Begins this boot in the log: voids what was hot.
    pub fn boot(&mut self, boot_id: [u8; 16], now: Seconds) {
        self.record(Event { at: now, kind: EventKind::Booted { boot_id } });
    }

    /// Adds a snapshot's manifest to the open batch; `ticket` is answered once it is durable.
    pub fn snapshot(&mut self, manifest: &[u8], ticket: T) {
        let mut records = Records::default();
        records.push_bytes(manifest);
        self.open_bytes += records.len();
        self.open.push(OpenEntry { kind: Kind::Snapshot, keep: Keep::Forever, tenant: None, records });
        self.open_held.releases.push(Release { ticket, answer: Ok(Reply::Done) });
    }

    fn record(&mut self, event: Event) {
        let kind = if matches!(event.kind, EventKind::Booted { .. }) { Kind::Boot } else { Kind::Ops };
        let keep = match (kind, event.class()) {
            // What is prepaid stands in the snapshot with its sum.
            (Kind::Ops, Class::H | Class::P) => Keep::UntilSnapshot,
            _ => Keep::Retention,
        };
        let tenant = self.state.tenant_of(&event);
        // One entry per tenant and batch; whatever concerns no tenant has one of its own.
        let same = |open: &OpenEntry| open.kind == kind && open.tenant == tenant;
        let place = match self.open.iter().rposition(same).filter(|_| kind == Kind::Ops) {
            Some(place) => place,
            None => {
                self.open.push(OpenEntry { kind, keep, tenant, records: Records::default() });
                self.open.len() - 1
            }
        };
        let entry = &mut self.open[place];
        if keep == Keep::Retention {
            entry.keep = keep;
        }
        let before = entry.records.len();
        entry.records.push(&event);
        self.open_bytes += entry.records.len() - before;
        self.state.evolve(event);
    }

    /// Seals the open batch, if nothing is in flight and there is one.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses; the shard must then stop.
    pub fn seal(&mut self, now: Seconds) -> Result<Option<Sealed>, Opaque> {
        if self.in_flight.is_some() || self.open.is_empty() {
            return Ok(None);
        }
        // The log's time does not fall, whatever the clock does.
        self.bucket = self.bucket.max(now / 10);
        let expected_size = self.frontier.size();
        let mut records = Vec::with_capacity(self.open.len());
        for OpenEntry { kind, keep, tenant, records: plain } in self.open.drain(..) {
            let place = Place { kind, keep, index: self.frontier.size(), time_bucket: self.bucket, tenant };
            let record = self.sealer.seal(&place, &plain)?;
            self.frontier.push(record.entry.leaf_hash());
            records.push(record);
        }
        self.open_bytes = 0;
        self.in_flight = Some(std::mem::take(&mut self.open_held));
        let size = self.frontier.size();
        let head = Head { origin: self.origin.clone(), size, root: self.frontier.root() };
        let head = head.sign(&self.signer.public_key(), |text| self.signer.sign(text));
        Ok(Some(Sealed { expected_size, size, records, head }))
    }

    /// The batch in flight is durable: gives out what waited for it.
    pub fn durable(&mut self) -> (Vec<Release<T>>, Vec<Effect>) {
        let Held { releases, effects } = self.in_flight.take().unwrap_or_default();
        (releases, effects)
    }
}
