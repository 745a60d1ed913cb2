//! Messages that have arrived, for the phone to show. Memory only.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

/// Messages that the phone remembers.
const REMEMBERED: usize = 100_000;
/// Messages that a reader takes at once.
const AT_ONCE: usize = 256;

/// A message as the phone shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Number or mail address it went to.
    pub to: String,
    /// Sender.
    pub from: String,
    /// How it came.
    pub channel: String,
    /// Its subject, if it is a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its text.
    pub body: String,
    /// When, `YYYY-MM-DDTHH:MM:SSZ`.
    pub at: String,
}

/// What has arrived.
pub struct Inbox {
    inner: Mutex<Inner>,
    /// How many messages there ever were.
    arrived: watch::Sender<u64>,
    remembered: usize,
}

#[derive(Default)]
struct Inner {
    /// Newest last, with the idempotency key it came under.
    messages: VecDeque<(String, Arc<Message>)>,
    keys: HashSet<String>,
    by_number: HashMap<String, VecDeque<Arc<Message>>>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Inbox {
    /// An empty inbox that remembers so many messages.
    pub fn remembering(remembered: usize) -> Self {
        Self { inner: Mutex::default(), arrived: watch::channel(0).0, remembered }
    }

    /// Takes a message in; false if this key was seen before.
    pub fn put(&self, key: &str, message: Message) -> bool {
        let message = Arc::new(message);
        let mut inner = self.lock();
        if !key.is_empty() && !inner.keys.insert(key.into()) {
            return false;
        }
        inner.messages.push_back((key.into(), Arc::clone(&message)));
        inner.by_number.entry(message.to.clone()).or_default().push_back(message);
        if inner.messages.len() > self.remembered
            && let Some((key, oldest)) = inner.messages.pop_front()
        {
            inner.keys.remove(&key);
            if let Some(of_number) = inner.by_number.get_mut(&oldest.to) {
                of_number.pop_front();
                if of_number.is_empty() {
                    inner.by_number.remove(&oldest.to);
                }
            }
        }
        // Counted under the lock, so that the count and the messages agree.
        self.arrived.send_modify(|arrived| *arrived += 1);
        true
    }

    /// Messages, newest first, of one number or of all.
    pub fn list(&self, to: Option<&str>, most: usize) -> Vec<Arc<Message>> {
        let inner = self.lock();
        match to {
            Some(to) => inner.by_number.get(to).into_iter().flatten().rev().take(most).cloned().collect(),
            None => inner.messages.iter().rev().take(most).map(|(_, message)| Arc::clone(message)).collect(),
        }
    }

    /// Messages as they arrive from now on.
    pub fn arrivals(self: &Arc<Self>) -> Arrivals {
        let arrived = self.arrived.subscribe();
        let next = *arrived.borrow();
        Arrivals { inbox: Arc::clone(self), arrived, next }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader at its own pace. It keeps a place, not messages: one that is slow holds up nobody and loses nothing that
/// the inbox remembers.
pub struct Arrivals {
    inbox: Arc<Inbox>,
    arrived: watch::Receiver<u64>,
    /// The number of the next message, counted from the first ever.
    next: u64,
}

/// What came next.
pub struct Arrived {
    /// Messages that were forgotten before they were read. They stood before the others.
    pub missed: u64,
    /// In the order of their arrival.
    pub messages: Vec<Arc<Message>>,
}

impl Arrivals {
    /// Waits for a message and takes it with those that follow, up to a limit. It may be dropped while it waits.
    pub async fn next(&mut self) -> Arrived {
        let next = self.next;
        // The sender is in our own inbox, so it is not gone.
        let _ = self.arrived.wait_for(|arrived| *arrived > next).await;
        let inner = self.inbox.lock();
        let oldest = *self.inbox.arrived.borrow() - inner.messages.len() as u64;
        let missed = oldest.saturating_sub(next);
        let read = usize::try_from(next.saturating_sub(oldest)).unwrap_or(usize::MAX).min(inner.messages.len());
        let messages = inner.messages.range(read..).take(AT_ONCE).map(|(_, message)| Arc::clone(message));
        let messages: Vec<_> = messages.collect();
        self.next += missed + messages.len() as u64;
        Arrived { missed, messages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Message {
        let [to, from, channel] = ["+15550100", "Adyton", "sms"].map(Into::into);
        Message { to, from, channel, subject: None, body: body.into(), at: crate::phone::now() }
    }

    fn bodies(messages: &[Arc<Message>]) -> Vec<&str> {
        messages.iter().map(|message| &*message.body).collect()
    }

    #[test]
    fn a_key_brings_one_message() {
        let inbox = Inbox::default();
        assert!(inbox.put("a", message("one")));
        assert!(!inbox.put("a", message("one")));
        assert!(inbox.put("b", message("two")));
        assert_eq!(bodies(&inbox.list(Some("+15550100"), 10)), ["two", "one"]);
        assert!(inbox.list(Some("+15550101"), 10).is_empty());
    }

    #[test]
    fn what_is_forgotten_is_forgotten_everywhere() {
        let inbox = Inbox::remembering(2);
        assert_eq!(["a", "b", "c"].map(|key| inbox.put(key, message(key))), [true; 3]);
        assert_eq!(bodies(&inbox.list(None, 10)), ["c", "b"]);
        assert_eq!(bodies(&inbox.list(Some("+15550100"), 10)), ["c", "b"]);
        assert!(!inbox.put("b", message("b")));
        assert!(inbox.put("a", message("a")));
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_what_it_missed() {
        let inbox = Arc::new(Inbox::remembering(2));
        assert!(inbox.put("", message("before")));
        let mut arrivals = inbox.arrivals();
        assert!(inbox.put("", message("one")));
        let Arrived { missed, messages } = arrivals.next().await;
        assert_eq!((missed, bodies(&messages)), (0, vec!["one"]));
        assert_eq!(["two", "three", "four", "five"].map(|body| inbox.put("", message(body))), [true; 4]);
        let Arrived { missed, messages } = arrivals.next().await;
        assert_eq!((missed, bodies(&messages)), (2, vec!["four", "five"]));
        assert!(inbox.put("", message("six")));
        let Arrived { missed, messages } = arrivals.next().await;
        assert_eq!((missed, bodies(&messages)), (0, vec!["six"]));
    }
}
