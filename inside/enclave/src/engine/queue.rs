//! The queue before the writer, fair between payers.
//!
//! 1. Each payer has a lane, first in, first out. Lanes take turns by deficit round robin: a turn
//!    is [`QUANTUM`] bytes of [`Cost`], and the rest of a turn is kept for the next one while the
//!    lane is not empty.
//! 2. A lane holds [`Bounds::payer`] bytes; what would be more is refused, and only that.
//! 3. All lanes hold [`Bounds::all`] bytes. If there is no room, the longest lane makes it and
//!    loses what it took in last, unless the lane that asks is as long itself; then that one is
//!    refused. So nobody is refused for what others have waiting.
//! 4. Commands of the enclave itself ([`Payer::Internal`]) are never refused and get every second
//!    turn: their number is bounded by earlier decisions.
//!
//! [`Queue`] is pure. [`channel`] shares one between the engine's handles and its writer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adyton_decider::{Cost, Payer};
use tokio::sync::Notify;

/// Bytes a lane may take per turn.
const QUANTUM: usize = 16 * 1024;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of one payer.
    pub(super) payer: usize,
    /// Bytes of all payers, [`Payer::Internal`] aside.
    pub(super) all: usize,
}

/// Bytes of one payer that wait. Commands cost 2 KiB at least, mostly no more: 4,096 of them.
const MAX_OF_ONE: usize = 8 * 1024 * 1024;
/// Bytes that wait in all: 16,384 commands. In memory a command takes no more than it costs.
const MAX_WAITING: usize = 32 * 1024 * 1024;
/// The writer's queue.
pub(super) const BOUNDS: Bounds = Bounds { payer: MAX_OF_ONE, all: MAX_WAITING };

/// Waiting items, in lanes.
pub(super) struct Queue<T> {
    bounds: Bounds,
    /// None is empty.
    lanes: BTreeMap<Payer, Lane<T>>,
    /// Payers with a lane; the first one has its turn.
    turns: VecDeque<Payer>,
    /// The lanes by their bytes.
    lengths: BTreeSet<(usize, Payer)>,
    /// Bytes of all lanes.
    bytes: usize,
    inner: VecDeque<T>,
    /// The next turn is the enclave's own.
    internal_is_next: bool,
}

struct Lane<T> {
    waiting: VecDeque<(usize, T)>,
    bytes: usize,
    /// Bytes that it may still take in this turn.
    deficit: usize,
    /// It has had this turn's quantum.
    in_turn: bool,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lanes: BTreeMap::new(),
            turns: VecDeque::new(),
            lengths: BTreeSet::new(),
            bytes: 0,
            inner: VecDeque::new(),
            internal_is_next: false,
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.inner.is_empty()
    }

    /// Queues an item. Returns what is refused for it: the item itself, or items evicted to make
    /// room.
    pub(super) fn push(&mut self, cost: Cost, item: T) -> Vec<T> {
        let Cost { payer, bytes } = cost;
        // 4.
        if payer == Payer::Internal {
            self.inner.push_back(item);
            return Vec::new();
        }
        // 2.
        let length = self.lanes.get(&payer).map_or(0, |lane| lane.bytes).saturating_add(bytes);
        if length > self.bounds.payer {
            return vec![item];
        }
        // 3.
        let mut refused = Vec::new();
        while self.bytes.saturating_add(bytes) > self.bounds.all {
            let longest = self.lengths.last().filter(|(longest, _)| *longest > length);
            let Some(last) = longest.copied().and_then(|(_, longest)| self.take_last(longest)) else {
                refused.push(item);
                return refused;
            };
            refused.push(last);
        }
        self.append(payer, bytes, item);
        refused
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<T> {
        // 4.
        if !self.inner.is_empty() && (self.internal_is_next || self.turns.is_empty()) {
            self.internal_is_next = false;
            return self.inner.pop_front();
        }
        self.internal_is_next = true;
        // 1.
        loop {
            let payer = *self.turns.front()?;
            let lane = self.lanes.get_mut(&payer)?;
            if !lane.in_turn {
                lane.in_turn = true;
                lane.deficit += QUANTUM;
            }
            match lane.waiting.pop_front_if(|(bytes, _)| *bytes <= lane.deficit) {
                Some((bytes, item)) => {
                    lane.deficit -= bytes;
                    if self.shorten(payer, bytes) {
                        self.turns.pop_front();
                    }
                    return Some(item);
                }
                None => {
                    lane.in_turn = false;
                    self.turns.rotate_left(1);
                }
            }
        }
    }

    fn append(&mut self, payer: Payer, bytes: usize, item: T) {
        let lane = self.lanes.entry(payer).or_insert_with(|| {
            self.turns.push_back(payer);
            Lane { waiting: VecDeque::new(), bytes: 0, deficit: 0, in_turn: false }
        });
        lane.waiting.push_back((bytes, item));
        self.lengths.remove(&(lane.bytes, payer));
        lane.bytes += bytes;
        self.lengths.insert((lane.bytes, payer));
        self.bytes += bytes;
    }

    /// Removes the newest item of a lane.
    fn take_last(&mut self, payer: Payer) -> Option<T> {
        let (bytes, item) = self.lanes.get_mut(&payer)?.waiting.pop_back()?;
        if self.shorten(payer, bytes) {
            // The longest lane has one command: so have all, and this is rare.
            self.turns.retain(|turn| *turn != payer);
        }
        Some(item)
    }

    /// Counts what has left a lane. Returns whether the lane is empty and removed; its turn
    /// remains.
    fn shorten(&mut self, payer: Payer, bytes: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(&payer) else { return false };
        self.lengths.remove(&(lane.bytes, payer));
        lane.bytes -= bytes;
        self.bytes -= bytes;
        if lane.waiting.is_empty() {
            self.lanes.remove(&payer);
            true
        } else {
            self.lengths.insert((lane.bytes, payer));
            false
        }
    }
}

/// A queue between many that ask and one that decides.
pub(super) fn channel<T>(bounds: Bounds) -> (Sender<T>, Receiver<T>) {
    let shared =
        Channel { guarded: Mutex::new(Guarded { queue: Some(Queue::new(bounds)), senders: 1 }), news: Notify::new() };
    let shared = Arc::new(shared);
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

struct Channel<T> {
    guarded: Mutex<Guarded<T>>,
    /// An item was queued, or the last sender was dropped.
    news: Notify,
}

struct Guarded<T> {
    /// `None` once the receiver is dropped.
    queue: Option<Queue<T>>,
    senders: usize,
}

impl<T> Channel<T> {
    fn lock(&self) -> MutexGuard<'_, Guarded<T>> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts in.
pub(super) struct Sender<T>(Arc<Channel<T>>);

/// The receiving end. When it is dropped, all waiting items are dropped too.
pub(super) struct Receiver<T>(Arc<Channel<T>>);

impl<T> Sender<T> {
    /// `Ok`: the items evicted or refused ([`Queue::push`]); `Err(item)`: the receiver is gone.
    pub(super) fn push(&self, cost: Cost, item: T) -> Result<Vec<T>, T> {
        let mut guarded = self.0.lock();
        let Some(queue) = &mut guarded.queue else { return Err(item) };
        let refused = queue.push(cost, item);
        drop(guarded);
        self.0.news.notify_one();
        Ok(refused)
    }

    /// Whether the receiver is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().queue.is_none()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.news.notify_one();
    }
}

impl<T> Receiver<T> {
    /// The next one, if there is one.
    pub(super) fn pop(&self) -> Option<T> {
        self.0.lock().queue.as_mut().and_then(Queue::pop)
    }

    /// Waits until something is there; false if nothing ever will be. May be dropped at any time.
    pub(super) async fn ready(&self) -> bool {
        loop {
            {
                let guarded = self.0.lock();
                if guarded.queue.as_ref().is_some_and(|queue| !queue.is_empty()) {
                    return true;
                }
                if guarded.senders == 0 {
                    return false;
                }
            }
            self.0.news.notified().await;
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let queue = self.0.lock().queue.take();
        // Outside the lock: a task that is woken by one of these may push another.
        drop(queue);
    }
}

#[cfg(test)]
mod tests;
